"""What a voxel looks like from its neighbourhood, at several scales."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from napari_tomo4d.voxels import CUBIC, Spacing, in_voxels

_TRUNCATE = 4.0
_SECOND = ((2, 0, 0), (1, 1, 0), (1, 0, 1), (0, 2, 0), (0, 1, 1), (0, 0, 2))
PER_SCALE = ("mean", "gradient", "laplacian", "curvature 1", "curvature 2", "curvature 3")
"""Features at each scale: Gaussian mean, gradient magnitude, Laplacian and the eigenvalues
of the Hessian, rising."""


def feature_names(scales_px: Sequence[float]) -> list[str]:
    """Return the names of the features in order."""
    return ["value", *(f"{name} {s:g} px" for s in scales_px for name in PER_SCALE)]


def halo(scales_px: Sequence[float], sampling: Spacing = CUBIC) -> int:
    """Return how far in voxels a feature sees."""
    return max((int(_TRUNCATE * s / min(sampling) + 0.5) for s in scales_px), default=0)


def features(
    array: np.ndarray, scales_px: Sequence[float], sampling: Spacing = CUBIC
) -> np.ndarray:
    """Compute the features of every voxel.

    Parameters
    ----------
    array : float32 array (z, y, x)
    scales_px : sequence of float
        Standard deviations of the Gaussians, in voxels.
    sampling : (z, y, x), optional
        See `Voxels.sampling`: features see as far along each axis, and their slopes are by length.

    Returns
    -------
    float32 array (feature, z, y, x)
        In the order of `feature_names`. Derivatives are multiplied by the scale (twice for
        second ones), so that scales compare (Lindeberg, IJCV 30, 79, 1998).
    """
    result = np.empty((1 + len(PER_SCALE) * len(scales_px), *array.shape), np.float32)
    result[0] = array
    for i, scale in enumerate(scales_px):
        out = result[1 + i * len(PER_SCALE) :]
        out[0] = _derivative(array, scale, (0, 0, 0), sampling)
        first = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
        slopes = [_derivative(array, scale, o, sampling) for o in first]
        out[1] = scale * np.sqrt(sum(s**2 for s in slopes))
        second = {o: scale**2 * _derivative(array, scale, o, sampling) for o in _SECOND}
        out[2] = second[2, 0, 0] + second[0, 2, 0] + second[0, 0, 2]
        out[3:6] = _eigenvalues(*(second[o] for o in _SECOND))
    return result


def _derivative(
    array: np.ndarray, scale: float, order: tuple[int, int, int], sampling: Spacing
) -> np.ndarray:
    result: np.ndarray = ndimage.gaussian_filter(
        array, in_voxels(scale, sampling), order, mode="nearest", truncate=_TRUNCATE
    )
    if sampling == CUBIC:
        return result
    return result / np.float32(np.prod(np.power(sampling, order)))


def _eigenvalues(
    zz: np.ndarray, zy: np.ndarray, zx: np.ndarray, yy: np.ndarray, yx: np.ndarray, xx: np.ndarray
) -> np.ndarray:
    """Return the rising eigenvalues of symmetric 3 x 3 matrices, in closed form.

    Smith, Communications of the ACM 4, 168 (1961).
    """
    mean = (zz + yy + xx) / 3
    a, b, c = zz - mean, yy - mean, xx - mean
    p = np.sqrt((a**2 + b**2 + c**2 + 2 * (zy**2 + zx**2 + yx**2)) / 6)
    determinant = a * (b * c - yx**2) - zy * (zy * c - yx * zx) + zx * (zy * yx - b * zx)
    # without curvature all three are the mean, whatever the angle
    cubed = np.maximum(p.astype(np.float64) ** 3, np.finfo(np.float64).tiny)
    angle = np.arccos(np.clip(determinant / (2 * cubed), -1, 1)) / 3
    largest = mean + 2 * p * np.cos(angle)
    smallest = mean + 2 * p * np.cos(angle + 2 * np.pi / 3)
    return np.stack([smallest, 3 * mean - largest - smallest, largest])
