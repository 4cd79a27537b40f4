"""How the shift of one tilt is corrected by hand: by keys and by buttons."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_tomo4d.gui.panels.align.model import Place, Shifts
from napari_tomo4d.gui.widgets.allow import allow
from napari_tomo4d.gui.widgets.keys import REDO, UNDO

STEPS_PX = (1.0, 0.1)
"""By how much one press moves a tilt, and one with Shift."""

_BUTTONS = {"←": (0, -1), "→": (0, 1), "↑": (-1, 0), "↓": (1, 0)}


class CorrectionBox(QGroupBox):
    """The shift of the tilt that is looked at, and what can be done about it.

    Signals
    -------
    nudged(dy, dx)
        In pixels.
    undo, redo, bridged, next_suspect
        A button was pressed.
    left_out(on)
        The box was ticked or unticked.
    """

    nudged = Signal(float, float)
    undo = Signal()
    redo = Signal()
    bridged = Signal()
    next_suspect = Signal()
    left_out = Signal(bool)

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setMinimumHeight(2 * self.text.fontMetrics().lineSpacing())
        self.arrows: dict[tuple[str, float], QPushButton] = {}
        grid = QGridLayout()
        grid.setSpacing(4)
        for row, step in enumerate(STEPS_PX):
            grid.addWidget(QLabel(f"Move by {step:g} px"), row, 0)
            for column, (arrow, (dy, dx)) in enumerate(_BUTTONS.items(), 1):
                button = QPushButton(arrow)
                button.setFixedWidth(44)
                button.setAutoRepeat(True)
                button.clicked.connect(
                    lambda _=False, y=step * dy, x=step * dx: self.nudged.emit(y, x)
                )
                self.arrows[arrow, step] = button
                grid.addWidget(button, row, column)
        grid.setColumnStretch(0, 1)
        self.bridge_button = QPushButton("Take from neighbours")
        self.suspect_button = QPushButton("Next suspect")
        self.undo_button, self.redo_button = QPushButton("Undo"), QPushButton("Redo")
        self.gone_box = QCheckBox("Leave this tilt out")
        first, second = QHBoxLayout(), QHBoxLayout()
        for button in (self.bridge_button, self.undo_button, self.redo_button):
            first.addWidget(button)
        second.addWidget(self.gone_box, 1)
        second.addWidget(self.suspect_button)
        layout = QVBoxLayout(self)
        layout.setSpacing(4)
        layout.addWidget(self.text)
        for part in (grid, first, second):
            layout.addLayout(part)
        for button, signal in (
            (self.bridge_button, self.bridged),
            (self.suspect_button, self.next_suspect),
            (self.undo_button, self.undo),
            (self.redo_button, self.redo),
        ):
            button.clicked.connect(lambda _=False, s=signal: s.emit())
        self.gone_box.clicked.connect(self.left_out)

    def show_nothing(self, reason: str, redo: str) -> None:
        """Switch everything off and say why, but for what can be redone, if anything can."""
        self.text.setText("The tilt that the slider is at is shown here once there are shifts.")
        for button in self._buttons:
            allow(button, "", reason)
        if redo:
            allow(self.redo_button, f"Redo: {redo} ({REDO}).")

    @property
    def _buttons(self) -> list[QWidget]:
        return [
            *self.arrows.values(),
            self.bridge_button,
            self.suspect_button,
            self.undo_button,
            self.redo_button,
            self.gone_box,
        ]

    def show_tilt(
        self, angle_deg: float, shifts: Shifts, place: Place, reason: str, undo: str, redo: str
    ) -> None:
        """Show one tilt.

        Parameters
        ----------
        angle_deg : float
        shifts : Shifts
        place : (time, tilt)
        reason : str
            Why nothing can be changed; empty if it can.
        undo, redo : str
            What can be undone and redone; empty if nothing.
        """
        time, tilt = place
        self.text.setText(_text_of(angle_deg, shifts, place))
        for button in self.arrows.values():
            allow(button, "Moves the image of this tilt; arrow keys do the same.", reason)
        allow(
            self.bridge_button,
            "Puts this image where its neighbours in angle say it should be.",
            reason,
        )
        self.gone_box.setChecked(bool(shifts.left_out_mask(time)[tilt]))
        whose = ", at every time point" if len(shifts.shifts_px) > 1 else ""
        why_not = reason
        if not shifts.same_tilts_everywhere:
            why_not = reason or "Time points differ in their tilts, so none can be left out of all."
        allow(self.gone_box, f"The aligned layer will be without this tilt{whose}.", why_not)
        allow(self.undo_button, f"Undo: {undo} ({UNDO}).", reason if undo else "Nothing to undo.")
        allow(self.redo_button, f"Redo: {redo} ({REDO}).", reason if redo else "Nothing to redo.")
        suspects = len(shifts.suspects(time))
        self.suspect_button.setText(f"Next suspect ({suspects})" if suspects else "Next suspect")
        allow(
            self.suspect_button,
            "Goes to the next image that matches no neighbour.",
            "" if suspects else "No image is suspect.",
        )


def _text_of(angle_deg: float, shifts: Shifts, place: Place) -> str:
    time, tilt = place
    k, found = shifts.index(time), shifts.found
    dy, dx = shifts.at(time)[tilt]
    by_hand = bool(shifts.edited(time)[tilt])
    text = f"Tilt {angle_deg:+.1f}°: dy {dy:+.2f} px, dx {dx:+.2f} px"
    text += ", by hand" if by_hand else ""
    quality, mass = found.quality[k][tilt], found.mass_kept[k][tilt]
    if np.isfinite(quality):
        suspect = "suspect, " if found.suspect[k][tilt] else ""
        before = "found: " if by_hand else ""
        text += f"\n{before}{suspect}quality {quality:.2f}, mass kept {100 * mass:.3g} %"
    return text
