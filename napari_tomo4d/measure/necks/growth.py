"""Laws of sintering fitted to pairs over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, stats

from napari_tomo4d.errors import DataError, ParameterError
from napari_tomo4d.two_spheres import two_sphere_curve_as_measured

MECHANISMS = {
    2: "viscous flow",
    3: "evaporation and condensation",
    5: "volume diffusion",
    6: "grain-boundary diffusion",
    7: "surface diffusion",
}
"""Exponents n of ``(r_n/r)^n = B t`` by mechanism (Kuczynski 1949, Trans. AIME 185, 169)."""

GAS_CONSTANT = 8.31446261815324
_ABSOLUTE_ZERO_C = -273.15
_MIN_TIMES = 3
_LEAST_SHARE = 0.25


@dataclass(frozen=True)
class GrowthFit:
    """A law ``(r_n/r)^n = x0^n + B t`` fitted to one or several pairs.

    Parameters
    ----------
    exponent, rate_per_s, start : float
        n, B and x0.
    exponent_interval, rate_interval_per_s : tuple of float
        Confidence intervals; equal ends for what was held fixed.
    confidence : float
        Of the intervals, such as 0.95.
    rms : float
        Of the residuals of r_n / r.
    aicc : float
        Akaike's criterion with the correction for few values; smaller is better.
    n_values : int
    """

    exponent: float
    rate_per_s: float
    start: float
    exponent_interval: tuple[float, float]
    rate_interval_per_s: tuple[float, float]
    confidence: float
    rms: float
    aicc: float
    n_values: int

    def ratio(self, time_s: np.ndarray) -> np.ndarray:
        """Return r_n / r at times in seconds."""
        result: np.ndarray = np.power(
            np.maximum(self.start**self.exponent + self.rate_per_s * np.asarray(time_s), 0),
            1 / self.exponent,
        )
        return result


def fit_growth(
    times_s: np.ndarray,
    neck_ratios: np.ndarray,
    errors: np.ndarray | None = None,
    *,
    exponent: float | None = None,
    from_contact: bool = False,
    confidence: float = 0.95,
) -> GrowthFit:
    """Fit the growth of a neck.

    Parameters
    ----------
    times_s : array (time,)
        From the start of sintering, in seconds, 0 or more.
    neck_ratios : array (time,)
        r_n / r; times where it is NaN or 0 are left out.
    errors : array (time,), optional
        Standard uncertainty of each; all equal by default.
    exponent : float, optional
        Held fixed at this value; fitted by default.
    from_contact : bool
        Whether the neck had no width at time 0: ``(r_n/r)^n = B t``. By default it starts from a
        width that is fitted too, as necks exist before heating begins.
    confidence : float
        Of the intervals.

    Returns
    -------
    GrowthFit

    Raises
    ------
    DataError
        If there are fewer values than parameters and one more, or the neck does not grow.
    ParameterError
        If the confidence is not between 0 and 1.
    """
    times, ratios, sigma = _usable(times_s, neck_ratios, errors, from_contact)
    free = 1 + (exponent is None) + (not from_contact)
    if len(times) < max(free + 1, _MIN_TIMES):
        raise DataError(
            f"{len(times)} usable times are too few to fit {free} parameters; at least "
            f"{max(free + 1, _MIN_TIMES)} are needed."
        )
    if not 0 < confidence < 1:
        raise ParameterError(f"confidence is {confidence}; it has to be between 0 and 1.")
    last = float(times.max())
    end = float(ratios[np.argmax(times)])
    if np.polyfit(times, ratios, 1)[0] <= 0:
        raise DataError("The neck does not grow with time; no growth law can be fitted.")

    # B spans many powers of ten with n; the width at the last time does not
    def law(t: np.ndarray, *p: float) -> np.ndarray:
        n, final, first = _meaning(p, exponent, from_contact)
        part = np.clip(t / last, 0, None)
        result: np.ndarray = np.power(
            np.maximum(first**n + (final**n - first**n) * part, 1e-300), 1 / n
        )
        return result

    guess: list[float] = [] if exponent is not None else [np.log(5.0)]
    guess.append(np.log(end))
    lower, upper = [np.log(1.0)] * (exponent is None), [np.log(30.0)] * (exponent is None)
    lower, upper = [*lower, np.log(1e-4)], [*upper, np.log(3.0)]
    if not from_contact:
        guess.append(float(ratios[np.argmin(times)]))
        lower, upper = [*lower, 0.0], [*upper, float(ratios.max()) * 1.2 + 1e-6]
    guess = list(np.clip(guess, np.array(lower) + 1e-9, np.array(upper) - 1e-9))
    try:
        found, covariance = optimize.curve_fit(
            law,
            times,
            ratios,
            guess,
            sigma,
            absolute_sigma=False,
            bounds=(lower, upper),
            maxfev=20000,
        )
    except (RuntimeError, ValueError) as error:
        raise DataError("The growth law could not be fitted to these values.") from error
    residual = (law(times, *found) - ratios) / sigma
    spread = np.sqrt(np.maximum(np.diag(covariance), 0))
    t_value = float(stats.t.ppf(0.5 + confidence / 2, max(len(times) - len(found), 1)))
    n = float(np.exp(found[0])) if exponent is None else float(exponent)
    final = float(np.exp(found[int(exponent is None)]))
    first = 0.0 if from_contact else float(found[-1])
    rate = (final**n - first**n) / last
    interval = (n, n)
    if exponent is None:
        interval = tuple(np.exp(found[0] + np.array([-1, 1]) * t_value * spread[0]).tolist())
    rates = _rate_interval(found, covariance, t_value, last, exponent, from_contact)
    return GrowthFit(
        n,
        rate,
        first,
        interval,
        rates,
        confidence,
        float(np.sqrt(np.mean((law(times, *found) - ratios) ** 2))),
        _aicc(residual, len(found)),
        len(times),
    )


def compare_mechanisms(
    times_s: np.ndarray, neck_ratios: np.ndarray, errors: np.ndarray | None = None
) -> pd.DataFrame:
    """Fit the law of each mechanism; return a table, the likeliest first.

    Parameters
    ----------
    times_s, neck_ratios, errors : array (time,)
        As in `fit_growth`.

    Returns
    -------
    pandas.DataFrame
        ``mechanism``, ``exponent``, ``rate_per_s``, ``rms``, ``aicc`` (Akaike's criterion) and
        ``weight``: Akaike weights, which add up to 1 (Burnham & Anderson 2002).
    """
    rows = []
    for exponent, mechanism in MECHANISMS.items():
        fit = fit_growth(times_s, neck_ratios, errors, exponent=exponent)
        rows.append(
            {
                "mechanism": mechanism,
                "exponent": exponent,
                "rate_per_s": fit.rate_per_s,
                "rms": fit.rms,
                "aicc": fit.aicc,
            }
        )
    table = pd.DataFrame(rows)
    table["weight"] = akaike_weights(table.aicc.to_numpy())
    return table.sort_values("weight", ascending=False, ignore_index=True)


def akaike_weights(criterion: np.ndarray) -> np.ndarray:
    """Return how likely each of several laws is, from Akaike's criterion of each; sum 1."""
    weight = np.exp(-(criterion - np.min(criterion)) / 2)
    result: np.ndarray = weight / weight.sum()
    return result


@dataclass(frozen=True)
class ArrheniusFit:
    """``B = B0 exp(-Q / R T)`` fitted to rates at several temperatures.

    Parameters
    ----------
    energy_kj_per_mol : float
        Activation energy Q.
    energy_interval_kj_per_mol : tuple of float
        Its confidence interval.
    log_prefactor : float
        Natural logarithm of B0 in 1/s.
    confidence : float
    """

    energy_kj_per_mol: float
    energy_interval_kj_per_mol: tuple[float, float]
    log_prefactor: float
    confidence: float


def fit_arrhenius(
    rates_per_s: np.ndarray, temperatures_c: np.ndarray, *, confidence: float = 0.95
) -> ArrheniusFit:
    """Return the activation energy of rates at different temperatures.

    Parameters
    ----------
    rates_per_s : array (rate,)
        B of `fit_growth`, all with the same exponent, positive.
    temperatures_c : array (rate,)
        In degrees Celsius; at least three different ones.
    confidence : float
        Of the interval.

    Raises
    ------
    DataError
        If there are too few temperatures, or rates that are not positive.
    """
    rates = np.asarray(rates_per_s, dtype=np.float64)
    kelvin = np.asarray(temperatures_c, dtype=np.float64) - _ABSOLUTE_ZERO_C
    if rates.shape != kelvin.shape or len(np.unique(kelvin)) < 3:
        raise DataError("An activation energy needs rates at three different temperatures or more.")
    if np.any(rates <= 0) or np.any(kelvin <= 0):
        raise DataError("Rates and absolute temperatures have to be positive.")
    fit = stats.linregress(1 / kelvin, np.log(rates))
    t_value = float(stats.t.ppf(0.5 + confidence / 2, len(rates) - 2))
    energy = -fit.slope * GAS_CONSTANT / 1000
    reach = t_value * fit.stderr * GAS_CONSTANT / 1000
    return ArrheniusFit(energy, (energy - reach, energy + reach), float(fit.intercept), confidence)


def correlations(table: pd.DataFrame) -> pd.DataFrame:
    """Return how neck and distance of each pair go together over time.

    Parameters
    ----------
    table : pandas.DataFrame
        From `follow_pairs`.

    Returns
    -------
    pandas.DataFrame
        A row per pair: ``pair``, ``a``, ``b``, ``times`` (number used), ``r`` (Pearson's, of
        r_n / r and d / 2r), ``p_value``, ``neck_change``, ``distance_change`` (of the ratios, last
        minus first by a straight line), ``expected_change`` (of the distance of two free spheres
        with these necks) and ``verdict``: "as expected" where the distance shrinks as the neck
        grows, "breaks the rule" where r > 0 or the distance shrinks by less than a quarter of what
        is expected (other particles pull, or the pair turns), "unclear" where there are
        fewer than three times or nothing changes.
    """
    rows = []
    for (pair, a, b), part in table.groupby(["pair", "a", "b"], sort=False):
        good = part[(part.neck_ratio > 0) & part.distance_ratio.notna()]
        row = {"pair": pair, "a": a, "b": b, "times": len(good)}
        r = p = neck_change = distance_change = expected = float("nan")
        if len(good) >= _MIN_TIMES:
            x, y = good.neck_ratio.to_numpy(), good.distance_ratio.to_numpy()
            # without times, their order has to do
            t = good.time_s.to_numpy() if np.isfinite(good.time_s).all() else good.time.to_numpy()
            span = np.ptp(t)
            neck_change = float(np.polyfit(t, x, 1)[0] * span)
            distance_change = float(np.polyfit(t, y, 1)[0] * span)
            expected = _free_change(float(x.mean()), neck_change)
            if np.ptp(x) > 0 and np.ptp(y) > 0:
                r, p = (float(v) for v in stats.pearsonr(x, y))
        row |= {"r": r, "p_value": p, "neck_change": neck_change}
        row |= {"distance_change": distance_change, "expected_change": expected}
        rows.append({**row, "verdict": _verdict(r, distance_change, expected)})
    return pd.DataFrame(rows)


def _verdict(r: float, change: float, expected: float) -> str:
    if np.isnan(r):
        return "unclear"
    # both sides are negative where the neck grows
    if r >= 0 or (expected < 0 and change > _LEAST_SHARE * expected):
        return "breaks the rule"
    return "as expected"


def _free_change(ratio: float, change: float) -> float:
    """Return the change of d / 2r of two free spheres for a change of r_n / r about a value."""
    curve = np.array(two_sphere_curve_as_measured(np.linspace(0, 1, 201)))
    before, after = np.interp(ratio + np.array([-0.5, 0.5]) * change, *curve)
    return float(after - before)


def _usable(
    times_s: np.ndarray, ratios: np.ndarray, errors: np.ndarray | None, from_contact: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    times = np.asarray(times_s, dtype=np.float64)
    values = np.asarray(ratios, dtype=np.float64)
    sigma = np.ones_like(values) if errors is None else np.asarray(errors, dtype=np.float64)
    if times.ndim != 1 or values.shape != times.shape or sigma.shape != times.shape:
        raise DataError("Times, neck ratios and their errors have to be of equal number.")
    if np.any(times < 0):
        raise DataError("Times count from the start of sintering; they can't be negative.")
    good = np.isfinite(times) & np.isfinite(values) & (values > 0) & (sigma > 0)
    if from_contact:
        # at time 0 the law is exactly 0, whatever its parameters
        good &= times > 0
    return times[good], values[good], sigma[good]


def _meaning(
    p: Sequence[float] | np.ndarray, exponent: float | None, from_contact: bool
) -> tuple[float, float, float]:
    """Return n and r_n / r at the last and the first time, of the parameters of a fit."""
    # as numbers of NumPy, whose powers may overflow
    values = list(np.asarray(p, np.float64))
    n = np.exp(values.pop(0)) if exponent is None else exponent
    final = np.exp(values.pop(0))
    return n, final, 0.0 if from_contact else max(values.pop(0), 0.0)


def _rate_interval(
    found: np.ndarray,
    covariance: np.ndarray,
    t_value: float,
    last: float,
    exponent: float | None,
    from_contact: bool,
) -> tuple[float, float]:
    """Return the interval of B, its logarithm's error carried over from the parameters."""

    def log_rate(p: np.ndarray) -> float:
        n, final, first = _meaning(p, exponent, from_contact)
        return float(np.log(max(final**n - first**n, 1e-300) / last))

    steps = np.sqrt(np.maximum(np.diag(covariance), 0)) * 1e-3 + 1e-9
    gradient = [
        (log_rate(found + s * e) - log_rate(found - s * e)) / (2 * s)
        for s, e in zip(steps, np.eye(len(found)), strict=True)
    ]
    reach = t_value * float(np.sqrt(max(np.array(gradient) @ covariance @ np.array(gradient), 0)))
    middle = log_rate(found)
    low, high = np.exp(np.clip([middle - reach, middle + reach], -700, 700))
    return float(low), float(high)


def _aicc(residual: np.ndarray, parameters: int) -> float:
    """Return Akaike's criterion with the correction for few values."""
    n, k = len(residual), parameters + 1
    value = n * np.log(max(float(np.mean(residual**2)), 1e-30)) + 2 * k
    return float(value + 2 * k * (k + 1) / max(n - k - 1, 1))
