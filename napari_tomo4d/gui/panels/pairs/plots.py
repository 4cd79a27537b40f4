"""Necks and distances of pairs over time, and against each other with the model's curves."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QPointF, QSize, Qt, Signal

from napari_tomo4d.gui import theme
from napari_tomo4d.gui.panels.pairs.model import PairsModel
from napari_tomo4d.gui.panels.pairs.rows import RowKey
from napari_tomo4d.gui.widgets.plots import follow_theme
from napari_tomo4d.measure import two_sphere_curve, two_sphere_curve_as_measured
from napari_tomo4d.quantities import time_axis

if TYPE_CHECKING:
    from pyqtgraph.GraphicsScene.mouseEvents import MouseClickEvent


NECK, DISTANCE = "r<sub>n</sub>/r", "d/2r"

_NEAR_PX = 12
_MOST_NAMES = 24
_NAME_PX, _PLOT_PX = 12, 105


class PairPlots(pg.GraphicsLayoutWidget):
    """Three plots of the rows of a model; `chosen` when a point is clicked.

    Parameters
    ----------
    model : PairsModel

    Signals
    -------
    chosen(place)
        Pair and time of the nearest point.
    """

    chosen = Signal(object)

    def __init__(self, model: PairsModel) -> None:
        super().__init__()
        self._model = model
        self._table, self._places = model.frame(), list(model.rows.places())
        self._marked: tuple[int, RowKey | None] = (0, None)
        self.setMinimumHeight(130)
        self.ci.setContentsMargins(2, 2, 6, 2)
        self._xy: list[tuple[np.ndarray, np.ndarray]] = []
        self._names: list[tuple[Any, Any]] = []
        self.over_time = self.addPlot(row=0, col=0), self.addPlot(row=0, col=1)
        self.against = self.addPlot(row=0, col=2)
        for plot in self.over_time:
            plot.setLabel("bottom", "time")
        self.over_time[0].setLabel("left", NECK)
        self.over_time[1].setLabel("left", DISTANCE)
        self.over_time[1].setXLink(self.over_time[0])
        self.against.setLabel("bottom", DISTANCE)
        self.against.setLabel("left", NECK)
        self.plots = (*self.over_time, self.against)
        self.points: list[pg.ScatterPlotItem] = []
        self._errors: list[pg.ErrorBarItem] = []
        self._paths: list[pg.PlotDataItem] = []
        for plot in self.plots:
            plot.setMenuEnabled(False)
            plot.hideButtons()
            plot.showGrid(x=True, y=True, alpha=0.15)
            for side in ("left", "bottom"):
                plot.getAxis(side).enableAutoSIPrefix(False)
            path = pg.PlotCurveItem(connect="finite")
            errors = pg.ErrorBarItem(x=np.empty(0), y=np.empty(0))
            points = pg.ScatterPlotItem()
            for item, into in (
                (path, self._paths),
                (errors, self._errors),
                (points, self.points),
            ):
                plot.addItem(item)
                into.append(item)
            # until there are rows: all that can be
            plot.setRange(xRange=(0, 1), yRange=(0, 1), padding=0)
        self.over_time[1].setRange(yRange=(0.6, 1.1), padding=0)
        self.against.setRange(xRange=(0.6, 1.1), padding=0)
        self._here = []
        for plot in self.over_time:
            line = pg.InfiniteLine(angle=90)
            line.setZValue(-5)
            plot.addItem(line, ignoreBounds=True)
            self._here.append(line)
        self._add_models()
        self.colours = pg.colormap.get("plasma")
        self._bar = pg.ColorBarItem(
            values=(1.0, 1.2), colorMap=self.colours, interactive=False, width=10
        )
        # beside the plot's own axes, so that both are of one height
        self._bar.setImageItem([], insert_in=self.against)
        self._bar.setLabel("right", "H/W")
        self._bar.getAxis("right").setWidth(46)
        for column, share in enumerate((5, 5, 6)):
            self.ci.layout.setColumnStretchFactor(column, share)
            self.ci.layout.setColumnPreferredWidth(column, 100)
        self.scene().sigMouseClicked.connect(self._clicked)
        self.setToolTip("Click a point to go to its pair and time.")
        model.rows_changed.connect(self._show_rows)
        model.emptied.connect(self._show_rows)
        model.looked_at_changed.connect(self._mark)
        follow_theme(self, self._paint)

    def _paint(self) -> None:
        faint, text = theme.colour("faint"), theme.colour("text")
        for path in self._paths:
            path.setPen(faint, width=1)
        for errors in self._errors:
            errors.setData(pen=pg.mkPen(theme.translucent("faint", 0.5)))
        for line in self._here:
            line.setPen(theme.colour("here"), width=1)
        self.models["as defined"].setPen(pg.mkPen(text, width=1, style=Qt.PenStyle.DashLine))
        self.models["as measured"].setPen(text, width=1)
        self._draw_points()
        for name, plot in self._names:
            plot.removeItem(name)
        self._names = []
        if self._places:
            self._draw_names()

    def _add_models(self) -> None:
        x = np.linspace(0, 1, 101)
        self.models = {"as defined": pg.PlotCurveItem(two_sphere_curve(x), x)}
        ratio, distance = two_sphere_curve_as_measured(x)
        self.models["as measured"] = pg.PlotCurveItem(distance, ratio)
        for curve in self.models.values():
            curve.setZValue(-10)
            self.against.addItem(curve, ignoreBounds=True)
        self.against.setTitle("two spheres: dashed as defined, solid as measured", size="8pt")
        for plot, what in zip(self.over_time, ("neck ratio", "distance ratio"), strict=True):
            plot.setTitle(what, size="8pt")

    # -- rows ------------------------------------------------------------------------------

    def point(self, plot: int, place: RowKey) -> QPointF:
        """Return where a plot has the point of a pair and time, in its own coordinates."""
        row = self._places.index(place)
        x, y = (float(values[row]) for values in self._xy[plot])
        return QPointF(x, y)

    def _show_rows(self) -> None:
        """Draw all rows again."""
        # what is drawn: rows that come during a run are drawn a moment later
        self._table, self._places = self._model.frame(), list(self._model.rows.places())
        table = self._table
        self._marked = self._model.time, self._model.place
        for name, plot in self._names:
            plot.removeItem(name)
        self._names = []
        if table.empty:
            for item in (*self.points, *self._paths):
                item.setData([], [])
            for bars in self._errors:
                bars.setData(x=np.empty(0), y=np.empty(0), height=None, width=None)
            for line in self._here:
                line.setVisible(False)
            return
        at, label = time_axis(table.time_s, table.time)
        whole = label == "time point"
        for plot in self.over_time:
            plot.setLabel("bottom", label)
            ticks = [[(float(n), str(int(n))) for n in np.unique(at)]] if whole else None
            plot.getAxis("bottom").setTicks(ticks)
        neck, distance = table.neck_ratio.to_numpy(float), table.distance_ratio.to_numpy(float)
        neck_error = table.neck_ratio_error.fillna(0).to_numpy(float)
        distance_error = table.distance_ratio_error.fillna(0).to_numpy(float)
        self._xy = [(at, neck), (at, distance), (distance, neck)]
        breaks = np.flatnonzero(table.pair.to_numpy()[1:] != table.pair.to_numpy()[:-1]) + 1
        heights = (neck_error, distance_error, neck_error)
        for k, (x, y) in enumerate(self._xy):
            self._paths[k].setData(
                np.insert(x, breaks, np.nan), np.insert(y, breaks, np.nan), connect="finite"
            )
            good = np.isfinite(x) & np.isfinite(y)
            width = 2 * distance_error[good] if k == 2 else None
            self._errors[k].setData(x=x[good], y=y[good], height=2 * heights[k][good], width=width)
        self._draw_points()
        self._fit()
        self._draw_names()

    def _fit(self) -> None:
        """Show all points with their errors, and room for names on the right."""
        errors = self._table[["neck_ratio_error", "distance_ratio_error"]].fillna(0).to_numpy()
        for k, (plot, (x, y)) in enumerate(zip(self.plots, self._xy, strict=True)):
            across = errors[:, 1] if k == 2 else 0 * x
            up = errors[:, 1 if k == 1 else 0]
            ranges = [_range(x, across, 0.28 if k < 2 else 0.12), _range(y, up, 0.06)]
            plot.setRange(xRange=ranges[0], yRange=ranges[1], padding=0)

    def _draw_points(self) -> None:
        table, (time, selected) = self._table, self._marked
        if table.empty:
            return
        shape = table.aspect_ratio.to_numpy(float)
        good = shape[np.isfinite(shape)]
        low = min(1.0, float(good.min())) if len(good) else 1.0
        high = max(1.05, float(good.max())) if len(good) else 1.2
        self._bar.setLevels((low, high))
        part = np.clip((shape - low) / (high - low), 0, 1)
        for k, points in enumerate(self.points):
            looks = []
            for i, (place, x, y) in enumerate(zip(self._places, *self._xy[k], strict=True)):
                if not (np.isfinite(x) and np.isfinite(y)):
                    continue
                if k < 2:
                    brush = pg.mkBrush(colour_of(str(table.pair.iloc[i])))
                elif np.isfinite(part[i]):
                    brush = pg.mkBrush(self.colours.map(float(part[i]), mode="qcolor"))
                else:
                    brush = pg.mkBrush(theme.colour("faint"))
                now, chosen = place[1] == time, place == selected
                looks.append(
                    {
                        "pos": (x, y),
                        "brush": brush,
                        "pen": pg.mkPen(
                            theme.colour("here" if now else "surface"), width=2 if now else 0.5
                        ),
                        "size": 13 if chosen else 9 if now else 7,
                        "data": place,
                    }
                )
            # the one that is looked at lies on top
            points.setData(sorted(looks, key=lambda look: look["data"] == selected))
        here = table.time.to_numpy() == time
        for line in self._here:
            line.setVisible(bool(here.any()))
            if here.any():
                line.setValue(float(self._xy[0][0][np.flatnonzero(here)[0]]))

    def _draw_names(self) -> None:
        """Write each pair's name beside its last point."""
        pairs = self._table.pair
        last = [int(np.flatnonzero(pairs == name)[-1]) for name in pairs.unique()]
        for k, plot in enumerate(self.plots):
            shown = [
                i for i in last[:_MOST_NAMES] if np.isfinite([v[i] for v in self._xy[k]]).all()
            ]
            low, high = plot.viewRange()[1]
            line = _NAME_PX / _PLOT_PX * (high - low)
            beside = _apart(self._xy[k][1][shown], line, high - line / 2)
            for i, y in zip(shown, beside, strict=True):
                name = str(pairs.iloc[i])
                text = pg.TextItem(name, color=colour_of(name), anchor=(-0.3, 0.5))
                text.setPos(float(self._xy[k][0][i]), float(y))
                plot.addItem(text, ignoreBounds=True)
                self._names.append((text, plot))

    def _mark(self) -> None:
        """Mark the points of the time shown, and the one that is looked at."""
        looked_at = self._model.time, self._model.place
        if looked_at != self._marked:
            self._marked = looked_at
            self._draw_points()

    # -- mouse -----------------------------------------------------------------------------

    def _clicked(self, event: MouseClickEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or not self._places:
            return
        at = event.scenePos()
        for k, plot in enumerate(self.plots):
            if plot.vb.sceneBoundingRect().contains(at):
                away = [self._away(plot, at, x, y) for x, y in zip(*self._xy[k], strict=True)]
                nearest = int(np.argmin(away))
                if away[nearest] <= _NEAR_PX:
                    self.chosen.emit(self._places[nearest])

    def _away(self, plot: pg.PlotItem, at: QPointF, x: float, y: float) -> float:
        if not (np.isfinite(x) and np.isfinite(y)):
            return np.inf
        place = plot.vb.mapViewToScene(QPointF(x, y))
        return float(np.hypot(place.x() - at.x(), place.y() - at.y()))

    def sizeHint(self) -> QSize:
        """Return a size that leaves the canvas most of the window."""
        return QSize(700, 230)


def _range(values: np.ndarray, errors: np.ndarray, beyond: float) -> tuple[float, float]:
    good = np.isfinite(values)
    if not good.any():
        return 0.0, 1.0
    low = float((values - errors)[good].min())
    high = float((values + errors)[good].max())
    span = (high - low) or max(abs(low), 1.0) * 0.2
    return low - 0.06 * span, high + beyond * span


def _apart(values: np.ndarray, least: float, highest: float) -> np.ndarray:
    """Return values moved so far that each is at least `least` from the others."""
    order = np.argsort(values)
    moved = values.astype(float).copy()
    for one, other in pairwise(order):
        moved[other] = max(moved[other], moved[one] + least)
    if not len(moved):
        return moved
    # the whole as near to where it was as can be, but inside the plot
    moved -= (moved - values).mean()
    return moved - max(0.0, float(moved.max()) - highest)


def colour_of(name: str) -> str:
    """Return the colour of a pair, by its name."""
    return theme.series_colour(int(name[1:]) - 1)
