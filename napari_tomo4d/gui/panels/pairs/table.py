"""The table of measured pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor, QKeyEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_tomo4d.gui import theme
from napari_tomo4d.gui.panels.pairs.model import RowKey
from napari_tomo4d.gui.panels.pairs.plots import colour_of
from napari_tomo4d.measure.quantities import as_known, time_axis, with_error

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

    Signals
    -------
    chosen(place)
        Pair and time of the row that was clicked or reached by keys.
    remove_wanted()
        The Delete key.
    """

    chosen = Signal(object)
    remove_wanted = Signal()

    def __init__(self) -> None:
        super().__init__(0, len(_COLUMNS) + 1)
        self._places: list[RowKey] = []
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setMinimumHeight(150)
        self.verticalHeader().hide()
        font = self.font()
        font.setPointSizeF(0.8 * font.pointSizeF())
        self.setFont(font)
        self.horizontalHeader().setFont(font)
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().lineSpacing() + 6)
        theme.set_tight(self)
        header = self.horizontalHeader()
        header.setMinimumSectionSize(12)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        # what is left; the whole text is in its tooltip
        header.setSectionResizeMode(len(_COLUMNS), QHeaderView.ResizeMode.Stretch)
        self._set_headers("time")
        self.currentCellChanged.connect(self._moved)
        self.cellClicked.connect(lambda row, _: self._emit(row))

    def _set_headers(self, time: str) -> None:
        self.setHorizontalHeaderLabels(["pair", time, *_COLUMNS[1:]])
        for column, tip in enumerate(_TIPS[1:], 2):
            self.horizontalHeaderItem(column).setToolTip(tip)

    def show_rows(
        self, table: pd.DataFrame, places: Sequence[RowKey], times_known: bool = True
    ) -> None:
        """Show the rows of a table; `places` says which pair and time each is."""
        selected = set(self.selected())
        with QSignalBlocker(self):
            self._places = list(places)
            self.setRowCount(len(places))
            times, heading = np.empty(0), "time"
            if len(places):
                seconds = table.time_s.to_numpy(float)
                times, heading = time_axis(seconds if times_known else np.nan * seconds, table.time)
            self._set_headers(heading.replace(" ", "\n"))
            for row, values in enumerate(table.to_dict("records")):
                texts = [values["pair"], f"{times[row]:.4g}"]
                texts += [
                    (with_error if v.endswith("_nm") else as_known)(values[v], values[f"{v}_error"])
                    for v in _VALUES
                ]
                texts.append(values["remarks"])
                for column, text in enumerate(texts):
                    item = QTableWidgetItem(text)
                    if column == 0:
                        item.setForeground(QColor(colour_of(text)))
                        item.setToolTip(f"particles {values['a']} and {values['b']}")
                    elif column == len(texts) - 1:
                        item.setToolTip(text)
                    else:
                        item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
                        if 2 <= column < 2 + len(_VALUES):
                            name = _VALUES[column - 2]
                            unit_nm = "nm" if name.endswith("_nm") else ""
                            item.setToolTip(
                                with_error(values[name], values[f"{name}_error"], unit_nm)
                            )
                    self.setItem(row, column, item)
            self.clearSelection()
            for place in selected:
                if place in self._places:
                    self._mark(self._places.index(place))

    def select(self, place: RowKey | None) -> None:
        """Select the row of a pair and time and scroll to it."""
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

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Take Delete as the wish to remove the selected rows."""
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.remove_wanted.emit()
        else:
            super().keyPressEvent(event)
