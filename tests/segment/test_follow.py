"""A particle keeps its number, whatever the labels of each time say."""

from __future__ import annotations

import numpy as np
import pytest
from spheres import ball

import napari_tomo4d as t4
from napari_tomo4d import Labels, TimeSeries
from napari_tomo4d.errors import DataError, Tomo4DWarning
from napari_tomo4d.segment import follow_particles, particle_events

SHAPE = (24, 48, 64)
PLACES = {1: (12, 12, 12, 7), 2: (12, 34, 14, 6), 3: (12, 14, 40, 6), 4: (12, 36, 46, 7)}


def frame(shift=(0, 0, 0), order=(1, 2, 3, 4), numbers=(1, 2, 3, 4), **moved):
    """Labels of some of the four particles, under other numbers."""
    data = np.zeros(SHAPE, int)
    for key, number in zip(order, numbers, strict=True):
        z, y, x, r = PLACES[key]
        dz, dy, dx = np.add(moved.get(f"p{key}", (0, 0, 0)), shift)
        data[ball(SHAPE, (z + dz, y + dy, x + dx), r) > 0.5] = number
    return Labels(data)


def where(labels, key, shift=(0, 0, 0)):
    z, y, x = (int(p + s) for p, s in zip(PLACES[key][:3], shift, strict=True))
    return int(labels.data[z, y, x])


def rows(series):
    return [tuple(r) for r in particle_events(series).itertuples(index=False)]


def test_numbers_shuffled_at_every_time_are_put_right():
    rng = np.random.default_rng(0)
    frames = [frame()] + [frame(numbers=rng.permutation(9)[:4] + 1) for _ in range(4)]
    found = follow_particles(TimeSeries(frames, times_s=range(5)))
    for item in found:
        np.testing.assert_array_equal(item.data, frames[0].data)
    assert rows(found) == [] and found.provenance.step == "segment.follow_particles"
    assert found.times_s.tolist() == [0, 1, 2, 3, 4]


def test_a_moving_sample_does_not_mix_up_particles():
    # farther in all than their distance, and than their radius from time to time
    shifts = [(0, 0, 0), (1, 3, 7), (-2, 1, 14), (0, -4, 8)]
    frames = [
        frame(s, numbers=n) for s, n in zip(shifts, [(1, 2, 3, 4), (4, 3, 2, 1)] * 2, strict=True)
    ]
    found = follow_particles(TimeSeries(frames))
    for item, shift in zip(found, shifts, strict=True):
        assert [where(item, k, shift) for k in PLACES] == [1, 2, 3, 4]
    assert rows(found) == []


def test_a_lost_particle_gets_its_number_again():
    frames = [frame(), frame(order=(1, 2, 4), numbers=(1, 2, 3)), frame(numbers=(4, 3, 2, 1))]
    with pytest.warns(Tomo4DWarning, match="2 times a particle appeared"):
        found = follow_particles(TimeSeries(frames))
    assert [where(found[2], k) for k in PLACES] == [1, 2, 3, 4]
    assert rows(found) == [(1, "lost", 3, 0), (2, "returned", 3, 0)]
    with pytest.warns(Tomo4DWarning):
        forgetful = follow_particles(TimeSeries(frames), max_missing=0)
    assert where(forgetful[2], 3) == 5
    assert rows(forgetful) == [(1, "lost", 3, 0), (2, "appeared", 5, 0)]


def test_an_exchange_of_one_particle_for_another_is_not_the_same():
    frames = [frame(order=(1, 2, 3), numbers=(1, 2, 3)), frame(order=(1, 2, 4), numbers=(1, 2, 3))]
    with pytest.warns(Tomo4DWarning):
        found = follow_particles(TimeSeries(frames))
    assert where(found[1], 4) == 4
    assert rows(found) == [(1, "lost", 3, 0), (1, "appeared", 4, 0)]


def test_splits_and_merges_are_told_with_whom():
    halves = frame()
    data = halves.data.copy()
    first = data == 1
    first[:, :, 14:] = False
    data[first] = 5
    whole, split = frame(), Labels(data)
    with pytest.warns(Tomo4DWarning):
        found = follow_particles(TimeSeries([whole, split, whole]))
    # the larger half, of x < 14, keeps the number
    assert where(found[1], 1) == 1 and found[1].data[12, 12, 17] == 5
    assert rows(found) == [(1, "split", 5, 1), (2, "merged", 5, 1)]


def test_two_that_merge_for_one_time_both_get_their_numbers_again():
    apart = np.zeros((20, 20, 40), int)
    apart[5:15, 5:15, 5:14], apart[5:15, 5:15, 14:30] = 1, 2
    joined = (apart > 0).astype(int)
    swapped = np.array([0, 2, 1])[apart]
    with pytest.warns(Tomo4DWarning):
        found = follow_particles(TimeSeries([Labels(d) for d in (apart, joined, swapped)]))
    np.testing.assert_array_equal(found[2].data, apart)
    assert rows(found) == [(1, "merged", 1, 2), (2, "returned", 1, 0)]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sintering_particles_keep_their_numbers(seed):
    _, truth = t4.simulate.sintering(n_times=6, shape=(48, 64, 64), seed=seed, lazy=True)
    rng = np.random.default_rng(seed)
    true = [item.data for item in truth.labels]
    count = true[0].max()
    tables = [np.r_[0, rng.permutation(count) + 1] for _ in true]
    shifts = [(0, 0, 0), *rng.integers(-3, 4, (5, 3))]
    given = [
        Labels(np.roll(t[d], s, (0, 1, 2))) for t, d, s in zip(tables, true, shifts, strict=True)
    ]
    found = follow_particles(TimeSeries(given))
    for item, data, shift in zip(found, true, shifts, strict=True):
        np.testing.assert_array_equal(
            np.roll(item.data, np.negative(shift), (0, 1, 2)), tables[0][data]
        )


def test_what_can_not_be_followed_is_refused():
    with pytest.raises(DataError, match="differ in shape"):
        follow_particles(TimeSeries([frame(), Labels(np.ones((3, 3, 3), int))]))
    with pytest.raises(DataError, match="labels of several time points"):
        follow_particles(frame())
    empty = Labels(np.zeros(SHAPE, int))
    with pytest.warns(Tomo4DWarning):
        found = follow_particles(TimeSeries([empty, frame(), empty]))
    assert [r[1] for r in rows(found)] == ["appeared"] * 4 + ["lost"] * 4
