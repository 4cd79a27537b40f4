"""Corrections by hand do what was asked, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from spheres import balls, sintered_pair

from napari_tomo4d import Labels
from napari_tomo4d.errors import DataError, ParameterError
from napari_tomo4d.segment import (
    delete_particle,
    merge_particles,
    split_by_seeds,
    split_particle,
)


def box_and_ball():
    data = np.zeros((12, 20, 30), int)
    data[3:9, 4:16, 4:14] = 2
    data[3:6, 4:8, 20:24] = 5
    return Labels(data, 0.5)


def test_a_cut_along_the_beam_parts_a_box_exactly():
    labels = box_and_ball()
    # a line along y at x = 6.5, seen along z
    cut = split_particle(labels, 2, [(0, 0, 6.5), (0, 19, 6.5)])
    assert np.unique(cut.data).tolist() == [0, 2, 5, 6]
    assert (cut.data[3:9, 4:16, 4:7] == 6).all() and (cut.data[3:9, 4:16, 7:14] == 2).all()
    np.testing.assert_array_equal(cut.data == 5, labels.data == 5)
    assert labels.data.max() == 5 and cut.pixel_size_nm == 0.5


def test_a_cut_follows_the_direction_of_view():
    # seen along y: a line along x at z = 4.5
    cut = split_particle(box_and_ball(), 2, [(4.5, 0, 0), (4.5, 0, 29)], view=(0, 3, 0))
    assert (cut.data[3:5, 4:16, 4:14] == 6).all() and (cut.data[5:9, 4:16, 4:14] == 2).all()
    oblique = split_particle(box_and_ball(), 2, [(6, 0, 4), (6, 19, 4)], view=(1, 0, 1))
    z, _, x = np.nonzero(oblique.data == 6)
    assert ((x - 4) - (z - 6) > 0).all() or ((x - 4) - (z - 6) <= 0).all()


def test_cuts_that_can_not_be_are_refused():
    labels = box_and_ball()
    with pytest.raises(DataError, match="The cut misses particle 2"):
        split_particle(labels, 2, [(0, 0, 25), (0, 19, 25)])
    with pytest.raises(ParameterError, match="one line of sight"):
        split_particle(labels, 2, [(0, 5, 5), (9, 5, 5)])
    with pytest.raises(ParameterError, match="two points"):
        split_particle(labels, 2, [(0, 5, 5)])
    with pytest.raises(DataError, match="no particle 3"):
        split_particle(labels, 3, [(0, 0, 6.5), (0, 19, 6.5)])


@pytest.mark.parametrize("x", [0.4, 0.7])
def test_seeds_part_a_pair_at_its_neck(x):
    mask, side = sintered_pair(x, 12, np.random.default_rng(2))
    labels = Labels(3 * mask.astype(int))
    seeds = [np.argwhere(mask & s).mean(axis=0) for s in (side, ~side)]
    found = split_by_seeds(labels, 3, seeds)
    assert np.unique(found.data).tolist() == [0, 3, 4]
    right = np.mean((found.data == 3)[mask] == side[mask])
    assert max(right, 1 - right) > 0.95


def test_three_seeds_make_three_parts_and_misplaced_ones_are_refused():
    mask = balls((24, 24, 60), (12, 12, 12, 9), (12, 12, 27, 8.5), (12, 12, 42, 8)) > 0.5
    labels = Labels(mask.astype(int))
    found = split_by_seeds(labels, 1, [(12, 12, 42), (12, 12, 12), (12, 12, 27)])
    assert [int(found.data[12, 12, x]) for x in (12, 27, 42)] == [1, 2, 3]
    with pytest.raises(DataError, match="Point 2 lies outside particle 1"):
        split_by_seeds(labels, 1, [(12, 12, 12), (0, 0, 0)])
    with pytest.raises(DataError, match="in one voxel"):
        split_by_seeds(labels, 1, [(12, 12, 12), (12.2, 12, 12)])
    with pytest.raises(ParameterError, match="at least two points"):
        split_by_seeds(labels, 1, [(12, 12, 12)])


def test_joining_undoes_a_cut_and_deleting_leaves_the_rest():
    labels = box_and_ball()
    cut = split_particle(labels, 2, [(0, 0, 6.5), (0, 19, 6.5)])
    np.testing.assert_array_equal(merge_particles(cut, 2, 6).data, labels.data)
    deleted = delete_particle(labels, 2)
    np.testing.assert_array_equal(deleted.data, np.where(labels.data == 5, 5, 0))
    with pytest.raises(DataError, match="with itself"):
        merge_particles(labels, 2, 2)
    with pytest.raises(DataError, match="no particle 7"):
        merge_particles(labels, 2, 7)
    with pytest.raises(DataError, match="no particle 0"):
        delete_particle(labels, 0)
