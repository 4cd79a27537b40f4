"""Which grey level is the surface: Otsu's, or halfway between background and particles."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_multiotsu, threshold_otsu

from napari_tomo4d.data import Volume
from napari_tomo4d.errors import DataError
from napari_tomo4d.segment.distance import squared_distance
from napari_tomo4d.voxels import CUBIC, Spacing, in_voxels

SMOOTHINGS_PX = (0.0, 0.7, 1.0, 1.5, 2.0, 3.0)
"""Blurs that are tried, in voxels."""

_BINS = 1024
_MOST_VOXELS = 8_000_000
_WINDOW = 160
_MARGIN = 3
_CERTAIN = 3.0
"""Standard deviations of noise between a plateau and the level halfway."""


@dataclass(frozen=True)
class Plateaus:
    """Grey values deep inside the particles and far outside.

    Parameters
    ----------
    background, inside : float
        Medians.
    background_noise, inside_noise : float
        Robust standard deviations (1.4826 times the median absolute deviation).
    """

    background: float
    inside: float
    background_noise: float
    inside_noise: float

    @property
    def middle(self) -> float:
        """Level halfway, where the surface of a blurred particle is."""
        return (self.background + self.inside) / 2

    @property
    def noise(self) -> float:
        """Noise over contrast on the noisier side; infinite without contrast."""
        contrast = self.inside - self.background
        noisier = max(self.background_noise, self.inside_noise)
        return noisier / contrast if contrast > 0 else np.inf


def as_arrays(volumes: Sequence[Volume]) -> list[np.ndarray]:
    """Return the float32 voxels of volumes none of which is blank.

    Raises
    ------
    DataError
        If all voxels of a volume are equal.
    """
    arrays = [np.asarray(v.data, dtype=np.float32) for v in volumes]
    for volume, array in zip(volumes, arrays, strict=True):
        if array.min() == array.max():
            raise DataError(
                f"All voxels of {volume.name!r} are {array.flat[0]:g}, so no threshold parts "
                "particles from background; check the reconstruction."
            )
    return arrays


def smoothed(array: np.ndarray, smoothing_px: float, sampling: Spacing = CUBIC) -> np.ndarray:
    """Return the array blurred by a Gaussian, or itself for 0.

    The Gaussian is as wide along each axis where voxels are not cubic, see `Voxels.sampling`.
    """
    if smoothing_px <= 0:
        return array
    result: np.ndarray = ndimage.gaussian_filter(array, in_voxels(smoothing_px, sampling))
    return result


def otsu_level(arrays: Sequence[np.ndarray]) -> float:
    """Return Otsu's threshold of the pooled histogram (IEEE Trans. SMC 9, 62, 1979)."""
    counts, centres = _histogram(arrays)
    return float(threshold_otsu(hist=(counts, centres)))


def multi_otsu_levels(arrays: Sequence[np.ndarray], classes: int) -> list[float]:
    """Return the ``classes - 1`` rising levels of Liao, Chen & Chung (2001)."""
    # the search over four levels takes minutes with more bins than this
    counts, centres = _histogram(arrays, 256)
    try:
        return [float(v) for v in threshold_multiotsu(classes=classes, hist=(counts, centres))]
    except ValueError as error:
        raise DataError(
            f"The volume does not hold enough grey values for {classes} classes; ask for fewer."
        ) from error


def plateaus(arrays: Sequence[np.ndarray], level: float | None = None) -> Plateaus:
    """Measure background and particles of volumes that share one grey scale.

    Parameters
    ----------
    arrays : sequence of float32 array (z, y, x)
    level : float, optional
        A first threshold; Otsu's by default. It only has to tell particles roughly.

    Raises
    ------
    DataError
        If nothing is above or below the level.

    Notes
    -----
    Otsu's level lies too low where particles fill a few per cent of the volume, since the
    variance of the larger class counts more. The median over the deeper half of the
    particles does not depend on how much background there is.
    """
    thin = [_thinned(a) for a in arrays]
    level = otsu_level(arrays) if level is None else level
    for _ in range(2):
        parts = [_inside_and_outside(a, step, level) for a, step in thin]
        inside, outside, below = (np.concatenate(p) for p in zip(*parts, strict=True))
        if not inside.size or not outside.size:
            raise DataError(
                f"The level {level:g} does not separate particles from background: all voxels are "
                "on one side of it."
            )
        low, high = float(np.median(outside)), float(np.median(inside))
        level = (low + high) / 2
    # of all that is darker: the depths of mere noise, far from its peaks, are deceptively flat
    return Plateaus(low, high, _spread(below, low), _spread(inside, high))


def least_smoothing(arrays: Sequence[np.ndarray], sampling: Spacing = CUBIC) -> tuple[float, bool]:
    """Return the least blur in voxels after which noise seldom crosses the level halfway.

    Returns
    -------
    smoothing_px : float
        The first of `SMOOTHINGS_PX` with three standard deviations of noise between either
        plateau and the level halfway, the last if none is enough.
    enough : bool
    """
    windows = [_busiest(a) for a in arrays]
    for smoothing in SMOOTHINGS_PX:
        if plateaus([smoothed(w, smoothing, sampling) for w in windows]).noise <= 0.5 / _CERTAIN:
            return smoothing, True
    return SMOOTHINGS_PX[-1], False


def _histogram(arrays: Sequence[np.ndarray], bins: int = _BINS) -> tuple[np.ndarray, np.ndarray]:
    low = min(float(a.min()) for a in arrays)
    high = max(float(a.max()) for a in arrays)
    counts = np.zeros(bins, np.int64)
    edges = np.linspace(low, high, bins + 1)
    for slab in itertools.chain.from_iterable(arrays):
        counts += np.histogram(slab, bins, (low, high))[0]
    return counts, (edges[1:] + edges[:-1]) / 2


def _thinned(array: np.ndarray) -> tuple[np.ndarray, int]:
    """Return every n-th voxel, and n; averages of noise would not tell how large it is."""
    step = int(np.ceil((array.size / _MOST_VOXELS) ** (1 / 3)))
    return array[::step, ::step, ::step], step


def _inside_and_outside(
    array: np.ndarray, step: int, level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the values deep inside, those far outside, and all below the level."""
    mask = array > level
    depth = squared_distance(mask)
    inside = array[depth > 0.25 * depth.max()]
    outside = array[squared_distance(~mask) > (_MARGIN / step) ** 2]
    below = array[~mask]
    return inside, outside if outside.size else below, below


def _spread(values: np.ndarray, middle: float) -> float:
    return 1.4826 * float(np.median(np.abs(values - middle)))


def _busiest(array: np.ndarray) -> np.ndarray:
    """Return the part of a large volume with the highest sum, to judge its noise by."""
    window = [min(n, _WINDOW) for n in array.shape]
    if list(array.shape) == window:
        return array
    step = 8
    sums = ndimage.uniform_filter(
        array[::step, ::step, ::step], [max(w // step, 1) for w in window], mode="nearest"
    )
    centre = np.unravel_index(int(np.argmax(sums)), sums.shape)
    starts = [
        int(np.clip(c * step - w // 2, 0, n - w))
        for c, w, n in zip(centre, window, array.shape, strict=True)
    ]
    return array[tuple(slice(s, s + w) for s, w in zip(starts, window, strict=True))]
