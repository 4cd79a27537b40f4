"""What the panel Denoise measures, tunes and tries, without a window."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.denoise import NoiseModel
from napari_tomo4d.errors import DataError
from napari_tomo4d.gui.panels.denoise.model import (
    AVERAGE,
    DENOISE,
    DenoiseModel,
    counting_noise,
    has_frames,
)
from napari_tomo4d.pipeline import STEPS, run_steps
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import warnings_only_kept

VARIANCE = 0.05


@pytest.fixture(scope="module")
def framed():
    """A disc at three tilts, with four frames of pink noise each."""
    y, x = np.mgrid[:72, :80]
    clean = np.clip(20 - np.hypot(y - 36, x - 40), 0, 1)
    noise = NoiseModel("g4", VARIANCE)
    images = [[clean + noise.sample(clean.shape, 10 * t + k) for k in range(4)] for t in range(3)]
    return t4.TiltSeries(np.array(images, np.float32), [-2.0, 0, 2], 1.5, name="disc")


@pytest.fixture
def values():
    return {n: p.default for n, p in STEPS[DENOISE].parameters.items()}


@pytest.fixture
def model(framed):
    result = DenoiseModel()
    result.set_item(framed)
    result.set_framed(framed)
    return result


def do(model, work):
    # as the window runs it: what is warned of is in the result's words
    with warnings_only_kept():
        found = work(Progress())
    assert model.take(found)
    return found


def test_noise_measured_tuned_and_tried(model, framed, values):
    measured = do(model, model.measure(0, values))
    assert model.measured.variance == pytest.approx(VARIANCE, rel=0.2)
    assert measured.diagnosis.frequency.max() <= 0.75
    tuned = do(model, model.tune(0, 0, 2, values))
    assert model.words().startswith(f"Best of {tuned.result.evaluations} tried: ")
    assert tuned.kinds[-1] == "measured"
    best = tuned.parameters
    assert best["noise"] in tuned.kinds and best["sigma"] == pytest.approx(VARIANCE**0.5, rel=0.6)

    cell = ("g4", 1.0)
    tried = do(model, model.evaluate(cell))
    assert model.cell == cell and tried.noise.kind == "g4"
    assert tried.noise.variance == pytest.approx(tuned.tuning.variance)
    table = tuned.tuning.table
    assert ((table.kind == "g4") & (table.strength == 1.0)).any()

    # what belongs to other frames is dropped and forgotten
    late = model.evaluate(("white", 1.0))
    model.set_framed(framed.replace(name="other"))
    assert model.measured is None and model.tuned is None and model.cell is None
    assert not model.take(late(Progress()))
    assert model.evaluate(cell) is None


def test_the_preview_is_the_middle_of_what_the_run_gives(model, framed, values):
    steps = model.steps(values)
    assert [name for name, _ in steps] == [AVERAGE, DENOISE]
    found = model.look(0, 2, values)(Progress())
    assert found.item is framed and found.title == "tilt +2.0°"
    run = run_steps(framed, steps)
    np.testing.assert_allclose(found.after, run.images[2], atol=1e-5)
    noise = run.metadata["noise_sigma"][2]
    assert found.numbers == f"Noise level {noise:.4g} (grey values)."
    assert np.std(found.before - found.after) > 0.5 * noise


def test_blind_tuning_needs_a_type_of_noise(model, framed, values):
    single = t4.preprocess.select_frame(framed, 1)
    model.set_item(single)
    model.set_framed(single)
    assert not has_frames(single)
    assert "blind" in model.tuning_hint()
    assert [name for name, _ in model.steps(values)] == [DENOISE]
    with pytest.raises(DataError, match="Measured noise needs a spectrum"):
        model.tune(0, 0, 2, {**values, "noise": "measured"})
    tuned = do(model, model.tune(0, 1, 2, values))
    assert tuned.kinds == ["g4"] and model.evaluate(("g4", 1.0)) is None
    assert tuned.parameters["sigma"] == pytest.approx(VARIANCE**0.5, rel=0.7)
    assert model.words().endswith("The noise type itself can't be tuned blindly.")


def test_the_step_is_given_all_that_was_tuned_with(model, framed, values):
    single = t4.preprocess.select_frame(framed, 1)
    single = single.replace(images=40 + 20 * single.images)
    model.set_item(single)
    model.set_framed(single)
    chosen = {"method": "fast bm3d", "counts": True, "gain": 2.0, "offset": 1.0, "read_noise": 0.5}
    tuned = do(model, model.tune(0, 1, 2, {**values, **chosen}))
    found = tuned.parameters
    assert {name: found[name] for name in chosen} == chosen
    made = run_steps(single, [(DENOISE, found)]).image(1)
    np.testing.assert_array_equal(tuned.image, single.image(1))
    assert np.std(made - tuned.result.denoised) < 0.05 * np.std(tuned.image - made)


def test_what_is_missing_is_said(model, values):
    measured = {**values, "noise": "measured"}
    assert model.problem(measured).endswith("press Save noise.")
    assert model.problem({**measured, "path": "noise.npz"}) == ""
    assert model.describe() == "3 tilts of 72 x 80 px; frames are registered and averaged first"
    model.set_item(None)
    assert model.problem(values) == model.describe() != ""
    model.set_item(model.framed)
    with pytest.raises(DataError, match="BM4D works on all tilts together"):
        model.look(0, 0, {**values, "method": "bm4d"})


def test_counts_are_described_by_the_form(values):
    assert counting_noise(values) is None
    noise = counting_noise({**values, "counts": True, "gain": 2.0, "read_noise": 0.5})
    assert (noise.gain, noise.read) == (2.0, 0.5)
