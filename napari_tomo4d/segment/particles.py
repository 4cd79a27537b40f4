"""Particles that touch, told apart at their necks."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import numpy as np
from scipy import ndimage

from napari_tomo4d.data import Labels
from napari_tomo4d.immutable import frozen
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import note, warn
from napari_tomo4d.registry import step
from napari_tomo4d.segment.contacts import straighten_contacts
from napari_tomo4d.segment.distance import squared_distance
from napari_tomo4d.segment.flooding import flood
from napari_tomo4d.segment.levels import smoothed
from napari_tomo4d.segment.morphology import sphere_voxels, without_holes
from napari_tomo4d.voxels import Spacing

_MIN_DIP_PX = 0.5
_SPECK = 0.25
_MIN_DIAMETER_PX = 3.0
_COUNT_EDGE = 96

NeckDepth = Annotated[
    float,
    Param(
        "How much narrower than the smaller particle a neck has to be; less parts more.",
        minimum=0,
        maximum=0.9,
        step=0.01,
    ),
]
Smoothing = Annotated[
    float,
    Param(
        "Blur of the mask while necks are looked for; more against rough surfaces.",
        unit="px",
        minimum=0,
        maximum=20,
        step=0.1,
        advanced=True,
    ),
]
MinDiameter = Annotated[
    float | None,
    Param(
        "Smallest particle. Empty: a quarter of the largest one's diameter.",
        unit="px",
        minimum=0,
        maximum=1000,
    ),
]


@step("segment.separate_particles", title="Separate particles", takes=Labels, gives=Labels)
def separate_particles(
    mask: Labels,
    neck_depth: NeckDepth = 0.08,
    smoothing_px: Smoothing = 1.0,
    min_diameter_px: MinDiameter = None,
    *,
    progress: Progress | None = None,
) -> Labels:
    """Give each particle of a mask a number, separating them at their necks.

    Parameters
    ----------
    mask : Labels (z, y, x)
        Particles are not 0.
    neck_depth : float
        A neck parts two particles if it is narrower than the smaller one by this part, 0 to
        0.9: two spheres with r_n / r0 = 0.8 are parted up to 0.2.
    smoothing_px : float
        Standard deviation of a blur of the mask, against roughness of the surface and single
        voxels; only for finding the necks. Parts of the mask that it wipes out belong to the
        nearest particle of their piece.
    min_diameter_px : float, optional
        Equivalent sphere diameter in voxels of the smallest particle. By default a quarter
        of the largest piece's, and 3 at least. Smaller pieces are left out, smaller parts of a
        piece belong to their neighbour.
    progress : Progress, optional

    Returns
    -------
    Labels
        Numbered by size, 1 for the largest.

    Notes
    -----
    Where voxels are not cubic, lengths are in edges of a cube of a voxel's volume.
    Watershed of the exact distance to the surface, from maxima of sufficient height over
    the saddle to a deeper one; see `flood`. Contacts of compact particles are then made
    plane, see `straighten_contacts`. Holes count as filled for the distance. Dips of
    less than half a voxel never part, as voxels do not resolve them.
    """
    progress = progress or Progress()
    where = np.asarray(mask.data) > 0
    labels, sizes, smallest = _pieces(where, min_diameter_px)
    result = np.zeros(where.shape, np.int32)
    found = 0
    boxes = ndimage.find_objects(labels)
    for i, box in enumerate(boxes):
        grown = _grown(box, where.shape)
        piece = labels[grown] == i + 1
        parts = _parts(piece, neck_depth, smoothing_px, smallest, mask.sampling)
        target = result[grown]
        target[piece] = parts[piece] + found
        found += int(parts.max())
        progress.report(int(sizes[: i + 1].sum()), int(sizes.sum()), "Separating particles")
    if not found:
        warn("There are no particles in this mask; take a lower threshold or smaller particles.")
    _number_by_size(result, found)
    return dataclasses.replace(mask, data=frozen(result))


def count_particles(
    mask: Labels,
    neck_depth: float = 0.08,
    smoothing_px: float = 1.0,
    min_diameter_px: float | None = None,
) -> int:
    """Estimate how many particles `separate_particles` would find, quickly.

    Parameters
    ----------
    mask, neck_depth, smoothing_px, min_diameter_px
        As in `separate_particles`.

    Returns
    -------
    int

    Notes
    -----
    Works on a mask reduced to about a hundred voxels along an edge.
    """
    depths = separation_depths(mask, smoothing_px, min_diameter_px)
    return int((depths >= neck_depth).sum())


def separation_depths(
    mask: Labels, smoothing_px: float = 1.0, min_diameter_px: float | None = None
) -> np.ndarray:
    """Return up to which neck depth each possible particle stays one, largest first.

    How many are at least ``neck_depth`` is the number of particles; so a slider has to
    call this only once.

    Parameters
    ----------
    mask, smoothing_px, min_diameter_px
        As in `separate_particles`.

    Returns
    -------
    array (candidate,)
        0 to 1; 1 for the main particle of each piece.
    """
    where = np.asarray(mask.data) > 0
    step = max(1, round(max(where.shape) / _COUNT_EDGE))
    small = _reduced(where, step)
    given = None if min_diameter_px is None else min_diameter_px / step
    labels, _, smallest = _pieces(small, given)
    # the ball inside a particle is smaller than a sphere of its volume
    least = 0.35 * (6 / np.pi * smallest) ** (1 / 3)
    found = [np.empty(0)]
    for i, box in enumerate(ndimage.find_objects(labels)):
        piece = labels[_grown(box, small.shape)] == i + 1
        _, peaks, dips = flood(_depth(piece, smoothing_px / step, mask.sampling), 0.0, 0.0)
        whole = dips == peaks
        clear = (dips >= _MIN_DIP_PX / step) & (peaks >= least)
        depths = np.where(whole, 1, dips / peaks)
        # a piece is one particle, whatever falls apart when it is blurred
        whole[np.argmax(peaks)] = False
        depths[np.argmax(peaks)] = 1
        clear[np.argmax(peaks)] = True
        found.append(depths[clear])
    return np.sort(np.concatenate(found))[::-1]


def _pieces(
    where: np.ndarray, min_diameter_px: float | None
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return connected pieces without specks, their sizes and the least size, in voxels."""
    labels, count = ndimage.label(where, np.ones((3, 3, 3)), output=np.int32)
    # particles fill little of a large volume, so only their voxels are looked at again
    inside = np.flatnonzero(where)
    numbers = labels.ravel()[inside]
    sizes = np.bincount(numbers, minlength=count + 1)
    if min_diameter_px is None:
        largest = (6 / np.pi * sizes.max()) ** (1 / 3)
        min_diameter_px = max(_SPECK * largest, _MIN_DIAMETER_PX)
        dropped = int(((sizes > 0) & (sizes < sphere_voxels(min_diameter_px))).sum())
        if dropped:
            note(
                f"{dropped} pieces smaller than a sphere of {min_diameter_px:.1f} voxels in "
                "diameter were left out."
            )
    smallest = sphere_voxels(min_diameter_px)
    keep = (sizes > 0) & (sizes >= smallest)
    table = np.cumsum(keep).astype(np.int32) * keep
    labels.ravel()[inside] = table[numbers]
    return labels, sizes[keep], smallest


def _depth(piece: np.ndarray, smoothing_px: float, sampling: Spacing) -> np.ndarray:
    """Return the distance to the surface of one piece, without its holes and roughness."""
    smooth = without_holes(piece)
    if smoothing_px > 0:
        blurred = smoothed(smooth.astype(np.float32), smoothing_px, sampling) > 0.5
        smooth = blurred if blurred.any() else smooth
    return np.sqrt(squared_distance(smooth, sampling).astype(np.float32))


def _parts(
    piece: np.ndarray,
    neck_depth: float,
    smoothing_px: float,
    smallest: float,
    sampling: Spacing,
) -> np.ndarray:
    """Return the particles of one piece, from 1."""
    depth = _depth(piece, smoothing_px, sampling)
    parts, _, _ = flood(depth, neck_depth, _MIN_DIP_PX)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    keep = sizes >= min(smallest, sizes.max())
    keep[0] = False
    parts = (np.cumsum(keep).astype(np.int32) * keep)[parts]
    if keep.sum() == 1:
        return piece.astype(np.int32)
    parts = straighten_contacts(_fill(parts, depth > 0, sampling), depth, sampling)
    result: np.ndarray = _fill(parts, piece, sampling) * piece
    return result


def _fill(parts: np.ndarray, where: np.ndarray, sampling: Spacing) -> np.ndarray:
    """Return the parts grown over all of `where`, each voxel to the nearest."""
    rest = where & (parts == 0)
    if not rest.any():
        return parts
    nearest = ndimage.distance_transform_edt(
        parts == 0, sampling, return_distances=False, return_indices=True
    )
    return np.where(rest, parts[tuple(nearest)], parts)


def _grown(box: tuple[slice, ...], shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Return a box with background around, where the volume doesn't end."""
    return tuple(
        slice(max(s.start - 2, 0), min(s.stop + 2, n)) for s, n in zip(box, shape, strict=True)
    )


def _number_by_size(labels: np.ndarray, count: int) -> None:
    """Renumber labels in place from the largest on, equals in the order they come."""
    inside = np.flatnonzero(labels)
    numbers = labels.ravel()[inside]
    sizes = np.bincount(numbers, minlength=count + 1)[1:]
    order = np.argsort(-sizes, kind="stable")
    table = np.zeros(count + 1, np.int32)
    table[order + 1] = np.arange(1, count + 1)
    labels.ravel()[inside] = table[numbers]


def _reduced(mask: np.ndarray, step: int) -> np.ndarray:
    """Return the mask of cubes of step^3 voxels that are filled by half at least."""
    if step == 1:
        return mask
    shape = [n // step for n in mask.shape]
    cut = mask[tuple(slice(n * step) for n in shape)]
    cubes = cut.reshape(shape[0], step, shape[1], step, shape[2], step)
    result: np.ndarray = cubes.sum(axis=(1, 3, 5), dtype=np.int32) * 2 >= step**3
    return result
