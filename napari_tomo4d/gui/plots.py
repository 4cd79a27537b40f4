"""Small live plots inside panels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QSize

_PEN = {"color": "#4fc3f7", "width": 2}


class ImageBox(pg.GraphicsLayoutWidget):
    """A grey image with square pixels, a title, and rows counted downwards."""

    def __init__(self, height: int = 190) -> None:
        super().__init__()
        self.setMinimumHeight(height)
        self.setBackground("#1c1f24")
        self.ci.setContentsMargins(2, 2, 8, 2)
        self._plot = self.addPlot()
        self._plot.setAspectLocked(True)
        self._plot.invertY(True)
        self._plot.hideButtons()
        self._plot.setMenuEnabled(False)
        for side in ("bottom", "left"):
            self._plot.getAxis(side).enableAutoSIPrefix(False)
        self._plot.setRange(xRange=(0, 100), yRange=(0, 100))
        self._image = pg.ImageItem(axisOrder="row-major")
        self._plot.addItem(self._image)
        self._shape: tuple[int, ...] = ()

    def sizeHint(self) -> QSize:
        """Return a size that fits a panel; the default would widen it."""
        return QSize(320, self.minimumHeight())

    def show_image(self, image: np.ndarray, title: str) -> None:
        """Show an image (row, column); the view is fitted when its size changes."""
        low, high = np.percentile(image, (0.5, 99.8))
        levels = (float(low), float(high) if high > low else float(low) + 1)
        self._image.setImage(image, levels=levels)
        self._plot.setTitle(title, size="9pt")
        if image.shape != self._shape:
            self._shape = image.shape
            self._plot.autoRange(padding=0.02)

    @property
    def image(self) -> np.ndarray | None:
        """What is shown."""
        return self._image.image


class CurveBox(pg.PlotWidget):
    """One curve against iterations, on a logarithmic axis."""

    def __init__(self, horizontal: str, vertical: str, height: int = 190) -> None:
        super().__init__()
        self.setMinimumHeight(height)
        self.setBackground("#1c1f24")
        self.setLabel("bottom", horizontal)
        self.setLabel("left", vertical)
        self.setLogMode(y=True)
        self.getAxis("left").enableAutoSIPrefix(False)
        self.setMenuEnabled(False)
        self.hideButtons()
        self._curve = self.plot([], [], pen=_PEN)

    def sizeHint(self) -> QSize:
        """Return a size that fits a panel; the default would widen it."""
        return QSize(320, self.minimumHeight())

    def show_curve(self, values: Sequence[float]) -> None:
        """Show values at 1, 2, 3..."""
        self._curve.setData(np.arange(1, len(values) + 1), np.asarray(values, float))

    @property
    def values(self) -> np.ndarray:
        """What is shown."""
        y = self._curve.getOriginalDataset()[1]
        return np.empty(0) if y is None else y
