"""Movement of a whole sample, from the centres of its particles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.spatial import cKDTree

_NEAR_PX = 2.0


def sample_shift(
    before: Mapping[int, np.ndarray], after: Mapping[int, np.ndarray], max_shift_px: float
) -> np.ndarray:
    """Return how most particles moved.

    Parameters
    ----------
    before, after : dict of number to array (3,)
        Centres (z, y, x) in voxels; numbers have nothing to do with each other.
    max_shift_px : float
        Longest movement looked for.

    Returns
    -------
    array (3,)
        (dz, dy, dx); 0 if no movement brings at least two particles to others.

    Notes
    -----
    Every pair of centres votes for its displacement; the one that brings most particles
    within 2 voxels of others wins, the shortest of equals. What remains is averaged by the
    median.
    """
    if not before or not after or max_shift_px <= 0:
        return np.zeros(3)
    a, b = np.array(list(before.values())), np.array(list(after.values()))
    votes = (b[None] - a[:, None]).reshape(-1, 3)
    lengths = np.linalg.norm(votes, axis=1)
    votes = votes[np.argsort(lengths, kind="stable")[: int((lengths <= max_shift_px).sum())]]
    tree = cKDTree(b)
    best, most = np.zeros(3), max(1, _reached(tree, a, np.zeros(3)))
    for vote in votes:
        reached = _reached(tree, a, vote)
        if reached > most:
            best, most = vote, reached
    distances, nearest = tree.query(a + best, distance_upper_bound=_NEAR_PX)
    found = np.isfinite(distances)
    if found.sum() < 2:
        return np.zeros(3)
    result: np.ndarray = np.median(b[nearest[found]] - a[found], axis=0)
    return result


def _reached(tree: cKDTree, points: np.ndarray, shift: np.ndarray) -> int:
    return int(np.isfinite(tree.query(points + shift, distance_upper_bound=_NEAR_PX)[0]).sum())
