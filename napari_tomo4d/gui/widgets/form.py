"""A form for the parameters of a step, made from their one description."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, FileEdit, FloatSpinBox, LineEdit
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from napari_tomo4d.errors import ParameterError
from napari_tomo4d.gui import theme
from napari_tomo4d.gui.widgets.fold import Fold
from napari_tomo4d.gui.widgets.wheel import ignore_wheel
from napari_tomo4d.parameters import Parameter
from napari_tomo4d.registry import Step

_LARGE = 10_000_000


class ParameterForm(QWidget):
    """Widgets for the parameters of one step; emits `changed` after any edit."""

    changed = Signal()

    def __init__(self, step: Step, skip: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.step = step
        self._widgets: dict[str, Any] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        simple, advanced = QFormLayout(), QFormLayout()
        for name, parameter in step.parameters.items():
            if name in skip:
                continue
            widget = _make_widget(parameter)
            widget.changed.connect(lambda *_: self.changed.emit())
            self._widgets[name] = widget
            label = QLabel(parameter.label)
            for part in (label, widget.native):
                part.setToolTip(_tooltip(parameter))
            ignore_wheel(widget.native)
            (advanced if parameter.param.advanced else simple).addRow(label, widget.native)
        layout.addLayout(simple)
        if advanced.rowCount():
            inner = QWidget()
            inner.setLayout(advanced)
            layout.addWidget(Fold("Advanced", inner))

    def values(self) -> dict[str, Any]:
        """Return the parameters as the step takes them."""
        known = self.step.parameters
        return {n: known[n].check(_value(widget, known[n])) for n, widget in self._widgets.items()}

    def field(self, name: str) -> QWidget:
        """Return the widget in which a parameter is given."""
        native: QWidget = self._widgets[name].native
        return native

    def set_values(self, values: dict[str, Any]) -> None:
        """Fill the form; names it does not show are left out."""
        for name, value in values.items():
            if name in self._widgets:
                widget = self._widgets[name]
                if isinstance(value, (list, tuple)):
                    value = _as_text(value)
                widget.value = widget.empty if value is None else value


def _tooltip(parameter: Parameter) -> str:
    param = parameter.param
    text = param.help
    if param.minimum is not None and param.maximum is not None:
        text += f" Range {param.minimum:g} to {param.maximum:g}."
    return text


def _make_widget(parameter: Parameter) -> Any:
    param, kind = parameter.param, parameter.type
    default = None if parameter.required else parameter.default
    if kind is bool:
        widget: Any = CheckBox(value=bool(default))
    elif param.choices:
        choices = [(param.titles.get(name, name), name) for name in param.choices]
        widget = ComboBox(choices=choices, value=default or choices[0][1])
        # a long name must not widen the panel
        policy = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        widget.native.setSizeAdjustPolicy(policy)
    elif kind in (int, float):
        widget = _number_widget(parameter, default)
    elif typing.get_origin(kind) is tuple:
        widget = LineEdit(value=_as_text(default or ()))
        widget.native.setPlaceholderText(param.empty)
        # what counts while the text is not a list of numbers
        widget.valid = tuple(default or ())
    elif kind is str and parameter.name == "path":
        widget = FileEdit(mode="r", value=default or "")
    else:
        widget = LineEdit(value="" if default is None else str(default))
    if not hasattr(widget, "empty"):
        widget.empty = None
    return widget


def _number_widget(parameter: Parameter, default: Any) -> Any:
    param = parameter.param
    step = 1.0 if parameter.type is int else param.step or 0.1
    decimals = len(f"{step:.6f}".rstrip("0").partition(".")[2])
    if parameter.type is float:
        decimals = max(decimals, 2)
    low = param.minimum if param.minimum is not None else -_LARGE
    high = param.maximum if param.maximum is not None else _LARGE
    # an optional number has one more value at the low end, shown as a word
    empty = low - step if parameter.optional else None
    widget: Any = FloatSpinBox(min=low if empty is None else empty, max=high, step=step)
    widget.native.setDecimals(decimals)
    widget.native.setKeyboardTracking(False)
    if empty is not None:
        widget.native.setSpecialValueText(param.empty)
    widget.value = empty if default is None else default
    widget.empty = empty
    return widget


def _as_text(values: Any) -> str:
    return ", ".join(f"{v:g}" for v in values)


def _numbers(widget: Any, parameter: Parameter) -> tuple[Any, ...]:
    """Return the numbers in a line of text; the last ones that were right if it is not."""
    try:
        numbers = tuple(float(t) for t in widget.value.replace(",", " ").split())
        widget.valid = parameter.check(numbers)
        theme.set_border(widget.native)
    except (ValueError, ParameterError):
        theme.set_border(widget.native, "error")
    return widget.valid


def _value(widget: Any, parameter: Parameter) -> Any:
    if hasattr(widget, "valid"):
        return _numbers(widget, parameter)
    value = widget.value
    if widget.empty is not None and value == widget.empty:
        return None
    if isinstance(widget, FileEdit):
        # no file is the empty path, which is the current folder
        return "" if value == Path() else str(value)
    return value
