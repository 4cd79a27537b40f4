import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.errors import ParameterError
from napari_tomo4d.measure import (
    two_sphere_curve,
    two_sphere_curve_as_measured,
    two_sphere_neck,
)

PUBLISHED = {0.2: 0.98993, 0.4: 0.95886, 0.6: 0.90370, 0.8: 0.81667, 0.9: 0.75488, 1: 0.66667}
AS_MEASURED = {
    0.2: (0.20004, 0.99014),
    0.4: (0.40070, 0.96059),
    0.6: (0.60376, 0.90983),
    0.8: (0.81313, 0.83325),
    0.9: (0.92279, 0.78183),
    1.0: (1.04008, 0.71506),
}


def test_curve_and_inverse_agree_with_the_published_table():
    for x, distance in PUBLISHED.items():
        assert two_sphere_curve(x) == pytest.approx(distance, abs=1e-5)
        assert two_sphere_neck(two_sphere_curve(x)) == pytest.approx(x, abs=1e-9)
    x = np.linspace(0, 1, 101)
    np.testing.assert_allclose(two_sphere_neck(two_sphere_curve(x)), x, atol=1e-7)
    assert t4.measure.two_sphere_curve(0.0) == 1


def test_curve_as_measured_agrees_with_the_published_table():
    for x, (neck, distance) in AS_MEASURED.items():
        assert two_sphere_curve_as_measured(x) == pytest.approx((neck, distance), abs=1e-5)


@pytest.mark.parametrize("x", [-0.1, 1.1, np.nan])
def test_ratios_outside_the_model_are_refused(x):
    with pytest.raises(ParameterError, match="between 0 and 1"):
        two_sphere_curve(x)
    with pytest.raises(ParameterError, match="between 2/3 and 1"):
        two_sphere_neck(x if x != x else 0.5)
