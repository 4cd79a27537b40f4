"""Inner loops of the projector: parallel beam, one block of slices at a time.

A block holds some neighbouring slices in its last axis, so that one interpolation weight
serves whole vectors of slices and every access is contiguous. Volume blocks are
``(z, x, slice)``, sinogram blocks ``(tilt, u, slice)``; rows may be padded. All kernels
release the GIL and use no threads of their own: numba's are not safe to enter from
several Python threads.

`project` and `backproject` are an exactly matched pair after Joseph (1982): a ray steps
along the axis it is closest to and interpolates linearly across it. Seen from a voxel the
same weights are a triangle about the place ``u`` where it lands, of height L and
half-width 1 / L with ``L = 1 / max(|cos|, |sin|)``, so that both directions are sums that
stay in registers. With L = 1 the back-projection interpolates on the detector, which
leaves no ripple in a filtered back-projection.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit

from napari_tomo4d.reconstruct.simd import add_weighted_pairs

BLOCKS = {64: 1.0, 32: 1.4, 16: 1.6, 4: 4.0, 1: 12.0}
"""Sizes of blocks there are kernels for, and what a slice costs in each, relatively."""

_ROWS = 16
"""Steps of a ray summed up in one go: as many rows of a block as fit the fastest cache."""


@njit(nogil=True, cache=True, fastmath=True)
def _ray_weights(base, slope, j0, j1, last, length, pitch, stride, offsets, w0, w1):
    """Weights and places of the pairs of voxels on steps j0 to j1 of a ray."""
    for k in range(j1 - j0):
        position = base + (j0 + k) * slope
        i = min(max(np.int64(math.floor(position)), 0), last)
        f = position - i
        offsets[k] = (j0 + k) * pitch + i * stride
        # beyond the edge the nearest pair is taken, of which one weight fades and one is 0
        w0[k] = max(0.0, 1.0 - abs(f)) * length
        w1[k] = max(0.0, 1.0 - abs(f - 1.0)) * length


@njit(nogil=True, cache=True, fastmath=True)
def _project(volume, sinogram, cosines, sines, centre_z, centre_x, centres_u, along_z, lanes):
    """Add the sums of all rays that step along z, or of all that step along x."""
    n_tilts, n_u, _ = sinogram.shape
    if along_z:
        n_major, n_minor = volume.shape[0], volume.shape[1]
        pitch, stride = volume.strides[0] // 4, volume.strides[1] // 4
        o_major, o_minor, c_major, s_major = centre_z, centre_x, cosines, sines
    else:
        n_major, n_minor = volume.shape[1], volume.shape[0]
        pitch, stride = volume.strides[1] // 4, volume.strides[0] // 4
        o_major, o_minor, c_major, s_major = centre_x, centre_z, sines, cosines
    t_pitch, u_pitch = sinogram.strides[0] // 4, sinogram.strides[1] // 4
    last = max(n_minor - 2, 0)
    if n_minor == 1:
        # there is no second voxel; its weight must not count the first one twice
        stride = 0
    offsets = np.empty(_ROWS, np.int64)
    w0 = np.empty(_ROWS, np.float32)
    w1 = np.empty(_ROWS, np.float32)
    for r0 in range(0, n_major, _ROWS):
        r1 = min(r0 + _ROWS, n_major)
        for t in range(n_tilts):
            if (abs(cosines[t]) >= abs(sines[t])) != along_z:
                continue
            step = 1.0 / c_major[t]
            slope = -s_major[t] * step
            for u in range(n_u):
                base = o_minor + (u - centres_u[t]) * step - o_major * slope
                p0, p1 = base + r0 * slope, base + (r1 - 1) * slope
                low, high = min(p0, p1), max(p0, p1)
                j0, j1 = r0, r1
                if high <= -1.0 or low >= n_minor:
                    continue
                if low <= -1.0 or high >= n_minor:
                    a, b = (-1.0 - base) / slope, (n_minor - base) / slope
                    j0 = max(r0, np.int64(math.floor(min(a, b))) + 1)
                    j1 = min(r1, np.int64(math.ceil(max(a, b))))
                    if j1 <= j0:
                        continue
                _ray_weights(base, slope, j0, j1, last, abs(step), pitch, stride, offsets, w0, w1)
                if n_minor == 1:
                    w1[:] = 0
                add_weighted_pairs(
                    sinogram,
                    t * t_pitch + u * u_pitch,
                    volume,
                    offsets,
                    w0,
                    w1,
                    j1 - j0,
                    stride,
                    lanes,
                )


@njit(nogil=True, cache=True, fastmath=True)
def _voxel_weights(x, rows, cosines, lengths, last, u_pitch, starts, offsets, w0, w1):
    """Weights and places of the pairs of rays about a voxel, one pair per tilt."""
    for t in range(len(rows)):
        u = rows[t] + x * cosines[t]
        i = min(max(np.int64(math.floor(u)), 0), last)
        f = u - i
        offsets[t] = starts[t] + i * u_pitch
        w0[t] = max(0.0, 1.0 - abs(f) * lengths[t]) * lengths[t]
        w1[t] = max(0.0, 1.0 - abs(f - 1.0) * lengths[t]) * lengths[t]


@njit(nogil=True, cache=True, fastmath=True)
def _backproject(sinogram, volume, cosines, sines, lengths, centre_z, centre_x, centres_u, lanes):
    n_z, n_x, _ = volume.shape
    n_tilts, n_u, _ = sinogram.shape
    z_pitch, x_pitch = volume.strides[0] // 4, volume.strides[1] // 4
    u_pitch = sinogram.strides[1] // 4
    starts = np.arange(n_tilts) * (sinogram.strides[0] // 4)
    stride = u_pitch if n_u > 1 else 0
    last = max(n_u - 2, 0)
    rows = np.empty(n_tilts)
    offsets = np.empty(n_tilts, np.int64)
    w0 = np.empty(n_tilts, np.float32)
    w1 = np.empty(n_tilts, np.float32)
    for z in range(n_z):
        for t in range(n_tilts):
            rows[t] = centres_u[t] - centre_x * cosines[t] + (z - centre_z) * sines[t]
        for x in range(n_x):
            _voxel_weights(x, rows, cosines, lengths, last, u_pitch, starts, offsets, w0, w1)
            if n_u == 1:
                w1[:] = 0
            add_weighted_pairs(
                volume, z * z_pitch + x * x_pitch, sinogram, offsets, w0, w1, n_tilts, stride, lanes
            )


@cache
def kernels(lanes: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the kernels for blocks of `lanes` slices.

    Returns
    -------
    project : callable
        ``project(volume, sinogram, cosines, sines, centre_z, centre_x, centres_u)`` adds the
        line integrals of a volume block to a sinogram block.
    backproject : callable
        ``backproject(sinogram, volume, cosines, sines, lengths, centre_z, ...)`` adds the
        transpose of `project`, for lengths L; with ones it interpolates on the detector.
    """
    # the size of a block is a constant to the compiler: all loops over slices are unrolled

    @njit(nogil=True, cache=True)
    def project(volume, sinogram, cosines, sines, centre_z, centre_x, centres_u):
        for along_z in (True, False):
            _project(
                volume, sinogram, cosines, sines, centre_z, centre_x, centres_u, along_z, lanes
            )

    @njit(nogil=True, cache=True)
    def backproject(sinogram, volume, cosines, sines, lengths, centre_z, centre_x, centres_u):
        _backproject(
            sinogram, volume, cosines, sines, lengths, centre_z, centre_x, centres_u, lanes
        )

    return project, backproject
