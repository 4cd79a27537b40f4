"""Discrete tomography: particles of one or a few densities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Unpack

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_multiotsu

from napari_tomo4d.data import TiltSeries, Volume
from napari_tomo4d.errors import ParameterError
from napari_tomo4d.parameters import Param
from napari_tomo4d.provenance import note
from napari_tomo4d.reconstruct.automatic import noise_level, noise_slope
from napari_tomo4d.reconstruct.options import Conditions, IterativeOptions
from napari_tomo4d.reconstruct.parameters import (
    Iterations,
    Seed,
)
from napari_tomo4d.reconstruct.problem import Part, Problem
from napari_tomo4d.reconstruct.variational import primal_dual
from napari_tomo4d.registry import Cost, step

_START_ITERATIONS = 60
_INNER_ITERATIONS = 10


@step(
    "reconstruct.dart",
    title="DART",
    takes=TiltSeries,
    gives=Volume,
    cost=Cost(volumes=7, images=6, passes=40, halo=8),
    options=Conditions,
)
def dart(
    series: TiltSeries,
    iterations: Iterations = 20,
    densities: Annotated[
        tuple[float, ...],
        Param(
            "Densities of the particles, without the background's 0; empty: found from the images.",
            minimum=0,
        ),
    ] = (),
    n_densities: Annotated[
        int,
        Param("How many to find, if none are given.", minimum=1, maximum=4),
    ] = 1,
    free_fraction: Annotated[
        float,
        Param(
            "Share of voxels away from surfaces that may change in each iteration.",
            minimum=0.01,
            maximum=0.99,
            advanced=True,
        ),
    ] = 0.15,
    smoothing: Annotated[
        float | None,
        Param(
            "Share of its neighbours that a free voxel takes over. Empty: as the noise is.",
            minimum=0,
            maximum=1,
            advanced=True,
        ),
    ] = None,
    seed: Seed = 0,
    *,
    noise: float | None = None,
    **options: Unpack[IterativeOptions],
) -> Volume:
    """Reconstruct particles of one or a few known densities, each voxel having one of them.

    Parameters
    ----------
    series : TiltSeries
        Aligned, one image per tilt.
    iterations : int
        Number of rounds; each holds ten of SIRT.
    densities : tuple of float
        In image intensity per pixel of path; found from the images if empty.
    n_densities : int
        Number to find.
    free_fraction, smoothing : float
        Between 0 and 1; `smoothing` follows from the noise if None.
    seed : int
        Of the choice of free voxels.
    noise : float, optional
        Standard deviation of the images' noise; found from the images if None.
    **options
        As in `IterativeOptions`; without `initial`, it starts from a volume of little total
        variation.

    Returns
    -------
    Volume
        Voxels of the given densities or 0, and residuals as in `sirt`.

    Raises
    ------
    ParameterError
        If densities are not positive and rising.
    DataError
        If the images or conditions don't suit a reconstruction.
    NotEnoughMemoryError
        If it would not fit.
    Cancelled
        If the user asked to.

    Notes
    -----
    Batenburg & Sijbers 2011, IEEE Trans. Image Process. 20, 2542. Surfaces and a random share
    of the other voxels are free; the rest keeps the density of its class while SIRT corrects
    the free ones.
    """
    if any(b <= a for a, b in zip((0.0, *densities), densities, strict=False)):
        raise ParameterError("densities have to be above 0 and increase.")
    series, conditions = Conditions(**options).in_use(series)
    problem = Problem(series, "reconstruct.dart", conditions)
    generator = np.random.default_rng(seed)
    if noise is None:
        noise = noise_level(series)
    if smoothing is None:
        contrast = np.sqrt(np.mean(np.square(problem.measured)))
        smoothing = float(np.clip(noise / contrast, 0.1, 0.8))
        note(f"Free voxels take over {smoothing:.2g} of their neighbours, for the noise's sake.")
    if conditions.initial is None:
        problem.starting = True
        primal_dual([problem], noise_slope(series, conditions, noise, seed), _START_ITERATIONS)
        problem.starting = False
        problem.residuals.clear()
    if not densities:
        densities = _find_densities(problem, n_densities)
        found = ", ".join(f"{density:.4g}" for density in densities)
        note(f"The density of the particles was found from the images: {found}.")
    problem.chosen = {"densities": list(densities), "noise": noise, "smoothing": smoothing}
    levels = np.array((0.0, *densities), np.float32)
    join, split = problem.projector.layout.join, problem.projector.volume_to_blocks

    def classify() -> np.ndarray:
        result: np.ndarray = np.digitize(
            join(problem.volume), (levels[1:] + levels[:-1]) / 2
        ).astype(np.uint8)
        return result

    def step(_: int) -> None:
        classes = classify()
        surface = _in_parts(_differs_around, classes, problem)
        free = surface | (generator.random(classes.shape, dtype=np.float32) < free_fraction)
        problem.volume = split(np.where(free, join(problem.volume), levels[classes]))
        problem.project()
        _correct(problem, split(free.astype(np.float32)))
        current = join(problem.volume)
        around = _in_parts(lambda part: ndimage.uniform_filter(part, 3), current, problem)
        mixed = (1 - smoothing) * current + smoothing * around
        problem.volume = split(np.where(free, mixed, current))
        problem.limit(problem.volume)
        problem.project()

    problem.iterate(step, iterations, conditions.min_improvement)
    problem.volume = split(levels[classify()])
    problem.limit(problem.volume)
    problem.project()
    problem.residuals.append(problem.residual())
    return problem.result()


def _differs_around(classes: np.ndarray) -> np.ndarray:
    result: np.ndarray = ndimage.maximum_filter(classes, 3) != ndimage.minimum_filter(classes, 3)
    return result


def _in_parts(
    work: Callable[[np.ndarray], np.ndarray], volume: np.ndarray, problem: Problem
) -> np.ndarray:
    """Apply a filter of 3 x 3 x 3 voxels to some planes at a time, on all threads."""
    planes = 8
    first = work(volume[:2])
    result = np.empty(volume.shape, first.dtype)

    def part(i: int) -> None:
        start, stop = i * planes, min((i + 1) * planes, len(volume))
        low, high = max(0, start - 1), min(len(volume), stop + 1)
        result[start:stop] = work(volume[low:high])[start - low : stop - low]

    problem.projector.each(part, -(-len(volume) // planes), problem.progress)
    return result


def _correct(problem: Problem, free: np.ndarray) -> None:
    """Improve the free voxels by SIRT."""
    errors = problem.new_images()
    for _ in range(_INNER_ITERATIONS):
        problem.errors(errors)
        change = problem.new_volume()
        problem.spread(errors, change, problem.voxel_weights, bounded=False)

        def apply(at: Part, change: np.ndarray = change) -> None:
            change[at] *= free[at]
            problem.volume[at] += change[at]

        problem.in_volume(apply)
        problem.limit(problem.volume)
        problem.project()


def _find_densities(problem: Problem, count: int) -> tuple[float, ...]:
    """Return the densities with which segmentations explain the images best.

    For one density, the threshold is the one that leaves the least projection error (van
    Aarle et al. 2012, IEEE Trans. Image Process. 21, 4608); for several it is Otsu's.
    """
    values = problem.projector.layout.join(problem.volume)
    if count > 1:
        classes = np.digitize(values, threshold_multiotsu(values, count + 1))
        return _fit_densities(problem, classes, count)[0]
    high = float(np.quantile(values[values > 0], 0.999)) if (values > 0).any() else 1.0
    tried = [
        _fit_densities(problem, values > part * high, 1) for part in np.arange(0.15, 0.9, 0.075)
    ]
    return min(tried, key=lambda result: result[1])[0]


def _fit_densities(
    problem: Problem, classes: np.ndarray, count: int
) -> tuple[tuple[float, ...], float]:
    """Return the least-squares densities of classes, and the error that is left."""
    weights = np.sqrt(problem.tilt_weights)[:, None, None]
    seen = []
    for level in range(1, count + 1):
        images = problem.new_images()
        problem.project(
            problem.projector.volume_to_blocks((classes == level).astype(np.float32)), images
        )
        seen.append((images * weights).ravel())
    measured = (problem.measured * weights).ravel()
    matrix = np.array([[np.dot(a, b) for b in seen] for a in seen], np.float64)
    right = np.array([np.dot(a, measured) for a in seen], np.float64)
    fitted = np.linalg.lstsq(matrix, right, rcond=None)[0]
    # a class that is empty or fits badly must not change the order of the others
    fitted = np.maximum.accumulate(np.maximum(fitted, 1e-6)) * (1 + 1e-6 * np.arange(count))
    left = measured - sum(f * s for f, s in zip(fitted.astype(np.float32), seen, strict=True))
    return tuple(map(float, fitted)), float(np.linalg.norm(left))
