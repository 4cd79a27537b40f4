"""What the panel Clean offers and tries on one tilt, without a window."""

from __future__ import annotations

import numpy as np
import pytest
from recorded import VELOCITY, recorded

import napari_tomo4d as t4
from napari_tomo4d.data import TiltSeries
from napari_tomo4d.gui.panels.clean.model import (
    ALIGN_FRAMES,
    AVERAGE,
    BACKGROUND,
    BIN,
    BRIGHTNESS,
    DOSE,
    DRIFT,
    MAP,
    OUTLIERS,
    SELECT,
    CleanModel,
    describe,
    offered_steps,
    reasons_against,
)
from napari_tomo4d.gui.panels.dose import dose_in_words
from napari_tomo4d.progress import Progress
from napari_tomo4d.registry import STEPS, step

STEPS_TICKED = [(OUTLIERS, {}), (DRIFT, {}), (AVERAGE, {"register": False}), (BRIGHTNESS, {})]
TILT = (0, 3)


@pytest.fixture(scope="module")
def series():
    return recorded()


@pytest.fixture
def model(series):
    result = CleanModel()
    result.set_item(series)
    return result


def attempt(model, steps, place=TILT):
    tried = model.attempt(place, steps)(Progress())
    assert model.take(tried)
    return tried


def names():
    return [tuple(s.name for s in group) for group in offered_steps()]


def test_steps_come_in_the_order_in_which_they_are_done():
    assert names()[:7] == [
        (OUTLIERS,),
        (DRIFT,),
        (MAP,),
        (AVERAGE, SELECT, ALIGN_FRAMES),
        (BIN,),
        (BACKGROUND,),
        (BRIGHTNESS,),
    ]


def test_a_step_added_to_preprocess_is_offered_and_tried(model):
    @step("preprocess.invert", title="Invert", takes=TiltSeries, gives=TiltSeries)
    def invert(series: TiltSeries) -> TiltSeries:
        """Make bright dark."""
        return series.with_frames([-series.frames(i) for i in range(len(series))])

    try:
        assert names()[-1] == ("preprocess.invert",)
        tried = attempt(model, [("preprocess.invert", {})])
        np.testing.assert_allclose(tried.after, -tried.before)
    finally:
        del STEPS["preprocess.invert"]


def test_the_drift_that_is_found_is_the_true_one(model):
    tried = attempt(model, STEPS_TICKED)
    vy, vx = tried.done[1][1].metadata["scan_drift_px"][0]
    np.testing.assert_allclose((vy, vx), VELOCITY, atol=0.15)
    assert tried.numbers.startswith(f"Drift (y, x) ({vy:+.2f}, {vx:+.2f}) px per frame. ")
    assert "outliers replaced" in tried.numbers
    assert tried.left_out == (BRIGHTNESS,)
    assert tried.before.shape == (96, 96) and tried.before.max() > tried.after.max()


def test_only_what_changed_is_computed_again(model):
    before = attempt(model, STEPS_TICKED).done
    changed = [*STEPS_TICKED[:2], (SELECT, {"frame": 2})]
    after = attempt(model, changed).done
    assert [new[1] is old[1] for new, old in zip(after, before, strict=True)] == [True, True, False]
    model.forget()
    assert attempt(model, changed).done[0][1] is not after[0][1]
    assert attempt(model, changed, (0, 4)).done[0][1] is not after[0][1]


def test_what_can_not_be_done_is_said_and_what_was_done_is_kept(model):
    tried = attempt(model, [(OUTLIERS, {}), (SELECT, {"frame": 9})])
    assert tried.error.startswith("No tilt of 'grains' has 9 frames")
    assert [step for (step, _), _ in tried.done] == [OUTLIERS]


def test_a_trial_of_another_series_is_dropped(model, series):
    late = model.attempt(TILT, [(OUTLIERS, {})])
    assert not model.set_item(series)
    assert model.set_item(recorded(1))
    assert not model.take(late(Progress()))
    assert model.tried is None


def test_steps_that_do_not_fit_say_why(series):
    assert describe(None).startswith("No tilt series yet")
    assert set(reasons_against(None, False, 4)) == {n for group in names() for n in group}
    assert describe(series) == "7 tilts of 96 x 96 px, 4 frames per tilt"
    assert reasons_against(series, True, 4) == {}
    needed = "Needs one image per tilt: tick step 4."
    assert reasons_against(series, False, 4) == {BACKGROUND: needed, BRIGHTNESS: needed}
    single = series.replace(images=series.images[:, 0])
    reasons = reasons_against(single, False, 4)
    assert set(reasons) == {DRIFT, AVERAGE, SELECT, ALIGN_FRAMES}
    assert reasons[DRIFT].startswith("These images have one frame per tilt; drift shows")


def test_the_dose_in_words_is_that_of_the_step(series):
    dosed = t4.preprocess.set_dose(series, 2, 1000)
    each = dosed.metadata["dose_e_per_nm2_per_tilt"][0]
    words = dose_in_words(series, 0.5, {"probe_current_pa": 2, "dwell_time_ns": 1000})
    assert words.startswith(f"{each:,.0f} e⁻/nm² per tilt, {7 * each:,.0f} e⁻/nm² for the 7 tilts")
    assert DOSE in STEPS
