"""How good the tilt axis is, against its shift or its rotation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QSize, Qt, Signal

from napari_tomo4d.gui import theme
from napari_tomo4d.gui.panels.tilt_axis.axis_line import AXIS_COLOUR
from napari_tomo4d.gui.widgets.plots import follow_theme
from napari_tomo4d.quantities import with_error

if TYPE_CHECKING:
    from pyqtgraph.GraphicsScene.mouseEvents import MouseClickEvent


class MetricPlot(pg.PlotWidget):
    """A metric against one parameter of the axis: larger is better.

    Signals
    -------
    chosen(value)
        A click into the plot.
    """

    chosen = Signal(float)

    def __init__(self, what: str, unit: str) -> None:
        super().__init__()
        self._what, self._unit = what, unit
        self.setMinimumSize(120, 90)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setMouseEnabled(x=False, y=False)
        self.getAxis("bottom").enableAutoSIPrefix(False)
        # its unit differs from metric to metric, and only the place of the top matters
        self.hideAxis("left")
        self.band = pg.LinearRegionItem(movable=False, pen=None)
        self.optimum = pg.InfiniteLine()
        self.here = pg.InfiniteLine(
            pen={"color": AXIS_COLOUR, "width": 1, "style": Qt.PenStyle.DashLine}
        )
        self.curve = self.plot([], [])
        for item in (self.band, self.optimum, self.here):
            self.addItem(item, ignoreBounds=True)
        self.setToolTip(
            "Larger is better. Orange: the optimum and its uncertainty; pink: where the axis is. "
            "Click to move the axis there."
        )
        self.scene().sigMouseClicked.connect(self._clicked)
        follow_theme(self, self._paint)

    def _paint(self) -> None:
        self.curve.setPen(theme.colour("first"), width=2)
        self.optimum.setPen(theme.colour("third"), width=2)
        self.band.setBrush(theme.translucent("third", 0.3))

    def show_metric(
        self, positions: np.ndarray, values: np.ndarray, best: float, error: float
    ) -> None:
        """Show a curve and its optimum; an unknown uncertainty is NaN."""
        self.curve.setData(positions, values)
        self.optimum.setValue(best)
        known = bool(np.isfinite(error))
        self.band.setVisible(known)
        self.band.setRegion((best - error, best + error) if known else (best, best))
        self.setTitle(f"{self._what} {with_error(best, error, self._unit.strip())}", size="9pt")

    def _clicked(self, event: MouseClickEvent) -> None:
        if self.has_curve:
            self.chosen.emit(self.plotItem.vb.mapSceneToView(event.scenePos()).x())

    @property
    def has_curve(self) -> bool:
        """Whether there is a curve."""
        shown = self.curve.getOriginalDataset()[0]
        return shown is not None and len(shown) > 0

    def sizeHint(self) -> QSize:
        """Return a size that leaves room for the slices."""
        return QSize(220, 110)
