"""From a tilt series to a projector, and to some of its slices."""

from __future__ import annotations

import numpy as np

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import DataError
from napari_tomo4d.reconstruct.projector import Projector

ENOUGH_SLICES = 16
"""Slices that are enough to choose parameters by: those that hold most."""


def make_projector(
    series: TiltSeries, thickness: int | None = None, axis_shift_px: float = 0.0
) -> Projector:
    """Return the projector for a series, whose volume has the images' y and x size.

    Parameters
    ----------
    series : TiltSeries
        One image per tilt.
    thickness : int, optional
        Size of the volume along the beam in pixels; the width across the tilt axis by default.
    axis_shift_px : float
        Added to the series' own axis position.

    Raises
    ------
    DataError
        If the series has frames or only one tilt.
    """
    series.require_single_images()
    if len(series) < 2:
        raise DataError("A reconstruction needs at least two tilts; this series has one.")
    span = np.ptp(series.angles_deg)
    if span < 1:
        raise DataError(
            f"All tilt angles are within {span:g} deg, so there is nothing to reconstruct "
            "in depth; check the angles."
        )
    n_y, n_x = series.image_shape
    width = n_x if series.tilt_axis == "y" else n_y
    shift = series.axis_shift_px + axis_shift_px
    if abs(shift) >= width / 2:
        raise DataError(
            f"The tilt axis is {shift:g} px from the image centre, outside the images "
            f"({width} px wide)."
        )
    n_z = thickness or width
    return Projector(
        (n_z, n_y, n_x), series.angles_deg, tilt_axis=series.tilt_axis, axis_shift_px=shift
    )


def slices_of(series: TiltSeries, start: int, stop: int) -> TiltSeries:
    """Return slices `start` to `stop` (not included) of a series, still lazy if it is.

    Slices are across the tilt axis: rows of the images where it is along y, else columns.

    Parameters
    ----------
    series : TiltSeries
    start, stop : int
        Numbers of slices, from 0.
    """
    keep = slice(start, stop)
    images = series.images
    part = images[..., keep, :] if series.tilt_axis == "y" else images[..., keep]
    return series.replace(images=part)


def fullest_slices(series: TiltSeries, count: int = ENOUGH_SLICES) -> tuple[int, int]:
    """Return the range of slices across the tilt axis that hold the most intensity."""
    images = np.maximum(series.load(), 0)
    profile = images.sum(axis=(0, 2) if series.tilt_axis == "y" else (0, 1), dtype=np.float64)
    count = min(count, len(profile))
    held = np.convolve(profile, np.ones(count), "valid")
    start = int(np.argmax(held))
    return start, start + count
