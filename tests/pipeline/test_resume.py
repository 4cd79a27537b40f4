"""Steps go on from where they differ from those done before."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.errors import Cancelled
from napari_tomo4d.pipeline import run_steps
from napari_tomo4d.pipeline.resume import resume
from napari_tomo4d.progress import Progress

BIN = ("preprocess.bin", {"factor": 2})
CROP = ("preprocess.crop", {"y_stop": 4})
CLEAN = ("preprocess.remove_outliers", {})


@pytest.fixture
def series():
    images = np.random.default_rng(0).random((3, 16, 16), dtype=np.float32)
    return t4.TiltSeries(images, [-10, 0, 10], 1.0)


def test_it_gives_what_the_steps_give_and_keeps_what_is_equal(series):
    first, error = resume(series, [CLEAN, BIN])
    assert error == ""
    np.testing.assert_array_equal(first[-1][1].images, run_steps(series, [CLEAN, BIN]).images)
    second, _ = resume(series, [CLEAN, CROP, BIN], first)
    assert second[0][1] is first[0][1]
    assert [step for step, _ in second] == [CLEAN, CROP, BIN]
    expected = run_steps(series, [CLEAN, CROP, BIN]).images
    np.testing.assert_array_equal(second[-1][1].images, expected)
    # fewer steps need nothing new
    assert resume(series, [CLEAN], second)[0] == second[:1]


def test_it_stops_at_the_first_step_that_can_not_be_done(series):
    done, error = resume(series, [CLEAN, ("preprocess.crop", {"y_stop": 99}), BIN])
    assert [step for step, _ in done] == [CLEAN]
    assert error.startswith("The region 0 to 99 along y is not within the images")


def test_cancelling_is_no_failure_of_a_step(series):
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        resume(series, [CLEAN], progress=progress)
