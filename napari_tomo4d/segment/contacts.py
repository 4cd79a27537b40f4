"""Straightens the surface between two particles in contact."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_tomo4d.segment.distance import squared_distance
from napari_tomo4d.voxels import CUBIC, Spacing, in_voxels

_REACH = 0.4
_TOP = 0.85
_COMPACT = 2.5


def straighten_contacts(
    parts: np.ndarray, depth: np.ndarray, sampling: Spacing = CUBIC
) -> np.ndarray:
    """Part compact particles where the balls inside them meet.

    Parameters
    ----------
    parts : int32 array (z, y, x)
        Particles in contact, from 1.
    depth : float32 array (z, y, x)
        Distance to the surface in voxels.
    sampling : (z, y, x), optional
        See `Voxels.sampling`.

    Returns
    -------
    int32 array (z, y, x)
        The same voxels, those near a contact with their particle chosen anew.

    Notes
    -----
    Along a neck the distance to the surface hardly changes, so the watershed crosses it
    askew. Near to it a voxel goes to the ball of the least power ``|p - c|^2 - r^2``: for
    spheres that is the plane of their contact. Particles of more than 2.5 times the volume of
    the largest ball inside are not compact, and keep the watershed.
    """
    count = int(parts.max())
    if count < 2:
        return parts
    boxes = ndimage.find_objects(parts)
    power = np.full(parts.shape, np.inf, np.float32)
    balls = [_ball(parts[box] == i + 1, depth[box], box) for i, box in enumerate(boxes)]
    for i, (box, ball) in enumerate(zip(boxes, balls, strict=True)):
        if ball is not None:
            own = parts[box] == i + 1
            power[box][own] = _power(box, *ball, sampling)[own]
    result = parts.copy()
    for i, (box, ball) in enumerate(zip(boxes, balls, strict=True)):
        if ball is None:
            continue
        reach = _REACH * ball[1]
        near = _grown(box, in_voxels(reach, sampling), parts.shape)
        where = squared_distance(parts[near] != i + 1, sampling) <= reach**2
        here = _power(near, *ball, sampling)
        # infinite power marks those that are not compact, and what is outside
        nearer = where & (here < power[near]) & np.isfinite(power[near])
        power[near][nearer] = here[nearer]
        result[near][nearer] = i + 1
    return result


def _ball(
    own: np.ndarray, depth: np.ndarray, box: tuple[slice, ...]
) -> tuple[np.ndarray, float] | None:
    """Return centre and radius of the largest ball inside, None if there is much around it."""
    inside = np.where(own, depth, 0)
    radius = float(inside.max())
    if radius <= 0 or own.sum() > _COMPACT * 4 / 3 * np.pi * (radius + 0.5) ** 3:
        return None
    top = np.argwhere(inside >= _TOP * radius)
    weights = inside[tuple(top.T)]
    centre = np.average(top, axis=0, weights=weights) + [s.start for s in box]
    return centre, radius


def _power(
    box: tuple[slice, ...], centre: np.ndarray, radius: float, sampling: Spacing
) -> np.ndarray:
    z, y, x = (
        ((side - c) * s) ** 2 for side, c, s in zip(np.ogrid[box], centre, sampling, strict=True)
    )
    squares = z + y + x
    result: np.ndarray = (squares - radius**2).astype(np.float32)
    return result


def _grown(
    box: tuple[slice, ...], reach: Spacing, shape: tuple[int, ...]
) -> tuple[slice, slice, slice]:
    z, y, x = (
        slice(max(s.start - int(r) - 1, 0), min(s.stop + int(r) + 1, n))
        for s, r, n in zip(box, reach, shape, strict=True)
    )
    return z, y, x
