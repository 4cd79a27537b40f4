"""Parameters are described once and checked everywhere."""

from __future__ import annotations

from typing import Annotated

import pytest

from napari_tomo4d.errors import ParameterError
from napari_tomo4d.parameters import Param, check_parameters, parameters_of


def example(
    data,
    count: Annotated[int, Param("How many.", minimum=1, maximum=9)] = 3,
    width_nm: Annotated[float | None, Param("How wide.", unit="nm", minimum=0)] = None,
    method: Annotated[str, Param("Which.", choices=("a", "b"))] = "a",
    flag: Annotated[bool, Param("Whether.")] = False,
    pair: Annotated[tuple[float, float], Param("Two.", minimum=-1)] = (0.0, 0.0),
    *,
    progress=None,
):
    return None


def test_only_described_parameters_are_listed_with_label_and_unit():
    found = parameters_of(example)
    assert list(found) == ["count", "width_nm", "method", "flag", "pair"]
    assert found["width_nm"].label == "Width (nm)"
    assert found["width_nm"].optional
    assert not found["count"].optional


def test_defaults_are_filled_in_and_values_converted():
    assert check_parameters(example, {"count": 4.0, "width_nm": 2, "pair": [1, 2]}) == {
        "count": 4,
        "width_nm": 2.0,
        "method": "a",
        "flag": False,
        "pair": (1.0, 2.0),
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cuont": 1}, "no parameter 'cuont'; this step knows count"),
        ({"count": 0}, "count is 0; it has to be between 1 and 9"),
        ({"count": 2.5}, "2.5, which is not a whole number"),
        ({"count": True}, "not a whole number"),
        ({"count": None}, "count needs a value"),
        ({"width_nm": -1}, "at least 0 nm"),
        ({"width_nm": float("nan")}, "not a number"),
        ({"method": "c"}, "choose one of 'a', 'b'"),
        ({"flag": 1}, "not true or false"),
        ({"pair": [1]}, "needs 2 values, 1 were given"),
        ({"pair": [1, -2]}, "at least -1"),
    ],
)
def test_wrong_values_are_explained(given, message):
    with pytest.raises(ParameterError, match=message):
        check_parameters(example, given)
