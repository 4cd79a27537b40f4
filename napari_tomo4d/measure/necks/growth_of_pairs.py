"""The growth laws of all pairs of a table, and the mechanism that they share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from napari_tomo4d.errors import DataError
from napari_tomo4d.measure.necks.growth import (
    GrowthFit,
    akaike_weights,
    compare_mechanisms,
    fit_growth,
)
from napari_tomo4d.progress import Progress

NO_TIMES = "the times are not known"
CERTAIN = 0.9
"""Akaike weight from which on a mechanism is named."""


@dataclass(frozen=True)
class Mechanisms:
    """How likely each mechanism of growth is, among those of `growth.MECHANISMS`.

    Parameters
    ----------
    weights : dict of str to float
        Akaike weight by mechanism, the likeliest first; empty where nothing could be fitted.
    """

    weights: dict[str, float]

    @property
    def likeliest(self) -> str:
        """The likeliest mechanism; empty if there is none."""
        return next(iter(self.weights), "")

    @property
    def named(self) -> str:
        """The mechanism, where one has 90 % of the weight; else empty: can't be told apart."""
        best = self.likeliest
        return best if best and self.weights[best] >= CERTAIN else ""


@dataclass(frozen=True)
class PairGrowth:
    """The growth law of one pair.

    Parameters
    ----------
    pair : str
        P1, P2, ...
    fit : GrowthFit, optional
        None where there is none.
    mechanisms : Mechanisms
    reason : str
        Why there is no fit; empty if there is one.
    """

    pair: str
    fit: GrowthFit | None
    mechanisms: Mechanisms
    reason: str = ""


@dataclass(frozen=True)
class Growth:
    """The growth laws of several pairs.

    Parameters
    ----------
    pairs : tuple of PairGrowth
        In the order of the table.
    together : Mechanisms
        Of all pairs that could be fitted, if all grow by one mechanism, each at its own rate.
    first_s : float
        The time (s) from which the laws count: the first one of the table.
    isothermal : bool
        Whether the temperature stays the same; only then a law has a mechanism.
    """

    pairs: tuple[PairGrowth, ...]
    together: Mechanisms
    first_s: float
    isothermal: bool

    @property
    def fitted(self) -> list[PairGrowth]:
        """Pairs with a law."""
        return [p for p in self.pairs if p.fit is not None]


def growth_of_pairs(
    table: pd.DataFrame, confidence: float = 0.95, progress: Progress | None = None
) -> Growth:
    """Fit the growth law of each pair, and weigh the mechanisms.

    Parameters
    ----------
    table : pandas.DataFrame
        From `follow_pairs`.
    confidence : float
        Of the intervals, between 0 and 1.
    progress : Progress, optional

    Returns
    -------
    Growth

    Notes
    -----
    Pairs are independent of each other, so that Akaike's criterion of all of them for a mechanism
    is the sum of theirs (Burnham & Anderson 2002). A mechanism is named only where its weight is
    90 % or more, and only if the temperature did not change.
    """
    progress = progress or Progress()
    isothermal = _isothermal(table)
    times = table.time_s.to_numpy(np.float64)
    first = float(np.nanmin(times)) if np.isfinite(times).any() else 0.0
    names = list(dict.fromkeys(table.pair))
    pairs = []
    sums: list[pd.Series] = []
    for i, pair in enumerate(names):
        progress.report(i, len(names), f"Growth law of {pair}")
        part = table[table.pair == pair]
        try:
            if not np.isfinite(part.time_s).all():
                raise DataError(NO_TIMES)
            seconds = part.time_s.to_numpy(np.float64) - first
            ratios, errors = part.neck_ratio.to_numpy(np.float64), _errors(part)
            fit = fit_growth(seconds, ratios, errors, confidence=confidence)
        except DataError as error:
            pairs.append(PairGrowth(str(pair), None, Mechanisms({}), str(error)))
            continue
        try:
            compared = compare_mechanisms(seconds, ratios, errors).set_index("mechanism")
        except DataError:
            pairs.append(PairGrowth(str(pair), fit, Mechanisms({})))
            continue
        sums.append(compared.aicc)
        weights = _mechanisms(compared.weight) if isothermal else Mechanisms({})
        pairs.append(PairGrowth(str(pair), fit, weights))
    together = _together(sums) if isothermal else Mechanisms({})
    return Growth(tuple(pairs), together, first, isothermal)


def _together(criteria: list[pd.Series]) -> Mechanisms:
    """Return the weights of the sum of Akaike's criterion over the pairs."""
    if not criteria:
        return Mechanisms({})
    total = pd.concat(criteria, axis=1).sum(axis=1)
    weights = pd.Series(akaike_weights(total.to_numpy()), total.index)
    return _mechanisms(weights.sort_values(ascending=False))


def _mechanisms(weights: pd.Series) -> Mechanisms:
    return Mechanisms({str(name): float(weight) for name, weight in weights.items()})


def _errors(part: pd.DataFrame) -> np.ndarray | None:
    """Return the uncertainties, or None where they are not all known: then all count the same."""
    errors = part.get("neck_ratio_error")
    good = part.neck_ratio.to_numpy() > 0
    # one value without an error would drop out
    if errors is None or not bool((errors.to_numpy()[good] > 0).all()):
        return None
    result: np.ndarray | None = errors.to_numpy(np.float64)
    return result


def _isothermal(table: pd.DataFrame) -> bool:
    known = table.temperature_c.dropna() if "temperature_c" in table else ()
    return not len(known) or float(np.ptp(known)) == 0


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


def growth_table(table: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Return the growth law of each pair as a table.

    Parameters
    ----------
    table : pandas.DataFrame
        From `follow_pairs`.
    confidence : float
        Of the intervals, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        A row per pair: ``pair``, ``exponent`` n with ``exponent_low`` and ``exponent_high``,
        ``rate_per_s`` B with ``rate_low_per_s`` and ``rate_high_per_s``, ``start`` (r_n / r at
        the first time), ``rms`` of the residuals, ``mechanism`` (empty where the mechanisms can't
        be told apart), ``weight`` (Akaike's, of the likeliest), ``times`` used, and ``remarks``,
        which say why where there is no fit.
    """
    return as_table(growth_of_pairs(table, confidence))


def as_table(growth: Growth) -> pd.DataFrame:
    """Return growth laws as `growth_table` has them."""
    rows = []
    for pair in growth.pairs:
        fit = pair.fit
        if fit is None:
            nothing = dict.fromkeys((*_NUMBERS, "weight"), float("nan"))
            row = {**nothing, "mechanism": "", "times": 0, "remarks": pair.reason}
        else:
            numbers = (
                fit.exponent,
                *fit.exponent_interval,
                fit.rate_per_s,
                *fit.rate_interval_per_s,
                fit.start,
                fit.rms,
            )
            row = dict(zip(_NUMBERS, numbers, strict=True))
            weights = pair.mechanisms
            row |= {
                "mechanism": weights.named,
                "weight": weights.weights.get(weights.likeliest, float("nan")),
                "times": fit.n_values,
                "remarks": "",
            }
        rows.append({"pair": pair.pair, **row})
    columns = ["pair", *_NUMBERS, "mechanism", "weight", "times", "remarks"]
    return pd.DataFrame(rows, columns=columns)
