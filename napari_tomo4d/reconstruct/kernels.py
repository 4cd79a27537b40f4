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
from functools import cache

import numpy as np
from numba import njit

from napari_tomo4d.parameters import Function
from napari_tomo4d.reconstruct.simd import add_weighted_pairs

BLOCKS = {64: 1.0, 32: 1.25, 16: 1.9, 4: 6.3, 1: 24.5}
"""Sizes of blocks there are kernels for, and what a slice costs in each, relatively."""

_ONE = np.float32(1)
_MOST = np.finfo(np.float32).max

_TILTS = 48
"""Tilts that add to a tile in one go, so that what they hold of it stays in the cache too."""

Geometry = tuple[np.ndarray, np.ndarray, float, float, np.ndarray]
"""Cosines and sines of the tilts, centre of the volume along z and x, centres of the images."""

_TILE = 32
"""Rows and columns of a block worked on in one go, so that they stay in the cache."""


@njit(nogil=True, cache=True, fastmath=True)
def _ray_weights(
    start: float,
    slope: float,
    j0: int,
    j1: int,
    last: int,
    length: np.float32,
    pitch: int,
    stride: int,
    offsets: np.ndarray,
    w0: np.ndarray,
    w1: np.ndarray,
) -> None:
    """Weights and places of the pairs of voxels on steps j0 to j1 of a ray."""
    for k in range(j1 - j0):
        position = start + k * slope
        i = min(max(math.floor(position), 0), last)
        f = np.float32(position - i)
        offsets[k] = (j0 + k) * pitch + i * stride
        # beyond the edge the nearest pair is taken, of which one weight fades and one is 0
        w0[k] = max(np.float32(0), np.float32(1) - abs(f)) * length
        w1[k] = max(np.float32(0), np.float32(1) - abs(f - np.float32(1))) * length


@njit(nogil=True, cache=True, fastmath=True)
def _steps_below(boundary: float, base: float, slope: float, r0: int, r1: int) -> int:
    """Where, between steps r0 and r1, a ray crosses a boundary: the first step beyond it."""
    if slope > 0:
        crossing: float = math.ceil((boundary - base) / slope)
    elif slope < 0:
        crossing = math.floor((boundary - base) / slope) + 1.0
    else:
        # no infinity: these kernels are compiled as if there were none
        crossing = float(r1) if base < boundary else float(r0)
    return int(min(max(crossing, r0), r1))


@njit(nogil=True, cache=True, fastmath=True)
def _used_tiles(used: np.ndarray) -> np.ndarray:
    """Tell for every tile whether one of its voxels is in use."""
    n_z, n_x = used.shape
    tiles = np.zeros((n_z // _TILE + 1, n_x // _TILE + 1), np.bool_)
    for z in range(n_z):
        for x in range(n_x):
            if used[z, x] != 0:
                tiles[z // _TILE, x // _TILE] = True
    return tiles


@njit(nogil=True, cache=True, fastmath=True)
def _project(
    volume: np.ndarray,
    sinogram: np.ndarray,
    tiles: np.ndarray,
    geometry: Geometry,
    along_z: bool,
    lanes: int,
) -> None:
    """Add the sums of all rays that step along z, or of all that step along x."""
    cosines, sines, centre_z, centre_x, centres_u = geometry
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
    side = max(1, 64 // max(lanes, 16))
    offsets = np.zeros(_TILE + side, np.int64)
    w0 = np.zeros(_TILE + side, np.float32)
    w1 = np.zeros(_TILE + side, np.float32)
    for r0 in range(0, n_major, _TILE):
        r1 = min(r0 + _TILE, n_major)
        for c0 in range(0, n_minor, _TILE):
            # a ray between two tiles takes voxels of both, and counts to the lower one
            near, far = c0 // _TILE, min(c0 + _TILE, n_minor - 1) // _TILE
            row = r0 // _TILE
            if along_z:
                skip = not (tiles[row, near] or tiles[row, far])
            else:
                skip = not (tiles[near, row] or tiles[far, row])
            if skip:
                continue
            # rays that pass beside the outermost voxels still touch them
            low = c0 if c0 > 0 else -1
            high = c0 + _TILE if c0 + _TILE < n_minor else n_minor
            for t in range(n_tilts):
                if (abs(cosines[t]) >= abs(sines[t])) != along_z:
                    continue
                step = 1.0 / c_major[t]
                slope = -s_major[t] * step
                origin = o_minor - centres_u[t] * step - o_major * slope
                p0, p1 = r0 * slope, (r1 - 1) * slope
                ua = (low - origin - max(p0, p1)) * c_major[t]
                ub = (high - origin - min(p0, p1)) * c_major[t]
                u0 = np.int64(max(math.floor(min(ua, ub)), 0.0))
                u1 = np.int64(min(math.ceil(max(ua, ub)) + 1.0, n_u))
                length = np.float32(abs(step))
                for u in range(u0, u1):
                    base = origin + u * step
                    if slope > 0 or (slope == 0 and base >= low):
                        j0 = _steps_below(low, base, slope, r0, r1)
                        j1 = _steps_below(high, base, slope, r0, r1)
                    else:
                        j0 = _steps_below(high, base, slope, r0, r1)
                        j1 = _steps_below(low, base, slope, r0, r1)
                    if j1 <= j0:
                        continue
                    start = base + j0 * slope
                    _ray_weights(start, slope, j0, j1, last, length, pitch, stride, offsets, w0, w1)
                    if n_minor == 1:
                        w1[:] = 0
                    count = -(-(j1 - j0) // side) * side
                    for k in range(j1 - j0, count):
                        offsets[k], w0[k], w1[k] = offsets[0], 0, 0
                    first = t * t_pitch + u * u_pitch
                    add_weighted_pairs(
                        sinogram,
                        first,
                        volume,
                        offsets,
                        w0,
                        w1,
                        count,
                        stride,
                        _ONE,
                        -_MOST,
                        _MOST,
                        lanes,
                    )


@njit(nogil=True, cache=True, fastmath=True)
def _voxel_weights(
    dx: np.float32,
    near: np.ndarray,
    places: np.ndarray,
    slopes: np.ndarray,
    lengths: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    count: int,
    pitch: int,
    offsets: np.ndarray,
    w0: np.ndarray,
    w1: np.ndarray,
) -> None:
    """Weights and places of the pairs of rays about a voxel, one pair per tilt."""
    for t in range(count):
        u = near[t] + dx * slopes[t]
        i = min(max(np.int32(np.floor(u)), first[t]), last[t])
        f = u - np.float32(i)
        offsets[t] = places[t] + i * pitch
        length = lengths[t]
        w0[t] = max(np.float32(0), np.float32(1) - abs(f) * length) * length
        w1[t] = max(np.float32(0), np.float32(1) - abs(f - np.float32(1)) * length) * length


@njit(nogil=True, cache=True, fastmath=True)
def _backproject(
    sinogram: np.ndarray,
    volume: np.ndarray,
    z_start: int,
    z_stop: int,
    weights: np.ndarray,
    lengths: np.ndarray,
    geometry: Geometry,
    low: float,
    high: float,
    lanes: int,
) -> None:
    cosines, sines, centre_z, centre_x, centres_u = geometry
    n_x = volume.shape[1]
    n_tilts, n_u, _ = sinogram.shape
    z_pitch, x_pitch = volume.strides[0] // 4, volume.strides[1] // 4
    t_pitch, u_pitch = sinogram.strides[0] // 4, sinogram.strides[1] // 4
    stride = u_pitch if n_u > 1 else 0
    slopes = np.empty(n_tilts, np.float32)
    heights = np.empty(n_tilts, np.float32)
    side = max(1, 64 // max(lanes, 16))
    near = np.empty(n_tilts, np.float32)
    places = np.empty(n_tilts, np.int64)
    first = np.empty(n_tilts, np.int32)
    last = np.empty(n_tilts, np.int32)
    # what fills up the last round of additions has no weight
    offsets = np.zeros(n_tilts + side, np.int64)
    w0 = np.zeros(n_tilts + side, np.float32)
    w1 = np.zeros(n_tilts + side, np.float32)
    for z0 in range(z_start, z_stop, _TILE):
        for x0 in range(0, n_x, _TILE):
            x1 = min(x0 + _TILE, n_x)
            for t0 in range(0, n_tilts, _TILTS):
                t1 = min(t0 + _TILTS, n_tilts)
                count = -(-(t1 - t0) // side) * side
                w0[t1 - t0 :] = 0
                w1[t1 - t0 :] = 0
                # the limits are for the sum over all tilts
                floor = low if t1 == n_tilts else -_MOST
                ceiling = high if t1 == n_tilts else _MOST
                for z in range(z0, min(z0 + _TILE, z_stop)):
                    for k in range(t1 - t0):
                        t = t0 + k
                        u = centres_u[t] + (x0 - centre_x) * cosines[t] + (z - centre_z) * sines[t]
                        # counted from here, single precision places a voxel to 1e-6 pixel
                        whole = min(max(math.floor(u), -1e9), 1e9)
                        near[k] = u - whole
                        first[k] = -np.int32(whole)
                        last[k] = max(n_u - 2, 0) - np.int32(whole)
                        places[k] = t * t_pitch + np.int64(whole) * u_pitch
                        slopes[k] = cosines[t]
                        heights[k] = lengths[t]
                    for x in range(x0, x1):
                        weight = weights[z, x]
                        if weight == 0:
                            continue
                        dx = np.float32(x - x0)
                        _voxel_weights(
                            dx,
                            near,
                            places,
                            slopes,
                            heights,
                            first,
                            last,
                            t1 - t0,
                            u_pitch,
                            offsets,
                            w0,
                            w1,
                        )
                        if n_u == 1:
                            w1[:] = 0
                        voxel = z * z_pitch + x * x_pitch
                        add_weighted_pairs(
                            volume,
                            voxel,
                            sinogram,
                            offsets,
                            w0,
                            w1,
                            count,
                            stride,
                            weight,
                            floor,
                            ceiling,
                            lanes,
                        )


@cache
def kernels(lanes: int) -> tuple[Function, Function]:
    """Return the kernels for blocks of `lanes` slices.

    Returns
    -------
    project : callable
        ``project(volume, sinogram, used, geometry)`` adds the line integrals of a volume
        block to a sinogram block; tiles in which ``used[z, x]`` is 0 all over are skipped.
    backproject : callable
        ``backproject(sinogram, volume, z_start, z_stop, weights, lengths, geometry, low, high)``
        adds the transpose of `project`, for lengths L, to the planes from `z_start` to
        `z_stop` of a volume block, times ``weights[z, x]``, and limits the result to `low`
        and `high`. Voxels of weight 0 are left as they are.

    Notes
    -----
    `geometry` is the tuple ``(cosines, sines, centre_z, centre_x, centres_u)``.
    """
    # the size of a block is a constant to the compiler: all loops over slices are unrolled

    @njit(nogil=True, cache=True)
    def project(
        volume: np.ndarray, sinogram: np.ndarray, used: np.ndarray, geometry: Geometry
    ) -> None:
        tiles = _used_tiles(used)
        for along_z in (True, False):
            _project(volume, sinogram, tiles, geometry, along_z, lanes)

    @njit(nogil=True, cache=True)
    def backproject(
        sinogram: np.ndarray,
        volume: np.ndarray,
        z_start: int,
        z_stop: int,
        weights: np.ndarray,
        lengths: np.ndarray,
        geometry: Geometry,
        low: float,
        high: float,
    ) -> None:
        _backproject(
            sinogram, volume, z_start, z_stop, weights, lengths, geometry, low, high, lanes
        )

    return project, backproject
