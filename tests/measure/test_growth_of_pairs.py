"""One growth law and one rule for mechanisms, in the panel and in the report."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_tomo4d.measure import correlations, growth_of_pairs, growth_sentences, growth_table
from napari_tomo4d.measure.necks.growth_sentences import mechanism_sentence, pair_sentence
from napari_tomo4d.measure.report.text import summary

TIMES = np.linspace(0, 3600, 7)


def rows(pair="P1", exponent=6.0, noise=0.0, seed=0, times=TIMES, distance_sign=-1.0):
    """Return a pair whose neck grows from 0.3 to 0.7 by a law, with noise."""
    rng = np.random.default_rng(seed)
    last = 0.3**exponent + (0.7**exponent - 0.3**exponent) * TIMES / 3600
    ratio = last ** (1 / exponent)
    ratio = ratio + rng.normal(0, noise, len(ratio)) if noise else ratio
    return pd.DataFrame(
        {
            "pair": pair,
            "time": np.arange(len(ratio)),
            "time_s": times,
            "temperature_c": np.nan,
            "a": 1,
            "b": int(pair[1:]) + 1,
            "neck_ratio": ratio,
            "neck_ratio_error": noise or 0.01,
            "distance_ratio": 0.95 + distance_sign * 0.2 * ratio,
            "remarks": "",
        }
    )


def totals():
    return pd.DataFrame(
        {"surface_nm2": [2.0, 1.0], "volume_nm3": 1.0, "particles": 2, "necks": 1, "time_s": 0.0}
    )


def report_of(table):
    """Return the summary of a report."""
    growth = growth_of_pairs(table)
    names = [f"{t / 60:g} min" for t in TIMES]
    return summary("s", names, None, 1.0, totals(), table, correlations(table), growth)


def test_panel_and_report_name_no_mechanism_of_a_doubtful_neck():
    # n between volume and grain-boundary diffusion
    table = rows(exponent=5.4, noise=0.006, seed=7)
    growth = growth_of_pairs(table)
    panel, report = growth_sentences(growth, correlations(table)), report_of(table)
    assert growth.pairs[0].mechanisms.likeliest == "grain-boundary diffusion"
    assert growth.pairs[0].mechanisms.weights["grain-boundary diffusion"] < 0.9
    together = mechanism_sentence(growth)
    assert "can't be told apart" in together and together in panel and together in report
    law = pair_sentence(growth.pairs[0])
    assert law.endswith("mechanisms can't be told apart")
    assert f"{law}." in panel and any(law in line for line in report)
    found = growth_table(table)
    assert found.mechanism[0] == "" and 0.5 < found.weight[0] < 0.9


def test_all_pairs_together_tell_what_one_alone_can_not():
    parts = [rows(f"P{i}", 7.0, noise=0.02, seed=i) for i in range(1, 13)]
    alone = [growth_of_pairs(part) for part in parts]
    assert sum(bool(g.together.named) for g in alone) < len(alone) / 2
    growth = growth_of_pairs(pd.concat(parts))
    assert growth.together.named == "surface diffusion"
    assert sum(growth.together.weights.values()) == pytest.approx(1)
    sentence = mechanism_sentence(growth)
    assert sentence.startswith("All 12 pairs together: surface diffusion (")
    # the product of what each of them says
    product = {
        name: np.prod([g.pairs[0].mechanisms.weights[name] for g in alone])
        for name in growth.together.weights
    }
    total = sum(product.values())
    for name, weight in growth.together.weights.items():
        assert weight == pytest.approx(product[name] / total, rel=1e-3, abs=1e-9)


def test_a_wrong_mechanism_is_hardly_ever_named():
    # of all that are named, nine in ten have to be right
    right = wrong = 0
    for seed in range(40):
        found = growth_of_pairs(rows(exponent=6.0, noise=0.004, seed=seed)).together.named
        right += found == "grain-boundary diffusion"
        wrong += found not in ("", "grain-boundary diffusion")
    assert wrong <= 0.15 * 40 and right >= wrong


def test_exact_laws_are_told_in_words_and_the_odd_pair_named():
    table = pd.concat([rows(), rows("P2", 7.0, distance_sign=1.0)])
    lines = growth_sentences(growth_of_pairs(table), correlations(table))
    assert lines[0] == "The distance shrinks as the neck grows in 1 of 2 pairs."
    assert lines[1].startswith("P2 (particles 1 and 3) breaks the rule: neck and distance change")
    assert "P1: n = 6.0 (6.0 to 6.0), grain-boundary diffusion (over 99 %)." in lines
    assert "P2: n = 7.0 (7.0 to 7.0), surface diffusion (over 99 %)." in lines


def test_the_law_counts_from_the_first_time():
    early, late = growth_of_pairs(rows()), growth_of_pairs(rows(times=TIMES + 1.7e9))
    assert late.first_s == 1.7e9
    assert late.pairs[0].fit.exponent == pytest.approx(early.pairs[0].fit.exponent)
    assert late.pairs[0].fit.start == pytest.approx(0.3, abs=1e-3)


def test_no_law_and_no_mechanism_where_there_can_be_none():
    unknown = growth_of_pairs(rows(times=np.full(7, np.nan)))
    assert pair_sentence(unknown.pairs[0]) == "P1: no growth law (the times are not known)"
    assert mechanism_sentence(unknown) == ""
    few = growth_of_pairs(rows()[:3])
    assert "3 usable times are too few" in pair_sentence(few.pairs[0])
    heated = growth_of_pairs(rows().assign(temperature_c=np.linspace(300, 400, 7)))
    assert heated.pairs[0].fit is not None and not heated.pairs[0].mechanisms.weights
    assert "it names no mechanism" in mechanism_sentence(heated)
    constant = growth_of_pairs(rows().assign(temperature_c=350.0))
    assert constant.together.named == "grain-boundary diffusion"
