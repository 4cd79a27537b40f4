"""The step that measures pairs: uncertainties from the volumes, chosen pairs, rows left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

import napari_tomo4d as t4
from napari_tomo4d.errors import DataError
from napari_tomo4d.measure import follow_pairs, measure_pairs, neck, surface_uncertainty
from napari_tomo4d.measure.necks.contacts import suggest_pairs
from napari_tomo4d.measure.necks.follow import row_of, row_start
from napari_tomo4d.measure.necks.pairs_step import table_of_rows
from napari_tomo4d.progress import Progress


def three_balls(size=2.0):
    """Return labels of three balls in a row, which touch."""
    z, y, x = np.mgrid[:32, :32, :72]
    data = np.zeros(z.shape, np.int32)
    for label, centre in ((1, 15.5), (2, 33.5), (3, 51.5)):
        ball = (z - 15.5) ** 2 + (y - 15.5) ** 2 + (x - centre) ** 2 < 10.5**2
        data[ball & (np.abs(x - centre) <= 9)] = label
    return t4.Labels(data, size)


@pytest.fixture(scope="module")
def data():
    """Labels at two times, and volumes of uneven, blurred particles."""
    labels = three_balls()
    volumes = []
    for blur in (1.5, 3.0):
        density = (labels.data > 0) * (0.3 + 0.15 * labels.data)
        volumes.append(t4.Volume(ndimage.gaussian_filter(density, blur).astype(np.float32), 2.0))
    return t4.TimeSeries([labels] * 2, [0.0, 60.0]), t4.TimeSeries(volumes, [0.0, 60.0])


def test_uncertainties_come_from_the_volume_of_each_time(data):
    labels, volumes = data
    table = measure_pairs(labels, volumes=volumes).frame
    for t in range(2):
        known = surface_uncertainty(volumes[t], labels[t])
        assert known > 0.6 * 2.0
        wanted = neck(labels[t], 1, 2, surface_uncertainty_nm=known).errors["neck_radius_nm"]
        row = table[(table.time == t) & (table.a == 1)].iloc[0]
        assert row.neck_radius_nm_error == wanted
    voxels = measure_pairs(labels, surface_from="voxels", volumes=volumes).frame
    pd.testing.assert_frame_equal(voxels, measure_pairs(labels).frame)
    assert (voxels.neck_radius_nm_error < table.neck_radius_nm_error).all()
    given = measure_pairs(labels, surface_uncertainty_nm=0.7, volumes=volumes).frame
    wanted = neck(labels[0], 1, 2, surface_uncertainty_nm=0.7).errors["neck_radius_nm"]
    assert given.neck_radius_nm_error[0] == wanted


def test_a_volume_without_contrast_is_said_and_half_a_voxel_taken(data):
    labels = data[0]
    flat = t4.Volume(np.ones(labels[0].data.shape, np.float32), 2.0)
    volumes = labels.with_items([flat, flat])
    with pytest.warns(UserWarning, match="Half a voxel is taken instead"):
        table = measure_pairs(labels, volumes=volumes)
    pd.testing.assert_frame_equal(table.frame, measure_pairs(labels).frame)
    assert any("Half a voxel" in w for w in table.provenance.warnings)
    with pytest.raises(DataError, match="number of times"):
        measure_pairs(labels, volumes=flat)


def test_a_poor_volume_leaves_the_surface_as_unsure_as_it_is(data):
    labels = data[0][0]
    noise = np.random.default_rng(0).normal(0, 1, labels.data.shape).astype(np.float32)
    known = surface_uncertainty(t4.Volume(0.2 * (labels.data > 0) + noise), labels)
    # a step of 0.2 between voxels whose centres are 1.4 apart, noise of 1
    assert known == pytest.approx(2.0 * 1.4 / 0.2, rel=0.1)
    bare = t4.Labels(labels.data)
    in_voxels, in_nm = (
        surface_uncertainty(t4.Volume(data[1][0].data, size), bare) for size in (None, 2.0)
    )
    assert in_nm == pytest.approx(2 * in_voxels)


def test_chosen_pairs_keep_their_names_when_rows_are_left_out(data):
    labels = data[0]
    whole = follow_pairs(labels, pairs=[(2, 3), (1, 2)])
    table = measure_pairs(labels, pairs=[(2, 3), (1, 2)], leave_out=[(3, 2, 1)]).frame
    assert list(zip(table.pair, table.time, strict=True)) == [("P1", 0), ("P2", 0), ("P2", 1)]
    rest = whole.drop(index=1).reset_index(drop=True)
    pd.testing.assert_frame_equal(table, rest, check_exact=True)
    without = measure_pairs(labels, pairs=[(2, 3), (1, 2)], leave_out=[(2, 3, 0), (2, 3, 1)])
    assert set(without.frame.pair) == {"P2"}


def test_rows_measured_one_by_one_are_the_table_of_the_step(data):
    labels, volumes = data
    given = {"pairs": [(1, 2), (2, 3)], "leave_out": [(2, 3, 0)]}
    rows = []
    for name, (a, b), t in (("P1", (1, 2), 0), ("P1", (1, 2), 1), ("P2", (2, 3), 1)):
        known = surface_uncertainty(volumes[t], labels[t])
        found = neck(labels[t], a, b, surface_uncertainty_nm=known)
        rows.append({**row_start(name, a, b, t, labels.times_s), **row_of(found)})
    table = table_of_rows(rows, labels, volumes, **given)
    step = measure_pairs(labels, volumes=volumes, **given)
    pd.testing.assert_frame_equal(table.frame, step.frame, check_exact=True)
    assert table.name == step.name
    assert table.provenance.step == step.provenance.step == "measure.measure_pairs"
    assert table.provenance.parameters == step.provenance.parameters


def test_times_that_are_not_known_stay_unknown():
    labels = three_balls()
    table = follow_pairs([labels, labels])
    assert table.time_s.isna().all() and table.time.tolist() == [0, 1, 0, 1]


def test_pairs_of_all_times_and_the_size_of_particles():
    labels = three_balls()
    apart = t4.Labels(np.where(labels.data == 2, 0, labels.data), 2.0)
    found = suggest_pairs([labels, apart], 0.0, Progress())
    assert found.times == {(1, 2): [0], (2, 3): [0]}
    centre, radius = found.spheres[0][2]
    np.testing.assert_allclose(centre, [15.5, 15.5, 33.5], atol=0.01)
    assert radius == pytest.approx(10.5, rel=0.05)
    assert 2 not in found.spheres[1]
    # a gap of one particle between the outer two
    assert (1, 3) in suggest_pairs([apart], 40.0, Progress()).times
