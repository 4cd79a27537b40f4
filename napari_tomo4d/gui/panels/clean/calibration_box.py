"""The pixel size of a tilt series, as a step."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QGroupBox, QHBoxLayout, QLabel, QPushButton

from napari_tomo4d.gui.canvas.session import Session
from napari_tomo4d.gui.panels.clean.calibration_dialogs import LatticeDialog
from napari_tomo4d.gui.panels.clean.model import PIXEL_SIZE
from napari_tomo4d.gui.widgets.number_box import number_box, room_for
from napari_tomo4d.parameters import Parameters

_DECIMALS = 6
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
            decimals=_DECIMALS,
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
        self._put(pixel_size_nm)
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
            self._put(given["pixel_size_nm"])
        return given is not None

    def _put(self, pixel_size_nm: float) -> None:
        with room_for(self.nm, pixel_size_nm, _DECIMALS):
            self.nm.setValue(pixel_size_nm)

    def _typed(self, value: float) -> None:
        self.tick.setChecked(value > 0)
        self.changed.emit()
