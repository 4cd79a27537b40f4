"""The table of measured pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor, QKeyEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_tomo4d.gui import theme
from napari_tomo4d.gui.panels.pairs.model import PairsModel
from napari_tomo4d.gui.panels.pairs.plots import colour_of
from napari_tomo4d.gui.panels.pairs.rows import RowKey
from napari_tomo4d.gui.widgets.tables import headers_of
from napari_tomo4d.quantities import as_known, time_axis, with_error

_COLUMNS = ("", "neck\nradius\n(nm)", "dis-\ntance\n(nm)", "rₙ/r", "d/2r", "H/W", "re-\nmarks")
_TIPS = (
    "",
    "Neck radius r_n, published protocol.",
    "Distance d of the centres, published protocol.",
    "Neck radius over mean particle radius.",
    "Distance over twice the mean particle radius.",
    "Height over width of the particles in the section, mean of both.",
    "What is doubtful about this measurement.",
)
_VALUES = ("neck_radius_nm", "distance_nm", "neck_ratio", "distance_ratio", "aspect_ratio")


class PairTable(QTableWidget):
    """A row per pair and time.

    Parameters
    ----------
    model : PairsModel

    Signals
    -------
    chosen(place)
        Pair and time of the row that was clicked or reached by keys.
    remove_wanted()
        The Delete key.
    """

    chosen = Signal(object)
    remove_wanted = Signal()

    def __init__(self, model: PairsModel) -> None:
        super().__init__(0, len(_COLUMNS) + 1)
        self._model = model
        self._places: list[RowKey] = []
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setMinimumHeight(150)
        header, rows = headers_of(self)
        rows.hide()
        font = self.font()
        font.setPointSizeF(0.8 * font.pointSizeF())
        self.setFont(font)
        header.setFont(font)
        rows.setDefaultSectionSize(self.fontMetrics().lineSpacing() + 6)
        theme.set_tight(self)
        header.setMinimumSectionSize(12)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        # what is left; the whole text is in its tooltip
        header.setSectionResizeMode(len(_COLUMNS), QHeaderView.ResizeMode.Stretch)
        self._set_headers("time")
        model.rows_changed.connect(self._show_rows)
        model.emptied.connect(self._show_rows)
        model.looked_at_changed.connect(self._select)
        self.currentCellChanged.connect(self._moved)
        self.cellClicked.connect(lambda row, _: self._emit(row))

    def _set_headers(self, time: str) -> None:
        self.setHorizontalHeaderLabels(["pair", time, *_COLUMNS[1:]])
        for column, tip in enumerate(_TIPS[1:], 2):
            name = self.horizontalHeaderItem(column)
            if name is not None:
                name.setToolTip(tip)

    def _show_rows(self) -> None:
        """Show all rows again; those that were selected stay so."""
        selected, table = set(self.selected()), self._model.frame()
        places = self._model.rows.places()
        times, heading = np.empty(0), "time"
        if places:
            times, heading = time_axis(table.time_s, table.time)
        with QSignalBlocker(self):
            self._places = list(places)
            self.setRowCount(len(places))
            self._set_headers(heading.replace(" ", "\n"))
            for row, values in enumerate(table.to_dict("records")):
                for column, item in enumerate(_items(values, f"{times[row]:.4g}")):
                    self.setItem(row, column, item)
            self.clearSelection()
            for place in selected & set(places):
                self._mark(places.index(place))
        self._select()

    def _select(self) -> None:
        """Select the row that is looked at and scroll to it."""
        place = self._model.place
        if place is None or place not in self._places:
            with QSignalBlocker(self):
                self.clearSelection()
            return
        row = self._places.index(place)
        if self.selected() == [place]:
            return
        with QSignalBlocker(self):
            self.setCurrentCell(row, 0)
        self.scrollToItem(self.item(row, 0))

    def selected(self) -> list[RowKey]:
        """Return pair and time of the selected rows."""
        rows = {index.row() for index in self.selectedIndexes()}
        return [self._places[r] for r in sorted(rows) if r < len(self._places)]

    def _mark(self, row: int) -> None:
        for column in range(self.columnCount()):
            item = self.item(row, column)
            if item is not None:
                item.setSelected(True)

    def _moved(self, row: int, _column: int, before: int, _before_column: int) -> None:
        if row != before:
            self._emit(row)

    def _emit(self, row: int) -> None:
        # several rows are selected to be removed, not to be looked at
        if 0 <= row < len(self._places) and len(self.selected()) <= 1:
            self.chosen.emit(self._places[row])

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Take Delete as the wish to remove the selected rows."""
        if event is not None and event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.remove_wanted.emit()
        else:
            super().keyPressEvent(event)


def _items(values: dict[Any, Any], time: str) -> list[QTableWidgetItem]:
    """Return the cells of a row of the table of pairs."""
    pair = QTableWidgetItem(values["pair"])
    pair.setForeground(QColor(colour_of(values["pair"])))
    pair.setToolTip(f"particles {values['a']} and {values['b']}")
    cells = [pair, QTableWidgetItem(time)]
    for name in _VALUES:
        value, error = values[name], values[f"{name}_error"]
        length = name.endswith("_nm")
        # ratios are as precise as they are known; there is no room for more
        cells.append(QTableWidgetItem((with_error if length else as_known)(value, error)))
        cells[-1].setToolTip(with_error(value, error, "nm" if length else ""))
    for cell in cells[1:]:
        cell.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
    remarks = QTableWidgetItem(values["remarks"])
    remarks.setToolTip(values["remarks"])
    return [*cells, remarks]
