"""The plot of shifts and of their quality over the tilt angle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QPoint, QPointF, QSize, Qt, Signal

from napari_tomo4d.gui import theme
from napari_tomo4d.gui.panels.align.model import Shifts
from napari_tomo4d.gui.widgets.plots import follow_theme

if TYPE_CHECKING:
    from pyqtgraph.GraphicsScene.mouseEvents import MouseClickEvent


_LOWER_HEIGHT = 78
"""Enough to see what is bad; the shifts get all other height."""

_COLOURS = {"dy": "first", "dx": "second"}
_QUALITY, _SUSPECT, _LEFT_OUT = "third", "error", "faint"


class ShiftPlot(pg.GraphicsLayoutWidget):
    """dy and dx over the tilt angle, and below them how well each tilt matches.

    Signals
    -------
    chosen(tilt)
        A click at a tilt.
    """

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._angles: np.ndarray = np.empty(0)
        self._shown: tuple[Shifts, int] | None = None
        self.upper, self.lower = self.addPlot(row=0, col=0), self.addPlot(row=1, col=0)
        self.ci.layout.setVerticalSpacing(0)
        self.lower.setLabel("left", "quality")
        self.lower.setMaximumHeight(_LOWER_HEIGHT)
        self.lower.setXLink(self.upper)
        self.upper.getAxis("bottom").setStyle(showValues=False)
        self.lower.getAxis("left").setTicks([[(0, "0"), (0.5, "0.5"), (1, "1")]])
        self._here = []
        for plot in (self.upper, self.lower):
            plot.setMenuEnabled(False)
            plot.hideButtons()
            plot.showGrid(x=True, y=True, alpha=0.15)
            plot.getAxis("left").setWidth(46)
            plot.getAxis("left").enableAutoSIPrefix(False)
            line = pg.InfiniteLine(angle=90)
            line.setVisible(False)
            plot.addItem(line, ignoreBounds=True)
            self._here.append(line)
        self._curves = {name: self.upper.plot(name=name) for name in _COLOURS}
        self.points = {name: pg.ScatterPlotItem() for name in (*_COLOURS, "quality")}
        self.lower.addItem(self.points["quality"])
        for name in _COLOURS:
            self.upper.addItem(self.points[name])
        self.scene().sigMouseClicked.connect(self._clicked)
        self.setToolTip("Click a point to go to its tilt.")
        follow_theme(self, self._paint)

    def _paint(self) -> None:
        # above the curves, which a legend would hide, and instead of a second label at the side,
        # for which there is no room
        self.upper.setTitle(
            " &nbsp; ".join(
                f'<span style="color: {theme.colour(colour)}">{sign} {name}</span>'
                for name, sign, colour in (
                    ("dy (px)", "━", _COLOURS["dy"]),
                    ("dx (px)", "━", _COLOURS["dx"]),
                    ("suspect", "●", _SUSPECT),
                    ("left out", "✕", _LEFT_OUT),
                )
            ),
            size="8pt",
        )
        for line in self._here:
            line.setPen(theme.colour("here"), width=1)
        for name, curve in self._curves.items():
            curve.setPen(theme.colour(_COLOURS[name]), width=1.5)
        if self._shown is not None:
            (shifts, time), self._shown = self._shown, None
            self.show_shifts(self._angles, shifts, time)

    def show_shifts(self, angles_deg: np.ndarray, shifts: Shifts, time: int) -> None:
        """Show the shifts of one time point."""
        if self._shown == (shifts, time):
            return
        self._shown = (shifts, time)
        other_angles = not np.array_equal(angles_deg, self._angles)
        self._angles = angles_deg
        values, k = shifts.at(time), shifts.index(time)
        suspect, left_out = shifts.found.suspect[k], shifts.left_out_mask(time)
        order = np.argsort(angles_deg, kind="stable")
        for axis, name in enumerate(_COLOURS):
            self._curves[name].setData(angles_deg[order], values[order, axis])
            self._show_points(name, values[:, axis], _COLOURS[name], suspect, left_out)
        self._show_points("quality", shifts.found.quality[k], _QUALITY, suspect, left_out)
        self.lower.setYRange(0, 1, padding=0.08)
        if other_angles:
            self.upper.enableAutoRange()

    @property
    def values(self) -> dict[str, np.ndarray]:
        """The shifts dy and dx that are drawn, in the order of the angles."""
        return {name: curve.getOriginalDataset()[1] for name, curve in self._curves.items()}

    def position_of(self, tilt: int) -> QPoint:
        """Return where in this widget the point of dx of a tilt is."""
        assert self._shown is not None
        shifts, time = self._shown
        place = (float(self._angles[tilt]), float(shifts.at(time)[tilt, 1]))
        scene = self.upper.getViewBox().mapViewToScene(QPointF(*place))
        return self.mapFromScene(scene)

    def _show_points(
        self, name: str, values: np.ndarray, colour: str, suspect: np.ndarray, left_out: np.ndarray
    ) -> None:
        looks = []
        for k in np.flatnonzero(np.isfinite(values)):
            shown = _LEFT_OUT if left_out[k] else _SUSPECT if suspect[k] else colour
            looks.append(
                {
                    "pos": (self._angles[k], values[k]),
                    "brush": theme.colour(shown),
                    "pen": None,
                    "symbol": "x" if left_out[k] else "o",
                    "size": 9 if suspect[k] or left_out[k] else 5,
                    "data": int(k),
                }
            )
        self.points[name].setData(looks)

    def show_tilt(self, tilt: int) -> None:
        """Mark the tilt that is looked at."""
        for line in self._here:
            line.setVisible(tilt < len(self._angles))
            if tilt < len(self._angles):
                line.setValue(self._angles[tilt])

    def show_nothing(self) -> None:
        """Show nothing."""
        self._angles, self._shown = np.empty(0), None
        for curve in self._curves.values():
            curve.setData([], [])
        for points in self.points.values():
            points.clear()
        self.show_tilt(0)

    def _clicked(self, event: MouseClickEvent) -> None:
        if not len(self._angles) or event.button() != Qt.MouseButton.LeftButton:
            return
        for plot in (self.upper, self.lower):
            if plot.sceneBoundingRect().contains(event.scenePos()):
                angle = plot.getViewBox().mapSceneToView(event.scenePos()).x()
                self.chosen.emit(int(np.argmin(np.abs(self._angles - angle))))

    def sizeHint(self) -> QSize:
        """Return a size that leaves room for the images."""
        return QSize(380, 250)
