"""The tuning view: raw, denoised and reference image side by side, scores, and the noise."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QSize, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSplitter, QTabWidget, QVBoxLayout, QWidget

from napari_tomo4d.denoise import STRENGTHS, Diagnosis
from napari_tomo4d.denoise.noise_model import kind_in_words
from napari_tomo4d.gui import theme
from napari_tomo4d.gui.panels.denoise.score_map import ScoreMap
from napari_tomo4d.gui.widgets.messages import NOTHING_TUNED
from napari_tomo4d.gui.widgets.plots import ImageBox, LogAxis, follow_theme
from napari_tomo4d.pipeline.tuning import Tuned


class SpectrumPlot(pg.PlotWidget):
    """Power of the noise against frequency, measured and of the model that fits best."""

    def __init__(self) -> None:
        super().__init__(axisItems={side: LogAxis(side) for side in ("bottom", "left")})
        self.setLabel("bottom", "frequency (cycles / px)")
        self.setLabel("left", "power (white = 1)")
        self.setLogMode(x=True, y=True)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.addLegend(offset=(-10, 10), labelTextSize="9pt")
        for side in ("bottom", "left"):
            self.getAxis(side).enableAutoSIPrefix(False)
        self._measured, self._model = self.plot(name="measured"), self.plot(name="model")
        follow_theme(self, self._paint)

    def _paint(self) -> None:
        self._measured.setPen(theme.colour("first"), width=2)
        self._model.setPen(theme.colour("third"), width=2)

    def show_diagnosis(self, diagnosis: Diagnosis) -> None:
        """Show both curves."""
        self._measured.setData(diagnosis.frequency, np.maximum(diagnosis.measured, 1e-9))
        self._model.setData(diagnosis.frequency, np.maximum(diagnosis.modelled, 1e-9))
        self.plotItem.legend.removeItem(self._model)
        self.plotItem.legend.addItem(self._model, f"model: {kind_in_words(diagnosis.kind)}")

    def clear_curves(self) -> None:
        """Show no curves."""
        self._measured.setData([], [])
        self._model.setData([], [])

    def sizeHint(self) -> QSize:
        """Return a size that leaves room for the images."""
        return QSize(430, 230)


class TuningView(QWidget):
    """What tuning tried, to be looked at; it shows what it is given.

    Signals
    -------
    chosen(kind, strength)
        Another result is wanted.
    """

    chosen = Signal(str, float)

    def __init__(self) -> None:
        super().__init__()
        self.raw, self.denoised, self.reference = (
            ImageBox(height=150, axes=False, width=210) for _ in range(3)
        )
        tips = (
            "One frame, as it was recorded. Wheel to zoom, drag to move, all three at once.",
            "The frame denoised as in the marked cell of the scores.",
            "Mean of the other frames of this tilt, which do not include this one.",
        )
        images = QWidget()
        row = QHBoxLayout(images)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(3)
        for box, tip in zip((self.raw, self.denoised, self.reference), tips, strict=True):
            box.setToolTip(tip)
            box.setMinimumWidth(110)
            row.addWidget(box, 1)
        for one, other in combinations((self.raw, self.denoised, self.reference), 2):
            one.link_to(other)
        self.scores = ScoreMap()
        self.scores.chosen.connect(self.chosen)
        self.spectrum = SpectrumPlot()
        self.tabs = QTabWidget()
        self.tabs.addTab(self.scores, "Scores")
        self.tabs.addTab(self.spectrum, "Noise")
        # beside the tabs, as height is scarce below the canvas
        self.tabs.setCornerWidget(self.scores.score)
        self.tabs.currentChanged.connect(lambda index: self.scores.score.setVisible(index == 0))
        split = QSplitter()
        split.addWidget(images)
        split.addWidget(self.tabs)
        split.setStretchFactor(0, 1)
        self.text = QLabel()
        self.text.setWordWrap(True)
        # room for two lines from the start, so that the map does not lose its last row
        self.text.setMinimumHeight(2 * self.text.fontMetrics().lineSpacing())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.addWidget(split, 1)
        layout.addWidget(self.text)
        self.reset()

    def reset(self) -> None:
        """Show nothing: it belonged to another series."""
        for box in (self.raw, self.denoised, self.reference):
            box.clear_image()
        self.scores.clear()
        self.spectrum.clear_curves()
        self.text.setText(NOTHING_TUNED)

    def show_diagnosis(self, diagnosis: Diagnosis) -> None:
        """Show what the noise is like."""
        self.spectrum.show_diagnosis(diagnosis)
        self.tabs.setCurrentWidget(self.spectrum)
        self.text.setText(diagnosis.advice)

    def show_tuned(self, tuned: Tuned) -> None:
        """Show the outcome of tuning, at its best."""
        result, best = tuned.result, tuned.result.best
        if tuned.diagnosis is not None:
            self.spectrum.show_diagnosis(tuned.diagnosis)
        self.tabs.setCurrentWidget(self.scores)
        self.raw.show_image(tuned.image, "raw frame")
        if tuned.tuning is None:
            self.denoised.show_image(result.denoised, f"{kind_in_words(best.kind)}, blind")
            self.reference.show_image(np.zeros_like(tuned.image), "no reference")
            table = result.table.assign(region="whole")
            self.scores.show_scores(table, tuned.kinds, list(STRENGTHS), None)
        else:
            self.reference.show_image(tuned.tuning.comparisons[0].reference, "reference")
            strength = best.variance / tuned.tuning.variance
            nearest = STRENGTHS[int(np.argmin(np.abs(np.array(STRENGTHS) - strength)))]
            self.show_cell(tuned, best.kind, nearest, result.denoised)
        self.text.setText(result.explanation)

    def show_cell(self, tuned: Tuned, kind: str, strength: float, image: np.ndarray) -> None:
        """Show one denoised image, mark its cell and tell its scores."""
        table = tuned.result.table if tuned.tuning is None else tuned.tuning.table
        self.denoised.show_image(image, f"{kind_in_words(kind)}, {strength:.3g}")
        self.scores.show_scores(table, tuned.kinds, list(STRENGTHS), (kind, strength))
        row = table[(table.kind == kind) & (table.strength == strength)]
        if len(row):
            last = row.iloc[-1]
            where = "" if last.region == "whole" else ", on a crop"
            words = kind_in_words(kind)
            self.text.setText(
                f"{words[0].upper()}{words[1:]} noise, strength {strength:.3g}: "
                f"PSNR {last.psnr_db:.2f} dB, SSIM {last.ssim:.3f}, FRC {last.frc:.3f}{where}."
            )

    def sizeHint(self) -> QSize:
        """Return a size that leaves the viewer's canvas visible above."""
        return QSize(860, 300)
