"""What shows an alignment: shifts and quality over the tilt angle, and images on each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QSize, Qt, QTimer, Signal
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QButtonGroup,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from napari_tomo4d.align.comparison import (
    Pair,
    grey_levels,
    neighbour,
    pair_of,
)
from napari_tomo4d.data import TiltSeries
from napari_tomo4d.gui.panels.align.model import State
from napari_tomo4d.gui.panels.align.sum_of_aligned import SumOfAligned
from napari_tomo4d.gui.widgets.plots import ImageBox
from napari_tomo4d.gui.work.runner import Runner
from napari_tomo4d.progress import Progress

FLIP, DIFFERENCE, CHECKER, SUM = "Flip-book", "Difference", "Checkerboard", "Sum"

_FLIP_EVERY_MS = 500
_CHOICE_WIDTH = 212
_COLOURS = {"dy": "#4fc3f7", "dx": "#81c784"}
_SUSPECT, _GONE = "#ff5252", "#8a8f98"
_TIPS = {
    FLIP: "The tilt and its neighbour in turn: what jumps does not lie right.",
    DIFFERENCE: "The tilt less its neighbour: an edge bright on one side and dark on the other "
    "shows which way to move it.",
    CHECKER: "The tilt and its neighbour in fields by turns: edges should run on through them.",
    SUM: "The mean of all aligned images: sharp if they lie on each other.",
}


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
        self.setBackground("#1c1f24")
        self._angles: np.ndarray = np.empty(0)
        self._shown: tuple[State, int] | None = None
        self.upper, self.lower = self.addPlot(row=0, col=0), self.addPlot(row=1, col=0)
        self.ci.layout.setRowStretchFactor(0, 3)
        self.ci.layout.setRowStretchFactor(1, 2)
        self.ci.layout.setVerticalSpacing(0)
        self.upper.setLabel("left", "shift (px)")
        self.lower.setLabel("left", "quality")
        self.lower.setLabel("bottom", "tilt angle (°)")
        self.lower.setXLink(self.upper)
        self.upper.getAxis("bottom").setStyle(showValues=False)
        # above the curves, which a legend would hide
        self.upper.setTitle(
            " &nbsp; ".join(
                f'<span style="color: {colour}">{sign} {name}</span>'
                for name, sign, colour in (
                    ("dy", "━", _COLOURS["dy"]),
                    ("dx", "━", _COLOURS["dx"]),
                    ("suspect", "●", _SUSPECT),
                    ("left out", "✕", _GONE),
                )
            ),
            size="8pt",
        )
        self.lower.getAxis("left").setTicks([[(0, "0"), (0.5, "0.5"), (1, "1")]])
        self._here = []
        for plot in (self.upper, self.lower):
            plot.setMenuEnabled(False)
            plot.hideButtons()
            plot.showGrid(x=True, y=True, alpha=0.15)
            plot.getAxis("left").setWidth(46)
            plot.getAxis("left").enableAutoSIPrefix(False)
            line = pg.InfiniteLine(angle=90, pen={"color": "#ffd54f", "width": 1})
            line.setVisible(False)
            plot.addItem(line, ignoreBounds=True)
            self._here.append(line)
        self.curves = {
            name: self.upper.plot(pen={"color": colour, "width": 1.5}, name=name)
            for name, colour in _COLOURS.items()
        }
        self.points = {name: pg.ScatterPlotItem() for name in (*_COLOURS, "quality")}
        self.lower.addItem(self.points["quality"])
        for name in _COLOURS:
            self.upper.addItem(self.points[name])
        self.scene().sigMouseClicked.connect(self._clicked)
        self.setToolTip("Click a point to go to its tilt.")

    def show_state(self, angles_deg: np.ndarray, state: State, time: int) -> None:
        """Show the shifts of one time point."""
        if self._shown == (state, time):
            return
        self._shown = (state, time)
        fresh = not np.array_equal(angles_deg, self._angles)
        self._angles = angles_deg
        at = state.time(time)
        shifts, suspect = state.shifts_px[at], state.origin.suspect[at]
        order = np.argsort(angles_deg, kind="stable")
        gone = state.gone(time)
        for k, name in enumerate(_COLOURS):
            self.curves[name].setData(angles_deg[order], shifts[order, k])
            self._show_points(name, shifts[:, k], _COLOURS[name], suspect, gone)
        self._show_points("quality", state.origin.quality[at], "#ffb74d", suspect, gone)
        self.lower.setYRange(0, 1, padding=0.08)
        if fresh:
            self.upper.enableAutoRange()

    def _show_points(
        self, name: str, values: np.ndarray, colour: str, suspect: np.ndarray, gone: np.ndarray
    ) -> None:
        looks = []
        for k in np.flatnonzero(np.isfinite(values)):
            shown = _GONE if gone[k] else _SUSPECT if suspect[k] else colour
            looks.append(
                {
                    "pos": (self._angles[k], values[k]),
                    "brush": shown,
                    "pen": None,
                    "symbol": "x" if gone[k] else "o",
                    "size": 9 if suspect[k] or gone[k] else 5,
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

    def clear_all(self) -> None:
        """Show nothing."""
        self._angles, self._shown = np.empty(0), None
        for curve in self.curves.values():
            curve.setData([], [])
        for points in self.points.values():
            points.clear()
        self.show_tilt(0)

    def _clicked(self, event: Any) -> None:
        if not len(self._angles) or event.button() != Qt.MouseButton.LeftButton:
            return
        for plot in (self.upper, self.lower):
            if plot.sceneBoundingRect().contains(event.scenePos()):
                angle = plot.getViewBox().mapSceneToView(event.scenePos()).x()
                self.chosen.emit(int(np.argmin(np.abs(self._angles - angle))))

    def sizeHint(self) -> QSize:
        """Return a size that leaves room for the images."""
        return QSize(380, 250)


class PairBox(ImageBox):
    """An image box that keeps grey levels while two images are shown in turn."""

    def show_steady(self, image: np.ndarray, title: str, levels: tuple[float, float]) -> None:
        """Show an image between given grey levels."""
        self._image.setImage(image, levels=levels)
        if self._label is not None:
            self._label.setText(title)
        if image.shape != self._shape:
            self._shape = image.shape
            self.fit()


class AlignmentView(QWidget):
    """Shifts on the left, images on each other on the right.

    Signals
    -------
    seen()
        The view has come into sight or left it.
    """

    seen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._pair: Pair | None = None
        self._levels = (0.0, 1.0)
        self._angles = np.empty(0)
        self._flipped = False
        self.plot = ShiftPlot()
        self._place: tuple[TiltSeries, State, int, int] | None = None
        self._how = ""
        self._drawn: Any = None
        self._stale = False
        self._sum = SumOfAligned()
        self.runner = Runner(self)
        self.runner.finished.connect(self._arrived)
        self.runner.failed.connect(self._failed)
        self.modes = QButtonGroup(self)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setAlignment(Qt.AlignmentFlag.AlignTop)
        # beside the picture, which needs all of the height
        choice = QWidget()
        choice.setFixedWidth(_CHOICE_WIDTH)
        column = QVBoxLayout(choice)
        column.setContentsMargins(4, 0, 4, 0)
        grid = QGridLayout()
        grid.setSpacing(3)
        column.addLayout(grid)
        for k, (name, tip) in enumerate(_TIPS.items()):
            button = QPushButton(name)
            button.setCheckable(True)
            button.setChecked(k == 0)
            button.setToolTip(tip)
            self.modes.addButton(button, k)
            grid.addWidget(button, k // 2, k % 2)
        column.addWidget(self.text, 1)
        self.modes.buttonClicked.connect(self._mode_changed)
        self.box = PairBox(height=120, axes=False, width=250)
        self.box.setToolTip("Wheel to zoom, drag to move, double-click to see all.")
        split = QSplitter()
        split.addWidget(self.plot)
        images = QWidget()
        row = QHBoxLayout(images)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(choice)
        row.addWidget(self.box, 1)
        split.addWidget(images)
        split.setStretchFactor(0, 1)
        split.setStretchFactor(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.addWidget(split)
        self._timer = QTimer(self)
        self._timer.setInterval(_FLIP_EVERY_MS)
        self._timer.timeout.connect(self._flip)
        self.reset()

    @property
    def mode(self) -> str:
        """Which picture is wanted."""
        return self.modes.checkedButton().text()

    @property
    def flipping(self) -> bool:
        """Whether two images are shown in turn just now."""
        return self._timer.isActive()

    @property
    def busy(self) -> bool:
        """Whether the picture is not up to date yet."""
        return self.runner.running or self._stale

    def reset(self) -> None:
        """Say that there is nothing to show."""
        self.runner.drop()
        self._place = self._pair = self._drawn = None
        self._stale = False
        self._sum = SumOfAligned()
        self.plot.clear_all()
        self.box.show_steady(np.zeros((2, 2), np.float32), "", (0, 1))
        self.text.setText("No shifts yet: press Find shifts in the Align panel.")
        self._update_timer()

    def look_at(self, series: TiltSeries, state: State, time: int, tilt: int, how: str) -> None:
        """Show one tilt on its neighbour, or all tilts; `how` says how it is corrected."""
        if self._place is not None and self._place[0] is not series:
            self.runner.drop()
        self._place, self._how = (series, state, time, tilt), how
        self.plot.show_state(series.angles_deg, state, time)
        self.plot.show_tilt(tilt)
        self._make()

    def _make(self) -> None:
        """Make the picture that is wanted; one at a time, and the latest wish counts."""
        if self._place is None or not self.isVisible():
            self._stale = False
            return
        if self.runner.running:
            self._stale = True
            return
        self._stale = False
        (series, state, time, tilt), summed = self._place, self.mode == SUM
        wanted = series, state, summed, -1 if summed else tilt
        if self._drawn == wanted:
            return
        other = neighbour(series.angles_deg, state.bad(time), tilt)
        shifts = state.shifts_px[state.time(time)]

        def make(progress: Progress) -> Any:
            if summed:
                return wanted, self._sum.update(series, state, time, progress)
            return wanted, pair_of(series, shifts, (tilt, other), progress)

        self.runner.start(make)

    def _arrived(self, result: Any, _seconds: float) -> None:
        self._drawn, picture = result
        series, state, *_ = self._drawn
        if isinstance(picture, Pair):
            angles = series.angles_deg
            self._show_pair(picture, angles)
            self.text.setText(
                f"Likeness of {angles[picture.tilt]:+.1f}° and {angles[picture.other]:+.1f}°: "
                f"{picture.correlation:.3f} (1 at best)\n\n{self._how}"
            )
        else:
            self._pair = None
            self.box.show_steady(picture, "mean of all", grey_levels(picture))
            count = len(series) - int(state.left_out.sum())
            self.text.setText(f"Mean of {count} images\n\n{self._how}")
        self._update_timer()
        if self._stale:
            self._make()

    def _failed(self, text: str) -> None:
        self.text.setText(f"Error: {text}")
        if self._stale:
            self._make()

    def _show_pair(self, pair: Pair, angles_deg: np.ndarray) -> None:
        self._pair, self._angles = pair, angles_deg
        self._levels = grey_levels(pair.image)
        self._draw()

    def _draw(self) -> None:
        pair = self._pair
        if pair is None:
            return
        own, other = (f"{self._angles[k]:+.1f}°" for k in (pair.tilt, pair.other))
        if self.mode == DIFFERENCE:
            high = max(np.abs(grey_levels(pair.difference)))
            self.box.show_steady(pair.difference, f"{own} less {other}", (-high, high))
        elif self.mode == CHECKER:
            self.box.show_steady(pair.checkerboard, f"{own} and {other}", self._levels)
        elif self._flipped:
            self.box.show_steady(pair.reference, f"neighbour {other}", self._levels)
        else:
            self.box.show_steady(pair.image, f"this tilt {own}", self._levels)

    def _flip(self) -> None:
        self._flipped = not self._flipped
        self._draw()

    def _mode_changed(self, _button: QPushButton) -> None:
        self._flipped = False
        # a sum of many images takes time, and is not wanted any more
        self.runner.drop()
        self._draw()
        self._update_timer()
        self._make()

    def _update_timer(self) -> None:
        if self.isVisible() and self.mode == FLIP and self._pair is not None:
            if not self._timer.isActive():
                self._timer.start()
        else:
            self._timer.stop()

    def showEvent(self, event: QShowEvent) -> None:
        """Make the picture, and flip."""
        super().showEvent(event)
        self._update_timer()
        self.seen.emit()
        self._make()

    def hideEvent(self, event: QHideEvent) -> None:
        """Do nothing out of sight."""
        super().hideEvent(event)
        self._timer.stop()
        self.seen.emit()

    def sizeHint(self) -> QSize:
        """Return a size that leaves the viewer's canvas visible above."""
        return QSize(860, 300)
