"""The tuning view: raw, denoised and reference image side by side, scores, and the noise."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QSize, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSplitter, QTabWidget, QVBoxLayout, QWidget

from napari_tomo4d.denoise import STRENGTHS, Diagnosis, TuneResult, Tuning
from napari_tomo4d.gui.panels.denoise.score_map import ScoreMap
from napari_tomo4d.gui.widgets.plots import ImageBox


class SpectrumPlot(pg.PlotWidget):
    """Power of the noise against frequency, measured and of the model that fits best."""

    def __init__(self) -> None:
        super().__init__()
        self.setBackground("#1c1f24")
        self.setLabel("bottom", "frequency (cycles / px)")
        self.setLabel("left", "power (white = 1)")
        self.setLogMode(x=True, y=True)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.addLegend(offset=(-10, 10), labelTextSize="9pt")
        for side in ("bottom", "left"):
            self.getAxis(side).enableAutoSIPrefix(False)
            # labels of tens only: those between run into each other
            self.getAxis(side).setStyle(maxTickLevel=0)
        self._measured = self.plot(pen={"color": "#4fc3f7", "width": 2}, name="measured")
        self._model = self.plot(pen={"color": "#ffb74d", "width": 2}, name="model")

    def show_diagnosis(self, diagnosis: Diagnosis) -> None:
        """Show both curves."""
        self._measured.setData(diagnosis.frequency, np.maximum(diagnosis.measured, 1e-9))
        self._model.setData(diagnosis.frequency, np.maximum(diagnosis.modelled, 1e-9))
        self.plotItem.legend.removeItem(self._model)
        self.plotItem.legend.addItem(self._model, f"model {diagnosis.kind}")

    def sizeHint(self) -> QSize:
        """Return a size that leaves room for the images."""
        return QSize(430, 230)


class TuningView(QWidget):
    """What tuning tried, to be looked at; `chosen` when another result is wanted.

    Signals
    -------
    chosen(kind, strength)
    """

    chosen = Signal(str, float)

    def __init__(self) -> None:
        super().__init__()
        self.tuning: Tuning | None = None
        self.result: TuneResult | None = None
        self._current: tuple[str, float] | None = None
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
        split = QSplitter()
        split.addWidget(images)
        split.addWidget(self.tabs)
        split.setStretchFactor(0, 1)
        self.text = QLabel("Nothing tuned yet: press Tune in the Denoise panel.")
        self.text.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.addWidget(split, 1)
        layout.addWidget(self.text)

    def show_diagnosis(self, diagnosis: Diagnosis) -> None:
        """Show what the noise is like."""
        self.spectrum.show_diagnosis(diagnosis)
        self.tabs.setCurrentWidget(self.spectrum)
        self.text.setText(diagnosis.advice)

    def show_tuned(self, tuning: Tuning, result: TuneResult, kinds: list[str]) -> None:
        """Show the outcome of tuning, at its best."""
        self.tuning, self.result, self._kinds = tuning, result, kinds
        first = tuning.comparisons[0]
        self.raw.show_image(first.noisy, "raw frame")
        self.reference.show_image(first.reference, "reference")
        strength = result.best.variance / tuning.variance
        nearest = STRENGTHS[int(np.argmin(np.abs(np.array(STRENGTHS) - strength)))]
        self.tabs.setCurrentWidget(self.scores)
        self.show_cell(result.best.kind, nearest, result.denoised)
        self.text.setText(result.explanation)

    def show_blind(self, image: np.ndarray, result: TuneResult) -> None:
        """Show the outcome of blind tuning: there is no reference to look at."""
        self.tuning, self.result = None, result
        self.raw.show_image(image, "raw frame")
        self.denoised.show_image(result.denoised, f"{result.best.kind}, blind")
        self.reference.show_image(np.zeros_like(image), "no reference")
        kind = result.best.kind
        self.scores.show_scores(result.table.assign(region="whole"), [kind], list(STRENGTHS), None)
        self.tabs.setCurrentWidget(self.scores)
        self.text.setText(result.explanation)

    def show_cell(self, kind: str, strength: float, image: np.ndarray) -> None:
        """Show one denoised image and mark its cell."""
        if self.tuning is None:
            return
        self._current = (kind, strength)
        self.denoised.show_image(image, f"{kind}, {strength:.3g}")
        table = self.tuning.table
        self.scores.show_scores(table, self._kinds, list(STRENGTHS), self._current)
        row = table[(table.kind == kind) & (table.strength == strength)]
        if len(row):
            last = row.iloc[-1]
            where = "" if last.region == "whole" else ", on a crop"
            self.text.setText(
                f"{kind}, strength {strength:.3g}: PSNR {last.psnr_db:.2f} dB, SSIM "
                f"{last.ssim:.3f}, FRC {last.frc:.3f}{where}."
            )

    @property
    def current(self) -> tuple[str, float] | None:
        """Noise type and strength of what is shown."""
        return self._current

    def sizeHint(self) -> QSize:
        """Return a size that leaves the viewer's canvas visible above."""
        return QSize(860, 300)
