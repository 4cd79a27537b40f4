"""Alignments go through files without a change, and do the same to every channel."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from scipy import ndimage

import napari_tomo4d as t4
from napari_tomo4d.align import Alignment, apply_file, write_alignment
from napari_tomo4d.align import exchange as x
from napari_tomo4d.align.alignment import apply
from napari_tomo4d.align.transforms import TiltAxis
from napari_tomo4d.errors import DataError, ReadError, Tomo4DWarning


def series_of(seed=0, shape=(31, 40), tilt_axis="y"):
    rng = np.random.default_rng(seed)
    images = ndimage.gaussian_filter(rng.random((5, *shape)), (0, 2, 2)).astype(np.float32)
    return t4.TiltSeries(images, [-20, -10.1, 0, 10, 20.3], tilt_axis=tilt_axis)


SHIFTS = Alignment(np.random.default_rng(1).normal(0, 2, (5, 2)))
AXIS = TiltAxis(1.2345678901234567, -2.7000000000000001, 0.1)


@pytest.mark.parametrize("tilt_axis", ["y", "x"])
def test_a_stored_alignment_repeats_the_data_bit_for_bit(tmp_path, tilt_axis):
    series, other = series_of(tilt_axis=tilt_axis), series_of(5, tilt_axis=tilt_axis)
    for name in ("a.json", "a.xf"):
        write_alignment(SHIFTS, tmp_path / name, series, AXIS)
    again = x.read_json(tmp_path / "a.json")
    np.testing.assert_array_equal(again.alignment.shifts_px, SHIFTS.shifts_px)
    np.testing.assert_array_equal(again.angles_deg, series.angles_deg)
    assert again.axis is not None
    assert (again.axis.shift_px, again.axis.rotation_deg) == (AXIS.shift_px, AXIS.rotation_deg)
    assert np.isnan(again.axis.rotation_uncertainty_deg)
    for channel in (series, other):
        expected = apply(channel, SHIFTS, AXIS).images
        np.testing.assert_array_equal(x.apply_stored(channel, again).images, expected)
        imod = x.apply_stored(channel, x.read_xf(tmp_path / "a.xf"))
        np.testing.assert_array_equal(imod.images, expected)
        for name in ("a.json", "a.xf"):
            done = apply_file(channel, str(tmp_path / name))
            np.testing.assert_array_equal(done.images, expected)
            assert done.provenance.step == "align.apply_file"


def test_imod_moves_points_as_its_manual_says(tmp_path):
    """A bright spot at (X, Y) from the centre goes to A (X, Y) + D."""
    image = np.zeros((41, 51), np.float32)
    image[20 + 8, 25 - 10] = 1
    image = ndimage.gaussian_filter(image, 1.5)
    series = t4.TiltSeries(image[None], [0.0])
    axis = TiltAxis(2.0, 10.0)
    write_alignment(Alignment([(1.5, -0.5)]), tmp_path / "a.xf", axis=axis)
    a11, a12, a21, a22, dx, dy = map(float, (tmp_path / "a.xf").read_text().split())
    moved = apply(series, Alignment([(1.5, -0.5)]), axis).images[0]
    y, x_ = ndimage.center_of_mass(moved)
    assert x_ - 25 == pytest.approx(a11 * -10 + a12 * 8 + dx, abs=0.02)
    assert y - 20 == pytest.approx(a21 * -10 + a22 * 8 + dy, abs=0.02)


def test_rotations_and_magnifications_are_stored(tmp_path):
    series, path = series_of(), tmp_path / "a.json"
    turned = Alignment(SHIFTS.shifts_px, [-1, 0.1, 1 / 3, 0, 2], [1.01, 0.99, 1, 1, 1 / 1.03])
    write_alignment(turned, path, series)
    expected = apply(series, turned).images
    np.testing.assert_array_equal(apply_file(series, str(path)).images, expected)
    write_alignment(turned, tmp_path / "a.xf")
    np.testing.assert_array_equal(apply_file(series, str(tmp_path / "a.xf")).images, expected)
    # programs that know of shifts only read files without any, and refuse those with
    assert json.loads(path.read_text())["schema_version"] == 2
    write_alignment(SHIFTS, path, series)
    assert json.loads(path.read_text())["schema_version"] == 1


def test_an_alignment_of_other_tilts_is_noticed(tmp_path):
    series, path = series_of(), tmp_path / "a.json"
    write_alignment(SHIFTS, path, series)
    backwards = series.replace(angles_deg=series.angles_deg[::-1])
    with pytest.raises(DataError, match=r"image 1 was tilted by -20 deg there, but by 20.3 deg"):
        apply_file(backwards, str(path))
    refined = series.replace(angles_deg=series.angles_deg + 0.3)
    with pytest.warns(Tomo4DWarning, match="differ by up to 0.30 deg"):
        done = apply_file(refined, str(path))
    assert len(done.provenance.warnings) == 1
    read_again = series.replace(angles_deg=np.round(series.angles_deg, 1) + 0.01)
    assert not apply_file(read_again, str(path)).provenance.warnings
    # files without angles are older, and are applied as ever
    write_alignment(SHIFTS, path)
    expected = apply(series, SHIFTS).images
    np.testing.assert_array_equal(apply_file(backwards, str(path)).images, expected)


def test_angles_keep_every_digit(tmp_path):
    angles = np.array([-60.00012345678901, 0.1, 1 / 3, 5, 20])
    series = series_of().replace(angles_deg=angles)
    write_alignment(SHIFTS, tmp_path / "a.xf", series)
    np.testing.assert_array_equal(t4.io.read_angles(tmp_path / "a.tlt"), angles)


def test_what_does_not_fit_is_refused(tmp_path):
    series = series_of()
    stored = x.StoredAlignment.of(series, SHIFTS, AXIS)
    with pytest.raises(DataError, match="made on images of 31 x 40 px, but these have 30 x 40"):
        x.apply_stored(series.replace(images=series.images[:, 1:]), stored)
    with pytest.raises(DataError, match="5 shifts but the series 4 tilts"):
        x.apply_stored(series.replace(images=series.images[1:], angles_deg=[1, 2, 3, 4]), stored)
    with pytest.raises(DataError, match="tilt axis along y"):
        x.apply_stored(series.replace(tilt_axis="x"), stored)
    path = tmp_path / "a.json"
    x.write_json(dataclasses.replace(stored, image_shape=None), path)
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 9'))
    with pytest.raises(ReadError, match="schema_version 9"):
        x.read_json(path)
    path.write_text("[]")
    with pytest.raises(ReadError, match="can't be read as an alignment"):
        x.read_json(path)
    (tmp_path / "a.xf").write_text("1 0 0 1 2\n")
    with pytest.raises(ReadError, match="A11 A12 A21 A22 DX DY"):
        x.read_xf(tmp_path / "a.xf")
    (tmp_path / "a.xf").write_text("0 0 0 0 2 3\n")
    with pytest.raises(ReadError, match="squeezes"):
        x.read_xf(tmp_path / "a.xf")
    with pytest.raises(ReadError, match="can't be read"):
        x.read_xf(tmp_path / "none.xf")
