import numpy as np
import pandas as pd
import pytest

from napari_tomo4d.errors import DataError
from napari_tomo4d.measure import (
    compare_mechanisms,
    correlations,
    fit_arrhenius,
    fit_growth,
    two_sphere_curve_as_measured,
)

TIMES = np.linspace(0, 3600, 13)


@pytest.mark.parametrize("exponent", [2.0, 6.0])
def test_a_law_is_found_again(exponent):
    x = (0.3**exponent + (0.8**exponent - 0.3**exponent) * TIMES / 3600) ** (1 / exponent)
    fit = fit_growth(TIMES, x)
    assert fit.exponent == pytest.approx(exponent, rel=1e-3)
    assert fit.rate_per_s == pytest.approx((0.8**exponent - 0.3**exponent) / 3600, rel=1e-3)
    assert fit.start == pytest.approx(0.3, abs=1e-3)
    np.testing.assert_allclose(fit.ratio(TIMES), x, atol=1e-5)


def test_without_a_neck_at_the_start():
    x = (2e-5 * TIMES) ** (1 / 5)
    fit = fit_growth(TIMES, x, from_contact=True)
    assert fit.exponent == pytest.approx(5, rel=1e-3)
    assert fit.rate_per_s == pytest.approx(2e-5, rel=1e-2)


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    x = (0.3**6 + (0.8**6 - 0.3**6) * TIMES / 3600) ** (1 / 6)
    rate = (0.8**6 - 0.3**6) / 3600
    hits = np.zeros(2)
    runs = 120
    for _ in range(runs):
        fit = fit_growth(TIMES, x + rng.normal(0, 0.01, len(x)), confidence=0.9)
        hits += (
            fit.exponent_interval[0] < 6 < fit.exponent_interval[1],
            fit.rate_interval_per_s[0] < rate < fit.rate_interval_per_s[1],
        )
    # 90 % within three standard deviations of such a count
    assert np.all(np.abs(hits / runs - 0.9) < 0.085)


def test_mechanisms_are_weighed():
    rng = np.random.default_rng(1)
    x = (0.3**7 + (0.8**7 - 0.3**7) * TIMES / 3600) ** (1 / 7) + rng.normal(0, 0.002, len(TIMES))
    table = compare_mechanisms(TIMES, x)
    assert table.mechanism[0] == "surface diffusion"
    assert table.weight.sum() == pytest.approx(1)
    assert table.weight[0] > 0.9


def test_what_can_not_be_fitted_is_refused():
    with pytest.raises(DataError, match="does not grow"):
        fit_growth(TIMES, np.linspace(0.8, 0.3, 13))
    with pytest.raises(DataError, match="too few"):
        fit_growth(TIMES[:3], [0.3, 0.4, 0.5])
    with pytest.raises(DataError, match="negative"):
        fit_growth(TIMES - 100, np.linspace(0.3, 0.8, 13))


def test_activation_energy():
    temperatures = np.array([300.0, 350.0, 400.0, 450.0])
    energy = 120e3
    rates = 1e5 * np.exp(-energy / (8.31446 * (temperatures + 273.15)))
    fit = fit_arrhenius(rates, temperatures)
    assert fit.energy_kj_per_mol == pytest.approx(120, rel=1e-4)
    assert fit.log_prefactor == pytest.approx(np.log(1e5), rel=1e-4)
    noisy = fit_arrhenius(rates * [1.1, 0.9, 1.1, 0.9], temperatures)
    low, high = noisy.energy_interval_kj_per_mol
    assert low < 120 < high
    with pytest.raises(DataError, match="three different temperatures"):
        fit_arrhenius(rates[:2], temperatures[:2])


def test_correlation_names_pairs_that_break_the_rule():
    x = np.linspace(0.3, 0.8, 5)
    neck, distance = two_sphere_curve_as_measured(x)
    rows = []
    for pair, d in (("P1", distance), ("P2", distance[::-1]), ("P3", np.full(5, 0.95))):
        for t in range(5):
            row = {"pair": pair, "a": 1, "b": int(pair[1]) + 1, "time_s": 60.0 * t}
            rows.append({**row, "neck_ratio": neck[t], "distance_ratio": d[t] + 1e-6 * (-1) ** t})
    found = correlations(pd.DataFrame(rows)).set_index("pair")
    assert found.verdict.to_dict() == {
        "P1": "as expected",
        "P2": "breaks the rule",
        "P3": "breaks the rule",
    }
    assert found.r["P1"] < -0.9
    assert found.expected_change["P1"] == pytest.approx(distance[-1] - distance[0], rel=0.1)
    short = correlations(pd.DataFrame(rows[:2]))
    assert short.verdict[0] == "unclear"
