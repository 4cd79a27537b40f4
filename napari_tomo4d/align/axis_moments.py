"""The tilt axis from centres of mass: fast, and good when the whole object is in view."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

from napari_tomo4d.align.axis_images import AxisImages
from napari_tomo4d.errors import DataError

BANDS = 24


@dataclass(frozen=True, eq=False)
class MomentFit:
    """Tilt axis from the centres of mass of bands of rows.

    Parameters
    ----------
    shift_px, rotation_deg : float
    shift_uncertainty_px, rotation_uncertainty_deg : float
        Standard errors from the scatter of the bands about the line.
    along_px, centres_px : array (band,)
        Middle of each band from the middle row, and where it found the axis.
    """

    shift_px: float
    rotation_deg: float
    shift_uncertainty_px: float
    rotation_uncertainty_deg: float
    along_px: np.ndarray
    centres_px: np.ndarray


def centre_of_mass_fit(images: AxisImages) -> MomentFit:
    """Fit the path of the centre of mass of each band of rows, and a line through the bands.

    Parameters
    ----------
    images : AxisImages

    Returns
    -------
    MomentFit
        In pixels of the series.

    Raises
    ------
    DataError
        If there is nothing brighter than the background, or too little along the axis.

    Notes
    -----
    A point at (x, z) projects to ``shift + x cos t + z sin t``, and so does the centre of mass
    of every slice; the shift is what does not change with the tilt t. It moves linearly
    along a rotated axis.
    """
    bright = _bright_part(images.images)
    n_tilts, n_rows, n_columns = bright.shape
    # the trace must hold the constant apart from the cosine, which needs a wide tilt range
    angles = np.deg2rad(images.angles_deg)
    design = np.column_stack([np.ones(n_tilts), np.cos(angles), np.sin(angles)])
    columns = np.arange(n_columns) - (n_columns - 1) / 2
    edges = np.linspace(0, n_rows, min(BANDS, n_rows) + 1).round().astype(int)
    along, centres, errors = [], [], []
    for first, last in itertools.pairwise(edges):
        rows = bright[:, first:last].sum(axis=1, dtype=np.float64)
        mass = rows.sum(axis=1)
        # matter that tilts into or out of the band would pull the centre along
        if mass.min() < 0.6 * mass.max() or mass.min() <= 0:
            continue
        path = rows @ columns / mass
        solution, _, _, _ = np.linalg.lstsq(design, path, rcond=None)
        variance = ((path - design @ solution) ** 2).sum() / (n_tilts - 3)
        error = np.sqrt(variance * np.linalg.inv(design.T @ design)[0, 0])
        along.append((first + last - 1) / 2 - (n_rows - 1) / 2)
        # the object is at `shift + x cos t`, so x is counted from the axis already
        centres.append(solution[0])
        errors.append(error)
    if len(along) < 2:
        raise DataError(
            "No centre of mass can be followed through the tilts; the images hold too little "
            "that stays in view."
        )
    factor = images.factor
    where, found = np.array(along) * factor, np.array(centres) * factor
    line, covariance = _line(where, found, np.maximum(np.array(errors) * factor, 1e-6))
    slope, shift = line
    return MomentFit(
        float(shift),
        float(np.rad2deg(np.arctan(slope))),
        float(np.sqrt(covariance[1, 1])),
        float(np.rad2deg(np.sqrt(covariance[0, 0]))),
        where,
        found,
    )


def order_is_doubtful(images: AxisImages) -> bool:
    """Return whether the images move as if tilted in sequence, unlike their angles.

    Compares how well the path of the whole centre of mass is explained by the angles as they
    are given and as sorted.
    """
    angles = images.angles_deg
    if np.all(np.diff(angles) >= 0) or np.all(np.diff(angles) <= 0):
        return False
    bright = _bright_part(images.images)
    mass = bright.sum(axis=(1, 2), dtype=np.float64)
    columns = np.arange(bright.shape[2]) - (bright.shape[2] - 1) / 2
    path = bright.sum(axis=1, dtype=np.float64) @ columns / np.maximum(mass, 1e-30)

    def misfit(trial: np.ndarray) -> float:
        radians = np.deg2rad(trial)
        design = np.column_stack([np.ones_like(radians), np.cos(radians), np.sin(radians)])
        solution = np.linalg.lstsq(design, path, rcond=None)[0]
        return float(np.sqrt(np.mean((path - design @ solution) ** 2)))

    return misfit(np.sort(angles)) < 0.3 * misfit(angles)


def _bright_part(images: np.ndarray) -> np.ndarray:
    """Return images without what is only noise of the background, (tilt, along, across)."""
    smooth = ndimage.gaussian_filter(images, (0, 1.5, 1.5))
    level = threshold_otsu(smooth)
    if level <= 0:
        raise DataError("The images hold nothing brighter than their background.")
    # low, and wide enough that the dim rim of a particle is inside at every tilt
    inside = ndimage.binary_dilation(smooth > 0.4 * level, np.ones((1, 5, 5), bool))
    return np.where(inside, images, 0)


def _line(x: np.ndarray, y: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (slope, value at 0) of a line and their covariance; outliers count less."""
    design = np.column_stack([x, np.ones_like(x)])
    weights = 1 / (errors**2 + np.median(errors) ** 2)
    robust = np.ones_like(x)
    for _ in range(10):
        total = weights * robust
        normal = design.T @ (design * total[:, None])
        line = np.linalg.lstsq(normal, design.T @ (total * y), rcond=None)[0]
        residual = (y - design @ line) * np.sqrt(weights)
        scale = max(1.4826 * float(np.median(np.abs(residual))), 1e-9)
        robust = np.minimum(1, 1.5 * scale / np.maximum(np.abs(residual), 1e-12))
    spread = (residual**2 * robust).sum() / max(robust.sum() - 2, 1)
    return line, np.linalg.pinv(normal) * spread
