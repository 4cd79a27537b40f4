"""Mass in tilt images: what is not background, its centre, and what stays in the frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

from napari_tomo4d.align.tilt_images import TiltImages

_SMOOTHING = 2.0
_SIGMAS = 4.0
_LEAST_BACKGROUND = 0.02
_MISSING = 0.05
_RIM = 0.01
_EDGES = ("top", "bottom", "left", "right")


@dataclass(frozen=True, eq=False)
class Mass:
    """The object in each image without its background.

    Parameters
    ----------
    images : array (tilt, along, across), float32
        Intensity above the background, 0 away from the object.
    background : array (tilt,)
        Mean intensity away from the object.
    totals : array (tilt,)
        Sum of each image.
    centres_px : array (tilt, 2)
        Centre of mass (along, across), in indices.
    """

    images: np.ndarray
    background: np.ndarray
    totals: np.ndarray
    centres_px: np.ndarray

    def rims(self) -> np.ndarray:
        """Return the share of mass on the outermost lines: (tilt, 4) before, after each axis."""
        rims = [
            self.images[:, 0].sum(axis=1),
            self.images[:, -1].sum(axis=1),
            self.images[:, :, 0].sum(axis=1),
            self.images[:, :, -1].sum(axis=1),
        ]
        result: np.ndarray = np.stack(rims, axis=1) / np.maximum(self.totals, 1e-30)[:, None]
        return result


def weigh(tilts: TiltImages, margin_px: float = 3.0) -> Mass:
    """Separate the object from the background in each image.

    Parameters
    ----------
    tilts : TiltImages
    margin_px : float
        Width in pixels of the rim around what stands out that still counts as the object.

    Returns
    -------
    Mass

    Notes
    -----
    What stands out is four standard deviations of the background above its median in the
    image blurred by 2 pixels. The background is the *mean* away from it in the image
    itself: at low dose the median of counts is far below.
    """
    n, n_along, n_across = tilts.images.shape
    images = np.zeros((n, n_along, n_across), np.float32)
    background = np.zeros(n)
    for i, image in enumerate(tilts.images):
        if not tilts.blank[i]:
            mask, background[i] = object_mask(image, margin_px)
            images[i][mask] = image[mask] - np.float32(background[i])
    totals = images.sum(axis=(1, 2), dtype=np.float64)
    along = images.sum(axis=2, dtype=np.float64) @ np.arange(n_along)
    across = images.sum(axis=1, dtype=np.float64) @ np.arange(n_across)
    safe = np.maximum(totals, 1e-30)
    return Mass(images, background, totals, np.stack([along / safe, across / safe], axis=1))


def object_mask(image: np.ndarray, margin_px: float) -> tuple[np.ndarray, float]:
    """Return where the object is, (y, x) bool, and the mean of the background."""
    smooth = ndimage.gaussian_filter(np.asarray(image, np.float32), _SMOOTHING, mode="nearest")
    mask = smooth > threshold_otsu(smooth)
    for _ in range(50):
        outside = smooth[~mask]
        if outside.size < _LEAST_BACKGROUND * mask.size:
            break
        # what Otsu's threshold missed of the object is all on the bright side
        low, middle = np.percentile(outside, (16, 50))
        level = middle + _SIGMAS * max(middle - low, 1e-3 * float(np.ptp(smooth)))
        again = mask | (smooth > level)
        if (again == mask).all():
            break
        mask = again
    if margin_px:
        mask = ndimage.distance_transform_edt(~mask) <= margin_px if mask.any() else mask
    away = ~mask
    if away.sum() < _LEAST_BACKGROUND * mask.size:
        # there is object everywhere: what is darkest has to do
        return np.ones_like(mask), float(np.percentile(smooth, 1))
    return mask, float(image[away].mean(dtype=np.float64))


def kept(mass: Mass, shifts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how much of each image's mass stays in the frame, and how much leaves where.

    Parameters
    ----------
    mass : Mass
    shifts : array (tilt, 2)
        (along, across) in pixels, to add.

    Returns
    -------
    stays : array (tilt,)
        0 to 1.
    leaves : array (tilt, 4)
        Share that leaves before and after the frame, along and then across the axis.
    """
    stays, leaves = np.ones(len(shifts)), np.zeros((len(shifts), 4))
    for i, shift in enumerate(shifts):
        if mass.totals[i] <= 0:
            continue
        inside = []
        for axis, n in enumerate(mass.images.shape[1:]):
            position = np.arange(n) + shift[axis]
            # a pixel on the rim stays in part
            before = np.clip(-position, 0, 1)
            after = np.clip(position - (n - 1), 0, 1)
            profile = mass.images[i].sum(axis=1 - axis, dtype=np.float64)
            leaves[i, 2 * axis] = before @ profile
            leaves[i, 2 * axis + 1] = after @ profile
            inside.append(1 - before - after)
        stays[i] = inside[0] @ mass.images[i].astype(np.float64) @ inside[1] / mass.totals[i]
        leaves[i] /= mass.totals[i]
    return np.clip(stays, 0, 1), leaves


def is_whole(mass: Mass, good: np.ndarray) -> np.ndarray:
    """Return which images show as much of the object as those around them, (tilt,) bool.

    Parameters
    ----------
    mass : Mass
    good : array (tilt,), bool
        Images that are fit to compare with.

    Returns
    -------
    array (tilt,), bool
        False where the mass is off the median of the nearest nine by over 5 %, over 1 % of
        it lies on the outermost line at either side of the tilt axis, or the object is cut.
        Where noise makes more than that, four of its standard deviations count.
    """
    index = np.flatnonzero(good)
    usual = np.ones(len(good))
    for place, k in enumerate(index):
        around = index[max(0, min(place - 4, len(index) - 9)) :][:9]
        usual[k] = np.median(mass.totals[around])
    off = np.abs(mass.totals / np.maximum(usual, 1e-30) - 1)
    rims = mass.rims()[:, 2:].max(axis=1)
    whole: np.ndarray = good & ~is_cut(mass, good)
    for value, limit in ((off, _MISSING), (rims, _RIM)):
        spread = 1.48 * np.median(np.abs(value[good] - np.median(value[good])))
        whole &= value < max(limit, np.median(value[good]) + 4 * spread)
    return whole


def is_cut(mass: Mass, good: np.ndarray) -> np.ndarray:
    """Return which images lack mass and show the object at an edge of the frame, (tilt,) bool."""
    lacking = mass.totals < (1 - _MISSING) * np.median(mass.totals[good])
    result: np.ndarray = good & lacking & (mass.rims().max(axis=1) > _RIM / 2)
    return result


def edge_names(turned: bool) -> tuple[str, ...]:
    """Return the names of the four edges as the series shows them, in the order of `kept`."""
    return _EDGES[2:] + _EDGES[:2] if turned else _EDGES
