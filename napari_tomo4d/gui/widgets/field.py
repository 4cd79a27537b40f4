"""Fields of a form: each gives one parameter as a step takes it."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, FileEdit, FloatSpinBox, LineEdit, SpinBox
from magicgui.widgets.bases import BaseValueWidget
from qtpy.QtWidgets import QComboBox, QWidget

from napari_tomo4d.errors import ParameterError
from napari_tomo4d.gui import theme
from napari_tomo4d.gui.widgets.number_box import decimals_of, room_for
from napari_tomo4d.parameters import Parameter

Value = Any
"""What a parameter is: a number, a text, several of them, or None."""

_LARGE = 10_000_000


class Field:
    """A widget for one parameter.

    Parameters
    ----------
    parameter : Parameter
    widget : magicgui widget
        Its value is the parameter's, unless a subclass knows better.
    """

    def __init__(self, parameter: Parameter, widget: BaseValueWidget[Value]) -> None:
        self.parameter = parameter
        self._widget = widget

    @property
    def native(self) -> QWidget:
        """The widget of Qt."""
        native: QWidget = self._widget.native
        return native

    def when_changed(self, function: Callable[[], None]) -> None:
        """Call a function after every edit."""
        self._widget.changed.connect(lambda *_: function())

    @property
    def value(self) -> Value:
        """The parameter as the step takes it; None where it is to be found automatically."""
        return self.parameter.check(self._get())

    @value.setter
    def value(self, value: Value) -> None:
        self._set(value)

    def _get(self) -> Value:
        return self._widget.value

    def _set(self, value: Value) -> None:
        self._widget.value = value


class ChoiceField(Field):
    """One of several names, shown as people call them."""

    def __init__(self, parameter: Parameter, default: Value) -> None:
        names = list(parameter.param.choices or ())
        titles = parameter.param.titles
        box = ComboBox(choices=[(titles.get(n, n), n) for n in names], value=default or names[0])
        # a long name must not widen the panel
        box.native.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        super().__init__(parameter, box)


class NumberField(Field):
    """A number; an optional one has one more value at the low end, shown as a word."""

    def __init__(self, parameter: Parameter, default: float | None) -> None:
        param, whole = parameter.param, parameter.type is int
        step = 1 if whole else param.step or 0.1
        low = -_LARGE if param.minimum is None else param.minimum
        high = _LARGE if param.maximum is None else param.maximum
        self._automatic = low - step if parameter.optional else None
        self._decimals = max(2, decimals_of(step))
        least = low if self._automatic is None else self._automatic
        box: BaseValueWidget[Value]
        if whole:
            box = SpinBox(min=int(least), max=int(high), step=1)
        else:
            box = FloatSpinBox(min=least, max=high, step=step)
            box.native.setDecimals(self._decimals)
        # one change for a number that is typed, not one for every digit
        box.native.setKeyboardTracking(False)
        if self._automatic is not None:
            box.native.setSpecialValueText(param.empty)
        super().__init__(parameter, box)
        self._set(default)

    def _get(self) -> float | None:
        value: float = self._widget.value
        return None if value == self._automatic else value

    def _set(self, value: float | None) -> None:
        value = self._automatic if value is None else value
        # a number that has to be given begins at its least
        if value is None:
            return
        if self.parameter.type is int:
            self._widget.value = value
        else:
            with room_for(self._widget.native, value, self._decimals):
                self._widget.value = value


class NumbersField(Field):
    """A line of numbers; the last ones that were right count while it is none."""

    def __init__(self, parameter: Parameter, default: Iterable[float] | None) -> None:
        self._right = None if default is None else tuple(default)
        super().__init__(parameter, LineEdit(value=_as_text(default or ())))
        self._widget.native.setPlaceholderText(parameter.param.empty)

    def _get(self) -> tuple[float, ...] | None:
        words = self._widget.value.replace(",", " ").split()
        try:
            none = not words and self.parameter.optional
            self._right = self.parameter.check(None if none else tuple(map(float, words)))
        except (ValueError, ParameterError):
            theme.set_border(self.native, "error")
        else:
            theme.set_border(self.native)
        return self._right

    def _set(self, value: Iterable[float] | None) -> None:
        self._widget.value = _as_text(value or ())


class PathField(Field):
    """A file to be read; empty if there is none."""

    def __init__(self, parameter: Parameter, default: str) -> None:
        # magicgui turns text into both
        box = FileEdit(mode="r", value=default)  # type: ignore[arg-type]
        super().__init__(parameter, box)

    def _get(self) -> str:
        # no file is the empty path, which is the current folder
        return "" if self._widget.value == Path() else str(self._widget.value)

    def _set(self, value: str | None) -> None:
        self._widget.value = value or ""


class TextField(Field):
    """A line of text."""

    def __init__(self, parameter: Parameter, default: Value) -> None:
        super().__init__(parameter, LineEdit(value="" if default is None else str(default)))

    def _set(self, value: Value) -> None:
        self._widget.value = "" if value is None else str(value)


def make_field(parameter: Parameter) -> Field:
    """Return the field for a parameter, by its type and its choices."""
    kind = parameter.type
    default = None if parameter.required else parameter.default
    if kind is bool:
        return Field(parameter, CheckBox(value=bool(default)))
    if parameter.param.choices:
        return ChoiceField(parameter, default)
    if kind in (int, float):
        return NumberField(parameter, default)
    if typing.get_origin(kind) is tuple:
        return NumbersField(parameter, default)
    if kind is str and parameter.name == "path":
        return PathField(parameter, default or "")
    return TextField(parameter, default)


def _as_text(values: Iterable[float]) -> str:
    return ", ".join(f"{v:g}" for v in values)
