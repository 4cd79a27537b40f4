"""Discrete tomography: particles of one or a few densities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_multiotsu

from napari_tomo4d.data import TiltSeries, Volume
from napari_tomo4d.errors import ParameterError
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import note, recorded
from napari_tomo4d.reconstruct.problem import Conditions, Problem, Support
from napari_tomo4d.reconstruct.setup import (
    AxisShift,
    Iterations,
    MinImprovement,
    Seed,
    Thickness,
)

_START_ITERATIONS = 50
_INNER_ITERATIONS = 10


@recorded("reconstruct.dart")
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
        float,
        Param(
            "Share of its neighbours that a free voxel takes over.",
            minimum=0,
            maximum=1,
            advanced=True,
        ),
    ] = 0.2,
    thickness: Thickness = None,
    axis_shift_px: AxisShift = 0.0,
    min_improvement: MinImprovement = 0.0,
    seed: Seed = 0,
    *,
    initial: Volume | None = None,
    support: Support | None = None,
    tilt_weights: Sequence[float] | np.ndarray | None = None,
    progress: Progress | None = None,
) -> Volume:
    """Reconstruct particles of one or a few known densities, each voxel having one of them.

    Parameters
    ----------
    series : TiltSeries
        Aligned, one image per tilt.
    iterations : int
        Number of rounds; each holds ten of SIRT.
    densities : tuple of float
        In image intensity per pixel of path; found from a SIRT volume if empty.
    n_densities : int
        Number to find.
    free_fraction, smoothing : float
        Between 0 and 1; more of both against more noise.
    thickness, axis_shift_px, min_improvement
        As in `sirt`.
    seed : int
        Of the choice of free voxels.
    initial, support, tilt_weights, progress
        As in `sirt`; without `initial`, it starts from SIRT.

    Returns
    -------
    Volume
        Voxels of the given densities or 0, and residuals as in `sirt`.

    Notes
    -----
    Batenburg & Sijbers 2011, IEEE Trans. Image Process. 20, 2542. Surfaces and a random share
    of the other voxels are free; the rest keeps the density of its class while SIRT corrects
    the free ones. Densities that are not given are fitted to the images after each round.
    """
    if any(b <= a for a, b in zip((0.0, *densities), densities, strict=False)):
        raise ParameterError("densities have to be above 0 and increase.")
    conditions = Conditions(thickness, axis_shift_px, True, None, tilt_weights)
    problem = Problem(
        series, "DART", conditions, initial=initial, support=support, progress=progress
    )
    generator = np.random.default_rng(seed)
    layout = problem.projector.layout
    errors = problem.new_images()
    everywhere = problem.voxel_weights

    def sirt(times: int, free: np.ndarray | None = None) -> None:
        for _ in range(times):
            problem.errors(errors)
            before = None if free is None else problem.volume.copy()
            problem.spread(errors, problem.volume, everywhere)
            if free is not None and before is not None:
                keep = before

                def restore(b: int, keep: np.ndarray = keep) -> None:
                    np.copyto(problem.volume[b], keep[b], where=~free[b])

                problem.each(restore)
            problem.project()

    if initial is None:
        sirt(_START_ITERATIONS)
    levels = np.array((0.0, *densities), np.float32)
    if not densities:
        levels = _find_levels(problem, n_densities)

    def classify() -> np.ndarray:
        """Return the class of each voxel, and refit densities nobody gave."""
        middles = (levels[1:] + levels[:-1]) / 2
        return np.digitize(layout.join(problem.volume), middles).astype(np.uint8)

    def step(i: int) -> None:
        nonlocal levels
        classes = classify()
        if not densities:
            levels = _fit_levels(problem, classes, len(levels))
        surface = ndimage.maximum_filter(classes, 3) != ndimage.minimum_filter(classes, 3)
        free = surface | (generator.random(classes.shape, dtype=np.float32) < free_fraction)
        values = levels[classes]
        current = layout.join(problem.volume)
        start = np.where(free, current, values)
        problem.volume = problem.projector.volume_to_blocks(start)
        problem.project()
        blocks = problem.projector.volume_to_blocks(free.astype(np.float32)) > 0
        sirt(_INNER_ITERATIONS, blocks)
        current = layout.join(problem.volume)
        around = ndimage.uniform_filter(current, 3)
        mixed = np.where(free, (1 - smoothing) * current + smoothing * around, current)
        problem.volume = problem.projector.volume_to_blocks(mixed)
        problem.project()

    problem.iterate(step, iterations, min_improvement)
    classes = classify()
    if not densities:
        levels = _fit_levels(problem, classes, len(levels))
        found = ", ".join(f"{level:.4g}" for level in levels[1:])
        note(f"The density of the particles was found from the images: {found}.")
        problem.chosen = {"densities": [float(level) for level in levels[1:]]}
    problem.volume = problem.projector.volume_to_blocks(levels[classes])
    problem.project()
    problem.residuals.append(problem.residual())
    return problem.result()


def _find_levels(problem: Problem, count: int) -> np.ndarray:
    """Return 0 and the mean densities of the classes that Otsu's method finds."""
    values = problem.projector.layout.join(problem.volume)
    classes = np.digitize(values, threshold_multiotsu(values, count + 1))
    return _fit_levels(problem, classes.astype(np.uint8), count + 1)


def _fit_levels(problem: Problem, classes: np.ndarray, count: int) -> np.ndarray:
    """Return the densities with which the classes explain the images best."""
    seen = []
    for level in range(1, count):
        images = problem.new_images()
        part = problem.projector.volume_to_blocks((classes == level).astype(np.float32))
        problem.project(part, images)
        seen.append(images.ravel())
    weights = np.broadcast_to(problem.tilt_weights[:, None, None], problem.measured.shape[1:])
    weights = np.broadcast_to(weights, problem.measured.shape).ravel()
    matrix = np.array([[np.dot(a * weights, b) for b in seen] for a in seen], np.float64)
    right = np.array([np.dot(a * weights, problem.measured.ravel()) for a in seen], np.float64)
    fitted = np.linalg.lstsq(matrix, right, rcond=None)[0]
    # a class that is empty or fits badly must not change the order of the others
    fitted = np.maximum.accumulate(np.maximum(fitted, 1e-6))
    return np.concatenate([[0], fitted * (1 + 1e-6 * np.arange(len(fitted)))]).astype(np.float32)
