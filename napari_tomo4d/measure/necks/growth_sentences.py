"""What necks and distances do over time, in sentences: the same in the panel and the report."""

from __future__ import annotations

import numpy as np
import pandas as pd

from napari_tomo4d.measure.necks.growth_of_pairs import Growth, Mechanisms, PairGrowth
from napari_tomo4d.quantities import number, plural

LAW = "(r_n/r)^n = x0^n + B t"
_SHOWN = 0.05
_LARGEST_EXPONENT = 100


def mechanism_sentence(growth: Growth) -> str:
    """Return which mechanism all pairs together show; empty if there is nothing to say."""
    if not growth.fitted:
        return ""
    if not growth.isothermal:
        return (
            "The temperature changes over time; one growth law for all times then only describes "
            "the whole, it names no mechanism."
        )
    count = sum(bool(p.mechanisms.weights) for p in growth.pairs)
    if not count:
        return ""
    who = f"All {count} pairs together" if count > 1 else "The pair"
    if growth.together.named:
        share = growth.together.weights[growth.together.named]
        return f"{who}: {growth.together.named} ({_percent(share)} of the Akaike weight)."
    verb = "" if count > 1 else " alone"
    return (
        f"{who}{verb}: the mechanisms can't be told apart ({_weights_text(growth.together)}); "
        "more times or smaller uncertainties are needed."
    )


def pair_sentence(pair: PairGrowth) -> str:
    """Return the exponent of a pair with its interval and mechanism, or why there is none."""
    if pair.fit is None:
        reason = pair.reason.rstrip(".")
        return f"{pair.pair}: no growth law ({reason[:1].lower()}{reason[1:]})"
    text = f"{pair.pair}: {exponent_text(pair)}"
    if pair.mechanisms.named:
        share = pair.mechanisms.weights[pair.mechanisms.named]
        return f"{text}, {pair.mechanisms.named} ({_percent(share)})"
    return f"{text}, mechanisms can't be told apart" if pair.mechanisms.weights else text


def exponent_text(pair: PairGrowth) -> str:
    """Return the exponent of a pair with its confidence interval."""
    if pair.fit is None:
        return "no fit"
    low, high = pair.fit.exponent_interval
    return f"n = {pair.fit.exponent:.1f} ({limit_text(low)} to {limit_text(high)})"


def limit_text(value: float) -> str:
    """Return the end of an interval of an exponent; beyond any law it only says so."""
    known = np.isfinite(value) and value < _LARGEST_EXPONENT
    return f"{value:.1f}" if known else f"over {_LARGEST_EXPONENT}"


def rule_sentences(correlations: pd.DataFrame) -> list[str]:
    """Return in which pairs the distance shrinks as the neck grows.

    Parameters
    ----------
    correlations : pandas.DataFrame
        Of `growth.correlations`.
    """
    if not len(correlations):
        return []
    verdicts = correlations.verdict
    said = []
    good = int((verdicts == "as expected").sum())
    if good:
        end = "; no pair breaks this rule" if good == len(verdicts) else ""
        who = f"{good} of {plural(len(verdicts), 'pair')}"
        said.append(f"The distance shrinks as the neck grows in {who}{end}.")
    broken = correlations[verdicts == "breaks the rule"]
    said += [_broken_text(row) for row in broken.itertuples()]
    unclear = correlations.pair[verdicts == "unclear"]
    if len(unclear):
        said.append(f"Unclear, as there are too few times: {', '.join(unclear)}.")
    return said


def _broken_text(row: pd.Series) -> str:
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


def growth_sentences(growth: Growth, correlations: pd.DataFrame) -> list[str]:
    """Return all there is to say: the rule, the mechanism of all pairs, then pair by pair."""
    together = mechanism_sentence(growth)
    each = [f"{pair_sentence(pair)}." for pair in growth.pairs]
    return [*rule_sentences(correlations), *([together] if together else []), *each]


def _weights_text(mechanisms: Mechanisms) -> str:
    shown = [(m, w) for m, w in mechanisms.weights.items() if w >= _SHOWN]
    return ", ".join(f"{name} {_percent(weight)}" for name, weight in shown)


def _percent(share: float) -> str:
    return "over 99 %" if share > 0.99 else f"{100 * share:.0f} %"
