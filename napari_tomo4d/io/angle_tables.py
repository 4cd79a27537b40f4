"""Tilt angles in tables of text, however these separate, head and count them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_tomo4d.errors import ReadError
from napari_tomo4d.provenance import warn
from napari_tomo4d.text_files import read_text

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
_COMMENT = "#%!"
_NOT_THE_TILT = ("axis", "rotation", "azimuth", "phi", "psi", "beta", "defocus", "error", "dose")
_COUNTS = ("image", "index", "number", "section", "slice", "view", "projection", "zvalue", "z", "#")
_ACQUIRED = ("order", "acq", "time", "tilt", "exposure")
_FULL_TURN = 360.0


@dataclass(frozen=True)
class AngleTable:
    """What a table says.

    Parameters
    ----------
    angles_deg : array (image,), float64
    took : str
        Which column was taken; empty where there is only one.
    """

    angles_deg: np.ndarray
    took: str = ""


@dataclass(frozen=True)
class _Column:
    """One column: its place from 0, its name in lower case, its numbers, if all are whole."""

    place: int
    name: str
    values: np.ndarray
    whole: bool = True
    cut_off: bool = False

    @property
    def title(self) -> str:
        """What to call it to a person."""
        return f"column {self.name!r}" if self.name else f"column {self.place + 1}"

    @property
    def counts(self) -> bool:
        """Whether it numbers the images from 0 or 1, in any order; angles have decimals."""
        n = len(self.values)
        in_order = np.sort(self.values)
        from_0_or_1 = any(np.array_equal(in_order, np.arange(n) + k) for k in (0, 1))
        return self.whole and n > 1 and from_0_or_1

    @property
    def constant(self) -> bool:
        """Whether all its numbers are the same."""
        return len(self.values) > 1 and not np.ptp(self.values)

    @property
    def score(self) -> int:
        """How clearly the name says that this is the tilt angle."""
        if any(word in self.name for word in _NOT_THE_TILT):
            return -1
        angle = "angle" in self.name or "deg" in self.name or "°" in self.name
        tilt = any(word in self.name for word in ("tilt", "alpha", "theta"))
        return 2 * (angle and not self.in_radians) + tilt

    @property
    def in_radians(self) -> bool:
        """Whether the name says so."""
        return re.search(r"(?<![a-z])rad(?:ians?)?(?![a-z])", self.name) is not None


def read_angle_table(path: Path) -> AngleTable:
    """Read tilt angles from a table of text.

    Parameters
    ----------
    path : Path
        A line per image; columns separated by tabs, blanks, commas or semicolons; numbers with
        a decimal point or comma; with a heading or without. Of several columns that is taken
        which is headed as the angle, or the only one that may be it. Lines that are numbered
        in another order are put in the order of the images.

    Raises
    ------
    ReadError
        If there are no angles, or several columns may be them.
    """
    columns = _columns(path)
    column = _chosen(columns, path)
    values = _in_order(column, columns, path)
    if column.in_radians:
        warn(f"The {column.title} of {path.name} was turned from radians into degrees.")
        values = np.rad2deg(values)
    check_angles(values, path.name)
    if column.cut_off:
        warn(f"The last line of {path.name} is shorter than the others; was it copied whole?")
    if len(columns) == 1:
        return AngleTable(values)
    if not column.name:
        warn(f"{path.name} has no heading; its {column.title} was taken as the tilt angles.")
    return AngleTable(values, column.title)


def check_angles(angles_deg: np.ndarray, where: str) -> None:
    """Raise `ReadError` unless numbers of a table may be the tilt angles of a series."""
    if not np.isfinite(angles_deg).all() or np.abs(angles_deg).max(initial=0) > _FULL_TURN:
        far = angles_deg[np.argmax(np.where(np.isfinite(angles_deg), np.abs(angles_deg), np.inf))]
        raise ReadError(
            f"{where} holds {far:g}, which is no tilt angle; expected degrees within -360 to 360."
        )
    if len(angles_deg) > 1 and not np.ptp(angles_deg):
        raise ReadError(
            f"{where} says {angles_deg[0]:g} degrees for all {len(angles_deg)} images, so the "
            "program that wrote it did not know the angles; give them."
        )


def _columns(path: Path) -> list[_Column]:
    text = read_text(path).translate({0x2212: "-", 0x2013: "-", 0xA0: " ", 0x2009: " "})
    text = re.sub(r'"([-+]?\d+),(\d+)"', r"\1.\2", text)
    lines = [(i + 1, line.strip()) for i, line in enumerate(text.split("\n")) if line.strip()]
    comments = [line.lstrip(_COMMENT + " ") for _, line in lines if line[0] in _COMMENT]
    lines = [(i, line) for i, line in lines if line[0] not in _COMMENT]
    separator, decimal_comma = _format([line for _, line in lines], path)
    rows = [(i, _split(line, separator, decimal_comma)) for i, line in lines]
    first = next((k for k, (_, row) in enumerate(rows) if any(map(_is_number, row))), len(rows))
    headings = [row for _, row in rows[:first]]
    headings += [_split(c, separator, False) for c in comments]
    rows = rows[first:]
    if not rows:
        raise ReadError(f"{path} holds no tilt angles; expected one number per tilt in degrees.")
    if len(rows) == 1 and len(rows[0][1]) > 3 and all(map(_is_number, rows[0][1])):
        # all angles in one line
        rows, headings = [(rows[0][0], [cell]) for cell in rows[0][1]], []
    width = Counter(len(row) for _, row in rows).most_common(1)[0][0]
    for i, row in rows:
        if len(row) != width:
            raise ReadError(
                f"{path} has {len(row)} columns in line {i} but {width} in the others; was it "
                "copied whole?"
            )
    names = next((h for h in reversed(headings) if len(h) == width), [""] * width)
    result = []
    for place in range(width):
        cells = [row[place] for _, row in rows]
        numeric = [_is_number(c) for c in cells]
        if all(numeric):
            values = np.array([float(c) for c in cells])
            decimals = [len(c.partition(".")[2]) for c in cells]
            cut_off = not text.endswith("\n") and decimals[-1] < min(decimals[:-1], default=0)
            whole = all(re.fullmatch(r"\+?\d+", c) for c in cells)
            result.append(_Column(place, names[place].lower(), values, whole, cut_off))
        elif 2 * sum(numeric) > len(cells):
            i = rows[numeric.index(False)][0]
            raise ReadError(
                f"{path} is not a table of tilt angles: {_short(cells[numeric.index(False)])} in "
                f"line {i} is no number."
            )
    if not result:
        raise ReadError(f"{path} holds no tilt angles; expected one number per tilt in degrees.")
    return result


def _short(text: str) -> str:
    return repr(text if len(text) <= 20 else f"{text[:20]}...")


def _split(line: str, separator: str, decimal_comma: bool) -> list[str]:
    # a separator at the end closes the last column and begins no other
    cells = re.split(separator, line.strip().rstrip(";,").strip())
    cells = [c.strip().strip("\"'").strip().removesuffix("°").strip() for c in cells]
    return [re.sub(r"^([-+]?\d+),(\d+)$", r"\1.\2", c) if decimal_comma else c for c in cells]


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def _format(lines: list[str], path: Path) -> tuple[str, bool]:
    """Return what separates columns, as a regular expression, and whether decimals have commas."""
    data = [line for line in lines if re.search(r"\d", line)]
    text = "\n".join(data)
    point = re.search(r"\d\.\d", text) is not None
    comma = re.search(r"\d,\d", text) is not None
    if ";" in text:
        return r"\s*;\s*", comma
    if data and all("\t" in line for line in data) and not re.search(r",\s", text):
        return r" *\t *", comma
    if "," not in text:
        return r"\s+", False
    cells = [line.split() for line in data]
    with_comma = [c for row in cells for c in row if "," in c]
    if min(map(len, cells)) > 1 and all(re.fullmatch(r"[-+]?\d+,\d+", c) for c in with_comma):
        return r"\s+", True
    if point or re.search(r",[ \t]|,\s*[-+]|,\s*,|[^\d\s],|\d,[^\d\s]", text):
        return r"\s*,\s*", False
    # only whole numbers on either side of each comma
    numbers = [line for line in data if re.fullmatch(r"[-+\d,\s]+", line)]
    parts = [line.split(",") for line in numbers]
    heads = [line.count(",") for line in lines if line not in numbers]
    if any(len(p) != 2 for p in parts) or 1 in heads:
        return r"\s*,\s*", False
    left, right = (np.array([float(p[k] or 0) for p in parts]) for k in (0, 1))
    if _Column(0, "", left).counts:
        return r"\s*,\s*", False
    if not np.ptp(right) and right.any() and len(right) > 1:
        raise ReadError(
            f"{path} can be read as one column with decimal commas or as two columns; write "
            "decimal points, or semicolons between columns."
        )
    warn(f"The commas in {path.name} were taken as decimal commas: {parts[0][0]},{parts[0][1]}.")
    return r"\s+", True


def _chosen(columns: list[_Column], path: Path) -> _Column:
    if len(columns) == 1:
        (only,) = columns
        if only.counts and len(only.values) > 2 and only.score <= 0:
            raise ReadError(
                f"{path} counts from {only.values.min():g} to {only.values.max():g} and says no "
                "tilt angles; expected degrees."
            )
        return only
    may_be = [c for c in columns if np.abs(c.values).max() <= _FULL_TURN and c.score >= 0]
    varying = [c for c in may_be if not c.counts and not c.constant]
    # a single image has no column that varies
    may_be = varying or (
        [c for c in may_be if c.score > 0] if len(columns[0].values) > 1 else may_be
    )
    best = max((c.score for c in may_be), default=0)
    named = [c for c in may_be if c.score == best]
    if len(named) > 1 and best == 0:
        # doses, times and counts are never negative
        named = [c for c in named if c.values.min() < 0 < c.values.max()] or named
    if len(named) == 1:
        return named[0]
    found = " or ".join(c.title for c in named) or "none of its columns"
    raise ReadError(
        f"{path} has {len(columns)} columns of numbers, and the tilt angles may be {found}; head "
        "the right one with the word angle."
    )


def _in_order(column: _Column, columns: list[_Column], path: Path) -> np.ndarray:
    """Return the values in the order of the images, where another column numbers these."""
    for other in columns:
        if other is column or not other.counts or not np.any(np.diff(other.values) < 0):
            continue
        ordered: np.ndarray = column.values[np.argsort(other.values)]
        words = re.split(r"[^a-z#]+", other.name)
        if any(w in _COUNTS for w in words) and not any(w in other.name for w in _ACQUIRED):
            warn(f"The lines of {path.name} were put in the order of its {other.title}.")
            return ordered
        if other.name:
            continue  # the order in which they were taken, say
        if np.all(np.diff(ordered) > 0) or np.all(np.diff(ordered) < 0):
            warn(f"The lines of {path.name} were put in the order of its {other.title}.")
            return ordered
    return column.values
