"""Two particles cut out of a labelled volume, and parted at their neck."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from napari_tomo4d.data import Labels
from napari_tomo4d.errors import DataError, ParameterError
from napari_tomo4d.measure.inputs import LabelVolume, VoxelSize

_MARGIN = 5
_STEP = 0.25
_ENDS = 0.1
_SAME = 1.06
"""Slabs count as equally wide up to this ratio; voxels make them differ by some percent."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Two particles in nanometres, others trimmed at their own necks; it never changes.

    Parameters
    ----------
    owner : integer array (z, y, x)
        1 and 2 for the particles, -1 for others, 0 for nothing.
    spacing_nm : array (3,)
        Size of a voxel.
    origin_nm : array (3,)
        Position of the first voxel's centre in the whole volume.
    others : tuple of int
        Labels of the particles that touch either of the two.
    """

    owner: np.ndarray
    spacing_nm: np.ndarray
    origin_nm: np.ndarray
    others: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        owner = np.ascontiguousarray(self.owner).view()
        owner.flags.writeable = False
        object.__setattr__(self, "owner", owner)

    @property
    def flat(self) -> np.ndarray:
        """`owner` as one row of voxels."""
        return self.owner.reshape(-1)

    @cached_property
    def _sides(self) -> list[np.ndarray]:
        """Positions (nm) of the voxels along each axis."""
        return [
            o + s * np.arange(n)
            for o, s, n in zip(self.origin_nm, self.spacing_nm, self.owner.shape, strict=True)
        ]

    @property
    def unit_nm(self) -> float:
        """Edge of a cube as large as a voxel."""
        return float(np.cbrt(np.prod(self.spacing_nm)))

    def centre(self, which: int) -> np.ndarray:
        """Return the centre of mass (z, y, x) of particle 1 or 2."""
        mask = self.owner == which
        result = []
        for axis, side in enumerate(self._sides):
            rest = tuple(i for i in range(3) if i != axis)
            result.append(float(np.average(side, weights=np.count_nonzero(mask, axis=rest))))
        return np.array(result)

    def positions(self, chosen: np.ndarray) -> np.ndarray:
        """Return the centres (voxel, 3) of the voxels that are true in a flat mask."""
        index = np.unravel_index(np.flatnonzero(chosen), self.owner.shape)
        return np.stack([s[i] for s, i in zip(self._sides, index, strict=True)], axis=1)

    def along(self, origin: np.ndarray, axis: np.ndarray) -> np.ndarray:
        """Return how far (nm) each voxel's centre is from a point in a direction, flat."""
        z, y, x = ((s - o) * a for s, o, a in zip(self._sides, origin, axis, strict=True))
        result: np.ndarray = (z[:, None, None] + y[:, None] + x).ravel()
        return result

    def volume_nm3(self, which: int) -> float:
        """Return the volume of particle 1 or 2."""
        return float(np.count_nonzero(self.flat == which) * np.prod(self.spacing_nm))

    def axis(self) -> np.ndarray:
        """Return the unit vector from particle 1 to particle 2."""
        step = self.centre(2) - self.centre(1)
        length = np.linalg.norm(step)
        if length < 1e-9:
            raise DataError(
                "The two particles have the same centre of mass; one lies inside the other."
            )
        result: np.ndarray = step / length
        return result

    def middle(self) -> np.ndarray:
        """Return the point halfway between the centres of mass."""
        result: np.ndarray = (self.centre(1) + self.centre(2)) / 2
        return result

    def parted(self, along: np.ndarray, position: float, reach: float) -> Pair:
        """Return the two particles parted by a plane instead of where their labels meet.

        Parameters
        ----------
        along : array (voxel,)
            Position of each voxel along the axis, in nm, as from `along`.
        position : float
            Of the plane, in nm.
        reach : float
            Only so near the plane (nm): further away the labels are right, however the particles
            may bend.
        """
        flat = self.flat.copy()
        both = (flat > 0) & (np.abs(along - position) < reach)
        flat[both & (along < position)] = 1
        flat[both & (along >= position)] = 2
        return replace(self, owner=flat.reshape(self.owner.shape))


def across(axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two unit vectors across an axis, the first one across the beam."""
    first = np.cross(axis, [1.0, 0.0, 0.0])
    if np.linalg.norm(first) < 1e-6:
        first = np.array([0.0, 1.0, 0.0])
    first /= np.linalg.norm(first)
    return first, np.cross(axis, first)


def spacing_of(labels: LabelVolume, pixel_size_nm: VoxelSize) -> tuple[np.ndarray, np.ndarray]:
    """Return labels as an array (z, y, x) and the voxel size (3,) in nanometres.

    Parameters
    ----------
    labels : Labels or integer array (z, y, x)
    pixel_size_nm : float or sequence of three floats, optional
        By default that of the labels.

    Raises
    ------
    DataError
        If the labels are not a volume of whole numbers.
    ParameterError
        If no voxel size is known, or it is not positive.
    """
    if isinstance(labels, Labels):
        array = np.asarray(labels.data)
        pixel_size_nm = labels.pixel_size_nm if pixel_size_nm is None else pixel_size_nm
    else:
        array = np.asarray(labels)
    if array.ndim != 3 or array.dtype.kind not in "iub":
        raise DataError(
            f"Labels have shape {array.shape} and type {array.dtype}; expected whole numbers "
            "(z, y, x)."
        )
    if pixel_size_nm is None:
        raise ParameterError("The voxel size is not known; give pixel_size_nm.")
    spacing = np.asarray(pixel_size_nm, dtype=np.float64)
    if spacing.ndim == 0:
        spacing = np.full(3, float(spacing))
    if spacing.shape != (3,) or not np.all(np.isfinite(spacing)) or np.any(spacing <= 0):
        raise ParameterError(
            "pixel_size_nm has to be one positive number, or three for voxels (z, y, x)."
        )
    return array, spacing


def gap_between(tree: cKDTree, points: np.ndarray, spacing: np.ndarray) -> float:
    """Return the least gap (nm) between voxels with their centres in a tree and others (n, 3).

    Two voxels that touch have no gap: their centres are a voxel apart, in the direction in
    which they lie.
    """
    distances, nearest = tree.query(points)
    steps = (points - tree.data[nearest]) / np.maximum(distances, 1e-12)[:, None]
    return float((distances - np.linalg.norm(steps * spacing, axis=1)).min())


def cut_out(array: np.ndarray, a: int, b: int, spacing: np.ndarray) -> Pair:
    """Return the two particles, with others trimmed at their own necks.

    Parameters
    ----------
    array : integer array (z, y, x)
        Particles by number.
    a, b : int
        The two particles.
    spacing : array (3,)
        Size of a voxel in nm.

    Raises
    ------
    DataError
        If there is no such particle, or both are the same.
    """
    if a == b:
        raise DataError(f"A pair needs two different particles; both are {a}.")
    boxes = []
    for label in (a, b):
        if label <= 0:
            raise DataError(f"There is no particle {label}; numbers start at 1.")
        box = bounding_box(array == label)
        if box is None:
            raise DataError(f"There is no particle {label} in these labels.")
        boxes.append(box)
    low = np.maximum(np.minimum(boxes[0][0], boxes[1][0]) - _MARGIN, 0)
    high = np.minimum(np.maximum(boxes[0][1], boxes[1][1]) + _MARGIN, array.shape)
    part = array[tuple(slice(i, j) for i, j in zip(low, high, strict=True))]
    neighbours = [touching(part, label) - {a, b} for label in (a, b)]
    owner = np.where(part == a, 1, np.where(part == b, 2, np.where(part != 0, -1, 0)))
    for which, label in ((1, a), (2, b)):
        for other in neighbours[which - 1]:
            _trim(owner, part, which, label, other, spacing)
    others = tuple(sorted(int(n) for n in set().union(*neighbours)))
    return Pair(owner.astype(np.int8), spacing, low * spacing, others)


def bounding_box(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the first and one past the last index of what is true, None if nothing is."""
    low, high = [], []
    for axis in range(mask.ndim):
        rest = tuple(i for i in range(mask.ndim) if i != axis)
        where = np.flatnonzero(mask.any(axis=rest))
        if not len(where):
            return None
        low.append(where[0])
        high.append(where[-1] + 1)
    return np.array(low), np.array(high)


def touching(array: np.ndarray, label: int) -> set[int]:
    """Return the labels that share a face, an edge or a corner with a particle."""
    mask = array == label
    around = grown(mask) & ~mask
    return set(np.unique(array[around]).tolist()) - {0}


def grown(mask: np.ndarray) -> np.ndarray:
    """Return a mask with all voxels that share a face, an edge or a corner with it."""
    result = mask.copy()
    for axis in range(mask.ndim):
        # a box, one axis after the other
        before = result.copy()
        low, high = [slice(None)] * mask.ndim, [slice(None)] * mask.ndim
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        result[tuple(low)] |= before[tuple(high)]
        result[tuple(high)] |= before[tuple(low)]
    return result


def _trim(
    owner: np.ndarray,
    part: np.ndarray,
    which: int,
    label: int,
    other: int,
    spacing: np.ndarray,
) -> None:
    """Move the border between a particle and another to the plane of their own neck."""
    two = Pair(
        np.where(part == label, 1, np.where(part == other, 2, 0)).astype(np.int8),
        spacing,
        np.zeros(3),
    )
    if np.count_nonzero(two.flat == 2) < 8:
        return
    along = two.along(two.middle(), two.axis())
    position, area = rough_neck(two, along)
    reach = 0.5 * np.sqrt(area / np.pi) + two.unit_nm
    near = (np.abs(along - position) < reach).reshape(part.shape)
    beyond = (along > position).reshape(part.shape)
    owner[near & beyond & (part == label)] = -1
    owner[near & ~beyond & (part == other)] = which


def rough_neck(pair: Pair, along: np.ndarray) -> tuple[float, float]:
    """Return position (nm) and area (nm^2) of the narrowest slab between the centres.

    Parameters
    ----------
    pair : Pair
    along : array (voxel,)
        Position of each voxel along the axis, in nm.
    """
    unit = pair.unit_nm
    inside = pair.flat > 0
    ends = [float(along[pair.flat == w].mean()) for w in (1, 2)]
    room = _ENDS * (ends[1] - ends[0])
    edges = np.arange(ends[0] + room - unit, ends[1] - room + unit, _STEP * unit)
    if len(edges) < 6:
        raise DataError("The two particles are too small or too close to tell their neck apart.")
    bins = np.floor((along[inside] - edges[0]) / (_STEP * unit)).astype(np.int64)
    bins = bins[(bins >= 0) & (bins < len(edges) - 1)]
    counts = np.bincount(bins, minlength=len(edges) - 1)
    width = round(1 / _STEP)
    # of slabs one voxel thick
    slabs = np.convolve(counts, np.ones(width), mode="valid") * np.prod(pair.spacing_nm) / unit
    centres = (edges[: len(slabs)] + edges[width : width + len(slabs)]) / 2
    least = slabs.min()
    # a long neck is equally wide over some length: take its middle
    same = centres[slabs <= _SAME * least + 1e-12]
    position = same[np.argmin(np.abs(same - same.mean()))]
    return float(position), float(max(least, unit**2))
