"""What the panel Segment knows and decides, without a window."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.errors import ReadError
from napari_tomo4d.gui.panels.segment.model import (
    SegmentModel,
    key_numbers,
    make_mask,
    methods,
    settings_from,
)
from napari_tomo4d.progress import Progress
from napari_tomo4d.segment import THRESHOLDS, MaskSettings, PixelClassifier, threshold_volumes
from napari_tomo4d.segment.threshold_methods import threshold_method

SLICE = (0, 0, 8)


def cube(name="cube", noise=0.02, high=1.0):
    """A cube of density 1 in the middle of 16 voxels, 8 wide."""
    data = np.random.default_rng(0).normal(0, noise, (16, 16, 16))
    data[4:12, 4:12, 4:12] += high
    return t4.Volume(data.astype(np.float32), 2.0, name=name)


@pytest.fixture
def model():
    result = SegmentModel()
    result.set_item(cube())
    return result


def look(model, place=SLICE, seen=False):
    found = model.look(place, seen)(Progress())
    assert model.take(found)
    return found


def test_every_threshold_of_the_stage_is_offered_and_the_classifier_last():
    assert list(methods()) == [*THRESHOLDS, "classifier"]
    assert methods()["multi-otsu"] == "Multi-Otsu"
    assert methods()["hysteresis"] == "Hysteresis"


def test_a_threshold_added_to_the_stage_is_offered_and_previewed(model):
    @threshold_method("middle", title="Middle", help="Halfway between all grey values.")
    def middle(arrays):
        return [(min(a.min() for a in arrays) + max(a.max() for a in arrays)) / 2]

    try:
        assert methods()["middle"] == "Middle"
        model.choose("middle")
        found = look(model)
        data = model.item.data
        assert model.lines() == ((data.min() + data.max()) / 2,)
        np.testing.assert_array_equal(found.mask > 0, data[8] > model.lines()[0])
    finally:
        del THRESHOLDS["middle"]


def test_the_level_found_is_where_a_level_by_hand_begins(model):
    assert model.problem() == "" and model.lines() == ()
    look(model)
    (found,) = model.lines()
    assert found == pytest.approx(0.5, abs=0.02)
    model.choose("level")
    assert model.lines() == (model.rounded(found),)
    model.choose("hysteresis")
    low, high = model.lines()
    assert low == model.rounded(found) and low < high < 1.1
    assert (model.settings.level, model.settings.seed_level) == (low, high)


def test_a_level_by_hand_chosen_before_anything_is_known_begins_once_it_is(model):
    model.choose("hysteresis")
    assert model.problem() == "The grey values are still being counted."
    assert look(model).mask is None
    assert model.problem() == ""
    assert look(model).mask[4:12, 4:12].all()


def test_a_dragged_line_is_a_level_by_hand_of_four_digits(model):
    look(model)
    model.drag(0, 0.7123456)
    assert model.settings.method == "level"
    assert model.settings.level == model.rounded(0.7123456) == 0.712
    assert model.decimals == 3


def test_the_lines_of_a_hysteresis_can_not_pass_each_other(model):
    look(model)
    model.choose("hysteresis")
    model.drag(0, 0.3)
    model.drag(1, 0.9)
    model.drag(0, 1.0)
    assert model.lines() == (0.9, 0.9)
    model.drag(1, 0.2)
    assert model.lines() == (0.9, 0.9)
    model.use(MaskSettings("hysteresis", 0.9, 0.5))
    assert model.problem() == "The upper level lies below the lower one."


def test_other_volumes_forget_what_was_found_and_late_answers_are_dropped(model):
    first = model.item
    late = model.look(SLICE, False)
    look(model)
    assert not model.set_item(first)
    assert model.levels is not None
    model.made = model.settings
    assert model.set_item(cube(high=3.0))
    assert model.levels is None and model.made is None
    assert not model.take(late(Progress()))
    assert look(model).levels.levels[0] == pytest.approx(1.5, abs=0.05)
    model.set_item(None)
    assert model.problem().startswith("No volume yet: make one in the Reconstruct panel")
    assert model.describe() == model.problem()


def test_an_outline_is_drawn_until_the_mask_it_shows_is_made_and_seen(model):
    assert look(model).mask.sum() == 64
    model.made = model.settings
    assert look(model, seen=False).mask is not None
    found = look(model, seen=True)
    assert found.mask is None
    assert model.words(found) == (
        "This mask is made already; change something to see another outline."
    )
    model.drag(0, 0.8)
    assert look(model, seen=True).mask is not None
    found = look(model, place=None)
    assert found.mask is None and model.words(found).startswith("Show a slice of the volume (2D)")
    assert model.words(look(model, (0, 0, 1))).startswith("No particle in this slice")


@pytest.mark.parametrize("method", THRESHOLDS)
def test_settings_come_back_from_a_mask_made_elsewhere(method):
    by_hand = {"level": 0.4} if method in ("level", "hysteresis") else {}
    if method == "hysteresis":
        by_hand["seed_level"] = 0.8
    mask = threshold_volumes(cube(), method, smoothing_px=1.25, **by_hand)
    done = {p.step: p.parameters for p in mask.provenance.chain()}
    settings = settings_from(done)
    assert settings == MaskSettings(method, **by_hand, smoothing_px=1.25, cleaning=None)
    again, _, _ = make_mask(cube(), settings, "again", Progress())
    np.testing.assert_array_equal(again.data, mask.data)
    assert settings_from({"reconstruct.sirt": {}}) is None


def test_key_numbers_tell_level_share_and_uncertainty():
    times = t4.TimeSeries([cube(), cube(noise=0.03)], [0, 60], [20, 350])
    mask, numbers, notes = make_mask(times, MaskSettings("level", 0.5), "mask", Progress())
    assert mask.name == "mask" and notes == []
    assert numbers.startswith("Level 0.5. Particles fill 12.5 % at 0 s, 20 °C, 12.5 % at 60 s, ")
    assert "Within the noise of the threshold their volume changes by +0 to +0 %." in numbers
    single = make_mask(cube(), MaskSettings("level", 0.5), "mask", Progress())[0]
    assert "Particles fill 12.5 % of the volume." in key_numbers(cube(), single)


def test_a_classifier_is_in_use_until_another_one_is(model, tmp_path):
    model.choose("classifier")
    assert model.problem().startswith("Paint strokes and train")
    assert model.words(look(model)) == "No classifier yet, so no mask is outlined."
    assert model.classifier_state("").startswith("Press Brush strokes")
    assert model.classifier_state("cube").startswith("Paint on cube: ")
    marks = np.zeros((16, 16, 16), int)
    marks[8] = 1 + (model.item.data[8] > 0.5)
    model.trained(PixelClassifier.train(model.item, marks, n_trees=5))
    assert model.classifier_state("cube").startswith("Trained, not yet in a file.")
    assert look(model).mask[5:11, 5:11].all()
    model.save_classifier(str(tmp_path / "c.npz"))
    assert model.classifier_state("cube") == "In use: c.npz."
    used = model.classifier
    with pytest.raises(ReadError):
        model.load_classifier(str(tmp_path / "missing.npz"))
    assert model.classifier is used and model.classifier_file.endswith("c.npz")
    model.load_classifier(model.classifier_file)
    assert model.classifier is not used
