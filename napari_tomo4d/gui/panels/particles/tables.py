"""Tables of particles and of what happened to them, below the canvas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import QAbstractTableModel, QItemSelectionModel, QModelIndex, QSize, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableView,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_tomo4d import measure
from napari_tomo4d.gui.widgets.tables import headers_of
from napari_tomo4d.quantities import number

_TIPS = {
    "equivalent_diameter_nm": "Of a sphere of this volume.",
    "sphericity": "1 for a sphere.",
    "axis_1_nm": "Longest axis of the ellipsoid of equal moments.",
    "axis_2_nm": "Middle axis of the ellipsoid of equal moments.",
    "axis_3_nm": "Shortest axis of the ellipsoid of equal moments.",
    "coordination": "Particles in contact with it.",
    "at_border": "Cut off by the edge of the volume, so its size is too small.",
    "other": "Into which it merged, or from which it split.",
}


def as_text(value: Any) -> str:
    """Return the text of a cell; numbers are written as everywhere."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else ""
    return str(value) if isinstance(value, (str, int, np.integer)) else number(float(value))


class FrameModel(QAbstractTableModel):
    """A table of pandas for a view; sorts itself.

    With `colour_of`, which gives the colour (red, green, blue, alpha; 0 to 1) of a label, each row
    shows that of its particle.
    """

    def __init__(self) -> None:
        super().__init__()
        self.frame = pd.DataFrame()
        self.colour_of: Callable[[int], np.ndarray] | None = None
        self._headings = measure.headers()
        self._unit = "nm"
        self._order: tuple[int, Qt.SortOrder] | None = None

    def show_frame(self, frame: pd.DataFrame, unit: str = "nm") -> None:
        """Show another table; it stays sorted as it was."""
        self.beginResetModel()
        self.frame, self._unit = frame.reset_index(drop=True), unit
        self._sort()
        self.endResetModel()

    def rowCount(self, _parent: QModelIndex | None = None) -> int:
        """Return the number of rows."""
        return len(self.frame)

    def columnCount(self, _parent: QModelIndex | None = None) -> int:
        """Return the number of columns."""
        return len(self.frame.columns)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the text of a cell, or where it stands."""
        if role == Qt.ItemDataRole.DisplayRole:
            return as_text(self.frame.iat[index.row(), index.column()])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            value = self.frame.iat[index.row(), index.column()]
            side = (
                Qt.AlignmentFlag.AlignLeft
                if isinstance(value, str)
                else Qt.AlignmentFlag.AlignRight
            )
            return side | Qt.AlignmentFlag.AlignVCenter
        named = self.frame.columns[index.column()] == "label"
        if role == Qt.ItemDataRole.DecorationRole and named and self.colour_of is not None:
            return QColor.fromRgbF(*map(float, self.colour_of(self.frame.iat[index.row(), 0])))
        return None

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Return the name of a column with its unit, or what it means."""
        if orientation != Qt.Orientation.Horizontal or section >= len(self.frame.columns):
            return None
        name = str(self.frame.columns[section])
        if role == Qt.ItemDataRole.DisplayRole:
            title = self._headings.get(name, name)
            return title if self._unit == "nm" else title.replace("(nm", f"({self._unit}")
        if role == Qt.ItemDataRole.ToolTipRole:
            return _TIPS.get(name)
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column."""
        self.beginResetModel()
        self._order = (column, order)
        self._sort()
        self.endResetModel()

    def _sort(self) -> None:
        if self._order is not None and 0 <= self._order[0] < len(self.frame.columns):
            column, order = self._order
            self.frame = self.frame.sort_values(
                self.frame.columns[column],
                ascending=order == Qt.SortOrder.AscendingOrder,
                kind="stable",
                ignore_index=True,
            )


class FrameView(QTableView):
    """A view of whole rows; `chosen` tells the row that a person has chosen.

    Signals
    -------
    chosen(row)
        A pandas.Series.
    """

    chosen = Signal(object)

    def __init__(self, sortable: bool) -> None:
        super().__init__()
        self.rows = FrameModel()
        self.setModel(self.rows)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        columns, rows = headers_of(self)
        rows.setVisible(False)
        rows.setDefaultSectionSize(self.fontMetrics().lineSpacing() + 4)
        if sortable:
            self.setSortingEnabled(True)
            columns.setSortIndicator(0, Qt.SortOrder.AscendingOrder)
        self._quiet = False
        self._marked.currentRowChanged.connect(self._row_changed)
        self.clicked.connect(self._clicked)

    @property
    def _marked(self) -> QItemSelectionModel:
        marked = self.selectionModel()
        assert marked is not None, "a table with rows has one"
        return marked

    def show_frame(self, frame: pd.DataFrame, unit: str = "nm") -> None:
        """Show another table."""
        self._quiet = True
        first = not len(self.rows.frame.columns)
        self.rows.show_frame(frame, unit)
        if first and len(frame.columns):
            headers_of(self)[0].setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self._quiet = False

    def select(self, label: int) -> None:
        """Mark the row of a particle, or none, as if nobody had clicked."""
        frame = self.rows.frame
        found = np.flatnonzero(frame["label"] == label) if len(frame) else np.empty(0, int)
        self._quiet = True
        if len(found):
            self.selectRow(int(found[0]))
            self.scrollTo(self.rows.index(int(found[0]), 0))
        else:
            self.clearSelection()
        self._quiet = False

    @property
    def row(self) -> pd.Series | None:
        """The marked row."""
        rows = self._marked.selectedRows()
        return self.rows.frame.iloc[rows[0].row()] if rows else None

    def _row_changed(self, now: QModelIndex, _before: QModelIndex) -> None:
        if not self._quiet and now.isValid() and not self.underMouse():
            self.chosen.emit(self.rows.frame.iloc[now.row()])

    def _clicked(self, index: QModelIndex) -> None:
        self.chosen.emit(self.rows.frame.iloc[index.row()])


class ParticleTables(QWidget):
    """The particles of the time that is looked at, and the events of all times.

    Signals
    -------
    particle_chosen(label)
    event_chosen(row)
    save_wanted()
    """

    particle_chosen = Signal(int)
    event_chosen = Signal(object)
    save_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.title = QLabel()
        self.save_button = QPushButton("Save table...")
        self.save_button.setToolTip("Writes the particles of all times as CSV.")
        self.save_button.clicked.connect(lambda _=False: self.save_wanted.emit())
        self.particles, self.events = FrameView(sortable=True), FrameView(sortable=False)
        self.particles.setToolTip("Click a row to go to the particle.")
        self.events.setToolTip("Click a row to go to its time and place.")
        self.particles.chosen.connect(lambda row: self.particle_chosen.emit(int(row["label"])))
        self.events.chosen.connect(self.event_chosen)
        self.tabs = QTabWidget()
        self.tabs.addTab(self.particles, "Particles")
        self.tabs.addTab(self.events, "Events")
        # beside the tabs, as rows are what the height is for
        corner = QWidget()
        head = QHBoxLayout(corner)
        head.setContentsMargins(0, 0, 0, 2)
        head.addWidget(self.title)
        head.addWidget(self.save_button)
        self.tabs.setCornerWidget(corner)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.addWidget(self.tabs)

    def show_particles(self, frame: pd.DataFrame | None, title: str, unit: str) -> None:
        """Show the particles of one time, or none while they are not measured."""
        self.title.setText(title)
        self.save_button.setEnabled(frame is not None)
        self.particles.show_frame(pd.DataFrame() if frame is None else frame, unit)

    def show_colours(self, colour_of: Callable[[int], np.ndarray] | None) -> None:
        """Show the colour of each particle beside its number."""
        self.particles.rows.colour_of = colour_of

    def show_events(self, frame: pd.DataFrame, names: Sequence[str]) -> None:
        """Show what happened; `names` are those of the times."""
        shown = frame.copy()
        shown["other"] = [str(n) if n else "" for n in frame["other"]]
        shown.insert(1, "time of change", [names[t] for t in frame["time"]])
        self.events.show_frame(shown)
        # the index of the time is for the panel, not for a person
        self.events.setColumnHidden(0, True)
        self.tabs.setTabText(1, f"Events ({len(frame)})")

    def sizeHint(self) -> QSize:
        """Return a size that leaves the viewer's canvas visible above."""
        return QSize(860, 210)
