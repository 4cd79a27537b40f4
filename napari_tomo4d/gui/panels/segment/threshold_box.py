"""Which method finds the threshold, and the levels that are set by hand."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QGroupBox,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_tomo4d.gui.widgets.form import ParameterForm
from napari_tomo4d.gui.widgets.number_box import count_box, number_box, room_for
from napari_tomo4d.gui.widgets.wheel import ignore_wheel
from napari_tomo4d.pipeline import STEPS
from napari_tomo4d.segment import THRESHOLDS, MaskSettings
from napari_tomo4d.segment.preview import CLASSIFIER, THRESHOLD

_TIPS = {
    "level": "Brighter voxels are particles. Drag the line in the histogram.",
    "seed_level": "A particle has to be brighter than this somewhere.",
    "classes": "Classes of brightness with the background. Cleaned, all but the darkest are "
    "particles; to take only the brightest, drag its line.",
}


_CLASSIFIER_TIP = "Told apart by a classifier that learns from strokes painted as examples."


class ThresholdBox(QGroupBox):
    """Parameters of the step *Threshold*, only those that the method uses.

    Parameters
    ----------
    methods : dict of str to str
        Names of the methods, and what a person calls them.

    Signals
    -------
    edited(dict)
        What a person has changed: fields of `MaskSettings` and their values.
    chosen(method)
        Another method was chosen.
    """

    edited = Signal(dict)
    chosen = Signal(str)

    def __init__(self, methods: dict[str, str]) -> None:
        super().__init__("Threshold")
        self.method = QComboBox()
        for name, title in methods.items():
            self.method.addItem(title, name)
            tip = _CLASSIFIER_TIP if name == CLASSIFIER else THRESHOLDS[name].help
            self.method.setItemData(self.method.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        ignore_wheel(self.method)
        self.level, self.seed_level = number_box(0, -1e9, 1e9), number_box(0, -1e9, 1e9)
        self.classes = count_box(2, 2, 5)
        self._fields: dict[str, tuple[QLabel, Any]] = {}
        # rows that are hidden leave gaps in a form of their own only
        form, self._options = QFormLayout(), QWidget()
        options = QFormLayout(self._options)
        options.setContentsMargins(0, 0, 0, 0)
        for name, title, widget in (
            ("method", "Method", self.method),
            ("level", "Level", self.level),
            ("seed_level", "Upper level", self.seed_level),
            ("classes", "Classes", self.classes),
        ):
            label = QLabel(title)
            for part in (widget, label):
                part.setToolTip(_TIPS.get(name, ""))
            (form if name == "method" else options).addRow(label, widget)
            self._fields[name] = label, widget
        for name in ("level", "seed_level", "classes"):
            spin = self._fields[name][1]
            spin.valueChanged.connect(lambda value, n=name: self.edited.emit({n: value}))
        self.method.currentIndexChanged.connect(
            lambda _: self.chosen.emit(self.method.currentData())
        )
        several = ("one_level",)
        by_hand = ("method", "level", "seed_level", "classes")
        self.form = ParameterForm(STEPS[THRESHOLD], (*by_hand, *several))
        # only where there are several times
        self.times_form = ParameterForm(
            STEPS[THRESHOLD], tuple(n for n in STEPS[THRESHOLD].parameters if n not in several)
        )
        for part in (self.form, self.times_form):
            part.changed.connect(lambda p=part: self.edited.emit(p.values()))
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self._options)
        layout.addWidget(self.form)
        layout.addWidget(self.times_form)

    def show_settings(self, settings: MaskSettings, decimals: int, several_times: bool) -> None:
        """Show settings, without emitting anything.

        Parameters
        ----------
        settings : MaskSettings
        decimals : int
            As many as a level of these grey values needs.
        several_times : bool
            Whether there is more than one time to share levels.
        """
        s = settings
        uses = () if s.method == CLASSIFIER else THRESHOLDS[s.method].uses
        for name, (label, widget) in self._fields.items():
            widget.blockSignals(True)
            for part in (label, widget):
                part.setVisible(name in ("method", *uses))
        self._options.setVisible(bool(uses))
        self.method.setCurrentIndex(self.method.findData(s.method))
        tip = self.method.currentData(Qt.ItemDataRole.ToolTipRole)
        for part in self._fields["method"]:
            part.setToolTip(tip)
        self._fields["level"][0].setText("Lower level" if "seed_level" in uses else "Level")
        for spin, value in ((self.level, s.level), (self.seed_level, s.seed_level)):
            if value is not None:
                with room_for(spin, value, decimals):
                    spin.setValue(value)
            spin.setSingleStep(10.0 ** (1 - decimals))
        self.classes.setValue(s.classes)
        for _, widget in self._fields.values():
            widget.blockSignals(False)
        for part, names in ((self.form, ("smoothing_px",)), (self.times_form, ("one_level",))):
            part.blockSignals(True)
            part.set_values({n: getattr(s, n) for n in names})
            part.blockSignals(False)
        self.form.setVisible(s.method != CLASSIFIER)
        self.times_form.setVisible(s.method != CLASSIFIER and several_times)
