"""Variance stabilisation of counts, and its exact unbiased inverse."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import stats

from napari_tomo4d.denoise.measure_noise import CountingNoise

_TABLE_END = 100.0
"""Mean counts up to which the inverse is tabulated; beyond, its expansion is exact to 1e-4."""


def stabilise(image: np.ndarray, noise: CountingNoise) -> np.ndarray:
    """Return an image whose noise has variance 1 everywhere.

    Parameters
    ----------
    image : array
        In image units.
    noise : CountingNoise

    Notes
    -----
    Generalised Anscombe transform (Starck, Murtagh & Bijaoui 1998):
    ``2 / g sqrt(g (z - offset) + 3 g^2 / 8 + read^2)``.
    """
    g = noise.gain
    inside = g * (np.asarray(image, np.float64) - noise.offset) + 0.375 * g**2 + noise.read**2
    return 2 / g * np.sqrt(np.maximum(inside, 0))


def unstabilise(transformed: np.ndarray, noise: CountingNoise) -> np.ndarray:
    """Return the expected image of which a denoised transform is the mean.

    Undoing the square root alone would be too low by up to half an electron. This inverts
    ``mean -> E[stabilise(counts)]`` instead, from sums over the Poisson distribution; read
    noise is taken into account as in Makitalo & Foi 2013, IEEE Trans. Image Process. 22, 91.
    """
    values, means = _table()
    d = np.asarray(transformed, np.float64)
    counts = np.interp(d, values, means)
    high = d > values[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        expansion = (
            d**2 / 4 - 1 / 8 + np.sqrt(1.5) / 4 / d - 11 / 8 / d**2 + 5 * np.sqrt(1.5) / 8 / d**3
        )
    counts = np.where(high, expansion, counts)
    counts = np.maximum(counts - (noise.read / noise.gain) ** 2, 0)
    result: np.ndarray = noise.offset + noise.gain * counts
    return result


@cache
def _table() -> tuple[np.ndarray, np.ndarray]:
    """Return expected transforms and the mean counts they belong to."""
    means = np.concatenate([np.linspace(0, 2, 201)[:-1], np.geomspace(2, _TABLE_END, 400)])
    counts = np.arange(0, 260)
    roots = 2 * np.sqrt(counts + 0.375)
    values = np.array([(stats.poisson.pmf(counts, m) * roots).sum() for m in means])
    return values, means
