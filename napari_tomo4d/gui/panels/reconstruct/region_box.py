"""The region of the images that is reconstructed."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFormLayout, QGroupBox, QPushButton
from superqt import QLabeledRangeSlider

from napari_tomo4d.gui.widgets.wheel import ignore_wheel
from napari_tomo4d.parameters import Parameters

CROP = "preprocess.crop"


class RegionBox(QGroupBox):
    """First and last row and column.

    Signals
    -------
    changed()
        After any edit.
    draw_wanted()
        The region is to be drawn in the viewer.
    """

    changed = Signal()
    draw_wanted = Signal()

    def __init__(self) -> None:
        super().__init__("Region")
        self._shape = (1, 1)
        self.rows = _range("First and last row that is reconstructed, along y.")
        self.columns = _range("First and last column that is reconstructed, along x.")
        draw = QPushButton("Draw it in the viewer")
        draw.setToolTip("Shows a rectangle over the images; drag its corners to set the region.")
        draw.clicked.connect(lambda _=False: self.draw_wanted.emit())
        form = QFormLayout(self)
        form.addRow("Rows (px)", self.rows)
        form.addRow("Columns (px)", self.columns)
        form.addRow("", draw)
        for slider in (self.rows, self.columns):
            slider.valueChanged.connect(lambda _: self.changed.emit())

    @property
    def region(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Start and stop along y and along x, in pixels; the stop is the first one outside."""
        (y0, y1), (x0, x1) = self.rows.value(), self.columns.value()
        return (int(y0), int(y1) + 1), (int(x0), int(x1) + 1)

    @property
    def shape(self) -> tuple[int, int]:
        """Size (y, x) of the region in pixels."""
        (y0, y1), (x0, x1) = self.region
        return y1 - y0, x1 - x0

    def set_image_shape(self, shape: tuple[int, int]) -> None:
        """Say how large the images (y, x) are, without emitting; a new size selects all."""
        if shape != self._shape:
            self._shape = shape
            self.set_region((0, shape[0]), (0, shape[1]))

    def set_region(self, rows: tuple[int, int | None], columns: tuple[int, int | None]) -> None:
        """Show starts and stops, cut to what there is, without emitting."""
        for slider, (start, stop), n in zip(
            (self.rows, self.columns), (rows, columns), self._shape, strict=True
        ):
            start = min(max(start, 0), n - 1)
            stop = min(max(n if stop is None else stop, start + 1), n)
            slider.blockSignals(True)
            slider.setRange(0, n - 1)
            slider.setValue((start, stop - 1))
            slider.blockSignals(False)

    def steps(self) -> list[tuple[str, Parameters]]:
        """Return the step that cuts the region out; none if it is all of the image."""
        if self.shape == self._shape:
            return []
        (y_start, y_stop), (x_start, x_stop) = self.region
        return [
            (CROP, {"y_start": y_start, "y_stop": y_stop, "x_start": x_start, "x_stop": x_stop})
        ]

    def set_steps(self, done: dict[str, Parameters]) -> None:
        """Show the region of steps, by name, without emitting; all if none cut it."""
        crop = done.get(CROP, {})
        self.set_region(
            (crop.get("y_start", 0), crop.get("y_stop")),
            (crop.get("x_start", 0), crop.get("x_stop")),
        )


def _range(tip: str) -> QLabeledRangeSlider:
    slider = QLabeledRangeSlider(Qt.Orientation.Horizontal)
    slider.setHandleLabelPosition(QLabeledRangeSlider.LabelPosition.NoLabel)
    slider.setEdgeLabelMode(QLabeledRangeSlider.EdgeLabelMode.LabelIsValue)
    slider.setToolTip(tip)
    ignore_wheel(slider)
    return slider
