"""Three slices that follow the tilt axis live, and the curves of what was searched."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QEvent, QObject, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QFocusEvent, QResizeEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSplitter, QVBoxLayout, QWidget

from napari_tomo4d.align import TiltAxis
from napari_tomo4d.gui import theme
from napari_tomo4d.gui.panels.tilt_axis.axis_line import AXIS_COLOUR, SLICE_COLOURS
from napari_tomo4d.gui.panels.tilt_axis.live_slices import Slices
from napari_tomo4d.gui.panels.tilt_axis.metric_plot import MetricPlot
from napari_tomo4d.gui.panels.tilt_axis.model import frame_of
from napari_tomo4d.gui.widgets.keys import Keys, arrow_keys
from napari_tomo4d.gui.widgets.plots import ImageBox

_COARSE, _FINE = (0.5, 0.1), (0.1, 0.02)
"""Pixels and degrees by which a key moves the axis."""

_FAINT_GAMMA = 0.5

_KEYS = "Arrow keys: ← → move by 0.5 px, ↑ ↓ turn by 0.1°; with Shift 0.1 px, 0.02°."


class SliceBox(ImageBox):
    """One slice, with a cross where the tilt axis goes through it."""

    def __init__(self, colour: str) -> None:
        super().__init__(height=120, axes=False, width=190)
        self.setMinimumWidth(100)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._size = (0.0, 0.0)
        self._rect = QRectF()
        if self._label is not None:
            self._label.opts["color"] = colour
        self._cross = pg.ScatterPlotItem(symbol="+", size=13, pen=AXIS_COLOUR, brush=AXIS_COLOUR)
        self._plot.addItem(self._cross, ignoreBounds=True)

    def show_bytes(
        self, image: np.ndarray, title: str, axis: float, size: tuple[float, float]
    ) -> None:
        """Show an image (z, across) of grey levels, with a cross at the axis.

        Parameters
        ----------
        image : array (z, across), uint8
        title : str
        axis : float
            Where the axis is across, in pixels of the tilt images.
        size : tuple of float (z, across)
            Size in pixels of the tilt images; those of a coarser image are larger.
        """
        self._image.setImage(image, autoLevels=False, levels=(0, 255))
        n_z, width = size
        rect = QRectF(0, 0, width, n_z)
        if rect != self._rect:
            self._rect = rect
            self._image.setRect(rect)
        self.show_title(title)
        self._cross.setData([axis + 0.5], [n_z / 2])
        # a part that was zoomed into stays when slices become finer
        if abs(self._size[0] - n_z) + abs(self._size[1] - width) > 0.02 * width:
            self._size = size
            self.fit()

    def clear_image(self) -> None:
        """Show nothing, not even the cross."""
        super().clear_image()
        self._cross.setData([], [])

    def range_shown(self) -> np.ndarray:
        """Return the part of the slice that is seen: ((left, right), (top, bottom)) in pixels."""
        return np.array(self._plot.viewRange())

    def brighten(self, on: bool) -> None:
        """Show what is faint brighter than it is, or as it is."""
        ramp = np.linspace(0, 1, 256) ** (_FAINT_GAMMA if on else 1)
        self._image.setLookupTable(np.round(255 * ramp).astype(np.uint8) if on else None)

    def fit(self) -> None:
        """Show all of the image, without a margin: there is little room."""
        n_z, width = self._size
        if width:
            self._plot.setRange(xRange=(0, width), yRange=(0, n_z), padding=0.01)
        self.fitted.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show all of the image in the new size too."""
        super().resizeEvent(event)
        # the base class is resized while it is being built
        if hasattr(self, "_cross"):
            self.fit()


class SlicesView(QWidget):
    """Three slices and two curves; arrow keys move the axis.

    Signals
    -------
    nudged(shift_px, rotation_deg)
        By how much.
    shift_chosen(float), rotation_chosen(float)
        By a click into a curve.
    """

    nudged = Signal(float, float)
    shift_chosen = Signal(float)
    rotation_chosen = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.slices: Slices | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.boxes = [SliceBox(c) for c in SLICE_COLOURS]
        images = QWidget()
        row = QHBoxLayout(images)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(3)
        for box in self.boxes:
            box.setToolTip(
                "A slice across the tilt axis, the beam from above; the cross is the axis. Arcs "
                "around particles turn to points where the axis is right. Wheel to zoom."
            )
            box.viewport().installEventFilter(self)
            row.addWidget(box, 1)
        self.shift_plot, self.rotation_plot = (
            MetricPlot("shift", " px"),
            MetricPlot("rotation", "°"),
        )
        self.shift_plot.chosen.connect(self.shift_chosen)
        self.rotation_plot.chosen.connect(self.rotation_chosen)
        self.curves = QWidget()
        column = QVBoxLayout(self.curves)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        for plot in (self.shift_plot, self.rotation_plot):
            plot.viewport().installEventFilter(self)
            column.addWidget(plot, 1)
        self.curves.hide()
        split = QSplitter()
        split.addWidget(images)
        split.addWidget(self.curves)
        split.setStretchFactor(0, 1)
        self.keys, self.speed = QLabel(), QLabel()
        self.speed.setToolTip("From a change of the axis to the slices on the screen.")
        foot = QHBoxLayout()
        foot.addWidget(self.keys, 1)
        foot.addWidget(self.speed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.setSpacing(2)
        layout.addWidget(split, 1)
        layout.addLayout(foot)
        Keys(self, arrow_keys(self._press_arrow)).watch(self)
        self._show_focus(False)

    def show_slices(self, slices: Slices, titles: Sequence[str]) -> None:
        """Show slices, and what each of them is."""
        self.slices = slices
        request, factor = slices.request, slices.factor
        across = frame_of(request.series).size[1]
        n_z, width = slices.shown.shape[1:]
        axis = (across - 1) / 2 + request.shift_px
        for box, image, title in zip(self.boxes, slices.shown, titles, strict=False):
            box.show_bytes(image, title, axis, (n_z * factor, width * factor))

    def clear_slices(self) -> None:
        """Show no slices."""
        self.slices = None
        for box in self.boxes:
            box.clear_image()

    def brighten(self, on: bool) -> None:
        """Show what is faint in the slices brighter than it is, or as it is."""
        for box in self.boxes:
            box.brighten(on)

    def show_axis(self, found: TiltAxis) -> None:
        """Show the curves of a search."""
        for plot, curve, best, error in (
            (self.shift_plot, found.curve_shift, found.shift_px, found.shift_uncertainty_px),
            (
                self.rotation_plot,
                found.curve_rotation,
                found.rotation_deg,
                found.rotation_uncertainty_deg,
            ),
        ):
            plot.show_metric(curve.positions, curve.values, best, error)
        self.curves.show()

    def forget(self) -> None:
        """Hide the curves: they belong to another series or direction."""
        self.curves.hide()

    def mark(self, shift: float, rotation: float) -> None:
        """Mark in the curves where the axis is, in pixels and degrees."""
        self.shift_plot.here.setValue(shift)
        self.rotation_plot.here.setValue(rotation)

    def _press_arrow(self, down: int, right: int, fine: bool) -> None:
        shift, rotation = _FINE if fine else _COARSE
        self.nudged.emit(right * shift, -down * rotation)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Take the keys after a click on an image or a curve."""
        if event is not None and event.type() == QEvent.Type.MouseButtonPress:
            self.setFocus()
        return super().eventFilter(watched, event)

    def focusInEvent(self, event: QFocusEvent | None) -> None:
        """Say that the keys work."""
        super().focusInEvent(event)
        self._show_focus(True)

    def focusOutEvent(self, event: QFocusEvent | None) -> None:
        """Say how to make the keys work."""
        super().focusOutEvent(event)
        self._show_focus(False)

    def _show_focus(self, focused: bool) -> None:
        self.keys.setText(
            _KEYS if focused else f"Click a slice, then: {_KEYS[0].lower()}{_KEYS[1:]}"
        )
        theme.set_text_colour(self.keys, "axis" if focused else "")

    def sizeHint(self) -> QSize:
        """Return a size that leaves the viewer's canvas visible above."""
        return QSize(860, 265)
