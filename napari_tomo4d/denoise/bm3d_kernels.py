"""Compiled parts of `fast_bm3d`: matching of blocks, and shrinkage of groups.

They release the GIL and use no threads of their own, so that each thread may work on a band
of the image. Inner loops run over contiguous float32, which the compiler vectorises. A group
is held flat: 64 coefficients of its first block, 64 of its second, and so on.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from napari_tomo4d.denoise.bm3d_transforms import BLOCK, add_inverse, cosine_transform

_AREA = BLOCK * BLOCK

_TINY = np.float32(1e-6)
"""Variance, relative to that of a pixel, that rounding may turn negative."""


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _match_row(
    image: np.ndarray,
    y: int,
    columns: np.ndarray,
    offsets: np.ndarray,
    expected: np.ndarray,
    distances: np.ndarray,
    ranks: np.ndarray,
) -> None:
    """Find the blocks that are most like each reference block of a row.

    Parameters
    ----------
    image : array (y, x)
        Image that blocks are compared in.
    y : int
        Row of the reference blocks.
    columns : array (reference,)
        Columns of the reference blocks.
    offsets : array (offset, 2)
        Displacements (y, x) to try, in pixels.
    expected : array (offset,)
        Squared distance that noise alone makes at each displacement, which is taken off.
    distances : array (reference, size)
        Comes with the largest distance allowed, and is filled in ascending order.
    ranks : array (reference, size)
        Filled with the displacements of the blocks found, as indices into `offsets`.
    """
    height, width = image.shape
    size = distances.shape[1]
    squares, sums = np.zeros(width, np.float32), np.zeros(width, np.float32)
    for index in range(len(offsets)):
        dy, dx = offsets[index, 0], offsets[index, 1]
        if y + dy < 0 or y + dy > height - BLOCK:
            continue
        first, last = max(0, -dx), min(width, width - dx)
        span = last - first
        if span < BLOCK:
            continue
        squares[:span] = 0
        for r in range(0, BLOCK, 4):
            a0 = image[y + r, first:last]
            a1 = image[y + r + 1, first:last]
            a2 = image[y + r + 2, first:last]
            a3 = image[y + r + 3, first:last]
            b0 = image[y + dy + r, first + dx : last + dx]
            b1 = image[y + dy + r + 1, first + dx : last + dx]
            b2 = image[y + dy + r + 2, first + dx : last + dx]
            b3 = image[y + dy + r + 3, first + dx : last + dx]
            for x in range(span):
                d0, d1, d2, d3 = a0[x] - b0[x], a1[x] - b1[x], a2[x] - b2[x], a3[x] - b3[x]
                squares[x] += d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3
        # sums over eight columns from those over four, from those over two
        for x in range(span - 1):
            sums[x] = squares[x] + squares[x + 1]
        for x in range(span - 3):
            squares[x] = sums[x] + sums[x + 2]
        for x in range(span - 7):
            sums[x] = squares[x] + squares[x + 4] - expected[index]
        for c in range(len(columns)):
            x = columns[c] - first
            if x < 0 or x > span - BLOCK:
                continue
            distance = sums[x]
            if distance < distances[c, size - 1]:
                place = size - 1
                while place > 0 and distances[c, place - 1] > distance:
                    distances[c, place] = distances[c, place - 1]
                    ranks[c, place] = ranks[c, place - 1]
                    place -= 1
                distances[c, place] = distance
                ranks[c, place] = index


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _walsh_hadamard(group: np.ndarray, n: int) -> None:
    """Transform the first `n` blocks of a group along the group, not normalised."""
    half = _AREA
    while half < n * _AREA:
        for start in range(0, n * _AREA, 2 * half):
            low, high = group[start : start + half], group[start + half : start + 2 * half]
            for k in range(half):
                a, b = low[k], high[k]
                low[k] = a + b
                high[k] = a - b
        half *= 2


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _fill_variances(
    covariance: np.ndarray,
    ys: np.ndarray,
    xs: np.ndarray,
    n: int,
    rows: np.ndarray,
    variance: np.ndarray,
) -> None:
    """Compute the exact variance of each coefficient of a group of `n` blocks.

    Rows h of the Walsh-Hadamard transform have ``h[i] h[j] = h[i ^ j]``. The variance
    ``sum_ij h[i] h[j] C(d_i - d_j)`` is thus itself a transform: that of the covariances summed
    over the pairs of blocks with the same ``i ^ j``.

    Parameters
    ----------
    covariance : array (dy + 1, dx, 64)
        Of coefficients at displacements from (0, -reach); the last row is zero.
    ys, xs : arrays (size,)
        Positions of the blocks.
    n : int
    rows : array (size + 4,), int64
        Room to work in.
    variance : array (64 size,)
        To be filled.
    """
    width = covariance.shape[1]
    table = covariance.reshape(-1, _AREA)
    same = table[width // 2]
    for k in range(_AREA):
        variance[k] = n * same[k]
    for m in range(1, n):
        found = 0
        for i in range(n):
            j = i ^ m
            if j > i:
                dy, dx = ys[i] - ys[j], xs[i] - xs[j]
                if dy < 0:
                    dy, dx = -dy, -dx
                rows[found] = dy * width + width // 2 + dx
                found += 1
        while found % 4:
            rows[found] = len(table) - 1
            found += 1
        total = variance[m * _AREA : (m + 1) * _AREA]
        total[:] = 0
        # four at a time, as loading and storing the sum takes as long as adding to it
        for p in range(0, found, 4):
            c0 = table[rows[p]]
            c1 = table[rows[p + 1]]
            c2 = table[rows[p + 2]]
            c3 = table[rows[p + 3]]
            for k in range(_AREA):
                total[k] += 2 * (c0[k] + c1[k] + c2[k] + c3[k])
    _walsh_hadamard(variance, n)
    for k in range(n * _AREA):
        variance[k] = max(variance[k], _TINY)


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _threshold(
    values: np.ndarray, variance: np.ndarray, count: int, strength: np.float32
) -> np.float32:
    """Set values below ``sqrt(strength variance)`` to zero; return the variance left."""
    left = np.float32(0)
    for k in range(count):
        v = values[k]
        kept = np.float32(1) if v * v > strength * variance[k] else np.float32(0)
        values[k] = v * kept
        left += variance[k] * kept
    return left


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _wiener(
    values: np.ndarray, pilot: np.ndarray, variance: np.ndarray, count: int, strength: np.float32
) -> np.float32:
    """Weaken values as much as noise exceeds the pilot's power; return the variance left."""
    left = np.float32(0)
    for k in range(count):
        power = pilot[k] * pilot[k]
        gain = power / (power + strength * variance[k])
        values[k] *= gain
        left += gain * gain * variance[k]
    return left


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def filter_band(
    image: np.ndarray,
    pilot: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    offsets: np.ndarray,
    expected: np.ndarray,
    limit: np.float32,
    size: int,
    covariance: np.ndarray,
    strength: np.float32,
    first_row: int,
    total: np.ndarray,
    weights: np.ndarray,
) -> None:
    """Filter the groups of all reference blocks in a band, and add them up.

    Parameters
    ----------
    image : array (y, x), float32
        In units of the noise's standard deviation.
    pilot : array (y, x), float32
        Estimate to compare blocks in and for the Wiener filter; empty for hard thresholds.
    rows, columns : arrays, int64
        Upper left corners of the reference blocks.
    offsets : array (offset, 2), int64
        Displacements (y, x) of the blocks to compare with, itself (0, 0) first.
    expected : array (offset,), float32
        Squared distance of blocks that noise alone makes. The first has to be so large that
        the reference block itself always gets into its group.
    limit : float32
        Squared distance above which blocks are not grouped.
    size : int
        Blocks in a group at most; a power of two.
    covariance : array (dy + 1, dx, 64), float32
        See `_fill_variances`.
    strength : float32
        See `_threshold` and `_wiener`.
    first_row : int
        Row of the image at which `total` and `weights` begin.
    total, weights : arrays (y, x), float32
        Gain the weighted blocks, and their weights.
    """
    wiener = pilot.size > 0
    compared = pilot if wiener else image
    stride = image.shape[1]
    ys, xs = np.zeros(size, np.int64), np.zeros(size, np.int64)
    pairs = np.zeros(size + 4, np.int64)
    values = np.zeros(size * _AREA, np.float32)
    guess = np.zeros(size * _AREA, np.float32)
    variance = np.zeros(size * _AREA, np.float32)
    distances = np.zeros((len(columns), size), np.float32)
    ranks = np.zeros((len(columns), size), np.int64)
    for y in rows:
        distances[:] = limit
        ranks[:] = -1
        _match_row(compared, y, columns, offsets, expected, distances, ranks)
        for c in range(len(columns)):
            n = 1
            while 2 * n <= size and ranks[c, 2 * n - 1] >= 0:
                n *= 2
            for b in range(n):
                ys[b] = y + offsets[ranks[c, b], 0]
                xs[b] = columns[c] + offsets[ranks[c, b], 1]
                cosine_transform(image, ys[b] * stride + xs[b], stride, values, b * _AREA)
            _walsh_hadamard(values, n)
            _fill_variances(covariance, ys, xs, n, pairs, variance)
            # the mean of a group is always kept: what it would be compared with is an arbitrary
            # zero of the grey values, and its noise has gone at a coarser scale
            of_mean = variance[0]
            variance[0] = 0
            mean = values[0]
            if wiener:
                for b in range(n):
                    cosine_transform(pilot, ys[b] * stride + xs[b], stride, guess, b * _AREA)
                _walsh_hadamard(guess, n)
                guess[0] = 1
                left = _wiener(values, guess, variance, n * _AREA, strength)
            else:
                left = _threshold(values, variance, n * _AREA, strength)
            values[0] = mean
            _walsh_hadamard(values, n)
            # the transform is not normalised: values and variances are n times too large
            weight = n / (left + of_mean)
            for b in range(n):
                start = (ys[b] - first_row) * stride + xs[b]
                add_inverse(values, b * _AREA, total, weights, start, stride, weight / n, weight)
