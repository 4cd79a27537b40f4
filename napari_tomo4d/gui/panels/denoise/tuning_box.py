"""What noise is measured and tuned on, and the buttons for it."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QGroupBox, QHBoxLayout, QLabel, QPushButton, QWidget

from napari_tomo4d.gui.widgets.allow import allow
from napari_tomo4d.gui.widgets.number_box import count_box


class TuningBox(QGroupBox):
    """The choice of a series with frames, and what can be done with it.

    Parameters
    ----------
    frames : QWidget
        Chooses the series.

    Signals
    -------
    measure_wanted(), tune_wanted(), save_wanted()
        A button was pressed.
    """

    measure_wanted = Signal()
    tune_wanted = Signal()
    save_wanted = Signal()

    def __init__(self, frames: QWidget) -> None:
        super().__init__("Tune")
        self.tilts = count_box(2, 1, 20, tip="Number of tilts that scores are averaged over.")
        self.measure_button = QPushButton("Measure")
        self.tune_button = QPushButton("Tune")
        self.tune_button.setToolTip(
            "Tries noise types and strengths, shows all scores, fills in the best below."
        )
        self.save_button = QPushButton("Save noise...")
        row = QHBoxLayout()
        for button, signal in (
            (self.measure_button, self.measure_wanted),
            (self.tune_button, self.tune_wanted),
            (self.save_button, self.save_wanted),
        ):
            row.addWidget(button)
            button.clicked.connect(lambda _=False, s=signal: s.emit())
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        form = QFormLayout(self)
        form.addRow("Frames", frames)
        form.addRow("Tilts to tune on", self.tilts)
        form.addRow(row)
        form.addRow(self.hint)

    def show_state(self, hint: str, has_frames: bool, has_noise: bool) -> None:
        """Say how tuning will work, and enable what can be done.

        Parameters
        ----------
        hint : str
        has_frames : bool
            Whether there are several frames per tilt.
        has_noise : bool
            Whether the noise was measured.
        """
        self.hint.setText(hint)
        self.tilts.setEnabled(has_frames)
        allow(
            self.measure_button,
            "Shows how noise depends on frequency, and what fits it.",
            ""
            if has_frames
            else "Needs several frames per tilt: load the series without averaging.",
        )
        allow(
            self.save_button,
            "Saves the measured spectrum, and uses it below.",
            "" if has_noise else "Measure the noise or tune first.",
        )
