"""The Segment panel by hand: what is outlined on the slice is what the run makes of all slices."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from by_hand import click, type_into, wait_idle
from mouse import drag, on_canvas
from qtpy.QtCore import QPoint, QPointF
from qtpy.QtWidgets import QFileDialog
from scipy import ndimage

import napari_tomo4d as t4
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.panels.segment import panel as segment_panel
from napari_tomo4d.gui.panels.segment.mask_outline import PREVIEW_LAYER
from napari_tomo4d.gui.panels.segment.model import make_mask, methods
from napari_tomo4d.gui.panels.segment.panel import SegmentPanel
from napari_tomo4d.gui.panels.segment.strokes import STROKES_LAYER
from napari_tomo4d.pipeline import run_steps
from napari_tomo4d.segment import MaskSettings

NOISE = 0.06


@pytest.fixture(scope="module")
def volumes():
    """Two times of sintering spheres of density 1, with noise."""
    experiment, truth = t4.simulate.sintering(n_times=2, shape=(48, 64, 64))
    rng = np.random.default_rng(0)
    items = []
    for volume in truth.volumes:
        noise = rng.normal(0, NOISE, volume.data.shape).astype(np.float32)
        items.append(t4.Volume(volume.data + noise, volume.pixel_size_nm, name="sintered"))
    return experiment.with_items(items, name="sintered")


@pytest.fixture
def empty(qtbot, dock):
    """The panel, without data."""
    result = dock(SegmentPanel)
    qtbot.waitUntil(lambda: result.in_front, timeout=60000)
    return result


@pytest.fixture
def panel(qtbot, empty, volumes):
    empty.session.add(volumes)
    wait_outline(qtbot, empty)
    return empty


def wait_outline(qtbot, panel):
    qtbot.waitUntil(lambda: panel.model.levels is not None and not panel.busy, timeout=60000)


def line_at(panel, value):
    """Return where a grey value is in the histogram."""
    view = panel.histogram.plotItem.getViewBox()
    point = view.mapViewToScene(QPointF(value, np.mean(view.viewRange()[1])))
    return panel.histogram.mapFromScene(point)


def drag_line(qtbot, panel, start, end):
    ends = line_at(panel, start), line_at(panel, end)
    steps = np.linspace(0, 1, 8)
    places = [
        QPoint(round(ends[0].x() + t * (ends[1].x() - ends[0].x())), ends[0].y()) for t in steps
    ]
    drag(qtbot, places, panel.histogram.viewport())
    wait_outline(qtbot, panel)


def choose(qtbot, panel, method):
    panel.threshold_box.method.setCurrentText(methods()[method])
    wait_outline(qtbot, panel)


def outlined(panel):
    """Return the previewed mask, two-dimensional, once its outline is drawn."""
    edge = np.asarray(panel.outline.layer.data).squeeze()
    mask = panel.outline.mask
    inner = ndimage.binary_erosion(mask > 0, border_value=1)
    # drawn is what has something else beside it
    np.testing.assert_array_equal(edge > 0, (mask > 0) & ~inner)
    return mask


def run(qtbot, panel):
    click(qtbot, panel.run_bar.run_button)
    wait_idle(qtbot, panel)
    wait_outline(qtbot, panel)


def test_without_a_volume_it_says_what_to_do(empty, picture):
    assert empty.hint.text().startswith("No volume yet: make one in the Reconstruct panel")
    assert not empty.run_bar.run_button.isEnabled()
    assert empty.run_bar.run_button.toolTip() == empty.hint.text()
    picture("s0-empty")


def test_drag_the_threshold_and_run(qtbot, panel, viewer, volumes, picture):
    picture("s1-loaded")
    # spheres of density 1 in 0: halfway is the surface
    found = panel.histogram.levels
    assert found == [pytest.approx(0.5, abs=0.02)]
    assert "2 time points" in panel.hint.text()
    z = int(viewer.dims.current_step[1])
    wide = outlined(panel)
    np.testing.assert_array_equal(wide > 0, volumes[0].data[z] > found[0])

    drag_line(qtbot, panel, found[0], 0.75)
    assert panel.model.settings.method == "level"
    level = panel.threshold_box.level.value()
    assert level == pytest.approx(0.75, abs=0.02)
    narrow = outlined(panel)
    np.testing.assert_array_equal(narrow > 0, volumes[0].data[z] > np.float32(level))
    assert 0 < narrow.sum() < wide.sum()
    picture("s2-dragged")

    # another slice, another time
    viewer.dims.set_current_step(0, 1)
    viewer.dims.set_current_step(1, z + 5)
    wait_outline(qtbot, panel)
    np.testing.assert_array_equal(outlined(panel) > 0, volumes[1].data[z + 5] > np.float32(level))

    run(qtbot, panel)
    picture("s3-mask")
    mask = item_of(viewer.layers["sintered mask"])
    again = run_steps(volumes, panel.model.settings.steps())
    for one, other in zip(mask, again, strict=True):
        np.testing.assert_array_equal(one.data, other.data)
    assert mask[0].metadata["level"] == level
    assert mask.provenance.step == "segment.clean_mask"
    filled = [100 * (m.data > 0).mean() for m in (mask[0], mask[1])]
    status = panel.run_bar.status.text()
    assert f"Level {level:.4g}." in status
    assert f"{filled[0]:.3g} % at {volumes.label(0)}" in status
    assert f"{filled[1]:.3g} % at {volumes.label(1)}" in status
    assert "Within the noise of the threshold their volume changes by -" in status
    # the mask lies on the volume, where one looked
    assert viewer.layers["sintered"].visible and PREVIEW_LAYER not in viewer.layers
    assert tuple(viewer.dims.current_step[:2]) == (1, z + 5)

    type_into(qtbot, panel.threshold_box.level, 0.4)
    wait_outline(qtbot, panel)
    assert PREVIEW_LAYER in viewer.layers
    click(qtbot, panel.recipe.refill_button)
    assert panel.threshold_box.level.value() == level


def test_hysteresis_has_two_lines(qtbot, panel, viewer, picture):
    choose(qtbot, panel, "hysteresis")
    low, high = panel.histogram.levels
    assert low == pytest.approx(0.5, abs=0.02) and high > low
    drag_line(qtbot, panel, low, 0.3)
    drag_line(qtbot, panel, high, 0.9)
    assert panel.threshold_box.level.value() == pytest.approx(0.3, abs=0.02)
    assert panel.threshold_box.seed_level.value() == pytest.approx(0.9, abs=0.02)
    picture("s4-hysteresis")
    # they can't pass each other
    drag_line(qtbot, panel, panel.threshold_box.level.value(), 1.0)
    assert panel.threshold_box.level.value() == panel.threshold_box.seed_level.value()
    run(qtbot, panel)
    made = item_of(viewer.layers["sintered mask"]).provenance.chain()[-2].parameters
    assert (made["level"], made["seed_level"]) == (
        panel.threshold_box.level.value(),
        panel.threshold_box.seed_level.value(),
    )


def test_slices_along_other_axes_and_none_in_3d(qtbot, panel, viewer, volumes, picture):
    viewer.dims.order = (0, 2, 1, 3)
    viewer.dims.set_current_step(2, 30)
    wait_outline(qtbot, panel)
    assert viewer.layers[PREVIEW_LAYER].data.shape == (48, 1, 64)
    (level,) = panel.histogram.levels
    expected = volumes[0].data[:, 30] > np.float32(level)
    np.testing.assert_array_equal(outlined(panel) > 0, expected)
    viewer.dims.order = (0, 1, 2, 3)
    viewer.dims.ndisplay = 3
    wait_outline(qtbot, panel)
    assert PREVIEW_LAYER not in viewer.layers
    assert panel.note.text().startswith("Show a slice of the volume (2D)")
    viewer.dims.ndisplay = 2
    wait_outline(qtbot, panel)
    assert PREVIEW_LAYER in viewer.layers
    # the outline goes with the panel, and comes back with it
    panel.parentWidget().hide()
    qtbot.waitUntil(lambda: PREVIEW_LAYER not in viewer.layers, timeout=20000)
    panel.bring_to_front()
    qtbot.waitUntil(lambda: PREVIEW_LAYER in viewer.layers, timeout=20000)


def test_a_mask_of_any_method_made_elsewhere_refills_the_form(qtbot, panel, viewer, volumes):
    settings = MaskSettings("hysteresis", 0.4512345, 0.8, smoothing_px=0.7, cleaning=None)
    panel.session.add(run_steps(volumes, settings.steps()), "elsewhere")
    click(qtbot, panel.recipe.refill_button)
    assert panel.model.settings == settings
    box = panel.threshold_box
    assert box.method.currentText() == "Hysteresis" and box.level.value() == 0.4512345
    assert not panel.cleaning_box.isChecked()
    # a method that this version does not know is one sentence
    old = panel.refill({"segment.threshold_volumes": {"method": "max-entropy"}})
    assert old.startswith("There is no method “max-entropy” in this version")
    assert panel.model.settings == settings


def test_other_volumes_empty_what_belonged_to_the_first(qtbot, panel, viewer):
    run(qtbot, panel)
    assert "Particles fill" in panel.run_bar.status.text()
    panel.session.add(t4.Volume(np.ones((8, 16, 16)), 1.0, name="blank"))
    assert panel.run_bar.status.text() == "" and panel.histogram.levels == []


def test_a_blank_volume_is_one_sentence(qtbot, empty, picture):
    empty.session.add(t4.Volume(np.ones((8, 16, 16)), 1.0, name="blank"))
    qtbot.waitUntil(lambda: "check the reconstruction" in empty.note.text(), timeout=20000)
    assert empty.note.text().startswith("All voxels of 'blank' are 1")
    picture("s5-blank")
    click(qtbot, empty.run_bar.run_button)
    wait_idle(qtbot, empty)
    assert empty.run_bar.status.text().startswith("Error: All voxels of 'blank' are 1")


def test_brush_strokes_train_a_classifier(
    qtbot, panel, viewer, volumes, tmp_path, monkeypatch, picture
):
    choose(qtbot, panel, "classifier")
    box = panel.classifier_box
    assert panel.run_bar.run_button.toolTip().startswith("Paint strokes and train")
    assert not box.train_button.isEnabled()
    picture("s6-classifier")
    click(qtbot, box.strokes_button)
    layer = viewer.layers[STROKES_LAYER]
    z = int(viewer.dims.current_step[1])
    solid = volumes[0].data[z] > 0.5
    click(qtbot, box.train_button)
    wait_idle(qtbot, panel)
    assert panel.run_bar.status.text().startswith("Error: Mark at least two kinds")
    inside = np.argwhere(_deep(solid, 4))[0]
    outside = np.argwhere(_deep(~solid, 8))[0]
    for button, (y, x) in ((box.background_button, outside), (box.particle_button, inside)):
        click(qtbot, button)
        places = [on_canvas(viewer, layer, y, x + d) for d in (-1, 0, 1)]
        drag(qtbot, places)
    marks = np.asarray(layer.data)[z]
    assert set(np.unique(marks)) == {0, 1, 2}
    assert not solid[marks == 1].any() and solid[marks == 2].mean() > 0.9
    picture("s7-strokes")
    # strokes belong to one time: at another they are away, and can't be painted on
    viewer.dims.set_current_step(0, 1)
    assert not layer.visible
    click(qtbot, box.strokes_button)
    assert panel.run_bar.status.text().startswith("Strokes are on sintered at ")
    assert viewer.dims.current_step[0] == 0 and layer.visible and layer.mode == "paint"
    viewer.dims.set_current_step(0, 1)
    click(qtbot, box.particle_button)
    assert viewer.dims.current_step[0] == 0 and layer.visible and layer.mode == "paint"
    np.testing.assert_array_equal(np.asarray(layer.data)[z], marks)
    click(qtbot, box.train_button)
    wait_idle(qtbot, panel)
    wait_outline(qtbot, panel)
    assert panel.run_bar.status.text().startswith("Trained in ")
    predicted = panel.model.classifier.predict(volumes[0]).data[z]
    panel.cleaning_box.setChecked(False)
    wait_outline(qtbot, panel)
    np.testing.assert_array_equal(outlined(panel), predicted)
    assert (predicted == solid).mean() > 0.95
    picture("s8-trained")

    path = tmp_path / "spheres"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    click(qtbot, panel.run_bar.run_button)
    assert panel.run_bar.status.text().startswith("Not run: the classifier has to be in a file")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    run(qtbot, panel)
    picture("s9-classified")
    mask = item_of(viewer.layers["sintered mask"])
    np.testing.assert_array_equal(mask[0].data[z], predicted)
    assert mask.provenance.parameters == {"classifier": f"{path}.npz"}
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path) + ".npz", ""))
    click(qtbot, box.load_button)
    assert box.text.text() == "In use: spheres.npz."


def test_volumes_chosen_during_a_run_are_outlined_by_themselves(
    qtbot, panel, viewer, volumes, monkeypatch
):
    go_on = threading.Event()

    def slow_mask(*given):
        assert go_on.wait(30)
        return make_mask(*given)

    monkeypatch.setattr(segment_panel, "make_mask", slow_mask)
    click(qtbot, panel.run_bar.run_button)
    panel.session.add(volumes[1], "other")
    qtbot.waitUntil(lambda: not panel.live.busy)
    go_on.set()
    wait_idle(qtbot, panel)
    assert panel.picker.currentText() == "other" and "sintered mask" in viewer.layers
    # its mask is not the one that was made
    viewer.layers["other"].visible = True
    viewer.dims.set_current_step(1, viewer.dims.current_step[1] + 1)
    wait_outline(qtbot, panel)
    assert PREVIEW_LAYER in viewer.layers
    assert panel.note.text().startswith("The outline is the mask in this slice")


def _deep(where, depth):
    return ndimage.distance_transform_edt(np.pad(where, 1))[1:-1, 1:-1] > depth


def test_voxels_are_made_cubic_on_request(qtbot, empty, volumes):
    layer = empty.session.add(t4.Volume(volumes[0].data[::2], (4.0, 2.0, 2.0), name="tall"))
    assert tuple(layer.scale) == (4.0, 2.0, 2.0)
    wait_outline(qtbot, empty)
    assert "4 x 2 x 2 nm (z, y, x)" in empty.hint.text() and empty.cubic_button.isVisible()
    click(qtbot, empty.cubic_button)
    wait_idle(qtbot, empty)
    found = item_of(empty.picker.layer)
    assert found.pixel_size_nm == 2.0 and found.data.shape == (47, 64, 64)
    assert found.provenance.step == "segment.resample" and not empty.cubic_button.isVisible()
    wait_outline(qtbot, empty)
