"""The section through a neck: the grey values in it, with what was measured drawn on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QRectF, QSize, Qt
from scipy import ndimage

from napari_tomo4d.contrast import grey_levels
from napari_tomo4d.data import Labels, Volume
from napari_tomo4d.gui import theme
from napari_tomo4d.gui.widgets.plots import ImageBox
from napari_tomo4d.measure import Section

FIRST_COLOUR, SECOND_COLOUR = theme.colour("particle 1"), theme.colour("particle 2")
NECK_COLOUR, DISTANCE_COLOUR = theme.colour("neck"), theme.colour("distance")

NO_PAIR = "The section through a neck is shown here."

_MARGIN = 0.2
_MOST_PIXELS = 400
_GREYS = {"background": 0.0, "other": 0.25, "first": 0.75, "second": 0.5}


@dataclass(frozen=True)
class SectionPicture:
    """Values and lines in the plane of a section, in nm from the neck.

    Parameters
    ----------
    image : array (row, column)
        Columns along the pair from the first to the second particle, rows along the neck.
    extent_nm : tuple of float
        Left, top, width and height of the image.
    outlines, neck_line, centres
        As in `measure.Section`, each (point, 2) with the position along the pair first.
    grey : bool
        Whether the image shows the volume; else it shows the labels.
    """

    image: np.ndarray
    extent_nm: tuple[float, float, float, float]
    outlines: tuple[np.ndarray, np.ndarray]
    neck_line: np.ndarray
    centres: np.ndarray
    grey: bool


def section_picture(
    section: Section, labels: Labels, a: int, b: int, volume: Volume | None = None
) -> SectionPicture:
    """Sample a section through a pair.

    Parameters
    ----------
    section : Section
    labels : Labels
    a, b : int
        The particles, shown brighter than others.
    volume : Volume, optional
        What to sample; by default the labels.
    """

    def local(points: np.ndarray) -> np.ndarray:
        return (np.asarray(points) - section.origin_nm) @ section.axes[:2].T

    size = float(labels.pixel_size_nm or 1.0)
    first, second = (local(o) for o in section.outlines_nm)
    both = np.concatenate([first, second])
    low, high = both.min(axis=0), both.max(axis=0)
    low, high = low - _MARGIN * (high - low), high + _MARGIN * (high - low)
    step = max(size / 2, float((high - low).max()) / _MOST_PIXELS)
    along, up = (np.arange(low[k], high[k] + step / 2, step) for k in (0, 1))
    places = (
        section.origin_nm[:, None, None]
        + section.axes[0][:, None, None] * along
        + section.axes[1][:, None, None] * up[:, None]
    ) / size
    if volume is not None:
        image = _sample(volume.data, places, 1)
    else:
        numbers = _sample(labels.data, places, 0)
        image = np.select(
            [numbers == a, numbers == b, numbers > 0],
            [_GREYS["first"], _GREYS["second"], _GREYS["other"]],
            _GREYS["background"],
        )
    return SectionPicture(
        image.astype(np.float32),
        (
            float(along[0]) - step / 2,
            float(up[0]) - step / 2,
            step * len(along),
            step * len(up),
        ),
        (first, second),
        local(section.neck_line_nm),
        local(section.centres_nm),
        volume is not None,
    )


def _sample(data: Any, places: np.ndarray, order: int) -> np.ndarray:
    """Return values at places (3, row, column) in voxels; the least value outside."""
    box = []
    for axis, count in enumerate(data.shape):
        start = int(np.clip(np.floor(places[axis].min()) - 1, 0, count - 1))
        stop = int(np.clip(np.ceil(places[axis].max()) + 2, start + 1, count))
        box.append(slice(start, stop))
    part = np.asarray(data[tuple(box)])
    inner = places - np.array([s.start for s in box])[:, None, None]
    return ndimage.map_coordinates(part, inner, order=order, mode="constant", cval=part.min())


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
        self.picture: SectionPicture | None = None
        self.clear_all(NO_PAIR)

    def sizeHint(self) -> QSize:
        """Return a size at which outlines can be told apart."""
        return QSize(320, 195)

    def show_section(self, picture: SectionPicture, title: str) -> None:
        """Show a section; the view is fitted to it."""
        self.picture = picture
        levels = grey_levels(picture.image) if picture.grey else (0.0, 1.0)
        self._image.setImage(picture.image, levels=levels)
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


def _small_font() -> Any:
    from qtpy.QtGui import QFont

    font = QFont()
    font.setPointSizeF(7.5)
    return font
