"""Reconstruction slab by slab gives the same volume, and leaves nothing half written."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import dask.array as da
import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.errors import Cancelled, NotEnoughMemoryError, Tomo4DWarning, WriteError
from napari_tomo4d.pipeline import Recipe, read_recipe, run_in_slabs, run_recipe, run_step
from napari_tomo4d.progress import Progress


@pytest.fixture(scope="module")
def experiment():
    experiment, _ = t4.simulate.sintering(n_times=2, shape=(32, 200, 48), radius_nm=60, seed=0)
    return experiment


def lazy(series):
    return series.replace(images=da.from_array(series.images, chunks=(1, -1, -1)))


@pytest.mark.parametrize(
    ("name", "parameters", "tolerance"),
    [
        ("reconstruct.wbp", {}, 1e-6),
        ("reconstruct.sirt", {"iterations": 8}, 1e-6),
        ("reconstruct.sirt", {"iterations": None}, 1e-6),
        ("reconstruct.cgls", {"iterations": 4}, 1e-6),
        ("reconstruct.tv", {"iterations": 40}, 0.01),
        ("reconstruct.iser", {"iterations": 20}, 0.05),
    ],
)
def test_slabs_give_the_volume_of_one_run(experiment, tmp_path, name, parameters, tolerance):
    series = experiment[0]
    parameters = {"thickness": 32, **parameters}
    path = tmp_path / "volume.ome.zarr"
    # room for one chunk of slices at a time
    memory = 22e6 if "iser" in name else 11e6
    # said with the result: slices of these methods depend on others
    coupled = tolerance > 1e-3
    said = pytest.warns(Tomo4DWarning, match=r"slabs of \d+ slices") if coupled else nullcontext()
    with said:
        slabs = run_in_slabs(name, lazy(series), parameters, path, memory_bytes=memory)
    whole = run_step(name, series, parameters)
    assert not isinstance(slabs.data, np.ndarray)
    difference = np.linalg.norm(np.asarray(slabs.data) - whole.data)
    assert difference <= tolerance * np.linalg.norm(whole.data)
    np.testing.assert_allclose(slabs.residuals, whole.residuals, rtol=0.03)
    assert slabs.provenance.step == name
    assert any("in slabs of" in w for w in t4.read(path).provenance.all_warnings()) == coupled
    assert slabs.pixel_size_nm == whole.pixel_size_nm


def test_an_axis_along_x_and_all_times_together(experiment, tmp_path):
    turned = experiment.with_items(
        [
            s.replace(images=np.ascontiguousarray(s.images.transpose(0, 2, 1)), tilt_axis="x")
            for s in experiment
        ]
    )
    parameters = {"iterations": 10, "weight": 0.03, "thickness": 32}
    path = tmp_path / "times.ome.zarr"
    with pytest.warns(Tomo4DWarning, match="differ slightly from those made in one piece"):
        slabs = run_in_slabs("reconstruct.joint_4d", turned, parameters, path, memory_bytes=36e6)
    whole = run_step("reconstruct.joint_4d", experiment, parameters)
    assert slabs.times_s.tolist() == experiment.times_s.tolist()
    for a, b in zip(slabs, whole, strict=True):
        np.testing.assert_allclose(
            np.asarray(a.data).transpose(0, 2, 1), b.data, atol=0.02 * b.data.max()
        )


def test_a_recipe_with_little_memory_goes_in_slabs(experiment, tmp_path):
    t4.write(experiment, tmp_path / "in.ome.zarr")
    (tmp_path / "recipe.toml").write_text(
        """
        input = { path = "in.ome.zarr" }
        output = { path = "out.ome.zarr" }
        [[steps]]
        step = "preprocess.subtract_background"
        [[steps]]
        step = "reconstruct.sirt"
        iterations = 3
        thickness = 32
        """
    )
    messages = []

    class Listening(Progress):
        def show(self, done, total, message, preview):
            messages.append(message)

    recipe = read_recipe(tmp_path / "recipe.toml")
    result = run_recipe(recipe, progress=Listening(), memory_gb=0.011)
    assert any("slab 2 of" in m for m in messages)
    again = t4.read(tmp_path / "out.ome.zarr")
    steps = [p.step for p in again.provenance.chain()]
    assert "preprocess.subtract_background" in steps and "reconstruct.sirt" in steps
    np.testing.assert_array_equal(np.asarray(again[1].data), np.asarray(result[1].data))


def test_a_recipe_that_goes_in_slabs_by_itself_says_so(experiment, tmp_path, monkeypatch):
    t4.write(experiment, tmp_path / "in.ome.zarr")
    steps = (("reconstruct.tv", {"iterations": 3, "weight": 0.05, "thickness": 32}),)
    recipe = Recipe({"path": "in.ome.zarr"}, steps, {"path": "out.ome.zarr"}, tmp_path)
    little = SimpleNamespace(available=22e6)
    monkeypatch.setattr("psutil.virtual_memory", lambda: little)
    with pytest.warns(Tomo4DWarning, match=r"Total variation was made in slabs of \d+ slices"):
        result = run_recipe(recipe)
    (warning,) = result.provenance.warnings
    assert "differ slightly" in warning
    assert warning in t4.read(tmp_path / "out.ome.zarr").provenance.all_warnings()


def test_nothing_is_left_after_cancel_or_too_little_memory(experiment, tmp_path):
    class Second(Progress):
        def show(self, done, total, message, preview):
            if "slab 2" in message:
                self.cancel()

    path = tmp_path / "volume.ome.zarr"
    arguments = ("reconstruct.sirt", experiment[0], {"iterations": 5, "thickness": 32}, path)
    with pytest.raises(Cancelled):
        run_in_slabs(*arguments, memory_bytes=11e6, progress=Second())
    with pytest.raises(NotEnoughMemoryError, match="Not even one slice of 48 pixels"):
        run_in_slabs(*arguments, memory_bytes=1e3)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(WriteError, match="extension"):
        run_in_slabs(*arguments[:3], tmp_path / "volume.raw", memory_bytes=11e6)


def test_finish_now_gives_all_slabs_as_many_iterations(experiment, tmp_path):
    class Impatient(Progress):
        def show(self, done, total, message, preview):
            if "iteration 4 of" in message:
                self.finish()

    parameters = {"iterations": 20, "thickness": 32}
    path = tmp_path / "volume.ome.zarr"
    volume = run_in_slabs(
        "reconstruct.sirt", experiment[0], parameters, path, memory_bytes=11e6, progress=Impatient()
    )
    four = run_step("reconstruct.sirt", experiment[0], parameters | {"iterations": 4})
    np.testing.assert_allclose(np.asarray(volume.data), four.data, atol=1e-5)
