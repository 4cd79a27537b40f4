"""Numbers as a person reads them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_tomo4d.quantities import (
    as_known,
    number,
    time_axis,
    time_names,
    time_unit,
    with_error,
)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (55.605, 2.778, "55.6 ± 2.8"),
        (152.33, 0.16, "152.33 ± 0.16"),
        (0.72394, 0.0104, "0.724 ± 0.010"),
        (7103.54, 622.3, "7104 ± 622"),
        (27.5, 12.34, "28 ± 12"),
        (55.6, 9.96, "56 ± 10"),
        (1.2346, 0.0996, "1.23 ± 0.10"),
        (1.2e-9, 3.4e-11, "(1.200 ± 0.034) × 10⁻⁹"),
        (1.0164, None, "1.016"),
        (1.0164, float("nan"), "1.016"),
        (1.0164, 0.0, "1.016"),
        (float("nan"), 1.0, "–"),
    ],
)
def test_uncertainties_have_two_digits_and_values_as_many_decimals(value, error, text):
    assert with_error(value, error) == text
    known, _, rest = text.partition(" ± ")
    power = rest.partition(")")[2]
    assert as_known(value, error) == known.lstrip("(") + power


def test_units_stand_behind_a_space_but_degrees_do_not():
    assert with_error(55.605, 2.778, "nm") == "55.6 ± 2.8 nm"
    assert with_error(-1.234, 0.05, "°") == "-1.234 ± 0.050°"
    assert with_error(float("nan"), 1.0, "nm") == "–"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (25033390.0, "25033390"),
        (7.63e-5, "7.63 × 10⁻⁵"),
        (0.0, "0"),
        (176.04, "176"),
        (1523.4, "1523"),
        (-0.12431, "-0.1243"),
        (float("nan"), "–"),
    ],
)
def test_numbers_have_four_digits(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("longest", "unit"),
    [
        (0, "s"),
        (90, "s"),
        (180, "s"),
        (240, "s"),
        (299, "s"),
        (300, "s"),
        (301, "min"),
        (3600, "min"),
        (10800, "min"),
        (10801, "h"),
        (40000, "h"),
    ],
)
def test_a_series_has_one_unit_of_time_everywhere(longest, unit):
    times = np.array([0.0, longest])
    seconds, name = time_unit(times)
    assert name == unit and seconds == {"s": 1, "min": 60, "h": 3600}[unit]
    assert time_names(times, 2)[1] == f"{longest / seconds:.4g} {unit}"
    values, label = time_axis(times, [0, 1])
    assert label == f"time ({unit})" and values[1] == longest / seconds


def test_unknown_times_are_counted_from_one():
    assert time_names(None, 2) == ["time 1", "time 2"]
    assert time_names(np.array([0.0, np.nan]), 2) == ["time 1", "time 2"]
    values, label = time_axis([np.nan, np.nan], [0, 1])
    assert label == "time point" and values.tolist() == [1, 2]
