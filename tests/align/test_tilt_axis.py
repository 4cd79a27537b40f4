"""The tilt axis is found where it is, and images are put upright on it once."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import napari_tomo4d as t4
from napari_tomo4d.align.alignment import apply, apply_axis, apply_file
from napari_tomo4d.align.axis_images import AxisImages, axis_images
from napari_tomo4d.align.tilt_axis import find_and_apply_axis, tilt_axis
from napari_tomo4d.align.transforms import TiltAxis
from napari_tomo4d.errors import DataError, ParameterError, Tomo4DWarning
from napari_tomo4d.reconstruct.projector import Projector


def spheres(shape, seed=0):
    """Volume (z, y, x) of balls of several sizes."""
    n_z, n_y, n_x = shape
    rng = np.random.default_rng(seed)
    z, y, x = np.ogrid[:n_z, :n_y, :n_x]
    volume = np.zeros(shape, np.float32)
    for _ in range(9):
        r = rng.uniform(3, 5)
        room = np.array(shape) / 2 - r - 5
        dz, dy, dx = rng.uniform(-1, 1, 3) * room * (0.5, 1, 1)
        square = (z - (n_z - 1) / 2 - dz) ** 2 + (y - (n_y - 1) / 2 - dy) ** 2
        distance = np.sqrt(square + (x - (n_x - 1) / 2 - dx) ** 2)
        volume = np.maximum(volume, np.clip(r + 0.5 - distance, 0, 1))
    return volume


def projected(shape, shift, rotation, axis="y", limit=60, step=5, noise=0.0, seed=0):
    angles = np.arange(-limit, limit + 1, step)
    projector = Projector(
        shape, angles, tilt_axis=axis, axis_shift_px=shift, rotation_deg=rotation, device="cpu"
    )
    images = projector.forward(spheres(shape, seed))
    images += np.random.default_rng(seed).normal(0, noise, images.shape).astype(np.float32)
    return t4.TiltSeries(images, angles, tilt_axis=axis)


@pytest.mark.parametrize(
    ("axis", "shape", "limit"), [("y", (40, 57, 64), 60), ("x", (40, 63, 56), 70)]
)
def test_both_axes_odd_and_not_square(axis, shape, limit):
    series = projected(shape, 2.3, -2.0, axis, limit, noise=0.5)
    found = tilt_axis(series)
    assert found.shift_px == pytest.approx(2.3, abs=0.25)
    assert found.rotation_deg == pytest.approx(-2.0, abs=0.25)
    assert found.method == "centre of mass, reprojection"
    assert len(found.curve_shift.positions) == len(found.curve_shift.values) > 10
    assert 0 < found.shift_uncertainty_px < 0.3
    assert 0 < found.rotation_uncertainty_deg < 0.3


def test_centre_of_mass_alone():
    found = tilt_axis(projected((48, 60, 60), -3.0, 4.0, limit=70, step=4), "centre-of-mass")
    assert found.shift_px == pytest.approx(-3.0, abs=0.5)
    assert found.rotation_deg == pytest.approx(4.0, abs=0.7)
    best = found.curve_rotation.positions[np.argmax(found.curve_rotation.values)]
    assert best == pytest.approx(found.rotation_deg, abs=0.3)


def test_sharpness_finds_the_shift():
    """Rotation is left out: slices show it too weakly to be sure of more than some degrees."""
    found = tilt_axis(projected((48, 60, 60), -3.0, 0.0, limit=70, step=4), "sharpness")
    assert found.shift_px == pytest.approx(-3.0, abs=0.7)
    best = found.curve_shift.positions[np.argmax(found.curve_shift.values)]
    assert best == pytest.approx(-3.0, abs=1.5)


def test_low_dose_sintering():
    """A paper's dose: 6 electrons per pixel; within +-70 degrees to be quick."""
    experiment, _ = t4.simulate.sintering(
        n_times=1,
        seed=4,
        axis_shift_px=2.0,
        axis_rotation_deg=1.0,
        max_tilt_deg=70,
        tilt_step_deg=4,
    )
    found = tilt_axis(experiment[0])
    assert found.shift_px == pytest.approx(2.0, abs=0.25)
    assert found.rotation_deg == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize("table", ["PC", "StackReg"])
def test_needle_is_rotated_as_its_authors_say(reference_data, table):
    """-2.7 +- 0.5 degrees as the turn that puts it upright, so +2.7 as the axis lies."""
    series = t4.read(reference_data("needle", "HAADF.mrc"), tilt_axis="x")
    aligned = apply_file(series, str(reference_data("needle", f"needle_shifts_{table}.csv")))
    found = tilt_axis(aligned, "centre-of-mass")
    assert found.rotation_deg == pytest.approx(2.7, abs=0.5)


@pytest.mark.parametrize("axis", ["y", "x"])
def test_applied_axis_is_centred_and_upright(axis):
    shape = (40, 49, 56)
    tilted = projected(shape, 3.4, 3.0, axis)
    upright = apply_axis(tilted, 3.4, 3.0)
    assert upright.axis_shift_px == 0
    assert upright.provenance is not None
    assert upright.provenance.step == "align.apply_axis"
    found = tilt_axis(upright, "centre-of-mass")
    assert found.shift_px == pytest.approx(0, abs=0.3)
    assert found.rotation_deg == pytest.approx(0, abs=0.5)
    kept = upright.images.sum(dtype=float) / tilted.images.sum(dtype=float)
    assert kept == pytest.approx(1, abs=0.01)


def test_one_interpolation_and_whole_pixels_exactly():
    series = projected((20, 31, 40), 0, 0, limit=20)
    alignment = t4.align.Alignment([(2, -1)] * len(series))
    got = apply(series, alignment, TiltAxis(3.0)).images
    # the content moves by -1 of the alignment and -3 to centre the axis
    np.testing.assert_array_equal(got[:, 2:, :-4], series.images[:, :-2, 4:])
    part = t4.align.Alignment([(0.25, 0.5)] * len(series))
    once = apply(series, part, TiltAxis(0.5)).images
    expected = ndimage.shift(series.images[0], (0.25, 0), order=3, mode="nearest")
    np.testing.assert_allclose(once[0], expected, atol=1e-5)


def test_find_and_apply_says_what_it_found():
    series = projected((40, 48, 48), 1.5, 2.0)
    upright = find_and_apply_axis(series, "centre-of-mass")
    assert upright.provenance is not None
    assert upright.provenance.step == "align.find_and_apply_axis"
    assert any("Tilt axis at 1." in n for n in upright.provenance.notes)


def test_intensity_that_leaves_is_noted():
    series = projected((20, 40, 40), 0, 0, limit=20)
    moved = apply_axis(series, 18.0)
    assert moved.provenance is not None
    assert any("moved out of the images" in n for n in moved.provenance.notes)


def test_reduced_images_keep_their_centre():
    y, x = np.mgrid[:33, :46]
    blob = np.exp(-((y - 16 - 3) ** 2 + (x - 22.5 - 4) ** 2) / 30).astype(np.float32)
    for factor in (2, 3):
        small = AxisImages(blob[None], np.zeros(1)).reduced(factor, 1.0)
        centre = (np.array(small.images.shape[1:]) - 1) / 2
        at = np.array(ndimage.center_of_mass(small.images[0])) - centre
        np.testing.assert_allclose(at * factor, (3, 4), atol=0.15)


def test_what_shows_no_axis():
    images = projected((20, 30, 30), 0, 0).images
    angles = np.linspace(-60, 60, len(images))
    with pytest.raises(DataError, match="from one tilt"):
        tilt_axis(t4.TiltSeries(images[:1], [0]))
    with pytest.raises(DataError, match="from 3 different angles"):
        tilt_axis(t4.TiltSeries(images[:6], [0, 0, 20, 20, 40, 40]))
    with pytest.raises(DataError, match="over 4 deg"):
        tilt_axis(t4.TiltSeries(images[:5], [0, 1, 2, 3, 4]))
    with pytest.raises(DataError, match="2 of 25 images are blank"):
        tilt_axis(t4.TiltSeries(images * (np.arange(25) > 1)[:, None, None], angles))
    with pytest.raises(ParameterError, match="choose one of automatic"):
        tilt_axis(t4.TiltSeries(images, angles), "magic")


def test_repeated_angles_are_no_harm():
    series = projected((40, 48, 48), 1.5, 2.0)
    twice = series.replace(
        images=series.images.repeat(2, axis=0), angles_deg=series.angles_deg.repeat(2)
    )
    found = tilt_axis(twice, "centre-of-mass")
    assert found.rotation_deg == pytest.approx(2.0, abs=0.5)
    tilt_axis(twice, "sharpness")


def test_angles_in_another_order_than_the_images():
    series = projected((40, 48, 48), 1.5, 2.0)
    order = np.random.default_rng(0).permutation(len(series))
    with pytest.warns(Tomo4DWarning, match="check the order of the angles"):
        tilt_axis(series.replace(angles_deg=series.angles_deg[order]), "centre-of-mass")
    # images taken in that order are fine
    shuffled = series.replace(images=series.images[order], angles_deg=series.angles_deg[order])
    tilt_axis(shuffled, "centre-of-mass")
    # the other sign only mirrors the volume, so it says the same
    one, other = (
        tilt_axis(s, "centre-of-mass")
        for s in (series, series.replace(angles_deg=-series.angles_deg))
    )
    assert one.rotation_deg == pytest.approx(other.rotation_deg, abs=1e-6)
    assert axis_images(series).factor == 1


@pytest.mark.parametrize(("axis", "said"), [("y", -12.5), ("x", -90 + 12.5)])
def test_the_rotation_that_the_file_says_is_compared(axis, said):
    series = projected((24, 56, 56), 1.5, 12.5, axis)
    # SerialEM counts from the vertical, towards -x
    right = series.replace(metadata={"tilt_axis_angle_deg": said})
    found = tilt_axis(right, "centre-of-mass")
    assert found.rotation_deg == pytest.approx(12.5, abs=2)
    assert "tilt_axis_angle_deg" not in apply(right, None, found).metadata
    with pytest.warns(Tomo4DWarning, match="turned by 1.*, but its file says -?[0-9.]+; check"):
        tilt_axis(series.replace(metadata={"tilt_axis_angle_deg": said + 20}), "centre-of-mass")
