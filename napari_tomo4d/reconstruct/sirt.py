"""Simultaneous iterative reconstruction technique."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from napari_tomo4d.data import TiltSeries, Volume
from napari_tomo4d.errors import DataError
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress, Snapshot
from napari_tomo4d.provenance import recorded, warn
from napari_tomo4d.reconstruct.setup import (
    AxisShift,
    Iterations,
    Thickness,
    finish,
    make_projector,
    require_memory_for,
)


@recorded("reconstruct.sirt")
def sirt(
    series: TiltSeries,
    iterations: Iterations = 50,
    thickness: Thickness = None,
    non_negative: Annotated[
        bool,
        Param(
            "Density can't be below zero; sharpens particles on a dark background.",
            label="Non-negative",
        ),
    ] = True,
    axis_shift_px: AxisShift = 0.0,
    relaxation: Annotated[
        float,
        Param("Step size; above 1 is faster, below 1 steadier.", minimum=0.01, maximum=1.99),
    ] = 1.0,
    min_improvement: Annotated[
        float,
        Param(
            "Stops when the relative residual falls by less than this per iteration; 0: never.",
            minimum=0,
            maximum=1,
            step=0.0001,
            advanced=True,
        ),
    ] = 0.0,
    *,
    initial: Volume | None = None,
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
    min_improvement : float
        Stop rule on the decrease of the relative residual per iteration.
    initial : Volume, optional
        Start from this volume instead of zero; same shape as the result.
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
    progress = progress or Progress()
    projector = make_projector(series, thickness, axis_shift_px)
    require_memory_for(projector, "sirt")
    measured = projector.images_to_blocks(series.load())
    norm = _norm(measured)
    if norm == 0:
        raise DataError(f"All images of {series.name!r} are zero; there is nothing to reconstruct.")
    if non_negative and _norm(np.minimum(measured, 0)) > 0.5 * norm:
        warn(
            "Most of the images' signal is below zero, which a non-negative volume can't explain; "
            "subtract the background first."
        )
    if initial is None:
        volume, projected = projector.new_volume(), projector.new_images()
    else:
        volume, projected = projector.volume_to_blocks(initial.data), projector.new_images()
        projector.each_block(lambda b: projector.project_block(volume[b], projected[b]))
    ray_weights = _inverse(projector.ray_lengths())[:, :, None]
    voxel_weights = relaxation * _inverse(projector.voxel_weights())[:, :, None]
    squared_errors = np.zeros(projector.n_blocks)

    def iterate(b: int) -> None:
        error = (measured[b] - projected[b]) * ray_weights
        correction = projector.new_volume_block()
        projector.backproject_block(error, correction)
        correction *= voxel_weights
        volume[b] += correction
        if non_negative:
            np.maximum(volume[b], 0, out=volume[b])
        projector.project_block(volume[b], projected[b])
        squared_errors[b] = _norm(measured[b] - projected[b]) ** 2

    residuals: list[float] = []
    for i in range(iterations):
        projector.each_block(iterate, progress)
        residuals.append(float(np.sqrt(squared_errors.sum()) / norm))
        progress.report(
            i + 1,
            iterations,
            f"iteration {i + 1} of {iterations}, residual {residuals[-1]:.4f}",
            preview=lambda: Snapshot(projector.section_from_blocks(volume), tuple(residuals)),
        )
        improved = len(residuals) < 2 or residuals[-2] - residuals[-1] >= min_improvement
        if progress.finish_requested or (min_improvement > 0 and not improved):
            break
    return finish(projector, volume, series, "SIRT", residuals)


def _norm(array: np.ndarray) -> float:
    flat = array.ravel()
    return float(np.sqrt(np.dot(flat, flat)))


def _inverse(weights: np.ndarray) -> np.ndarray:
    """Return 1 / weights, and 0 where a ray or voxel is hardly touched at all."""
    small = weights < 1e-3 * weights.max()
    return np.where(small, 0, 1 / np.where(small, 1, weights)).astype(np.float32)
