"""Iterative reconstruction that takes turns in reducing error and total variation."""

from __future__ import annotations

from typing import Annotated, Unpack

from napari_tomo4d.data import TiltSeries, Volume
from napari_tomo4d.parameters import Param
from napari_tomo4d.provenance import note
from napari_tomo4d.reconstruct.automatic import noise_level, noise_slope
from napari_tomo4d.reconstruct.options import Conditions, LimitedOptions
from napari_tomo4d.reconstruct.parameters import (
    Iterations,
    Seed,
)
from napari_tomo4d.reconstruct.problem import Problem
from napari_tomo4d.reconstruct.variational import Accelerated, variation_of
from napari_tomo4d.registry import Cost, step

_INNER = 5
"""Steps of denoising in each reduction; they go on where the last ones ended."""


@step(
    "reconstruct.iser",
    title="ISER",
    takes=TiltSeries,
    gives=Volume,
    cost=Cost(volumes=10, images=6, passes=12, halo=8),
    options=Conditions,
)
def iser(
    series: TiltSeries,
    iterations: Iterations = 300,
    application_times: Annotated[
        tuple[int, int],
        Param(
            "How often, in each iteration, the error and then the total variation is reduced.",
            minimum=1,
            maximum=100,
        ),
    ] = (1, 1),
    sensitivity: Annotated[
        float,
        Param(
            "What counts as noise, relative to the noise found in the images; more is smoother.",
            minimum=0,
            maximum=100,
        ),
    ] = 1.0,
    seed: Seed = 0,
    *,
    noise: float | None = None,
    **options: Unpack[LimitedOptions],
) -> Volume:
    """Reconstruct by reducing error, then total variation, as far as noise asks for.

    Parameters
    ----------
    series : TiltSeries
        Aligned, one image per tilt.
    iterations : int
        Number of iterations, at least 1.
    application_times : tuple (error, variation)
        How often each is reduced in an iteration.
    sensitivity : float
        1 takes for noise what white noise of the images' level would do to the volume.
    seed : int
        Of the noise by which that is measured.
    noise : float, optional
        Standard deviation of the images' noise; found from the images if None.
    **options
        As in `LimitedOptions`.

    Returns
    -------
    Volume
        Density in image intensity per pixel of path, and residuals as in `sirt`.

    Notes
    -----
    The scheme and its parameters are those of Nanoscale 2023, 15, 10133. An iteration is one
    accelerated step down the projection error (Nesterov's momentum), then the volume is
    denoised: ``argmin_x |x - v|^2 / 2 + mu TV(x)``. Here mu is `sensitivity` times 1.5
    standard deviations of what back-projected noise adds to a voxel, so that no weight has to
    be found.
    """
    series, conditions = Conditions(**options).in_use(series)
    problem = Problem(series, "reconstruct.iser", conditions)
    if noise is None:
        noise = noise_level(series)
        note(f"The noise in the images was found to be {noise:.3g} per pixel.")
    problem.chosen = {"noise": noise}
    mu = sensitivity * noise_slope(series, conditions, noise, seed)
    variation = variation_of(problem)
    dual = variation.new_dual()
    descent = Accelerated(problem)
    reduce_error, reduce_variation = application_times

    def step(_: int) -> None:
        for _ in range(reduce_error - 1):
            descent.commit(descent.step(bounded=True))
        volume = descent.step(bounded=mu == 0)
        for _ in range(reduce_variation if mu > 0 else 0):
            volume = variation.denoise(volume, dual, mu, _INNER, problem.limit)
        descent.commit(volume)

    problem.iterate(step, iterations, conditions.min_improvement)
    return problem.result()
