"""Two equal spheres that sinter, joined by a cylindrical neck, at constant volume."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from napari_tomo4d.errors import ParameterError

Number = TypeVar("Number", float, np.ndarray)


def two_sphere_curve(x: Number) -> Number:
    """Return the centre distance d / (2 r0) for a neck radius r_n / r0.

    Parameters
    ----------
    x : float or array
        Neck radius over sphere radius, 0 to 1.

    Returns
    -------
    float or array
        1 at first contact, 2/3 when the neck is as wide as the spheres.

    Raises
    ------
    ParameterError
        If a value is outside 0 to 1.

    Notes
    -----
    The caps of the two spheres beyond the place where they are as wide as the neck are
    refilled as a cylinder of the neck's radius:
    ``2/3 + s - s^3/3 + (1 - s^2)(D - s) = 4/3`` with ``s = sqrt(1 - x^2)``, so that
    ``D = (2/3)(1 + s + s^2) / (1 + s)``.
    """
    s = _half_height(x)
    result: Number = (2 / 3) * (1 + s + s**2) / (1 + s)
    return result


def two_sphere_neck(distance_ratio: Number) -> Number:
    """Return the neck radius r_n / r0 for a centre distance d / (2 r0).

    Parameters
    ----------
    distance_ratio : float or array
        Centre distance over twice the sphere radius, 2/3 to 1.

    Returns
    -------
    float or array
        0 at first contact, 1 when the neck is as wide as the spheres.

    Raises
    ------
    ParameterError
        If a value is outside 2/3 to 1.
    """
    values = np.asarray(distance_ratio, dtype=np.float64)
    if not np.all((values >= 2 / 3 - 1e-12) & (values <= 1 + 1e-12)):
        raise ParameterError("d / (2 r0) of two sintering spheres lies between 2/3 and 1.")
    q = np.clip(3 * values - 2, 0, 1)
    s = (q + np.sqrt(q**2 + 8 * q)) / 4
    result = np.sqrt(np.clip(1 - s**2, 0, None))
    return result if result.ndim else float(result)  # type: ignore[return-value]


def two_sphere_curve_as_measured(x: Number) -> tuple[Number, Number]:
    """Return (r_n / r, d / 2r) as an image of the two spheres gives them.

    Parameters
    ----------
    x : float or array
        Neck radius over sphere radius, 0 to 1.

    Returns
    -------
    neck_ratio, distance_ratio : float or array
        Both particles are cut at the neck and seen across their axis; r is the radius of a circle
        as large as a particle's outline, d the distance of the centres of mass.

    Raises
    ------
    ParameterError
        If a value is outside 0 to 1.
    """
    s = _half_height(x)
    distance = (2 / 3) * (1 + s + s**2) / (1 + s)
    x = np.sqrt(1 - s**2)
    # a disc without the segment beyond s, and the neck from there to the middle
    area = np.pi - np.arccos(s) + s * x + 2 * x * (distance - s)
    radius = np.sqrt(area / np.pi)
    # of the sphere's volume 4 pi / 3 the cap beyond s became the half neck
    moved = (x**2 * (distance**2 - s**2) / 2 - x**4 / 4) * 3 / 4
    return x / radius, (distance - moved) / radius


def _half_height(x: Number) -> Number:
    """Return how far from a sphere's centre it is as wide as the neck, over its radius."""
    values = np.asarray(x, dtype=np.float64)
    if not np.all((values >= 0) & (values <= 1)):
        raise ParameterError("r_n / r0 of two sintering spheres lies between 0 and 1.")
    result = np.sqrt(1 - values**2)
    return result if result.ndim else float(result)  # type: ignore[return-value]
