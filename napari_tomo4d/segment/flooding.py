"""Watershed of the distance to the surface that joins what no neck divides."""

from __future__ import annotations

import numpy as np
from numba import njit


def flood(
    depth: np.ndarray, neck_depth: float, min_dip_px: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Divide a body at its necks.

    Parameters
    ----------
    depth : float32 array (z, y, x)
        Distance to the surface in voxels; 0 outside.
    neck_depth : float
        0 to 1: how much shallower than the shallower of two bodies the way between them has
        to be, as a part of the depth of that body.
    min_dip_px : float
        The same in voxels, at least.

    Returns
    -------
    labels : int32 array (z, y, x)
        Bodies from 1, in no particular order; 0 outside.
    peaks : array (peak,)
        Depth of each local maximum.
    dips : array (peak,)
        How far one has to climb down from it to reach a deeper one; the peak itself where
        there is none.

    Notes
    -----
    Voxels are flooded from the deepest on (Vincent & Soille, IEEE PAMI 13, 583, 1991), and a
    basin that meets a deeper one before it is deep enough joins it: markers are the maxima
    of at least that dynamic (Grimaud, SPIE 1769, 292, 1992), in one pass.
    """
    padded = np.pad(depth, 1)
    flat = padded.ravel()
    inside = np.flatnonzero(flat > 0)
    order = inside[np.argsort(-flat[inside], kind="stable")]
    z, y, x = np.mgrid[-1:2, -1:2, -1:2]
    steps = ((z * padded.shape[1] + y) * padded.shape[2] + x).ravel()
    basins, roots, peaks, dips = _flood(flat, order, steps[steps != 0], neck_depth, min_dip_px)
    _, numbers = np.unique(roots, return_inverse=True)
    table = np.concatenate([[0], numbers + 1]).astype(np.int32)
    labels = table[basins.reshape(padded.shape)[1:-1, 1:-1, 1:-1]]
    return labels, peaks, dips


@njit(nogil=True, cache=True)
def _root(parents: np.ndarray, i: int) -> int:
    while parents[i] != i:
        parents[i] = parents[parents[i]]
        i = parents[i]
    return i


@njit(nogil=True, cache=True)
def _flood(
    depth: np.ndarray, order: np.ndarray, steps: np.ndarray, neck_depth: float, min_dip: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return basins from 1 (voxel), and for each basin its body, its peak and its dip.

    Two forests of basins: in `bodies` shallow dips are bridged, in `pool` all that met are
    one, which gives the dips.
    """
    basins = np.zeros(depth.size, np.int32)
    bodies = np.empty(1024, np.int64)
    pool = np.empty(1024, np.int64)
    peaks = np.empty(1024, np.float32)
    dips = np.empty(1024, np.float32)
    n = 0
    for voxel in order:
        here = depth[voxel]
        best, best_depth = -1, np.float32(-1.0)
        for step in steps:
            other = basins[voxel + step]
            # flooded later means no deeper, so the first of the deepest is kept
            if other > 0 and depth[voxel + step] > best_depth:
                best, best_depth = other - 1, depth[voxel + step]
        if best < 0:
            if n == bodies.size:
                bodies = np.concatenate((bodies, np.empty_like(bodies)))
                pool = np.concatenate((pool, np.empty_like(pool)))
                peaks = np.concatenate((peaks, np.empty_like(peaks)))
                dips = np.concatenate((dips, np.empty_like(dips)))
            bodies[n], pool[n], peaks[n], dips[n] = n, n, here, here
            n += 1
            basins[voxel] = n
            continue
        basins[voxel] = best + 1
        for step in steps:
            other = basins[voxel + step]
            if other == 0 or other == best + 1:
                continue
            a, b = _root(pool, best), _root(pool, other - 1)
            if a != b:
                # the older basin of two has the deeper peak
                if peaks[b] > peaks[a] or (peaks[b] == peaks[a] and b < a):
                    a, b = b, a
                pool[b] = a
                dips[b] = peaks[b] - here
            a, b = _root(bodies, best), _root(bodies, other - 1)
            if a != b:
                if peaks[b] > peaks[a] or (peaks[b] == peaks[a] and b < a):
                    a, b = b, a
                if peaks[b] - here < max(neck_depth * peaks[b], min_dip):
                    bodies[b] = a
    roots = np.empty(n, np.int64)
    for i in range(n):
        roots[i] = _root(bodies, i)
    return basins, roots, peaks[:n], dips[:n]
