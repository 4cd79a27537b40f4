"""Shifts of time points in files: written, read, refused, and repeated by a recipe."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.align import (
    TiltAxis,
    apply,
    path_of_all_times,
    read_alignment,
    read_shifts,
    shift_files,
    write_shifts,
)
from napari_tomo4d.align.transforms import Alignment
from napari_tomo4d.errors import DataError, WriteError
from napari_tomo4d.pipeline import recipe_from, run_recipe, run_step, write_recipe


@pytest.fixture(scope="module")
def experiment():
    """Two time points."""
    return t4.simulate.sintering(n_times=2, shape=(16, 24, 32), tilt_step_deg=10.0)[0]


@pytest.fixture(scope="module")
def shifts_px(experiment):
    """Shifts with every digit, different at each time."""
    return tuple(np.random.default_rng(k).normal(0, 2, (len(experiment[k]), 2)) for k in range(2))


def test_each_time_point_has_a_file_of_its_own(experiment, shifts_px, tmp_path):
    axes = (TiltAxis(1.5, 0.2), None)
    path = write_shifts(f"{tmp_path}/shifts.json", experiment, shifts_px, axes)
    assert path == f"{tmp_path}/shifts_time{{time}}.json"
    back = read_shifts(path, experiment)
    for k in range(2):
        np.testing.assert_array_equal(back.shifts_px[k], shifts_px[k])
        one = read_alignment(f"{tmp_path}/shifts_time{k + 1}.json")
        np.testing.assert_array_equal(one.shifts_px, shifts_px[k])
    assert back.path == path
    assert back.axes[0].shift_px == 1.5 and back.axes[0].rotation_deg == 0.2
    assert back.axes[1] is None


def test_one_of_the_files_stands_for_all(experiment, shifts_px, tmp_path):
    path = write_shifts(f"{tmp_path}/shifts_time2.json", experiment, shifts_px)
    one = f"{tmp_path}/shifts_time1.json"
    assert path_of_all_times(one, 2) == path
    # of a single series, or of more time points than there are files, it is what it says
    assert path_of_all_times(one, 1) == one
    assert path_of_all_times(one, 3) == one


def test_a_recipe_repeats_the_files_of_all_time_points_exactly(experiment, shifts_px, tmp_path):
    named = shift_files(f"{tmp_path}/by hand.json", len(shifts_px))
    path = write_shifts(f"{tmp_path}/by hand.json", experiment, shifts_px)
    assert sorted(map(str, tmp_path.iterdir())) == named
    aligned = run_step("align.apply_file", experiment, {"path": path})
    for one, before, shifts in zip(aligned, experiment, shifts_px, strict=True):
        np.testing.assert_array_equal(one.images, apply(before, Alignment(shifts)).images)
    recipe = tmp_path / "recipe.toml"
    write_recipe(recipe_from(aligned.provenance), recipe)
    assert "{time}" in recipe.read_text(encoding="utf-8")
    for one, again in zip(aligned, run_recipe(recipe), strict=True):
        np.testing.assert_array_equal(one.images, again.images)


def test_one_file_may_serve_all_time_points(experiment, shifts_px, tmp_path):
    path = write_shifts(f"{tmp_path}/all.json", experiment, shifts_px[:1])
    back = read_shifts(path, experiment)
    assert len(back.shifts_px) == 1
    np.testing.assert_array_equal(back.shifts_px[0], shifts_px[0])
    assert np.isnan(back.quality[0]).all()
    assert not back.suspect[0].any()


def test_files_that_do_not_fit_are_refused(experiment, shifts_px, tmp_path):
    path = write_shifts(f"{tmp_path}/shifts.json", experiment, shifts_px)
    short = [
        one.replace(images=one.images[:3], angles_deg=one.angles_deg[:3]) for one in experiment
    ]
    with pytest.raises(DataError, match=r"\d+ shifts but the series 3 tilts"):
        read_shifts(path, short)


def test_transforms_that_turn_images_are_not_taken_as_shifts(experiment, tmp_path):
    path = tmp_path / "turned.xf"
    path.write_text("0.9 0.1 -0.1 0.9 0 0\n" * len(experiment[0]))
    with pytest.raises(t4.errors.ReadError, match="the step '.*' of a recipe applies it"):
        read_shifts(str(path), experiment[:1])


def test_a_folder_that_does_not_exist_is_named(experiment, shifts_px, tmp_path):
    with pytest.raises(WriteError, match=r"^The folder [^:]*nowhere does not exist"):
        write_shifts(f"{tmp_path}/nowhere/shifts.json", experiment, shifts_px)
