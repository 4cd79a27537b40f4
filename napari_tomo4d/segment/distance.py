"""Exact Euclidean distance of every voxel to the background."""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import ndimage

from napari_tomo4d.voxels import CUBIC, Spacing

_FAR = np.int32(2**30)


def squared_distance(mask: np.ndarray, sampling: Spacing = CUBIC) -> np.ndarray:
    """Return the squared distance from each voxel to the nearest one outside the mask.

    Parameters
    ----------
    mask : bool array (z, y, x)
    sampling : (z, y, x), optional
        Edges of a voxel over that of a cube of its volume, see `Voxels.sampling`.

    Returns
    -------
    int32 array (z, y, x), float64 where voxels are not cubic
        In voxels squared, between centres; 0 outside. What lies beyond the edge is not
        background; a mask without any gives 2**30.

    Notes
    -----
    Lower envelope of parabolas, one axis after the other (Felzenszwalb & Huttenlocher,
    Theory of Computing 8, 415, 2012), in whole numbers, so without rounding.
    """
    result = np.where(np.asarray(mask, dtype=bool), _FAR, np.int32(0))
    if sampling != CUBIC:
        # without any background the distances of SciPy mean nothing
        return result.astype(float) if result.all() else _distance_of_others(result, sampling)
    n_z, n_y = result.shape[:2]
    work = np.empty(max(result.shape), np.int64)
    places = np.empty(max(result.shape), np.int64)
    starts = np.empty(max(result.shape) + 1, np.int64)
    _along_last(result, work, places, starts)
    for z in range(n_z):
        plane = np.ascontiguousarray(result[z].T)
        _along_last(plane[None], work, places, starts)
        result[z] = plane.T
    for y in range(n_y):
        plane = np.ascontiguousarray(result[:, y].T)
        _along_last(plane[None], work, places, starts)
        result[:, y] = plane.T
    return result


def _distance_of_others(mask: np.ndarray, sampling: Spacing) -> np.ndarray:
    distance: np.ndarray = ndimage.distance_transform_edt(mask, sampling=sampling)
    return distance**2


@njit(nogil=True, cache=True)
def _along_last(
    values: np.ndarray, work: np.ndarray, places: np.ndarray, starts: np.ndarray
) -> None:
    """Replace each row f by the lower envelope ``min over q of (x - q)^2 + f(q)``."""
    n_z, n_y, n = values.shape
    for z in range(n_z):
        for y in range(n_y):
            row = values[z, y]
            last = -1
            changed = False
            for q in range(n):
                f = np.int64(row[q])
                work[q] = f
                if f > 0:
                    changed = True
                if f >= _FAR:
                    continue
                while last >= 0:
                    p = places[last]
                    # first whole x at which the parabola of q is not above that of p
                    top = f + q * q - work[p] - p * p
                    below = 2 * (q - p)
                    start = -((-top) // below)
                    if start > starts[last]:
                        break
                    last -= 1
                if last < 0:
                    start = 0
                last += 1
                places[last] = q
                starts[last] = start
            if last < 0 or not changed:
                continue
            k = 0
            for x in range(n):
                while k < last and starts[k + 1] <= x:
                    k += 1
                p = places[k]
                row[x] = work[p] + (x - p) * (x - p)
