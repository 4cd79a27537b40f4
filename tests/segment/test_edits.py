"""Corrections by hand are data: done again, or read from a file, they give the same voxels."""

from __future__ import annotations

import numpy as np
import pytest

from napari_tomo4d import Labels, TimeSeries
from napari_tomo4d.content import Content, content_of, load, save
from napari_tomo4d.data import times_of
from napari_tomo4d.errors import DataError, ParameterError
from napari_tomo4d.gui.canvas.label_stack import LabelStack
from napari_tomo4d.segment import (
    Delete,
    Edits,
    Merge,
    Paint,
    Renumber,
    Split,
    correct,
    particle_events,
)


def boxes(shift: int = 0) -> Labels:
    data = np.zeros((10, 16, 20), np.int32)
    data[2:7, 3:9, 2 + shift : 10 + shift] = 1
    data[2:7, 3:9, 12:17] = 2
    data[8, 12:15, 3:6] = 5
    return Labels(data, 2.0)


@pytest.fixture
def series() -> TimeSeries[Labels]:
    return TimeSeries([boxes(), boxes(1), boxes()], [0, 60, 120])


def test_a_new_part_gets_a_number_of_no_time(series):
    data = series[2].data.copy()
    data[0, 0, 0] = 40
    late = series.with_items([*series[:2], Labels(data, 2.0)])
    found = correct(late, [Split(0, 1, ((0, 0, 5.5), (0, 15, 5.5)))])
    # four columns stay on each side; the tie is decided the same way each time
    assert np.unique(found[0].data).tolist() == [0, 1, 2, 5, 41]
    np.testing.assert_array_equal(found[1].data, late[1].data)


def test_numbers_change_places_from_one_time_on(series):
    found = correct(series, [Renumber(1, 1, 2)])
    np.testing.assert_array_equal(found[0].data, series[0].data)
    for t in (1, 2):
        np.testing.assert_array_equal(found[t].data == 2, series[t].data == 1)
        np.testing.assert_array_equal(found[t].data == 1, series[t].data == 2)
    only = correct(series, [Renumber(1, 1, 9, onward=False)])
    np.testing.assert_array_equal(only[1].data == 9, series[1].data == 1)
    np.testing.assert_array_equal(only[2].data, series[2].data)


def test_painting_changes_the_voxels_it_names_and_no_others(series):
    where = np.argwhere(series[1].data == 5)
    found = correct(series, [Paint(1, where, 2), Paint(1, where[:1], 0)])
    expected = series[1].data.copy()
    expected[tuple(where[1:].T)] = 2
    expected[tuple(where[0])] = 0
    np.testing.assert_array_equal(found[1].data, expected)
    for t in (0, 2):
        np.testing.assert_array_equal(found[t].data, series[t].data)
    # the input is as it was
    assert (series[1].data == 5).sum() == len(where)


def random_edits(random: np.random.Generator, series: TimeSeries[Labels], n: int) -> list:
    """Return edits that suit the labels as they are when their turn comes."""
    made: list = []
    while len(made) < n:
        now = correct(series, made)
        t = int(random.integers(len(series)))
        present = [int(v) for v in np.unique(now[t].data) if v]
        label, other = (int(v) for v in random.choice([*present, 77], 2))
        ends = random.uniform(0, 10, (2, 3))
        where = np.unique(random.integers(0, (10, 16, 20), (30, 3)), axis=0)
        edit = [
            Split(t, label, ends, random.normal(size=3)),
            Merge(t, label, other),
            Delete(t, label),
            Renumber(t, label, other, bool(random.integers(2))),
            Paint(t, where, random.integers(0, 9, len(where))),
        ][random.integers(5)]
        try:
            correct(now, [edit])
        except DataError:
            continue
        made.append(edit)
    return made


@pytest.mark.parametrize("seed", range(8))
def test_written_and_read_they_give_the_same_voxels(series, tmp_path, seed):
    edits = Edits(random_edits(np.random.default_rng(seed), series, 8))
    direct = correct(series, edits)
    content = content_of(edits)
    stored = Content.from_dict(content.to_dict())
    again = correct(series, load(save(content, tmp_path), stored).value)
    step_by_step = series
    for edit in edits:
        step_by_step = correct(step_by_step, [edit])
    for t in range(len(series)):
        np.testing.assert_array_equal(again[t].data, direct[t].data)
        np.testing.assert_array_equal(step_by_step[t].data, direct[t].data)


def test_each_change_can_be_undone(series):
    for edit in random_edits(np.random.default_rng(3), series, 12):
        arrays = [item.data.copy() for item in series]
        changes = edit.changes(arrays)
        for change in changes:
            np.testing.assert_array_equal(arrays[change.time][tuple(change.where.T)], change.before)
            assert (change.before != change.after).all()
        for step in (*changes, *(c.undone() for c in changes)):
            arrays[step.time][tuple(step.where.T)] = step.after
        for array, item in zip(arrays, series, strict=True):
            np.testing.assert_array_equal(array, item.data)
        series = correct(series, [edit])


@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [
        (Delete(0, 3), DataError, "Correction 1, particle 3 deleted: There is no particle 3"),
        (Delete(3, 1), ParameterError, "is for time point 4; there are 3"),
        (Merge(0, 2, 2), DataError, "with itself"),
        (Renumber(0, 2, 2), DataError, "has this number already"),
        (Renumber(0, 2, 0), ParameterError, "positive"),
        (Paint(0, [[10, 0, 0]], 1), DataError, "outside the volume of 10 x 16 x 20 voxels"),
    ],
)
def test_what_does_not_suit_the_labels_is_refused(series, edit, error, message):
    with pytest.raises(error, match=message):
        correct(series, [edit])


def test_what_is_no_correction_is_refused():
    with pytest.raises(ParameterError, match="not negative"):
        Paint(0, [[0, 0, 0]], -1)
    with pytest.raises(ParameterError, match="one for each voxel"):
        Paint(0, [[0, 0, 0]], [1, 2])
    with pytest.raises(ParameterError, match="not a str"):
        Edits(["delete"])


def followed(*events):
    """Three times of labels with events between them, as `follow_particles` lists them."""
    items = []
    for t in range(3):
        data = np.zeros((2, 2, 8), np.int32)
        data[:, :, :4] = (1, 2, 3, 4)
        mine = [dict(zip(("time", "event", "label", "other"), e, strict=True)) for e in events]
        items.append(Labels(data, 1.0, metadata={"events": [e for e in mine if e["time"] == t]}))
    return TimeSeries(items, [0, 1, 2])


def events_after(series, *edits):
    """Return the events after corrections: the same headless and where a person makes them."""
    corrected = correct(series, edits)
    stack = LabelStack(series)
    for edit in edits:
        stack.apply(edit, edit.changes([one.data for one in times_of(stack.item)]))
    found, shown = (
        [tuple(row) for row in particle_events(x).itertuples(index=False)]
        for x in (corrected, stack.item)
    )
    assert found == shown
    stack.undo()
    if len(edits) == 1:
        assert stack.item is series
    return found


def test_events_have_the_new_numbers_and_lack_what_was_corrected():
    came = (1, "appeared", 3, 0)
    series = followed(came, (2, "merged", 4, 3), (2, "lost", 2, 0))
    # swapped from time 1 on: what goes at 2 had its number at 1, what comes at 1 has it now
    assert events_after(series, Renumber(1, 3, 4)) == [
        (1, "appeared", 4, 0),
        (2, "merged", 3, 4),
        (2, "lost", 2, 0),
    ]
    # at time 2 only, which is where the merged one is, and not where it was
    assert events_after(series, Renumber(2, 3, 1, onward=False))[1] == (2, "merged", 4, 1)
    # a particle that went and came under another number never did
    lost = followed((1, "lost", 2, 0), (1, "appeared", 3, 0))
    assert events_after(lost, Renumber(1, 3, 2)) == []
    # one that was none did neither come nor go, and nothing merged into it
    assert events_after(series, Delete(1, 3)) == [(2, "merged", 4, 3), (2, "lost", 2, 0)]
    assert events_after(series, Delete(2, 3))[1] == (2, "lost", 4, 0)
    assert events_after(series, Merge(2, 1, 3))[1] == (2, "merged", 4, 1)
    assert events_after(series, Delete(1, 2), Delete(1, 3)) == [(2, "merged", 4, 3)]
