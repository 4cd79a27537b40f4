"""The table of pairs with what can be done to its rows: remove them, and take that back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_tomo4d.gui.panels.pairs.model import PairBook
from napari_tomo4d.gui.panels.pairs.table import PairTable
from napari_tomo4d.gui.work.undo import UndoStack
from napari_tomo4d.measure.quantities import NOTHING_MEASURED


class RowsBox(QWidget):
    """Table and buttons for the rows of a book.

    Signals
    -------
    chosen(place)
        As of `PairTable`.
    changed()
        Rows were removed or are back.
    said(text)
        What happened, for the status line.
    """

    chosen = Signal(object)
    changed = Signal()
    said = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._book: PairBook | None = None
        self.undo_stack = UndoStack()
        self.table = PairTable()
        self.table.chosen.connect(self.chosen)
        self.table.remove_wanted.connect(self._remove_rows)
        self.rows_button = QPushButton("Remove rows")
        self.pair_button = QPushButton("Remove pairs")
        self.undo_button = QPushButton("Undo")
        buttons = QHBoxLayout()
        for button, clicked in (
            (self.rows_button, self._remove_rows),
            (self.pair_button, self._remove_pairs),
            (self.undo_button, self._undo),
        ):
            button.clicked.connect(lambda _=False, act=clicked: act())
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3, 3, 3, 3)
        layout.addWidget(self.table, 1)
        layout.addLayout(buttons)

    def set_book(self, book: PairBook | None) -> None:
        """Show the rows of another book; what was removed from the last can't come back."""
        self._book = book
        self.undo_stack.clear()

    def refresh(self, times_known: bool) -> None:
        """Make the table agree with the book."""
        book = self._book or PairBook(1)
        self.table.show_rows(book.table(), book.places(), times_known)
        self._update()

    def _update(self) -> None:
        rows = self._book is not None and bool(self._book.places())
        for button, tip in (
            (self.rows_button, "Removes the selected rows (Delete)."),
            (self.pair_button, "Removes the pairs of the selected rows with all their rows."),
        ):
            button.setEnabled(rows)
            button.setToolTip(tip if rows else NOTHING_MEASURED)
        undo = self.undo_stack.undo_text
        self.undo_button.setEnabled(bool(undo))
        self.undo_button.setToolTip(f"Takes back: {undo}." if undo else "Nothing to take back.")

    def _remove_rows(self) -> None:
        places = self.table.selected()
        self._remove(places, "removing rows", lambda book: book.remove(places))

    def _remove_pairs(self) -> None:
        keys = {place[0] for place in self.table.selected()}
        self._remove(list(keys), "removing pairs", lambda book: book.drop(keys))

    def _remove(self, what: list[Any], text: str, change: Callable[[PairBook], None]) -> None:
        book = self._book
        if book is None:
            return
        if not what:
            self.said.emit("Select rows of the table first.")
            return
        before = book.state()
        change(book)
        after = book.state()

        def go(state: Any) -> None:
            book.restore(state)
            self.changed.emit()

        self.undo_stack.push(text, lambda: go(before), lambda: go(after))
        self.changed.emit()
        self.said.emit("Removed. Undo brings it back.")

    def _undo(self) -> None:
        self.undo_stack.undo()
        self._update()
