"""Tables of tilts and times, in which numbers can be corrected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QTableWidget, QTableWidgetItem, QTabWidget

from napari_tomo4d.gui.widgets.tables import headers_of

_CORRECT = "Double-click a number to correct it."


class TablesBox(QTabWidget):
    """The angle of each tilt, and the time and temperature of each time point.

    Signals
    -------
    angles_edited()
        A number was corrected.
    times_edited()
        A time or a temperature was; `times_problem` says whether others have to be given too.
    """

    angles_edited = Signal()
    times_edited = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.tilts = _table("Angle (°)", "Frames")
        self.times = _table("Time (s)", "Temperature (°C)")
        self.addTab(self.tilts, "Tilts")
        self.addTab(self.times, "Times")
        self.setMinimumHeight(170)
        self.tilts.itemChanged.connect(lambda _: self.angles_edited.emit())
        self.times.itemChanged.connect(lambda _: self.times_edited.emit())

    def fill(
        self,
        tilts: Sequence[Sequence[float | None]],
        times: Sequence[Sequence[float | None]],
        why_fixed: str = "",
        keep_times: bool = False,
    ) -> None:
        """Show tables, without emitting anything.

        Parameters
        ----------
        tilts : sequence of (angle in degrees, number of frames)
        times : sequence of (time in seconds, temperature in degrees Celsius)
        why_fixed : str
            Why nothing can be corrected; empty if it can.
        keep_times : bool
            Leave times and temperatures as they were typed, if there are as many.
        """
        with QSignalBlocker(self):
            _fill(self.tilts, tilts, editable=(not why_fixed, False))
            if not (keep_times and self.times.rowCount() == len(times)):
                _fill(self.times, times, editable=(not why_fixed, not why_fixed))
        self.setTabEnabled(1, bool(times))
        self.setTabText(0, f"{len(tilts)} tilts" if tilts else "Tilts")
        self.setTabText(1, f"{len(times)} times" if times else "Times")
        self.setToolTip(why_fixed or _CORRECT)

    @property
    def angles_deg(self) -> np.ndarray:
        """The tilt angles as they are in the table, (tilt,); NaN where there is no number."""
        return _column(self.tilts, 0)

    @property
    def times_problem(self) -> str:
        """Which times or temperatures are still to be typed; empty if none are, or all."""
        columns = {"time in seconds": self.times_s, "temperature in °C": self.temperatures_c}
        for what, values in columns.items():
            missing = int(np.isnan(values).sum())
            if 0 < missing < len(values):
                return f"Every time point needs a {what}; {missing} of {len(values)} have none."
        return ""

    @property
    def times_s(self) -> np.ndarray:
        """The times as they are in the table, (time,); NaN where there is no number."""
        return _column(self.times, 0)

    @property
    def temperatures_c(self) -> np.ndarray:
        """The temperatures as they are in the table, (time,); NaN where there is no number."""
        return _column(self.times, 1)


def _table(*headers: str) -> QTableWidget:
    table = QTableWidget(0, len(headers))
    table.setHorizontalHeaderLabels(headers)
    headers_of(table)[0].setStretchLastSection(True)
    return table


def _fill(
    table: QTableWidget, rows: Sequence[Sequence[float | None]], editable: tuple[bool, bool]
) -> None:
    table.setRowCount(len(rows))
    for r, row in enumerate(rows):
        for c, value in enumerate(row):
            cell = QTableWidgetItem("" if value is None else f"{value:.6g}")
            if not editable[c]:
                cell.setFlags(cell.flags() ^ Qt.ItemFlag.ItemIsEditable)
            table.setItem(r, c, cell)


def _column(table: QTableWidget, column: int) -> np.ndarray:
    values = []
    for r in range(table.rowCount()):
        cell = table.item(r, column)
        text = "" if cell is None else cell.text()
        try:
            values.append(float(text.replace(",", ".")))
        except ValueError:
            values.append(np.nan)
    return np.array(values)
