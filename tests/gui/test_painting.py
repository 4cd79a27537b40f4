"""What is painted on labels is what is measured, saved, repeated and undone."""

from __future__ import annotations

import numpy as np
import pytest
from mouse import canvas, drag, on_canvas, press
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

import napari_tomo4d as t4
from napari_tomo4d.data import times_of
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.panels.pairs.panel import PairsPanel
from napari_tomo4d.gui.panels.particles.panel import ParticlesPanel
from napari_tomo4d.measure import follow_pairs, particle_table

SHAPE = (20, 40, 56)
Z = 10
PIXEL = 2.0
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def spheres(shift=0):
    """Two particles that touch, and a third one alone."""
    grid = np.indices(SHAPE)
    data = np.zeros(SHAPE, np.int32)
    for label, (y, x, radius) in enumerate(((20, 15 + shift, 8), (20, 29 + shift, 7)), 1):
        data[sum((g - c) ** 2 for g, c in zip(grid, (Z, y, x), strict=True)) <= radius**2] = label
    data[Z - 2 : Z + 3, 6:10, 46:50] = 3
    return data


def labels(kind, folder):
    """Return labels as they come to a person: of one time or several, in memory or on disk."""
    if kind in ("single", "duplicate of single"):
        item = t4.Labels(spheres(), PIXEL, "spheres")
    else:
        items = [t4.Labels(spheres(t), PIXEL, "spheres") for t in range(3)]
        item = t4.TimeSeries(items, [0, 60, 120], name="spheres")
    path = folder / "input.ome.zarr"
    t4.write(item, path)
    # what comes from a file can be repeated by a recipe
    return t4.read(path, lazy=kind == "lazy")


KINDS = ["single", "series", "lazy", "duplicate of single", "duplicate of series"]
# of what is painted on the same way, the others take a minute and say the same once more
SOME = [k if k in ("series", "lazy") else pytest.param(k, marks=pytest.mark.slow) for k in KINDS]


@pytest.fixture(params=KINDS)
def panel(request, qtbot, dock, viewer, tmp_path):
    """The panel Particles, looking at the second time; `other` is the layer of the original."""
    result = dock(ParticlesPanel)
    layer = result.session.add(labels(request.param, tmp_path))
    result.other = None
    if request.param.startswith("duplicate"):
        result.other = layer
        viewer.layers.selection.active = layer
        # napari's own, as in the menu of the layer list
        from napari.layers._layer_actions import _duplicate_layer

        _duplicate_layer(viewer.layers)
        layer.visible = False
        result.particles.choose(viewer.layers[-1])
    qtbot.wait(100)
    if layer.ndim == 4:
        viewer.dims.set_current_step(0, 1)
    viewer.reset_view()
    wait(qtbot, result)
    result.layer = result.particles.layer
    return result


def wait(qtbot, panel):
    qtbot.wait(20)
    qtbot.waitUntil(lambda: not panel.busy, timeout=60000)


def now(panel):
    """Return the voxels of the time shown, as the layer shows them."""
    shown = np.asarray(panel.layer.data)
    return shown[1] if shown.ndim == 4 else shown


def place(panel, y, x):
    return on_canvas(panel.viewer, panel.layer, y, x)


def paint(qtbot, panel, label=3):
    """Draw a line with the brush, across the lone particle's slice; returns what it changed."""
    layer, before = panel.layer, now(panel).copy()
    panel.viewer.layers.selection.active = layer
    layer.selected_label, layer.brush_size, layer.mode = label, 5, "paint"
    drag(qtbot, [place(panel, 33, x) for x in range(10, 32, 2)])
    layer.mode = "pan_zoom"
    wait(qtbot, panel)
    return now(panel) != before


def agree(panel, tmp_path):
    """Check that all who look at the layer's labels see what it shows."""
    shown = np.asarray(panel.layer.data)
    shown = shown if shown.ndim == 4 else shown[None]
    item = item_of(panel.layer)
    for one, voxels in zip(times_of(item), shown, strict=True):
        np.testing.assert_array_equal(np.asarray(one.data), voxels)
    # the table of the panel
    time = panel.model.time
    expected = particle_table(shown[time], PIXEL)
    frame = panel.tables.particles.rows.frame
    assert dict(zip(frame["label"], frame["volume_nm3"], strict=True)) == dict(
        zip(expected["label"], expected["volume_nm3"], strict=True)
    )
    # the pairs
    pairs = follow_pairs(item if shown.shape[0] > 1 else [item], pairs=[(1, 2)])
    fresh = follow_pairs([t4.Labels(v, PIXEL) for v in shown], pairs=[(1, 2)])
    np.testing.assert_array_equal(pairs["neck_radius_nm"], fresh["neck_radius_nm"])
    # napari's own saving, and ours
    for n, save in enumerate((lambda p: panel.layer.save(str(p)), lambda p: t4.write(item, p))):
        path = tmp_path / f"saved_{n}_{len(list(tmp_path.iterdir()))}.ome.zarr"
        save(path)
        for one, voxels in zip(times_of(t4.read(path)), shown, strict=True):
            np.testing.assert_array_equal(np.asarray(one.data), voxels)


def test_the_brush_is_measured_saved_and_undone(qtbot, panel, tmp_path):
    start = np.asarray(panel.layer.data).copy()
    volume = 4 * 4 * 5 * PIXEL**3
    frame = panel.tables.particles.rows.frame
    assert frame.set_index("label")["volume_nm3"][3] == volume
    changed = paint(qtbot, panel)
    # the line of the brush: 20 voxels long and 5 wide, with round ends, in one slice
    count = int(changed.sum())
    assert 100 <= count <= 130 and changed.any(axis=(1, 2)).sum() == 1 and changed[Z].any()
    print(f"painted {count} voxels")
    frame = panel.tables.particles.rows.frame
    assert frame.set_index("label")["volume_nm3"][3] == volume + count * PIXEL**3
    agree(panel, tmp_path)
    if panel.other is not None:
        np.testing.assert_array_equal(np.asarray(panel.other.data), start)
        assert item_of(panel.other).provenance.step == "read"
    painted = np.asarray(panel.layer.data).copy()

    # keys on the canvas, which are the viewer's own
    canvas().setFocus()
    qtbot.keyClick(canvas(), Qt.Key.Key_Z, CTRL)
    wait(qtbot, panel)
    np.testing.assert_array_equal(np.asarray(panel.layer.data), start)
    agree(panel, tmp_path)
    assert item_of(panel.layer).provenance.step == "read"
    qtbot.keyClick(canvas(), Qt.Key.Key_Z, CTRL | SHIFT)
    wait(qtbot, panel)
    np.testing.assert_array_equal(np.asarray(panel.layer.data), painted)
    agree(panel, tmp_path)


@pytest.mark.parametrize("panel", KINDS[3:], indirect=True)
def test_what_is_painted_on_the_original_leaves_its_copy_alone(qtbot, panel):
    start = np.asarray(panel.layer.data).copy()
    copy = panel.layer
    copy.visible, panel.other.visible = False, True
    panel.particles.choose(panel.other)
    panel.layer = panel.other
    assert paint(qtbot, panel).any()
    np.testing.assert_array_equal(np.asarray(copy.data), start)
    for one, voxels in zip(
        times_of(item_of(copy)), start if start.ndim == 4 else start[None], strict=True
    ):
        np.testing.assert_array_equal(np.asarray(one.data), voxels)


def test_the_recipe_repeats_what_was_painted(qtbot, panel, tmp_path, monkeypatch):
    paint(qtbot, panel)
    panel.tools.tools["Delete"].click()
    press(qtbot, place(panel, 20, 15))
    wait(qtbot, panel)
    panel.tools.choose("")
    paint(qtbot, panel, label=8)
    path = tmp_path / "recipe.toml"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    panel.recipe.save_button.click()
    assert panel.run_bar.status.text().startswith("Saved the 1 step to “spheres")
    again = t4.run_recipe(path)
    np.testing.assert_array_equal(
        np.stack([np.asarray(one.data) for one in times_of(again)]),
        np.asarray(panel.layer.data).reshape(-1, *SHAPE),
    )


@pytest.mark.parametrize("panel", SOME, indirect=True)
def test_fill_eraser_and_polygon(qtbot, panel, tmp_path):
    layer = panel.layer
    panel.viewer.layers.selection.active = layer
    before = now(panel).copy()
    layer.selected_label, layer.mode = 5, "fill"
    press(qtbot, place(panel, 8, 48))
    wait(qtbot, panel)
    np.testing.assert_array_equal(now(panel)[Z] == 5, before[Z] == 3)
    np.testing.assert_array_equal(now(panel)[Z + 1], before[Z + 1])
    # the same in all slices
    layer.n_edit_dimensions = 3
    layer.selected_label = 6
    press(qtbot, place(panel, 20, 15))
    wait(qtbot, panel)
    np.testing.assert_array_equal(now(panel) == 6, before == 1)
    layer.n_edit_dimensions = 2
    layer.mode, layer.brush_size = "erase", 3
    drag(qtbot, [place(panel, y, 15) for y in range(14, 28, 2)])
    wait(qtbot, panel)
    assert not now(panel)[Z, 14:27, 15].any() and now(panel)[Z + 1, 20, 15] == 6
    layer.mode = "polygon"
    layer.selected_label = 7
    for y, x in ((30, 40), (30, 50), (36, 45)):
        press(qtbot, place(panel, y, x))
    # back on the first point it is closed
    layer.mode = "polygon"
    from napari.layers.labels._labels_key_bindings import complete_polygon

    complete_polygon(layer)
    wait(qtbot, panel)
    assert (now(panel)[Z] == 7).sum() > 20
    layer.mode = "pan_zoom"
    agree(panel, tmp_path)
    assert len(layer.data.edits) == 4
    for _ in range(4):
        layer.undo()
    np.testing.assert_array_equal(now(panel), before)


@pytest.mark.parametrize("panel", SOME, indirect=True)
def test_brush_and_panel_are_undone_in_one_order(qtbot, panel, tmp_path):
    start = now(panel).copy()
    paint(qtbot, panel)
    painted = now(panel).copy()
    panel.bring_to_front()
    panel.tools.tools["Delete"].click()
    press(qtbot, place(panel, 20, 15))
    wait(qtbot, panel)
    assert not (now(panel) == 1).any()
    panel.tools.choose("")
    paint(qtbot, panel, label=2)
    agree(panel, tmp_path)
    undo = panel.tools.undo_button
    assert "painted as 2" in undo.toolTip()
    undo.click()
    wait(qtbot, panel)
    assert "particle 1 deleted" in undo.toolTip()
    canvas().setFocus()
    qtbot.keyClick(canvas(), Qt.Key.Key_Z, CTRL)
    wait(qtbot, panel)
    np.testing.assert_array_equal(now(panel), painted)
    undo.click()
    wait(qtbot, panel)
    np.testing.assert_array_equal(now(panel), start)
    assert not undo.isEnabled()
    agree(panel, tmp_path)


def test_the_pairs_panel_measures_what_was_painted(qtbot, dock, viewer, tmp_path):
    panel = dock(PairsPanel)
    layer = panel.session.add(labels("series", tmp_path))
    qtbot.waitUntil(lambda: not panel.busy, timeout=60000)
    panel.run_bar.run_button.click()
    qtbot.waitUntil(lambda: len(panel.model.rows.places()) == 3 and not panel.busy, timeout=60000)
    before = panel.model.frame().set_index("time")["neck_radius_nm"]
    # by a script, as a plugin would: half of the neck at the second time
    where = np.argwhere(np.asarray(layer.data[1]) > 0)
    where = where[(abs(where[:, 2] - 23) < 3) & (where[:, 1] < 20)]
    layer.data_setitem((np.full(len(where), 1), *where.T), 0)
    qtbot.wait(50)
    qtbot.waitUntil(lambda: len(panel.model.rows.places()) == 3 and not panel.busy, timeout=60000)
    after = panel.model.frame().set_index("time")["neck_radius_nm"]
    expected = follow_pairs(item_of(layer), pairs=[(1, 2)]).set_index("time")["neck_radius_nm"]
    np.testing.assert_allclose(after, expected)
    assert after[1] < 0.8 * before[1] and after[0] == before[0] and after[2] == before[2]


def test_voxels_given_to_a_layer_become_an_edit_or_make_it_foreign(qtbot, dock, viewer, tmp_path):
    panel = dock(ParticlesPanel)
    layer = panel.session.add(labels("series", tmp_path))
    wait(qtbot, panel)
    given = np.asarray(layer.data)
    given[2][given[2] == 2] = 0
    layer.data = given
    wait(qtbot, panel)
    np.testing.assert_array_equal(item_of(layer)[2].data, given[2])
    # the caller's array is not ours
    given[:] = 9
    assert item_of(layer)[0].data.max() == 3
    assert [str(e) for e in layer.data.edits] == [f"{(spheres(2) == 2).sum()} voxels erased"]
    layer.undo()
    np.testing.assert_array_equal(item_of(layer)[2].data, spheres(2))
    layer.data = np.zeros((2, 5, 6, 7), int)
    assert "no longer known to the panels" in notification_manager.records[-1].message
    assert item_of(layer) is None
    layer.data[:] = 3
    layer.undo()


def test_images_can_not_be_written_to_through_a_layer(qtbot, dock, viewer):
    panel = dock(ParticlesPanel)
    images = np.random.default_rng(0).random((5, 8, 9)).astype(np.float32)
    volume, series = t4.Volume(images), t4.TiltSeries(images, np.arange(5))
    for item, own in ((volume, volume.data), (series, series.images)):
        layer = panel.session.add(item)
        kept = own.copy()
        with pytest.raises(ValueError, match="read-only"):
            layer.data[0] = 7
        viewer.layers.selection.active = layer
        from napari.layers._layer_actions import _duplicate_layer

        _duplicate_layer(viewer.layers)
        copy = viewer.layers[-1]
        assert item_of(copy) is item and np.shares_memory(copy.data, own)
        copy.data = copy.data + 1
        # no longer what the data object is
        assert item_of(copy) is None and item_of(layer) is item
        np.testing.assert_array_equal(own, kept)


def test_labels_that_can_not_be_painted_say_why(qtbot, dock, viewer):
    panel = dock(ParticlesPanel)
    items = [t4.Labels(spheres()[: 20 - t], PIXEL) for t in range(2)]
    layer = panel.session.add(t4.TimeSeries(items, [0, 60]))
    wait(qtbot, panel)
    assert not layer.editable and "differ in size" in layer.help
    assert "differ in size" in panel.tools.tools["Delete"].toolTip()
