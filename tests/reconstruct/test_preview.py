"""The slices that follow a tilt axis while it is moved."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.errors import DataError
from napari_tomo4d.reconstruct import Projector, SlicePreview

ANGLES = np.arange(-60, 61, 3.0)


@pytest.mark.parametrize("tilt_axis", ["y", "x"])
def test_it_shows_what_wbp_gives(tilt_axis):
    rng = np.random.default_rng(0)
    images = rng.random((len(ANGLES), 24, 31), dtype=np.float32)
    series = t4.TiltSeries(images, ANGLES, 1.0, tilt_axis)
    volume = t4.reconstruct.wbp(series, "shepp-logan", thickness=20, axis_shift_px=2.5).data
    slices = SlicePreview(series, 20).slices([3, 17], axis_shift_px=2.5)
    expected = volume[:, [3, 17]] if tilt_axis == "y" else volume[:, :, [3, 17]].transpose(0, 2, 1)
    np.testing.assert_allclose(
        slices, expected.transpose(1, 0, 2), atol=1e-5 * np.abs(volume).max()
    )


@pytest.mark.parametrize("tilt_axis", ["y", "x"])
def test_the_right_axis_is_the_sharpest(tilt_axis):
    shape = (40, 61, 61)
    z, y, x = np.mgrid[: shape[0], : shape[1], : shape[2]]
    volume = np.zeros(shape, np.float32)
    for cz, cy, cx in ((15, 12, 20), (25, 30, 40), (20, 48, 25)):
        volume += (z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 < 3
    images = Projector(shape, ANGLES, tilt_axis=tilt_axis, axis_shift_px=3, rotation_deg=4).forward(
        volume
    )
    preview = SlicePreview(t4.TiltSeries(images, ANGLES, 1.0, tilt_axis), 40)

    positions = [12, 30, 48] if tilt_axis == "y" else [20, 40, 25]

    def sharpness(shift, rotation):
        # particles far from the middle tell the rotation
        return preview.slices(positions, shift, rotation).max(axis=(1, 2))[[0, 2]].sum()

    best = sharpness(3, 4)
    for shift, rotation in ((-3, 4), (9, 4), (3, 0), (3, 8), (3, -4)):
        assert sharpness(shift, rotation) < 0.97 * best


def test_slices_that_are_not_there_are_refused():
    series = t4.TiltSeries(np.ones((3, 8, 8), np.float32), [-10, 0, 10])
    with pytest.raises(DataError, match="between 0 and 7"):
        SlicePreview(series, 8).slices([8])
