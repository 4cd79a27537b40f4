"""Exact projections of spheres and cylinders, and their voxels."""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, fastmath=True)
def path_lengths(
    out: np.ndarray,
    spheres: np.ndarray,
    neck_ends: np.ndarray,
    neck_radii: np.ndarray,
    angle: float,
    axis_shift: float,
    rotation: float,
    drift: np.ndarray,
    scan_drift: np.ndarray,
    samples: int,
) -> None:
    """Fill `out` (y, x) with the length in pixels of each ray inside the union of solids.

    Coordinates are (z, y, x) in pixels from the centre of the volume. Every pixel is the
    mean of samples x samples rays. Content is moved by `drift` (dy, dx), and by
    `scan_drift` more from the first to the last row. `rotation` (radians) turns the tilt
    axis from +y towards +x; `axis_shift` is its position along x.
    """
    n_y, n_x = out.shape
    n_spheres = spheres.shape[0]
    n_solids = n_spheres + neck_radii.shape[0]
    starts = np.empty(n_solids)
    stops = np.empty(n_solids)
    c, s = math.cos(angle), math.sin(angle)
    cr, sr = math.cos(rotation), math.sin(rotation)
    axes, lengths = _neck_axes(neck_ends)
    for row in range(n_y):
        for column in range(n_x):
            total = 0.0
            for i in range(samples):
                for j in range(samples):
                    y = row + (i + 0.5) / samples - 0.5
                    moved = y / n_y
                    v = y - drift[0] - scan_drift[0] * moved - (n_y - 1) / 2
                    u = column + (j + 0.5) / samples - 0.5
                    u = u - drift[1] - scan_drift[1] * moved - (n_x - 1) / 2 - axis_shift
                    across = u * cr - v * sr
                    along = u * sr + v * cr
                    # the ray through (oz, along, ox) runs along (c, 0, -s)
                    oz, ox = across * s, across * c + axis_shift
                    n = 0
                    for k in range(n_spheres):
                        dy = spheres[k, 1] - along
                        square = spheres[k, 3] ** 2 - dy * dy
                        if square > 0:
                            dz, dx = spheres[k, 0] - oz, spheres[k, 2] - ox
                            aside = dz * s + dx * c
                            square -= aside * aside
                            if square > 0:
                                half, middle = math.sqrt(square), dz * c - dx * s
                                starts[n], stops[n] = middle - half, middle + half
                                n += 1
                    # a neck is narrower than its spheres, so a ray may meet it alone
                    for k in range(neck_radii.shape[0]):
                        a, b = _through_neck(
                            oz, along, ox, c, s, neck_ends[k, 0], axes[k], lengths[k], neck_radii[k]
                        )
                        if b > a:
                            starts[n], stops[n] = a, b
                            n += 1
                    if n > 0:
                        total += _union_length(starts, stops, n)
            out[row, column] = total / samples**2


@njit(nogil=True, cache=True, fastmath=True)
def _neck_axes(neck_ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return unit vectors along the necks, and their lengths."""
    axes = neck_ends[:, 1] - neck_ends[:, 0]
    lengths = np.sqrt((axes**2).sum(axis=1))
    for k in range(axes.shape[0]):
        axes[k] /= lengths[k]
    return axes, lengths


@njit(nogil=True, cache=True, fastmath=True)
def _union_length(starts: np.ndarray, stops: np.ndarray, n: int) -> float:
    # insertion sort: rarely more than three intervals
    for i in range(1, n):
        a, b = starts[i], stops[i]
        j = i - 1
        while j >= 0 and starts[j] > a:
            starts[j + 1], stops[j + 1] = starts[j], stops[j]
            j -= 1
        starts[j + 1], stops[j + 1] = a, b
    total = 0.0
    reached = -1e30
    for i in range(n):
        if stops[i] > reached:
            total += stops[i] - max(starts[i], reached)
            reached = stops[i]
    return total


@njit(nogil=True, cache=True, fastmath=True)
def _through_neck(
    oz: float,
    oy: float,
    ox: float,
    c: float,
    s: float,
    end: np.ndarray,
    axis: np.ndarray,
    length: float,
    radius: float,
) -> tuple[float, float]:
    """Where a ray along (c, 0, -s) enters and leaves a flat cylinder; (0, 0) if it misses."""
    az, ay, ax = oz - end[0], oy - end[1], ox - end[2]
    d_axis = c * axis[0] - s * axis[2]
    o_axis = az * axis[0] + ay * axis[1] + ax * axis[2]
    qa = 1.0 - d_axis * d_axis
    qb = az * c - ax * s - d_axis * o_axis
    qc = az * az + ay * ay + ax * ax - o_axis * o_axis - radius * radius
    low, high = -1e30, 1e30
    if qa > 1e-12:
        root = qb * qb - qa * qc
        if root <= 0:
            return 0.0, 0.0
        root = math.sqrt(root)
        low, high = (-qb - root) / qa, (-qb + root) / qa
    elif qc > 0:
        return 0.0, 0.0
    if abs(d_axis) > 1e-12:
        a, b = -o_axis / d_axis, (length - o_axis) / d_axis
        low, high = max(low, min(a, b)), min(high, max(a, b))
    elif o_axis < 0 or o_axis > length:
        return 0.0, 0.0
    return (low, high) if high > low else (0.0, 0.0)


@njit(nogil=True, cache=True, fastmath=True)
def voxels(
    density: np.ndarray,
    labels: np.ndarray,
    spheres: np.ndarray,
    neck_ends: np.ndarray,
    neck_radii: np.ndarray,
) -> None:
    """Fill `density` with the part of each voxel inside, `labels` with particle numbers.

    A voxel cut by the surface gets 0.5 minus the distance to it. Particles in contact are
    parted by the plane halfway, where the neck is; numbers start at 1.
    """
    n_z, n_y, n_x = density.shape
    axes, lengths = _neck_axes(neck_ends)
    for z in range(n_z):
        for y in range(n_y):
            for x in range(n_x):
                pz, py, px = z - (n_z - 1) / 2, y - (n_y - 1) / 2, x - (n_x - 1) / 2
                inside = -1e30
                nearest = 1e30
                owner = 0
                for k in range(spheres.shape[0]):
                    dz, dy, dx = pz - spheres[k, 0], py - spheres[k, 1], px - spheres[k, 2]
                    square = dz * dz + dy * dy + dx * dx
                    power = square - spheres[k, 3] ** 2
                    if power < nearest:
                        # of equal spheres the one with the least power is the nearest
                        nearest, owner = power, k + 1
                    inside = max(inside, spheres[k, 3] - math.sqrt(square))
                for k in range(neck_radii.shape[0]):
                    end, axis = neck_ends[k, 0], axes[k]
                    dz, dy, dx = pz - end[0], py - end[1], px - end[2]
                    along = dz * axis[0] + dy * axis[1] + dx * axis[2]
                    square = dz * dz + dy * dy + dx * dx - along * along
                    depth = neck_radii[k] - math.sqrt(max(square, 0.0))
                    inside = max(inside, min(depth, along, lengths[k] - along))
                density[z, y, x] = min(max(inside + 0.5, 0.0), 1.0)
                labels[z, y, x] = owner if inside > 0 else 0
