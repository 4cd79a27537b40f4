"""Denoising every image of a tilt series with the same parameters."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import numpy as np

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.denoise.anscombe import stabilise, unstabilise
from napari_tomo4d.denoise.engines import ENGINES, PROFILES, bm3d
from napari_tomo4d.denoise.measure_noise import CountingNoise
from napari_tomo4d.denoise.noise_model import KINDS, NoiseModel
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import recorded


@recorded("denoise.series")
def denoise_series(
    series: TiltSeries,
    method: Annotated[
        str,
        Param("BM3D is free for non-commercial use only, and an extra.", choices=tuple(ENGINES)),
    ] = "bm3d",
    noise: Annotated[
        str,
        Param("How noise is correlated: not, in lines, circles, diagonals, pink.", choices=KINDS),
    ] = "g4",
    sigma: Annotated[
        float,
        Param("Standard deviation of the noise, in grey values.", minimum=0, step=0.05),
    ] = 1.0,
    profile: Annotated[
        str, Param("Of BM3D: lc is fast, the others slower.", choices=PROFILES)
    ] = "lc",
    counts: Annotated[
        bool,
        Param("The images count electrons: makes noise even first (Anscombe); sigma is then 1."),
    ] = False,
    *,
    progress: Progress | None = None,
) -> TiltSeries:
    """Denoise every image by the same method and noise model.

    Parameters
    ----------
    series : TiltSeries
        One image per tilt.
    method : str
        One of `ENGINES`.
    noise : str
        One of `KINDS`; methods other than "bm3d" and "wiener" take it for white.
    sigma : float
        Standard deviation, in units of the images; of a stabilised image with `counts`.
    profile : str
        Of BM3D.
    counts : bool
        Stabilise the variance of counted electrons before, undo it without bias after.
    progress : Progress, optional
        Cancel is heard between images.

    Returns
    -------
    TiltSeries
    """
    progress = progress or Progress()
    images = series.load()
    model = NoiseModel(noise, sigma**2)
    unit = CountingNoise(1.0)

    def one(image: np.ndarray) -> np.ndarray:
        progress.check()
        source = stabilise(image, unit).astype(np.float32) if counts else image
        if method == "bm3d":
            result = bm3d(source, model, profile)
        else:
            result = ENGINES[method](source, model)
        return unstabilise(result, unit).astype(np.float32) if counts else result

    done = []
    # BM3D uses threads of its own
    workers = 1 if method == "bm3d" else os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        for result in pool.map(one, images):
            done.append(result)
            progress.report(len(done), len(images), f"Denoising image {len(done)}")
    return series.replace(images=np.stack(done))
