"""Where a tilt axis lies in images, its direction, and what is remembered of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import napari_tomo4d as t4
from napari_tomo4d.align import apply_axis, set_tilt_axis
from napari_tomo4d.align.axis_frame import AxisFrame
from napari_tomo4d.gui.panels.tilt_axis.model import AxisAndSlices, frame_of, in_direction
from napari_tomo4d.pipeline import get_step, run_steps
from napari_tomo4d.reconstruct.preview import without_background

SHIFT_PX, ROTATION_DEG = 5.0, 8.0


def blob_at(y, x, shape=(60, 80)):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 18).astype(np.float32)


@pytest.mark.parametrize("direction", ["y", "x"])
def test_a_point_is_where_the_applied_axis_moves_it(direction):
    """The geometry of the panel and that of the step are one."""
    point = (25.0, 40.0) if direction == "y" else (33.0, 28.0)
    frame = AxisFrame((60, 80), direction)
    image = blob_at(*frame.swap(*point))
    series = t4.TiltSeries(np.stack([image] * 2), (0, 1), 1.0, tilt_axis=direction)
    moved = apply_axis(series, SHIFT_PX, ROTATION_DEG).images[0]
    found = ndimage.center_of_mass(moved)
    np.testing.assert_allclose(
        frame.swap(*frame.upright(point, SHIFT_PX, ROTATION_DEG)), found, atol=0.1
    )


@pytest.mark.parametrize("direction", ["y", "x"])
def test_the_axis_goes_to_the_middle_of_the_image(direction):
    frame = AxisFrame((60, 80), direction)
    for end in frame.axis_line(SHIFT_PX, ROTATION_DEG):
        assert frame.distance_px(frame.swap(*end), SHIFT_PX, ROTATION_DEG) < 1e-9
        across = frame.upright(frame.swap(*end), SHIFT_PX, ROTATION_DEG)[1]
        assert across == pytest.approx(frame.centre_px[1])


def test_a_slice_is_the_same_all_along_its_line():
    frame = AxisFrame((60, 80), "y")
    point = (20.0, 50.0)
    wanted = frame.slice_position_px(point, SHIFT_PX, ROTATION_DEG)
    for end in frame.slice_line(point, ROTATION_DEG):
        assert frame.slice_position_px(tuple(end), SHIFT_PX, ROTATION_DEG) == pytest.approx(wanted)


def test_a_slice_lies_within_the_image():
    frame = AxisFrame((60, 80), "y")
    assert frame.slice_position_px((-9.0, 3.0), 0, 0) == 0
    assert frame.slice_position_px((99.0, 3.0), 0, 0) == 59


def test_another_direction_leaves_the_images_and_forgets_the_position():
    series = t4.TiltSeries(np.ones((3, 60, 80)), (-5, 0, 5), 1.0, axis_shift_px=3.0)
    other = set_tilt_axis(series, "x")
    assert (other.tilt_axis, other.axis_shift_px) == ("x", 0)
    np.testing.assert_array_equal(other.images, series.images)
    assert other.provenance.step == "align.set_tilt_axis"
    assert other.provenance.parameters == {"direction": "x"}
    assert set_tilt_axis(series, "y").axis_shift_px == 3
    with pytest.raises(t4.errors.ParameterError, match="direction"):
        set_tilt_axis(series, "z")


def test_the_step_is_that_function():
    assert get_step("align.set_tilt_axis").function is set_tilt_axis


def test_steps_bring_the_axis_to_where_it_is_remembered():
    image = blob_at(20, 50)
    series = t4.TiltSeries(np.stack([image] * 3), (-5, 0, 5), 1.0)
    place = AxisAndSlices.of(series)
    assert not place.steps(series)
    assert [n for n, _ in place.with_axis(1, 0).steps(series)] == ["align.apply_axis"]
    across = AxisAndSlices.of(in_direction(series, "x"))
    assert [n for n, _ in across.steps(series)] == ["align.set_tilt_axis"]
    both = across.with_axis(SHIFT_PX, ROTATION_DEG)
    result = run_steps(series, both.steps(series))
    wanted = apply_axis(series.replace(tilt_axis="x"), SHIFT_PX, ROTATION_DEG)
    assert result.tilt_axis == "x"
    np.testing.assert_array_equal(result.images, wanted.images)


def test_slices_stay_on_their_particles_when_the_axis_is_accepted():
    series = t4.TiltSeries(np.stack([blob_at(20, 50)] * 2), (0, 1), 1.0)
    place = AxisAndSlices.of(series).with_point(1, (20.0, 50.0)).with_axis(SHIFT_PX, ROTATION_DEG)
    after = place.accepted(frame_of(series))
    moved = run_steps(series, place.steps(series))
    np.testing.assert_allclose(
        after.points_px[1], ndimage.center_of_mass(moved.images[0]), atol=0.1
    )
    assert not after.steps(moved)


@pytest.mark.parametrize("direction", ["y", "x"])
def test_the_level_at_the_sides_is_the_background(direction):
    images = np.stack([blob_at(30, 40) + level for level in (3, 5)])
    series = t4.TiltSeries(images, (0, 1), 1.0, tilt_axis=direction)
    for image in without_background(series).images:
        np.testing.assert_allclose(image, blob_at(30, 40), atol=1e-3)
