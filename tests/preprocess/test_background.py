"""Backgrounds of known shape are found under noise and particles."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.errors import Cancelled, DataError, Tomo4DWarning
from napari_tomo4d.preprocess import membrane, plane
from napari_tomo4d.progress import Progress


def scene(shape=(300, 370)):
    """Two particles and a harmonic background, whose value under them is thereby known."""
    y, x = (np.linspace(-1, 1, n) for n in shape)
    y, x = y[:, None], x[None]
    background = 100 + 20 * x - 15 * y + 10 * (x**2 - y**2) + 8 * x * y
    particles = np.zeros(shape, bool)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    image = background.copy()
    for cy, cx, r in ((110, 120, 50), (190, 260, 60)):
        inside = (rows - cy) ** 2 + (columns - cx) ** 2 < r * r
        particles |= inside
        image += np.where(
            inside,
            100 + 300 * np.sqrt(np.maximum(r * r - (rows - cy) ** 2 - (columns - cx) ** 2, 0)) / r,
            0,
        )
    return image, background, particles


def test_a_known_membrane_comes_back():
    image, background, particles = scene()
    rng = np.random.default_rng(0)
    noisy = image + rng.normal(0, 3, image.shape)
    found = membrane(noisy, particles)
    error = found - background
    # of the background's own value, and far below its range of 70
    assert np.abs(error[particles]).max() < 0.01 * 100
    assert np.sqrt(np.mean(error**2)) < 0.003 * 100


def test_the_whole_step_finds_the_particles_itself():
    image, background, particles = scene()
    rng = np.random.default_rng(1)
    noisy = rng.poisson(np.stack([image, 0.5 * image, image[::-1]])).astype(np.float32)
    series = t4.TiltSeries(noisy, [-10, 0, 10])
    got = t4.preprocess.subtract_background(series, clip=False, method="membrane").images
    for result, clean, where in zip(
        got,
        (image - background, 0.5 * (image - background), (image - background)[::-1]),
        (particles, particles, particles[::-1]),
        strict=True,
    ):
        assert result[where].mean() == pytest.approx(clean[where].mean(), rel=0.01)
        assert abs(result[~where].mean()) < 0.3
    # a constant leaves the slope
    flat = t4.preprocess.subtract_background(series, clip=False).images
    assert np.abs(flat[0][:, :40].mean()) > 5


def test_a_plane_comes_back():
    y, x = np.mgrid[:80, :90]
    background = 5 + 0.1 * y - 0.2 * x
    image = background.copy()
    image[20:50, 30:60] += 200
    found = plane(image, image > 100)
    np.testing.assert_allclose(found, background, atol=1e-4)
    series = t4.TiltSeries(image[None], [0])
    got = t4.preprocess.subtract_background(series, method="plane", clip=False)
    assert np.abs(got.images[0][:15]).max() < 1e-3
    assert got.metadata["background"] == pytest.approx([background.mean()], rel=1e-3)


def test_a_mask_can_be_given_and_nonsense_is_explained():
    image, background, particles = scene()
    series = t4.TiltSeries(image[None], [0])
    got = t4.preprocess.subtract_background(
        series, method="membrane", particles=particles, margin_px=0, clip=False
    )
    expected = (image - background)[particles].mean()
    assert got.images[0][particles].mean() == pytest.approx(expected, rel=0.01)
    with pytest.raises(DataError, match="shape"):
        t4.preprocess.subtract_background(series, method="membrane", particles=particles[:5])
    with pytest.raises(DataError, match="shows no background"):
        t4.preprocess.subtract_background(
            series, method="membrane", particles=np.ones_like(particles)
        )
    constant = t4.TiltSeries(np.full((1, 40, 40), 7.0), [0])
    with pytest.warns(Tomo4DWarning, match="constant"):
        flat = t4.preprocess.subtract_background(constant, method="membrane")
    np.testing.assert_allclose(flat.images, 0, atol=1e-5)
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        t4.preprocess.subtract_background(series, method="membrane", progress=progress)
