"""Quantities as a person reads them: digits, uncertainties, units of time, headings of axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

Row = dict[str, Any]
"""A row of a table, by column."""

MISSING = "–"
"""What stands for a number that is not known."""

_DIGITS = 4
_LARGEST, _SMALLEST = 1e9, 1e-3
_MOST_DECIMALS = 6
_UP = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
# up to five minutes, series are taken every so many seconds; up to three hours, every few minutes
_SECONDS_UP_TO, _MINUTES_UP_TO = 300, 3 * 3600


def number(value: float) -> str:
    """Return a number with four significant digits.

    Parameters
    ----------
    value : float
        NaN gives a dash, whole numbers keep all their digits; very large and small ones are
        written with a power of ten.
    """
    if not math.isfinite(value):
        return MISSING
    if float(value).is_integer() and abs(value) < _LARGEST:
        return f"{value:.0f}"
    size = abs(value)
    if size >= _LARGEST or size < _SMALLEST:
        mantissa, power = f"{value:.{_DIGITS - 2}e}".split("e")
        return f"{mantissa} × {_power_of_ten(int(power))}"
    return f"{value:.0f}" if size >= 1000 else f"{value:.{_DIGITS}g}"


def with_error(value: float, error: float | None = None, unit: str = "") -> str:
    """Return a value with its standard uncertainty, such as "55.6 ± 2.8 nm".

    Parameters
    ----------
    value : float
        NaN gives a dash.
    error : float, optional
        Standard uncertainty. It gets two significant digits and the value as many decimals
        (JCGM 100:2008, 7.2.6); None, NaN or 0 where it is not known.
    unit : str
    """
    if not math.isfinite(value):
        return MISSING
    if error is None or not math.isfinite(error) or error <= 0:
        return _with_unit(number(value), unit)
    known, doubt, power = _rounded(value, error)
    both = f"{known} ± {doubt}"
    return _with_unit(f"({both}){power}" if power else both, unit)


def as_known(value: float, error: float | None = None) -> str:
    """Return a value with the digits that `with_error` gives it, without the uncertainty."""
    if error is None or not math.isfinite(value) or not math.isfinite(error) or error <= 0:
        return with_error(value)
    known, _, power = _rounded(value, error)
    return f"{known}{power}"


def _rounded(value: float, error: float) -> tuple[str, str, str]:
    """Return a value, its uncertainty, and the power of ten of both, empty where there is none."""
    decimals = _decimals(error)
    if decimals <= _MOST_DECIMALS:
        return f"{value:.{decimals}f}", f"{error:.{decimals}f}", ""
    power = math.floor(math.log10(max(abs(value), error)))
    value, error = value / 10.0**power, error / 10.0**power
    decimals = _decimals(error)
    return f"{value:.{decimals}f}", f"{error:.{decimals}f}", f" × {_power_of_ten(power)}"


def _decimals(error: float) -> int:
    """Return the decimals that give an uncertainty two significant digits, 0 at least."""
    # of the rounded one: 9.96 is 10, and has no decimals
    return max(0, 1 - math.floor(math.log10(float(f"{error:.1e}"))))


def _power_of_ten(power: int) -> str:
    return f"10{str(power).translate(_UP)}"


def _with_unit(text: str, unit: str) -> str:
    return f"{text}{unit}" if unit in ("", "°") else f"{text} {unit}"


def time_unit(times_s: ArrayLike) -> tuple[float, str]:
    """Return the unit in which times are best read.

    Parameters
    ----------
    times_s : array
        In seconds; NaN where not known.

    Returns
    -------
    seconds, unit : float, str
        Seconds in the unit, and its name: s up to five minutes, min up to three hours, else h.
    """
    longest = float(np.nanmax(np.abs(np.asarray(times_s, dtype=np.float64)), initial=0.0))
    if longest <= _SECONDS_UP_TO:
        return 1.0, "s"
    return (60.0, "min") if longest <= _MINUTES_UP_TO else (3600.0, "h")


def time_names(times_s: np.ndarray | None, count: int) -> list[str]:
    """Return the name of each time, such as "12 min"; "time 1" where times are not known.

    Parameters
    ----------
    times_s : array (time,) or None
        In seconds.
    count : int
        Number of times.
    """
    if times_s is None or not np.isfinite(times_s).all():
        return [f"time {i + 1}" for i in range(count)]
    seconds, unit = time_unit(times_s)
    return [f"{t / seconds:.4g} {unit}" for t in times_s]


def time_axis(times_s: ArrayLike, index: ArrayLike) -> tuple[np.ndarray, str]:
    """Return times in the unit that suits them, and the label of their axis or column.

    Parameters
    ----------
    times_s : array (value,)
        Seconds; NaN where times are not known.
    index : array (value,)
        Numbers of the volumes from 0, used where times are not known, then counted from 1.
    """
    times = np.asarray(times_s, dtype=np.float64)
    if not np.isfinite(times).any():
        return np.asarray(index, dtype=np.float64) + 1, "time point"
    seconds, unit = time_unit(times)
    return times / seconds, f"time ({unit})"


def plural(count: int, what: str) -> str:
    """Return a number of things, such as "1 pair" or "4 pairs"."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
