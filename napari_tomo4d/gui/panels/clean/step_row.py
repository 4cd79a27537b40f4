"""One optional step in a list of steps: ticked or skipped, folded or with its parameters."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QVBoxLayout, QWidget

from napari_tomo4d.gui.widgets.fold import Fold
from napari_tomo4d.gui.widgets.form import ParameterForm
from napari_tomo4d.gui.widgets.wheel import ignore_wheel
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.pipeline import Step


class StepRow(QWidget):
    """A step that can be ticked and unfolded; emits `changed` after any edit.

    Parameters
    ----------
    number : int
        Its place in the order, from 1.
    steps : tuple of Step
        With several, one of them is chosen.
    """

    changed = Signal()

    def __init__(self, number: int, steps: tuple[Step, ...]) -> None:
        super().__init__()
        self.number = number
        self._wanted, self._reason = False, ""
        self.forms = [ParameterForm(step) for step in steps]
        self.tick = QCheckBox(f"{number}  {steps[0].title}")
        self.tick.clicked.connect(self._ticked)
        self.how = QComboBox()
        self.how.addItems([step.title for step in steps])
        self.how.setToolTip("Which way this step is done.")
        self.how.currentIndexChanged.connect(self._choice_changed)
        ignore_wheel(self.how)
        content = QWidget()
        self._inner = QVBoxLayout(content)
        self._inner.setContentsMargins(28, 0, 0, 4)
        self._inner.setSpacing(4)
        if len(self.forms) > 1:
            choice = QFormLayout()
            choice.addRow("How", self.how)
            self._inner.addLayout(choice)
        for form in self.forms:
            self._inner.addWidget(form)
            form.changed.connect(self.changed)
        self.fold = Fold(self.tick, content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.fold)
        self._choice_changed(0)
        self._update()

    def add(self, widget: QWidget) -> None:
        """Add a widget below the parameters."""
        self._inner.addWidget(widget)

    @property
    def form(self) -> ParameterForm:
        """The form of the chosen step."""
        return self.forms[max(0, self.how.currentIndex())]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the steps to choose from."""
        return tuple(form.step.name for form in self.forms)

    @property
    def is_on(self) -> bool:
        """Whether the step will be done."""
        return bool(self.tick.isChecked())

    @property
    def problem(self) -> str:
        """What is missing before the step can be done, empty if nothing."""
        if not self.is_on:
            return ""
        values, known = self.form.values(), self.form.step.parameters
        for name, value in values.items():
            if known[name].type is str and known[name].required and not value:
                return f"Step {self.number} needs a file: choose one, or untick the step."
        return ""

    def steps(self) -> list[tuple[str, Parameters]]:
        """Return the step and its parameters, nothing if it is not ticked."""
        return [(self.form.step.name, self.form.values())] if self.is_on else []

    def set_steps(self, done: dict[str, Parameters]) -> bool:
        """Fill in the parameters of steps, by name; returns whether this one was among them."""
        found = [i for i, name in enumerate(self.names) if name in done]
        self.set_wanted(bool(found))
        if found:
            self.how.setCurrentIndex(found[0])
            self.form.set_values(done[self.form.step.name])
        self.fold.set_open(bool(found))
        return bool(found)

    def set_wanted(self, wanted: bool) -> None:
        """Tick the step, also for a later series if it can't be done with this one."""
        self._wanted = wanted
        self._update()

    def set_blocked(self, reason: str) -> None:
        """Say why the step can't be done; empty to allow it."""
        if reason != self._reason:
            self._reason = reason
            self._update()
            if reason:
                self.fold.set_open(False)

    def _ticked(self, on: bool) -> None:
        self._wanted = on
        # whoever ticks a step wants to see what it will do
        self.fold.set_open(on)
        self.changed.emit()

    def _choice_changed(self, index: int) -> None:
        for i, form in enumerate(self.forms):
            form.setVisible(i == index)
        self.changed.emit()

    def _update(self) -> None:
        allowed = not self._reason
        self.tick.setChecked(self._wanted and allowed)
        self.fold.setEnabled(allowed)
        self.tick.setToolTip(self._reason or self.form.step.summary)
