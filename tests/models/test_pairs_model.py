"""The state of the panel *Pairs*, without a window."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

import napari_tomo4d as t4
from napari_tomo4d.gui.panels.pairs.model import (
    Clicked,
    PairsModel,
    measure_pair,
    problem_of,
    spans,
)
from napari_tomo4d.gui.panels.pairs.rows import PairRows
from napari_tomo4d.measure import follow_pairs, measure_pairs
from napari_tomo4d.measure.necks.contacts import suggest_pairs
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import Provenance


class Layer:
    """Stands for a layer: something that a model remembers labels by."""


def three_balls():
    """Return labels of three balls in a row; the third moves away from the second."""
    items = []
    for gap in (0, 8):
        z, y, x = np.mgrid[:32, :32, :80]
        data = np.zeros(z.shape, np.int32)
        for label, centre in ((1, 15.5), (2, 33.5), (3, 51.5 + gap)):
            ball = (z - 15.5) ** 2 + (y - 15.5) ** 2 + (x - centre) ** 2 < 10.5**2
            data[ball & (np.abs(x - centre) <= 9)] = label
        made = Provenance("segment.follow_particles", inputs=(MADE,))
        items.append(t4.Labels(data, 2.0, provenance=made))
    return t4.TimeSeries(items, [0.0, 600.0], [300.0, 350.0], "balls", made)


MADE = Provenance("reconstruct.sirt", inputs=(Provenance("read", {"path": "a.mrc"}),))


@pytest.fixture(scope="module")
def labels():
    return three_balls()


@pytest.fixture(scope="module")
def volumes(labels):
    items = [
        t4.Volume(
            ndimage.gaussian_filter((i.data > 0) * (0.5 + 0.2 * i.data), 2).astype(np.float32),
            2.0,
            provenance=MADE,
        )
        for i in labels
    ]
    return t4.TimeSeries(items, [0.0, 600.0], name="volumes", provenance=MADE)


@pytest.fixture
def layer():
    return Layer()


@pytest.fixture
def model(labels, layer):
    result = PairsModel()
    result.set_labels(layer, labels)
    result.set_suggestions(suggest_pairs(result.items, 0.0, Progress()))
    return result


def measure(model, key, time=None):
    """Measure a pair as the measurer does, and hand it to the model."""
    at = model.time if time is None else time
    return model.offer(measure_pair(model.items, model.surfaces, key, at))


def measure_rest(model):
    """Measure all rows that are missing, as the measurer does."""
    for key, times in model.rows.missing().items():
        others = [(*key, t) for t in range(len(model.items)) if t not in times]
        table = follow_pairs(
            model.labels,
            pairs=[key],
            leave_out=others,
            surface_uncertainty_nm=model.surfaces.all(),
        )
        model.rows.put(key, table.to_dict("records"))
    model.rows_changed.emit()


def count(event):
    """Return a list that grows with each change."""
    seen = []
    event.connect(lambda: seen.append(1))
    return seen


def clicked(label, x=15):
    return Clicked(label, 0, np.array([15, 15, x]))


def test_two_clicks_are_a_pair_and_others_say_why_not(model):
    changes = count(model.first_changed)
    assert model.click(clicked(0)) == ("That is background; click on a particle.", None)
    assert model.click(clicked(2)) == ("Particle 2. Click its neighbour; Esc cancels.", None)
    centre, radius = model.circle()
    np.testing.assert_allclose(centre, [15.5, 15.5, 33.5], atol=0.01)
    assert radius == pytest.approx(10.5, rel=0.05)
    assert model.click(clicked(2)) == ("Particle 2 again; click another one.", None)
    assert model.click(clicked(1))[1] == (1, 2)
    assert model.first is None and model.circle() is None and len(changes) == 2
    model.click(clicked(3))
    assert model.forget_first() and not model.forget_first()


def test_a_circle_is_as_wide_as_the_particle_where_voxels_are_not_cubic(layer):
    z, y, x = np.ogrid[:12, :16, :40]
    ball = ((z - 6) * 2) ** 2 + ((y - 8) * 1.5) ** 2 + ((x - 20) * 0.75) ** 2 < 9**2
    model = PairsModel()
    model.set_labels(layer, t4.Labels(ball, (2.0, 1.5, 0.75)))
    model.click(Clicked(1, 0, np.array([6, 8, 20])))
    found = [model.circle()]
    model.set_suggestions(suggest_pairs(model.items, 0.0, Progress()))
    found.append(model.circle())
    for centre, radius in found:
        np.testing.assert_allclose(centre, [6, 8, 20], atol=0.01)
        # in edges along x, by which napari scales points
        assert radius * 0.75 == pytest.approx(9, rel=0.03)


def test_a_circle_is_drawn_before_all_particles_are_known(labels, layer):
    model = PairsModel()
    model.set_labels(layer, labels)
    model.click(clicked(1))
    centre, radius = model.circle()
    np.testing.assert_allclose(centre[1:], [15.5, 15.5], atol=0.5)
    assert radius == pytest.approx(10.5, rel=0.1)


def test_one_measurement_is_one_row_and_one_change(model):
    rows, places = count(model.rows_changed), count(model.looked_at_changed)
    assert measure(model, (1, 2)) == ""
    assert len(rows) == len(places) == 1
    assert model.place == ((1, 2), 0) and model.found.neck.a == 1
    assert model.title == "P1: particles 1 and 2, 0 min"
    assert model.rows.missing() == {(1, 2): [1]}
    measure_rest(model)
    # the clicked time was not measured a second time
    table = model.frame()
    pd.testing.assert_frame_equal(
        table, follow_pairs(model.labels, pairs=[(1, 2)]), check_exact=True
    )
    model.set_time(1)
    assert model.found is None and model.place == ((1, 2), 1)
    measure(model, (1, 2))
    assert len(rows) == 2 and model.title.endswith("10 min")


def test_particles_that_lie_apart_are_no_pair_unless_they_touch_at_some_time(model):
    text = measure(model, (1, 3))
    assert text.startswith("1 and 3 do not touch (gap ") and text.endswith("not added.")
    assert model.pair is None and not model.rows.places()
    # these touch at the first time, and are looked at at the second
    model.set_time(1)
    assert measure(model, (2, 3)) == ""
    assert model.found.picture is None and model.frame().gap_nm[0] > 10


def test_removed_rows_stay_away_until_undo(model):
    model.add_suggested()
    measure_rest(model)
    assert model.summary() == "2 pairs measured at 2 times"
    assert len(model.frame()) == 4
    model.look_at((1, 2))
    model.remove_rows([((2, 3), 1)])
    assert len(model.frame()) == 3 and not model.rows.missing()
    model.remove_pairs([(1, 2)])
    assert model.pair is None and model.frame().pair.tolist() == ["P2"]
    assert model.undo_stack.undo_text == "removing pairs"
    model.undo()
    assert len(model.frame()) == 3
    model.undo()
    assert len(model.frame()) == 4
    # a pair whose rows were all removed is gone, and comes back when it is chosen again
    model.remove_rows([((2, 3), 0), ((2, 3), 1)])
    assert model.rows.pairs == [(1, 2)]
    assert measure(model, (2, 3)) == "" and model.rows.name((2, 3)) == "P2"


def test_rows_are_told_of_before_what_is_looked_at(model):
    measure(model, (1, 2))
    told = []
    model.rows_changed.connect(lambda: told.append(("rows", len(model.frame()), model.pair)))
    model.looked_at_changed.connect(lambda: told.append(("place", len(model.frame()), model.pair)))
    model.remove_pairs([(1, 2)])
    assert told == [("rows", 0, None), ("place", 0, None)]


def test_another_volume_has_all_measured_again(model, volumes):
    measure(model, (1, 2))
    before = model.frame().neck_radius_nm_error[0]
    model.set_volumes(volumes)
    assert not model.rows.places() and model.rows.pairs == [(1, 2)] and model.found is None
    measure(model, (1, 2))
    assert model.frame().neck_radius_nm_error[0] > before
    assert model.found.picture.grey
    # the same volume again changes nothing
    rows = count(model.rows_changed)
    model.set_volumes(volumes)
    assert not rows and len(model.frame()) == 1


def test_another_input_empties_what_belonged_to_the_last(model, labels, layer):
    measure(model, (1, 2))
    emptied = count(model.emptied)
    other = Layer()
    model.set_labels(other, labels[0])
    assert emptied and model.pair is None and model.suggestions is None and model.frame().empty
    # the first layer's rows are there again, but not those of labels that were changed
    model.set_labels(layer, labels)
    assert model.frame().pair.tolist() == ["P1"]
    model.set_labels(layer, labels.with_items(list(labels)))
    assert model.frame().empty and model.rows.missing() == {(1, 2): [0, 1]}
    model.set_labels(layer, None)
    assert model.frame().empty and not model.rows.pairs


def test_what_was_measured_goes_with_its_layer(model, labels):
    other = Layer()
    model.set_labels(other, labels)
    rows = weakref.ref(model.rows)
    model.set_labels(None, None)
    assert rows() is not None
    del other
    gc.collect()
    assert rows() is None


def test_the_step_repeats_the_table_bit_for_bit(model, labels, volumes):
    model.set_volumes(volumes)
    model.set_time(1)
    measure(model, (2, 3))
    model.add_suggested()
    measure_rest(model)
    model.remove_rows([((1, 2), 0)])
    table = model.table()
    done = table.provenance
    assert done.step == "measure.measure_pairs"
    assert done.parameters["pairs"] == [[2, 3], [1, 2]]
    again = measure_pairs(labels, volumes=volumes, **done.parameters)
    pd.testing.assert_frame_equal(again.frame, table.frame, check_exact=True)
    assert again.provenance.parameters == done.parameters
    # and without one of the pairs, whose name is not given away
    model.remove_pairs([(2, 3)])
    table = model.table()
    assert table.frame.pair.tolist() == ["P2"]
    again = measure_pairs(labels, volumes=volumes, **table.provenance.parameters)
    pd.testing.assert_frame_equal(again.frame, table.frame, check_exact=True)


def test_a_volume_from_elsewhere_is_told_with_its_voxels(model, labels, volumes):
    strange = t4.TimeSeries([t4.Volume(v.data, 2.0) for v in volumes], [0.0, 600.0], name="mine")
    model.set_volumes(strange)
    measure(model, (1, 2))
    measure_rest(model)
    table = model.table()
    kept = table.provenance.parameters
    np.testing.assert_array_equal(kept["volumes"].value[1].data, volumes[1].data)
    again = measure_pairs(labels, **{**kept, "volumes": kept["volumes"].value})
    pd.testing.assert_frame_equal(again.frame, table.frame, check_exact=True)


def test_why_nothing_can_be_measured(labels):
    assert problem_of(None).startswith("No labelled particles yet: make them in the Particles")
    assert "voxel size of these labels is not known" in problem_of(t4.Labels(labels[0].data))
    assert problem_of(labels) == ""


def test_times_are_counted_from_one_in_words():
    assert spans([0, 1, 2], 3) == "" and spans([0], 1) == ""
    assert spans([1], 3) == "time 2" and spans([2, 1], 3) == "times 2 to 3"
    assert spans([0, 2], 4) == "times 1, 3"


def test_pairs_keep_their_names():
    rows = PairRows(2)
    for a, b in ((5, 2), (3, 4), (1, 7)):
        key = rows.add(a, b)
        rows.put(key, [{"time": t, "time_s": 10.0 * t} for t in (0, 1)])
    assert rows.pairs == [(2, 5), (3, 4), (1, 7)] and not rows.missing()
    rows.drop([(3, 4)])
    assert [rows.name(k) for k in rows.pairs] == ["P1", "P3"]
    rows.remove([((2, 5), 1)])
    # measured again, but what was taken out stays out
    rows.empty_rows()
    assert rows.missing() == {(2, 5): [0], (1, 7): [0, 1]}
    rows.put((2, 5), [{"time": t, "time_s": 10.0 * t} for t in (0, 1)])
    assert rows.row((2, 5), 1) is None and rows.missing() == {(1, 7): [0, 1]}
    assert rows.name(rows.add(4, 3)) == "P2"
    assert rows.name(rows.add(8, 9)) == "P4"
    assert rows.left_out()[0] == (2, 5, 1)
