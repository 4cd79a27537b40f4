"""The live slice, and how the residual falls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QTabWidget, QVBoxLayout, QWidget
from superqt import QLabeledSlider

from napari_tomo4d.gui.widgets.plots import CurveBox, ImageBox
from napari_tomo4d.gui.widgets.wheel import ignore_wheel


class SliceView(QTabWidget):
    """Tabs with a slice across the tilt axis and with the residual; `moved` to another slice."""

    moved = Signal()

    def __init__(self) -> None:
        super().__init__()
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(3, 3, 3, 3)
        self.slice = QLabeledSlider(Qt.Orientation.Horizontal)
        self.slice.setToolTip("Which slice across the tilt axis is shown.")
        self.slice.valueChanged.connect(lambda _: self.moved.emit())
        ignore_wheel(self.slice)
        self.image = ImageBox()
        self.image.setToolTip("A slice across the tilt axis; the beam comes from above.")
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setVisible(False)
        for widget in (self.slice, self.image, self.note):
            layout.addWidget(widget)
        self.curve = CurveBox("iteration", "relative residual")
        self.addTab(page, "Live slice")
        self.addTab(self.curve, "Residual")

    @property
    def index(self) -> int:
        """Which slice is wanted."""
        return int(self.slice.value())

    @property
    def first(self) -> int:
        """The first slice there is."""
        return int(self.slice.minimum())

    def set_slices(self, first: int, stop: int, centre: bool) -> None:
        """Say which slices there are, without emitting; `centre` shows the middle one."""
        self.slice.blockSignals(True)
        keep = (first + stop) // 2 if centre else self.index
        self.slice.setRange(first, stop - 1)
        self.slice.setValue(min(max(keep, first), stop - 1))
        self.slice.blockSignals(False)

    def show_section(self, section: np.ndarray, title: str) -> None:
        """Show a section (z, across)."""
        self.image.show_image(section, title)
        self.say("")

    def clear_section(self) -> None:
        """Show no section and no note."""
        self.image.clear_image()
        self.say("")

    def show_residuals(self, residuals: Sequence[float]) -> None:
        """Show relative residuals after each iteration; none to empty the plot."""
        self.curve.show_curve(residuals)

    def say(self, text: str) -> None:
        """Write a note below the slice; empty to remove it."""
        self.note.setText(text)
        self.note.setVisible(bool(text))
