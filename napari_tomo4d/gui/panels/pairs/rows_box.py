"""The table of pairs with what can be done to its rows: remove them, and undo that."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_tomo4d.gui.panels.pairs.model import PairsModel
from napari_tomo4d.gui.panels.pairs.table import PairTable
from napari_tomo4d.gui.widgets.messages import NOTHING_MEASURED

_BUTTONS = (
    ("Remove rows", "Removes the selected rows (Delete)."),
    ("Remove pairs", "Removes the pairs of the selected rows with all their rows."),
    ("Undo", ""),
)


class RowsBox(QWidget):
    """Table and buttons for the rows of a model, which it leaves to others to change.

    Parameters
    ----------
    model : PairsModel

    Signals
    -------
    chosen(place)
        As of `PairTable`.
    remove_rows(places), remove_pairs(keys)
        Those that are selected, perhaps none.
    undo()
    """

    chosen = Signal(object)
    remove_rows = Signal(object)
    remove_pairs = Signal(object)
    undo = Signal()

    def __init__(self, model: PairsModel) -> None:
        super().__init__()
        self._model = model
        self.table = PairTable(model)
        self.table.chosen.connect(self.chosen)
        self.table.remove_wanted.connect(self._remove_rows)
        buttons = QHBoxLayout()
        self.rows_button, self.pair_button, self.undo_button = (
            QPushButton(text) for text, _ in _BUTTONS
        )
        for button, clicked in (
            (self.rows_button, self._remove_rows),
            (self.pair_button, self._remove_pairs),
            (self.undo_button, self.undo.emit),
        ):
            button.clicked.connect(lambda _=False, act=clicked: act())
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3, 3, 3, 3)
        layout.addWidget(self.table, 1)
        layout.addLayout(buttons)
        model.rows_changed.connect(self._update)
        model.emptied.connect(self._update)
        self._update()

    def _update(self) -> None:
        rows = bool(self._model.rows.places())
        for button, (_, tip) in zip((self.rows_button, self.pair_button), _BUTTONS, strict=False):
            button.setEnabled(rows)
            button.setToolTip(tip if rows else NOTHING_MEASURED)
        undo = self._model.undo_stack.undo_text
        self.undo_button.setEnabled(bool(undo))
        self.undo_button.setToolTip(f"Undo: {undo}." if undo else "Nothing to undo.")

    def _remove_rows(self) -> None:
        self.remove_rows.emit(self.table.selected())

    def _remove_pairs(self) -> None:
        self.remove_pairs.emit(list(dict.fromkeys(key for key, _ in self.table.selected())))
