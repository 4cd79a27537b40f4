"""Which method finds the threshold, and the levels that are set by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QGroupBox,
    QLabel,
    QVBoxLayout,
)

from napari_tomo4d.gui.panels.segment.model import (
    BY_HAND,
    CLASSIFIER,
    HYSTERESIS,
    LEVEL,
    METHODS,
    MULTI,
    THRESHOLD,
    Analysis,
)
from napari_tomo4d.gui.widgets.form import ParameterForm
from napari_tomo4d.gui.widgets.number_box import count_box, number_box
from napari_tomo4d.gui.widgets.wheel import ignore_wheel
from napari_tomo4d.pipeline import STEPS

_TIPS = {
    "method": "Half density: halfway between background and particles, where the surface is. "
    "Otsu: too low where particles are few. Hysteresis: above the lower level if connected to "
    "something above the upper one.",
    "level": "Brighter voxels are particles. Drag the line in the histogram.",
    "seed": "A particle has to be brighter than this somewhere.",
    "classes": "Classes of brightness with the background. Cleaned, all but the darkest are "
    "particles; to take only the brightest, drag its line.",
}


class ThresholdBox(QGroupBox):
    """Parameters of the step *Threshold*, only those that the method uses.

    Signals
    -------
    changed()
        After an edit of a parameter.
    method_changed()
        Another method was chosen.
    """

    changed = Signal()
    method_changed = Signal()

    def __init__(self) -> None:
        super().__init__("Threshold")
        self.method = QComboBox()
        for name, title in METHODS.items():
            self.method.addItem(title, name)
        ignore_wheel(self.method)
        self.level, self.seed_level = number_box(0, -1e9, 1e9), number_box(0, -1e9, 1e9)
        self.classes = count_box(3, 2, 5)
        self._fields = {
            "method": self.method,
            "level": self.level,
            "seed": self.seed_level,
            "classes": self.classes,
        }
        titles = ("Method", "Level", "Upper level", "Classes")
        form, self._labels = QFormLayout(), {}
        for (name, widget), title in zip(self._fields.items(), titles, strict=True):
            self._labels[name] = QLabel(title)
            for part in (widget, self._labels[name]):
                part.setToolTip(_TIPS[name])
            form.addRow(self._labels[name], widget)
        for spin in (self.level, self.seed_level):
            spin.valueChanged.connect(self._edited)
        self.classes.valueChanged.connect(self._edited)
        self.method.currentIndexChanged.connect(self._choice_changed)
        self.form = ParameterForm(STEPS[THRESHOLD], ("method", "level", "seed_level", "classes"))
        self.form.changed.connect(self._edited)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.form)
        self._quiet = False
        self._choice_changed()

    @property
    def chosen(self) -> str:
        """Name of the method."""
        return str(self.method.currentData())

    def choose(self, method: str) -> None:
        """Choose a method, and tell nobody."""
        self._quiet = True
        self.method.setCurrentIndex(list(METHODS).index(method))
        self._quiet = False

    def set_levels(self, level: float | None = None, seed: float | None = None) -> None:
        """Set levels, and tell nobody."""
        self._quiet = True
        for spin, value in ((self.level, level), (self.seed_level, seed)):
            if value is not None:
                spin.setValue(value)
        self._quiet = False

    def set_values(self, given: dict[str, Any]) -> None:
        """Fill in parameters of the step, and tell nobody."""
        self.choose(given["method"])
        self._quiet = True
        self.form.set_values(given)
        self.classes.setValue(given.get("classes") or 3)
        for spin, name in ((self.level, "level"), (self.seed_level, "seed_level")):
            if given.get(name) is not None:
                # rounded to what the histogram asked for it would be another threshold
                spin.setDecimals(9)
                spin.setValue(given[name])
        self._quiet = False

    def fit(self, analysis: Analysis) -> None:
        """Give the levels as many digits as the grey values need."""
        span = float(analysis.edges[-1] - analysis.edges[0]) or 1.0
        order = float(np.floor(np.log10(span)))
        self._quiet = True
        for spin in (self.level, self.seed_level):
            spin.setDecimals(int(np.clip(3 - order, 0, 9)))
            spin.setSingleStep(10.0 ** (order - 2))
        self._quiet = False

    def offer_seed(self, analysis: Analysis) -> None:
        """Begin with an upper level that is above the lower one."""
        low, top = self.level.value(), float(analysis.edges[-1])
        if not low < self.seed_level.value() < top:
            self.set_levels(seed=low + 0.25 * (top - low))

    def show_several_times(self, several: bool) -> None:
        """Offer one threshold for all times only where there are several."""
        widget = self.form._widgets["one_level"].native
        forms = self.form.findChildren(QFormLayout)
        for part in (widget, *(form.labelForField(widget) for form in forms)):
            if part is not None:
                part.setVisible(several)

    def _edited(self, *_: Any) -> None:
        if not self._quiet:
            self.changed.emit()

    def _choice_changed(self, _index: int = 0) -> None:
        method = self.chosen
        shown = {"method": True, "level": method in BY_HAND, "seed": method == HYSTERESIS}
        shown["classes"] = method == MULTI
        for name, visible in shown.items():
            self._labels[name].setVisible(visible)
            self._fields[name].setVisible(visible)
        self._labels["level"].setText("Level" if method == LEVEL else "Lower level")
        self.form.setVisible(method != CLASSIFIER)
        if not self._quiet:
            self.method_changed.emit()
