"""The growth law of every pair of a table, and which pairs break the rule."""

from __future__ import annotations

import numpy as np
import pandas as pd

from napari_tomo4d.errors import DataError
from napari_tomo4d.measure.necks.growth import GrowthFit, fit_growth

NO_TIMES = "the times are not known"


def growth_fits(table: pd.DataFrame, confidence: float = 0.95) -> dict[str, GrowthFit | str]:
    """Fit the growth law of each pair.

    Parameters
    ----------
    table : pandas.DataFrame
        From `follow_pairs`.
    confidence : float
        Of the intervals.

    Returns
    -------
    dict
        For each pair (P1, ...) the fit, or a sentence that says why there is none.
    """
    fits: dict[str, GrowthFit | str] = {}
    for pair, part in table.groupby("pair", sort=False):
        times = part.time_s.to_numpy(np.float64)
        errors = part.get("neck_ratio_error")
        good = part.neck_ratio.to_numpy() > 0
        # one value without an error would drop out; then all count the same
        known = errors is not None and bool((errors.to_numpy()[good] > 0).all())
        try:
            if not np.isfinite(times).all():
                raise DataError(NO_TIMES)
            fits[str(pair)] = fit_growth(
                times,
                part.neck_ratio.to_numpy(np.float64),
                errors.to_numpy(np.float64) if known and errors is not None else None,
                confidence=confidence,
            )
        except DataError as error:
            fits[str(pair)] = str(error)
    return fits


def growth_table(table: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Return the growth law of each pair as a table.

    Parameters
    ----------
    table : pandas.DataFrame
        From `follow_pairs`.
    confidence : float
        Of the intervals.

    Returns
    -------
    pandas.DataFrame
        A row per pair: ``pair``, ``exponent`` n with ``exponent_low`` and ``exponent_high``,
        ``rate_per_s`` B with ``rate_low_per_s`` and ``rate_high_per_s``, ``start`` (r_n / r at
        time 0), ``rms`` of the residuals, ``mechanism`` (whose exponent is nearest), ``times``
        used, and ``remarks``, which say why where there is no fit.
    """
    rows = []
    for pair, fit in growth_fits(table, confidence).items():
        if isinstance(fit, str):
            nothing = dict.fromkeys(_NUMBERS, float("nan"))
            rows.append({"pair": pair, **nothing, "mechanism": "", "times": 0, "remarks": fit})
            continue
        numbers = (
            fit.exponent,
            *fit.exponent_interval,
            fit.rate_per_s,
            *fit.rate_interval_per_s,
            fit.start,
            fit.rms,
        )
        start = {"pair": pair, **dict(zip(_NUMBERS, numbers, strict=True))}
        rows.append({**start, "mechanism": fit.mechanism, "times": fit.n_values, "remarks": ""})
    return pd.DataFrame(rows, columns=["pair", *_NUMBERS, "mechanism", "times", "remarks"])


_NUMBERS = (
    "exponent",
    "exponent_low",
    "exponent_high",
    "rate_per_s",
    "rate_low_per_s",
    "rate_high_per_s",
    "start",
    "rms",
)
