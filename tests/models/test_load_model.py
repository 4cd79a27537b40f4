"""What a person says about files is kept with the result, and repeated by a recipe."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.errors import MissingAnglesError
from napari_tomo4d.gui.panels.dose import dose_in_words
from napari_tomo4d.gui.panels.load.model import (
    LoadRequest,
    problem_of,
    rows_of_tilts,
    rows_of_times,
)
from napari_tomo4d.pipeline import read_recipe, recipe_from, run_recipe, write_recipe
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import warnings_only_kept

ANGLES = [-10.0, -5.0, 0.5, 5.0]
N_FRAMES = 3
DOSE = {"probe_current_pa": 20.0, "dwell_time_ns": 500.0}


@pytest.fixture
def frames(tmp_path):
    """A file with three frames of each of four tilts."""
    path = tmp_path / "frames.npy"
    images = np.random.default_rng(0).poisson(20, (N_FRAMES * len(ANGLES), 32, 40))
    np.save(path, images.astype(np.float32))
    return str(path)


@pytest.fixture
def request_of_frames(frames):
    given = {"angles_deg": list(np.repeat(ANGLES, N_FRAMES)), "pixel_size_nm": 1.5}
    return LoadRequest((frames,), given, DOSE, average=True)


def load(request):
    with warnings_only_kept():
        return request.load(Progress())


def test_dose_angles_and_pixel_size_are_repeated_by_a_recipe(request_of_frames, tmp_path):
    series = load(request_of_frames)
    assert [p.step for p in series.provenance.chain()] == [
        "read",
        "preprocess.set_dose",
        "preprocess.average_frames",
    ]
    path = tmp_path / "recipe.toml"
    write_recipe(recipe_from(series.provenance), path)
    with warnings_only_kept():
        again = run_recipe(read_recipe(path))
    np.testing.assert_array_equal(again.images, series.images)
    np.testing.assert_array_equal(again.angles_deg, series.angles_deg)
    assert again.pixel_size_nm == series.pixel_size_nm == 1.5
    assert again.dose_e_per_nm2 == series.dose_e_per_nm2


def test_every_frame_counts_for_the_dose(request_of_frames):
    series = load(request_of_frames)
    electrons = 20e-12 * 500e-9 / 1.602176634e-19
    assert series.dose_e_per_nm2 == pytest.approx(
        N_FRAMES * len(ANGLES) * electrons / 1.5**2, rel=1e-9
    )
    with warnings_only_kept():
        looked = request_of_frames.look()
    assert problem_of(request_of_frames, looked) == ""
    said = dose_in_words(looked, looked.pixel_size_nm, DOSE)
    assert f"{series.dose_e_per_nm2:,.0f} e⁻/nm² for the 4 tilts" in said


def test_a_dose_without_a_pixel_size_is_refused_in_a_sentence(frames):
    given = {"angles_deg": list(np.repeat(ANGLES, N_FRAMES))}
    with pytest.raises(t4.errors.DataError, match="dose needs a pixel size"):
        load(LoadRequest((frames,), given, DOSE))
    request = LoadRequest((frames,), given, DOSE)
    with warnings_only_kept():
        problem = problem_of(request, request.look())
    assert problem.startswith("The dose needs a pixel size: give it")
    # and of a pixel it is known anyway
    assert dose_in_words(None, None, DOSE) == "62.4 electrons per pixel and image"


def test_the_dose_of_averaged_and_binned_images_is_that_of_the_scan(request_of_frames):
    """What is loaded may have been averaged and binned before it was written."""
    with warnings_only_kept():
        series = request_of_frames.look()
    words = dose_in_words(series, series.pixel_size_nm, DOSE)
    done = t4.preprocess.bin(t4.preprocess.average_frames(series, register=False), 4)
    assert done.pixel_size_nm == 4 * series.pixel_size_nm
    assert dose_in_words(done, done.pixel_size_nm, DOSE) == words


def test_volumes_take_no_steps_of_images(tmp_path):
    path = tmp_path / "volume.npy"
    np.save(path, np.zeros((4, 5, 6), np.float32))
    request = LoadRequest((str(path),), {"kind": "volume"}, DOSE, average=True)
    volume = load(request)
    assert volume.data.shape == (4, 5, 6)
    assert rows_of_tilts(volume) == [] == rows_of_times(volume)


def test_angles_from_a_table_are_for_each_frame_of_a_file(request_of_frames, tmp_path):
    with warnings_only_kept():
        item = request_of_frames.look()
    assert [row[0] for row in rows_of_tilts(item)] == ANGLES
    angles = request_of_frames.angles_per_image(np.array(ANGLES), item)
    assert angles == list(np.repeat(ANGLES, N_FRAMES))


def test_images_without_angles_say_how_many_they_are(frames):
    with pytest.raises(MissingAnglesError) as told:
        LoadRequest((frames,)).look()
    assert told.value.n_images == N_FRAMES * len(ANGLES)


def test_words_about_a_file_hold_no_names_of_python(request_of_frames):
    with warnings_only_kept():
        text = request_of_frames.describe(request_of_frames.look())
    assert text.startswith("frames.npy\n")
    assert "y (vertical) was assumed" in text
    for word in ("tilt_axis", "pix_sz", "variable"):
        assert word not in text
