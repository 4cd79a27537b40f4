"""Data objects check themselves, and their messages help."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.errors import DataError, NotEnoughMemoryError
from napari_tomo4d.provenance import Provenance


def images(*shape):
    return np.random.default_rng(0).random(shape, dtype=np.float32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((images(3, 4, 5), [1, 2]), "3 tilt images but 2 tilt angles"),
        ((images(3, 4, 5), None), "The tilt angles are missing."),
        ((images(3, 4, 5), ["a", "b", "c"]), "The tilt angles are not numbers."),
        ((images(3, 4, 5), [1, 2, np.nan]), "angles hold NaN"),
        ((images(3, 4, 5), [1, 2, 200]), "200 is outside -180 to 180"),
        ((images(3, 4), [1, 2, 3]), "2 dimensions; expected"),
        ((np.empty((0, 4, 5)), []), "are empty"),
        ((images(3, 4, 5) * np.nan, [1, 2, 3]), "NaN or infinite"),
        ((images(3, 4, 5) * 1j, [1, 2, 3]), "expected real numbers"),
        ((images(3, 4, 5), [1, 2, 3], 0), "pixel size is 0 nm; it has to be positive"),
        ((images(3, 4, 5), [1, 2, 3], None, "z"), "tilt_axis is 'z'"),
        (([images(2, 4, 5), images(1, 4, 6)], [1, 2]), "differ in size"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(arguments, message):
    with pytest.raises(DataError, match=message):
        t4.TiltSeries(*arguments)


def test_one_bad_pixel_in_a_large_stack_is_found():
    stack = images(5, 40, 40)
    stack[3, 7, 9] = np.inf
    with pytest.raises(DataError, match="NaN or infinite"):
        t4.TiltSeries(stack, range(5))


def test_lazy_nan_is_found_when_the_images_are_used():
    stack = images(3, 4, 5)
    stack[1, 0, 0] = np.nan
    series = t4.TiltSeries(da.from_array(stack, chunks=(1, 4, 5)), [0, 1, 2])
    with pytest.raises(DataError, match="image at 1 deg"):
        series.load()


def test_ragged_frames():
    parts = [images(n, 4, 5) for n in (1, 3, 2)]
    series = t4.TiltSeries(parts, [0, 10, 20])
    assert series.frames_per_tilt == (1, 3, 2)
    np.testing.assert_array_equal(series.frames(1), parts[1])
    with pytest.raises(DataError, match="1 to 3 frames per tilt; average"):
        series.load()


def test_what_does_not_fit_into_memory_is_not_loaded():
    huge = da.zeros((10**6, 2048, 2048), chunks=(1, 2048, 2048), dtype=np.int16)
    series = t4.TiltSeries(huge, np.zeros(10**6))
    with pytest.raises(NotEnoughMemoryError, match="need 16777.2 GB, but only"):
        series.load()


def test_objects_do_not_change_the_arrays_they_are_given():
    angles = np.array([1.0, 2.0, 3.0])
    series = t4.TiltSeries(images(3, 4, 5), angles)
    angles[0] = 99
    assert series.angles_deg[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        series.angles_deg[0] = 5


def test_time_series_times_increase_and_items_are_alike():
    series = t4.TiltSeries(images(3, 4, 5), [1, 2, 3], 0.5)
    four_d = t4.TimeSeries([series, series], [0, 60], [350, 350])
    assert four_d.label(1) == "60 s, 350 °C"
    # one unit for all times of a series, as in tables and plots
    slow = t4.TimeSeries([series, series], [0, 5400])
    assert [slow.label(0), slow.label(1)] == ["0 min", "90 min"]
    assert t4.TimeSeries([series, series]).label(1) == "time 2"
    assert t4.TimeSeries([series, series], None, [20, 350]).label(1) == "350 °C"
    assert four_d.pixel_size_nm == 0.5
    with pytest.raises(DataError, match="times have to increase"):
        t4.TimeSeries([series, series], [60, 0])
    with pytest.raises(DataError, match="2 time points but 3 times"):
        t4.TimeSeries([series, series], [0, 1, 2])
    with pytest.raises(DataError, match="either tilt series, volumes or labels"):
        t4.TimeSeries([series, t4.Volume(images(2, 2, 2))])


def test_labels_are_whole_and_not_negative():
    with pytest.raises(DataError, match="whole numbers"):
        t4.Labels(images(2, 2, 2))
    with pytest.raises(DataError, match="negative"):
        t4.Labels(np.full((2, 2, 2), -1))


def test_provenance_survives_json():
    first = Provenance("read", {"path": "a.mrc"}, warnings=("guessed",))
    second = Provenance("reconstruct.sirt", {"iterations": 3}, (first,), ("coarse",), "x 1")
    again = Provenance.from_dict(second.to_dict())
    assert again == second
    assert [p.step for p in again.chain()] == ["read", "reconstruct.sirt"]
    assert again.all_warnings() == ["guessed", "coarse"]


def test_every_result_says_how_it_was_made():
    series = t4.TiltSeries(images(3, 8, 8), [-10, 0, 10], 1.0)
    binned = t4.preprocess.bin(series, 2)
    volume = t4.reconstruct.sirt(binned, iterations=2, thickness=3)
    assert [p.step for p in volume.provenance.chain()] == ["preprocess.bin", "reconstruct.sirt"]
    assert volume.provenance.parameters["iterations"] == 2
    assert volume.provenance.parameters["non_negative"] is True
    assert volume.provenance.software.startswith("napari-tomo4d ")


def test_labels_too_large_are_refused():
    with pytest.raises(DataError, match="number 4294967295, and can hold 2147483647"):
        t4.Labels(np.full((2, 2, 2), 2**32 - 1, np.uint32))


@pytest.mark.parametrize("shift", [None, [1.0, 2.0], "left"])
def test_the_tilt_axis_has_one_position(shift):
    with pytest.raises(DataError, match="position of the tilt axis is .*; it has to be one number"):
        t4.TiltSeries(images(2, 4, 4), [0, 10], axis_shift_px=shift)


def test_a_bare_array_is_no_tilt_series():
    with pytest.raises(DataError, match="not on a bare array; make TiltSeries of it first"):
        t4.reconstruct.sirt(images(2, 4, 4))
