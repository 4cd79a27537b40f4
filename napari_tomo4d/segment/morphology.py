"""Mending a mask: rough surfaces, holes, specks."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import numpy as np
from scipy import ndimage

from napari_tomo4d.data import Labels
from napari_tomo4d.immutable import frozen
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import warn
from napari_tomo4d.registry import step
from napari_tomo4d.segment.distance import squared_distance
from napari_tomo4d.voxels import CUBIC, Spacing


@step("segment.clean_mask", title="Clean the mask", takes=Labels, gives=Labels)
def clean_mask(
    mask: Labels,
    opening_px: Annotated[
        float,
        Param(
            "Radius of a ball: what it doesn't fit into is removed.",
            unit="px",
            minimum=0,
            maximum=50,
        ),
    ] = 0.0,
    closing_px: Annotated[
        float,
        Param(
            "Radius of a ball: gaps it doesn't fit into are filled.",
            unit="px",
            minimum=0,
            maximum=50,
        ),
    ] = 0.0,
    fill_holes: Annotated[bool, Param("Fill holes that are closed on all sides.")] = True,
    min_diameter_px: Annotated[
        float,
        Param(
            "Remove smaller pieces: diameter of a sphere of their volume.",
            unit="px",
            minimum=0,
            maximum=1000,
        ),
    ] = 3.0,
    max_hole_px: Annotated[
        float | None,
        Param(
            "Fill holes only up to this diameter.",
            unit="px",
            minimum=0,
            maximum=1000,
            empty="any size",
            advanced=True,
        ),
    ] = None,
    *,
    progress: Progress | None = None,
) -> Labels:
    """Smooth a mask, fill its holes and remove specks, in this order.

    Parameters
    ----------
    mask : Labels (z, y, x)
        Particles are not 0.
    opening_px, closing_px : float
        Radius in voxels of the ball of an opening, and of the closing after it.
    fill_holes : bool
        Fill background that no path through faces connects to the edge of the volume.
    min_diameter_px : float
        Equivalent sphere diameter in voxels of the smallest piece kept; pieces connected by
        a face, an edge or a corner are one.
    max_hole_px : float, optional
        Equivalent sphere diameter of the largest hole filled; any by default.
    progress : Progress, optional

    Returns
    -------
    Labels
        0 and 1; a warning if nothing is left.

    Notes
    -----
    Where voxels are not cubic, lengths are in edges of a cube of a voxel's volume. A ball of
    radius r holds all voxels whose centres are up to r from its own, so radii
    below 1 change nothing. What lies beyond the edge of the volume counts neither as
    particle nor as background.
    """
    progress = progress or Progress()
    progress.report(0, 4, "Cleaning the mask")
    data = smoothed_mask(np.asarray(mask.data) > 0, opening_px, closing_px, mask.sampling)
    progress.report(2, 4, "Cleaning the mask")
    if fill_holes:
        data = without_holes(data, max_hole_px)
    progress.report(3, 4, "Cleaning the mask")
    if min_diameter_px:
        data = _without_specks(data, min_diameter_px)
    if not data.any():
        warn("Nothing is left of the mask; take a lower threshold or smaller radii.")
    progress.report(4, 4, "Cleaning the mask")
    return dataclasses.replace(mask, data=frozen(data.astype(np.int32)))


def smoothed_mask(
    mask: np.ndarray, opening_px: float, closing_px: float, sampling: Spacing = CUBIC
) -> np.ndarray:
    """Return a bool array (z, y, x) after an opening and a closing, radii in voxels.

    A voxel of the result depends on those up to twice the sum of both radii away.

    Parameters
    ----------
    mask : bool array (z, y, x)
    opening_px, closing_px : float
        Radii of the balls.
    sampling : tuple (z, y, x)
        Size of a voxel, relative to the unit of the radii.
    """
    if opening_px:
        mask = _dilated(_eroded(mask, opening_px, sampling), opening_px, sampling)
    if closing_px:
        mask = _eroded(_dilated(mask, closing_px, sampling), closing_px, sampling)
    return mask


def without_holes(mask: np.ndarray, max_diameter_px: float | None = None) -> np.ndarray:
    """Return a bool array (z, y, x) with closed holes filled."""
    holes, count = ndimage.label(~mask)
    fill = np.ones(count + 1, bool)
    fill[0] = False
    for axis in range(3):
        for end in (0, -1):
            fill[np.unique(holes.take(end, axis))] = False
    if max_diameter_px is not None:
        sizes = np.bincount(holes.ravel(), minlength=count + 1)
        fill &= sizes <= sphere_voxels(max_diameter_px)
    result: np.ndarray = mask | fill[holes]
    return result


def sphere_voxels(diameter_px: float) -> float:
    """Return the volume in voxels of a sphere."""
    return float(np.pi / 6 * diameter_px**3)


def _eroded(mask: np.ndarray, radius: float, sampling: Spacing) -> np.ndarray:
    return squared_distance(mask, sampling) > radius**2


def _dilated(mask: np.ndarray, radius: float, sampling: Spacing) -> np.ndarray:
    return squared_distance(~mask, sampling) <= radius**2


def _without_specks(mask: np.ndarray, diameter: float) -> np.ndarray:
    pieces, count = ndimage.label(mask, np.ones((3, 3, 3)))
    keep = np.bincount(pieces.ravel(), minlength=count + 1) >= sphere_voxels(diameter)
    keep[0] = False
    result: np.ndarray = keep[pieces]
    return result
