"""The section through a neck: the grey values in it, with what was measured drawn on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QRectF, QSize, Qt

from napari_tomo4d.contrast import grey_levels
from napari_tomo4d.gui import theme
from napari_tomo4d.gui.widgets.plots import ImageBox
from napari_tomo4d.measure.necks.section_image import SectionImage

if TYPE_CHECKING:
    from qtpy.QtGui import QFont


FIRST_COLOUR, SECOND_COLOUR = theme.colour("particle 1"), theme.colour("particle 2")
NECK_COLOUR, DISTANCE_COLOUR = theme.colour("neck"), theme.colour("distance")

NO_PAIR = "The section through a neck is shown here."

# of background, first, second and other particles
_GREYS = np.array([0.0, 0.75, 0.5, 0.25], np.float32)


class SectionBox(ImageBox):
    """The picture of a section with outlines, centres and neck line."""

    def __init__(self) -> None:
        super().__init__(height=150)
        self._plot.setLabel("bottom", "along the pair (nm)")
        self._plot.setLabel("left", "along the neck (nm)")
        for side in ("bottom", "left"):
            self._plot.getAxis(side).setStyle(tickFont=_small_font())
        self.setToolTip(
            "The section through both centres in which the neck is longest. Blue and green: "
            "outlines of the particles as seen across this section; pink: neck; orange: distance "
            "between the centres. A double click shows all of it again."
        )
        self._lines = []
        for colour, width, style in (
            (FIRST_COLOUR, 1.5, Qt.PenStyle.SolidLine),
            (SECOND_COLOUR, 1.5, Qt.PenStyle.SolidLine),
            (DISTANCE_COLOUR, 1.5, Qt.PenStyle.DashLine),
            (NECK_COLOUR, 3, Qt.PenStyle.SolidLine),
        ):
            line = pg.PlotCurveItem(pen=pg.mkPen(colour, width=width, style=style))
            self._plot.addItem(line)
            self._lines.append(line)
        self._centres = pg.ScatterPlotItem(
            symbol="+", size=12, pen=pg.mkPen(DISTANCE_COLOUR, width=2)
        )
        self._plot.addItem(self._centres)
        self.picture: SectionImage | None = None
        self.clear_all(NO_PAIR)

    def sizeHint(self) -> QSize:
        """Return a size at which outlines can be told apart."""
        return QSize(320, 195)

    def show_section(self, picture: SectionImage, title: str) -> None:
        """Show a section; the view is fitted to it."""
        self.picture = picture
        if picture.grey:
            levels = grey_levels(picture.image)
            image = np.nan_to_num(picture.image, nan=levels[0])
        else:
            image, levels = _GREYS[picture.image.astype(int)], (0.0, 1.0)
        self._image.setImage(image, levels=levels)
        self._image.setRect(QRectF(*picture.extent_nm))
        distance = picture.centres
        for line, points in zip(
            self._lines, (*picture.outlines, distance, picture.neck_line), strict=True
        ):
            line.setData(points[:, 0], points[:, 1])
        self._centres.setData(picture.centres[:, 0], picture.centres[:, 1])
        self._plot.setTitle(title, size="9pt")
        for side in ("bottom", "left"):
            self._plot.showAxis(side, True)
        left, top, width, height = picture.extent_nm
        self._plot.setRange(xRange=(left, left + width), yRange=(top, top + height), padding=0)
        self._shape = picture.image.shape

    def clear_all(self, text: str) -> None:
        """Show nothing but a sentence."""
        self.picture = None
        self._image.clear()
        for line in self._lines:
            line.setData([], [])
        self._centres.setData([], [])
        for side in ("bottom", "left"):
            self._plot.showAxis(side, False)
        self._plot.setTitle(text, size="9pt")

    def fit(self) -> None:
        """Show all of the section again."""
        if self.picture is not None:
            left, top, width, height = self.picture.extent_nm
            self._plot.setRange(xRange=(left, left + width), yRange=(top, top + height), padding=0)
        self.fitted.emit()


def _small_font() -> QFont:
    from qtpy.QtGui import QFont

    font = QFont()
    font.setPointSizeF(7.5)
    return font
