"""How particles are separated at their necks, with a live count of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)
from superqt import QLabeledDoubleSlider

from napari_tomo4d.data import Labels
from napari_tomo4d.gui.panels.particles.model import SEPARATE
from napari_tomo4d.gui.widgets.form import ParameterForm
from napari_tomo4d.gui.widgets.wheel import ignore_wheel
from napari_tomo4d.gui.work.live_preview import LivePreview
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.pipeline import STEPS
from napari_tomo4d.progress import Progress
from napari_tomo4d.quantities import plural
from napari_tomo4d.segment import separation_depths

_EMPTY = "How many particles there will be is shown here."
_OFF = "Particles keep the numbers that they have."


@dataclass(frozen=True)
class _Known:
    """How deep the necks are, of which labels, and with which parameters."""

    labels: Labels
    at: str
    given: Parameters
    depths: np.ndarray


class SeparationBox(QGroupBox):
    """Parameters of the step *Separate particles*; the count follows the slider at once.

    Signals
    -------
    changed()
        After any edit.
    """

    changed = Signal()

    def __init__(self, panel: QWidget) -> None:
        super().__init__("1. Separate particles at their necks")
        self.setCheckable(True)
        self._labels: Labels | None = None
        self._at = ""
        self._known: _Known | None = None
        parameter = STEPS[SEPARATE].parameters["neck_depth"]
        self.neck_depth = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.neck_depth.setRange(0, 0.9)
        # its type hints are those of a slider of whole numbers
        self.neck_depth.setSingleStep(0.01)  # type: ignore[arg-type]
        self.neck_depth.setPageStep(0.1)  # type: ignore[arg-type]
        self.neck_depth.setDecimals(2)
        self.neck_depth.setValue(float(parameter.default))
        self.neck_depth.setToolTip(parameter.param.help)
        ignore_wheel(self.neck_depth)
        row = QHBoxLayout()
        row.addWidget(QLabel(parameter.label))
        row.addWidget(self.neck_depth, 1)
        self.neck_depth.valueChanged.connect(lambda _: self._show_count())
        self.count = QLabel(_EMPTY)
        self.count.setWordWrap(True)
        # room for two lines from the start, so that nothing moves while the slider does
        self.count.setMinimumHeight(2 * self.count.fontMetrics().lineSpacing())
        self.count.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.form = ParameterForm(STEPS[SEPARATE], ("neck_depth",))
        self.form.changed.connect(self._form_changed)
        layout = QVBoxLayout(self)
        layout.addLayout(row)
        layout.addWidget(self.count)
        layout.addWidget(self.form)
        self.toggled.connect(self._form_changed)
        self.live = LivePreview(panel)
        self.live.due.connect(self._count)
        self.live.finished.connect(self._counted)
        self.live.failed.connect(self.count.setText)

    def values(self) -> Parameters:
        """Return the parameters as the step takes them."""
        return {"neck_depth": round(self.neck_depth.value(), 2), **self.form.values()}

    def set_values(self, values: Parameters) -> None:
        """Fill in parameters of the step."""
        self.neck_depth.setValue(values.get("neck_depth", self.neck_depth.value()))
        self.form.set_values(values)

    def look_at(self, labels: Labels | None, at: str) -> None:
        """Count the particles of a mask; `at` names its time."""
        self._labels, self._at = labels, at
        if labels is None or not self.isChecked():
            self.live.drop()
            self._known = None
            self.count.setText(_EMPTY if labels is None else _OFF)
        else:
            self.live.request()

    def _form_changed(self, *_: object) -> None:
        self.look_at(self._labels, self._at)
        self.changed.emit()

    def _count(self) -> None:
        labels, given, at = self._labels, self.form.values(), self._at
        if labels is None:
            return
        known = self._known
        if known is not None and known.labels is labels and known.given == given:
            self._show_count()
            return

        def count(_progress: Progress) -> _Known:
            depths = separation_depths(labels, given["smoothing_px"], given["min_diameter_px"])
            return _Known(labels, at, given, depths)

        self.live.start(count)

    def _counted(self, result: _Known, _seconds: float) -> None:
        self._known = result
        self._show_count()

    def _show_count(self) -> None:
        known = self._known
        if known is None or known.labels is not self._labels or not self.isChecked():
            return
        chosen, at, depths = self.neck_depth.value(), known.at, known.depths
        count = int((depths >= chosen).sum())
        text = f"About {plural(count, 'particle')}" + (f" at {at}" if at else "")
        separate, joined = depths[(depths >= chosen) & (depths < 1)], depths[depths < chosen]
        if len(separate):
            text += f"; fewer above {separate.min():.2f}"
        if len(joined):
            text += f"; more from {joined.max():.2f} down"
        self.count.setText(text + ".")
