"""How uncertain the measurements of a pair are."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.special import ndtr

from napari_tomo4d.measure.necks.neck_values import Neck
from napari_tomo4d.measure.necks.pair import Pair

_WANDER = 0.5
"""Errors of distances and radii over that of the surface, which averages out around a particle."""


def distance_error(pair: Pair, surface: float) -> float:
    """Return the standard uncertainty of the distance of a pair.

    Parameters
    ----------
    pair : Pair
        Parted at its neck.
    surface : float
        Standard uncertainty of the surface (nm): of all of it together, which is tried, and of
        each place by itself, which averages out.
    """
    smooth_nm = 0.8 * pair.unit_nm
    both = (pair.owner > 0).astype(np.float32)
    field = ndimage.gaussian_filter(both, smooth_nm / pair.spacing_nm).ravel()
    axis, origin = pair.axis(), pair.middle()
    along = pair.along(origin, axis)
    border = along[pair.flat == 1].max()
    results = []
    for sign in (-1, 1):
        # of an edge smoothed by a Gaussian this level lies `surface` away
        level = float(np.clip(ndtr(sign * surface / smooth_nm), 0.02, 0.98))
        inside = (field > level) & (pair.flat >= 0)
        centres = [
            pair.positions(inside & chosen).mean(axis=0)
            for chosen in (along <= border, along > border)
            if (inside & chosen).any()
        ]
        if len(centres) == 2:
            results.append(float(np.linalg.norm(centres[1] - centres[0])))
    together = abs(results[0] - results[1]) / 2 if len(results) == 2 else surface
    return float(np.hypot(together, _WANDER * surface))


def neck_errors(
    value: Neck, digitisation: float, surface: float, moved: float, relative: float
) -> dict[str, float]:
    """Return standard uncertainties: voxels, surface and voxel size added in quadrature.

    Parameters
    ----------
    value : Neck
    digitisation, surface, moved : float
        Of the neck's radius from voxels alone, of the surface, and of the distance, in nm.
    relative : float
        Of the voxel size.
    """

    def total(size: float, *parts: float) -> float:
        return float(np.sqrt(sum(p**2 for p in parts) + (relative * size) ** 2))

    radius_alone = _WANDER * surface
    radius = total(value.radius_nm, radius_alone)
    neck_error = total(value.neck_radius_nm, digitisation, surface)
    neck_3d = total(value.neck_radius_3d_nm, digitisation, surface)
    # in ratios the voxel size cancels
    neck_part = np.hypot(np.hypot(digitisation, surface), value.neck_ratio * radius_alone)
    distance_part = np.hypot(moved, 2 * value.distance_ratio * radius_alone)
    return {
        "neck_radius_nm": neck_error,
        "distance_nm": total(value.distance_nm, moved),
        "distance_xy_nm": total(value.distance_xy_nm, moved),
        "distance_z_nm": total(value.distance_z_nm, moved),
        "radius_nm": radius,
        "neck_radius_3d_nm": neck_3d,
        "distance_3d_nm": total(value.distance_3d_nm, moved),
        "neck_area_nm2": 2 * np.pi * value.neck_radius_3d_nm * neck_3d,
        "neck_ratio": float(neck_part / value.radius_nm),
        "distance_ratio": float(distance_part / (2 * value.radius_nm)),
        # heights and widths have two ends each; the mean of two particles
        "aspect_ratio": float(value.aspect_ratio * surface / (np.sqrt(2) * value.radius_nm)),
    }
