"""Tilt images made ready for registration: in order of tilt, the axis upright, band-passed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import DataError
from napari_tomo4d.provenance import warn

_SMALLEST = 16


@dataclass(frozen=True, eq=False)
class TiltImages:
    """Images in order of tilt with the tilt axis parallel to y.

    Parameters
    ----------
    images : array (tilt, along, across), float32
    angles_deg : array (tilt,)
        Ascending.
    axis_shift_px : float
        Position of the tilt axis from the middle of the images, across the axis.
    order : array (tilt,)
        Index of each image in the series it came from.
    turned : bool
        Whether y and x were exchanged.
    blank : array (tilt,), bool
        Images without any contrast.
    """

    images: np.ndarray
    angles_deg: np.ndarray
    axis_shift_px: float
    order: np.ndarray
    turned: bool
    blank: np.ndarray

    def middle(self, good: np.ndarray) -> int:
        """Return the index of the tilt nearest 0 degrees of those that are good, (tilt,) bool."""
        return int(np.argmin(np.abs(self.angles_deg) + 1e3 * ~good))

    @property
    def axis_px(self) -> float:
        """Index across the images at which the tilt axis lies."""
        return float((self.images.shape[2] - 1) / 2 + self.axis_shift_px)

    def to_series(self, values: np.ndarray) -> np.ndarray:
        """Return one value per tilt in the order of the series."""
        result = np.empty_like(values)
        result[self.order] = values
        return result

    def shifts_to_series(self, shifts: np.ndarray) -> np.ndarray:
        """Return shifts (along, across) as (dy, dx) in the order of the series."""
        return self.to_series(shifts[:, ::-1] if self.turned else shifts)


def prepare(series: TiltSeries) -> TiltImages:
    """Put the images in order of tilt and turn the tilt axis upright.

    Parameters
    ----------
    series : TiltSeries
        One image per tilt.

    Returns
    -------
    TiltImages

    Raises
    ------
    DataError
        If fewer than two images have contrast, or they are smaller than 16 pixels.
    """
    if len(series) < 2:
        raise DataError("Aligning needs at least two tilts; this series has only one.")
    if min(series.image_shape) < _SMALLEST:
        y, x = series.image_shape
        raise DataError(
            f"Images of {y} x {x} pixels are too small to be aligned; "
            f"at least {_SMALLEST} x {_SMALLEST} are needed."
        )
    images = series.load()
    angles = series.angles_deg
    _say_what_is_odd(angles)
    order = np.argsort(angles, kind="stable")
    turned = series.tilt_axis == "x"
    images = images[order]
    if turned:
        images = np.ascontiguousarray(images.swapaxes(1, 2))
    blank = np.ptp(images, axis=(1, 2)) == 0
    if (~blank).sum() < 2:
        raise DataError(
            "Fewer than two of the images have any contrast, so there is nothing to align; "
            "check that the right images were read."
        )
    if blank.any():
        warn(f"There is nothing in {name_tilts(angles[order][blank])}; it was left out.")
    return TiltImages(images, angles[order], series.axis_shift_px, order, turned, blank)


def _say_what_is_odd(angles: np.ndarray) -> None:
    steps = np.sign(np.diff(angles))
    changes = np.count_nonzero(np.diff(steps[steps != 0]))
    if changes == 1 and (angles.min() >= 0 or angles.max() <= 0):
        warn(
            "The tilt angles turn back at "
            f"{angles[np.argmin(np.abs(angles))]:g} deg with one sign throughout; check "
            "whether the sign of half of them was lost."
        )
    elif changes:
        warn("The tilt angles are not in order; images were compared in the order of tilt.")
    values, counts = np.unique(angles, return_counts=True)
    if counts.max() > 1:
        listed = ", ".join(f"{a:g}" for a in values[counts > 1][:5])
        warn(f"Several images have the same tilt angle ({listed} deg); all were kept.")


def name_tilts(angles_deg: Sequence[float] | np.ndarray, most: int = 6) -> str:
    """Return "the image at 4 deg" or "the images at 4, 6 and 8 deg", for a sentence."""
    names = [f"{a:g}" for a in angles_deg]
    if len(names) == 1:
        return f"the image at {names[0]} deg"
    if len(names) > most:
        return f"{len(names)} images ({', '.join(names[: most - 1])}, ... {names[-1]} deg)"
    return f"the images at {', '.join(names[:-1])} and {names[-1]} deg"


def band_pass(image: np.ndarray, fine_px: float, coarse_px: float) -> np.ndarray:
    """Keep what is wider than `fine_px` and narrower than `coarse_px`.

    Parameters
    ----------
    image : array (y, x) or (y,)
    fine_px, coarse_px : float
        Standard deviations of Gaussians in pixels; the difference of both is returned.

    Returns
    -------
    array like `image`, float32
    """
    image = np.asarray(image, np.float32)
    smooth = ndimage.gaussian_filter(image, fine_px, mode="nearest")
    result: np.ndarray = smooth - ndimage.gaussian_filter(image, coarse_px, mode="nearest")
    return result


def binned(images: np.ndarray, step: int) -> np.ndarray:
    """Return means over squares of `step` pixels; rows and columns left over at the end are cut.

    Parameters
    ----------
    images : array (..., y, x)
    step : int

    Returns
    -------
    array (..., y // step, x // step), float32
    """
    if step == 1:
        return np.asarray(images, np.float32)
    y, x = (n // step for n in images.shape[-2:])
    cut = images[..., : y * step, : x * step]
    parts = cut.reshape(*images.shape[:-2], y, step, x, step)
    result: np.ndarray = parts.mean(axis=(-3, -1), dtype=np.float32)
    return result
