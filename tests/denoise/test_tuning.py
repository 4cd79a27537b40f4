"""Tuning over several tilts, with counts, and with no reference at all."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.denoise import (
    Comparison,
    CountingNoise,
    NoiseModel,
    Tuning,
    estimate_variance,
    psnr,
    tune_blind,
    tune_series,
)
from napari_tomo4d.denoise.noise_model import kind_in_words
from napari_tomo4d.errors import Cancelled, DataError, ParameterError, Tomo4DWarning
from napari_tomo4d.progress import Progress

D = t4.denoise


def spheres(shape=(150, 170), seed=0):
    """Projected spheres, 0 to about 1."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.zeros(shape)
    for _ in range(6):
        r = rng.uniform(14, 30)
        cy, cx = rng.uniform(30, shape[0] - 30), rng.uniform(30, shape[1] - 30)
        image += np.sqrt(np.maximum(r * r - (y - cy) ** 2 - (x - cx) ** 2, 0)) / r
    return (image / image.max()).astype(np.float32)


def full_grid(tuning, kinds):
    return {
        (kind, strength): tuning.evaluate(kind, strength)["psnr_db"]
        for kind in kinds
        for strength in D.STRENGTHS
    }


@pytest.mark.parametrize(
    "kind",
    [
        "g4",
        pytest.param("g2", marks=pytest.mark.slow),
        pytest.param("white", marks=pytest.mark.slow),
    ],
)
def test_the_search_is_as_good_as_the_full_grid_for_a_quarter_of_the_work(kind):
    clean, noise = spheres(), NoiseModel(kind, 0.02)
    noisy = clean + noise.sample(clean.shape, 1)
    result = D.tune(noisy, clean)
    assert result.evaluations <= len(D.KINDS) * len(D.STRENGTHS) / 4
    best = max(full_grid(Tuning([Comparison.of(noisy, clean)]), D.KINDS).values())
    assert psnr(result.denoised, clean) > best - 0.1
    if kind != "white":
        assert result.best.kind.startswith(kind)


def test_counts_are_evened_and_that_pays():
    clean = 6 * spheres() + 0.05
    rng = np.random.default_rng(0)
    frames = rng.poisson(clean, (13, *clean.shape)).astype(np.float32)
    plain = D.tune(frames[0], frames[1:], ("white", "g4"))
    even = D.tune(frames[0], frames[1:], ("white", "g4"), counting=CountingNoise(1.0))
    assert even.counting == CountingNoise(1.0)
    assert even.best.kind == "white"
    assert even.best.variance == pytest.approx(1, rel=0.6)
    assert psnr(even.denoised, clean) > psnr(plain.denoised, clean) + 0.5


def test_several_tilts_are_tuned_together():
    clean = np.array([spheres(seed=k) for k in range(4)])
    noise = NoiseModel("g4", 0.03)
    images = [
        c + np.array([noise.sample(c.shape, 9 * k + i) for i in range(n)])
        for k, (c, n) in enumerate(zip(clean, (4, 1, 3, 4), strict=True))
    ]
    series = t4.TiltSeries(images, [-3, 0, 3, 6])
    result = tune_series(series, 3, ("white", "g4"))
    assert result.best.kind == "g4"
    assert result.best.variance == pytest.approx(0.03, rel=0.7)
    measured = D.measured_noise_of(series)
    assert measured.variance == pytest.approx(0.03, rel=0.1)
    assert D.diagnose(measured, series.image_shape).kind == "g4"
    single = series.replace(images=[f[:1] for f in images])
    with pytest.raises(DataError, match="one frame per tilt"):
        tune_series(single)
    with pytest.raises(DataError, match="one frame per tilt"):
        D.measured_noise_of(single)


@pytest.mark.parametrize("kind", ["white", "g2", "g4"])
def test_blind_tuning_finds_the_strength_of_a_known_kind(kind):
    clean, noise = spheres((200, 220)), NoiseModel(kind, 0.02)
    noisy = clean + noise.sample(clean.shape, 3)
    assert estimate_variance(noisy, kind) == pytest.approx(0.02, rel=0.15)
    with pytest.warns(Tomo4DWarning, match="Tuned blindly"):
        result = tune_blind(noisy, kind)
    assert result.blind
    assert result.best.kind == kind
    tuning = Tuning([Comparison.of(noisy, clean)])
    best = max(full_grid(tuning, [kind]).values())
    assert psnr(result.denoised, clean) > best - 1.5
    assert "Blind" in result.explanation


def test_what_decided_is_said_in_words():
    clean, noise = spheres(), NoiseModel("g4", 0.02)
    frames = np.array([clean + noise.sample(clean.shape, k) for k in range(5)])
    result = D.tune(frames[0], frames[1:], ("white", "g4"))
    assert result.explanation.startswith(f"Best by PSNR: {kind_in_words(result.best.kind)} noise")
    assert "Best Gaussian" in result.explanation
    kinds = set(result.table.kind)
    assert {"none", "gaussian", "white", "g4"} <= kinds
    # a blur does not raise the ring correlation, denoising does
    whole = result.table[result.table.region == "whole"]
    by_kind = whole.groupby("kind").frc.max()
    assert by_kind["gaussian"] == pytest.approx(by_kind["none"], abs=0.02)
    assert by_kind["g4"] > by_kind["gaussian"] + 0.03


def test_tuning_can_be_cancelled_and_nonsense_is_explained():
    clean = spheres()
    noisy = clean + NoiseModel("g4", 0.02).sample(clean.shape)

    class Hasty(Progress):
        def show(self, *_):
            self.cancel()

    with pytest.raises(Cancelled):
        D.tune(noisy, clean, progress=Hasty())
    with pytest.raises(DataError, match="no frames in the reference"):
        D.tune(noisy, np.empty((0, *clean.shape)))
    with pytest.raises(DataError, match="NaN"):
        D.tune(noisy, np.full(clean.shape, np.nan))
    with pytest.raises(DataError, match="nothing to tune"):
        D.tune(noisy, noisy)
    with pytest.raises(ParameterError, match="no profile 'best'"):
        D.tune(noisy, clean, profiles=("best",))
    with pytest.raises(DataError, match="constant"):
        tune_blind(np.ones((40, 40)))
    with pytest.raises(DataError, match="measured spectrum"):
        tune_blind(noisy, "measured")
    with pytest.raises(DataError, match="one image"):
        tune_blind(np.ones((3, 40, 40)))


def test_real_frames_of_a_liquid_cell(reference_data):
    path = reference_data("nanoparticles_n6", "N6_liquid_sample_stack.mat")
    with pytest.warns(Tomo4DWarning):
        series = t4.read(path)
    measured = D.measured_noise_of(series)
    diagnosis = D.diagnose(measured, series.image_shape)
    # these frames were smoothed by somebody: no model of noise is like that
    assert not diagnosis.fits
    assert "use the measured spectrum" in diagnosis.advice
    tuning = Tuning(D.comparisons_of(series, 4), measured)
    raw, gaussian = tuning.add_plain()
    found = tuning.evaluate("measured", 1.0)
    table = tuning.table
    blur = table[table.kind == "gaussian"]
    # leave-one-out: each first frame against the others of its tilt, averaged over tilts
    assert found["psnr_db"] > raw + 1
    assert found["frc"] > table[table.kind == "none"].frc.max() + 0.005
    assert found["frc"] > blur.frc.max() + 0.005
    assert np.isfinite(gaussian)


def test_counts_of_a_real_microscope_model(reference_data):
    io = pytest.importorskip("scipy.io")
    few, many = (
        np.moveaxis(io.loadmat(reference_data("asi_208", name))["Trunc_projections_forBM3D"], 2, 0)
        for name in ("aSi2_1p6e4.mat", "aSi2_1p6e5.mat")
    )
    # both have one count of background, and ten times the dose is ten times the signal
    reference = ((many - 1.0) / 10 + 1).astype(np.float32)
    pytest.importorskip("bm3d", reason="bm3d is installed with the extra bm3d")
    chosen = range(0, 60, 20)
    comparisons = [
        Comparison(few[i].astype(np.float32), reference[i], many.mean() / 100, None) for i in chosen
    ]
    best = {}
    for name, counting in (("plain", None), ("even", CountingNoise(1.0))):
        tuning = Tuning(comparisons, method="bm3d", counting=counting)
        best[name] = max(tuning.evaluate("white", s)["psnr_db"] for s in (1.0, 1.5))
    assert best["even"] > best["plain"] + 0.1
