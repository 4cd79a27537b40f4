"""Boxes for numbers, all of one behaviour."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QSpinBox, QWidget

from napari_tomo4d.gui.widgets.wheel import ignore_wheel

_MOST_DECIMALS = 12


def number_box(
    value: float,
    low: float,
    high: float,
    unit: str = "",
    tip: str = "",
    *,
    decimals: int = 2,
    step: float = 1.0,
    word_at_low: str = "",
) -> QDoubleSpinBox:
    """Return a box for a decimal number.

    It reports a typed number once it is complete, and the mouse wheel leaves it alone.

    Parameters
    ----------
    value, low, high : float
        What it shows first, and its range.
    unit : str
        Stands behind the number.
    tip : str
        Its tooltip.
    decimals : int
        Digits behind the point.
    step : float
        How much one press of an arrow changes it.
    word_at_low : str
        Shown instead of the lowest number, such as "not given".
    """
    box = QDoubleSpinBox()
    # before the range, which is rounded to so many digits
    box.setDecimals(decimals)
    box.setSingleStep(step)
    box.setRange(low, high)
    box.setValue(value)
    _set_up(box, unit, tip)
    box.setSpecialValueText(word_at_low)
    return box


def count_box(value: int, low: int, high: int, unit: str = "", tip: str = "") -> QSpinBox:
    """Return a box for a whole number; parameters as for `number_box`."""
    box = QSpinBox()
    box.setRange(low, high)
    box.setValue(value)
    _set_up(box, unit, tip)
    return box


@contextmanager
def room_for(box: QDoubleSpinBox, value: float, decimals: int) -> Iterator[None]:
    """Give a box as many decimals as a number needs that is set within: rounded, it is another.

    Parameters
    ----------
    box : QDoubleSpinBox
    value : float
        Kept to a millionth of a millionth.
    decimals : int
        How many are shown at least.
    """
    needed = max(decimals, decimals_of(value))
    # fewer would round the number that is still there, and tell of it
    box.setDecimals(max(box.decimals(), needed))
    yield
    box.setDecimals(needed)


def decimals_of(value: float) -> int:
    """Return how many digits behind the point a number has, 12 at most."""
    return len(f"{value:.{_MOST_DECIMALS}f}".rstrip("0").partition(".")[2])


def _set_up(box: QSpinBox | QDoubleSpinBox, unit: str, tip: str) -> None:
    # the sign of degrees touches its number
    box.setSuffix(unit if unit in ("", "°") else f" {unit}")
    box.setKeyboardTracking(False)
    box.setToolTip(tip)
    ignore_wheel(box)


def side_by_side(first: QWidget, second: QWidget) -> QHBoxLayout:
    """Return two widgets in a row, equally wide."""
    row = QHBoxLayout()
    row.addWidget(first, 1)
    row.addWidget(second, 1)
    return row
