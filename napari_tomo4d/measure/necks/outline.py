"""Outlines of the two particles of a pair, seen along one direction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.measure import find_contours

from napari_tomo4d.errors import DataError
from napari_tomo4d.measure.necks.pair import Pair

_SMOOTH = 0.8


@dataclass(frozen=True, eq=False)
class Outline:
    """One particle as seen along the normal of the section.

    Parameters
    ----------
    points : array (point, 2)
        Closed outline (along the pair's axis, across it), in nm.
    area_nm2 : float
    width_nm, height_nm : float
        Size along the pair's axis, and across it.
    depth_nm : tuple of float
        First and last position along the viewing direction.
    """

    points: np.ndarray
    area_nm2: float
    width_nm: float
    height_nm: float
    depth_nm: tuple[float, float]

    @property
    def radius_nm(self) -> float:
        """Radius of a circle of the same area."""
        return float(np.sqrt(self.area_nm2 / np.pi))

    @property
    def aspect_ratio(self) -> float:
        """Height over width."""
        return self.height_nm / self.width_nm


def outlines(
    pair: Pair, origin: np.ndarray, axes: np.ndarray, position: float
) -> tuple[Outline, Outline]:
    """Return the outlines of both particles, projected along the last of three axes.

    Parameters
    ----------
    pair : Pair
    origin : array (3,)
        Point (z, y, x) in nm from which positions count.
    axes : array (3, 3)
        Unit vectors: along the pair, across it in the section, normal to the section.
    position : float
        Of the neck along the first axis (nm), where the outline is cut in two.

    Raises
    ------
    DataError
        If a particle is so small that it has no outline.
    """
    unit = pair.unit_nm
    inside = (pair.owner > 0).astype(np.float32)
    # half of the smoothed value is where the surface lies between voxel centres
    smooth = ndimage.gaussian_filter(inside, _SMOOTH * unit / pair.spacing_nm, mode="nearest")
    found = pair.positions(pair.flat > 0) - origin
    local = found @ axes.T
    low, high = local.min(axis=0) - 2 * unit, local.max(axis=0) + 2 * unit
    sides = [np.arange(a, b + unit, unit) for a, b in zip(low, high, strict=True)]
    start = (np.array([s[0] for s in sides]) @ axes + origin - pair.origin_nm) / pair.spacing_nm
    field = ndimage.affine_transform(
        smooth,
        (axes * unit / pair.spacing_nm).T,
        start,
        tuple(len(s) for s in sides),
        order=1,
        mode="constant",
    )
    contours = find_contours(field.max(axis=2), 0.5)
    if not contours:
        raise DataError("The particles are too small for an outline; at least 3 voxels are needed.")
    longest = max(contours, key=lambda c: abs(_area(c)))
    curve = longest * unit + np.array([sides[0][0], sides[1][0]])
    result = []
    for sign in (-1, 1):
        half = _cut(curve, position, sign)
        area = abs(_area(half)) if len(half) > 2 else 0.0
        part = field[(sides[0] - position) * sign > 0]
        if area == 0 or not (part > 0.5).any():
            raise DataError("A particle ends at its neck; its outline can't be measured.")
        depth = _extent(part.max(axis=(0, 1)), sides[2])
        size = np.ptp(half, axis=0)
        result.append(Outline(half, area, float(size[0]), float(size[1]), depth))
    return result[0], result[1]


def _extent(most: np.ndarray, side: np.ndarray) -> tuple[float, float]:
    """Return where the largest values along an axis begin and end to be inside."""
    inside = np.flatnonzero(most > 0.5)
    ends = []
    for edge, step in ((inside[0], -1), (inside[-1], 1)):
        beyond = edge + step
        if 0 <= beyond < len(most):
            part = (most[edge] - 0.5) / max(most[edge] - most[beyond], 1e-6)
        else:
            part = 0.0
        ends.append(float(side[edge] + step * min(part, 1.0) * (side[1] - side[0])))
    return ends[0], ends[1]


def _area(points: np.ndarray) -> float:
    """Return the signed area of a closed polygon."""
    x, y = points[:, 0], points[:, 1]
    return 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def _cut(points: np.ndarray, position: float, sign: int) -> np.ndarray:
    """Return the part of a closed polygon on one side of a line across the first axis."""
    height = (points[:, 0] - position) * sign
    kept: list[np.ndarray] = []
    for i in range(len(points)):
        j = (i + 1) % len(points)
        if height[i] > 0:
            kept.append(points[i])
        if (height[i] > 0) != (height[j] > 0):
            part = height[i] / (height[i] - height[j])
            kept.append(points[i] + part * (points[j] - points[i]))
    return np.array(kept) if kept else np.empty((0, 2))
