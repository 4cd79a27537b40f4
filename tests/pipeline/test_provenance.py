"""What a step did is told in one way, wherever it ran, and a recipe gives the same arrays."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.errors import ParameterError, RecipeError
from napari_tomo4d.pipeline import (
    Recipe,
    read_recipe,
    recipe_from,
    run_in_slabs,
    run_recipe,
    run_step,
    write_recipe,
)
from napari_tomo4d.progress import Progress

SMALL = {"simulate": "sintering", "n_times": 2, "shape": [16, 40, 24], "tilt_step_deg": 14.0}
SIRT = "reconstruct.sirt"


@pytest.fixture(scope="module")
def experiment():
    given = {k: v for k, v in SMALL.items() if k != "simulate"}
    return t4.simulate.sintering(**given)[0]


def saved(made, folder):
    path = folder / "recipe.toml"
    write_recipe(recipe_from(made), path)
    return path


def assert_repeated(made, folder):
    again = run_recipe(saved(made, folder))
    for one, other in zip(*map(t4.data.times_of, (made, again)), strict=True):
        np.testing.assert_array_equal(np.asarray(one.data), np.asarray(other.data))
    return again


def finishing(words):
    class Impatient(Progress):
        def show(self, done, total, message, preview):
            if words in message:
                self.finish()

    return Impatient()


def test_automatic_is_not_the_default_number(experiment, tmp_path):
    made = t4.reconstruct.sirt(experiment[1], iterations=None, thickness=16)
    assert len(made.residuals) not in (0, 50)
    assert len(assert_repeated(made, tmp_path).residuals) == len(made.residuals)
    assert read_recipe(tmp_path / "recipe.toml").steps[0][1]["iterations"] == "automatic"
    slabs = run_in_slabs(
        SIRT,
        experiment[1],
        {"iterations": None, "thickness": 16, "slab_slices": 24},
        tmp_path / "slabs.zarr",
    )
    assert_repeated(slabs, tmp_path)
    with pytest.raises(ParameterError, match="percentile is 'automatic', which is not a number"):
        t4.preprocess.subtract_background(experiment[0], "automatic")


def test_finish_in_the_first_slab_is_told_of_that_time_only(experiment, tmp_path):
    given = {"iterations": 5, "thickness": 16, "slab_slices": 24}
    path = tmp_path / "v.zarr"
    made = run_in_slabs(SIRT, experiment, given, path, progress=finishing("iteration 1 of"))
    assert [len(v.residuals) for v in made] == [1, 5]
    with pytest.raises(RecipeError, match=r"finished early in reconstruct\.sirt"):
        recipe_from(made)
    for one in made:
        assert_repeated(one, tmp_path)


def test_one_time_of_all_made_together_in_slabs_is_that_time(experiment, tmp_path):
    given = {"iterations": 2, "weight": 0.03, "thickness": 16, "slab_slices": 40}
    made = run_in_slabs("reconstruct.joint_4d", experiment, given, tmp_path / "v.zarr")
    again = assert_repeated(made[1], tmp_path)
    assert again.provenance.time == 1
    assert np.any(np.asarray(made[0].data) != again.data)


@pytest.mark.filterwarnings("ignore::napari_tomo4d.errors.Tomo4DWarning")
def test_slabs_on_the_way_to_something_else_are_not_taken_for_changed(experiment, tmp_path):
    given = {"iterations": 2, "thickness": 16, "slab_slices": 24}
    steps = ((SIRT, given), ("segment.threshold_volumes", {}))
    for take in ({}, {"take_time": 2}):
        made = run_recipe(Recipe({**SMALL, **take}, steps))
        assert_repeated(made, tmp_path)


def test_a_slab_without_signal_is_zero(experiment, tmp_path):
    images = experiment[0].images.copy()
    images[:, 16:] = 0
    dark = experiment[0].replace(images=images)
    given = {"iterations": 2, "thickness": 16}
    made = run_in_slabs(SIRT, dark, {**given, "slab_slices": 8}, tmp_path / "v.zarr")
    whole = run_step(SIRT, dark, given)
    np.testing.assert_allclose(np.asarray(made.data), whole.data, atol=1e-5)
    np.testing.assert_allclose(made.residuals, whole.residuals, rtol=1e-5)
    nothing = dark.replace(images=images * 0)
    with pytest.raises(t4.errors.DataError, match="are zero"):
        run_in_slabs(SIRT, nothing, {**given, "slab_slices": 8}, tmp_path / "n.zarr")


def test_steps_do_not_go_back_to_other_data(tmp_path):
    t4.write(t4.Volume(np.ones((4, 6, 6), np.float32)), tmp_path / "v.zarr")
    recipe = Recipe({"path": "v.zarr"}, ((SIRT, {}),), {"path": "out.zarr"}, tmp_path)
    with pytest.raises(t4.errors.DataError, match="SIRT works on tilt series, not on volume"):
        run_recipe(recipe)
    steps = [("reconstruct.wbp", {}), ("preprocess.bin", {})]
    given = {k: v for k, v in SMALL.items() if k != "simulate"}
    with pytest.raises(t4.errors.DataError, match="works on tilt series, not on volume"):
        t4.pipeline.run_steps(t4.simulate.sintering(**given)[0], steps)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::UserWarning:distributed")
def test_a_cluster_tells_what_a_local_run_tells(experiment, tmp_path, monkeypatch):
    distributed = pytest.importorskip(
        "distributed", reason="Dask distributed is installed with the extra distributed"
    )
    for time in (1, 2):
        shifts = np.tile([0.0, time], (len(experiment[0]), 1))
        t4.align.write_alignment(t4.align.Alignment(shifts), tmp_path / f"shifts_{time}.json")
    monkeypatch.chdir(tmp_path)
    steps = (
        ("align.apply_file", {"path": "shifts_{time}.json"}),
        (SIRT, {"iterations": 2, "thickness": 16, "slab_slices": 24}),
    )
    recipe = Recipe(SMALL, steps)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        there = run_recipe(recipe, scheduler=cluster.scheduler_address)
    here = run_recipe(recipe)
    assert there.provenance == here.provenance
    assert there.provenance.inputs[0].files["path"]
    assert there.name == here.name
    assert_repeated(there, tmp_path)
    with pytest.raises(RecipeError, match="can't be given on a cluster"):
        run_recipe(recipe, scheduler="tcp://127.0.0.1:1", memory_gb=1)


def test_a_file_belongs_to_one_time_after_one_was_taken(experiment, tmp_path):
    t4.write(experiment, tmp_path / "in.zarr")
    shifts = np.tile([0.0, 1.0], (len(experiment[0]), 1))
    path = str(tmp_path / "shifts.json")
    t4.align.write_alignment(t4.align.Alignment(shifts), path)
    digest = t4.content.file_digest(path)
    recipe = Recipe(
        {"path": "in.zarr"},
        (("preprocess.bin", {"take_time": 2}), ("align.apply_file", {"path": path})),
        {},
        tmp_path,
        ({}, {"path": digest}),
    )
    assert run_recipe(recipe).provenance.files == {"path": digest}
    (tmp_path / "r.toml").write_text(
        '[input]\npath = "in.zarr"\n[[steps]]\nstep = "align.align_series"\npath_sha256 = "1"\n'
    )
    with pytest.raises(RecipeError, match=r"path_sha256 but no path; give path, or remove"):
        read_recipe(tmp_path / "r.toml")


@pytest.mark.parametrize(
    ("where", "entry", "value", "words"),
    [
        ("step", "slab_slices", 0, "slab_slices is 0; it has to be a whole number from 1"),
        ("step", "slab_slices", "x", "slab_slices is 'x'"),
        ("step", "take_time", "1", "Step 1, reconstruct.sirt: take_time is '1'"),
        ("input", "path", 5, "path is 5; it has to be a path or a list of paths"),
        ("input", "start_deg", "a", "start_deg is 'a'; it has to be a number"),
        ("input", "times_s", 3, "times_s is 3; it has to be a list of numbers"),
        ("input", "take_time", 0, "take_time is 0"),
        ("output", "path", 5, r"\[output\]: path is 5; it has to be a path"),
        ("output", "overwrite", "no", "overwrite is 'no'; it has to be true or false"),
    ],
)
def test_entries_of_another_type_are_refused(where, entry, value, words):
    given = {"input": {"path": "a.mrc"}, "step": {}, "output": {}}
    given[where][entry] = value
    with pytest.raises(RecipeError, match=words):
        Recipe(given["input"], ((SIRT, given["step"]),), given["output"])


def test_nobody_changes_what_was_done(experiment):
    made = t4.preprocess.subtract_background(experiment[0]).provenance
    with pytest.raises(TypeError, match="can't be changed"):
        made.parameters["percentile"] = 3.0
