"""Where the tilt axis is, in numbers, and the buttons to search it or to go back."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QGroupBox, QLabel, QPushButton

from napari_tomo4d.align.tilt_axis import METHODS
from napari_tomo4d.gui.panels.tilt_axis.model import AxisAndSlices, in_nm
from napari_tomo4d.gui.widgets.allow import allow
from napari_tomo4d.gui.widgets.number_box import number_box, side_by_side
from napari_tomo4d.gui.widgets.wheel import ignore_wheel

_DIRECTIONS = {"y": "vertical (y)", "x": "horizontal (x)"}


class AxisBox(QGroupBox):
    """Direction, shift and rotation of the axis, and how it is searched.

    Signals
    -------
    direction_chosen(direction)
        "y" or "x".
    changed(shift_px, rotation_deg)
        One of the two was typed.
    suggest_pressed(method)
    reset_pressed()
    """

    direction_chosen = Signal(str)
    changed = Signal(float, float)
    suggest_pressed = Signal(str)
    reset_pressed = Signal()

    def __init__(self) -> None:
        super().__init__("Tilt axis")
        form = QFormLayout(self)
        self.direction = QComboBox()
        for direction, title in _DIRECTIONS.items():
            self.direction.addItem(title, direction)
        self.direction.setToolTip(
            "Image axis which the tilt axis is parallel to. If all slices look like noise, try the "
            "other one."
        )
        self.direction.activated.connect(
            lambda _: self.direction_chosen.emit(self.direction.currentData())
        )
        self.shift = number_box(
            0, -1e5, 1e5, "px", "Position of the axis, counted from the image centre.", step=0.25
        )
        self.rotation = number_box(
            0, -45, 45, "°", "Angle of the axis to the side of the image.", step=0.05
        )
        self.shift_nm = QLabel()
        self.shift_nm.setMinimumWidth(self.shift_nm.fontMetrics().horizontalAdvance("-0000.00 nm"))
        for spin in (self.shift, self.rotation):
            spin.valueChanged.connect(
                lambda _: self.changed.emit(self.shift.value(), self.rotation.value())
            )
        self.method = QComboBox()
        self.method.addItems(METHODS)
        self.method.setToolTip(
            "How Suggest searches. Centre-of-mass needs the whole object in all images; sharpness "
            "compares slices; automatic takes what fits and refines it."
        )
        for box in (self.direction, self.method):
            ignore_wheel(box)
        self.suggest_button = QPushButton("Suggest")
        self.suggest_button.clicked.connect(
            lambda: self.suggest_pressed.emit(self.method.currentText())
        )
        reset_button = QPushButton("Reset")
        reset_button.setToolTip("Puts the axis back where it was when the layer was chosen.")
        reset_button.clicked.connect(lambda: self.reset_pressed.emit())
        form.addRow("Direction", self.direction)
        form.addRow("Shift", side_by_side(self.shift, self.shift_nm))
        form.addRow("Rotation", self.rotation)
        form.addRow("Search by", self.method)
        form.addRow(side_by_side(self.suggest_button, reset_button))

    def fill(self, place: AxisAndSlices, across_px: int, pixel_size_nm: float | None) -> None:
        """Show where the axis is, without emitting anything.

        Parameters
        ----------
        place : AxisAndSlices
        across_px : int
            Size of the images across the axis.
        pixel_size_nm : float, optional
        """
        with QSignalBlocker(self):
            self.direction.setCurrentIndex(list(_DIRECTIONS).index(place.direction))
            if self.shift.maximum() != across_px / 2:
                # only then, as it takes time and this is done again and again during a drag
                self.shift.setRange(-across_px / 2, across_px / 2)
            self.shift.setValue(place.shift_px)
            self.rotation.setValue(place.rotation_deg)
        self.shift_nm.setText(in_nm(place.shift_px, pixel_size_nm))

    def show_state(self, problem: str, running: str) -> None:
        """Allow what can be done; either says why not."""
        self.setEnabled(not problem)
        self.setToolTip(problem)
        allow(self.suggest_button, "Searches the axis and shows the curves.", problem or running)
