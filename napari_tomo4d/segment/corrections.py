"""Which voxels a correction by hand changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_tomo4d.errors import DataError, ParameterError


def voxels_of(array: np.ndarray, label: int) -> np.ndarray:
    """Return the voxels (n, 3) as (z, y, x) of a particle; `DataError` if it has none."""
    found = np.argwhere(array == label) if label > 0 else np.empty((0, 3), np.int64)
    if not len(found):
        raise DataError(f"There is no particle {label} here; choose one that is there.")
    return found


def cut_voxels(
    array: np.ndarray,
    label: int,
    line: Sequence[Sequence[float]] | np.ndarray,
    view: Sequence[float] | np.ndarray,
    free: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a particle by the plane through a drawn line and the direction of view.

    Parameters
    ----------
    array : integer array (z, y, x)
        Numbers of particles.
    label : int
        The particle.
    line : array (2, 3)
        Two points (z, y, x) in voxels on the cut.
    view : array (3,)
        Direction (z, y, x) one looks along; it need not be of length 1.
    free : int
        Number for the smaller part; the larger one keeps its own.

    Returns
    -------
    where : array (n, 3)
        The particle's voxels.
    numbers : array (n,)
        Their numbers after the cut.

    Raises
    ------
    DataError
        If there is no such particle, or the cut misses it.
    ParameterError
        If line and view span no plane.
    """
    where = voxels_of(array, label)
    points = np.asarray(line, dtype=np.float64)
    direction = np.asarray(view, dtype=np.float64)
    if points.shape != (2, 3) or direction.shape != (3,):
        raise ParameterError("A cut needs two points (z, y, x) and a direction (z, y, x).")
    normal = np.cross(points[1] - points[0], direction)
    length = float(np.linalg.norm(normal))
    if not np.isfinite(length) or length <= 1e-9 * float(np.linalg.norm(direction)):
        raise ParameterError(
            "The two points of the cut lie on one line of sight; draw the line across the view."
        )
    side = (where - points[0]) @ (normal / length) > 0
    if side.all() or not side.any():
        raise DataError(f"The cut misses particle {label}; draw it across the particle.")
    return where, _numbers(side.astype(np.int64), label, free)


def merged_voxels(array: np.ndarray, a: int, b: int) -> np.ndarray:
    """Return the voxels (n, 3) of `b`, which are to become part of `a`.

    Raises
    ------
    DataError
        If one of them is not there, or both are the same.
    """
    if a == b:
        raise DataError(f"Particle {a} can't be merged with itself; choose two particles.")
    voxels_of(array, a)
    return voxels_of(array, b)


def _numbers(part: np.ndarray, label: int, free: int) -> np.ndarray:
    """Return the number of each voxel: the largest part keeps `label`, others start at `free`."""
    order = np.argsort(-np.bincount(part), kind="stable")
    numbers = np.empty(len(order), np.int32)
    numbers[order] = [label, *range(free, free + len(order) - 1)]
    result: np.ndarray = numbers[part]
    return result
