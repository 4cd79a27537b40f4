"""Which slices across the tilt axis are looked at, and how they are shown."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGroupBox,
    QLabel,
    QPushButton,
)

from napari_tomo4d.gui.panels.tilt_axis.model import AxisAndSlices, in_nm
from napari_tomo4d.gui.widgets.number_box import count_box, number_box, side_by_side
from napari_tomo4d.gui.widgets.wheel import ignore_wheel

N_SLICES = 3


class SlicesBox(QGroupBox):
    """A button to place slices by clicks, and what else there is to choose about them.

    Signals
    -------
    placing(on)
        The button was pressed: clicks on the image place slices from now on, or no more.
    typed(slice, along_px)
        A position was typed.
    changed()
        The slices are to be computed in another way: `filtered` or `thickness_px`.
    brightened(on)
        The same slices are to be shown with other grey levels.
    """

    placing = Signal(bool)
    typed = Signal(int, float)
    changed = Signal()
    brightened = Signal(bool)

    def __init__(self) -> None:
        super().__init__("Slices across the axis")
        self.next_slice = 0
        form = QFormLayout(self)
        self.place_button = QPushButton()
        self.place_button.setCheckable(True)
        self.place_button.setToolTip(
            "While this is on, each click on the image puts the next slice there. Small, bright "
            "particles far apart along the axis show most."
        )
        self.place_button.toggled.connect(self._toggled)
        form.addRow(self.place_button)
        self.positions: list[QDoubleSpinBox] = []
        self._in_nm: list[QLabel] = []
        for k in range(N_SLICES):
            spin = number_box(0, 0, 99, "px", "Where the slice is along the axis.", decimals=1)
            spin.valueChanged.connect(lambda value, k=k: self.typed.emit(k, value))
            label = QLabel()
            label.setMinimumWidth(label.fontMetrics().horizontalAdvance("-0000.00 nm"))
            self.positions.append(spin)
            self._in_nm.append(label)
            form.addRow(f"Slice {k + 1}", side_by_side(spin, label))
        self.kind = QComboBox()
        self.kind.addItems(["weighted back-projection", "plain back-projection"])
        self.kind.setToolTip("Weighted shows edges and is sharper; plain is smoother in noise.")
        self.kind.currentIndexChanged.connect(lambda _: self.changed.emit())
        self.thickness = count_box(
            8, 8, 99, "px", "Size of the slices along the beam; thinner ones are larger."
        )
        self.thickness.valueChanged.connect(lambda _: self.changed.emit())
        ignore_wheel(self.kind)
        self.bright = QCheckBox("Brighten faint arcs")
        self.bright.setToolTip(
            "Shows what is faint much brighter than it is: arcs stand out, particles look larger."
        )
        self.bright.toggled.connect(self.brightened)
        form.addRow("Shown as", self.kind)
        form.addRow("Thickness", self.thickness)
        form.addRow(self.bright)
        self._name_button()

    @property
    def filtered(self) -> bool:
        """Whether slices are weighted back-projections, and not plain ones."""
        return self.kind.currentIndex() == 0

    @property
    def thickness_px(self) -> int:
        """Size of the slices along the beam."""
        return int(self.thickness.value())

    def stop_placing(self) -> None:
        """Let clicks on the image be what they are elsewhere, and begin with the first slice."""
        self.place_button.setChecked(False)
        self.next_slice = 0
        self._name_button()

    def take_next(self) -> int:
        """Show that the next slice was placed; returns which one that was."""
        k = self.next_slice
        self.next_slice = (k + 1) % N_SLICES
        self._name_button()
        return k

    def fill(
        self, place: AxisAndSlices, size: tuple[int, int], pixel_size_nm: float | None
    ) -> None:
        """Show where the slices are, without emitting anything.

        Parameters
        ----------
        place : AxisAndSlices
        size : (along, across)
            Of the images, in pixels.
        pixel_size_nm : float, optional
        """
        along, across = size
        with QSignalBlocker(self):
            if (self.positions[0].maximum(), self.thickness.maximum()) != (along - 1, 2 * across):
                # only then, as it takes time and this is done again and again during a drag
                self.thickness.setRange(min(8, across), 2 * across)
                for spin in self.positions:
                    spin.setRange(0, along - 1)
            self.thickness.setValue(place.thickness_px)
            for spin, point in zip(self.positions, place.points_px, strict=True):
                spin.setValue(point[0])
        for spin, label in zip(self.positions, self._in_nm, strict=True):
            label.setText(in_nm(spin.value(), pixel_size_nm))

    def _toggled(self, on: bool) -> None:
        self.next_slice = 0
        self._name_button()
        self.placing.emit(on)

    def _name_button(self) -> None:
        on = self.place_button.isChecked()
        said = f"Click on the image: slice {self.next_slice + 1} is next" if on else "Place slices"
        self.place_button.setText(said)
