"""Noise models, their measurement from frames, and counting statistics."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.denoise import CountingNoise, NoiseModel, stabilise, unstabilise
from napari_tomo4d.errors import DataError, ParameterError

D = t4.denoise


@pytest.mark.parametrize("shape", [(96, 96), (64, 151), (25, 40)])
@pytest.mark.parametrize("kind", D.KINDS)
def test_samples_have_the_spectrum_and_variance_of_the_model(kind, shape):
    model = NoiseModel(kind, 4.0)
    psd = model.psd(shape)
    assert psd.shape == shape
    assert psd.mean() == pytest.approx(4.0 * shape[0] * shape[1])
    samples = np.array([model.sample(shape, seed) for seed in range(60)])
    # a realisation may miss its variance where few frequencies hold most of the power
    assert samples.var() == pytest.approx(4.0, rel=0.2)
    power = np.mean(np.abs(np.fft.fft2(samples)) ** 2, axis=0)
    strong = psd > psd.mean() / 10
    np.testing.assert_allclose((power[strong] / psd[strong]).mean(), 1, rtol=0.05)


def test_pink_noise_is_the_published_formula():
    psd = NoiseModel("g4").psd((128, 200))
    ky, kx = 7, 11
    expected = (np.hypot(ky, kx) + 0.01 * np.sqrt(128 * 200)) / (3 + 0.01 * np.sqrt(128 * 200))
    assert psd[0, 3] / psd[ky, kx] == pytest.approx(expected)


def test_lines_are_correlated_along_the_scan_only():
    sample = NoiseModel("g1").sample((200, 200))

    def correlation(a, b):
        return np.corrcoef(a.ravel(), b.ravel())[0, 1]

    assert correlation(sample[:, 1:], sample[:, :-1]) > 0.95
    assert abs(correlation(sample[1:], sample[:-1])) < 0.1


@pytest.mark.parametrize("kind", ["white", "g1", "g3", "g4"])
def test_noise_measured_from_frames_is_the_noise_that_was_added(kind):
    shape = (128, 160)
    y, x = np.mgrid[: shape[0], : shape[1]]
    field = 50 * np.exp(-((y - 60) ** 2 + (x - 90) ** 2) / 800)
    added = NoiseModel(kind, 9.0)
    frames = np.array([field + added.sample(shape, seed) for seed in range(8)])
    measured = D.measured_noise(frames)
    assert measured.variance == pytest.approx(9.0, rel=0.15)
    diagnosis = D.diagnose(measured, shape)
    assert diagnosis.kind == kind
    if kind == "g4":
        assert -1.2 < diagnosis.slope < -0.5
    if kind == "white":
        assert abs(diagnosis.slope) < 0.1


def test_a_measured_spectrum_fits_other_sizes():
    model = NoiseModel("measured", 1.0, NoiseModel("g4").psd((128, 128)))
    small = model.resized((64, 96))
    expected = NoiseModel("g4").psd((64, 96))
    # the same frequencies in cycles per pixel, away from the lowest few
    ratio = small.psd((64, 96)) / expected
    assert np.median(np.abs(np.log(ratio))) < 0.2
    with pytest.raises(DataError, match="for images of"):
        model.psd((64, 96))


def test_gain_and_read_noise_come_from_frames():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:200, :200]
    electrons = 4 + 40 * np.exp(-((y - 100) ** 2 + (x - 80) ** 2) / 3000)
    frames = 100 + 2.5 * rng.poisson(electrons, (12, 200, 200)) + rng.normal(0, 3, (12, 200, 200))
    found = D.counting_noise(frames, offset=100)
    assert found.gain == pytest.approx(2.5, rel=0.05)
    assert found.read == pytest.approx(3, rel=0.35)


@pytest.mark.parametrize("mean", [0.5, 2.0, 6.0, 30.0, 300.0])
def test_the_inverse_of_the_anscombe_transform_is_unbiased(mean):
    counts = np.random.default_rng(1).poisson(mean, 400_000)
    for noise in (CountingNoise(1.0), CountingNoise(3.0, 20.0)):
        image = noise.offset + noise.gain * counts
        transformed = stabilise(image, noise)
        if mean >= 6:
            assert transformed.var() == pytest.approx(1, rel=0.05)
        back = unstabilise(transformed.mean(), noise)
        assert back == pytest.approx(image.mean(), abs=0.02 * noise.gain * np.sqrt(mean) + 0.01)
    # undoing the square root alone would be off
    naive = (stabilise(counts, CountingNoise(1.0)).mean() / 2) ** 2 - 0.375
    assert naive < mean - 0.1


def test_the_transform_allows_for_read_noise():
    rng = np.random.default_rng(2)
    noise = CountingNoise(2.0, 10.0, 4.0)
    image = 10 + 2 * rng.poisson(40, 300_000) + rng.normal(0, 4, 300_000)
    transformed = stabilise(image, noise)
    assert transformed.var() == pytest.approx(1, rel=0.03)
    assert unstabilise(transformed.mean(), noise) == pytest.approx(90, rel=0.005)


def test_bad_input_is_explained():
    with pytest.raises(ParameterError, match="There is no noise 'blue'"):
        NoiseModel("blue")
    with pytest.raises(ParameterError, match="impossible"):
        NoiseModel("white", -1)
    with pytest.raises(DataError, match="At least two frames"):
        D.measured_noise(np.ones((1, 8, 8)))
    with pytest.raises(DataError, match="constant"):
        D.counting_noise(np.ones((3, 32, 32)))
