"""How a volume is computed, with the parameters of that method."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QGroupBox, QVBoxLayout

from napari_tomo4d.gui.widgets.form import ParameterForm
from napari_tomo4d.gui.widgets.wheel import ignore_wheel
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.pipeline import Step


class MethodBox(QGroupBox):
    """A method and its form.

    Parameters
    ----------
    steps : list of Step
        The methods, the one to begin with first.

    Signals
    -------
    chosen()
        Another method was chosen.
    changed()
        A parameter was edited.
    """

    chosen = Signal()
    changed = Signal()

    def __init__(self, steps: list[Step]) -> None:
        super().__init__("Method")
        self.method = QComboBox()
        self.method.setToolTip("How the volume is computed.")
        ignore_wheel(self.method)
        self._automatic: Parameters = {}
        self._forms: list[ParameterForm] = []
        layout = QVBoxLayout(self)
        row = QFormLayout()
        row.addRow("Method", self.method)
        layout.addLayout(row)
        for step in steps:
            self.method.addItem(step.title)
            form = ParameterForm(step)
            form.changed.connect(self.changed)
            form.setVisible(False)
            self._forms.append(form)
            layout.addWidget(form)
        self._show_form()
        self.method.currentIndexChanged.connect(self._choose)

    @property
    def form(self) -> ParameterForm:
        """The form of the chosen method."""
        return self._forms[max(0, self.method.currentIndex())]

    @property
    def step(self) -> Step:
        """The chosen method."""
        return self.form.step

    def set_steps(self, done: dict[str, Parameters]) -> bool:
        """Fill in the first method among steps, by name, without emitting; returns whether."""
        found = next((i for i, f in enumerate(self._forms) if f.step.name in done), None)
        if found is None:
            return False
        self.blockSignals(True)
        self.method.setCurrentIndex(found)
        self.form.set_values(done[self.step.name])
        self.blockSignals(False)
        return True

    def fill_automatic(self, name: str, chosen: Parameters) -> None:
        """Fill in what a run has chosen where the form says automatic, without emitting.

        Parameters
        ----------
        name : str
            Of the step.
        chosen : dict
        """
        form = next((f for f in self._forms if f.step.name == name), None)
        if form is None:
            return
        given = form.values()
        values = {n: v for n, v in chosen.items() if n in given and given[n] is None}
        self.blockSignals(True)
        form.set_values(values)
        self.blockSignals(False)
        if values:
            # as the form has rounded them
            self._automatic[name] = {n: v for n, v in form.values().items() if n in values}

    def forget_automatic(self) -> None:
        """Take out what was chosen for another series, unless it was edited since."""
        for form in self._forms:
            filled, given = self._automatic.get(form.step.name, {}), form.values()
            self.blockSignals(True)
            form.set_values({n: None for n, v in filled.items() if given[n] == v})
            self.blockSignals(False)
        self._automatic = {}

    def _choose(self, _index: int) -> None:
        self._show_form()
        self.chosen.emit()

    def _show_form(self) -> None:
        for form in self._forms:
            form.setVisible(form is self.form)
