"""The one table of units of length, angle and time, and what sizes of pixels can be true."""

from __future__ import annotations

import math
import re
import unicodedata

from napari_tomo4d.checks import LARGEST_NM, SMALLEST_NM

_LENGTH_NM = {
    "pm": 1e-3,
    "picometer": 1e-3,
    "a": 0.1,
    "å": 0.1,
    "ang": 0.1,
    "angstrom": 0.1,
    "ångström": 0.1,
    "nm": 1.0,
    "nanometer": 1.0,
    "um": 1e3,
    "μm": 1e3,
    "micron": 1e3,
    "micrometer": 1e3,
    "mm": 1e6,
    "millimeter": 1e6,
    "cm": 1e7,
    "centimeter": 1e7,
    "inch": 2.54e7,
    "m": 1e9,
    "meter": 1e9,
}
_ANGLE_DEG = {
    "°": 1.0,
    "o": 1.0,
    "deg": 1.0,
    "degree": 1.0,
    "rad": 180 / math.pi,
    "radian": 180 / math.pi,
    "mrad": 0.18 / math.pi,
}
_TIME_S = {
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hr": 3600.0,
    "hour": 3600.0,
    "day": 86400.0,
}

TIME_UNITS = "|".join(sorted((u + "s?" for u in _TIME_S if u != "s"), key=len, reverse=True)) + "|s"
"""All units of time, as part of a regular expression."""


def _found(table: dict[str, float], unit: object) -> float | None:
    text = unit.decode("utf-8", "replace") if isinstance(unit, bytes) else str(unit or "")
    # ImageJ escapes what is not ASCII
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), text)
    # one code for each of the signs of micro, angstrom and degree that look alike
    key = unicodedata.normalize("NFKC", text).strip().strip("[]()").strip().lower()
    key = key.replace("_", "").rstrip(".")
    for one in (key, key.removesuffix("s"), key.replace("metre", "meter").removesuffix("s")):
        if one in table:
            return table[one]
    return None


def to_nm(value: float, unit: object) -> float | None:
    """Return a length in nanometres, or None if the unit is no length."""
    factor = _found(_LENGTH_NM, unit)
    return None if factor is None or not value > 0 else float(value) * factor


def degrees_per(unit: object) -> float | None:
    """Return how many degrees a unit of angle has, or None if it is none."""
    return _found(_ANGLE_DEG, unit)


def seconds_per(unit: object) -> float | None:
    """Return how many seconds a unit of time has, or None if it is none."""
    return _found(_TIME_S, unit)


def has_unit(unit: object) -> bool:
    """Return whether a text says any unit at all; "px" and "[]" do not."""
    text = unit.decode("utf-8", "replace") if isinstance(unit, bytes) else str(unit or "")
    none = ("", "none", "px", "pixel", "pixels", "undefined", "<undefined>", "1")
    return text.strip().strip("[]").strip().lower() not in none


def can_be_true(size_nm: float) -> bool:
    """Return whether a pixel may have this size."""
    return math.isfinite(size_nm) and SMALLEST_NM <= size_nm <= LARGEST_NM
