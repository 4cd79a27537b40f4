"""What a sample did, in sentences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from napari_tomo4d.measure.quantities import number, plural

_FEW = 8
# sintering moves material but does not make or lose any
_VOLUME_CHANGE = 0.05


def summary(
    name: str,
    times: list[str],
    temperatures: np.ndarray | None,
    pixel_size_nm: float | None,
    totals: pd.DataFrame,
    table: pd.DataFrame,
    correlations: pd.DataFrame,
    growth: pd.DataFrame,
) -> list[str]:
    """Return the summary as plain sentences.

    Parameters
    ----------
    name : str
        Of the sample.
    times : list of str
        Name of each time.
    temperatures : array, optional
    pixel_size_nm : float, optional
    totals, table, correlations, growth : pandas.DataFrame
        Of the functions of these names; without rows where there are no pairs.
    """
    several = len(times) > 1
    said = [_sample(name, times, temperatures, pixel_size_nm)]
    if several and times[0] == "time 1":
        said.append("The times are not known, so no growth law is fitted.")
    said.append(_counts(totals, several))
    if several:
        said.append(_surface(totals))
        change = totals.volume_nm3.iloc[-1] / totals.volume_nm3.iloc[0] - 1
        if abs(change) > _VOLUME_CHANGE:
            said.append(
                "Sintering does not change the volume: look at the thresholds, and at particles "
                "that come or go."
            )
    if not len(table):
        return [*said, "No particles touch at any time, so there are no pairs."]
    said.append(_pairs(table, several))
    if several:
        said += [_growth(growth), *_rules(correlations)]
        if temperatures is not None and np.ptp(temperatures) > 0:
            said.append(
                "The temperature changes over time; one growth law for all times then only "
                "describes the whole, it names no mechanism."
            )
    doubtful = int((table.remarks.astype(str) != "").sum())
    if doubtful:
        said.append(
            f"{doubtful} of {len(table)} measurements came with a remark; the table marks them."
        )
    return said


def growth_sentence(row: Any) -> str:
    """Return the exponent of a pair with its interval, or why there is none."""
    if not np.isfinite(row.exponent):
        return f"{row.pair}: no fit ({row.remarks})"
    return (
        f"{row.pair}: n = {row.exponent:.1f} "
        f"({limit(row.exponent_low)} to {limit(row.exponent_high)})"
    )


def limit(value: float) -> str:
    """Return the end of an interval of an exponent; beyond any law it only says so."""
    return f"{value:.1f}" if np.isfinite(value) and value < 100 else "over 100"


def _sample(name: str, times: list[str], temperatures: Any, size: float | None) -> str:
    text = f"{name}: {plural(len(times), 'time point')}"
    if len(times) > 1 and times[0] != "time 1":
        text += f" from {times[0]} to {times[-1]}"
    if temperatures is not None:
        low, high = float(np.min(temperatures)), float(np.max(temperatures))
        text += f", at {low:g} °C" if low == high else f", at {low:g} to {high:g} °C"
    return text + (f"; voxels of {size:g} nm." if size else ".")


def _counts(totals: pd.DataFrame, several: bool) -> str:
    first, last = totals.iloc[0], totals.iloc[-1]
    text = f"{plural(int(first.particles), 'particle')} and {plural(int(first.necks), 'neck')}"
    if not several:
        return f"{text}; total surface {number(first.surface_nm2)} nm²."
    return (
        f"{text} at the beginning, {plural(int(last.particles), 'particle')} and "
        f"{plural(int(last.necks), 'neck')} at the end."
    )


def _surface(totals: pd.DataFrame) -> str:
    first, last = totals.iloc[0], totals.iloc[-1]
    surface = 100 * (last.surface_nm2 / first.surface_nm2 - 1)
    volume = 100 * (last.volume_nm3 / first.volume_nm3 - 1)
    return (
        f"The total surface changes by {surface:+.1f} %, from {number(first.surface_nm2)} to "
        f"{number(last.surface_nm2)} nm²; the total volume by {volume:+.1f} %."
    )


def _pairs(table: pd.DataFrame, several: bool) -> str:
    count = table.pair.nunique()
    times = sorted(table.time.unique(), key=lambda t: float(_time_of(table, t)))
    first, last = (table[table.time == t] for t in (times[0], times[-1]))
    if not several:
        return f"{plural(count, 'pair')}: r_n/r is {_span(first.neck_ratio)}."
    contact = [int((part.neck_ratio > 0).sum()) for part in (first, last)]
    return (
        f"{plural(count, 'pair')} followed, {contact[0]} in contact at the beginning and "
        f"{contact[1]} at the end; r_n/r is {_span(first.neck_ratio)} at the beginning and "
        f"{_span(last.neck_ratio)} at the end."
    )


def _time_of(table: pd.DataFrame, time: int) -> float:
    seconds = float(table.time_s[table.time == time].iloc[0])
    return seconds if np.isfinite(seconds) else float(time)


def _span(values: pd.Series) -> str:
    known = values[values > 0]
    if not len(known):
        return "not known"
    low, high = f"{known.min():.2f}", f"{known.max():.2f}"
    return low if low == high else f"{low} to {high}"


def _growth(growth: pd.DataFrame) -> str:
    fitted = growth[np.isfinite(growth.exponent)]
    law = "Growth law (r_n/r)^n = x0^n + B t"
    if not len(fitted):
        reasons = "; ".join(dict.fromkeys(growth.remarks))
        return f"{law}: no pair could be fitted ({reasons})."
    if len(growth) <= _FEW:
        each = ", ".join(growth_sentence(row) for row in growth.itertuples())
        return f"{law}, with 95 % confidence intervals: {each}."
    low, high = fitted.loc[fitted.exponent.idxmin()], fitted.loc[fitted.exponent.idxmax()]
    return (
        f"{law}: of {len(growth)} pairs {len(fitted)} could be fitted; n lies between "
        f"{low.exponent:.1f} ({low.pair}) and {high.exponent:.1f} ({high.pair}), median "
        f"{fitted.exponent.median():.1f}; the intervals are in the table."
    )


def _rules(correlations: pd.DataFrame) -> list[str]:
    verdicts = correlations.verdict
    said = []
    good = int((verdicts == "as expected").sum())
    if good:
        said.append(f"The distance shrinks as the neck grows in {good} of {len(verdicts)} pairs.")
    broken = correlations[verdicts == "breaks the rule"]
    said += [_broken_text(row) for row in broken.itertuples()]
    if good == len(verdicts):
        said[0] = said[0][:-1] + "; no pair breaks this rule."
    unclear = correlations.pair[verdicts == "unclear"]
    if len(unclear):
        said.append(f"Unclear, as there are too few times: {', '.join(unclear)}.")
    return said


def _broken_text(row: Any) -> str:
    text = f"{row.pair} (particles {row.a} and {row.b}) breaks the rule: "
    if row.r >= 0:
        return (
            f"{text}neck and distance change in the same direction (r = {row.r:.2f}, "
            f"p = {number(row.p_value)})."
        )
    return (
        f"{text}d/2r changes by {row.distance_change:+.3f}, where two free spheres with these "
        f"necks would change it by {row.expected_change:+.3f}."
    )
