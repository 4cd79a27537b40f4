"""Simultaneous iterative reconstruction technique, all tilts at once or in subsets."""

from __future__ import annotations

from typing import Annotated, Unpack

import numpy as np

from napari_tomo4d.data import TiltSeries, Volume
from napari_tomo4d.parameters import Param
from napari_tomo4d.reconstruct.automatic import choose_iterations
from napari_tomo4d.reconstruct.options import Conditions, LimitedOptions
from napari_tomo4d.reconstruct.parameters import (
    ChosenIterations,
    Relaxation,
    Seed,
)
from napari_tomo4d.reconstruct.problem import Problem
from napari_tomo4d.registry import Cost, step


@step(
    "reconstruct.sirt",
    title="SIRT",
    takes=TiltSeries,
    gives=Volume,
    cost=Cost(volumes=2, images=4, passes=2),
    options=Conditions,
)
def sirt(
    series: TiltSeries,
    iterations: ChosenIterations = 50,
    relaxation: Relaxation = 1.0,
    **options: Unpack[LimitedOptions],
) -> Volume:
    """Reconstruct by SIRT: every iteration spreads the projection error over its rays.

    Parameters
    ----------
    series : TiltSeries
        Aligned, one image per tilt.
    iterations : int, optional
        Number of iterations; chosen by cross-validation if None.
    relaxation : float
        Between 0 and 2.
    **options
        As in `LimitedOptions`.

    Returns
    -------
    Volume
        Density in image intensity per pixel of path; `residuals` holds
        ``||A v - b|| / ||b||`` after each iteration.

    Notes
    -----
    ``v <- v + r C A^T R (b - A v)`` with R and C the inverse row and column sums of A
    (Gregor & Benson 2008, IEEE Trans. Med. Imaging 27, 918).
    """
    series, conditions = Conditions(**options).in_use(series)

    def solve(problem: Problem, count: int, stop: float = 0.0) -> None:
        errors = problem.new_images()
        weights = problem.scaled(relaxation)

        def step(_: int) -> None:
            problem.errors(errors)
            problem.spread(errors, problem.volume, weights)
            problem.project()

        problem.iterate(step, count, stop)

    if iterations is None:
        iterations = choose_iterations(series, solve, conditions)
    problem = Problem(series, "reconstruct.sirt", conditions)
    problem.chosen = {"iterations": iterations}
    solve(problem, iterations, conditions.min_improvement)
    return problem.result()


@step(
    "reconstruct.os_sart",
    title="OS-SART",
    takes=TiltSeries,
    gives=Volume,
    cost=Cost(volumes=2, images=5, passes=3.2),
    options=Conditions,
)
def os_sart(
    series: TiltSeries,
    iterations: ChosenIterations = 10,
    subsets: Annotated[
        int,
        Param(
            "Parts of the tilts that are used in turn; more is faster and noisier.",
            minimum=1,
            maximum=1000,
        ),
    ] = 8,
    relaxation: Relaxation = 0.5,
    seed: Seed = 0,
    **options: Unpack[LimitedOptions],
) -> Volume:
    """Reconstruct by SART with ordered subsets: SIRT for a few tilts at a time.

    Parameters
    ----------
    series : TiltSeries
        Aligned, one image per tilt.
    iterations : int, optional
        Number of times that all tilts are used; chosen by cross-validation if None.
    subsets : int
        As many as tilts for SART, 1 for SIRT.
    relaxation : float
        Between 0 and 2.
    seed : int
        Of the order in which subsets take their turns.
    **options
        As in `LimitedOptions`.

    Returns
    -------
    Volume
        Density in image intensity per pixel of path, and residuals as in `sirt`.

    Notes
    -----
    Andersen & Kak 1984, Ultrason. Imaging 6, 81; Wang & Jiang 2004, J. X-Ray Sci. Technol.
    12, 169. A subset holds every `subsets`-th tilt in the order of angles.
    """
    series, conditions = Conditions(**options).in_use(series)

    def solve(problem: Problem, count: int, stop: float = 0.0) -> None:
        generator = np.random.default_rng(seed)
        order = np.argsort(series.angles_deg)
        kept = order[problem.tilt_weights[order] > 0]
        parts = [problem.subset(kept[k::subsets]) for k in range(min(subsets, len(kept)))]

        def step(_: int) -> None:
            for k in generator.permutation(len(parts)):
                parts[k].improve(problem.volume, relaxation)
            problem.project()

        problem.iterate(step, count, stop)

    if iterations is None:
        iterations = choose_iterations(series, solve, conditions)
    problem = Problem(series, "reconstruct.os_sart", conditions)
    problem.chosen = {"iterations": iterations}
    solve(problem, iterations, conditions.min_improvement)
    return problem.result()
