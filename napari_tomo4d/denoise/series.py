"""Denoising every image of a tilt series with the same parameters."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import numpy as np

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.denoise.anscombe import stabilise, unstabilise
from napari_tomo4d.denoise.blind import estimate_variance
from napari_tomo4d.denoise.engines import (
    METHODS,
    OWN_THREADS,
    PROFILES,
    STACK_ENGINES,
    denoise_image,
)
from napari_tomo4d.denoise.measure_noise import CountingNoise
from napari_tomo4d.denoise.noise_model import KIND_TITLES, KINDS, NoiseModel
from napari_tomo4d.errors import ParameterError
from napari_tomo4d.immutable import frozen
from napari_tomo4d.parallel import usable_threads
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import note, warn
from napari_tomo4d.registry import step
from napari_tomo4d.tilts import frames_recorded

_SLAB = 12
_OVERLAP = 2


@step("denoise.denoise_series", title="Denoise", takes=TiltSeries, gives=TiltSeries)
def denoise_series(
    series: TiltSeries,
    method: Annotated[
        str,
        Param(
            "BM3D is the best for most images; the built-in one is quick and free for any use. The "
            "packages bm3d and bm4d are free for non-commercial use only; BM4D takes neighbouring "
            "tilts together.",
            choices=METHODS,
            titles={
                "fast bm3d": "BM3D, built in",
                "bm3d": "BM3D, package bm3d",
                "bm4d": "BM4D, package bm4d",
                "wiener": "Wiener filter",
                "non-local means": "Non-local means",
                "total variation": "Total variation",
                "wavelet": "Wavelets",
            },
        ),
    ] = "fast bm3d",
    noise: Annotated[
        str,
        Param(
            "How the noise of neighbouring pixels is related: not at all (white), along scan "
            "lines, in circles or diagonals, more at low frequencies (pink), or as measured.",
            label="Noise type",
            choices=(*KINDS, "measured"),
            titles=KIND_TITLES,
        ),
    ] = "g4",
    sigma: Annotated[
        float | None,
        Param(
            "Standard deviation of the noise of a single frame, in grey values; automatic: "
            "from high frequencies of each image.",
            label="Noise level",
            minimum=0,
            step=0.0001,
        ),
    ] = None,
    profile: Annotated[
        str,
        Param(
            "Of the package bm3d: how much time it takes for a better result.",
            label="Quality",
            choices=PROFILES,
            titles={
                "lc": "Fast (lc)",
                "np": "Normal (np)",
                "refilter": "Filtered twice (refilter)",
                "vn": "Very noisy images (vn)",
                "high": "High (high)",
            },
        ),
    ] = "lc",
    counts: Annotated[
        bool,
        Param(
            "Grey values are numbers of electrons, so that noise grows with brightness: it is made "
            "even first (Anscombe). A noise level is then that of the stabilised image, 1 for "
            "pure counts.",
            label="Electron counts",
        ),
    ] = False,
    gain: Annotated[
        float,
        Param("With counts: grey values per electron.", minimum=1e-9, step=0.1, advanced=True),
    ] = 1.0,
    offset: Annotated[
        float,
        Param("With counts: grey value of no electrons.", step=0.1, advanced=True),
    ] = 0.0,
    read_noise: Annotated[
        float,
        Param(
            "With counts: standard deviation of the noise without electrons, in grey values.",
            minimum=0,
            step=0.1,
            advanced=True,
        ),
    ] = 0.0,
    path: Annotated[
        str,
        Param(
            "For measured noise: file of its spectrum (.npz).", label="Measured noise", file=True
        ),
    ] = "",
    *,
    progress: Progress | None = None,
) -> TiltSeries:
    """Denoise every image by the same method and noise model.

    Parameters
    ----------
    series : TiltSeries
        One image per tilt. Where it is a mean of frames (``metadata["frames_averaged"]``), its
        variance is taken to be that of a frame divided by their number.
    method : str
        One of `METHODS`.
    noise : str
        One of `KINDS`, or "measured"; methods that know no spectra take it for white.
    sigma : float, optional
        Standard deviation, in units of the images; of a stabilised image with `counts`.
        Estimated for each image if None.
    profile : str
        Of BM3D.
    counts : bool
        Stabilise the variance of counted electrons before, undo it without bias after.
    gain, offset, read_noise : float
        See `CountingNoise`; of a single frame.
    path : str
        Written by `NoiseModel.save`.
    progress : Progress, optional
        Cancel is heard between images, by the built-in BM3D also within one, with BM4D between
        groups of them.

    Returns
    -------
    TiltSeries
        ``metadata["noise_sigma"]`` lists the standard deviation used for each image.

    Raises
    ------
    DataError
        If there are frames, or images are too small for the method or not finite.
    ParameterError
        If measured noise has no file.
    ReadError
        If its file can't be read.
    MissingExtraError
        If the method's package is not installed.
    Cancelled
        If the user asked to.
    """
    progress = progress or Progress()
    images = series.load()
    unit = _unit_model(noise, path)
    frames = frames_recorded(series)
    models = []
    prepared = images
    counting = [CountingNoise(gain / n, offset, read_noise / np.sqrt(n)) for n in frames]
    if counts:
        _warn_of_negative_counts(images, counting)
        prepared = np.stack(
            [stabilise(i, c).astype(np.float32) for i, c in zip(images, counting, strict=True)]
        )
    for image, n in zip(prepared, frames, strict=True):
        if sigma is None:
            model = _estimated(image, unit)
        else:
            # stabilised noise has variance 1 however many frames there are
            model = unit.scaled(sigma**2 / (1 if counts else n))
        models.append(model)
    sigmas = [float(m.sigma) for m in models]
    if sigma is None:
        note(f"Noise of the images, taken for {noise}: {np.mean(sigmas):.4g} (mean sigma).")
    if method in STACK_ENGINES:
        result = _stack(prepared, models, method, progress)
    else:
        result = _one_by_one(prepared, models, method, profile, progress)
    if counts:
        result = np.stack(
            [unstabilise(i, c).astype(np.float32) for i, c in zip(result, counting, strict=True)]
        )
    metadata = {**series.metadata, "noise_sigma": [float(f"{s:.6g}") for s in sigmas]}
    return series.replace(images=frozen(result), metadata=metadata)


def _warn_of_negative_counts(images: np.ndarray, counting: list[CountingNoise]) -> None:
    lowest = np.array([c.offset - 4 * c.read - 1e-6 * c.gain for c in counting])
    share = float(np.mean(images < lowest[:, None, None]))
    if share > 0.001:
        warn(
            f"{100 * share:.2g} % of the pixels are below the grey value of no electrons, which "
            "counts can't be; check offset and read noise, or denoise before subtracting a "
            "background."
        )


def _unit_model(noise: str, path: str) -> NoiseModel:
    """Return the noise model with variance 1."""
    if noise != "measured":
        return NoiseModel(noise)
    if not path:
        raise ParameterError(
            "Measured noise needs the file of its spectrum; measure it and save one in the panel "
            "Denoise."
        )
    return NoiseModel.load(path).with_variance(1.0)


def _estimated(image: np.ndarray, unit: NoiseModel) -> NoiseModel:
    return unit.scaled(max(estimate_variance(image, unit), 1e-30))


def _one_by_one(
    images: np.ndarray, models: list[NoiseModel], method: str, profile: str, progress: Progress
) -> np.ndarray:
    def one(index: int) -> np.ndarray:
        progress.check()
        return denoise_image(images[index], method, models[index], profile, progress=progress)

    done = []
    workers = 1 if method in OWN_THREADS else usable_threads()
    with ThreadPoolExecutor(workers) as pool:
        for result in pool.map(one, range(len(images))):
            done.append(result)
            progress.report(len(done), len(images), f"Denoising image {len(done)}")
    return np.stack(done)


def _stack(
    images: np.ndarray, models: list[NoiseModel], method: str, progress: Progress
) -> np.ndarray:
    """Denoise groups of neighbouring tilts, which overlap, so that cancel is heard."""
    result = np.empty_like(images)
    n = len(images)
    for start in range(0, n, _SLAB):
        progress.report(start, n, f"Denoising images {start + 1} to {min(start + _SLAB, n)}")
        low, high = max(0, start - _OVERLAP), min(n, start + _SLAB + _OVERLAP)
        variance = float(np.mean([m.variance for m in models[low:high]]))
        part = STACK_ENGINES[method](images[low:high], models[start].with_variance(variance))
        stop = min(start + _SLAB, n)
        result[start:stop] = part[start - low : stop - low]
    progress.report(n, n, "Denoising done")
    return result
