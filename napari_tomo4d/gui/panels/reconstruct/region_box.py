"""What is done to the images just before a reconstruction: region, binning, background."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QWidget,
)

from napari_tomo4d.gui.widgets.number_box import count_box, number_box


class PreparationBox(QGroupBox):
    """Region, binning and background of a tilt series, as steps; emits `changed`.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the region can be drawn.
    target : callable
        Returns the layer that is worked on, or None.
    """

    changed = Signal()

    def __init__(self, viewer: Any, target: Callable[[], Any]) -> None:
        super().__init__("Region and background")
        self._viewer, self._target = viewer, target
        self._region_layer: Any = None
        self._filling = False
        self.rows = RangeBox("First and last row that is reconstructed, along y.")
        self.columns = RangeBox("First and last column that is reconstructed, along x.")
        draw = QPushButton("Draw it in the viewer")
        draw.setToolTip("Adds a rectangle to the viewer; drag its corners to set the region.")
        draw.clicked.connect(self.draw_region)
        self.binning = count_box(1, 1, 16, tip="Joins pixels: 2 is eight times smaller and faster.")
        self.subtract = QCheckBox("Subtract background")
        self.subtract.setToolTip("Takes a percentile of each image as its background.")
        self.percentile = number_box(50, 0, 100, "%", "Share of pixels that are background.")
        background = QHBoxLayout()
        background.addWidget(self.subtract)
        background.addWidget(self.percentile)
        form = QFormLayout(self)
        form.addRow("Rows (px)", self.rows)
        form.addRow("Columns (px)", self.columns)
        form.addRow("", draw)
        form.addRow("Binning", self.binning)
        form.addRow(background)
        for signal in (
            *self.rows.signals,
            *self.columns.signals,
            self.binning.valueChanged,
            self.percentile.valueChanged,
            self.subtract.toggled,
        ):
            signal.connect(self._emit)

    def _emit(self, *_: Any) -> None:
        if not self._filling:
            self.changed.emit()

    @property
    def result_shape(self) -> tuple[int, int]:
        """Size (y, x) of the images after cropping and binning."""
        factor = self.binning.value()
        return self.rows.length // factor, self.columns.length // factor

    def set_limits(self, image_shape: tuple[int, int]) -> None:
        """Say how large the images are; a changed size selects all of it."""
        self._filling = True
        self.rows.set_limit(image_shape[0])
        self.columns.set_limit(image_shape[1])
        self._filling = False

    def steps(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the steps that do this."""
        steps: list[tuple[str, dict[str, Any]]] = []
        if not (self.rows.is_all and self.columns.is_all):
            (y_start, y_stop), (x_start, x_stop) = self.rows.value, self.columns.value
            steps.append(
                (
                    "preprocess.crop",
                    {"y_start": y_start, "y_stop": y_stop, "x_start": x_start, "x_stop": x_stop},
                )
            )
        if self.binning.value() > 1:
            steps.append(("preprocess.bin", {"factor": self.binning.value()}))
        if self.subtract.isChecked():
            parameters = {"percentile": self.percentile.value(), "clip": True}
            steps.append(("preprocess.subtract_background", parameters))
        return steps

    def set_steps(self, done: dict[str, dict[str, Any]]) -> None:
        """Fill in the parameters of steps, by name; those missing are switched off."""
        self._filling = True
        crop = done.get("preprocess.crop", {})
        self.rows.set_value(crop.get("y_start", 0), crop.get("y_stop"))
        self.columns.set_value(crop.get("x_start", 0), crop.get("x_stop"))
        self.binning.setValue(done.get("preprocess.bin", {}).get("factor", 1))
        background = done.get("preprocess.subtract_background")
        self.subtract.setChecked(background is not None)
        if background is not None:
            self.percentile.setValue(background["percentile"])
        self._filling = False

    def draw_region(self) -> None:
        """Add a rectangle to the viewer that sets the region."""
        layer = self._target()
        if layer is None:
            return
        if self._region_layer is None or self._region_layer not in self._viewer.layers:
            self._region_layer = self._viewer.add_shapes(
                name="region",
                ndim=2,
                scale=layer.scale[-2:],
                units=layer.units[-2:],
                axis_labels=("y", "x"),
                edge_color="#ffd54f",
                edge_width=1,
                face_color="transparent",
            )
            self._region_layer.events.data.connect(self._region_drawn)
        (y0, y1), (x0, x1) = self.rows.value, self.columns.value
        self._filling = True
        corners = np.array([[y0, x0], [y0, x1], [y1, x1], [y1, x0]], float) - 0.5
        self._region_layer.data = []
        self._region_layer.add_rectangles([corners])
        self._filling = False
        self._viewer.layers.selection.active = self._region_layer
        self._region_layer.mode = "select"
        self._region_layer.selected_data = {0}

    def _region_drawn(self, _event: Any = None) -> None:
        shapes = self._region_layer.data
        if self._filling or not len(shapes):
            return
        corners = np.asarray(shapes[-1])[:, -2:]
        low, high = np.round(corners.min(axis=0) + 0.5), np.round(corners.max(axis=0) + 0.5)
        self._filling = True
        self.rows.set_value(int(low[0]), int(high[0]))
        self.columns.set_value(int(low[1]), int(high[1]))
        self._filling = False
        self.changed.emit()


class RangeBox(QWidget):
    """First and last pixel, as a half-open range for the steps."""

    def __init__(self, tip: str) -> None:
        super().__init__()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.first, self.last = count_box(0, 0, 99, tip=tip), count_box(0, 0, 99, tip=tip)
        layout.addWidget(self.first, 1)
        layout.addWidget(QLabel("to"))
        layout.addWidget(self.last, 1)
        self.signals = self.first.valueChanged, self.last.valueChanged
        self._limit = 1
        self.first.valueChanged.connect(lambda v: self.last.setMinimum(v))
        self.last.valueChanged.connect(lambda v: self.first.setMaximum(v))

    @property
    def value(self) -> tuple[int, int]:
        """Start and stop."""
        return self.first.value(), self.last.value() + 1

    @property
    def length(self) -> int:
        """Number of pixels."""
        return self.value[1] - self.value[0]

    @property
    def is_all(self) -> bool:
        """Whether nothing is cut off."""
        return self.value == (0, self._limit)

    def set_limit(self, n: int) -> None:
        """Set how many pixels there are; a changed number selects all."""
        if n != self._limit:
            self._limit = n
            self.set_value(0, n)

    def set_value(self, start: int, stop: int | None) -> None:
        """Set start and stop, cut to what there is."""
        stop = self._limit if stop is None else stop
        start = min(max(start, 0), self._limit - 1)
        stop = min(max(stop, start + 1), self._limit)
        self.first.setRange(0, self._limit - 1)
        self.last.setRange(0, self._limit - 1)
        self.first.setValue(start)
        self.last.setValue(stop - 1)
