"""Whatever a result was made with is in its recipe, or the recipe says why not."""

from __future__ import annotations

import json

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.errors import DataError, RecipeError, Tomo4DWarning
from napari_tomo4d.pipeline import (
    Recipe,
    read_recipe,
    recipe_from,
    run_recipe,
    run_step,
    run_steps,
    write_recipe,
)
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import Provenance


@pytest.fixture
def series():
    experiment, _ = t4.simulate.sintering(1, (16, 32, 32), tilt_step_deg=10)
    return experiment[0]


def again(result, path):
    """Save the recipe of a result, read it and run it; of the one time point of a simulation."""
    write_recipe(recipe_from(result), path)
    return run_recipe(path)


def test_arrays_and_volumes_are_stored_beside_the_recipe(tmp_path):
    experiment, _ = t4.simulate.sintering(1, (16, 32, 32), tilt_step_deg=10)
    mask = np.zeros((32, 32, 32), bool)[:, :, :]
    shape = (32, *experiment[0].image_shape)
    mask = np.zeros(shape, bool)
    mask[4:-4, 4:-4, 4:-4] = True
    weights = np.linspace(0.1, 1, len(experiment[0]))
    size = experiment[0].pixel_size_nm
    start = t4.Volume(np.full(shape, 0.3), size)
    given = {"iterations": 3, "support": mask, "tilt_weights": weights, "initial": start}
    result = run_step("reconstruct.sirt", experiment, given)
    kept = result.provenance.parameters
    assert kept["initial"].to_dict()["pixel_size_nm"] == size
    # told in JSON by what it holds only
    told = json.loads(json.dumps(result.provenance.to_dict()))["parameters"]["support"]
    assert told["shape"] == list(shape) and len(told["sha256"]) == 64

    # the caller's array has nothing to do with it any more
    mask[...] = False
    path = tmp_path / "recipe.toml"
    np.testing.assert_array_equal(again(result, path)[0].data, result[0].data)
    without = run_step("reconstruct.sirt", experiment, {"iterations": 3})
    assert np.abs(without[0].data - result[0].data).max() > 0.01

    files = sorted((tmp_path / "recipe.data").iterdir())
    assert len(files) == 3
    with np.load(files[0]) as file:
        parts = dict(file)
    parts["array_0"] = parts["array_0"] * 0
    np.savez(files[0], **parts)
    with pytest.raises(RecipeError, match="no longer the"):
        read_recipe(path)
    files[0].write_bytes(files[0].read_bytes()[:300])
    with pytest.raises(RecipeError, match="can't be read as .* that the recipe needs"):
        read_recipe(path)
    write_recipe(recipe_from(result), path)
    assert read_recipe(path).steps
    files[0].unlink()
    with pytest.raises(RecipeError, match="is missing"):
        read_recipe(path)


def test_what_is_not_at_hand_or_cannot_be_stored_is_refused(tmp_path, series):
    made = t4.reconstruct.sirt(series, 2, support=np.ones((32, 32, 32), bool))
    told = Provenance.from_dict(made.provenance.to_dict())
    with pytest.raises(RecipeError, match=r"support of reconstruct\.sirt.*not at hand"):
        recipe_from(told)
    assert recipe_from(made.provenance).steps[0][0] == "reconstruct.sirt"


def test_a_result_that_was_changed_is_refused(series):
    binned = t4.preprocess.bin(series, 2)
    recipe_from(binned)
    recipe_from(binned.replace(name="renamed"))
    for changes in (
        {"pixel_size_nm": 3.0},
        {"dose_e_per_nm2": 5.0},
        {"images": binned.images * 2},
        {"images": binned.images[:, ::-1]},
        {"angles_deg": binned.angles_deg + 1},
    ):
        other = binned.replace(**changes)
        with pytest.raises(RecipeError, match="was changed after preprocess.bin"):
            recipe_from(other)
        with pytest.raises(RecipeError, match="was changed after preprocess.bin"):
            recipe_from(t4.reconstruct.wbp(other))


class FinishingAt(Progress):
    """Wants the result when so much was shown."""

    def __init__(self, count):
        super().__init__()
        self.count = count

    def show(self, *args):
        self.count -= 1
        if self.count == 0:
            self.finish()


@pytest.mark.parametrize("method", ["sirt", "os_sart", "cgls", "tv", "iser", "dart"])
def test_what_was_finished_early_is_repeated_as_far(series, method):
    start = 60 if method == "dart" else 0
    short = run_step(f"reconstruct.{method}", series, {"iterations": 9}, FinishingAt(start + 4))
    name, given = recipe_from(short).steps[0]
    assert 1 <= given["iterations"] < 9
    np.testing.assert_array_equal(run_step(name, series, given).data, short.data)
    if start:
        # half a start can't be asked for
        short = run_step(f"reconstruct.{method}", series, {"iterations": 9}, FinishingAt(4))
        with pytest.raises(RecipeError, match="finished early"):
            recipe_from(short)


def test_a_time_series_finished_early_is_refused(tmp_path):
    experiment, _ = t4.simulate.sintering(3, (16, 32, 32), tilt_step_deg=10)
    with pytest.warns(Tomo4DWarning, match="finished early, after"):
        short = run_step("reconstruct.sirt", experiment, {"iterations": 3}, FinishingAt(5))
    assert len(short) < 3
    with pytest.raises(RecipeError, match=r"finished early in reconstruct\.sirt"):
        recipe_from(short)
    # a step that does not listen has nothing to regret
    full = run_step("preprocess.bin", experiment[0], {}, FinishingAt(1))
    recipe_from(full)


def test_a_file_that_was_changed_since_is_refused(tmp_path, monkeypatch):
    experiment, _ = t4.simulate.sintering(2, (16, 32, 32), tilt_step_deg=10)
    n = len(experiment[0])
    monkeypatch.chdir(tmp_path)
    for time in (1, 2):
        t4.align.write_alignment(
            t4.align.Alignment(np.tile([0.0, time], (n, 1))), f"shifts_{time}.json"
        )
    moved = run_step("align.apply_file", experiment, {"path": "shifts_{time}.json"})
    (tmp_path / "elsewhere").mkdir()
    path = tmp_path / "elsewhere" / "recipe.toml"
    for one, other in zip(again(moved, path), moved, strict=True):
        np.testing.assert_array_equal(one.images, other.images)
    t4.align.write_alignment(t4.align.Alignment(np.zeros((n, 2))), "shifts_2.json")
    with pytest.raises(RecipeError, match="no longer the file"):
        run_recipe(path)


def test_a_step_is_given_the_kind_of_data_it_works_on(series):
    with pytest.raises(DataError, match="not on tilt series; reconstruct the tilt series"):
        t4.segment.threshold_volumes(series)
    experiment, _ = t4.simulate.sintering(2, (16, 32, 32), tilt_step_deg=10)
    # the same from Python as from a recipe
    binned = t4.preprocess.bin(experiment, 2)
    np.testing.assert_array_equal(
        binned[1].images, run_steps(experiment, [("preprocess.bin", {"factor": 2})])[1].images
    )
    assert binned.provenance.step == "preprocess.bin"


@pytest.mark.filterwarnings("ignore::napari_tomo4d.errors.Tomo4DWarning")
def test_a_report_and_steps_after_a_table(tmp_path):
    given = {"simulate": "sintering", "n_times": 2, "shape": [32, 48, 48]}
    steps = (
        ("reconstruct.wbp", {"thickness": 32}),
        ("segment.threshold_volumes", {}),
        ("segment.separate_particles", {}),
        ("segment.follow_particles", {}),
        ("measure.measure_pairs", {"section": "longest"}),
        ("measure.measure_particles", {}),
    )
    recipe = Recipe(given, steps, {"path": "particles.csv", "report": "report.html"}, tmp_path)
    write_recipe(recipe, tmp_path / "r.toml")
    result = run_recipe(tmp_path / "r.toml")
    assert result.provenance.step == "measure.measure_particles"
    assert (tmp_path / "particles.csv").exists()
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "reconstruct.wbp" in text and "<html" in text
    with pytest.raises(RecipeError, match="about labels"):
        Recipe(given, steps[:1], {"report": "report.html"})
