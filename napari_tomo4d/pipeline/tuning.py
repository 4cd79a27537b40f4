"""Noise measured and denoising tuned on a tilt series: frames are aligned before.

``tuned = tune_on_frames(series)`` tries noise types and strengths on tilts with several frames;
``run_step("denoise.denoise_series", averaged, tuned.parameters)`` uses what was best.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from napari_tomo4d import denoise
from napari_tomo4d.data import TiltSeries
from napari_tomo4d.denoise import KINDS, CountingNoise, Diagnosis, NoiseModel, TuneResult, Tuning
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.pipeline.run import run_step
from napari_tomo4d.progress import Progress
from napari_tomo4d.tilts import metadata_of_tilts

_PREVIEW_PX = 320
_TILTS_MEASURED = 6


@dataclass(frozen=True, eq=False)
class Tuned:
    """What tuning has found.

    Parameters
    ----------
    result : TuneResult
        The best noise model, and the score of everything tried.
    image : array (y, x)
        What was denoised: one frame, counts as they are.
    tuning : Tuning, optional
        With which other noise types and strengths can be tried; None if blind.
    diagnosis : Diagnosis, optional
        What the noise is like; None if blind.
    measured : NoiseModel, optional
        The noise of the frames; None if blind.
    """

    result: TuneResult
    image: np.ndarray
    tuning: Tuning | None = None
    diagnosis: Diagnosis | None = None
    measured: NoiseModel | None = None

    @property
    def kinds(self) -> list[str]:
        """Noise types that were tried, or can be."""
        if self.tuning is None:
            return [self.result.best.kind]
        return [*KINDS, *(["measured"] if self.measured is not None else [])]

    @property
    def parameters(self) -> Parameters:
        """Those of the step *Denoise* with which the best was found, sigma to four digits.

        A measured noise needs the file of its spectrum besides, see `NoiseModel.save`.
        """
        best, counting = self.result.best, self.result.counting
        found: Parameters = {
            "method": self.result.method,
            "noise": best.kind,
            "sigma": float(f"{best.sigma:.4g}"),
            "profile": self.result.profile,
            "counts": counting is not None,
        }
        if counting is None:
            return found
        return {
            **found,
            "gain": counting.gain,
            "offset": counting.offset,
            "read_noise": counting.read,
        }


def around_middle(series: TiltSeries, tilt: int, size_px: int = _PREVIEW_PX) -> TiltSeries:
    """Return one tilt of a series, cut to a square in the middle.

    Parameters
    ----------
    series : TiltSeries
    tilt : int
        From 0.
    size_px : int
        Edge of the square in pixels; smaller images are kept whole.

    Returns
    -------
    TiltSeries
        Of one tilt, with all its frames.
    """
    starts = [max(0, (n - size_px) // 2) for n in series.image_shape]
    rows, columns = (slice(start, start + size_px) for start in starts)
    frames = series.frames(tilt)[:, rows, columns]
    return series.replace(
        images=frames if len(frames) == 1 else frames[None],
        angles_deg=series.angles_deg[tilt : tilt + 1],
        metadata=metadata_of_tilts(series.metadata, np.arange(len(series)) == tilt),
    )


def measure_on_frames(
    series: TiltSeries,
    *,
    tilts: int = 1,
    counting: CountingNoise | None = None,
    progress: Progress | None = None,
) -> tuple[TiltSeries, NoiseModel, Diagnosis]:
    """Align the frames of some tilts and measure their noise.

    Parameters
    ----------
    series : TiltSeries
        With two frames or more at some tilts.
    tilts : int
        How many tilts are looked at, at least; never fewer than six where there are as many.
    counting : CountingNoise, optional
        If the images count electrons: the noise is measured after it was made even.
    progress : Progress, optional

    Returns
    -------
    TiltSeries
        Those tilts, aligned.
    NoiseModel
        Their noise, with the measured spectrum.
    Diagnosis
        Which kind fits it, and what to do.

    Raises
    ------
    DataError
        If no tilt has two frames.
    """
    chosen = denoise.tilts_with_frames(series, max(tilts, _TILTS_MEASURED))
    frames = [series.frames(i) for i in chosen]
    part = series.replace(images=frames, angles_deg=series.angles_deg[chosen], metadata={})
    aligned = run_step("preprocess.align_frames", part, {}, progress)
    even = aligned
    if counting is not None:
        parts = [
            denoise.stabilise(aligned.frames(i), counting).astype(np.float32)
            for i in range(len(aligned))
        ]
        even = aligned.with_frames(parts)
    measured = denoise.measured_noise_of(even)
    return aligned, measured, denoise.diagnose(measured, series.image_shape)


def tune_on_frames(
    series: TiltSeries,
    *,
    tilts: int = 2,
    method: str = "fast bm3d",
    profile: str = "lc",
    counting: CountingNoise | None = None,
    progress: Progress | None = None,
) -> Tuned:
    """Find the noise type and strength that bring a frame nearest to the mean of the others.

    Parameters
    ----------
    series : TiltSeries
        With two frames or more at some tilts.
    tilts : int
        How many tilts scores are averaged over.
    method, profile : str
        As in `denoise_series`.
    counting : CountingNoise, optional
        If the images count electrons.
    progress : Progress, optional

    Returns
    -------
    Tuned

    Raises
    ------
    DataError
        If no tilt has two frames.
    """
    progress = progress or Progress()
    aligned, measured, diagnosis = measure_on_frames(
        series, tilts=tilts, counting=counting, progress=progress.part(0, 2)
    )
    comparisons = denoise.comparisons_of(aligned, tilts)
    tuning = Tuning(comparisons, measured, method, counting)
    result = denoise.search(tuning, KINDS, (profile,), progress.part(1, 2))
    return Tuned(result, comparisons[0].noisy, tuning, diagnosis, measured)


def tune_blindly(
    image: np.ndarray,
    kind: str,
    *,
    measured: NoiseModel | None = None,
    method: str = "fast bm3d",
    profile: str = "lc",
    counting: CountingNoise | None = None,
    progress: Progress | None = None,
) -> Tuned:
    """Find the strength for one type of noise on a single image, without any reference.

    Parameters
    ----------
    image : array (y, x)
    kind : str
        One of `KINDS`, or "measured".
    measured : NoiseModel, optional
        For the kind "measured".
    method, profile : str
        As in `denoise_series`.
    counting : CountingNoise, optional
        If the image counts electrons.
    progress : Progress, optional

    Returns
    -------
    Tuned

    Raises
    ------
    DataError
        If the image is constant or has no noise, or the kind is "measured" and nothing is.
    """
    if counting is None:
        return Tuned(denoise.tune_blind(image, kind, measured, profile, method, progress), image)
    even = denoise.stabilise(image, counting).astype(np.float32)
    result = denoise.tune_blind(even, kind, measured, profile, method, progress)
    denoised = denoise.unstabilise(result.denoised, counting).astype(np.float32)
    return Tuned(dataclasses.replace(result, denoised=denoised, counting=counting), image)
