"""One optional step in a list of steps: ticked or skipped, folded or with its parameters."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_tomo4d.gui.widgets.form import ParameterForm
from napari_tomo4d.gui.widgets.wheel import ignore_wheel
from napari_tomo4d.pipeline import STEPS


class StepRow(QWidget):
    """A step that can be ticked and unfolded; emits `changed` after any edit.

    Parameters
    ----------
    number : int
        Its place in the order, from 1.
    title : str
    *names : str
        Registered steps; with several, one of them is chosen.
    """

    changed = Signal()

    def __init__(self, number: int, title: str, *names: str) -> None:
        super().__init__()
        self.number = number
        self._wanted, self._reason = False, ""
        self.forms = [ParameterForm(STEPS[name]) for name in names]
        self.tick = QCheckBox(f"{number}  {title}")
        self.tick.clicked.connect(self._ticked)
        self.fold = QToolButton()
        self.fold.setAutoRaise(True)
        self.fold.clicked.connect(lambda: self.set_open(not self.is_open))
        head = QHBoxLayout()
        head.addWidget(self.fold)
        head.addWidget(self.tick)
        head.addStretch()
        self.how = QComboBox()
        self.how.addItems([form.step.title for form in self.forms])
        self.how.setToolTip("Which way this step is done.")
        self.how.currentIndexChanged.connect(self._choice_changed)
        ignore_wheel(self.how)
        self.content = QWidget()
        inner = QVBoxLayout(self.content)
        inner.setContentsMargins(28, 0, 0, 4)
        inner.setSpacing(4)
        if len(self.forms) > 1:
            choice = QFormLayout()
            choice.addRow("How", self.how)
            inner.addLayout(choice)
        for form in self.forms:
            inner.addWidget(form)
            form.changed.connect(self.changed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(head)
        layout.addWidget(self.content)
        self._choice_changed(0)
        self.set_open(False)
        self._update()

    @property
    def form(self) -> ParameterForm:
        """The form of the chosen step."""
        return self.forms[max(0, self.how.currentIndex())]

    @property
    def is_on(self) -> bool:
        """Whether the step will be done."""
        return bool(self.tick.isChecked())

    @property
    def is_open(self) -> bool:
        """Whether the parameters are shown."""
        return not self.content.isHidden()

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

    def steps(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the step and its parameters, nothing if it is not ticked."""
        return [(self.form.step.name, self.form.values())] if self.is_on else []

    def set_steps(self, done: dict[str, dict[str, Any]]) -> bool:
        """Fill in the parameters of steps, by name; returns whether this one was among them."""
        found = [i for i, form in enumerate(self.forms) if form.step.name in done]
        self.set_wanted(bool(found))
        if found:
            self.how.setCurrentIndex(found[0])
            self.form.set_values(done[self.form.step.name])
        self.set_open(bool(found))
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
                self.set_open(False)

    def set_open(self, is_open: bool) -> None:
        """Show or hide the parameters."""
        self.content.setVisible(is_open)
        self.fold.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        self.fold.setToolTip("Hide the parameters." if is_open else "Show the parameters.")

    def _ticked(self, on: bool) -> None:
        self._wanted = on
        # whoever ticks a step wants to see what it will do
        self.set_open(on)
        self.changed.emit()

    def _choice_changed(self, index: int) -> None:
        for i, form in enumerate(self.forms):
            form.setVisible(i == index)
        self.changed.emit()

    def _update(self) -> None:
        allowed = not self._reason
        self.tick.setChecked(self._wanted and allowed)
        for part in (self.tick, self.fold, self.content):
            part.setEnabled(allowed)
        self.tick.setToolTip(self._reason or self.form.step.summary)
