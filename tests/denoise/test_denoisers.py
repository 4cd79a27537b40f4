"""Denoisers, tuning and scores, on phantoms and on a real movie."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest
from scipy import ndimage

import napari_tomo4d as t4
from napari_tomo4d.denoise import NoiseModel, psnr
from napari_tomo4d.errors import (
    Cancelled,
    DataError,
    MissingExtraError,
    ParameterError,
    Tomo4DWarning,
)
from napari_tomo4d.progress import Progress

D = t4.denoise


@pytest.fixture(scope="module")
def phantom():
    """Projected spheres, 0 to 1."""
    y, x = np.mgrid[:160, :192]
    image = np.zeros(y.shape)
    for cy, cx, r in ((50, 60, 30), (100, 130, 38), (120, 50, 24)):
        image += np.sqrt(np.maximum(r * r - (y - cy) ** 2 - (x - cx) ** 2, 0)) / r
    return (image / image.max()).astype(np.float32)


@pytest.mark.parametrize("engine", D.ENGINES)
def test_every_denoiser_helps_against_white_noise(phantom, engine):
    if engine == "bm3d":
        pytest.importorskip("bm3d", reason="bm3d is installed with the extra bm3d")
    noise = NoiseModel("white", 0.04)
    noisy = phantom + noise.sample(phantom.shape)
    denoised = D.ENGINES[engine](noisy, noise)
    assert denoised.dtype == np.float32
    assert psnr(denoised, phantom) > psnr(noisy, phantom) + 5
    # grey values and sizes of any scale
    again = D.ENGINES[engine](1000 * noisy + 300, noise.scaled(1e6))
    np.testing.assert_allclose((again - 300) / 1000, denoised, atol=0.02)


def test_the_right_noise_model_matters(phantom):
    pytest.importorskip("bm3d", reason="bm3d is installed with the extra bm3d")
    noise = NoiseModel("g4", 0.02)
    noisy = phantom + noise.sample(phantom.shape)
    right = psnr(D.bm3d(noisy, noise), phantom)
    wrong = psnr(D.bm3d(noisy, noise.sigma), phantom)
    assert right > wrong + 2
    assert not hasattr(np, "trapz") or np.lib.NumpyVersion(np.__version__) < "2.4.0"


def test_the_level_of_the_background_does_not_matter(phantom):
    pytest.importorskip("bm3d", reason="bm3d is installed with the extra bm3d")
    noise = NoiseModel("g4", 0.02)
    noisy = phantom + noise.sample(phantom.shape)
    scores = [psnr(D.bm3d(noisy + level, noise) - level, phantom) for level in (0, 0.3, -5)]
    np.testing.assert_allclose(scores, scores[0], atol=0.05)


def test_bm3d_may_run_in_several_threads(phantom):
    pytest.importorskip("bm3d", reason="bm3d is installed with the extra bm3d")
    noise = NoiseModel("g4", 0.02)
    noisy = phantom[:64, :64] + noise.sample((64, 64))
    expected = D.bm3d(noisy, noise)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(D.bm3d(noisy, noise))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for result in results:
        np.testing.assert_allclose(result, expected, atol=1e-5)


def test_tuning_finds_a_model_and_a_strength_about_as_good_as_the_truth(phantom):
    noise = NoiseModel("g1", 0.03)
    frames = np.array([phantom + noise.sample(phantom.shape, seed) for seed in range(24)])
    result = D.tune(frames[0], frames[1:], kinds=("white", "g1", "g2", "g4"))
    assert result.best.kind == "g1"
    known = psnr(D.denoise_image(frames[0], result.method, noise), phantom)
    assert psnr(result.denoised, phantom) > known - 0.3
    whole = result.table[result.table.region == "whole"]
    # the reference's own noise is taken off, so the gain is that against the truth
    gain = whole.psnr_db.max() - result.raw_psnr_db
    true_gain = psnr(result.denoised, phantom) - psnr(frames[0], phantom)
    assert gain == pytest.approx(true_gain, abs=0.7)
    assert gain > 5
    assert set(result.table.columns) >= {"kind", "strength", "psnr_db", "ssim", "frc"}


@pytest.fixture
def movie(reference_data):
    """Frames of a real microscope that show the same place."""
    hspy = pytest.importorskip("rsciio.hspy")
    path = reference_data("abf_frames", "stem_abf_data_imagestack.hspy")
    return hspy.file_reader(str(path))[0]["data"].astype(np.float32)


def test_the_noise_of_a_real_movie_is_told_and_taken_off(movie):
    reference, peak = movie[1:].mean(axis=0), float(np.ptp(movie))
    measured = D.measured_noise(movie)
    diagnosis = D.diagnose(measured, movie.shape[1:])
    assert diagnosis.kind == "g4"
    assert diagnosis.slope == pytest.approx(-0.84, abs=0.15)
    assert psnr(movie[0], reference, peak=peak) == pytest.approx(15.37, abs=0.02)
    tuned = D.tune(movie[0], movie[1:], ("white", "g4"), measured)
    assert psnr(tuned.denoised, reference, peak=peak) > 20.3


@pytest.mark.slow  # the library's BM3D takes seconds for each strength
def test_several_scales_beat_one_on_a_real_movie(movie):
    pytest.importorskip("bm3d", reason="bm3d is installed with the extra bm3d")
    frames, measured = movie, D.measured_noise(movie)
    reference, peak = frames[1:].mean(axis=0), float(np.ptp(frames))
    variance = float(np.mean((frames[0] - reference) ** 2))

    def best(kind, strengths):
        spectrum = measured.spectrum if kind == "measured" else None
        return max(
            psnr(D.bm3d(frames[0], NoiseModel(kind, variance * s, spectrum)), reference, peak=peak)
            for s in strengths
        )

    assert best("white", [4]) >= 18.3
    assert best("g4", [4]) >= 18.8
    assert best("measured", [2]) >= 19.6
    # and a plain blur does no worse, which a person has to be told
    with pytest.warns(Tomo4DWarning, match="Gaussian blur does as well"):
        told = D.tune(frames[0], frames[1:], ("white",), measured, method="bm3d")
    # the frames share more of what is left than of a blurred image
    assert told.best.kind == "measured"
    whole = told.table[told.table.region == "whole"].sort_values("psnr_db").set_index("kind").frc
    assert whole["measured"].iloc[-1] > whole["gaussian"].iloc[-1] + 0.03
    assert "holds more of the object" in told.explanation
    # over several scales, slow noise goes too, and no blur reaches that
    better = D.tune(frames[0], frames[1:], ("white", "g4"), measured)
    assert better.table.psnr_db.max() > told.table.psnr_db.max() + 0.3


def test_scores_know_their_limits(phantom):
    noisy = phantom + NoiseModel("white", 0.01).sample(phantom.shape)
    assert psnr(noisy, phantom) == pytest.approx(20, abs=0.1)
    assert psnr(noisy, phantom, reference_variance=0.005) == pytest.approx(23, abs=0.2)
    assert D.ssim(phantom, phantom) == pytest.approx(1)
    frequency, same = D.fourier_ring_correlation(phantom, phantom)
    np.testing.assert_allclose(same, 1, atol=1e-6)
    assert 0 < frequency[0] < frequency[-1] <= 0.5
    # blurring changes the PSNR, but hardly a ring's correlation
    blurred = ndimage.gaussian_filter(noisy, 1)
    assert D.frc_score(blurred, phantom) == pytest.approx(D.frc_score(noisy, phantom), abs=0.1)


def test_a_series_is_denoised_image_by_image(phantom):
    rng = np.random.default_rng(0)
    clean = np.repeat(6 * phantom[None, :64, :80] + 0.5, 3, axis=0)
    series = t4.TiltSeries(rng.poisson(clean).astype(np.float32), [-10, 0, 10], 1.0)
    result = D.denoise_series(series, "non-local means", "white", 1.0, counts=True)
    error, before = (np.mean((s.images - clean) ** 2) for s in (result, series))
    assert error < 0.3 * before
    assert result.images.mean() == pytest.approx(clean.mean(), rel=0.03)
    assert result.provenance.step == "denoise.denoise_series"

    class Hasty(Progress):
        def show(self, *_):
            self.cancel()

    with pytest.raises(Cancelled):
        D.denoise_series(series, "wiener", progress=Hasty())


def test_cancel_is_heard_within_an_image(phantom):
    class Late(Progress):
        asked = 0

        @property
        def cancel_requested(self):
            self.asked += 1
            return self.asked > 2

    with pytest.raises(Cancelled):
        D.denoise_image(phantom, "fast bm3d", NoiseModel(variance=0.0123), progress=Late())


def test_bad_input_is_explained(phantom, monkeypatch):
    with pytest.raises(DataError, match="smaller than the blocks"):
        D.bm3d(np.zeros((8, 8)), 1.0)
    with pytest.raises(ParameterError, match="no profile 'best'"):
        D.bm3d(phantom, 0.1, "best")
    with pytest.raises(DataError, match="two axes"):
        D.wiener(np.zeros(5), NoiseModel())
    with pytest.raises(DataError, match="NaN"):
        D.wiener(np.full((20, 20), np.nan), NoiseModel())
    with pytest.raises(DataError, match="among the reference frames"):
        D.tune(phantom, np.array([phantom, phantom + 1]))
    with pytest.raises(DataError, match="same field"):
        D.tune(phantom, phantom[:5])
    with pytest.raises(DataError, match="constant"):
        D.tune(phantom, np.zeros_like(phantom))
    np.testing.assert_array_equal(D.bm3d(np.ones((32, 32)), 0.1), 1)
    monkeypatch.setitem(sys.modules, "bm3d", None)
    with pytest.raises(MissingExtraError, match="non-commercial"):
        D.bm3d(phantom, 0.1)
