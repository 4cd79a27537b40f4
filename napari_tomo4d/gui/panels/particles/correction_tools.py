"""Which correction the next click on the canvas makes, and its undo."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGridLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_tomo4d.gui.canvas.layer_picker import LayerPicker
from napari_tomo4d.gui.widgets.allow import allow
from napari_tomo4d.gui.widgets.number_box import count_box

SPLIT, MERGE, DELETE, NUMBER = "Split by a line", "Merge", "Delete", "Change number"
_TIPS = {
    SPLIT: "Cuts a particle by the plane through a line and the direction of view.",
    MERGE: "Joins two particles at the time shown.",
    DELETE: "Turns a particle into background at the time shown.",
    NUMBER: "Gives a particle another number; one that has it already gets the old one.",
}
_NOTHING = "Click a particle to find its row in the table, or choose what to correct."


class CorrectionTools(QGroupBox):
    """The labels that are corrected, the tools, undo and redo.

    Signals
    -------
    tool_changed()
    undo, redo
        A button was pressed.
    """

    tool_changed = Signal()
    undo = Signal()
    redo = Signal()

    def __init__(self, picker: LayerPicker) -> None:
        super().__init__("3. Check, and correct by hand")
        form = QFormLayout()
        form.addRow("Particles", picker)
        self.tools = {}
        grid = QGridLayout()
        grid.setSpacing(4)
        for i, (name, tip) in enumerate(_TIPS.items()):
            button = QPushButton(name)
            button.setCheckable(True)
            button.setToolTip(tip)
            button.clicked.connect(lambda on, n=name: self.choose(n if on else ""))
            self.tools[name] = button
            grid.addWidget(button, i // 2, i % 2)
        self.number = count_box(1, 1, 1_000_000, tip="The number that the clicked particle gets.")
        self.onward = QCheckBox("and later")
        self.onward.setChecked(True)
        self.onward.setToolTip("At all later times too, or at the time shown only.")
        self.number_row = QWidget()
        row = QHBoxLayout(self.number_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("New number"))
        row.addWidget(self.number)
        row.addWidget(self.onward, 1)
        self.number.valueChanged.connect(lambda _: self.tool_changed.emit())
        self.onward.toggled.connect(lambda _: self.tool_changed.emit())
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.text.setMinimumHeight(2 * self.text.fontMetrics().lineSpacing())
        self.undo_button, self.redo_button = QPushButton("Undo"), QPushButton("Redo")
        self.undo_button.clicked.connect(lambda _=False: self.undo.emit())
        self.redo_button.clicked.connect(lambda _=False: self.redo.emit())
        last = QHBoxLayout()
        for button in (self.undo_button, self.redo_button):
            last.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setSpacing(4)
        layout.addLayout(form)
        layout.addLayout(grid)
        layout.addWidget(self.number_row)
        layout.addWidget(self.text)
        layout.addLayout(last)
        self.tool = ""
        self.choose("")

    def choose(self, tool: str) -> None:
        """Take up a tool, or put it down."""
        self.tool = tool
        for name, button in self.tools.items():
            button.setChecked(name == tool)
        self.number_row.setVisible(tool == NUMBER)
        self.say_hint()
        self.tool_changed.emit()

    def say_hint(self, first: int = 0, begun: bool = False) -> None:
        """Say what the next click does; `first` is a particle that was clicked already."""
        self.text.setText(
            {
                SPLIT: "Click the second point of the cut."
                if begun
                else "Drag a line across a particle, or click its two ends.",
                MERGE: f"Click the particle that becomes part of {first}."
                if first
                else "Click the particle that keeps its number.",
                DELETE: "Click the particle to delete at this time.",
                NUMBER: f"Click the particle that becomes number {self.number.value()}.",
            }.get(self.tool, _NOTHING)
        )

    def show_state(self, reason: str, undo: str, redo: str, several_times: bool) -> None:
        """Enable what can be done; `reason` says why nothing can, if so."""
        for name, button in self.tools.items():
            allow(button, _TIPS[name], reason)
        for button, text, word in (
            (self.undo_button, undo, "Undo"),
            (self.redo_button, redo, "Redo"),
        ):
            nothing = "" if text else f"Nothing to {word.lower()}."
            allow(button, f"{word}: {text}", reason or nothing)
        self.onward.setVisible(several_times)
        if reason:
            self.text.setText(reason)
