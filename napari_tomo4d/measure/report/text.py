"""What a sample did, in sentences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from napari_tomo4d.measure.necks.growth_of_pairs import Growth
from napari_tomo4d.measure.necks.growth_sentences import (
    LAW,
    mechanism_sentence,
    pair_sentence,
    rule_sentences,
)
from napari_tomo4d.quantities import number, plural
from napari_tomo4d.voxels import VoxelSize, size_text

_FEW = 8
# sintering moves material but does not make or lose any
_VOLUME_CHANGE = 0.05


def summary(
    name: str,
    times: list[str],
    temperatures: np.ndarray | None,
    pixel_size_nm: VoxelSize | None,
    totals: pd.DataFrame,
    table: pd.DataFrame,
    correlations: pd.DataFrame,
    growth: Growth | None,
) -> list[str]:
    """Return the summary as plain sentences.

    Parameters
    ----------
    name : str
        Of the sample.
    times : list of str
        Name of each time.
    temperatures : array, optional
    pixel_size_nm : float or (z, y, x), optional
    totals, table, correlations : pandas.DataFrame
        Of the functions of these names; without rows where there are no pairs.
    growth : Growth, optional
        None where there are no pairs.
    """
    several = len(times) > 1
    said = [_sample(name, times, temperatures, pixel_size_nm)]
    if several and times[0] == "time 1":
        said.append("The times are not known, so no growth law is fitted.")
    said.append(_counts(totals, several))
    # a change from nothing has no percentage
    if several and totals.volume_nm3.iloc[0] > 0:
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
    if several and growth is not None:
        said += [*_laws(growth), *rule_sentences(correlations)]
    doubtful = int((table.remarks.astype(str) != "").sum())
    if doubtful:
        said.append(
            f"{doubtful} of {len(table)} measurements came with a remark; the table marks them."
        )
    return said


def _sample(name: str, times: list[str], temperatures: Any, size: VoxelSize | None) -> str:
    text = f"{name}: {plural(len(times), 'time point')}"
    if len(times) > 1 and times[0] != "time 1":
        text += f" from {times[0]} to {times[-1]}"
    if temperatures is not None:
        low, high = float(np.min(temperatures)), float(np.max(temperatures))
        text += f", at {low:g} °C" if low == high else f", at {low:g} to {high:g} °C"
    return text + (f"; voxels of {size_text(size)}." if size else ".")


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


def _laws(growth: Growth) -> list[str]:
    """Return the exponents in one sentence, then what they say of the mechanism."""
    fitted = growth.fitted
    if not fitted:
        reasons = "; ".join(dict.fromkeys(p.reason.rstrip(".") for p in growth.pairs))
        return [f"Growth law {LAW}: no pair could be fitted ({reasons})."]
    if len(growth.pairs) <= _FEW:
        each = "; ".join(pair_sentence(pair) for pair in growth.pairs)
        text = f"Growth law {LAW}, with 95 % confidence intervals: {each}."
    else:
        ordered = sorted((p.fit.exponent, p.pair) for p in fitted if p.fit is not None)
        (low, first), (high, last) = ordered[0], ordered[-1]
        text = (
            f"Growth law {LAW}: of {len(growth.pairs)} pairs {len(fitted)} could be fitted; n "
            f"lies between {low:.1f} ({first}) and {high:.1f} ({last}), median "
            f"{np.median([n for n, _ in ordered]):.1f}; the intervals are in the table."
        )
    together = mechanism_sentence(growth)
    return [text, together] if together else [text]
