"""Which particles are looked at: one owner of labels, time, table and the chosen one."""

from __future__ import annotations

import gc

import numpy as np
import pandas as pd
import pytest

from napari_tomo4d import Labels, TimeSeries
from napari_tomo4d.errors import Tomo4DWarning
from napari_tomo4d.gui.panels.particles.model import (
    ParticlesModel,
    found_in_words,
    is_mask,
    whole_table,
)
from napari_tomo4d.measure import particle_table
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import Provenance
from napari_tomo4d.segment import Delete, correct, follow_particles


def boxes(shift=0, size=2.0):
    data = np.zeros((12, 16, 20), np.int32)
    data[2:8, 3:9, 2 + shift : 8 + shift] = 1
    data[2:6, 3:9, 12:17] = 2
    return Labels(data, size, "boxes")


@pytest.fixture
def series():
    return TimeSeries([boxes(), boxes(1), boxes(2)], [0, 60, 120], name="boxes")


@pytest.fixture
def model(series):
    result = ParticlesModel()
    result.said = []
    result.table_changed.connect(lambda: result.said.append("table"))
    result.selection_changed.connect(lambda: result.said.append("selection"))
    result.show(series, 0)
    return result


def measured(model):
    labels = model.labels
    model.take(labels, model.measure(labels))
    return model.table


def test_the_table_is_that_of_the_time(model, series):
    assert model.table is None and model.title == ""
    pd.testing.assert_frame_equal(measured(model), particle_table(series[0]))
    assert model.title == "2 particles at 0 s"
    model.look_at(2)
    # the table of another time is never shown for this one
    assert model.table is None
    pd.testing.assert_frame_equal(measured(model), particle_table(series[2]))
    # measured once
    model.look_at(0)
    assert model.table is not None and model.said[-2:] == ["table", "selection"]


def test_what_comes_late_is_dropped(model, series):
    first = model.labels
    table = model.measure(first)
    model.look_at(1)
    model.take(first, table)
    assert model.table is None
    model.look_at(0)
    assert model.table is table


def test_after_a_correction_only_the_time_touched_is_measured_again(model, series):
    for time in range(3):
        model.look_at(time)
        measured(model)
    model.look_at(1)
    model.select(2)
    model.update(correct(series, [Delete(1, 1)]), 1)
    assert model.table is None and model.selected == 2
    assert measured(model)["label"].tolist() == [2]
    # centre and diameter in voxels: a box of 4 x 6 x 5
    centre, diameter = model.ring_px
    np.testing.assert_allclose(centre, (3.5, 5.5, 14))
    assert diameter == pytest.approx((6 * 4 * 6 * 5 / np.pi) ** (1 / 3))
    model.select(1)
    assert model.ring_px is None


def test_other_labels_begin_anew(model, series):
    measured(model)
    model.select(1)
    model.show(boxes(), 0)
    assert model.selected == 0 and model.table is None and model.times == [""]
    model.show(None, 0)
    assert model.labels is None and model.title == "" and model.ring_px is None


def test_tables_go_with_their_labels(model):
    measured(model)
    # another object at the place of one that is gone is not taken for it
    for size in range(1, 9):
        data = np.zeros((9, 9, 9), np.int32)
        data[2 : 3 + size % 6, 2:5, 2:5] = 1
        model.show(Labels(data, 1.0), 0)
        assert model.table is None
        assert measured(model)["volume_nm3"].tolist() == [9 * (1 + size % 6)]
        gc.collect()


def test_labels_without_particles_have_an_empty_table(model):
    model.show(Labels(np.zeros((4, 4, 4), int)), 0)
    assert len(measured(model)) == 0
    assert model.title == "0 particles; no pixel size is known, so lengths are in voxels"


def test_a_mask_stays_one_when_it_is_painted_on():
    made = Provenance("segment.clean_mask")
    mask = Labels(boxes().data, 2.0, provenance=made)
    assert is_mask(mask) and is_mask(correct(mask, [Delete(0, 2)]))
    assert not is_mask(boxes())


def test_what_was_found_is_said_in_words(series):
    data = series[2].data.copy()
    data[data == 2] = 0
    late = series.with_items([*series[:2], Labels(data, 2.0)])
    with pytest.warns(Tomo4DWarning, match="1 time a particle"):
        found = follow_particles(late)
    assert found_in_words(found) == "2 particles at 0 s, 1 particle at 120 s, 1 lost"
    assert found_in_words(boxes()) == "2 particles"


def test_a_file_has_voxels_where_no_size_is_known(series):
    table = whole_table(series, Progress())
    assert table["time"].tolist() == [0, 0, 1, 1, 2, 2]
    assert table["volume_nm3"].tolist() == [1728, 960] * 3
    plain = series.with_items([boxes(t, None) for t in range(3)])
    assert whole_table(plain, Progress())["volume_px3"].tolist() == [216, 120] * 3
    # a time without particles has no rows, and the others keep theirs
    deleted = correct(series, [Delete(1, 1), Delete(1, 2)])
    assert whole_table(deleted, Progress())["time"].tolist() == [0, 0, 2, 2]


def test_the_ring_is_around_the_particle_where_voxels_are_not_cubic():
    data = np.zeros((12, 16, 20), np.int32)
    data[2:6, 3:9, 4:12] = 1
    result = ParticlesModel()
    result.show(Labels(data, (2.0, 1.5, 0.5)), 0)
    measured(result)
    result.select(1)
    centre, diameter = result.ring_px
    assert centre.tolist() == pytest.approx([3.5, 5.5, 7.5])
    # of a sphere of its 288 nm3, in edges along x, by which napari scales points
    assert diameter == pytest.approx((6 / np.pi * 288) ** (1 / 3) / 0.5, rel=1e-3)
    assert result.title == "1 particle" and result.has_size
