"""Small live plots inside panels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QSize, Signal
from qtpy.QtGui import QMouseEvent

from napari_tomo4d.contrast import grey_levels
from napari_tomo4d.gui import theme


def follow_theme(view: pg.GraphicsView, paint: Callable[[], None] | None = None) -> None:
    """Paint a plot's background, axes and titles in the colours of the theme, and keep to it.

    Parameters
    ----------
    view : pyqtgraph.GraphicsView
    paint : callable, optional
        Sets the colours of what is plotted.
    """

    def repaint() -> None:
        view.setBackground(theme.colour("surface"))
        text = theme.colour("text")
        for item in view.scene().items():
            if isinstance(item, pg.AxisItem):
                item.setPen(text)
                item.setTextPen(text)
            elif isinstance(item, pg.PlotItem):
                # written again, as its colour is part of what is written
                item.titleLabel.setText(item.titleLabel.text, color=text)
                if item.legend is not None:
                    # of names that are added later
                    item.legend.setLabelTextColor(text)
                    for _, label in item.legend.items:
                        label.setText(label.text, color=text)
        if paint is not None:
            paint()

    theme.follow(view, repaint)


class LogAxis(pg.AxisItem):
    """A logarithmic axis with numbers at 1, 2 and 5 only: those between run into each other."""

    def logTickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Return what is written at ticks, given as logarithms."""
        texts = super().logTickStrings(values, scale, spacing)
        first = [f"{10**v * scale:.0e}"[0] for v in values]
        return [text if d in "125" else "" for text, d in zip(texts, first, strict=True)]


class ImageBox(pg.GraphicsLayoutWidget):
    """A grey image with square pixels, a title, and rows counted downwards.

    Parameters
    ----------
    height : int
        Least height on the screen, in pixels.
    axes : bool
        Whether to show axes with pixel numbers; without, the title lies on the image.
    width : int
        Width it would like to have, in pixels.
    """

    fitted = Signal()

    def __init__(self, height: int = 190, axes: bool = True, width: int = 320) -> None:
        super().__init__()
        self.setMinimumHeight(height)
        self._width = width
        # whether another box is being moved along with this one
        self._leading = False
        self.ci.setContentsMargins(2, 2, 8, 2)
        self._plot = self.addPlot()
        self._plot.setAspectLocked(True)
        self._plot.invertY(True)
        self._plot.hideButtons()
        self._plot.setMenuEnabled(False)
        for side in ("bottom", "left"):
            self._plot.getAxis(side).enableAutoSIPrefix(False)
            self._plot.showAxis(side, axes)
        self._plot.setRange(xRange=(0, 100), yRange=(0, 100))
        self._image = pg.ImageItem(axisOrder="row-major")
        self._plot.addItem(self._image)
        self._shape: tuple[int, ...] = ()
        self._title = ""
        self._label: pg.LabelItem | None = None
        if not axes:
            self._label = pg.LabelItem(color=theme.colour("mark"), size="9pt")
            self._label.setParentItem(self._plot.getViewBox())
            self._label.anchor(itemPos=(0, 0), parentPos=(0, 0), offset=(4, 0))
        follow_theme(self)

    def sizeHint(self) -> QSize:
        """Return a size that fits a panel; the default would widen it."""
        return QSize(self._width, self.minimumHeight())

    def show_image(self, image: np.ndarray, title: str) -> None:
        """Show an image (row, column); the view is fitted when its shape changes."""
        self._image.setImage(image, levels=grey_levels(image))
        self.show_title(title)
        if image.shape != self._shape:
            self._shape = image.shape
            self.fit()

    def clear_image(self) -> None:
        """Show nothing."""
        self._image.clear()
        self._shape = ()
        self.show_title("")

    def show_title(self, title: str) -> None:
        """Show what the image is, above it or on it."""
        if self._label is None:
            self._plot.setTitle(title, size="9pt")
        elif title != self._title:
            # on a ground of its own, as images may be as bright as the letters
            ground = theme.colour("ground")
            on = f'<span style="background-color: {ground}">&nbsp;{title}&nbsp;</span>'
            self._label.setText(on if title else "")
            self._title = title

    def fit(self) -> None:
        """Show all of the image, also after a change of size."""
        self._plot.enableAutoRange()
        self.fitted.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Show all of the image again."""
        super().mouseDoubleClickEvent(event)
        self.fit()

    def link_to(self, other: ImageBox) -> None:
        """Zoom and move together with another box of the same size."""
        # pyqtgraph's own links and locked aspects make each other smaller at every resize
        for one, two in ((self, other), (other, self)):
            one.fitted.connect(two._plot.enableAutoRange)
            # the first of them comes too early after the wheel has been turned
            for signal in (one._view.sigRangeChanged, one._view.sigRangeChangedManually):
                signal.connect(lambda *_, a=one, b=two: b._show_part_of(a))

    @property
    def _view(self) -> pg.ViewBox:
        return self._plot.getViewBox()

    def _show_part_of(self, other: ImageBox) -> None:
        """Show what another box shows, unless it shows all or the two are being resized."""
        fitted = all(other._view.autoRangeEnabled())
        # an odd width can't be halved; more than that is a layout at work
        resizing = (other.size() - self.size()).width() not in (-1, 0, 1)
        if not (self._leading or fitted or resizing):
            other._leading = True
            self._view.setRange(other._view.viewRect(), padding=0)
            other._leading = False

    @property
    def width_shown(self) -> float:
        """Width in pixels of the part of the image that is seen."""
        left, right = self._plot.viewRange()[0]
        return float(right - left)

    @property
    def image(self) -> np.ndarray | None:
        """What is shown."""
        return self._image.image


class CurveBox(pg.PlotWidget):
    """One curve against iterations, on a logarithmic axis."""

    def __init__(self, horizontal: str, vertical: str, height: int = 190) -> None:
        super().__init__()
        self.setMinimumHeight(height)
        self.setLabel("bottom", horizontal)
        self.setLabel("left", vertical)
        self.setLogMode(y=True)
        self.getAxis("left").enableAutoSIPrefix(False)
        self.setMenuEnabled(False)
        self.hideButtons()
        self._curve = self.plot([], [])
        follow_theme(self, lambda: self._curve.setPen(theme.colour("first"), width=2))

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
