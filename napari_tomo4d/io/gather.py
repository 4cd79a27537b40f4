"""Which files of a folder or a pattern are to be read, in which order."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable
from pathlib import Path

from napari_tomo4d.errors import ReadError
from napari_tomo4d.io.formats import format_of, known_suffixes
from napari_tomo4d.io.names import natural_key
from napari_tomo4d.io.sidecars import stem_of
from napari_tomo4d.io.units import TIME_UNITS, seconds_per
from napari_tomo4d.provenance import warn

TIME = "{time}"


def is_pattern(text: str) -> bool:
    """Return whether a path stands for several, as no file has just this name."""
    return any(mark in text for mark in (TIME, "*", "?")) and not Path(text).exists()


def matching(pattern: str) -> tuple[list[Path], list[float] | None]:
    """Return the files of a pattern and the times in their names, in seconds.

    ``*`` and ``?`` stand for any letters, ``{time}`` for a number, with its unit or without;
    brackets for themselves. Where there is no unit, not even after ``{time}``, it is seconds.
    """
    paths = [Path(p) for p in glob.glob(re.sub(r"\[", "[[]", pattern).replace(TIME, "*"))]
    if not paths:
        raise ReadError(f"No file matches {pattern}.")
    paths.sort(key=natural_key)
    if TIME not in pattern:
        return paths, None
    head, _, tail = pattern.partition(TIME)
    any_letters = {"*": "[^/]*", "?": "[^/]"}

    def literal(text: str) -> str:
        return "".join(any_letters.get(c) or re.escape(c) for c in text)

    number = rf"([-+]?\d+(?:\.\d+)?)(?:\s*((?i:{TIME_UNITS})))?"
    expression = re.compile(literal(head) + number + literal(tail).replace(re.escape(TIME), ".*"))
    matches = [(p, expression.fullmatch(_as_given(p, pattern))) for p in paths]
    kept = [(p, float(m[1]), m[2]) for p, m in matches if m]
    if not kept:
        raise ReadError(f"No file that matches {pattern} has a number in place of {{time}}.")
    after = re.match(rf"\s*({TIME_UNITS})(?![a-z\d])", tail, re.IGNORECASE)
    units = [unit or (after[1] if after else "s") for _, _, unit in kept]
    if any(seconds_per(u) != 1 for u in units):
        names = ", ".join(dict.fromkeys(units))
        warn(f"The times in the names of the files were taken to be in {names}.")
    times = [t * (seconds_per(u) or 1) for (_, t, _), u in zip(kept, units, strict=True)]
    return [p for p, _, _ in kept], times


def _as_given(path: Path, pattern: str) -> str:
    text = str(path)
    return f"./{text}" if pattern.startswith("./") and not text.startswith("./") else text


def readable_in(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the files and the folders in a folder that may be read; hidden ones are not."""
    content = sorted(folder.iterdir(), key=natural_key)
    content = [p for p in content if not p.name.startswith(".")]
    files = [p for p in content if format_of(p)]
    # of an EMI and its SER files one is enough
    emi = {p.stem for p in files if p.suffix.lower() == ".emi"}
    files = [
        p for p in files if p.suffix.lower() != ".ser" or re.sub(r"_\d+$", "", p.stem) not in emi
    ]
    folders = [p for p in content if p.is_dir() and p not in files and any(p.iterdir())]
    if not files and not folders:
        raise ReadError(f"{folder} holds no file that can be read ({known_suffixes()}).")
    return files, folders


def without_results(
    files: list[Path], folder: Path, is_volume: Callable[[Path], bool]
) -> list[Path]:
    """Return the series of a folder without what was made from them, and say what is left out.

    Parameters
    ----------
    files : list of Path
    folder : Path
    is_volume : callable
        Tells volumes and labels from images.
    """
    volumes = {p for p in files if is_volume(p)}
    kept = [p for p in files if p not in volumes] or files
    raw = {stem_of(p).lower() for p in kept if p.suffix.lower() in (".st", ".mrc", ".mrcs")}
    kept = [p for p in kept if p.suffix.lower() != ".ali" or stem_of(p).lower() not in raw]
    left = [p.name for p in files if p not in kept]
    if left:
        names = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
        warn(
            f"{folder.name} holds tilt series and what was made from them; {names} "
            f"{'was' if len(left) == 1 else 'were'} not read."
        )
    return kept
