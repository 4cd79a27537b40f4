"""Probe current and dwell time, which give the dose."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QFormLayout, QGroupBox, QLabel

from napari_tomo4d.gui.widgets.number_box import number_box, room_for
from napari_tomo4d.parameters import Parameters

_CURRENT, _DWELL = "probe_current_pa", "dwell_time_ns"
_DECIMALS = {_CURRENT: 3, _DWELL: 1}
_FIRST = {_CURRENT: 0.0, _DWELL: 500.0}


class DoseBox(QGroupBox):
    """The dose, given once there is a probe current; emits `changed`."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__("Dose")
        self.current = number_box(
            _FIRST[_CURRENT],
            0,
            1e6,
            "pA",
            "Probe current; with the dwell time it gives the dose.",
            decimals=_DECIMALS[_CURRENT],
            word_at_low="not given",
        )
        self.dwell = number_box(
            _FIRST[_DWELL],
            1,
            1e9,
            "ns",
            "Time the probe stays on each pixel of one frame.",
            decimals=_DECIMALS[_DWELL],
            step=10,
        )
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setToolTip("Counts every frame that was recorded, also those not used later.")
        form = QFormLayout(self)
        form.addRow("Probe current", self.current)
        form.addRow("Dwell time", self.dwell)
        form.addRow(self.text)
        self._boxes = {_CURRENT: self.current, _DWELL: self.dwell}
        for box in self._boxes.values():
            box.valueChanged.connect(lambda _: self.changed.emit())

    @property
    def given(self) -> Parameters | None:
        """The parameters of the step *Compute dose*, if there is a probe current."""
        if self.current.value() <= 0:
            return None
        return {name: box.value() for name, box in self._boxes.items()}

    def set_given(self, given: Parameters | None) -> None:
        """Show parameters of the step, or that there are none, without emitting anything."""
        with QSignalBlocker(self):
            for name, value in (given or _FIRST).items():
                with room_for(self._boxes[name], value, _DECIMALS[name]):
                    self._boxes[name].setValue(value)

    def show_text(self, text: str) -> None:
        """Show the dose in words."""
        self.text.setText(text or "Give the probe current to see the dose.")
