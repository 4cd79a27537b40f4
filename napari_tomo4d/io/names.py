"""Numbers that people and programs put into file names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_tomo4d.io.units import TIME_UNITS, seconds_per

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_DEGREES = re.compile(r"\s*(?:deg|°)", re.IGNORECASE)
_WORD = re.compile(r"(?:tilt|angle|alpha|theta)[ _=]*$", re.IGNORECASE)
_PART = rf"(\d+(?:\.\d+)?)\s*({TIME_UNITS})"
_TIME = re.compile(rf"(?<![a-z\d.])[-+]?(?:{_PART}\s*)+(?![a-z\d])", re.IGNORECASE)
_OTHER = re.compile(r"(?:dose|time|exposure|temp|defocus|current|dwell)[ _=-]*$", re.IGNORECASE)
_LARGEST_DEG = 360.0


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Sort key in which ``a10`` comes after ``a9``."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(p), p) if re.fullmatch(r"[0-9]{1,300}", p) else (1, 0, p) for p in parts]


class _Field:
    """One number in each of several names, at the same place of all."""

    def __init__(self, matches: Sequence[re.Match[str]]) -> None:
        self._matches = matches
        texts = [m[0] for m in matches]
        before = [m.string[: m.start()] for m in matches]
        after = [m.string[m.end() :] for m in matches]
        # after a letter or a digit, "-" joins words unless some names have "+" or none
        joined = all(t.startswith("-") for t in texts)
        clear = all(re.search(r"(?:^|[\s_\[(=])$", b) for b in before)
        self.signed = any(t[0] in "-+" for t in texts) and (clear or not joined)
        if joined and not clear:
            texts = [t[1:] for t in texts]
        self.values = np.array([float(t) for t in texts])
        self.whole = all("." not in t for t in texts)
        # counters are padded with zeros, angles without a sign are not
        self.padded = self.whole and any(re.match(r"0\d", t) for t in texts)
        self.in_degrees = all(map(_DEGREES.match, after))
        self.named = all(map(_WORD.search, before))
        self.other = any(map(_OTHER.search, before))
        self.has_unit = any(re.match(r"[^\W\d_]", a) for a in after)

    @property
    def counts(self) -> bool:
        """Whether it only numbers the files."""
        steps = np.diff(np.sort(self.values))
        return self.whole and not self.signed and (self.padded or bool(np.all(steps == 1)))

    @property
    def possible(self) -> bool:
        """Whether these may be the angles of a series."""
        values = self.values
        different = len(np.unique(values)) == len(values)
        near = np.all(np.abs(values) <= _LARGEST_DEG)
        one = len(values) == 1
        wide = one or np.ptp(values) >= 0.5 * (len(values) - 1) ** 0.5
        return bool(different and near and wide)

    @property
    def score(self) -> int:
        """How clearly this is an angle; 0 if it is not."""
        if not self.possible or self.other:
            return 0
        if self.in_degrees:
            return 4
        if self.counts:
            return 0
        if self.signed:
            return 3
        if self.named:
            return 2
        return 1 if not self.whole and not self.has_unit and len(self.values) > 2 else 0


def angles_from_names(paths: Sequence[Path]) -> np.ndarray | None:
    """Return the angle in each name, or None unless all names clearly have one.

    Numbers stand at the same places in all names. Clearly: followed by ``deg``, with a sign,
    after ``tilt`` or ``angle``, or the only ones with decimals that vary by degrees. A plain
    counter is no angle.
    """
    found = [list(_NUMBER.finditer(p.stem)) for p in paths]
    if len({len(f) for f in found}) > 1:
        # names with other numbers in between
        found = [[m for m in f if _DEGREES.match(m.string[m.end() :])][-1:] for f in found]
    if not found or not all(found):
        return None
    fields = [_Field(matches) for matches in zip(*found, strict=True)]
    best = max(f.score for f in fields)
    chosen = [f.values for f in fields if f.score == best]
    if best == 0 or any(not np.array_equal(c, chosen[0]) for c in chosen):
        return None
    return chosen[0]


def times_from_names(paths: Sequence[Path]) -> list[float] | None:
    """Return the time in seconds in each name, such as ``600s`` or ``1h30min``, or None."""
    found = [list(_TIME.finditer(p.stem)) for p in paths]
    if not found or not all(found):
        return None
    times = [_seconds(f[-1][0]) for f in found]
    return times if len(set(times)) == len(times) else None


def _seconds(text: str) -> float:
    """Return the seconds of a time such as ``1h30min``."""
    parts = re.findall(_PART, text, re.IGNORECASE)
    total = sum(float(number) * (seconds_per(unit) or 1) for number, unit in parts)
    return -total if text.startswith("-") else total
