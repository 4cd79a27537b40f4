"""Conjugate gradients for least squares."""

from __future__ import annotations

from typing import Annotated, Unpack

import numpy as np
from numba import njit

from napari_tomo4d.data import TiltSeries, Volume
from napari_tomo4d.parameters import Param
from napari_tomo4d.reconstruct.automatic import choose_iterations
from napari_tomo4d.reconstruct.options import Conditions, IterativeOptions
from napari_tomo4d.reconstruct.parameters import (
    ChosenIterations,
    Maximum,
)
from napari_tomo4d.reconstruct.problem import Part, Problem
from napari_tomo4d.registry import Cost, step


@step(
    "reconstruct.cgls",
    title="CGLS",
    takes=TiltSeries,
    gives=Volume,
    cost=Cost(volumes=5, images=6, passes=2.5),
    options=Conditions,
)
def cgls(
    series: TiltSeries,
    iterations: ChosenIterations = 15,
    non_negative: Annotated[
        bool,
        Param(
            "Density can't be below zero; costs a second projection per iteration.",
            label="Non-negative",
        ),
    ] = False,
    maximum: Maximum = None,
    **options: Unpack[IterativeOptions],
) -> Volume:
    """Reconstruct by conjugate gradients: the fewest iterations, stop early against noise.

    Parameters
    ----------
    series : TiltSeries
        Aligned, one image per tilt.
    iterations : int, optional
        Number of iterations; chosen by cross-validation if None.
    non_negative : bool
    maximum : float, optional
        Limits of the density.
    **options
        As in `IterativeOptions`.

    Returns
    -------
    Volume
        Density in image intensity per pixel of path, and residuals as in `sirt`.

    Notes
    -----
    Minimises ``|A v - b|^2`` of every slice on its own (Hestenes & Stiefel 1952). With
    limits, voxels that a step would push beyond them rest, and the direction forgets its past
    as far as they do (Polak & Ribiere's formula).
    """
    given = Conditions(**options, non_negative=non_negative, maximum=maximum)
    series, conditions = given.in_use(series)
    if iterations is None:
        iterations = choose_iterations(series, _solve, conditions)
    problem = Problem(series, "reconstruct.cgls", conditions)
    problem.chosen = {"iterations": iterations}
    _solve(problem, iterations, conditions.min_improvement)
    return problem.result()


def _solve(problem: Problem, iterations: int, min_improvement: float = 0.0) -> None:
    low = np.float32(-np.inf if problem.low is None else problem.low)
    high = np.float32(np.inf if problem.high is None else problem.high)
    limited = problem.low is not None or problem.high is not None
    ones = [(w > 0).astype(np.float32) for w in problem.voxel_weights]
    weights = problem.tilt_weights[:, None, None]
    pulls, seen = problem.new_images(), problem.new_images()
    slope, before = problem.new_volume(), problem.new_volume()
    direction = problem.new_volume()
    n_blocks, size = len(ones), problem.projector.layout.size
    size_before = np.zeros((n_blocks, size))
    along = np.zeros((n_blocks, size))

    def turn(b: int) -> None:
        """Make the direction conjugate to the last one."""
        if limited:
            _rest(slope[b], problem.volume[b], low, high)
        squared = _dots(slope[b], slope[b])
        crossed = _dots(slope[b], before[b])
        beta = np.maximum(0, _ratio(squared - crossed, size_before[b])).astype(np.float32)
        direction[b] *= beta
        direction[b] += slope[b]
        if limited:
            _rest(direction[b], problem.volume[b], low, high)
        along[b] = _dots(slope[b], direction[b])
        size_before[b] = squared

    def advance(b: int) -> None:
        curvature = _dots(seen[b] * weights, seen[b])
        alpha = _ratio(along[b], curvature).astype(np.float32)
        problem.volume[b] += alpha * direction[b]
        if not limited:
            problem.projected[b] += alpha * seen[b]

    def step(_: int) -> None:
        nonlocal slope, before
        before, slope = slope, before

        def pull(at: Part) -> None:
            np.subtract(problem.measured[at], problem.projected[at], out=pulls[at])
            pulls[at] *= weights[at[1]]

        problem.in_images(pull)
        problem.clear(slope)
        problem.spread(pulls, slope, ones, bounded=False)
        problem.each_block(turn)
        problem.project(direction, seen)
        problem.each_block(advance)
        if limited:
            problem.limit(problem.volume)
            problem.project()

    problem.iterate(step, iterations, min_improvement)


@njit(nogil=True, cache=True)
def _dots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the scalar product of two blocks for every slice, in double precision."""
    result = np.zeros(a.shape[2])
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            for k in range(a.shape[2]):
                result[k] += np.float64(a[i, j, k]) * np.float64(b[i, j, k])
    return result


@njit(nogil=True, cache=True)
def _rest(slope: np.ndarray, volume: np.ndarray, low: np.float32, high: np.float32) -> None:
    """Clear the slope where it leads beyond the limits."""
    for i in range(slope.shape[0]):
        for j in range(slope.shape[1]):
            for k in range(slope.shape[2]):
                value, change = volume[i, j, k], slope[i, j, k]
                if (value <= low and change < 0) or (value >= high and change > 0):
                    slope[i, j, k] = 0


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a / b, and 0 where b is 0."""
    result: np.ndarray = np.divide(a, b, out=np.zeros_like(a), where=b > 0)
    return result
