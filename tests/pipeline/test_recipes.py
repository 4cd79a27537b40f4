"""Recipes repeat what was done, here, on the command line and on a cluster."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.errors import Cancelled, RecipeError, Tomo4DError, Tomo4DWarning, WriteError
from napari_tomo4d.pipeline import (
    STEPS,
    Recipe,
    read_recipe,
    recipe_from,
    run_recipe,
    run_step,
    run_steps,
    write_recipe,
)
from napari_tomo4d.progress import Progress

SMALL = {"simulate": "sintering", "n_times": 2, "shape": [24, 40, 40], "tilt_step_deg": 10.0}
STEPS_GIVEN = (
    ("preprocess.subtract_background", {"percentile": 40.0}),
    ("reconstruct.sirt", {"iterations": 3, "thickness": 24}),
)


def test_every_step_is_described_for_people():
    for step in STEPS.values():
        assert step.summary.endswith(".")
        for parameter in step.parameters.values():
            assert parameter.param.help.endswith(".")
            assert not parameter.label.endswith(("_px", "_deg", "_nm"))


def test_a_recipe_runs_every_time_point(tmp_path):
    recipe = Recipe(SMALL, STEPS_GIVEN, {"path": "out.ome.zarr"}, tmp_path)
    write_recipe(recipe, tmp_path / "r.toml")
    again = read_recipe(tmp_path / "r.toml")
    assert (again.input, again.steps) == (recipe.input, recipe.steps)
    result = run_recipe(tmp_path / "r.toml")
    assert len(result) == 2
    stored = t4.read(tmp_path / "out.ome.zarr")
    experiment, _ = t4.simulate.sintering(2, (24, 40, 40), tilt_step_deg=10)
    for one, kept, series in zip(result, stored, experiment, strict=True):
        plain = t4.reconstruct.sirt(t4.preprocess.subtract_background(series, 40), 3, thickness=24)
        np.testing.assert_array_equal(one.data, plain.data)
        np.testing.assert_array_equal(kept.data, plain.data)
    assert stored.times_s.tolist() == [0, 3600]
    steps = [p.step for p in result.provenance.chain()]
    assert steps == ["simulate.sintering", *(name for name, _ in STEPS_GIVEN)]


def test_a_result_tells_the_recipe_that_repeats_it(tmp_path):
    first = run_recipe(Recipe(SMALL, STEPS_GIVEN))
    write_recipe(recipe_from(first.provenance), tmp_path / "r.toml")
    again = run_recipe(tmp_path / "r.toml")
    np.testing.assert_array_equal(again[1].data, first[1].data)
    with pytest.raises(RecipeError, match="not made from a file"):
        recipe_from(t4.Volume(np.zeros((2, 2, 2))).provenance)


SESSION = """
import napari_tomo4d as t4
from napari_tomo4d.pipeline import recipe_from, write_recipe

volume = t4.read("volume.ome.zarr")
steps = [p.step for p in volume.provenance.chain()]
assert steps == ["simulate.sintering", "reconstruct.sirt", "read"], steps
mask = t4.segment.threshold_volumes(volume)
t4.write(mask, "mask.ome.zarr")
write_recipe(recipe_from(mask, "again.ome.zarr"), "elsewhere/recipe.toml")
"""


@pytest.mark.filterwarnings("ignore::napari_tomo4d.errors.Tomo4DWarning")
def test_what_was_read_from_a_file_begins_there(tmp_path):
    steps = (("reconstruct.sirt", {"iterations": 3, "thickness": 24}),)
    run_recipe(Recipe(SMALL, steps, {"path": "volume.ome.zarr"}, tmp_path))
    (tmp_path / "elsewhere").mkdir()
    # the file tells how it was made; another session reads it and goes on
    subprocess.run([sys.executable, "-c", SESSION], cwd=tmp_path, check=True)
    recipe = read_recipe(tmp_path / "elsewhere" / "recipe.toml")
    assert recipe.input["path"] == str(tmp_path / "volume.ome.zarr")
    assert [name for name, _ in recipe.steps] == ["segment.threshold_volumes"]
    again = run_recipe(recipe)
    direct = t4.read(tmp_path / "mask.ome.zarr")
    for one, other in zip(again, direct, strict=True):
        np.testing.assert_array_equal(one.data, other.data)
    assert (tmp_path / "elsewhere" / "again.ome.zarr").exists()
    # one time of what was read is one time of the file
    last = t4.segment.threshold_volumes(t4.read(tmp_path / "volume.ome.zarr")[1])
    np.testing.assert_array_equal(run_recipe(recipe_from(last)).data, last.data)


@pytest.mark.filterwarnings("ignore::napari_tomo4d.errors.Tomo4DWarning")
def test_volumes_made_before_labels_were_read_are_stored(tmp_path):
    """A recipe that begins at a file of labels can't hand on what that file was made from."""
    experiment, _ = t4.simulate.sintering(2, (32, 48, 48))
    volumes = run_step("reconstruct.wbp", experiment, {"thickness": 32})
    steps = [("segment.threshold_volumes", {}), ("segment.separate_particles", {})]
    t4.write(run_steps(volumes, steps), tmp_path / "labels.ome.zarr")
    labels = t4.read(tmp_path / "labels.ome.zarr")
    table = t4.measure.measure_pairs(labels, volumes=volumes)
    write_recipe(recipe_from(table), tmp_path / "r.toml")
    again = run_recipe(tmp_path / "r.toml")
    assert again.frame.equals(table.frame)
    assert not t4.measure.measure_pairs(labels).frame.equals(table.frame)


def test_paths_are_relative_to_the_recipe(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    np.savez(folder / "a.npz", images=np.ones((3, 8, 8), np.float32), angles_deg=[-9, 0, 9])
    (tmp_path / "r.toml").write_text(
        '[input]\npath = "data/a.npz"\ntilt_axis = "y"\npixel_size_nm = 2\n'
        '[[steps]]\nstep = "reconstruct.wbp"\nthickness = 4\n[output]\npath = "data/v.mrc"\n'
    )
    assert run_recipe(tmp_path / "r.toml").data.shape == (4, 8, 8)
    assert (folder / "v.mrc").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[input", "not valid TOML"),
        ("[[steps]]\nstep='x'", r"\[input\] has no path"),
        ("[input]\npath='a'\nangels=3", "unknown entry 'angels'"),
        ("[input]\npath='a'\n[[steps]]\nstep='reconstruct.magic'", "no step 'reconstruct.magic'"),
        ("[input]\npath='a'\n[[steps]]\niterations=3", "Step 1 .* which step it is"),
        (
            "[input]\npath='a'\n[[steps]]\nstep='reconstruct.sirt'\niterations=0",
            "Step 1, reconstruct.sirt: iterations is 0; it has to be between 1",
        ),
        (
            "[input]\npath='a'\n[[steps]]\nstep='reconstruct.wbp'\n[[steps]]\nstep='preprocess.bin'",
            "Step 2, preprocess.bin, works on tilt series",
        ),
        ("[input]\npath='a'\n[result]\npath='b'", "unknown part 'result'"),
        ("schema_version = 99\n[input]\npath='a'", "schema_version 99"),
    ],
)
def test_mistakes_in_recipes_are_explained(tmp_path, text, words):
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(RecipeError, match=words):
        read_recipe(tmp_path / "r.toml")


def test_nothing_runs_if_the_output_is_in_the_way(tmp_path):
    (tmp_path / "out.mrc").write_text("mine")
    with pytest.raises(WriteError, match="exists already"):
        run_recipe(Recipe(SMALL, STEPS_GIVEN, {"path": str(tmp_path / "out.mrc")}))
    assert (tmp_path / "out.mrc").read_text() == "mine"


def test_cancel_leaves_no_output(tmp_path):
    class Cancelling(Progress):
        def show(self, done, total, message, preview):
            if "iteration 2" in message:
                self.cancel()

    with pytest.raises(Cancelled):
        run_recipe(
            Recipe(SMALL, STEPS_GIVEN, {"path": str(tmp_path / "out.zarr")}), progress=Cancelling()
        )
    assert list(tmp_path.iterdir()) == []


def test_progress_of_a_time_series_never_goes_back():
    seen = []

    class Watching(Progress):
        def show(self, done, total, message, preview):
            seen.append(done / total)

    experiment, _ = t4.simulate.sintering(2, (24, 40, 40), tilt_step_deg=10)
    run_step("reconstruct.sirt", experiment, {"iterations": 4, "thickness": 8}, Watching())
    assert np.all(np.diff(seen) >= 0)
    assert seen[-1] == 1


def test_finish_now_keeps_the_time_points_that_are_done():
    class Impatient(Progress):
        def show(self, done, total, message, preview):
            if "30 min" in message and "iteration 2" in message:
                self.finish()

    experiment, _ = t4.simulate.sintering(3, (24, 40, 40), tilt_step_deg=10)
    with pytest.warns(Tomo4DWarning, match="finished early, after 2 of 3 time points"):
        result = run_step("reconstruct.sirt", experiment, {"iterations": 4}, Impatient())
    assert result.times_s.tolist() == [0, 1800]
    assert [len(v.residuals) for v in result] == [4, 2]
    assert result.provenance.warnings[-1].startswith("SIRT was finished early")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::UserWarning:distributed")
def test_the_same_on_a_dask_cluster():
    distributed = pytest.importorskip(
        "distributed", reason="Dask distributed is installed with the extra distributed"
    )
    recipe = Recipe(SMALL, STEPS_GIVEN)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        there = run_recipe(recipe, scheduler=cluster.scheduler_address)
    here = run_recipe(recipe)
    for a, b in zip(here, there, strict=True):
        np.testing.assert_array_equal(a.data, b.data)
    assert there.provenance == here.provenance


@pytest.mark.filterwarnings("ignore")
def test_no_scheduler_is_said():
    pytest.importorskip("distributed", reason="Dask distributed is not installed")
    with pytest.raises(Tomo4DError, match="no Dask scheduler at tcp://127.0.0.1:1"):
        run_recipe(Recipe(SMALL, STEPS_GIVEN), scheduler="tcp://127.0.0.1:1")


def test_a_recipe_goes_from_images_to_a_table_of_necks(tmp_path):
    given = {"simulate": "sintering", "n_times": 2, "shape": [64, 96, 96], "tilt_step_deg": 4.0}
    steps = (
        ("reconstruct.tv", {"iterations": 60, "weight": 0.1}),
        ("segment.threshold_volumes", {}),
        ("segment.clean_mask", {}),
        ("segment.separate_particles", {}),
        ("segment.follow_particles", {}),
        ("measure.measure_pairs", {}),
    )
    recipe = Recipe(given, steps, {"path": "pairs.csv"}, tmp_path)
    write_recipe(recipe, tmp_path / "r.toml")
    result = run_recipe(tmp_path / "r.toml")
    stored = t4.measure.read_table(tmp_path / "pairs.csv")
    assert stored.neck_radius_nm.tolist() == result.frame.neck_radius_nm.tolist()
    assert "neck radius (nm)" in (tmp_path / "pairs.csv").read_text(encoding="utf-8")
    _, truth = t4.simulate.sintering(2, (64, 96, 96), tilt_step_deg=4.0)
    assert len(stored) == len(truth.pairs)
    assert np.all(stored.time_s == np.tile([0.0, 3600.0], len(stored) // 2))
    found, true = np.sort(stored.distance_nm), np.sort(truth.pairs.distance_nm)
    assert np.abs(found / true - 1).max() < 0.1
    assert [p.step for p in result.provenance.chain()][-1] == "measure.measure_pairs"
    with pytest.raises(WriteError, match=r"use \.csv"):
        run_recipe(Recipe(given, steps, {"path": "pairs.ome.zarr"}, tmp_path))
    with pytest.raises(RecipeError, match="works on labels"):
        Recipe(given, (steps[0], steps[-1]))


def test_each_time_has_a_file_of_its_own(tmp_path):
    experiment, _ = t4.simulate.sintering(2, (24, 40, 40), tilt_step_deg=10)
    for time, move in enumerate((1.0, -2.0), 1):
        shifts = np.tile([0.0, move], (len(experiment[0]), 1))
        t4.align.write_alignment(t4.align.Alignment(shifts), tmp_path / f"shifts_{time}.json")
    path = str(tmp_path / "shifts_{time}.json")
    moved = run_step("align.apply_file", experiment, {"path": path})
    for one, before, move in zip(moved, experiment, (1, -2), strict=True):
        np.testing.assert_allclose(
            one.images[:, :, 5:-5], np.roll(before.images, move, axis=2)[:, :, 5:-5], atol=1e-4
        )
    # so a recipe can tell it
    assert moved.provenance.parameters["path"] == path
