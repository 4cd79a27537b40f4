"""The voxels of a label layer behave as an array, and no change of one is lost."""

from __future__ import annotations

import copy

import dask.array as da
import numpy as np
import pytest

from napari_tomo4d import Labels, TimeSeries
from napari_tomo4d.data import times_of
from napari_tomo4d.gui.canvas.label_stack import LabelStack
from napari_tomo4d.segment import Delete, correct

SHAPE = (3, 5, 7, 6)


def voxels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 5, SHAPE).astype(np.int32)


def series(lazy: bool = False) -> TimeSeries[Labels]:
    items = [da.from_array(v, chunks=(2, 4, 4)) if lazy else v for v in voxels()]
    return TimeSeries([Labels(v, 2.0) for v in items])


KEYS = [
    (1,),
    (1, 2),
    (0, 4, 6, 5),
    (-1, -2, slice(1, 5), slice(None)),
    (Ellipsis, 3),
    (slice(1, 2), slice(0, 1), slice(2, 6), slice(1, 6)),
    (slice(None), 2),
    (slice(None, None, 2), slice(4, None, -1), 1, slice(1, None, 3)),
    (np.array([0, 2, 2]), np.array([1, 1, 4]), np.array([6, 0, 3]), np.array([5, 5, -1])),
    (1, np.array([1, 2]), np.array([3, 4]), np.array([0, 5])),
    (np.array([0, 2]), slice(1, 3)),
    voxels() == 3,
]


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("key", KEYS, ids=[f"key {i}" for i in range(len(KEYS))])
def test_it_reads_and_writes_as_an_array_does(key, lazy):
    stack, array = LabelStack(series(lazy)), voxels()
    np.testing.assert_array_equal(stack[key], array[key])
    # what is read may be written to, as the viewer does
    stack[key][...] = 77
    np.testing.assert_array_equal(np.asarray(stack), array)
    values = np.random.default_rng(1).integers(0, 9, array[key].shape)
    for value in (values, 8):
        stack[key] = value
        array[key] = value
        np.testing.assert_array_equal(np.asarray(stack), array)
        assert all((a.data == b).all() for a, b in zip(stack.item, array, strict=True))


@pytest.mark.parametrize("key", [(2,), (2, 3, 4), (slice(1, 3), 4), (Ellipsis, 1)], ids=str)
def test_a_single_time_has_three_axes(key):
    array = voxels()[0]
    stack = LabelStack(Labels(array))
    assert stack.shape == array.shape and stack.ndim == 3
    stack[key] = 9
    array[key] = 9
    np.testing.assert_array_equal(np.asarray(stack), array)
    np.testing.assert_array_equal(stack.item.data, array)


@pytest.mark.parametrize("lazy", [False, True])
def test_random_writing_is_recorded_to_the_voxel(lazy):
    random = np.random.default_rng(5)
    base = series(lazy)
    stack, array = LabelStack(base), voxels()
    states = [array.copy()]
    for _ in range(30):
        for _ in range(random.integers(1, 4)):
            corner = random.integers(0, np.array(SHAPE) - 1)
            sizes = random.integers(1, 4, 4)
            box = tuple(slice(c, c + s) for c, s in zip(corner, sizes, strict=True))
            stack[box] = array[box] = random.integers(0, 9)
        stack.commit()
        if not np.array_equal(states[-1], array):
            states.append(array.copy())
    again = correct(base, stack.edits)
    for done, now, expected in zip(times_of(again), times_of(stack.item), array, strict=True):
        np.testing.assert_array_equal(done.data, expected)
        np.testing.assert_array_equal(now.data, expected)
    for state in states[-2::-1]:
        stack.undo()
        np.testing.assert_array_equal(np.asarray(stack), state)
    assert stack.undo_text == "" and stack.item is base
    for state in states[1:]:
        stack.redo()
        np.testing.assert_array_equal(np.asarray(stack), state)
    assert stack.redo_text == ""


def test_the_data_object_is_never_written_to():
    base = series()
    kept = [one.data.copy() for one in base]
    stack = LabelStack(base)
    stack[1, 2] = 9
    first = stack.item
    at_first = first[1].data.copy()
    stack[1, 3] = 8
    np.testing.assert_array_equal(first[1].data, at_first)
    assert (stack.item[1].data[3] == 8).all()
    for one, old in zip(base, kept, strict=True):
        np.testing.assert_array_equal(one.data, old)
    # times that nobody painted on are the same objects: what was measured of them holds
    assert stack.item[0] is base[0] and stack.item[2] is base[2]


@pytest.mark.parametrize("lazy", [False, True])
def test_one_time_as_a_whole_is_not_copied(lazy):
    stack = LabelStack(series(lazy))
    stack[1, 2] = 9
    whole = stack[1]
    np.testing.assert_array_equal(np.asarray(whole), np.asarray(stack)[1])
    with pytest.raises(ValueError, match="read-only"):
        whole[0] = 3
    for one, expected in zip(stack, np.asarray(stack), strict=True):
        np.testing.assert_array_equal(np.asarray(one), expected)
    first = stack[0]
    if lazy:
        # not read, and not ours to change
        assert not isinstance(first, np.ndarray)
        first[0] = 7
        assert not (stack[0, 0] == 7).any()


def test_copies_go_their_own_way():
    stack = LabelStack(series())
    stack[0, 0] = 9
    for other in (copy.deepcopy(stack), copy.copy(stack)):
        np.testing.assert_array_equal(np.asarray(other), np.asarray(stack))
        other[0, 1] = 7
        assert not np.array_equal(np.asarray(other)[0, 1], np.asarray(stack)[0, 1])
        assert len(other.edits) == 1 and len(stack.edits) == 1
        assert [p.step for p in other.item.provenance.chain()] == ["segment.correct"] * 2


def test_panels_and_brush_have_one_order_of_undo():
    stack = LabelStack(series())
    start = np.asarray(stack)
    stack[1, 2:4] = 0
    stack.commit()
    painted = np.asarray(stack)
    edit = Delete(1, 3)
    stack.apply(edit, edit.changes([one.data for one in stack.item]))
    assert stack.undo_text == "time 2: particle 3 deleted"
    assert not (np.asarray(stack)[1] == 3).any()
    stack.undo()
    np.testing.assert_array_equal(np.asarray(stack), painted)
    assert stack.redo_text == "time 2: particle 3 deleted" and "erased" in stack.undo_text
    stack.undo()
    np.testing.assert_array_equal(np.asarray(stack), start)
    stack[0, 0] = 4
    stack.commit()
    assert stack.redo_text == ""


def test_labels_that_differ_in_size_are_shown_but_not_painted():
    items = [Labels(np.ones((n, 4, 4), int)) for n in (3, 5)]
    stack = LabelStack(TimeSeries(items))
    assert stack.shape == (2, 5, 4, 4)
    np.testing.assert_array_equal(stack[0].sum(axis=(1, 2)), [16, 16, 16, 0, 0])
    assert "differ in size" in stack.problem
    with pytest.raises(ValueError, match="differ in size"):
        stack[0, 0] = 2
