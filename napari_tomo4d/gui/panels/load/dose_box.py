"""Probe current and dwell time, which give the dose."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QGroupBox, QLabel

from napari_tomo4d.gui.panels.load.model import Dose
from napari_tomo4d.gui.widgets.number_box import number_box


class DoseBox(QGroupBox):
    """The dose, given once there is a probe current; emits `changed`."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__("Dose")
        form = QFormLayout(self)
        self.current = number_box(
            0,
            0,
            1e6,
            "pA",
            "Probe current; with the dwell time it gives the dose.",
            decimals=3,
            word_at_low="not given",
        )
        self.dwell = number_box(
            500, 1, 1e9, "ns", "Time the probe stays on each pixel.", decimals=1, step=10
        )
        self.text = QLabel()
        self.text.setWordWrap(True)
        form.addRow("Probe current", self.current)
        form.addRow("Dwell time", self.dwell)
        form.addRow(self.text)
        for spin in (self.current, self.dwell):
            spin.valueChanged.connect(lambda _: self.changed.emit())

    @property
    def dose(self) -> Dose | None:
        """What was given, if it was."""
        if self.current.value() <= 0:
            return None
        return Dose(self.current.value(), self.dwell.value())

    def show_text(self, text: str) -> None:
        """Show the dose in words."""
        self.text.setText(text or "Give the probe current to see the dose.")
