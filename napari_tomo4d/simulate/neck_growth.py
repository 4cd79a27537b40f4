"""How fast necks grow in the simulated experiment."""

from __future__ import annotations

import numpy as np


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
