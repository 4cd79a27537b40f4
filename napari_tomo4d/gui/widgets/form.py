"""A form for the parameters of a step, made from their one description."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QVBoxLayout, QWidget

from napari_tomo4d.gui.widgets.field import Field, make_field
from napari_tomo4d.gui.widgets.fold import Fold
from napari_tomo4d.gui.widgets.wheel import ignore_wheel
from napari_tomo4d.parameters import Parameter, Parameters
from napari_tomo4d.registry import Step


class ParameterForm(QWidget):
    """Widgets for the parameters of one step; emits `changed` after any edit."""

    changed = Signal()

    def __init__(self, step: Step, skip: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.step = step
        self._fields: dict[str, Field] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        simple, advanced = QFormLayout(), QFormLayout()
        for name, parameter in step.parameters.items():
            if name in skip:
                continue
            field = self._fields[name] = make_field(parameter)
            field.when_changed(self.changed.emit)
            label = QLabel(parameter.label)
            for part in (label, field.native):
                part.setToolTip(_tooltip(parameter))
            ignore_wheel(field.native)
            (advanced if parameter.param.advanced else simple).addRow(label, field.native)
        layout.addLayout(simple)
        if advanced.rowCount():
            inner = QWidget()
            inner.setLayout(advanced)
            layout.addWidget(Fold("Advanced", inner))

    def values(self) -> Parameters:
        """Return the parameters as the step takes them."""
        return {name: field.value for name, field in self._fields.items()}

    def field(self, name: str) -> QWidget:
        """Return the widget in which a parameter is given."""
        return self._fields[name].native

    def set_values(self, values: Parameters) -> None:
        """Fill the form; names it does not show are left out."""
        for name, value in values.items():
            if name in self._fields:
                self._fields[name].value = value


def _tooltip(parameter: Parameter) -> str:
    param = parameter.param
    text = param.help
    if param.minimum is not None and param.maximum is not None:
        text += f" Range {param.minimum:g} to {param.maximum:g}."
    return text
