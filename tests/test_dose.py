"""The dose calculator gives the published experiment's figures."""

from __future__ import annotations

import pytest

from napari_tomo4d.dose import dose_e_per_nm2, electrons_per_pixel
from napari_tomo4d.errors import ParameterError


def test_published_experiment():
    # Nanoscale 2023, 15, 10133: 2.0 pA, 500 ns, 1.04 nm/px, 41 tilts of 1024 x 1024
    assert electrons_per_pixel(2.0, 500) == pytest.approx(6.24, abs=0.005)
    assert electrons_per_pixel(2.0, 500) * 41 * 1024**2 == pytest.approx(2.7e8, rel=0.01)
    assert dose_e_per_nm2(2.0, 500, 1.04, 41) == pytest.approx(250, rel=0.06)


@pytest.mark.parametrize("given", [(0, 500), (2, -1), (float("nan"), 500)])
def test_impossible_values(given):
    with pytest.raises(ParameterError, match="has to be positive"):
        electrons_per_pixel(*given)
