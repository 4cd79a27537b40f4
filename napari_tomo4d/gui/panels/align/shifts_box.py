"""How shifts are found, and where they are loaded from or saved to."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QGroupBox, QHBoxLayout, QLabel, QPushButton

from napari_tomo4d.gui.widgets.allow import allow
from napari_tomo4d.gui.widgets.form import ParameterForm
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.pipeline import Step


class ShiftsBox(QGroupBox):
    """The parameters of a step that finds shifts, and buttons to find, load and save them.

    Signals
    -------
    changed()
        A parameter was changed.
    find_pressed, load_pressed, save_pressed
        A button was pressed.
    """

    changed = Signal()
    find_pressed = Signal()
    load_pressed = Signal()
    save_pressed = Signal()

    def __init__(self, title: str, step: Step) -> None:
        super().__init__(title)
        layout = QFormLayout(self)
        self.form = ParameterForm(step)
        self.form.changed.connect(lambda *_: self.changed.emit())
        layout.addRow(self.form)
        self.find_button = QPushButton("Find shifts")
        self.load_button = QPushButton("Load alignment...")
        self.save_button = QPushButton("Save alignment...")
        for button, signal in (
            (self.find_button, self.find_pressed),
            (self.load_button, self.load_pressed),
            (self.save_button, self.save_pressed),
        ):
            button.clicked.connect(lambda _=False, s=signal: s.emit())
        row = QHBoxLayout()
        for button in (self.load_button, self.save_button):
            row.addWidget(button)
        layout.addRow(self.find_button)
        layout.addRow(row)
        self.source = QLabel()
        self.source.setWordWrap(True)
        layout.addRow(self.source)

    def values(self) -> Parameters:
        """Return the parameters of the step."""
        return self.form.values()

    def set_values(self, values: Parameters) -> None:
        """Fill in parameters of the step."""
        self.form.set_values(values)

    def show_state(self, problem: str, running: str, fixed: str, source: str) -> None:
        """Allow what can be done.

        Parameters
        ----------
        problem : str
            Why the series can't be aligned; empty if it can, as all of these.
        running : str
            Why nothing can be started now.
        fixed : str
            Why there is nothing to save.
        source : str
            Where the shifts came from.
        """
        allow(self.find_button, "Finds the shifts in the background.", problem or running)
        allow(
            self.load_button,
            "Takes shifts from a file: of this series, or of another that moved alike.",
            problem or running,
        )
        allow(
            self.save_button,
            "Writes the shifts to JSON, to go on later or for another series; time points "
            "with shifts of their own get a file each.",
            fixed,
        )
        self.setEnabled(not problem)
        self.setToolTip(problem)
        self.source.setText(source)
        self.source.setVisible(bool(source))
