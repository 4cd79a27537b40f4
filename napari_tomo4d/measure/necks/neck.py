"""The neck between two particles: the published protocol, and the same in three dimensions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from napari_tomo4d.errors import ParameterError
from napari_tomo4d.measure.inputs import LabelVolume, VoxelSize
from napari_tomo4d.measure.necks.neck_errors import distance_error, neck_errors
from napari_tomo4d.measure.necks.neck_shape import NeckShape, fit_neck
from napari_tomo4d.measure.necks.neck_values import Neck, Section
from napari_tomo4d.measure.necks.outline import Outline, outlines
from napari_tomo4d.measure.necks.pair import (
    Pair,
    across,
    cut_out,
    gap_between,
    grown,
    rough_neck,
    spacing_of,
)

SECTIONS = ("across-beam", "longest")
_ROUNDS = 3
_INTERRUPTED = 0.08
_SMALL_VOXELS = 300


def neck(
    labels: LabelVolume,
    a: int,
    b: int,
    pixel_size_nm: VoxelSize = None,
    *,
    section: str = "across-beam",
    surface_uncertainty_nm: float | None = None,
    pixel_size_uncertainty: float = 0.0,
) -> Neck:
    """Measure the neck and the distance of two particles.

    Parameters
    ----------
    labels : Labels or integer array (z, y, x)
        Particles by number, 0 is background.
    a, b : int
        The two particles.
    pixel_size_nm : float or three floats (z, y, x), optional
        Voxel size; by default that of the labels.
    section : {"across-beam", "longest"}
        The section holds both centres, and either the direction across the beam, in which
        reconstructions from few tilts are best, or the longest direction of the neck wherever that
        points; a missing wedge makes necks longest along the beam.
    surface_uncertainty_nm : float, optional
        Standard uncertainty of where the surface is, see `surface_uncertainty`; half a
        voxel by default.
    pixel_size_uncertainty : float
        Relative standard uncertainty of the voxel size.

    Returns
    -------
    Neck
        Particles that don't touch have a neck radius of 0, a flag that says so, and no section.

    Raises
    ------
    DataError
        If the pair has only one particle, or a particle does not exist.
    ParameterError
        If the voxel size is missing or not positive.

    Notes
    -----
    The protocol of Nanoscale 2023, 15, 10133: in the section that holds both centres, where the
    neck is longest, with other particles trimmed at their own necks, r_n is half the
    neck's width; d comes from the centres of mass of the projected particles in the section, and
    from the middle between first and last voxel normal to it; r from circles of equal area.

    The particles are parted by the plane of the narrowest section across the line of their
    centres, not where a watershed parted them, and the section is fitted to the voxels, see
    `fit_neck`.
    """
    if section not in SECTIONS:
        raise ParameterError(f"section is {section!r}; choose one of {', '.join(SECTIONS)}.")
    array, spacing = spacing_of(labels, pixel_size_nm)
    for value, what in (
        (surface_uncertainty_nm, "surface_uncertainty_nm"),
        (pixel_size_uncertainty, "pixel_size_uncertainty"),
    ):
        if value is not None and not (np.isfinite(value) and value >= 0):
            raise ParameterError(f"{what} is {value}; it has to be 0 or more.")
    pair = cut_out(array, a, b, spacing)
    surface = 0.5 * pair.unit_nm if surface_uncertainty_nm is None else surface_uncertainty_nm
    flags = _flags_before(array, a, b)
    if not _in_contact(pair):
        return _apart(pair, a, b, flags, surface, pixel_size_uncertainty)
    corner = np.rint(pair.origin_nm / spacing).astype(int)
    box = tuple(slice(i, i + n) for i, n in zip(corner, pair.owner.shape, strict=True))
    contact = _contact_area(array[box], a, b, spacing)
    pair, shape, origin, axis = _narrowest(pair)
    unit = pair.unit_nm
    first, second = across(axis)
    # `first` lies across the beam
    angle, length = shape.longest_direction() if section == "longest" else (0.0, shape.length(0.0))
    axes = np.stack(
        [
            axis,
            np.cos(angle) * first + np.sin(angle) * second,
            np.cos(angle) * second - np.sin(angle) * first,
        ]
    )
    position = shape.position * unit
    halves = outlines(pair, origin, axes, position)
    centres = np.stack([_protocol_centre(pair, origin, axes, k, h) for k, h in enumerate(halves)])
    step = centres[1] - centres[0]
    distance_3d = float(np.linalg.norm(pair.centre(2) - pair.centre(1)))
    blocked = _blocked(pair, origin, axis, shape)
    if blocked > _INTERRUPTED:
        flags.append(
            f"{100 * blocked:.0f} % of the neck's edge is covered by particle "
            f"{', '.join(map(str, pair.others))}"
        )
    volumes = (pair.volume_nm3(1), pair.volume_nm3(2))
    if min(volumes) < _SMALL_VOXELS * np.prod(spacing):
        flags.append("a particle is smaller than 300 voxels")
    opening = sum(np.arctan(s) for s in shape.slopes)
    result = Neck(
        a,
        b,
        neck_radius_nm=length * unit / 2,
        distance_nm=float(np.linalg.norm(step)),
        distance_xy_nm=float(np.hypot(step[1], step[2])),
        distance_z_nm=float(abs(step[0])),
        radii_nm=(halves[0].radius_nm, halves[1].radius_nm),
        aspect_ratios=(halves[0].aspect_ratio, halves[1].aspect_ratio),
        neck_radius_3d_nm=shape.radius * unit,
        distance_3d_nm=distance_3d,
        neck_area_nm2=shape.area * unit**2,
        contact_area_nm2=contact,
        volumes_nm3=volumes,
        neck_curvature_per_nm=shape.curvature / unit,
        dihedral_deg=float(180 - np.rad2deg(opening)),
        flags=tuple(flags),
        section=_drawn(pair, origin, axes, shape, halves, centres, length * unit),
    )
    moved = distance_error(pair, surface)
    errors = neck_errors(result, shape.radius_error * unit, surface, moved, pixel_size_uncertainty)
    return replace(result, errors=errors)


def _narrowest(pair: Pair) -> tuple[Pair, NeckShape, np.ndarray, np.ndarray]:
    """Return the pair parted at its neck, the neck (voxels), and origin (nm) and axis it has."""
    unit = pair.unit_nm
    for _ in range(_ROUNDS):
        along = pair.along(pair.middle(), pair.axis())
        position, area = rough_neck(pair, along)
        pair = pair.parted(along, position, 0.5 * np.sqrt(area / np.pi) + unit)
    axis, origin = pair.axis(), pair.middle()
    along = pair.along(origin, axis)
    position, area = rough_neck(pair, along)
    near = (np.abs(along - position) < 5 * unit) & (pair.flat >= 0)
    sideways = (pair.positions(near) - origin) @ np.stack(across(axis), axis=1)
    ends = [float(along[pair.flat == w].mean()) / unit for w in (1, 2)]
    shape = fit_neck(
        along[near] / unit,
        sideways / unit,
        pair.flat[near] > 0,
        position / unit,
        area / unit**2,
        (0.9 * ends[0] + 0.1 * ends[1], 0.1 * ends[0] + 0.9 * ends[1]),
    )
    parted = pair.parted(along, shape.position * unit, 0.5 * shape.radius * unit + unit)
    return parted, shape, origin, axis


def _protocol_centre(
    pair: Pair, origin: np.ndarray, axes: np.ndarray, which: int, half: Outline
) -> np.ndarray:
    """Return a particle's centre: of mass in the section, of its extent normal to it."""
    local = axes @ (pair.centre(which + 1) - origin)
    local[2] = sum(half.depth_nm) / 2
    result: np.ndarray = origin + local @ axes
    return result


def _in_contact(pair: Pair) -> bool:
    return bool((grown(pair.owner == 1) & (pair.owner == 2)).any())


def _contact_area(array: np.ndarray, a: int, b: int, spacing: np.ndarray) -> float:
    """Return the area of the border between two labels.

    The faces between voxels, counted with their direction, add up to the area vector of the
    border, however it is stepped; that is its area as long as it is about plane.
    """
    vector = np.zeros(3)
    for axis in range(3):
        low = np.moveaxis(array, axis, 0)[:-1]
        high = np.moveaxis(array, axis, 0)[1:]
        faces = np.count_nonzero((low == a) & (high == b)) - np.count_nonzero(
            (low == b) & (high == a)
        )
        vector[axis] = faces * np.prod(spacing) / spacing[axis]
    return float(np.linalg.norm(vector))


def _blocked(pair: Pair, origin: np.ndarray, axis: np.ndarray, shape: NeckShape) -> float:
    """Return the part of the neck's edge that other particles cover."""
    others = pair.flat < 0
    if not others.any():
        return 0.0
    unit = pair.unit_nm
    rim = np.concatenate([shape.outline * s for s in (1.0, 1 + 1.5 / max(shape.radius, 1.0))])
    plane = origin + shape.position * unit * axis
    points = plane + rim @ np.stack(across(axis)) * unit
    index = np.rint((points - pair.origin_nm) / pair.spacing_nm).astype(int)
    inside = np.all((index >= 0) & (index < pair.owner.shape), axis=1)
    hit = np.zeros(len(points), bool)
    hit[inside] = pair.owner[tuple(index[inside].T)] < 0
    return float(hit.reshape(2, -1).any(axis=0).mean())


def _drawn(
    pair: Pair,
    origin: np.ndarray,
    axes: np.ndarray,
    shape: NeckShape,
    halves: tuple[Outline, Outline],
    centres: np.ndarray,
    length: float,
) -> Section:
    """Lay what was measured into the section, in the coordinates of the volume."""
    unit = pair.unit_nm
    ring = shape.outline @ np.stack(across(axes[0])) * unit
    ring = ring + origin + shape.position * unit * axes[0]
    middle = ((ring - origin) @ axes[1]).max() - length / 2
    ends = np.stack([[shape.position * unit, middle + s * length / 2] for s in (-1, 1)])
    return Section(
        origin_nm=origin + shape.position * unit * axes[0],
        axes=axes,
        outlines_nm=(
            origin + halves[0].points @ axes[:2],
            origin + halves[1].points @ axes[:2],
        ),
        neck_line_nm=origin + ends @ axes[:2],
        centres_nm=centres,
        neck_outline_nm=ring,
    )


def _flags_before(array: np.ndarray, a: int, b: int) -> list[str]:
    flags = []
    for label in (a, b):
        sides = [np.take(array, i, axis) for axis in range(3) for i in (0, -1)]
        if any((s == label).any() for s in sides):
            flags.append(f"particle {label} touches the border of the volume")
    return flags


def _apart(pair: Pair, a: int, b: int, flags: list[str], surface: float, relative: float) -> Neck:
    """Return what can be said of two particles that don't touch."""
    sites = [pair.positions(pair.flat == w) for w in (1, 2)]
    gap = gap_between(cKDTree(sites[0]), sites[1], pair.spacing_nm)
    step = pair.centre(2) - pair.centre(1)
    volumes = (pair.volume_nm3(1), pair.volume_nm3(2))
    radii = tuple(float(np.cbrt(3 * v / (4 * np.pi))) for v in volumes)
    gap = max(gap, 0.0)
    distance = float(np.linalg.norm(step))
    nan = float("nan")
    result = Neck(
        a,
        b,
        neck_radius_nm=0.0,
        distance_nm=distance,
        distance_xy_nm=float(np.hypot(step[1], step[2])),
        distance_z_nm=float(abs(step[0])),
        radii_nm=(radii[0], radii[1]),
        aspect_ratios=(nan, nan),
        neck_radius_3d_nm=0.0,
        distance_3d_nm=distance,
        neck_area_nm2=0.0,
        contact_area_nm2=0.0,
        volumes_nm3=volumes,
        neck_curvature_per_nm=nan,
        dihedral_deg=nan,
        gap_nm=gap,
        flags=(*flags, f"the particles do not touch, gap {gap:.3g} nm"),
    )
    moved = distance_error(pair, surface)
    return replace(result, errors=neck_errors(result, 0.0, surface, moved, relative))
