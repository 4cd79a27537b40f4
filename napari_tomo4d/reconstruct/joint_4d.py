"""All time points as one problem: what does not change is seen by every tilt series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Unpack

import numpy as np

from napari_tomo4d.data import TiltSeries, TimeSeries, Volume
from napari_tomo4d.errors import DataError
from napari_tomo4d.parameters import Param
from napari_tomo4d.reconstruct.automatic import choose_weight, density_scale
from napari_tomo4d.reconstruct.options import Conditions, SharedOptions
from napari_tomo4d.reconstruct.parameters import (
    Iterations,
    Maximum,
    MinImprovement,
    NonNegative,
)
from napari_tomo4d.reconstruct.problem import Problem
from napari_tomo4d.reconstruct.tv import ChooseWeight, Weight
from napari_tomo4d.reconstruct.variational import primal_dual
from napari_tomo4d.registry import Cost, step


@step(
    "reconstruct.joint_4d",
    title="Joint 4D",
    takes=TiltSeries,
    gives=Volume,
    together=True,
    cost=Cost(volumes=7, images=7, passes=3.7, halo=8),
    options=Conditions,
)
def joint_4d(
    experiment: TimeSeries[TiltSeries],
    iterations: Iterations = 100,
    weight: Weight = None,
    temporal: Annotated[
        float,
        Param(
            "How alike neighbouring times are, beside neighbouring voxels: more removes noise "
            "that changes, then real changes; 0: each time on its own.",
            label="Smoothness in time",
            minimum=0,
            maximum=100,
            step=0.1,
        ),
    ] = 0.5,
    non_negative: NonNegative = True,
    choose_weight_by: ChooseWeight = "cross-validation",
    maximum: Maximum = None,
    min_improvement: MinImprovement = 0.0,
    *,
    initial: Sequence[Volume] | None = None,
    tilt_weights: Sequence[Sequence[float]] | None = None,
    scale: float | None = None,
    **options: Unpack[SharedOptions],
) -> TimeSeries[Volume]:
    """Reconstruct all time points together: little variation in space, few changes in time.

    Parameters
    ----------
    experiment : TimeSeries of TiltSeries
        Aligned in space and time, images of one size; tilts may differ between times.
    iterations : int
        Number of iterations, at least 1.
    weight : float, optional
        Of the total variation in space, as in `tv`.
    temporal : float
        Weight of changes between neighbouring times, relative to `weight` and for the median
        interval; longer intervals may change more.
    non_negative, choose_weight_by, maximum, min_improvement
        As in `tv`.
    initial : sequence of Volume, optional
        Volumes to start from, one for each time.
    tilt_weights : sequence of sequences of float, optional
        One for each time, as in `sirt`.
    scale : float, optional
        As in `tv`.
    **options
        As in `SharedOptions`; `support` is common to all times.

    Returns
    -------
    TimeSeries of Volume
        One volume for each time.

    Notes
    -----
    Minimises the sum over times t of ``c/2 |A_t v_t - b_t|^2_R + mu TV(v_t)`` and, between
    times, ``mu temporal |v_(t+1) - v_t|_1``. The absolute value lets a surface that has moved
    change at once, where a square would smear it over time. Solved as `tv` is.
    """
    if isinstance(experiment, TiltSeries):
        experiment = TimeSeries([experiment], name=experiment.name)
    _check(experiment, initial, tilt_weights)
    in_use = [
        Conditions(
            **options,
            non_negative=non_negative,
            maximum=maximum,
            min_improvement=min_improvement,
            initial=None if initial is None else initial[i],
            tilt_weights=None if tilt_weights is None else tilt_weights[i],
        ).in_use(series)
        for i, series in enumerate(experiment)
    ]
    times, conditions = [s for s, _ in in_use], [c for _, c in in_use]
    intervals = _per_interval(experiment, temporal)
    if scale is None:
        scale = float(np.mean([density_scale(s, c) for s, c in in_use]))
    if weight is None:
        weight = choose_weight(times, choose_weight_by, conditions, scale, intervals)
    problems = [
        Problem(series, "reconstruct.joint_4d", condition, times=len(times))
        for series, condition in in_use
    ]
    problems[0].chosen = {"weight": weight, "scale": scale}
    primal_dual(problems, weight * scale, iterations, min_improvement, intervals)
    return experiment.with_items([p.result() for p in problems], f"{experiment.name} Joint 4D")


def _check(
    experiment: TimeSeries[TiltSeries],
    initial: Sequence[Volume] | None,
    tilt_weights: Sequence[Sequence[float]] | None,
) -> None:
    if any(not isinstance(s, TiltSeries) for s in experiment):
        raise DataError("Joint 4D needs a time series of tilt series.")
    kinds = {(s.image_shape, s.tilt_axis, s.pixel_size_nm) for s in experiment}
    if len(kinds) > 1:
        raise DataError(
            "The images differ in size, pixel size or tilt axis from one time to another; "
            "crop and bin all alike first."
        )
    for given, what in ((initial, "volumes to start from"), (tilt_weights, "lists of weights")):
        if given is not None and len(given) != len(experiment):
            raise DataError(
                f"There are {len(experiment)} time points but {len(given)} {what}; give one each."
            )


def _per_interval(experiment: TimeSeries[TiltSeries], temporal: float) -> list[float]:
    """Return the weight between each time and the next."""
    if experiment.times_s is None or len(experiment) < 2:
        return [temporal] * (len(experiment) - 1)
    gaps = np.diff(experiment.times_s)
    return [float(temporal * np.median(gaps) / gap) for gap in gaps]
