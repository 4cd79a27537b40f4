"""Scores of denoising over noise type and strength, as a map to click on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyqtgraph as pg
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_tomo4d.denoise.noise_model import KIND_TITLES
from napari_tomo4d.gui import theme
from napari_tomo4d.gui.widgets.tables import headers_of
from napari_tomo4d.gui.widgets.wheel import ignore_wheel

SCORES = {"PSNR (dB)": ("psnr_db", "{:.1f}"), "SSIM": ("ssim", "{:.2f}"), "FRC": ("frc", "{:.2f}")}


class ScoreMap(QWidget):
    """A heat map with a number in each cell that was tried; `chosen` when one is clicked.

    Attributes
    ----------
    score : QComboBox
        Which score is shown; placed by whoever shows the map.

    Signals
    -------
    chosen(kind, strength)
        For a cell that was not tried, too.
    """

    chosen = Signal(str, float)

    def __init__(self) -> None:
        super().__init__()
        self._kinds: list[str] = []
        self._strengths: list[float] = []
        self._table = pd.DataFrame()
        self._current: tuple[str, float] | None = None
        self.score = QComboBox()
        self.score.addItems(list(SCORES))
        self.score.setToolTip(
            "PSNR: nearness to the reference. SSIM: likeness of structure. FRC: how much of what "
            "the frames share is left, which blurring does not raise."
        )
        ignore_wheel(self.score)
        self.score.currentIndexChanged.connect(self._fill)
        self.cells = QTableWidget()
        self.cells.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.cells.setToolTip(
            "Noise type against strength. Click a cell to see its result; an empty one is computed."
        )
        font = self.cells.font()
        font.setPointSizeF(0.8 * font.pointSizeF())
        for part in (self.cells, *headers_of(self.cells)):
            part.setFont(font)
        self.cells.setMinimumHeight(175)
        # all cells at once, however small: no scrolling in a map
        for header in headers_of(self.cells):
            header.setMinimumSectionSize(12)
            header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        theme.set_tight(self.cells)
        self.cells.cellClicked.connect(self._clicked)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.cells)

    def show_scores(
        self,
        table: pd.DataFrame,
        kinds: list[str],
        strengths: list[float],
        current: tuple[str, float] | None,
    ) -> None:
        """Show a table of evaluations; `current` is the cell whose image is shown."""
        self._table, self._kinds, self._strengths = table, kinds, strengths
        self._current = current
        self._fill()

    def clear(self) -> None:
        """Show no scores."""
        self.show_scores(pd.DataFrame({"region": []}), [], [], None)

    @property
    def current(self) -> tuple[str, float] | None:
        """Noise type and strength of the marked cell."""
        return self._current

    def place_of(self, kind: str, strength: float) -> tuple[int, int]:
        """Return row and column of a cell."""
        return self._kinds.index(kind), self._strengths.index(strength)

    def _fill(self, *_: object) -> None:
        column, form = SCORES[self.score.currentText()]
        values = self._values(column)
        self.cells.setRowCount(len(self._kinds))
        self.cells.setColumnCount(len(self._strengths))
        self.cells.setVerticalHeaderLabels(self._kinds)
        for i, kind in enumerate(self._kinds):
            name = self.cells.verticalHeaderItem(i)
            if name is not None:
                name.setToolTip(KIND_TITLES.get(kind, kind))
        self.cells.setHorizontalHeaderLabels([f"{s:.2g}" for s in self._strengths])
        tried = values[np.isfinite(values)]
        low, high = (tried.min(), tried.max()) if len(tried) else (0.0, 1.0)
        colours = pg.colormap.get("viridis")
        for i in range(len(self._kinds)):
            for j in range(len(self._strengths)):
                value = values[i, j]
                item = QTableWidgetItem("" if np.isnan(value) else form.format(value))
                item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
                if not np.isnan(value):
                    part = (value - low) / (high - low) if high > low else 1.0
                    item.setBackground(colours.map(float(part), mode="qcolor"))
                    item.setForeground(
                        QColor(theme.colour("on light" if part > 0.5 else "on dark"))
                    )
                self.cells.setItem(i, j, item)
        self.cells.clearSelection()
        if self._current is not None and self._current[0] in self._kinds:
            row = self._kinds.index(self._current[0])
            column_index = int(np.argmin(np.abs(np.array(self._strengths) - self._current[1])))
            self.cells.setCurrentCell(row, column_index)

    def _values(self, column: str) -> np.ndarray:
        """Return scores (kind, strength): of the whole image, else of the crop, else NaN."""
        values = np.full((len(self._kinds), len(self._strengths)), np.nan)
        for region in ("crop", "whole"):
            for row in self._table[self._table.region == region].itertuples():
                if row.kind in self._kinds and row.strength in self._strengths:
                    place = self._kinds.index(row.kind), self._strengths.index(row.strength)
                    values[place] = getattr(row, column)
        return values

    def _clicked(self, row: int, column: int) -> None:
        self.chosen.emit(self._kinds[row], self._strengths[column])

    def sizeHint(self) -> QSize:
        """Return a size at which numbers can be read."""
        return QSize(430, 230)
