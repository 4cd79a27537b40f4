"""Two equal spheres that sinter: a cylindrical neck at constant volume."""

from __future__ import annotations

import numpy as np


def two_sphere_distance(x: np.ndarray | float) -> np.ndarray | float:
    """Return the centre distance d / (2 r0) for a neck radius r_n / r0.

    Parameters
    ----------
    x : float or array
        Neck radius over sphere radius, 0 to 1.

    Returns
    -------
    float or array
        1 at first contact, 2/3 when the neck is as wide as the spheres.

    Notes
    -----
    The caps of the two spheres beyond the place where they are as wide as the neck are
    refilled as a cylinder of the neck's radius:
    ``2/3 + s - s^3/3 + (1 - s^2)(D - s) = 4/3`` with ``s = sqrt(1 - x^2)``, so that
    ``D = (2/3)(1 + s + s^2) / (1 + s)``.
    """
    s = np.sqrt(1 - np.square(x))
    return (2 / 3) * (1 + s + s**2) / (1 + s)


def neck_growth(
    times_s: np.ndarray, x_start: float, x_end: float, exponent: float
) -> tuple[np.ndarray, float]:
    """Return r_n / r0 at each time and the rate B of ``(r_n/r0)^n = (x_start)^n + B t``.

    Parameters
    ----------
    times_s : array (time,)
        In seconds, the first is when the neck has its starting size.
    x_start, x_end : float
        Neck radius over sphere radius at the first and the last time.
    exponent : float
        n of the law: 6 for grain-boundary, 7 for surface diffusion, 2 for viscous flow.
    """
    elapsed = times_s - times_s[0]
    span = elapsed[-1] if elapsed[-1] > 0 else 1.0
    rate = (x_end**exponent - x_start**exponent) / span
    return (x_start**exponent + rate * elapsed) ** (1 / exponent), rate
