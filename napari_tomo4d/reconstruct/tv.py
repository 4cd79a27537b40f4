"""Reconstruction with total variation: the functional, and the step *TV*."""

from __future__ import annotations

from typing import Annotated, Unpack

from napari_tomo4d.data import TiltSeries, Volume
from napari_tomo4d.parameters import Param
from napari_tomo4d.reconstruct.automatic import CHOOSERS, choose_weight, density_scale
from napari_tomo4d.reconstruct.options import Conditions, LimitedOptions
from napari_tomo4d.reconstruct.parameters import (
    Iterations,
)
from napari_tomo4d.reconstruct.problem import Problem
from napari_tomo4d.reconstruct.variational import fista, primal_dual
from napari_tomo4d.registry import Cost, step

SOLVERS = {"primal-dual": primal_dual, "fista": fista}

Weight = Annotated[
    float | None,
    Param(
        "How smooth: more removes noise first, then detail; 0.01 to 0.1 suits most series. "
        "Empty: chosen from the images.",
        label="Smoothness",
        minimum=0,
        maximum=10,
        step=0.005,
    ),
]
ChooseWeight = Annotated[
    str,
    Param(
        "How the smoothness is chosen where it is automatic: by predicting left-out tilts, or "
        "from the noise level.",
        label="Chosen by",
        choices=tuple(CHOOSERS),
        advanced=True,
    ),
]


@step(
    "reconstruct.tv",
    title="Total variation",
    short="TV",
    takes=TiltSeries,
    gives=Volume,
    cost=Cost(volumes=6, images=7, passes=3.5, halo=8),
    options=Conditions,
)
def tv(
    series: TiltSeries,
    iterations: Iterations = 100,
    weight: Weight = None,
    choose_weight_by: ChooseWeight = "cross-validation",
    solver: Annotated[
        str,
        Param(
            "Both reach the same volume; primal-dual is faster.",
            choices=tuple(SOLVERS),
            advanced=True,
        ),
    ] = "primal-dual",
    *,
    scale: float | None = None,
    **options: Unpack[LimitedOptions],
) -> Volume:
    """Reconstruct with little total variation: flat particles with sharp edges.

    Parameters
    ----------
    series : TiltSeries
        Aligned, one image per tilt.
    iterations : int
        Number of iterations, at least 1.
    weight : float, optional
        Of the total variation, a plain number; about 0.03 for images of few electrons.
    choose_weight_by : {"cross-validation", "discrepancy"}
        Used if there is no `weight`; the result's provenance tells what was chosen and why.
    solver : {"primal-dual", "fista"}
        Chambolle & Pock 2011 (J. Math. Imaging Vis. 40, 120), or Beck & Teboulle 2009 (IEEE
        Trans. Image Process. 18, 2419).
    scale : float, optional
        Density that `weight` is relative to; found from the images if None.
    **options
        As in `LimitedOptions`.

    Returns
    -------
    Volume
        Density in image intensity per pixel of path, and residuals as in `sirt`.
    """
    series, conditions = Conditions(**options).in_use(series)
    if scale is None:
        scale = density_scale(series, conditions)
    if weight is None:
        weight = choose_weight([series], choose_weight_by, [conditions], scale)
    problem = Problem(series, "reconstruct.tv", conditions)
    problem.chosen = {"weight": weight, "scale": scale}
    SOLVERS[solver]([problem], weight * scale, iterations, conditions.min_improvement)
    return problem.result()
