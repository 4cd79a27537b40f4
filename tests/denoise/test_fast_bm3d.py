"""The package's own BM3D: results, and the exact variances that it rests on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numba import njit
from scipy import fft, linalg

from napari_tomo4d.denoise import NoiseModel, bm3d, psnr
from napari_tomo4d.denoise import bm3d_multiscale as module
from napari_tomo4d.denoise.bm3d_kernels import _fill_variances
from napari_tomo4d.denoise.bm3d_multiscale import fast_bm3d
from napari_tomo4d.denoise.bm3d_transforms import WINDOW, add_inverse, cosine_transform
from napari_tomo4d.errors import Cancelled

KINDS = ("white", "g1", "g2", "g3", "g4")


@pytest.fixture(scope="module")
def phantom():
    """Projected spheres, 0 to 1."""
    y, x = np.mgrid[:160, :192]
    image = np.zeros(y.shape)
    for cy, cx, r in ((50, 60, 30), (100, 130, 38), (120, 50, 24)):
        image += np.sqrt(np.maximum(r * r - (y - cy) ** 2 - (x - cx) ** 2, 0)) / r
    return (image / image.max()).astype(np.float32)


@pytest.mark.parametrize(
    ("kind", "gain"), [("white", 16), ("g1", 9), ("g2", 14), ("g3", 18), ("g4", 11)]
)
def test_noise_of_any_kind_is_removed(phantom, kind, gain):
    noise = NoiseModel(kind, 0.02)
    noisy = phantom + noise.sample(phantom.shape, 1)
    denoised = fast_bm3d(noisy, noise)
    assert denoised.dtype == np.float32
    assert psnr(denoised, phantom) > psnr(noisy, phantom) + gain


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_no_worse_than_the_package(phantom, kind):
    pytest.importorskip("bm3d", reason="bm3d is installed with the extra bm3d")
    noise = NoiseModel(kind, 0.02)
    noisy = phantom + noise.sample(phantom.shape, 1)
    theirs = psnr(bm3d(noisy, noise, profile="lc"), phantom)
    assert psnr(fast_bm3d(noisy, noise), phantom) > theirs - 0.15


def test_a_wrong_noise_model_loses(phantom):
    noise = NoiseModel("g4", 0.02)
    noisy = phantom + noise.sample(phantom.shape, 1)
    right = psnr(fast_bm3d(noisy, noise), phantom)
    for wrong in (NoiseModel("white", 0.02), NoiseModel("g2", 0.02), noise.scaled(0.2)):
        assert psnr(fast_bm3d(noisy, wrong), phantom) < right - 1


def test_the_result_does_not_depend_on_threads(phantom):
    noise = NoiseModel("g4", 0.02)
    noisy = phantom[:, :150] + noise.sample((160, 150))
    expected = fast_bm3d(noisy, noise, threads=1)
    np.testing.assert_array_equal(fast_bm3d(noisy, noise, threads=3), expected)
    # nor on calls from several threads at once
    with ThreadPoolExecutor(3) as pool:
        for result in pool.map(lambda _: fast_bm3d(noisy, noise, threads=2), range(3)):
            np.testing.assert_array_equal(result, expected)


def test_units_and_levels_do_not_matter(phantom):
    noise = NoiseModel("g1", 0.02)
    noisy = phantom + noise.sample(phantom.shape)
    expected = fast_bm3d(noisy, noise)
    for scale, level in ((1000, 0), (1e-6, 0), (1, -5), (30, 300)):
        result = fast_bm3d(scale * noisy + level, noise.scaled(scale**2))
        difference = np.abs((result - level) / scale - expected)
        # a coefficient right at its threshold may fall on the other side after rounding
        assert difference.max() < 0.02
        assert np.sqrt(np.mean(difference**2)) < 5e-4
    flipped = fast_bm3d(-noisy, noise)
    np.testing.assert_allclose(-flipped, expected, atol=0.02)


@pytest.mark.parametrize("shape", [(16, 16), (17, 16), (16, 301), (33, 32), (63, 37), (65, 130)])
@pytest.mark.parametrize("kind", ["white", "g4"])
def test_small_and_odd_images(shape, kind):
    y, x = np.mgrid[: shape[0], : shape[1]]
    clean = ((y + 2 * x) / (shape[0] + 2 * shape[1])).astype(np.float32)
    noise = NoiseModel(kind, 0.02)
    noisy = clean + noise.sample(shape, 2)
    denoised = fast_bm3d(noisy, noise)
    assert denoised.shape == shape
    assert np.isfinite(denoised).all()
    assert np.mean((denoised - clean) ** 2) < 0.5 * np.mean((noisy - clean) ** 2)


def test_images_without_noise_or_content(phantom):
    np.testing.assert_array_equal(fast_bm3d(np.full((40, 50), 7.5), NoiseModel("g4")), 7.5)
    np.testing.assert_array_equal(fast_bm3d(phantom, NoiseModel("g2", 0.0)), phantom)
    # noise that is far too weak or far too strong
    np.testing.assert_allclose(fast_bm3d(phantom, NoiseModel("g3", 1e-12)), phantom, atol=1e-4)
    flat = fast_bm3d(phantom, NoiseModel("white", 1e6))
    assert np.isfinite(flat).all()
    assert flat.mean() == pytest.approx(phantom.mean(), abs=0.5)
    # and a spectrum with nothing but one frequency
    spectrum = np.zeros((64, 64))
    spectrum[3, 5] = spectrum[-3, -5] = 1
    noise = NoiseModel("measured", 0.02, spectrum)
    noisy = phantom[:64, :64] + noise.sample((64, 64))
    denoised = fast_bm3d(noisy, noise)
    assert np.isfinite(denoised).all()
    assert psnr(denoised, phantom[:64, :64]) > psnr(noisy, phantom[:64, :64])


def test_a_measured_spectrum_of_another_size_is_resampled(phantom):
    noise = NoiseModel("g4", 0.02)
    noisy = phantom + noise.sample(phantom.shape)
    measured = NoiseModel("measured", 0.02, noise.psd((128, 128)))
    expected = psnr(fast_bm3d(noisy, noise), phantom)
    assert psnr(fast_bm3d(noisy, measured), phantom) == pytest.approx(expected, abs=0.5)


def test_it_can_be_cancelled(phantom):
    asked = []

    def cancelled():
        asked.append(True)
        return len(asked) > 5

    with pytest.raises(Cancelled):
        fast_bm3d(phantom, NoiseModel(variance=0.01), threads=2, cancelled=cancelled)
    assert len(asked) < 12


@njit
def _there(image, start, stride, blocks, into):
    cosine_transform(image, start, stride, blocks, into)


@njit
def _back(blocks, first, total, weights, start, stride, scale, weight):
    add_inverse(blocks, first, total, weights, start, stride, scale, weight)


def test_blocks_are_transformed_and_turned_back():
    rng = np.random.default_rng(0)
    image = rng.standard_normal((20, 31)).astype(np.float32)
    blocks = np.zeros(200, np.float32)
    _there(image, 5 * 31 + 9, 31, blocks, 70)
    block = image[5:13, 9:17]
    expected = fft.dctn(block, norm="ortho").T.ravel()
    np.testing.assert_allclose(blocks[70:134], expected, atol=1e-5)
    assert not blocks[:70].any() and not blocks[134:].any()
    total, weights = np.zeros((2, 20, 31), np.float32)
    _back(blocks, 70, total, weights, 3 * 31 + 22, 31, np.float32(2), np.float32(3))
    window = np.outer(WINDOW, WINDOW)
    np.testing.assert_allclose(total[3:11, 22:30], 2 * window * block, atol=1e-5)
    np.testing.assert_allclose(weights[3:11, 22:30], 3 * window, atol=1e-5)
    assert weights.sum() == pytest.approx(3 * window.sum(), rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 8, 32])
def test_variances_of_groups_are_exact(kind, n):
    shape, reach = (64, 81), 10
    psd = NoiseModel(kind).psd(shape)
    covariance = np.fft.ifft2(psd).real / psd.size
    table = module._coefficient_covariance(covariance, 2 * reach)
    rng = np.random.default_rng(n)
    ys, xs = rng.integers(-reach, reach + 1, (2, 32))
    variance = np.zeros(64 * 32, np.float32)
    _fill_variances(table, ys, xs, n, np.zeros(36, np.int64), variance)
    # from the definition: the power of the noise behind each coefficient's own filter
    walsh = linalg.hadamard(n)
    phases = np.exp(
        2j
        * np.pi
        * (
            np.fft.fftfreq(shape[0])[:, None, None] * ys[:n]
            + np.fft.fftfreq(shape[1])[:, None] * xs[:n]
        )
    )
    group = np.abs(phases @ walsh.T) ** 2
    for i, j in ((0, 0), (0, 1), (2, 1), (7, 5)):
        delta = np.zeros((8, 8))
        delta[i, j] = 1
        basis = np.abs(np.fft.fft2(fft.idctn(delta, norm="ortho"), shape)) ** 2
        expected = np.einsum("yx,yxm->m", psd * basis, group) / psd.size**2
        found = variance.reshape(32, 64)[:n, 8 * j + i]
        np.testing.assert_allclose(found, np.maximum(expected, 1e-6), rtol=2e-3, atol=2e-4 * n)


@pytest.mark.parametrize("shape", [(64, 96), (63, 97)])
def test_noise_at_half_the_resolution(shape):
    noise = NoiseModel("g4")
    psd = module._halved_psd(noise.psd(shape))
    halved = np.array([module._halved(noise.sample(shape, seed)) for seed in range(100)])
    assert halved.shape[1:] == psd.shape == ((shape[0] + 1) // 2, (shape[1] + 1) // 2)
    assert halved.var() == pytest.approx(psd.mean() / psd.size, rel=0.1)
    power = np.mean(np.abs(np.fft.fft2(halved)) ** 2, axis=0)
    inner = np.s_[2:12, 2:12]
    assert (power[inner] / psd[inner]).mean() == pytest.approx(1, abs=0.1)
    ramp = np.add.outer(np.arange(shape[0]), 2.0 * np.arange(shape[1]))
    again = module._doubled(module._halved(ramp), shape)
    np.testing.assert_allclose(again[4:-4, 4:-4], ramp[4:-4, 4:-4], atol=1e-3)
