"""Which values are shown as black and as white: the same rule for every picture."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

_PERCENTILES = (0.5, 99.8)
"""Bright particles fill little of a picture, so less is cut off above than below."""

_MOST = 1 << 18
"""A sample is enough for percentiles, and quick for large images."""


def grey_levels(values: ArrayLike) -> tuple[float, float]:
    """Return what to show as black and as white.

    Parameters
    ----------
    values : array of any shape
        Grey values of a picture or a volume; those that are no numbers are passed over.

    Returns
    -------
    low, high : float
        The 0.5th and the 99.8th percentile; the whole range where these are the same, and with
        ``high > low`` always.
    """
    array = np.asarray(values)
    step = math.ceil((array.size / _MOST) ** (1 / max(1, array.ndim)))
    array = array[(slice(None, None, max(1, step)),) * array.ndim]
    array = array[np.isfinite(array)]
    if not array.size:
        return 0.0, 1.0
    low, high = (float(p) for p in np.percentile(array, _PERCENTILES))
    if not high > low:
        low, high = float(array.min()), float(array.max())
    return low, high if high > low else low + 1.0
