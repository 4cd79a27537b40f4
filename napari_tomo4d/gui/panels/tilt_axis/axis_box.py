"""Where the tilt axis is, in numbers, and the buttons to search it or to go back."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QGroupBox, QLabel, QPushButton

from napari_tomo4d.align.tilt_axis import METHODS
from napari_tomo4d.gui.panels.tilt_axis.model import in_nm
from napari_tomo4d.gui.widgets.number_box import number_box, side_by_side
from napari_tomo4d.gui.widgets.wheel import ignore_wheel


class AxisBox(QGroupBox):
    """Shift and rotation of the axis, and how it is searched.

    Signals
    -------
    changed()
        Shift or rotation was typed.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__("Tilt axis")
        form = QFormLayout(self)
        self.shift = number_box(
            0, -1e5, 1e5, "px", "Position of the axis, counted from the image centre.", step=0.25
        )
        self.rotation = number_box(
            0, -45, 45, "°", "Angle of the axis to the side of the image.", step=0.05
        )
        self.shift_nm = QLabel()
        self.shift_nm.setMinimumWidth(self.shift_nm.fontMetrics().horizontalAdvance("-0000.00 nm"))
        for spin in (self.shift, self.rotation):
            spin.valueChanged.connect(lambda _: self.changed.emit())
        self.method = QComboBox()
        self.method.addItems(METHODS)
        self.method.setToolTip(
            "How Suggest searches. Centre-of-mass needs the whole object in all images; sharpness "
            "compares slices; automatic takes what fits and refines it."
        )
        ignore_wheel(self.method)
        self.suggest_button = QPushButton("Suggest")
        self.reset_button = QPushButton("Reset")
        self.reset_button.setToolTip("Puts the axis back where it was when the layer was chosen.")
        form.addRow("Shift", side_by_side(self.shift, self.shift_nm))
        form.addRow("Rotation", self.rotation)
        form.addRow("Search by", self.method)
        form.addRow(side_by_side(self.suggest_button, self.reset_button))

    def fill(self, shift: float, rotation: float) -> None:
        """Show another axis, without telling anyone."""
        with QSignalBlocker(self):
            self.shift.setValue(shift)
            self.rotation.setValue(rotation)

    def show_nm(self, size: float | None) -> None:
        """Say the shift in nanometres, where the size of a pixel is known."""
        self.shift_nm.setText(in_nm(self.shift.value(), size))
