import numpy as np
import pandas as pd
import pytest
from sintered import digitised_pair

import napari_tomo4d as t4
from napari_tomo4d.errors import DataError, ParameterError
from napari_tomo4d.measure import correlations, find_pairs, follow_pairs, repeat_errors, totals


@pytest.fixture(scope="module")
def sample():
    experiment, truth = t4.simulate.sintering(n_times=4, many_body=True)
    return experiment.with_items([truth.labels[t] for t in range(4)]), truth


@pytest.fixture(scope="module")
def table(sample):
    return follow_pairs(sample[0])


def test_every_pair_is_found_and_measured(sample, table):
    labels, truth = sample
    assert set(zip(table.a, table.b, strict=True)) == set(
        zip(truth.pairs.a, truth.pairs.b, strict=True)
    )
    both = table.merge(truth.pairs, on=["time", "a", "b"], suffixes=("", "_true"))
    pixel = labels[0].pixel_size_nm
    assert len(both) == len(truth.pairs) == len(table)
    for column in ("neck_radius_nm", "neck_radius_3d_nm"):
        error = (both[column] - both.neck_radius_nm_true) / pixel
        assert np.abs(error).max() < 0.2
    pulled = both.merge(truth.pairs[truth.pairs.many_body][["a", "b"]].drop_duplicates())
    alone = both[~both.a.isin(pulled.a) & ~both.b.isin(pulled.a) & ~both.a.isin(pulled.b)]
    assert np.abs((alone.distance_nm - alone.distance_nm_true) / pixel).max() < 0.2
    assert np.abs((both.distance_nm - both.distance_nm_true) / pixel).max() < 0.8
    assert (table.remarks == "").all()
    assert list(table.pair.unique()) == ["P1", "P2", "P3", "P4", "P5"]


def test_the_pair_that_others_pull_is_named(sample, table):
    _, truth = sample
    verdicts = correlations(table).set_index(["a", "b"]).verdict
    designed = truth.pairs[truth.pairs.many_body]
    for (a, b), verdict in verdicts.items():
        is_designed = ((designed.a == a) & (designed.b == b)).any()
        assert verdict == ("breaks the rule" if is_designed else "as expected")


def test_times_are_put_in_order(sample):
    labels, _ = sample
    pair = [(4, 5)]
    forward = follow_pairs(list(labels), labels.times_s, pairs=pair)
    backward = follow_pairs(list(labels)[::-1], labels.times_s[::-1], pairs=pair)
    columns = [c for c in forward.columns if c != "time"]
    pd.testing.assert_frame_equal(forward[columns], backward[columns])
    assert list(backward.time) == [3, 2, 1, 0]


def test_a_lost_particle_leaves_a_remark_and_no_number(sample):
    labels, _ = sample
    arrays = [item.data.copy() for item in labels]
    arrays[2][arrays[2] == 5] = 0
    found = follow_pairs(arrays, labels.times_s, labels[0].pixel_size_nm, pairs=[(4, 5)])
    assert found.remarks[2] == "particle 5 does not exist at this time"
    assert np.isnan(found.neck_radius_nm[2])
    assert found.neck_radius_nm.notna().sum() == 3


def test_what_can_not_be_measured_is_refused(sample):
    labels, _ = sample
    size = labels[0].pixel_size_nm
    with pytest.raises(DataError, match="no labelled volumes"):
        follow_pairs([])
    with pytest.raises(DataError, match="same time"):
        follow_pairs(list(labels), [0, 1, 1, 2])
    with pytest.raises(DataError, match="give one each"):
        follow_pairs(list(labels), [0, 1])
    with pytest.raises(DataError, match="both are 2"):
        follow_pairs(labels, pairs=[(2, 2)])
    with pytest.raises(DataError, match="No particles touch"):
        follow_pairs([np.where(labels[0].data == 1, 1, 0)], pixel_size_nm=size)
    with pytest.raises(ParameterError, match="give one each"):
        follow_pairs(labels, surface_uncertainty_nm=[1.0])


def test_neighbours_within_a_gap():
    labels = np.zeros((12, 12, 40), np.int32)
    labels[3:9, 3:9, 3:9] = 1
    labels[3:9, 3:9, 9:15] = 2
    labels[3:9, 3:9, 18:24] = 3
    assert find_pairs(labels, 2.0).tolist() == [[1, 2]]
    assert find_pairs(labels, 2.0, 5.9).tolist() == [[1, 2]]
    assert find_pairs(labels, 2.0, 6.0).tolist() == [[1, 2], [2, 3]]
    with pytest.raises(ParameterError, match="0 or more"):
        find_pairs(labels, 2.0, -1)


def test_totals_over_time(sample):
    labels, truth = sample
    found = totals(labels)
    assert found.particles.tolist() == [11] * 4
    assert found.necks.tolist() == [5] * 4
    assert found.time_s.tolist() == list(labels.times_s)
    # sintering costs surface: two spheres lose what their caps had and gain the neck's side
    assert np.all(np.diff(found.surface_nm2) < 0)
    volumes = [4 / 3 * np.pi * r**3 for r in truth.scenes[0].radii_nm]
    assert found.volume_nm3[0] == pytest.approx(sum(volumes), rel=0.02)


def test_repeated_measurements_give_their_spread():
    labels, _ = digitised_pair(0.5, 12, (0, 0.2, 1))
    first = follow_pairs([labels], pixel_size_nm=1.0)
    second = first.assign(neck_radius_nm=first.neck_radius_nm + 1)
    spread = repeat_errors([first, second], ["neck_radius_nm", "distance_nm"])
    assert spread.neck_radius_nm[0] == pytest.approx(np.sqrt(0.5))
    assert spread.distance_nm[0] == 0
    with pytest.raises(DataError, match="at least two"):
        repeat_errors([first], ["distance_nm"])
