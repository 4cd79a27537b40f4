"""Numbers that people put into file names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_NUMBER = r"([-+]?\d+(?:\.\d+)?)"
_ANGLE_PATTERNS = (
    rf"{_NUMBER}\s*(?:deg|°)",
    rf"(?:tilt|angle|alpha|theta)[ _=]*{_NUMBER}(?!\d)",
    r"[ _]([-+]\d+(?:\.\d+)?|0+(?:\.0+)?)(?!\d)",
)
_TIME_PATTERN = rf"(?<![a-z\d]){_NUMBER}\s*(?:s|sec)(?![a-z])"


def natural_key(path: Path) -> list[object]:
    """Sort key in which ``a10`` comes after ``a9``."""
    return [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", path.name.lower())]


def angles_from_names(paths: Sequence[Path]) -> np.ndarray | None:
    """Return the angle in each name, or None unless all names clearly have one.

    Clearly: followed by ``deg``, after ``tilt`` or ``angle``, or with a sign after an
    underscore. A plain counter is no angle.
    """
    for pattern in _ANGLE_PATTERNS:
        found = [re.findall(pattern, p.stem, re.IGNORECASE) for p in paths]
        if all(found):
            angles = np.array([float(f[-1]) for f in found])
            if len(set(angles)) == len(angles) and np.all(np.abs(angles) <= 180):
                return angles
    return None


def times_from_names(paths: Sequence[Path]) -> list[float] | None:
    """Return the time in seconds in each name, such as ``600s``, or None."""
    found = [re.findall(_TIME_PATTERN, p.stem, re.IGNORECASE) for p in paths]
    if not all(found):
        return None
    times = [float(f[-1]) for f in found]
    return times if len(set(times)) == len(times) else None
