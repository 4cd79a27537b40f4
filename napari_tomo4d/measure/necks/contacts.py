"""Which particles touch, or nearly do."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_tomo4d.data import Labels
from napari_tomo4d.errors import ParameterError
from napari_tomo4d.measure.inputs import LabelVolume, VoxelSize
from napari_tomo4d.measure.necks.pair import gap_between, spacing_of
from napari_tomo4d.progress import Progress

_ROUNDING = 1e-9

PairKey = tuple[int, int]
"""The two particles of a pair, the smaller number first."""


def find_pairs(
    labels: LabelVolume, pixel_size_nm: VoxelSize = None, max_gap_nm: float = 0.0
) -> np.ndarray:
    """Return every pair of particles that touch or nearly touch.

    Parameters
    ----------
    labels : Labels or integer array (z, y, x)
        Particles by number, 0 is background.
    pixel_size_nm : float or three floats (z, y, x), optional
        Voxel size; by default that of the labels.
    max_gap_nm : float
        Largest distance between the surfaces; 0 for contact only.

    Returns
    -------
    array (pair, 2)
        Labels, the smaller first, in order.

    Raises
    ------
    ParameterError
        If the voxel size is missing or the gap is negative.
    """
    array, spacing = spacing_of(labels, pixel_size_nm)
    if not (np.isfinite(max_gap_nm) and max_gap_nm >= 0):
        raise ParameterError(f"max_gap_nm is {max_gap_nm}; it has to be 0 or more.")
    touching = _touching_pairs(array)
    if max_gap_nm > 0:
        touching |= _near_pairs(array, spacing, max_gap_nm) - touching
    return np.array(sorted(touching), dtype=int).reshape(-1, 2)


def pairs_of_times(
    volumes: Iterable[LabelVolume], pixel_size_nm: VoxelSize = None, max_gap_nm: float = 0.0
) -> list[PairKey]:
    """Return every pair that `find_pairs` finds at any of several times, in order.

    Parameters
    ----------
    volumes : iterable of Labels or integer arrays (z, y, x)
        One per time.
    pixel_size_nm, max_gap_nm
        As in `find_pairs`.
    """
    found = (find_pairs(one, pixel_size_nm, max_gap_nm) for one in volumes)
    return sorted({(int(a), int(b)) for pairs in found for a, b in pairs})


def coordination(labels: LabelVolume) -> dict[int, int]:
    """Return how many others each particle (z, y, x) touches."""
    array = np.asarray(labels.data if hasattr(labels, "pixel_size_nm") else labels)
    counts = dict.fromkeys((int(i) for i in np.unique(array) if i), 0)
    for pair in _touching_pairs(array):
        for label in pair:
            counts[label] += 1
    return counts


@dataclass(frozen=True)
class Suggestions:
    """Which pairs there are, and where the particles lie.

    Parameters
    ----------
    times : dict
        Time points at which a pair touches, or nearly, by pair.
    spheres : list of dict, one per time
        Centre (z, y, x) in voxels and radius, in edges of a cube of a voxel's volume, of each
        particle by label.
    """

    times: dict[PairKey, list[int]]
    spheres: list[dict[int, tuple[np.ndarray, float]]]


def suggest_pairs(items: Sequence[Labels], max_gap_nm: float, progress: Progress) -> Suggestions:
    """Find the pairs that touch at any time, and all particles.

    Parameters
    ----------
    items : sequence of Labels
        One per time, with voxel sizes.
    max_gap_nm : float
        As in `find_pairs`.
    progress : Progress
    """
    times: dict[PairKey, list[int]] = {}
    spheres = []
    for t, item in enumerate(items):
        progress.report(t, len(items), f"Looking for pairs, time {t + 1} of {len(items)}")
        for a, b in find_pairs(item, max_gap_nm=max_gap_nm):
            times.setdefault((int(a), int(b)), []).append(t)
        spheres.append(_spheres(np.asarray(item.data)))
    progress.report(1, 1)
    return Suggestions(dict(sorted(times.items())), spheres)


def _spheres(array: np.ndarray) -> dict[int, tuple[np.ndarray, float]]:
    found = {}
    for label, box in enumerate(ndimage.find_objects(array), 1):
        if box is None:
            continue
        inside = np.argwhere(array[box] == label)
        centre = inside.mean(axis=0) + [s.start for s in box]
        found[label] = centre, float(np.cbrt(3 * len(inside) / (4 * np.pi)))
    return found


def _touching_pairs(array: np.ndarray) -> set[tuple[int, int]]:
    """Pairs whose voxels share a face, an edge or a corner."""
    pairs: set[tuple[int, int]] = set()
    offsets = [o for o in itertools.product((-1, 0, 1), repeat=3) if o > (0, 0, 0)]
    for offset in offsets:
        moves = list(zip(offset, array.shape, strict=True))
        here = tuple(slice(max(-o, 0), n - max(o, 0)) for o, n in moves)
        there = tuple(slice(max(o, 0), n - max(-o, 0)) for o, n in moves)
        first, second = array[here], array[there]
        meet = (first != second) & (first > 0) & (second > 0)
        found = np.unique(np.stack([first[meet], second[meet]], axis=1), axis=0)
        pairs |= {(int(min(a, b)), int(max(a, b))) for a, b in found}
    return pairs


def _near_pairs(array: np.ndarray, spacing: np.ndarray, gap: float) -> set[tuple[int, int]]:
    surfaces = {}
    for label, box in enumerate(ndimage.find_objects(array), 1):
        if box is None:
            continue
        mask = np.pad(array[box] == label, 1)
        rim = mask & ~ndimage.binary_erosion(mask)
        start = np.array([s.start for s in box]) - 1
        surfaces[label] = cKDTree((np.argwhere(rim) + start) * spacing)
    limit = gap + float(spacing.max())
    pairs = set()
    for (a, first), (b, second) in itertools.combinations(surfaces.items(), 2):
        apart = np.maximum(first.mins - second.maxes, second.mins - first.maxes)
        if np.linalg.norm(np.maximum(apart, 0)) > limit:
            continue
        if gap_between(first, second.data, spacing) <= gap + _ROUNDING:
            pairs.add((a, b))
    return pairs
