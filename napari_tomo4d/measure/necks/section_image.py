"""The picture of the section in which a pair is measured, for windows and for print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from napari_tomo4d.data import Labels, Volume
from napari_tomo4d.measure.necks.neck_values import Section
from napari_tomo4d.voxels import CUBIC

BACKGROUND, FIRST, SECOND, OTHER = 0.0, 1.0, 2.0, 3.0
"""Values of an image of labels."""

_MARGIN = 0.2
_MOST_PIXELS = 400

Extent = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class SectionImage:
    """Values and lines in the plane of a section, in nm from the neck.

    Parameters
    ----------
    image : array (row, column)
        Columns along the pair from the first to the second particle, rows along the neck; grey
        values of the volume, or `BACKGROUND`, `FIRST`, `SECOND` and `OTHER`. NaN outside.
    extent_nm : tuple of float
        Left, top, width and height of the image.
    outlines : tuple of two arrays (point, 2)
    neck_line, centres : array (2, 2)
        As in `Section`, with the position along the pair first.
    grey : bool
        Whether the image shows the volume; else it shows the labels.
    """

    image: np.ndarray
    extent_nm: Extent
    outlines: tuple[np.ndarray, np.ndarray]
    neck_line: np.ndarray
    centres: np.ndarray
    grey: bool


def section_image(
    section: Section,
    labels: Labels,
    a: int,
    b: int,
    volume: Volume | None = None,
    *,
    extent_nm: Extent | None = None,
    step_nm: float | None = None,
) -> SectionImage:
    """Sample the plane of a section, laid through both centres.

    Parameters
    ----------
    section : Section
        Of `neck`, measured in these labels.
    labels : Labels
    a, b : int
        The particles.
    volume : Volume, optional
        What to sample, of the shape of the labels; by default the labels.
    extent_nm : tuple of float, optional
        Left, top, width and height; by default both particles and a fifth more.
    step_nm : float, optional
        Size of a pixel; half a voxel by default, more where that gives over 400 pixels.
    """
    spacing = np.array(labels.voxel_size_nm or CUBIC)
    first, second = (in_plane(section, o) for o in section.outlines_nm)
    if extent_nm is None:
        both = np.concatenate([first, second])
        low, high = both.min(axis=0), both.max(axis=0)
        low, width = low - _MARGIN * (high - low), (1 + 2 * _MARGIN) * (high - low)
        extent_nm = (float(low[0]), float(low[1]), float(width[0]), float(width[1]))
    left, top, *sides = extent_nm
    step = step_nm or max(float(np.cbrt(spacing.prod())) / 2, max(sides) / _MOST_PIXELS)
    columns, rows = (max(1, round(side / step)) for side in sides)
    u, v = np.meshgrid(
        left + (np.arange(columns) + 0.5) * step, top + (np.arange(rows) + 0.5) * step
    )
    # the centres may lie beside the origin's plane, and not equally far
    local = (section.centres_nm - section.origin_nm) @ section.axes.T
    slope = (local[1, 2] - local[0, 2]) / (local[1, 0] - local[0, 0])
    w = local[0, 2] + slope * (u - local[0, 0])
    places = (section.origin_nm + np.stack([u, v, w], axis=-1) @ section.axes) / spacing
    index = np.moveaxis(places, -1, 0)
    if volume is not None:
        image = _sampled(volume.data, index, 1, np.nan)
    else:
        there = _sampled(labels.data, index, 0, 0)
        image = np.select([there == a, there == b, there > 0], [FIRST, SECOND, OTHER], BACKGROUND)
    return SectionImage(
        image.astype(np.float32),
        (left, top, step * columns, step * rows),
        (first, second),
        in_plane(section, section.neck_line_nm),
        in_plane(section, section.centres_nm),
        volume is not None,
    )


def in_plane(section: Section, points: np.ndarray) -> np.ndarray:
    """Return points (n, 3) in nm as (n, 2): along the pair and along the neck, from the neck."""
    flat: np.ndarray = (points - section.origin_nm) @ section.axes[:2].T
    return flat


def _sampled(data: Any, places: np.ndarray, order: int, outside: float) -> np.ndarray:
    """Return values at places (3, row, column) in voxels; reads no more than it needs."""
    box = []
    for axis, count in enumerate(data.shape):
        start = int(np.clip(np.floor(places[axis].min()) - 1, 0, count - 1))
        stop = int(np.clip(np.ceil(places[axis].max()) + 2, start + 1, count))
        box.append(slice(start, stop))
    part = np.asarray(data[tuple(box)])
    part = part if order == 0 else part.astype(np.float32, copy=False)
    inner = places - np.array([s.start for s in box])[:, None, None]
    result: np.ndarray = ndimage.map_coordinates(
        part, inner, order=order, mode="constant", cval=outside
    )
    return result
