"""Parameters chosen from the images themselves, with the reason in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import DataError
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import note
from napari_tomo4d.reconstruct.geometry import fullest_slices, slices_of
from napari_tomo4d.reconstruct.options import Conditions
from napari_tomo4d.reconstruct.problem import Problem
from napari_tomo4d.reconstruct.variational import primal_dual, scale_of, steps_of

_RANGES = 50
_DEVIATIONS = 1.5
"""Slopes below so many standard deviations of noise alone count as noise."""

_TEST_ITERATIONS = 60
_HIGHEST_ITERATIONS = 300
_WEIGHTS = 0.002 * 4.0 ** np.arange(5)
"""First weights tried; the best is then refined by halves of this step."""


Solve = Callable[[float, bool], list[Problem]]
"""Solves a part of the problem with a weight, with all tilts or with some held out."""


def choose_weight(
    times: Sequence[TiltSeries],
    how: str,
    conditions: Sequence[Conditions],
    scale: float,
    temporal: Sequence[float] = (),
) -> float:
    """Return the weight of total variation, and note why.

    Parameters
    ----------
    times : sequence of TiltSeries
        One series, or several to be reconstructed together.
    how : {"cross-validation", "discrepancy"}
        Least error of predicted tilts that were left out; or a residual as large as noise.
    conditions : sequence of Conditions
        Of the reconstructions that are to follow.
    scale : float
        Density that the weight is relative to.
    temporal : sequence of float
        As in `primal_dual`.
    """
    progress = conditions[-1].progress or Progress()
    start, stop = fullest_slices(times[len(times) // 2])
    parts = [slices_of(series, start, stop) for series in times]

    def solve(weight: float, leave_out: bool) -> list[Problem]:
        progress.report(0, 1, f"Choosing the weight: trying {weight:.3g}")
        problems = [
            Problem(
                part,
                "reconstruct.tv",
                condition.for_trial(),
                held_out=tilts_to_hold_out(part.angles_deg) if leave_out else None,
            )
            for part, condition in zip(parts, conditions, strict=True)
        ]
        primal_dual(problems, weight * scale, _TEST_ITERATIONS, temporal=temporal)
        return problems

    return CHOOSERS[how](parts, solve)


def _by_cross_validation(parts: Sequence[TiltSeries], solve: Solve) -> float:
    count = sum(tilts_to_hold_out(part.angles_deg).sum() for part in parts)
    errors: dict[float, float] = {}

    def error(weight: float) -> float:
        if weight not in errors:
            errors[weight] = float(
                np.mean([problem.held_out_residuals[-1] for problem in solve(weight, True)])
            )
        return errors[weight]

    best = min(map(float, _WEIGHTS), key=error)
    for factor in (2.0, 2.0**0.5):
        best = min((best / factor, best, best * factor), key=error)
    note(
        f"The weight {best:.3g} was chosen: of {len(errors)} tried it predicts the "
        f"{count} tilts that were left out best (residual {errors[best]:.4f})."
    )
    return best


def _by_discrepancy(parts: Sequence[TiltSeries], solve: Solve) -> float:
    stacks = [part.load() for part in parts]
    levels = [noise_level(part) for part in parts]
    expected = float(
        np.mean(
            [n * np.sqrt(s.size) / np.linalg.norm(s) for n, s in zip(levels, stacks, strict=True)]
        )
    )
    low, high = float(_WEIGHTS[0]) / 2, float(_WEIGHTS[-1])
    # the residual grows with the weight
    for _ in range(6):
        middle = np.sqrt(low * high)
        reached = float(np.mean([problem.residuals[-1] for problem in solve(middle, False)]))
        low, high = (middle, high) if reached < expected else (low, middle)
    weight = float(np.sqrt(low * high))
    note(
        f"The weight {weight:.3g} was chosen: with it the residual is {reached:.4f}, and the "
        f"noise in the images, taken as white, is {expected:.4f}."
    )
    return weight


CHOOSERS: dict[str, Callable[[Sequence[TiltSeries], Solve], float]] = {
    "cross-validation": _by_cross_validation,
    "discrepancy": _by_discrepancy,
}


def choose_iterations(
    series: TiltSeries,
    solve: Callable[[Problem, int], None],
    conditions: Conditions,
) -> int:
    """Return after how many iterations tilts that were left out are predicted best.

    Parameters
    ----------
    series : TiltSeries
    solve : callable
        Runs so many iterations on a problem.
    conditions : Conditions
    """
    progress = conditions.progress or Progress()
    progress.report(0, 1, "Choosing the number of iterations")
    held_out = tilts_to_hold_out(series.angles_deg)
    problem = Problem(
        slices_of(series, *fullest_slices(series)),
        "reconstruct.sirt",
        conditions.for_trial(),
        held_out=held_out,
    )
    solve(problem, _HIGHEST_ITERATIONS)
    best = int(np.argmin(problem.held_out_residuals)) + 1
    note(
        f"{best} iterations were chosen: they predict the {held_out.sum()} tilts that were "
        f"left out best (residual {min(problem.held_out_residuals):.4f})."
    )
    return best


def tilts_to_hold_out(angles_deg: np.ndarray) -> np.ndarray:
    """Mark every fifth tilt in the order of angles, never the outermost ones."""
    if len(angles_deg) < 5:
        raise DataError(
            f"{len(angles_deg)} tilts are too few to leave some out; give the value yourself."
        )
    held_out = np.zeros(len(angles_deg), bool)
    held_out[np.argsort(angles_deg)[2:-1:5]] = True
    return held_out


def density_scale(series: TiltSeries, conditions: Conditions) -> float:
    """Return the highest density that one iteration of SIRT reaches in the fullest slices."""
    part = slices_of(series, *fullest_slices(series))
    return scale_of(Problem(part, "reconstruct.sirt", conditions.for_trial()))


def noise_level(series: TiltSeries) -> float:
    """Estimate the RMS noise in the fullest slices, which may grow with intensity.

    From second differences along y and x, in which smooth structure nearly vanishes
    (Immerkaer 1996, Comput. Vis. Image Underst. 64, 300); the median of their size within
    each of some ranges of brightness ignores edges. Noise counts in full only if it differs
    from pixel to pixel.

    Raises
    ------
    DataError
        If the images are smaller than 3 pixels along both axes.
    """
    images = slices_of(series, *fullest_slices(series)).load()
    axes = [axis for axis in (1, 2) if images.shape[axis] >= 3]
    if not axes:
        raise DataError("The images are too small to estimate their noise.")
    mask, inner = images, [slice(None)] * 3
    for axis in axes:
        mask = np.diff(mask, 2, axis)
        inner[axis] = slice(1, -1)
    size = np.abs(mask).ravel()
    brightness = ndimage.uniform_filter(images, (0, 7, 7))[tuple(inner)].ravel()
    variances = [
        # half of all normal deviates are below 0.6745; each difference sums 6 variances
        np.median(size[part]) ** 2 / 0.6745**2 / 6 ** len(axes)
        for part in np.array_split(np.argsort(brightness), _RANGES)
        if len(part)
    ]
    return float(np.sqrt(np.mean(variances)))


def noise_slope(series: TiltSeries, conditions: Conditions, noise: float, seed: int) -> float:
    """Return the weight of total variation that flattens what noise alone does to a volume.

    Parameters
    ----------
    series : TiltSeries
    conditions : Conditions
    noise : float
        Standard deviation of white noise in the images.
    seed : int
        Of the noise that is sent through the operator, for the fullest slices.
    """
    part = slices_of(series, *fullest_slices(series))
    problem = Problem(part, "reconstruct.sirt", conditions.for_trial())
    generator = np.random.default_rng(seed)
    shape = problem.projector.images_shape
    sample = generator.standard_normal(shape, dtype=np.float32) * np.float32(noise)
    images, volume = problem.projector.images_to_blocks(sample), problem.new_volume()
    images *= problem.ray_weights
    problem.spread(images, volume, steps_of(problem), bounded=False)
    values = problem.projector.volume_from_blocks(volume)
    return _DEVIATIONS * float(values[values != 0].std()) if values.any() else 0.0
