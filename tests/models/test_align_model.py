"""Shifts corrected by hand: moved, left out, undone, saved and applied; without a window."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.align import apply, read_alignment, read_shifts, write_shifts
from napari_tomo4d.align.transforms import Alignment
from napari_tomo4d.errors import DataError
from napari_tomo4d.gui.panels.align.model import (
    AlignmentEdits,
    Shifts,
    find_shifts,
    position_of,
    problem_of,
    tilt_at,
)
from napari_tomo4d.gui.work.undo import UndoStack
from napari_tomo4d.pipeline import run_step
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import warnings_only_kept

FAST = {"method": "phase-correlation"}
BAD = 5


@pytest.fixture(scope="module")
def drifting():
    """Two time points of a small sample that drifts; one image is nothing but noise."""
    experiment, _ = t4.simulate.sintering(
        n_times=2, shape=(48, 64, 64), tilt_step_deg=8.0, drift_px=3.0
    )
    images = experiment[0].load().copy()
    images[BAD] = np.random.default_rng(0).poisson(images[BAD].mean(), images[BAD].shape)
    return experiment.with_items([experiment[0].replace(images=images), experiment[1]])


@pytest.fixture(scope="module")
def search(drifting):
    """What a search has found, and the images that it has aligned."""
    with warnings_only_kept():
        return find_shifts(drifting, FAST, Progress())


@pytest.fixture
def edits(search):
    """Just after the search."""
    result = AlignmentEdits()
    result.take(*search)
    return result


def test_a_search_is_that_of_the_step(drifting, search):
    found, aligned = search
    with warnings_only_kept():
        again = run_step("align.align_series", drifting, FAST)
    for k, (one, other) in enumerate(zip(aligned, again, strict=True)):
        np.testing.assert_array_equal(one.images, other.images)
        np.testing.assert_array_equal(found.shifts_px[k], one.metadata["alignment"]["shifts_px"])
    assert found.suspect[0].nonzero()[0].tolist() == [BAD]
    assert not found.suspect[1].any()


def test_every_change_makes_new_shifts(edits):
    first = edits.shifts
    moved = first.nudged((1, 3), 0.1, -1)
    np.testing.assert_allclose(moved.at(1)[3] - first.at(1)[3], (0.1, -1), atol=1e-5)
    np.testing.assert_array_equal(moved.at(0), first.at(0))
    np.testing.assert_array_equal(first.at(1), first.found.shifts_px[1])
    assert moved.n_edited == 1 and moved.edited(1).nonzero()[0].tolist() == [3]
    assert first.n_edited == 0


def test_tenths_of_a_pixel_add_up_to_a_pixel(edits):
    start = edits.shifts.moved((0, 2), (0, 0))
    shifts = start
    for _ in range(10):
        shifts = shifts.nudged((0, 2), 0.1, 0)
    assert shifts.at(0)[2].tolist() == [1, 0]


def test_a_tilt_goes_between_its_reliable_neighbours(edits, drifting):
    angles = drifting[0].angles_deg
    bridged = edits.shifts.between_neighbours(angles, (0, BAD))
    around = edits.shifts.at(0)[[BAD - 1, BAD + 1]].mean(axis=0)
    np.testing.assert_allclose(bridged.at(0)[BAD], around, atol=1e-5)
    # beside a suspect one, the next but one counts
    beside = edits.shifts.between_neighbours(angles, (0, BAD + 1))
    weight = (angles[BAD + 1] - angles[BAD - 1]) / (angles[BAD + 2] - angles[BAD - 1])
    wanted = (1 - weight) * edits.shifts.at(0)[BAD - 1] + weight * edits.shifts.at(0)[BAD + 2]
    np.testing.assert_allclose(beside.at(0)[BAD + 1], wanted, atol=1e-5)


def test_undo_says_where_the_change_was_made(edits):
    found = edits.shifts
    edits.change("move a", found.nudged((0, 3), 1, 0), (0, 3))
    edits.change("move b", edits.shifts.nudged((1, 7), 0, 1), (1, 7))
    both, stack = edits.shifts, edits.undo_stack
    assert stack.undo() == (1, 7)
    assert stack.undo_text == "move a" and stack.redo_text == "move b"
    assert stack.undo() == (0, 3)
    assert edits.shifts is found
    # the search itself was made at no single place, and can be undone too
    assert stack.undo() is None
    assert edits.shifts is None
    assert [stack.redo() for _ in range(3)] == [None, (0, 3), (1, 7)]
    assert edits.shifts is both


def test_found_shifts_are_applied_without_a_second_search(edits, drifting, search):
    assert not edits.needs_file
    assert edits.apply(drifting, Progress()) is search[1]
    # images that were not kept are made again, and are the same
    edits.aligned = None
    with warnings_only_kept():
        again = edits.apply(drifting, Progress())
    for one, other in zip(again, search[1], strict=True):
        np.testing.assert_array_equal(one.images, other.images)


def test_corrected_shifts_are_applied_from_their_files(edits, drifting, tmp_path):
    edits.change("move", edits.shifts.nudged((1, 2), 0, 1.5), (1, 2))
    assert edits.needs_file and edits.file is None
    with pytest.raises(DataError, match="Save the corrected shifts first"):
        edits.apply(drifting, Progress())
    path = write_shifts(f"{tmp_path}/corrected.json", drifting, edits.shifts.shifts_px)
    edits.saved = edits.shifts.shifts_px, path
    edits.change("leave out", edits.shifts.with_left_out(BAD, True))
    with warnings_only_kept():
        result = edits.apply(drifting, Progress())
    keep = np.arange(len(drifting[0])) != BAD
    for k, one in enumerate(result):
        wanted = apply(drifting[k], Alignment(edits.shifts.at(k))).images[keep]
        np.testing.assert_array_equal(one.images, wanted)
    assert "1 corrected by hand, saved in corrected_time*.json; 1 left out." in edits.describe({})
    # corrected further, the file is not what is looked at any more
    edits.change("move", edits.shifts.nudged((0, 0), 1, 0), (0, 0))
    assert edits.file is None


def test_a_file_that_was_changed_meanwhile_is_refused(drifting, tmp_path):
    path = tmp_path / "all.csv"
    path.write_text("dy,dx\n" + "1,2\n" * len(drifting[0]))
    edits = AlignmentEdits()
    edits.take(read_shifts(str(path), drifting))
    np.testing.assert_array_equal(
        edits.apply(drifting, Progress())[1].images,
        apply(drifting[1], read_alignment(path)).images,
    )
    path.write_text("dy,dx\n" + "0,0\n" * len(drifting[0]))
    with pytest.raises(DataError, match=r"all\.csv was changed since"):
        edits.apply(drifting, Progress())


def test_images_of_an_earlier_search_are_not_kept(search):
    found, _ = search
    edits, images = AlignmentEdits(), t4.TiltSeries(np.zeros((2, 4, 4)), (0, 1), 1.0)
    edits.take(found, images)
    gone = weakref.ref(images)
    del images
    edits.take(found, search[1])
    gc.collect()
    assert gone() is None


def test_tilts_are_left_out_of_all_times_or_of_none(search):
    found = search[0]
    assert Shifts.of(found).with_left_out(2, True).left_out_mask(1)[2]
    uneven = Shifts(found, (found.shifts_px[0], found.shifts_px[1][:-1]), np.zeros(11, bool))
    assert not uneven.same_tilts_everywhere


def test_a_slider_of_fewer_tilts_still_means_the_same_angle():
    own, fewer = np.array([-2.0, -1, 0, 1, 2]), np.array([-2.0, 0, 1, 2])
    assert [tilt_at(own, own, k) for k in (0, 4, 9)] == [0, 4, 4]
    assert [tilt_at(own, fewer, k) for k in range(4)] == [0, 2, 3, 4]
    assert [position_of(own, fewer, k) for k in range(5)] == [0, None, 1, 2, 3]


def test_what_can_not_be_aligned_is_said_in_a_sentence(drifting):
    assert not problem_of(drifting)
    frames = drifting[0].replace(images=np.stack([drifting[0].load()] * 2, axis=1))
    assert "average them in the Clean panel" in problem_of([frames])
    single = drifting[0].replace(images=drifting[0].load()[:1], angles_deg=[0.0])
    assert "a single tilt" in problem_of([single])


def test_a_stack_of_changes():
    stack, values = UndoStack(limit=3), [0]

    def put(value):
        old = values[-1]
        values.append(value)
        stack.push(f"to {value}", lambda: values.append(old), lambda: values.append(value))

    stack.undo()
    stack.redo()
    assert stack.undo_text == stack.redo_text == ""
    for value in (1, 2, 3, 4):
        put(value)
    assert stack.undo_text == "to 4"
    for _ in range(5):
        stack.undo()
    # the oldest change was forgotten
    assert values[-1] == 1
    stack.redo()
    assert values[-1] == 2 and stack.redo_text == "to 3"
    put(8)
    assert stack.redo_text == ""
    stack.undo()
    assert values[-1] == 2
    stack.redo()
    assert values[-1] == 8
    stack.clear()
    assert stack.undo_text == ""
