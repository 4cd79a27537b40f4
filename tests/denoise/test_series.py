"""Denoising whole series: strengths, frames, measured spectra, stacks, the memory of results."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.denoise import NoiseModel, denoise_series, measured_noise
from napari_tomo4d.denoise.cache import ResultCache, content_key
from napari_tomo4d.errors import DataError, ParameterError, ReadError, Tomo4DWarning, WriteError

D = t4.denoise


@pytest.fixture(scope="module")
def clean():
    """A sphere that moves a little from tilt to tilt, 0 to 1."""
    y, x = np.mgrid[:64, :72]
    return np.array(
        [np.sqrt(np.maximum(22**2 - (y - 30) ** 2 - (x - 32 - k) ** 2, 0)) / 22 for k in range(15)],
        np.float32,
    )


def noisy_series(clean, noise, **metadata):
    images = clean + np.array([noise.sample(clean.shape[1:], k) for k in range(len(clean))])
    return t4.TiltSeries(images, np.arange(float(len(clean))), metadata=metadata)


def test_the_strength_is_found_in_each_image(clean):
    series = noisy_series(clean, NoiseModel("g4", 0.04))
    done = denoise_series(series, noise="g4")
    assert np.mean(done.metadata["noise_sigma"]) == pytest.approx(0.2, rel=0.15)
    assert np.mean((done.images - clean) ** 2) < 0.1 * 0.04
    assert "mean sigma" in done.provenance.notes[0]
    given = denoise_series(series, noise="g4", sigma=0.2)
    assert given.metadata["noise_sigma"] == pytest.approx([0.2] * len(series))


def test_means_of_frames_have_less_noise(clean):
    series = noisy_series(clean[:2], NoiseModel(variance=0.01), frames_averaged=[4, 1])
    done = denoise_series(series, noise="white", sigma=0.2)
    assert done.metadata["noise_sigma"] == pytest.approx([0.1, 0.2])


def test_negative_counts_are_told():
    images = np.random.default_rng(0).poisson(3.0, (2, 32, 32)).astype(np.float32)
    series = t4.TiltSeries(images - 2, [0, 1])
    with pytest.warns(Tomo4DWarning, match="below the grey value of no electrons"):
        denoise_series(series, "wiener", "white", counts=True)
    told = denoise_series(series, "wiener", "white", counts=True, offset=-2.0)
    assert told.images.mean() == pytest.approx(1, abs=0.1)


def test_a_measured_spectrum_goes_through_a_file(clean, tmp_path):
    noise = NoiseModel("g1", 0.04)
    frames = np.array([noise.sample((64, 72), k) for k in range(60)])
    measured = measured_noise(frames)
    path = tmp_path / "noise.npz"
    measured.save(path)
    again = NoiseModel.load(path)
    assert again.kind == "measured"
    assert again.variance == pytest.approx(measured.variance)
    np.testing.assert_allclose(again.spectrum, measured.spectrum, rtol=1e-5)
    series = noisy_series(clean[:3], noise)
    done = denoise_series(series, noise="measured", sigma=0.2, path=str(path))
    wrong = denoise_series(series, noise="white", sigma=0.2)
    error, wrong_error = (np.mean((s.images - clean[:3]) ** 2) for s in (done, wrong))
    assert error < 0.5 * wrong_error
    with pytest.raises(ParameterError, match="needs the file"):
        denoise_series(series, noise="measured")
    with pytest.raises(ReadError, match="can't be read as a noise model"):
        NoiseModel.load(tmp_path / "missing.npz")
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{**arrays, "schema_version": 2})
    with pytest.raises(ReadError, match="written by a newer version"):
        NoiseModel.load(path)
    np.savez(path, **{**arrays, "kind": "odd"})
    with pytest.raises(ReadError, match="can't be read as a noise model"):
        NoiseModel.load(path)
    path.write_text("no noise")
    with pytest.raises(ReadError, match="can't be read as a noise model"):
        NoiseModel.load(path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(WriteError, match="is a folder"):
        measured.save(tmp_path / "folder")


def test_a_stack_is_denoised_together(clean):
    pytest.importorskip("bm4d", reason="bm4d is installed with the extra bm3d")
    series = noisy_series(clean[:6, 14:46, 16:48], NoiseModel("g4", 0.04))
    done = denoise_series(series, "bm4d", "g4", 0.2)
    assert done.images.shape == series.images.shape
    assert np.mean((done.images - clean[:6, 14:46, 16:48]) ** 2) < 0.3 * 0.04
    with pytest.raises(DataError, match="stack"):
        D.bm4d(clean[0], NoiseModel())
    with pytest.raises(DataError, match="at least 16"):
        D.bm4d(clean[:, :8], NoiseModel())


def test_results_are_remembered_by_content(monkeypatch):
    calls = []

    def slow(image, noise):
        calls.append(noise.variance)
        return image - noise.variance

    monkeypatch.setitem(D.ENGINES, "slow", slow)
    image = np.random.default_rng(0).random((20, 20)).astype(np.float32)
    first = D.denoise_image(image, "slow", NoiseModel(variance=2))
    again = D.denoise_image(image.copy(), "slow", NoiseModel(variance=2))
    np.testing.assert_array_equal(first, again)
    D.denoise_image(image, "slow", NoiseModel(variance=3))
    D.denoise_image(image + 1, "slow", NoiseModel(variance=2))
    assert calls == [2, 3, 2]
    with pytest.raises(ValueError, match="read-only"):
        again[0, 0] = 1
    with pytest.raises(ParameterError, match="no method 'magic'"):
        D.denoise_image(image, "magic", NoiseModel())


def test_the_memory_of_results_is_bounded():
    cache = ResultCache(max_bytes=1000)
    for k in range(5):
        cache.get(content_key(k), lambda k=k: np.full(100, k, np.float32))
    assert cache.get(content_key(4), lambda: np.zeros(0)).mean() == 4
    assert cache.get(content_key(0), lambda: np.ones(1)).mean() == 1
    cache.clear()
    assert cache.get(content_key(4), lambda: np.ones(1)).mean() == 1
    # the same bytes in another shape are something else
    a = np.zeros((2, 3))
    assert content_key(a) != content_key(a.reshape(3, 2))
