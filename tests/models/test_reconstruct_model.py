"""What the panel Reconstruct tries on one slice and expects, without a window."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.data import TiltSeries, Volume
from napari_tomo4d.gui.panels.reconstruct.model import (
    ReconstructModel,
    chosen_in,
    describe,
    methods,
    problem_of,
    slices_of_region,
    summary_of,
)
from napari_tomo4d.progress import Progress
from napari_tomo4d.registry import STEPS, step

CROP = ("preprocess.crop", {"y_start": 4, "y_stop": 24, "x_start": 0, "x_stop": 32})
SIRT = ("reconstruct.sirt", {"iterations": 4})


def box_series(high=1.0, tilt_axis="y"):
    """A box seen from -60 to 60 degrees, one image per tilt."""
    angles = np.arange(-60, 61, 6.0)
    volume = np.zeros((32, 24, 32), np.float32)
    volume[12:20, 5:15, 10:22] = high
    images = t4.reconstruct.Projector(volume.shape, angles).forward(volume)
    if tilt_axis == "x":
        images = images.transpose(0, 2, 1)
    return t4.TiltSeries(images, angles, 2.0, tilt_axis, name="box")


@pytest.fixture
def model():
    result = ReconstructModel()
    result.set_item(box_series())
    return result


def look(model, time=0, before=(), method=SIRT, index=10, first=0):
    found = model.look(time, list(before), method, index, first)(Progress())
    assert model.take(found)
    return found


def test_every_step_from_a_series_to_a_volume_is_a_method_and_sirt_is_first():
    found = [s.name for s in methods()]
    assert found[0] == "reconstruct.sirt"
    expected = {n for n, s in STEPS.items() if (s.takes, s.gives) == (TiltSeries, Volume)}
    assert set(found) == expected


def test_a_method_added_later_is_offered_and_tried(model):
    @step("reconstruct.mean_image", title="Mean", takes=TiltSeries, gives=Volume)
    def mean_image(series: TiltSeries) -> Volume:
        """Smear the mean of all tilts along the beam."""
        mean = series.load().mean(axis=0)
        return Volume(np.repeat(mean[None], 5, axis=0), series.pixel_size_nm)

    try:
        assert "reconstruct.mean_image" in [s.name for s in methods()]
        found = look(model, method=("reconstruct.mean_image", {}))
        mean = model.item.load().mean(axis=0)
        np.testing.assert_allclose(found.section, np.repeat(mean[None, 10], 5, axis=0), rtol=1e-6)
        assert model.expect(STEPS["reconstruct.mean_image"], {}, (24, 32)) is None
    finally:
        del STEPS["reconstruct.mean_image"]


@pytest.mark.parametrize("tilt_axis", ["y", "x"])
def test_the_live_slice_is_the_slice_of_the_volume(tilt_axis):
    model = ReconstructModel()
    series = box_series(tilt_axis=tilt_axis)
    model.set_item(series)
    volume = t4.reconstruct.sirt(series, iterations=4).data
    found = look(model)
    expected = volume[:, 10] if tilt_axis == "y" else volume[:, :, 10]
    np.testing.assert_allclose(found.section, expected, atol=1e-5)
    assert found.title == f"slice {tilt_axis} = 10 (px), 4 iterations"
    region = ((4, 20), (1, 9))
    assert slices_of_region(series, region) == region[0 if tilt_axis == "y" else 1]


@pytest.mark.parametrize("method", [s for s in methods() if "iterations" in s.parameters])
def test_every_method_shows_the_box_within_the_iterations_of_a_preview(model, method):
    given = {n: p.default for n, p in method.parameters.items()}
    found = look(model, method=(method.name, {**given, "iterations": 5000}))
    truth = np.zeros((32, 32))
    truth[12:20, 10:22] = 1
    assert "30 iterations" in found.title
    assert np.corrcoef(found.section.ravel(), truth.ravel())[0, 1] > 0.5


def test_what_was_prepared_is_used_again_for_the_same_time_and_region_only():
    times = t4.TimeSeries([box_series(), box_series(2.0)], [0, 60])
    model = ReconstructModel()
    model.set_item(times)
    first = look(model, before=[CROP], first=4)
    assert look(model, before=[CROP], index=7, first=4).prepared[1] is first.prepared[1]
    second = look(model, time=1, before=[CROP], first=4)
    np.testing.assert_allclose(second.section, 2 * first.section, atol=1e-4)
    assert look(model, time=1).section.shape == (32, 32)
    # slices are counted in the images, whatever the region
    whole, part = look(model, index=10), look(model, before=[CROP], index=10, first=4)
    assert part.title == whole.title
    np.testing.assert_allclose(part.section, whole.section, atol=1e-5)


def test_a_slice_of_another_series_is_dropped(model):
    late = model.look(0, [], SIRT, 10)
    assert not model.set_item(model.item)
    assert model.set_item(box_series())
    assert not model.take(late(Progress()))


def test_time_is_expected_once_the_speed_is_known_and_grows_with_times(model):
    sirt, joint = STEPS["reconstruct.sirt"], STEPS["reconstruct.joint_4d"]
    shape = model.first.image_shape
    assert model.expect(sirt, {"iterations": 50}, shape).seconds is None
    look(model)
    one = model.expect(sirt, {"iterations": 50}, shape)
    assert one.seconds > 0
    assert model.expect(sirt, {"iterations": 100}, shape).seconds == pytest.approx(2 * one.seconds)
    assert model.expect(sirt, {"iterations": 50}, (12, 32)).memory_bytes < one.memory_bytes
    together = model.expect(joint, {"iterations": 50}, shape).memory_bytes
    model.set_item(t4.TimeSeries([box_series()] * 3, [0, 1, 2]))
    # one after the other: the finished volumes stay
    several = model.expect(sirt, {"iterations": 50}, shape).memory_bytes
    assert several == one.memory_bytes + 2 * 4 * 32 * 24 * 32
    assert model.expect(joint, {"iterations": 50}, shape).memory_bytes == 3 * together


def test_what_can_not_be_reconstructed_says_why(model):
    assert problem_of(None).startswith("No tilt series yet")
    series = box_series()
    assert problem_of(series) == ""
    assert describe(series) == "21 tilts of 24 x 32 px, -60 to 60°"
    framed = series.replace(images=np.stack([series.images] * 2, axis=1))
    assert problem_of(framed).startswith("This series has several frames per tilt: average them")
    single = t4.TiltSeries(series.images[:1], [0.0])
    assert problem_of(single) == "This series has a single tilt, which is not enough."


def test_what_a_run_has_chosen_is_the_same_at_all_times_or_left_open():
    def volume(**chosen):
        return Volume(np.zeros((2, 2, 2)), residuals=[0.5, 0.25], metadata={"chosen": chosen})

    assert chosen_in(volume(weight=0.03)) == {"weight": 0.03}
    assert chosen_in(Volume(np.zeros((2, 2, 2)))) == {}
    own = t4.TimeSeries([volume(weight=0.03), volume(weight=0.05)], [0, 1])
    assert chosen_in(own) == {}
    # joint methods note it with the first time
    joint = t4.TimeSeries([volume(weight=0.03), Volume(np.zeros((2, 2, 2)))], [0, 1])
    assert chosen_in(joint) == {"weight": 0.03}
    assert summary_of(own) == "residual 0.2500 after 2 iterations"
    assert summary_of(Volume(np.zeros((2, 2, 2)))) == ""
