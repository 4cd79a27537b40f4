"""Pixel size from simulated silicon, dose from the scan."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.errors import DataError, ParameterError, Tomo4DWarning
from napari_tomo4d.preprocess import pixel_size_from_lattice

SI_A_NM = 0.54309
SI_111_NM = SI_A_NM / np.sqrt(3)


def silicon_110(pixel_size_nm, shape=(512, 512), turn_deg=7.0, dose=30.0, seed=0, stretch=1.0):
    """Return an image of the dumbbells of silicon along [110], with counting noise."""
    y, x = (np.arange(n) * pixel_size_nm for n in shape)
    y, x = y[:, None] * stretch, x[None]
    t = np.deg2rad(turn_deg)
    u, v = x * np.cos(t) + y * np.sin(t), -x * np.sin(t) + y * np.cos(t)
    image = np.zeros(shape)
    # a rectangle a/sqrt(2) x a with columns at its corner and middle, each of them double
    width, height = SI_A_NM / np.sqrt(2), SI_A_NM
    for du, dv in ((0, 0), (0.5, 0.5)):
        for pair in (-0.125, 0.125):
            a = (u / width - du + 0.5) % 1 - 0.5
            b = (v / height - dv - pair + 0.5) % 1 - 0.5
            image += np.exp(-((a * width) ** 2 + (b * height) ** 2) / (2 * 0.04**2))
    return np.random.default_rng(seed).poisson(dose * (0.2 + image)).astype(float)


@pytest.mark.parametrize("pixel_size_nm", [0.0123, 0.02, 0.031])
@pytest.mark.parametrize("turn_deg", [0, 7, 33])
def test_pixel_size_of_silicon(pixel_size_nm, turn_deg):
    image = silicon_110(pixel_size_nm, turn_deg=turn_deg)
    found = pixel_size_from_lattice(image, SI_111_NM)
    assert found.pixel_size_nm == pytest.approx(pixel_size_nm, rel=1e-3)
    assert len(found.spots) == 2
    assert found.uncertainty_nm < 1e-3 * pixel_size_nm


def test_several_images_and_sizes():
    images = [
        silicon_110(0.02, shape, 7 + 10 * k, seed=k)
        for k, shape in enumerate([(400, 512), (512, 333), (256, 256)])
    ]
    found = pixel_size_from_lattice(images, SI_111_NM)
    assert found.pixel_size_nm == pytest.approx(0.02, rel=1e-3)
    assert len(found.spots) == 6


def test_a_distorted_scan_is_told():
    with pytest.warns(Tomo4DWarning, match="distorted"):
        found = pixel_size_from_lattice(silicon_110(0.02, stretch=1.03, turn_deg=45), SI_111_NM)
    assert found.spread_nm > 0.01 * 0.02


def test_what_is_no_lattice_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="No lattice"):
        pixel_size_from_lattice(rng.poisson(5, (256, 256)), 0.3)
    y, x = np.mgrid[-16:16, -16:16]
    with pytest.raises(DataError, match="No lattice"):
        pixel_size_from_lattice(np.exp(-(y**2 + x**2) / 2), 0.3)
    with pytest.raises(DataError, match="constant"):
        pixel_size_from_lattice(np.ones((64, 64)), 0.3)
    with pytest.raises(DataError, match="32 pixels"):
        pixel_size_from_lattice(np.ones((8, 64)), 0.3)
    with pytest.raises(ParameterError, match="positive"):
        pixel_size_from_lattice(np.ones((64, 64)), 0)


def test_dose_counts_frames_and_forgets_binning():
    series = t4.TiltSeries([np.ones((n, 8, 8)) for n in (1, 3)], [0, 10], 2.0)
    dosed = t4.preprocess.set_dose(series, 16.021766, 1000)
    # 16 pA for 1 us are 100 electrons, on 4 square nanometres
    assert dosed.metadata["dose_e_per_nm2_per_tilt"] == pytest.approx([25, 75], rel=1e-5)
    assert dosed.dose_e_per_nm2 == pytest.approx(100, rel=1e-5)
    later = t4.preprocess.bin(t4.preprocess.average_frames(series, register=False), 2)
    assert t4.preprocess.set_dose(later, 16.021766, 1000).dose_e_per_nm2 == pytest.approx(100)
    with pytest.raises(DataError, match="pixel size"):
        t4.preprocess.set_dose(t4.TiltSeries(np.ones((1, 4, 4)), [0]), 1, 1)
    assert t4.preprocess.set_pixel_size(series, 0.5).pixel_size_nm == 0.5
