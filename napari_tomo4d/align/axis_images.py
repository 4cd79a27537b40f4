"""Images as the search for the tilt axis sees them: smooth, small, sampled on a turned grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import DataError

MIN_TILTS = 5
MIN_SPAN_DEG = 10.0


@dataclass(frozen=True, eq=False)
class AxisImages:
    """Images (tilt, along, across) with the tilt axis near to parallel to `along`.

    Parameters
    ----------
    images : array (tilt, along, across), float32
        Dark background taken off.
    angles_deg : array (tilt,)
    factor : int
        Pixels of the series per pixel of these images; their centres coincide.
    """

    images: np.ndarray
    angles_deg: np.ndarray
    factor: int = 1

    def reduced(self, factor: int, sigma_px: float) -> AxisImages:
        """Return images smoothed by a Gaussian and every `factor`-th pixel of them.

        Parameters
        ----------
        factor : int
        sigma_px : float
            Of the Gaussian, in pixels of these images.
        """
        images = self.images
        if sigma_px > 0:
            images = ndimage.gaussian_filter(images, (0, sigma_px, sigma_px), mode="nearest")
        for axis in (1, 2):
            n = images.shape[axis]
            count = (n - 1) // factor + 1
            start = ((n - 1) - (count - 1) * factor) / 2
            rows = int(start) + factor * np.arange(count)
            part = np.take(images, rows, axis)
            if start != int(start):
                # so that the centre stays the centre
                part = (part + np.take(images, rows + 1, axis)) / 2
            images = part
        return AxisImages(np.ascontiguousarray(images), self.angles_deg, self.factor * factor)

    def splines(self) -> np.ndarray:
        """Return the coefficients of cubic splines through each image."""
        coefficients = [ndimage.spline_filter(i.astype(np.float64), 3) for i in self.images]
        return np.stack(coefficients).astype(np.float32)


def axis_images(series: TiltSeries) -> AxisImages:
    """Check a series and return its images for the search of the tilt axis.

    Raises
    ------
    DataError
        If the tilts are too few or too close, or images are blank.
    """
    series.require_single_images()
    if len(series) < 2:
        raise DataError("The tilt axis can't be found from one tilt; several angles are needed.")
    different = len(np.unique(np.round(series.angles_deg, 3)))
    span = float(np.ptp(series.angles_deg))
    if different < MIN_TILTS or span < MIN_SPAN_DEG:
        raise DataError(
            f"The tilt axis can't be found from {different} different angles over {span:g} deg; "
            f"at least {MIN_TILTS} over {MIN_SPAN_DEG:g} deg are needed."
        )
    images = series.load()
    blank = np.ptp(images.reshape(len(images), -1), axis=1) == 0
    if blank.any():
        first = series.angles_deg[np.argmax(blank)]
        raise DataError(
            f"{blank.sum()} of {len(series)} images are blank, the first at {first:g} deg; "
            "remove them before looking for the tilt axis."
        )
    images = np.subtract(images, background(images), dtype=np.float32)
    if series.tilt_axis == "x":
        images = np.ascontiguousarray(images.transpose(0, 2, 1))
    return AxisImages(images, series.angles_deg)


def background(images: np.ndarray) -> float:
    """Return the level of the dark surroundings common to all images."""
    smooth = ndimage.gaussian_filter(images, (0, 2, 2))
    return float(np.median(smooth[smooth < threshold_otsu(smooth)]))


def turned_grid(
    along: np.ndarray, across: np.ndarray, shift_px: float, rotation_deg: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return where points of the upright frame of a tilt axis lie in an image.

    Parameters
    ----------
    along, across : array
        From the point of the axis in the middle row, in pixels; to be broadcast.
    shift_px, rotation_deg : float
        The tilt axis, as in `Projector`.

    Returns
    -------
    rows, columns : array
        From the image centre.
    """
    angle = np.deg2rad(rotation_deg)
    cosine, sine = np.cos(angle), np.sin(angle)
    return along * cosine - across * sine, across * cosine + along * sine + shift_px


def sample(
    splines: np.ndarray,
    along: np.ndarray,
    across: np.ndarray,
    shift_px: float,
    rotation_deg: float,
) -> np.ndarray:
    """Return images (tilt, along, across) in the upright frame of a tilt axis.

    Parameters
    ----------
    splines : array (tilt, y, x)
        From `AxisImages.splines`.
    along, across : array (n,), evenly spaced by 1
    shift_px, rotation_deg : float
    """
    middle = (np.array(splines.shape[1:]) - 1) / 2
    first = np.array(turned_grid(along[0], across[0], shift_px, rotation_deg)) + middle
    angle = np.deg2rad(rotation_deg)
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.array([[cosine, -sine], [sine, cosine]])
    shape = (len(along), len(across))
    result = np.empty((len(splines), *shape), np.float32)
    for image, target in zip(splines, result, strict=True):
        ndimage.affine_transform(
            image, matrix, first, shape, target, order=3, mode="nearest", prefilter=False
        )
    return result
