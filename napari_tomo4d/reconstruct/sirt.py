"""Simultaneous iterative reconstruction technique, all tilts at once or in subsets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_tomo4d.data import TiltSeries, Volume
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import recorded
from napari_tomo4d.reconstruct.problem import Problem, Support
from napari_tomo4d.reconstruct.setup import (
    AxisShift,
    Iterations,
    Maximum,
    MinImprovement,
    NonNegative,
    Relaxation,
    Thickness,
)


@recorded("reconstruct.sirt")
def sirt(
    series: TiltSeries,
    iterations: Iterations = 50,
    thickness: Thickness = None,
    non_negative: NonNegative = True,
    axis_shift_px: AxisShift = 0.0,
    relaxation: Relaxation = 1.0,
    maximum: Maximum = None,
    min_improvement: MinImprovement = 0.0,
    *,
    initial: Volume | None = None,
    support: Support | None = None,
    tilt_weights: Sequence[float] | np.ndarray | None = None,
    progress: Progress | None = None,
) -> Volume:
    """Reconstruct by SIRT: every iteration spreads the projection error over its rays.

    Parameters
    ----------
    series : TiltSeries
        Aligned, one image per tilt.
    iterations : int
        Number of iterations, at least 1.
    thickness : int, optional
        Volume size along the beam in pixels; the width of the images if None.
    non_negative : bool
        Set negative density to zero after each iteration.
    axis_shift_px : float
        Added to the series' own axis position.
    relaxation : float
        Between 0 and 2.
    maximum : float, optional
        Upper limit of density.
    min_improvement : float
        Stop rule on the decrease of the relative residual per iteration.
    initial : Volume, optional
        Start from this volume instead of zero; same shape as the result.
    support : Volume, Labels or array (z, y, x), optional
        Density is zero where this is zero; that part is not computed.
    tilt_weights : sequence of float, optional
        How much each tilt counts.
    progress : Progress, optional
        May be asked to cancel, or to finish now with the volume so far.

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
    problem = Problem(
        series,
        "SIRT",
        thickness=thickness,
        axis_shift_px=axis_shift_px,
        non_negative=non_negative,
        maximum=maximum,
        initial=initial,
        support=support,
        tilt_weights=tilt_weights,
        progress=progress,
    )
    errors = problem.new_images()
    weights = problem.scaled(relaxation)

    def step(_: int) -> None:
        problem.errors(errors)
        problem.spread(errors, problem.volume, weights)
        problem.project()

    problem.iterate(step, iterations, min_improvement)
    return problem.result()
