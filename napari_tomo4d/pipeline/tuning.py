"""What the Denoise panel does in the background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_tomo4d import denoise
from napari_tomo4d.data import TiltSeries
from napari_tomo4d.denoise import KINDS, CountingNoise, Diagnosis, NoiseModel, TuneResult, Tuning
from napari_tomo4d.pipeline import run_step
from napari_tomo4d.progress import Progress

_PREVIEW_PX = 320
_TILTS_MEASURED = 6


@dataclass(frozen=True)
class Tuned:
    """What a run of *Tune* found."""

    tuning: Tuning | None
    result: TuneResult
    diagnosis: Diagnosis | None
    measured: NoiseModel | None
    image: np.ndarray


def around_middle(series: TiltSeries, tilt: int) -> TiltSeries:
    """Return one tilt of a series, cut to what a preview shows."""
    cuts = tuple(
        slice(max(0, (n - _PREVIEW_PX) // 2), max(0, (n - _PREVIEW_PX) // 2) + _PREVIEW_PX)
        for n in series.image_shape
    )
    frames = series.frames(tilt)[:, cuts[0], cuts[1]]
    images = frames if len(frames) == 1 else frames[None]
    metadata = dict(series.metadata)
    if "frames_averaged" in metadata:
        metadata["frames_averaged"] = [metadata["frames_averaged"][tilt]]
    return series.replace(
        images=images, angles_deg=series.angles_deg[tilt : tilt + 1], metadata=metadata
    )


def measure_on_frames(
    series: TiltSeries, tilts: int, counting: CountingNoise | None, progress: Progress
) -> tuple[TiltSeries, NoiseModel, Diagnosis]:
    """Align the frames of some tilts and measure their noise; of evened counts if given."""
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
    counting: CountingNoise | None,
    options: tuple[str, str, int],
    progress: Progress,
) -> Tuned:
    """Tune on tilts with frames; options are profile, method and number of tilts."""
    profile, method, tilts = options
    aligned, measured, diagnosis = measure_on_frames(series, tilts, counting, progress.part(0, 2))
    comparisons = denoise.comparisons_of(aligned, tilts)
    tuning = Tuning(comparisons, measured, method, counting)
    result = denoise.search(tuning, KINDS, (profile,), progress.part(1, 2))
    return Tuned(tuning, result, diagnosis, measured, comparisons[0].noisy)


def tune_blindly(
    image: np.ndarray,
    kind: str,
    measured: NoiseModel | None,
    counting: CountingNoise | None,
    options: tuple[str, str, int],
    progress: Progress,
) -> Tuned:
    """Tune on a single image for one kind of noise; options as in `tune_on_frames`."""
    profile, method, _ = options
    if counting is not None:
        image = denoise.stabilise(image, counting).astype(np.float32)
    result = denoise.tune_blind(image, kind, measured, profile, method, progress)
    return Tuned(None, result, None, None, image)
