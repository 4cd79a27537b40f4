"""Inner loops of the projector: parallel beam, one block of slices at a time.

A block holds some neighbouring slices in its last axis, so that one interpolation
weight serves a whole vector of slices and every access is contiguous. Volume blocks are
``(z, x, slice)``, sinogram blocks ``(tilt, u, slice)``. All kernels release the GIL and
use no threads of their own: numba's are not safe to enter from several Python threads.

`project` and `backproject` are an exactly matched pair after Joseph (1982): a ray steps
along the axis it is closest to and interpolates linearly across it. `smear` spreads
projections by interpolating on the detector instead, which leaves no ripple in a
filtered back-projection.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, fastmath=True)
def _rays_inside(start, step, n_samples, n_rays):
    """First and last + 1 ray whose position start + u * step is within -1 .. n_samples."""
    a = (-1.0 - start) / step
    b = (n_samples - start) / step
    first = max(0.0, math.floor(min(a, b)) + 1.0)
    last = min(float(n_rays), math.ceil(max(a, b)))
    return int(first), int(last)


@njit(nogil=True, cache=True, fastmath=True)
def _project(volume, sinogram, tilts, c_major, s_major, o_major, o_minor, centres_u):
    """Joseph's sum; `volume` is (major, minor, slice), rays step along major."""
    n_major, n_minor, n_k = volume.shape
    for j in range(n_major):
        for t in tilts:
            step = 1.0 / c_major[t]
            length = np.float32(abs(step))
            start = o_minor - (centres_u[t] + (j - o_major) * s_major[t]) * step
            first, last = _rays_inside(start, step, n_minor, sinogram.shape[1])
            for u in range(first, last):
                position = start + u * step
                floor = math.floor(position)
                i = int(floor)
                w1 = np.float32(position - floor) * length
                w0 = length - w1
                if 0 <= i < n_minor - 1:
                    for k in range(n_k):
                        sinogram[t, u, k] += w0 * volume[j, i, k] + w1 * volume[j, i + 1, k]
                elif i == -1:
                    for k in range(n_k):
                        sinogram[t, u, k] += w1 * volume[j, 0, k]
                elif i == n_minor - 1:
                    for k in range(n_k):
                        sinogram[t, u, k] += w0 * volume[j, i, k]


@njit(nogil=True, cache=True, fastmath=True)
def _backproject(volume, sinogram, tilts, c_major, s_major, o_major, o_minor, centres_u):
    """Transpose of `_project`."""
    n_major, n_minor, n_k = volume.shape
    for j in range(n_major):
        for t in tilts:
            step = 1.0 / c_major[t]
            length = np.float32(abs(step))
            start = o_minor - (centres_u[t] + (j - o_major) * s_major[t]) * step
            first, last = _rays_inside(start, step, n_minor, sinogram.shape[1])
            for u in range(first, last):
                position = start + u * step
                floor = math.floor(position)
                i = int(floor)
                w1 = np.float32(position - floor) * length
                w0 = length - w1
                if 0 <= i < n_minor - 1:
                    for k in range(n_k):
                        volume[j, i, k] += w0 * sinogram[t, u, k]
                        volume[j, i + 1, k] += w1 * sinogram[t, u, k]
                elif i == -1:
                    for k in range(n_k):
                        volume[j, 0, k] += w1 * sinogram[t, u, k]
                elif i == n_minor - 1:
                    for k in range(n_k):
                        volume[j, i, k] += w0 * sinogram[t, u, k]


@njit(nogil=True, cache=True, fastmath=True)
def project(volume, sinogram, cosines, sines, centre_z, centre_x, centres_u):
    """Add the line integrals of a volume block to a sinogram block."""
    # a row of the volume stays in the cache while all tilts that step along it use it
    steep = np.abs(cosines) >= np.abs(sines)
    _project(volume, sinogram, np.flatnonzero(steep), cosines, sines, centre_z, centre_x, centres_u)
    columns = volume.transpose(1, 0, 2)
    _project(
        columns, sinogram, np.flatnonzero(~steep), sines, cosines, centre_x, centre_z, centres_u
    )


@njit(nogil=True, cache=True, fastmath=True)
def backproject(sinogram, volume, cosines, sines, centre_z, centre_x, centres_u):
    """Add the transpose of `project` applied to a sinogram block to a volume block."""
    steep = np.abs(cosines) >= np.abs(sines)
    _backproject(
        volume, sinogram, np.flatnonzero(steep), cosines, sines, centre_z, centre_x, centres_u
    )
    columns = volume.transpose(1, 0, 2)
    _backproject(
        columns, sinogram, np.flatnonzero(~steep), sines, cosines, centre_x, centre_z, centres_u
    )


@njit(nogil=True, cache=True, fastmath=True)
def smear(sinogram, volume, cosines, sines, centre_z, centre_x, centres_u):
    """Add to each voxel the sinogram at the place it projects to, linearly interpolated."""
    n_z, n_x, n_k = volume.shape
    n_tilts, n_u, _ = sinogram.shape
    for z in range(n_z):
        for t in range(n_tilts):
            c, s = cosines[t], sines[t]
            start = centres_u[t] + (z - centre_z) * s - centre_x * c
            for x in range(n_x):
                position = start + x * c
                floor = math.floor(position)
                i = int(floor)
                w1 = np.float32(position - floor)
                w0 = np.float32(1.0) - w1
                row = volume[z, x]
                if 0 <= i < n_u:
                    values = sinogram[t, i]
                    for k in range(n_k):
                        row[k] += w0 * values[k]
                if 0 <= i + 1 < n_u:
                    values = sinogram[t, i + 1]
                    for k in range(n_k):
                        row[k] += w1 * values[k]
