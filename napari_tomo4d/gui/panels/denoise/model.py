"""What the panel Denoise works on, measures, tunes and tries; without any window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from napari_tomo4d.data import AnyTiltSeries, at_time, is_series, times_of
from napari_tomo4d.denoise import CountingNoise, Diagnosis, NoiseModel
from napari_tomo4d.denoise.engines import STACK_ENGINES
from napari_tomo4d.denoise.noise_model import kind_in_words
from napari_tomo4d.errors import DataError
from napari_tomo4d.gui.widgets.messages import NO_SERIES
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.pipeline import run_step
from napari_tomo4d.pipeline.tuning import (
    Tuned,
    around_middle,
    measure_on_frames,
    tune_blindly,
    tune_on_frames,
)
from napari_tomo4d.progress import Progress

Cell = tuple[str, float]
"""Type of noise, and strength as the variance relative to the measured one."""

DENOISE, AVERAGE = "denoise.denoise_series", "preprocess.average_frames"
PACKAGES = ("bm3d", "bm4d")
"""Methods whose licence allows non-commercial use only."""
_TUNED_WITH = ("bm3d", "fast bm3d")


@dataclass(frozen=True, eq=False)
class Measured:
    """What the frames say about their noise.

    Parameters
    ----------
    noise : NoiseModel
    diagnosis : Diagnosis
    """

    noise: NoiseModel
    diagnosis: Diagnosis


@dataclass(frozen=True, eq=False)
class Tried:
    """The image of one cell of the scores.

    Parameters
    ----------
    tuned : Tuned
        What it belongs to.
    cell : tuple (kind, strength)
    image : array (y, x)
    noise : NoiseModel
        With which it was denoised.
    """

    tuned: Tuned
    cell: Cell
    image: np.ndarray
    noise: NoiseModel


@dataclass(frozen=True, eq=False)
class OneTilt:
    """The middle of one tilt, before and after.

    Parameters
    ----------
    item : TiltSeries or TimeSeries of TiltSeries
        Of which series.
    before, after : array (y, x)
    title, numbers : str
        Which tilt it is, and what was found.
    """

    item: AnyTiltSeries
    before: np.ndarray
    after: np.ndarray
    title: str
    numbers: str


class DenoiseModel:
    """A series to be denoised, one to tune on, and what is known of their noise.

    Attributes
    ----------
    item, framed : TiltSeries or TimeSeries of TiltSeries, optional
        The one to be denoised; the one that noise is measured and tuned on.
    measured : NoiseModel, optional
        The noise of `framed`.
    tuned : Tuned, optional
        What tuning on `framed` has found.
    cell : tuple (kind, strength), optional
        The cell of the scores that is shown.
    """

    def __init__(self) -> None:
        self.item: AnyTiltSeries | None = None
        self.framed: AnyTiltSeries | None = None
        self._forget()

    def _forget(self) -> None:
        self.measured: NoiseModel | None = None
        self.tuned: Tuned | None = None
        self.cell: Cell | None = None

    def set_item(self, item: AnyTiltSeries | None) -> bool:
        """Denoise another series; returns whether it is another."""
        changed, self.item = item is not self.item, item
        return changed

    def set_framed(self, item: AnyTiltSeries | None) -> bool:
        """Tune on another series, forgetting what the last one told; returns whether it is."""
        if item is self.framed:
            return False
        self.framed = item
        self._forget()
        return True

    # -- words -----------------------------------------------------------------------------

    def describe(self) -> str:
        """Return what is to be denoised, or what to do if there is nothing."""
        if self.item is None:
            return NO_SERIES
        times = times_of(self.item)
        n_y, n_x = times[0].image_shape
        text = f"{len(times[0])} tilts of {n_y} x {n_x} px"
        if is_series(self.item):
            text += f", {len(times)} time points"
        if has_frames(self.item):
            text += "; frames are registered and averaged first"
        return text

    def tuning_hint(self) -> str:
        """Return how tuning will work."""
        if self.framed is None:
            return ""
        if has_frames(self.framed):
            most = max(times_of(self.framed)[0].frames_per_tilt)
            return f"Up to {most} frames per tilt: the first is denoised, the others are reference."
        return "One frame per tilt, so Tune is blind: it picks a strength for the noise below."

    def problem(self, values: Parameters) -> str:
        """Return why the series can't be denoised with parameters, empty if it can."""
        if self.item is None:
            return NO_SERIES
        if values["noise"] == "measured" and not values["path"]:
            return "Measured noise needs the file of its spectrum: press Save noise."
        return ""

    def words(self) -> str:
        """Return what tuning has found."""
        if self.tuned is None:
            return ""
        result, best = self.tuned.result, self.tuned.result.best
        if result.blind:
            return f"{result.explanation} The noise type itself can't be tuned blindly."
        text = f"Best of {result.evaluations} tried: {kind_in_words(best.kind)} noise, level "
        text += f"{best.sigma:.4g} (grey values)."
        if best.kind == "measured":
            text += " Press Save noise to use the measured spectrum."
        return text

    # -- work ------------------------------------------------------------------------------

    def steps(self, values: Parameters) -> list[tuple[str, Parameters]]:
        """Return the steps that denoise the series."""
        denoise = (DENOISE, values)
        return [(AVERAGE, {}), denoise] if has_frames(self.item) else [denoise]

    def look(self, time: int, tilt: int, values: Parameters) -> Callable[[Progress], OneTilt]:
        """Return what denoises the middle of one tilt.

        Raises
        ------
        DataError
            If the method works on all tilts together.
        """
        if values["method"] in STACK_ENGINES:
            name = str(values["method"]).upper()
            raise DataError(f"{name} works on all tilts together, so there is no preview of one.")
        item = self.item
        assert item is not None, "there is no series"
        series = at_time(item, time)

        def look(progress: Progress) -> OneTilt:
            one = around_middle(series, tilt)
            if has_frames(one):
                one = run_step(AVERAGE, one, {}, progress)
            done = run_step(DENOISE, one, values, progress)
            title = f"tilt {series.angles_deg[tilt]:+.1f}°"
            numbers = f"Noise level {done.metadata['noise_sigma'][0]:.4g} (grey values)."
            return OneTilt(item, one.image(0), done.image(0), title, numbers)

        return look

    def measure(self, time: int, values: Parameters) -> Callable[[Progress], Measured]:
        """Return what measures the noise of the frames of one time."""
        assert self.framed is not None, "there is nothing to measure on"
        series, counting = at_time(self.framed, time), counting_noise(values)

        def measure(progress: Progress) -> Measured:
            return Measured(*measure_on_frames(series, counting=counting, progress=progress)[1:])

        return measure

    def tune(
        self, time: int, tilt: int, tilts: int, values: Parameters
    ) -> Callable[[Progress], Tuned]:
        """Return what tunes on frames of one time, or blindly on one image without them.

        Parameters
        ----------
        time, tilt : int
            Looked at; the image that is tuned on blindly.
        tilts : int
            How many tilts scores are averaged over.
        values : dict
            Of the form.

        Raises
        ------
        DataError
            If it is to be blind for measured noise, and none was measured.
        """
        assert self.framed is not None, "there is nothing to tune on"
        series, measured, kind = at_time(self.framed, time), self.measured, values["noise"]
        options = {
            "method": values["method"] if values["method"] in _TUNED_WITH else "fast bm3d",
            "profile": values["profile"],
            "counting": counting_noise(values),
        }
        if has_frames(series):
            return lambda progress: tune_on_frames(
                series, tilts=tilts, progress=progress, **options
            )
        if kind == "measured" and measured is None:
            raise DataError("Measured noise needs a spectrum: choose another noise type to tune.")
        return lambda progress: tune_blindly(
            series.image(tilt), kind, measured=measured, progress=progress, **options
        )

    def evaluate(self, cell: Cell) -> Callable[[Progress], Tried] | None:
        """Return what denoises with one cell of the scores; None where there is no reference."""
        tuned = self.tuned
        if tuned is None or tuned.tuning is None:
            return None
        tuning, profile = tuned.tuning, tuned.result.profile

        def evaluate(progress: Progress) -> Tried:
            progress.check()
            tuning.evaluate(*cell, profile)
            return Tried(tuned, cell, tuning.denoised(*cell, profile), tuning.model(*cell))

        return evaluate

    def take(self, found: Measured | Tuned | Tried) -> bool:
        """Keep what was found; returns whether it belongs to what is there now."""
        if isinstance(found, Measured):
            self.measured = found.noise
        elif isinstance(found, Tuned):
            self.measured = found.measured or self.measured
            self.tuned, self.cell = found, None
        elif found.tuned is not self.tuned:
            return False
        else:
            self.cell = found.cell
        return True


def has_frames(item: AnyTiltSeries | None) -> bool:
    """Return whether some tilts have several frames, at the first time."""
    return item is not None and max(times_of(item)[0].frames_per_tilt) > 1


def counting_noise(values: Parameters) -> CountingNoise | None:
    """Return the counting noise that parameters of *Denoise* describe."""
    if not values["counts"]:
        return None
    return CountingNoise(values["gain"], values["offset"], values["read_noise"])
