"""Corrections by hand do what was asked, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from napari_tomo4d import Labels
from napari_tomo4d.errors import DataError, ParameterError
from napari_tomo4d.segment import Delete, Merge, Split, correct


def box_and_ball():
    data = np.zeros((12, 20, 30), int)
    data[3:9, 4:16, 4:14] = 2
    data[3:6, 4:8, 20:24] = 5
    return Labels(data, 0.5)


def test_a_cut_along_the_beam_parts_a_box_exactly():
    labels = box_and_ball()
    # a line along y at x = 6.5, seen along z
    cut = correct(labels, [Split(0, 2, [(0, 0, 6.5), (0, 19, 6.5)])])
    assert np.unique(cut.data).tolist() == [0, 2, 5, 6]
    assert (cut.data[3:9, 4:16, 4:7] == 6).all() and (cut.data[3:9, 4:16, 7:14] == 2).all()
    np.testing.assert_array_equal(cut.data == 5, labels.data == 5)
    assert labels.data.max() == 5 and cut.pixel_size_nm == 0.5


def test_a_cut_follows_the_direction_of_view():
    # seen along y: a line along x at z = 4.5
    cut = correct(box_and_ball(), [Split(0, 2, [(4.5, 0, 0), (4.5, 0, 29)], view=(0, 3, 0))])
    assert (cut.data[3:5, 4:16, 4:14] == 6).all() and (cut.data[5:9, 4:16, 4:14] == 2).all()
    oblique = correct(box_and_ball(), [Split(0, 2, [(6, 0, 4), (6, 19, 4)], view=(1, 0, 1))])
    z, _, x = np.nonzero(oblique.data == 6)
    assert ((x - 4) - (z - 6) > 0).all() or ((x - 4) - (z - 6) <= 0).all()


def test_cuts_that_can_not_be_are_refused():
    labels = box_and_ball()
    with pytest.raises(DataError, match="The cut misses particle 2"):
        correct(labels, [Split(0, 2, [(0, 0, 25), (0, 19, 25)])])
    with pytest.raises(ParameterError, match="one line of sight"):
        correct(labels, [Split(0, 2, [(0, 5, 5), (9, 5, 5)])])
    with pytest.raises(ParameterError, match="two points"):
        correct(labels, [Split(0, 2, [(0, 5, 5)])])
    with pytest.raises(DataError, match="no particle 3"):
        correct(labels, [Split(0, 3, [(0, 0, 6.5), (0, 19, 6.5)])])


def test_joining_undoes_a_cut_and_deleting_leaves_the_rest():
    labels = box_and_ball()
    cut = correct(labels, [Split(0, 2, [(0, 0, 6.5), (0, 19, 6.5)])])
    np.testing.assert_array_equal(correct(cut, [Merge(0, 2, 6)]).data, labels.data)
    deleted = correct(labels, [Delete(0, 2)])
    np.testing.assert_array_equal(deleted.data, np.where(labels.data == 5, 5, 0))
    with pytest.raises(DataError, match="with itself"):
        correct(labels, [Merge(0, 2, 2)])
    with pytest.raises(DataError, match="no particle 7"):
        correct(labels, [Merge(0, 2, 7)])
    with pytest.raises(DataError, match="no particle 0"):
        correct(labels, [Delete(0, 0)])
