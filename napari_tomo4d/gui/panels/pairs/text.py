"""Numbers about pairs as a person reads them: digits, units of time, sentences on growth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from napari_tomo4d.errors import DataError
from napari_tomo4d.measure import compare_mechanisms, correlations, fit_growth
from napari_tomo4d.progress import Progress


def growth_lines(
    table: pd.DataFrame, times_known: bool, progress: Progress | None = None
) -> list[str]:
    """Return what neck and distance of each pair do over time, a sentence each.

    Parameters
    ----------
    table : pandas.DataFrame
        From `measure.follow_pairs`.
    times_known : bool
        Whether there are times in seconds; without, no growth law can be fitted.
    progress : Progress, optional
    """
    progress = progress or Progress()
    if table.empty:
        return []
    verdicts = correlations(table)
    against = verdicts[verdicts.verdict == "breaks the rule"]
    judged = verdicts[verdicts.verdict != "unclear"]
    lines = []
    if len(against):
        names = ", ".join(against.pair)
        verb = "breaks" if len(against) == 1 else "break"
        lines.append(f"{names} {verb} the rule: the distance grows with the neck.")
    elif len(judged):
        count = len(judged)
        who = f"All {count}" if count == len(verdicts) else f"{count} of {len(verdicts)}"
        who = f"{who} pairs" if len(verdicts) > 1 else str(judged.pair.iloc[0])
        lines.append(f"{who} as expected: the distance shrinks as the neck grows.")
    for i, verdict in enumerate(verdicts.itertuples()):
        progress.report(i, len(verdicts), f"Growth law of {verdict.pair}")
        part = table[table.pair == verdict.pair]
        lines.append(f"{verdict.pair}: {_law(part, times_known)}{_sign(verdict)}.")
    return lines


def _law(part: pd.DataFrame, times_known: bool) -> str:
    if not times_known:
        return "growth law needs times in seconds"
    times, ratios = part.time_s.to_numpy(), part.neck_ratio.to_numpy()
    errors = part.neck_ratio_error.to_numpy()
    errors = errors if np.all(errors[np.isfinite(ratios)] > 0) else None
    usable = int(np.count_nonzero(np.isfinite(ratios) & (ratios > 0)))
    if usable < 4:
        return f"growth law needs 4 times with a neck, there {_are(usable)}"
    # the law counts from the start of heating, which is the first time
    times = times - times.min()
    try:
        fit = fit_growth(times, ratios, errors)
    except DataError as error:
        return str(error).rstrip(".").lower()
    low, high = fit.exponent_interval
    text = f"n = {fit.exponent:.1f} ({low:.1f} to {high:.1f})"
    try:
        best = compare_mechanisms(times, ratios, errors).iloc[0]
    except DataError:
        return text
    return f"{text}, likeliest {best.mechanism} ({100 * best.weight:.0f} %)"


def _are(count: int) -> str:
    return "is 1" if count == 1 else f"are {count}"


def _sign(verdict: Any) -> str:
    if verdict.verdict == "unclear":
        return ""
    return f"; neck and distance r = {verdict.r:+.2f}".replace("-", "−")
