"""Corrections of labelled particles by hand; each returns new labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from skimage.segmentation import watershed

from napari_tomo4d.data import Labels
from napari_tomo4d.errors import DataError, ParameterError
from napari_tomo4d.immutable import frozen
from napari_tomo4d.segment.distance import squared_distance
from napari_tomo4d.segment.levels import smoothed


def split_particle(
    labels: Labels,
    label: int,
    line: Sequence[Sequence[float]] | np.ndarray,
    view: Sequence[float] | np.ndarray = (1.0, 0.0, 0.0),
) -> Labels:
    """Cut one particle by the plane through a drawn line and the direction of view.

    Parameters
    ----------
    labels : Labels (z, y, x)
    label : int
        The particle.
    line : array (2, 3)
        Two points (z, y, x) in voxels on the cut.
    view : array (3,)
        Direction (z, y, x) one looks along; the beam by default. It need not be of length 1.

    Returns
    -------
    Labels
        The larger part keeps the number, the other gets the next free one.

    Raises
    ------
    DataError
        If there is no such particle, or the cut misses it.
    ParameterError
        If line and view span no plane.
    """
    array = np.asarray(labels.data)
    where, numbers = cut_voxels(array, label, line, view, int(array.max()) + 1)
    return _with_numbers(labels, where, numbers)


def split_by_seeds(labels: Labels, label: int, seeds: np.ndarray) -> Labels:
    """Divide one particle into as many as there are marked points inside.

    Parameters
    ----------
    labels : Labels (z, y, x)
    label : int
        The particle.
    seeds : array (n, 3)
        Points (z, y, x) in voxels inside the particle, one for each part; at least two.

    Returns
    -------
    Labels
        The largest part keeps the number, others get the next free ones. Parts meet where
        the particle is narrowest between the points (watershed of the distance to the
        surface).

    Raises
    ------
    DataError
        If there is no such particle, or a point lies outside or twice in a voxel.
    ParameterError
        If there are fewer than two points.
    """
    array = np.asarray(labels.data)
    where = voxels_of(array, label)
    points = np.asarray(seeds, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or len(points) < 2:
        raise ParameterError("Dividing a particle needs at least two points (z, y, x) inside it.")
    corner = np.maximum(where.min(axis=0) - 1, 0)
    box = tuple(slice(int(a), int(b)) for a, b in zip(corner, where.max(axis=0) + 2, strict=True))
    own = array[box] == label
    depth = np.sqrt(squared_distance(own, labels.sampling))
    markers = np.zeros(own.shape, np.int32)
    for i, point in enumerate(points):
        place = tuple(np.round(point).astype(int) - corner)
        inside = all(0 <= p < n for p, n in zip(place, own.shape, strict=True))
        if not inside or not own[place]:
            raise DataError(f"Point {i + 1} lies outside particle {label}; put it inside.")
        if markers[place]:
            raise DataError(f"Two points lie in one voxel of particle {label}; move one of them.")
        markers[place] = i + 1
    # from single voxels: the flood would else stop at the nearest step of the distance
    parts = watershed(-smoothed(depth, 1, labels.sampling), markers, mask=own)
    part = parts[tuple((where - corner).T)] - 1
    return _with_numbers(labels, where, _numbers(part, label, int(array.max()) + 1))


def merge_particles(labels: Labels, a: int, b: int) -> Labels:
    """Join two particles.

    Parameters
    ----------
    labels : Labels
    a, b : int
        Numbers of the particles; the result has the number `a`.

    Raises
    ------
    DataError
        If one of them is not there, or both are the same.
    """
    array = np.asarray(labels.data)
    return _with_numbers(labels, merged_voxels(array, a, b), a)


def delete_particle(labels: Labels, a: int) -> Labels:
    """Turn a particle into background; the others keep their numbers.

    Raises
    ------
    DataError
        If it is not there.
    """
    return _with_numbers(labels, voxels_of(np.asarray(labels.data), a), 0)


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
    """Return a particle's voxels (n, 3) and their numbers (n,) after a cut as in `split_particle`.

    The smaller part gets the number `free`.
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
    """Return the voxels (n, 3) of `b`, which are to become part of `a`."""
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


def _with_numbers(labels: Labels, where: np.ndarray, numbers: np.ndarray | int) -> Labels:
    data = np.array(labels.data)
    data[tuple(where.T)] = numbers
    return dataclasses.replace(labels, data=frozen(data))
