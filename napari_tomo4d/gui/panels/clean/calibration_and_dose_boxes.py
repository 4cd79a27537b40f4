"""Pixel size and dose of a tilt series, as steps."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QGroupBox, QHBoxLayout, QLabel, QPushButton

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.gui.canvas.session import Session
from napari_tomo4d.gui.panels.clean.calibration_dialogs import LatticeDialog
from napari_tomo4d.gui.panels.clean.model import DOSE, PIXEL_SIZE, dose_in_words
from napari_tomo4d.gui.widgets.number_box import number_box
from napari_tomo4d.parameters import Parameters

_Steps = list[tuple[str, Parameters]]


class CalibrationBox(QGroupBox):
    """The pixel size: what it is, and perhaps a better one; emits `changed`."""

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__("Calibration")
        self._known: float | None = None
        self.known = QLabel()
        self.tick = QCheckBox("Set pixel size to")
        self.tick.setToolTip("Gives the result this pixel size; the images stay the same.")
        self.nm = number_box(
            0,
            0,
            1e6,
            "nm",
            "Edge of a pixel of the tilt series.",
            decimals=6,
            step=0.1,
            word_at_low="not given",
        )
        self.measure_button = QPushButton("Measure on lattice image...")
        self.measure_button.setToolTip("Finds the pixel size from a lattice of known spacing.")
        self.dialog = LatticeDialog(session, self)
        self.measure_button.clicked.connect(self.dialog.show)
        self.dialog.measured.connect(self.use)
        row = QHBoxLayout()
        row.addWidget(self.tick)
        row.addWidget(self.nm, 1)
        form = QFormLayout(self)
        form.addRow("Pixel size", self.known)
        form.addRow(row)
        form.addRow(self.measure_button)
        self.tick.toggled.connect(self.changed)
        self.nm.valueChanged.connect(self._typed)

    @property
    def pixel_size_nm(self) -> float | None:
        """The pixel size that the result will have, None if it is unknown."""
        return self.nm.value() if self._is_set else self._known

    @property
    def problem(self) -> str:
        """What is missing, empty if nothing."""
        if self.tick.isChecked() and not self._is_set:
            return "Give or measure the pixel size under Calibration, or untick it."
        return ""

    @property
    def _is_set(self) -> bool:
        return bool(self.tick.isChecked() and self.nm.value() > 0)

    def set_known(self, pixel_size_nm: float | None) -> None:
        """Say what the pixel size is so far."""
        self._known = pixel_size_nm
        self.known.setText("unknown" if pixel_size_nm is None else f"{pixel_size_nm:.6g} nm")

    def use(self, pixel_size_nm: float) -> None:
        """Set another pixel size."""
        self.nm.setValue(pixel_size_nm)
        self.tick.setChecked(True)
        self.changed.emit()

    def steps(self) -> _Steps:
        """Return the step that sets it, if it is ticked."""
        if not self._is_set:
            return []
        return [(PIXEL_SIZE, {"pixel_size_nm": self.nm.value()})]

    def set_steps(self, done: dict[str, Parameters]) -> bool:
        """Fill in the parameters of steps, by name; returns whether this one was among them."""
        given = done.get(PIXEL_SIZE)
        self.tick.setChecked(given is not None)
        if given is not None:
            self.nm.setValue(given["pixel_size_nm"])
        return given is not None

    def _typed(self, value: float) -> None:
        self.tick.setChecked(value > 0)
        self.changed.emit()


class DoseBox(QGroupBox):
    """The dose from current and dwell time, included when ticked; emits `changed`."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__("Dose")
        self.setCheckable(True)
        self.setChecked(False)
        self.current = number_box(
            0, 0, 1e6, "pA", "Probe current.", decimals=3, word_at_low="not given"
        )
        self.dwell = number_box(
            500,
            0,
            1e9,
            "ns",
            "Time the probe stays on each pixel.",
            decimals=1,
            step=10,
            word_at_low="not given",
        )
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setToolTip("Counts every frame that was recorded, also those not used later.")
        form = QFormLayout(self)
        form.addRow("Probe current", self.current)
        form.addRow("Dwell time", self.dwell)
        form.addRow(self.text)
        for signal in (self.toggled, self.current.valueChanged, self.dwell.valueChanged):
            signal.connect(self.changed)

    @property
    def _is_given(self) -> bool:
        return bool(self.current.value() > 0 and self.dwell.value() > 0)

    def problem(self, pixel_size_nm: float | None) -> str:
        """Return what is missing for a dose, empty if nothing."""
        if not self.isChecked():
            return ""
        if not self._is_given:
            return "Give the probe current and the dwell time, or untick Dose."
        if pixel_size_nm is None:
            return "The dose needs a pixel size: set it under Calibration, or untick Dose."
        return ""

    def show_dose(self, series: TiltSeries | None, pixel_size_nm: float | None) -> None:
        """Write the dose of a series, as the step would compute it."""
        problem = self.problem(pixel_size_nm)
        if not self.isChecked() or problem or series is None:
            self.text.setText(problem or "Tick to add the dose per tilt to the result.")
            return
        size = pixel_size_nm or 0.0
        words = dose_in_words(series, size, self.current.value(), self.dwell.value())
        self.text.setText(words)

    def steps(self) -> _Steps:
        """Return the step that computes it, if it is ticked."""
        if not (self.isChecked() and self._is_given):
            return []
        parameters = {
            "probe_current_pa": self.current.value(),
            "dwell_time_ns": self.dwell.value(),
        }
        return [(DOSE, parameters)]

    def set_steps(self, done: dict[str, Parameters]) -> bool:
        """Fill in the parameters of steps, by name; returns whether this one was among them."""
        given = done.get(DOSE)
        self.setChecked(given is not None)
        if given is not None:
            self.current.setValue(given["probe_current_pa"])
            self.dwell.setValue(given["dwell_time_ns"])
        return given is not None
