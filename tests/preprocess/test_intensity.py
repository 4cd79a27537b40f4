"""Outliers go, counts stay; brightness becomes that of the median image."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.errors import DataError, Tomo4DWarning


@pytest.mark.parametrize("dose", [0.3, 6, 1000])
def test_outliers_are_replaced_and_counting_noise_is_not(dose):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:120, :140]
    expected = dose * (0.2 + 4 * np.exp(-((y - 60) ** 2 + (x - 70) ** 2) / 800))
    clean = rng.poisson(expected, (3, 2, 120, 140)).astype(np.float32)
    images = clean.copy()
    hot = [(0, 0, 10, 20), (1, 1, 60, 70), (2, 0, 119, 139)]
    for place in hot:
        images[place] += 60 * dose + 100
    series = t4.TiltSeries(images, [-1, 0, 1])
    got = t4.preprocess.remove_outliers(series)
    assert got.images.shape == images.shape
    for place in hot:
        assert abs(got.images[place] - expected[place[2:]]) < 5 * np.sqrt(dose) + 3
    touched = (got.images != images).sum()
    assert len(hot) <= touched <= len(hot) + 1e-3 * images.size
    assert sum(got.metadata["outliers"]) == touched
    # nothing that counts is lost
    assert got.images.mean() == pytest.approx(clean.mean(), rel=0.005)


def test_normalise_brings_sums_together():
    rng = np.random.default_rng(0)
    image = rng.random((30, 40)) + 1
    factors = np.array([1, 0.8, 1.3, 1.0, 0.95])
    series = t4.TiltSeries(factors[:, None, None] * image, np.arange(5.0))
    got = t4.preprocess.normalise(series)
    np.testing.assert_allclose(got.images.sum(axis=(1, 2)), image.sum(), rtol=1e-5)
    assert got.metadata["intensity_factors"] == pytest.approx(1 / factors, rel=1e-4)
    got = t4.preprocess.normalise(series, "background")
    np.testing.assert_allclose(got.images[2], image, rtol=1e-5)


def test_an_image_without_sum_is_named():
    images = np.ones((3, 10, 10))
    images[1] = -1
    with pytest.raises(DataError, match="image at 5 deg is not positive"):
        t4.preprocess.normalise(t4.TiltSeries(images, [0, 5, 10]))
    images[1] = 8
    images[2] = 0.3
    with pytest.warns(Tomo4DWarning, match="leave the image"):
        t4.preprocess.normalise(t4.TiltSeries(images, [0, 5, 10]))
