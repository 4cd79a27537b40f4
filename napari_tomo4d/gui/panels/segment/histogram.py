"""A histogram of grey values with thresholds to be dragged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QSize, Signal
from qtpy.QtGui import QMouseEvent

from napari_tomo4d.gui import theme
from napari_tomo4d.gui.widgets.plots import follow_theme

_MOST_LINES = 4


class Histogram(pg.PlotWidget):
    """Voxels over grey value, counted logarithmically, with up to four thresholds.

    Signals
    -------
    moved(index, value)
        While a line is dragged; the dragged line is number 0 where only one is to remain.
    released()
        The drag has ended.
    """

    moved = Signal(int, float)
    released = Signal()

    def __init__(self, height: int = 150) -> None:
        super().__init__()
        self.setMinimumHeight(height)
        self.setLabel("bottom", "grey value")
        self.setLabel("left", "voxels")
        self.setLogMode(y=True)
        self.setMenuEnabled(False)
        self.setMouseEnabled(x=True, y=False)
        self.hideButtons()
        for side in ("bottom", "left"):
            self.getAxis(side).enableAutoSIPrefix(False)
        # room below the letters of the label
        self.plotItem.layout.setContentsMargins(2, 4, 8, 8)
        self._curve = self.plot([0, 1], [1], stepMode="center", fillLevel=0)
        self._dragged: pg.InfiniteLine | None = None
        self.lines = []
        for _ in range(_MOST_LINES):
            line = pg.InfiniteLine(
                angle=90, movable=True, label="{value:.4g}", labelOpts={"position": 0.88}
            )
            line.setVisible(False)
            line.sigDragged.connect(self._drag)
            line.sigPositionChangeFinished.connect(self._release)
            self.addItem(line, ignoreBounds=True)
            self.lines.append(line)
        self.clear_histogram()
        follow_theme(self, self._paint)
        self.setToolTip(
            "Voxels of each grey value. Drag a line to set the threshold by hand; wheel to "
            "zoom, double-click to see all."
        )

    def _paint(self) -> None:
        self._curve.setPen(theme.colour("first"), width=1)
        self._curve.setBrush(theme.translucent("first", 0.25))
        for number, line in enumerate(self.lines, 1):
            colour = theme.colour(f"class {number}")
            line.setPen(colour, width=2)
            line.setHoverPen(theme.colour("hover"), width=3)
            line.label.setColor(theme.colour("text"))
            line.label.fill = pg.mkBrush(theme.translucent("surface", 0.75))
            line.label.update()

    def sizeHint(self) -> QSize:
        """Return a size that fits a panel; the default would widen it."""
        return QSize(320, self.minimumHeight())

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        """Show all of the histogram again."""
        super().mouseDoubleClickEvent(event)
        self.enableAutoRange()

    def show_histogram(self, counts: np.ndarray, edges: np.ndarray) -> None:
        """Show how many voxels (bin,) lie between grey values (bin + 1,)."""
        # a bin without voxels has no logarithm
        self._curve.setData(edges, np.maximum(counts, 0.5))
        self._curve.setVisible(True)
        self.enableAutoRange()

    def clear_histogram(self) -> None:
        """Show nothing."""
        self._curve.setVisible(False)
        self.show_levels(())
        self.setRange(xRange=(0, 1), yRange=(0, 4))

    def show_levels(self, levels: Sequence[float]) -> None:
        """Show so many lines at these values; the line under the mouse stays where it is."""
        for i, line in enumerate(self.lines):
            line.setVisible(i < len(levels))
            if i < len(levels) and line is not self._dragged:
                line.setValue(float(levels[i]))

    @property
    def levels(self) -> list[float]:
        """Where the lines are."""
        return [float(line.value()) for line in self.lines if line.isVisible()]

    def put_first(self, index: int) -> None:
        """Make one line number 0, when the others are to go."""
        self.lines.insert(0, self.lines.pop(index))

    def _drag(self, line: pg.InfiniteLine) -> None:
        self._dragged = line
        self.moved.emit(self.lines.index(line), float(line.value()))

    def _release(self, _line: pg.InfiniteLine) -> None:
        if self._dragged is not None:
            self._dragged = None
            self.released.emit()
