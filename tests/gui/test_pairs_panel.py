"""The Pairs panel by hand: two clicks, section, time, plots, table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from by_hand import click, type_into
from mouse import canvas, press
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QFileDialog
from scipy import ndimage

import napari_tomo4d as t4
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.panels.pairs.canvas_marks import CENTRES_LAYER, LINES_LAYER
from napari_tomo4d.gui.panels.pairs.panel import PairsPanel
from napari_tomo4d.measure import neck, read_table, surface_uncertainty
from napari_tomo4d.pipeline import run_recipe, run_steps
from napari_tomo4d.quantities import time_names


@pytest.fixture(scope="module")
def sintering():
    """Labels and volumes over time, and the table of true necks."""
    experiment, truth = t4.simulate.sintering(n_times=3, shape=(64, 96, 96))
    labels = experiment.with_items([truth.labels[t] for t in range(3)], "labels")
    volumes = experiment.with_items([truth.volumes[t] for t in range(3)], "volumes")
    return labels, volumes, truth.pairs


@pytest.fixture
def panel(qtbot, dock, sintering):
    """The panel in front, with volumes and labels."""
    result = dock(PairsPanel)
    qtbot.waitUntil(lambda: result.in_front)
    labels, volumes, _ = sintering
    result.session.add(volumes)
    result.session.add(labels)
    wait(qtbot, result)
    settle(qtbot)
    result.viewer.reset_view()
    return result


def wait(qtbot, panel):
    """Wait until nothing runs, nor is about to."""
    qtbot.waitUntil(lambda: not panel.busy, timeout=60000)


def settle(qtbot):
    """Wait until the canvas has kept its size for a while, as docks come and go."""
    sizes = []

    def still():
        sizes.append((canvas().width(), canvas().height()))
        return len(sizes) > 5 and len(set(sizes[-5:])) == 1

    qtbot.waitUntil(still, timeout=10000)


def centre(labels, number):
    """Return the middle (z, y, x) of a particle."""
    return np.argwhere(labels.data == number).mean(axis=0)


def click_canvas(qtbot, viewer, layer, down, right, axes=(-2, -1)):
    """Click a pixel of a layer on the canvas; `axes` are those that run down and to the right."""
    axes = list(axes)
    world = np.array([down, right]) * layer.scale[axes] + layer.translate[axes]
    camera, widget = viewer.scene.camera, canvas()
    offset = (world - np.array(camera.center)[axes]) * camera.zoom
    x, y = widget.width() / 2 + offset[1], widget.height() / 2 + offset[0]
    press(qtbot, QPoint(round(x), round(y)))


def start_clicking(qtbot, panel):
    """Press the button, and wait until the canvas has its size beside the plots."""
    click(qtbot, panel.choice.click_button)
    settle(qtbot)


def click_particle(qtbot, panel, labels, number):
    """Go to the slice of a particle's middle and click there."""
    viewer = panel.viewer
    z, y, x = centre(labels, number)
    viewer.dims.set_current_step(viewer.dims.ndim - 3, round(z))
    click_canvas(qtbot, viewer, panel.picker.layer, y, x)


def choose_suggested(qtbot, panel):
    """Choose the first of the suggested pairs, by the keyboard."""
    panel.choice.list.setFocus()
    qtbot.keyClick(panel.choice.list, Qt.Key.Key_Down)


def click_point(qtbot, panel, plot, place):
    """Click the point of a pair and time in one of the plots."""
    plots = panel.plots
    scene = plots.plots[plot].vb.mapViewToScene(plots.point(plot, place))
    qtbot.mouseClick(plots.viewport(), Qt.MouseButton.LeftButton, pos=plots.mapFromScene(scene))


def number(text):
    """Return the value that a text like "27.5 ± 5.6 nm" begins with."""
    return float(text.split()[0])


def truth_of(table, time, a, b):
    """Return the true values of a pair at a time."""
    return table[(table.time == time) & (table.a == a) & (table.b == b)].iloc[0]


def test_two_clicks_give_neck_and_distance_over_time(
    qtbot, viewer, panel, sintering, picture, monkeypatch, tmp_path
):
    labels, _, truth = sintering
    voxel = labels.pixel_size_nm
    assert "5 pairs touch" in panel.run_bar.status.text()
    picture("pairs-1-start")
    start_clicking(qtbot, panel)
    click_particle(qtbot, panel, labels[0], 6)
    assert panel.marks.chosen
    assert panel.hint.text() == "Particle 6. Click its neighbour; Esc cancels."
    picture("pairs-2-first")
    click_particle(qtbot, panel, labels[0], 7)
    wait(qtbot, panel)
    picture("pairs-3-measured")
    assert not panel.marks.chosen
    assert LINES_LAYER in viewer.layers and CENTRES_LAYER in viewer.layers
    # the section is that of the true centres, drawn where they are
    drawn = np.sort(viewer.layers[CENTRES_LAYER].data[:, 1])
    true = np.sort([centre(labels[0], n)[2] for n in (6, 7)])
    np.testing.assert_allclose(drawn, true, atol=0.5)
    # of which the grey picture is bright, and the background around it dark
    section = panel.views.section.picture
    assert section.grey and section.image[0, 0] < 0.2 * section.image.max()
    place = ((6, 7), 0)
    assert panel.model.place == place
    assert panel.views.rows.table.rowCount() == 3

    for step in (2, 1):
        viewer.dims.set_current_step(0, step)
        wait(qtbot, panel)
        assert panel.views.rows.table.selected() == [((6, 7), step)]
        true = truth_of(truth, step, 6, 7)
        shown = {k: number(v.text()) for k, v in panel.views.numbers.values.items()}
        # half a voxel for what has an edge, less for centres, which are means of many voxels
        for key in ("neck_radius_nm", "neck_radius_3d_nm", "radius_nm"):
            wanted = true["neck_radius_nm" if "neck" in key else key]
            assert abs(shown[key] - wanted) < voxel / 2, key
        for key in ("distance_nm", "distance_3d_nm"):
            assert abs(shown[key] - true.distance_nm) < 0.4 * voxel, key
        again = neck(labels[step], 6, 7)
        row = panel.views.rows.table.selectedIndexes()[0].row()
        assert panel.views.rows.table.item(row, 2).text().startswith(f"{again.neck_radius_nm:.1f}")
        picture(f"pairs-4-time-{step}")

    # a click in a plot goes to that time and pair
    for plot, step in ((0, 2), (1, 0), (2, 1)):
        click_point(qtbot, panel, plot, ((6, 7), step))
        wait(qtbot, panel)
        assert viewer.dims.current_step[0] == step
        assert panel.views.rows.table.selected() == [((6, 7), step)]
        assert panel.model.title.endswith(time_names(labels.times_s, 3)[step])
    assert viewer.dims.current_step[1] == round(neck(labels[1], 6, 7).section.origin_nm[0] / voxel)

    # all others, which ends the clicks, and one of them out again
    click(qtbot, panel.run_bar.run_button)
    wait(qtbot, panel)
    assert not panel.choice.click_button.isChecked()
    said = "5 pairs measured at 3 times. A click on a point or a row goes there."
    assert panel.run_bar.status.text() == said
    assert panel.views.rows.table.rowCount() == 15
    assert panel.choice.list.count() == 6
    picture("pairs-5-all")
    panel.views.setCurrentIndex(1)
    picture("pairs-6-table")
    row = panel.model.rows.places().index(((1, 2), 0))
    place = panel.views.rows.table.visualItemRect(panel.views.rows.table.item(row, 0)).center()
    qtbot.mouseClick(panel.views.rows.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    wait(qtbot, panel)
    assert panel.model.place == ((1, 2), 0) and viewer.dims.current_step[0] == 0
    click(qtbot, panel.views.rows.pair_button)
    wait(qtbot, panel)
    assert panel.views.rows.table.rowCount() == 12
    names = {panel.views.rows.table.item(r, 0).text() for r in range(12)}
    assert names == {"P1", "P3", "P4", "P5"}
    assert panel.views.section.picture is None
    click(qtbot, panel.views.rows.undo_button)
    wait(qtbot, panel)
    assert panel.views.rows.table.rowCount() == 15
    panel.views.rows.table.setFocus()
    panel.views.rows.table.selectRow(4)
    wait(qtbot, panel)
    gone = panel.views.rows.table.selected()[0]
    qtbot.keyClick(panel.views.rows.table, Qt.Key.Key_Delete)
    wait(qtbot, panel)
    assert panel.views.rows.table.rowCount() == 14 and gone not in panel.model.rows.places()
    picture("pairs-7-removed")
    panel.views.setCurrentIndex(2)
    told = panel.views.growth.text()
    assert "The distance shrinks as the neck grows in 4 of 5 pairs." in told
    assert "Unclear, as there are too few times: P2." in told
    assert "P1: no growth law (3 usable times are too few to fit 3 parameters" in told
    picture("pairs-8-growth")

    path = tmp_path / "pairs.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    click(qtbot, panel.save.table_button)
    wait(qtbot, panel)
    assert panel.run_bar.status.text() == f"Saved {path}."
    # the table as it is comes back from the file
    pd.testing.assert_frame_equal(read_table(path), panel.model.frame(), check_exact=True)
    saved = pd.read_csv(path)
    assert len(saved) == 14 and "neck radius (nm)" in saved.columns
    for _, row in saved.iterrows():
        true = truth_of(truth, row["time point"] - 1, row["particle a"], row["particle b"])
        assert abs(row["neck radius (nm)"] - true.neck_radius_nm) < 0.5 * voxel
        assert abs(row["distance (nm)"] - true.distance_nm) < 0.4 * voxel


def test_clicks_that_are_no_pair_say_why(qtbot, viewer, panel, sintering, picture):
    labels = sintering[0]
    canvas_layer = panel.picker.layer
    start_clicking(qtbot, panel)
    assert panel.hint.text() == "Click the first particle; Esc ends."
    click_canvas(qtbot, viewer, canvas_layer, 2, 48)
    assert panel.hint.text() == "That is background; click on a particle."
    click_particle(qtbot, panel, labels[0], 10)
    click_particle(qtbot, panel, labels[0], 10)
    assert panel.hint.text() == "Particle 10 again; click another one."
    picture("pairs-9-same")
    click_particle(qtbot, panel, labels[0], 11)
    wait(qtbot, panel)
    gap = neck(labels[0], 10, 11).gap_nm
    assert panel.hint.text() == f"10 and 11 do not touch (gap {gap:.3g} nm); not added."
    picture("pairs-10-apart")
    assert panel.views.rows.table.rowCount() == 0 and panel.views.section.picture is None
    # Esc undoes the first click, then ends
    click_particle(qtbot, panel, labels[0], 3)
    assert panel.marks.chosen
    qtbot.keyClick(canvas(), Qt.Key.Key_Escape)
    assert not panel.marks.chosen and panel.choice.click_button.isChecked()
    qtbot.keyClick(canvas(), Qt.Key.Key_Escape)
    assert not panel.choice.click_button.isChecked()
    assert panel.hint.text().startswith("64 x 96 x 96 voxels")
    # then clicks do nothing, and no callback is left behind
    click_particle(qtbot, panel, labels[0], 3)
    assert not panel.marks.chosen


def test_clicks_in_3d_and_suggested_pairs(qtbot, viewer, panel, sintering, picture):
    labels = sintering[0]
    viewer.dims.ndisplay = 3
    # along y, with z downwards
    viewer.scene.camera.angles = (0, 0, 90)
    start_clicking(qtbot, panel)
    for n in (6, 7):
        z, _, x = centre(labels[0], n)
        click_canvas(qtbot, viewer, panel.picker.layer, z, x, axes=(-3, -1))
    wait(qtbot, panel)
    assert panel.model.place == ((6, 7), 0)
    assert viewer.layers[LINES_LAYER].ndim == 3
    np.testing.assert_allclose(
        np.sort(viewer.layers[CENTRES_LAYER].data[:, 0]),
        np.sort([centre(labels[0], n)[0] for n in (6, 7)]),
        atol=0.7,
    )
    viewer.scene.camera.angles = (20, 30, 60)
    picture("pairs-11-3d")
    viewer.dims.ndisplay = 2
    assert viewer.layers[LINES_LAYER].ndim == 2
    # by keys from the list
    box = panel.choice.list
    box.setFocus()
    assert box.currentText() == "P1: 6 and 7"
    qtbot.keyClick(box, Qt.Key.Key_Up)
    wait(qtbot, panel)
    assert panel.model.place == ((4, 5), 0)
    # a gap so large that others count as pairs
    type_into(qtbot, panel.choice.gap, 100)
    wait(qtbot, panel)
    assert len(panel.model.suggestions.times) > 5


def test_one_volume_of_labels_and_no_voxel_size(qtbot, viewer, panel, sintering, picture):
    labels = sintering[0]
    panel.session.add(labels[2], "alone")
    wait(qtbot, panel)
    assert panel.volume.layer is None
    click(qtbot, panel.run_bar.run_button)
    wait(qtbot, panel)
    assert panel.views.rows.table.rowCount() == 5
    assert not panel.views.section.picture.grey
    assert "the times are not known" in panel.views.growth.text()
    picture("pairs-12-single")
    panel.session.add(t4.Labels(labels[0].data), "unknown")
    wait(qtbot, panel)
    assert panel.hint.text().startswith("The voxel size of these labels is not known")
    assert not panel.run_bar.run_button.isEnabled()
    assert panel.views.rows.table.rowCount() == 0
    picture("pairs-13-no-size")
    # what was measured of the others is still there
    panel.picker.choose(viewer.layers["alone"])
    wait(qtbot, panel)
    assert panel.views.rows.table.rowCount() == 5


def test_figures_and_report_are_written(qtbot, panel, monkeypatch, tmp_path, picture):
    click(qtbot, panel.run_bar.run_button)
    wait(qtbot, panel)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    click(qtbot, panel.save.figures_button)
    wait(qtbot, panel)
    assert panel.run_bar.status.text() == f"Saved figures in {tmp_path}."
    written = {p.name for p in tmp_path.iterdir()}
    assert {"neck_over_time.svg", "model.png"} <= written
    path = tmp_path / "report.html"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    click(qtbot, panel.save.report_button)
    wait(qtbot, panel)
    assert panel.run_bar.status.text() == f"Saved {path}."
    text = path.read_text()
    assert all(name in text for name in ("P1", "P5", "neck radius"))
    picture("pairs-14-report")


def test_the_volume_tells_how_well_the_surface_is_known(qtbot, panel, sintering):
    labels, volumes, _ = sintering
    # particles that differ in density, with blurred edges
    uneven = []
    for volume, label in zip(volumes, labels, strict=True):
        density = volume.data * (0.3 + 0.15 * label.data)
        uneven.append(t4.Volume(ndimage.gaussian_filter(density, 2), volume.pixel_size_nm))
    layer = panel.session.add(volumes.with_items(uneven, "uneven"))
    panel.volume.choose(layer)
    choose_suggested(qtbot, panel)
    wait(qtbot, panel)
    known = surface_uncertainty(uneven[1], labels[1])
    assert known > 0.6 * labels.pixel_size_nm
    wanted = neck(labels[1], 1, 2, surface_uncertainty_nm=known).errors["neck_radius_nm"]
    assert panel.model.rows.row((1, 2), 1)["neck_radius_nm_error"] == pytest.approx(wanted)
    # without it, all is measured again with the uncertainty of the voxels
    panel.volume.setCurrentIndex(panel.volume.count() - 1)
    wait(qtbot, panel)
    assert panel.volume.layer is None and not panel.views.section.picture.grey
    wanted = neck(labels[1], 1, 2).errors["neck_radius_nm"]
    assert panel.model.rows.row((1, 2), 1)["neck_radius_nm_error"] == pytest.approx(wanted)


def test_only_a_person_chooses_another_volume(qtbot, viewer, panel, sintering):
    labels, volumes, _ = sintering
    layer, first = panel.picker.layer, panel.volume.layer
    choose_suggested(qtbot, panel)
    wait(qtbot, panel)
    rows = panel.model.frame()
    # another one comes, and other labels are looked at meanwhile, with the other volume
    panel.session.add(volumes.with_items(list(volumes), "other"))
    assert panel.volume.layer is first
    panel.session.add(labels.with_items(list(labels), "again"))
    assert panel.volume.layer.name == "other"
    wait(qtbot, panel)
    panel.picker.choose(layer)
    assert panel.volume.layer is first and panel.model.volumes is item_of(first)
    pd.testing.assert_frame_equal(panel.model.frame(), rows)
    # without the volume that was chosen there is none
    viewer.layers.remove(first)
    assert panel.volume.layer is None
    wait(qtbot, panel)


def test_another_volume_during_a_run_has_all_measured_with_it(qtbot, panel):
    click(qtbot, panel.run_bar.run_button)
    qtbot.waitUntil(lambda: panel.views.rows.table.rowCount() >= 3, timeout=60000)
    panel.volume.setCurrentIndex(panel.volume.count() - 1)
    wait(qtbot, panel)
    assert panel.run_bar.status.text().startswith("5 pairs measured at 3 times.")
    assert panel.views.rows.table.rowCount() == 15


def test_a_pair_that_was_asked_for_is_measured_although_the_time_moves(qtbot, viewer, panel):
    choose_suggested(qtbot, panel)
    viewer.dims.set_current_step(0, 1)
    wait(qtbot, panel)
    assert panel.model.place == ((1, 2), 1)
    assert panel.views.rows.table.rowCount() == 3


def test_a_file_is_written_although_other_labels_are_chosen(
    qtbot, panel, sintering, monkeypatch, tmp_path
):
    choose_suggested(qtbot, panel)
    wait(qtbot, panel)
    path = tmp_path / "report.html"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))
    click(qtbot, panel.save.report_button)
    assert panel.save.report_button.toolTip() == "The last file is being written."
    panel.session.add(sintering[0][0], "alone")
    wait(qtbot, panel)
    assert panel.run_bar.status.text() == f"Saved {path}."
    assert "P1" in path.read_text()


def test_a_cancelled_run_keeps_what_was_measured(qtbot, panel):
    click(qtbot, panel.run_bar.run_button)
    qtbot.waitUntil(lambda: panel.views.rows.table.rowCount() >= 3, timeout=60000)
    click(qtbot, panel.run_bar.cancel_button)
    wait(qtbot, panel)
    assert panel.run_bar.status.text().startswith("Cancelled.")
    assert 3 <= panel.views.rows.table.rowCount() < 15
    assert panel.views.rows.table.rowCount() == 3 * len(panel.model.rows.pairs)


@pytest.mark.filterwarnings("ignore::napari_tomo4d.errors.Tomo4DWarning")
def test_the_recipe_measures_the_same_and_writes_table_and_report(
    qtbot, dock, monkeypatch, tmp_path
):
    experiment, _ = t4.simulate.sintering(2, (32, 48, 48))
    volumes = run_steps(experiment, [("reconstruct.wbp", {"thickness": 32})])
    names = ("threshold_volumes", "separate_particles", "follow_particles")
    panel = dock(PairsPanel)
    qtbot.waitUntil(lambda: panel.in_front)
    panel.session.add(volumes)
    panel.session.add(run_steps(volumes, [(f"segment.{name}", {}) for name in names]))
    wait(qtbot, panel)
    click(qtbot, panel.run_bar.run_button)
    wait(qtbot, panel)
    path = tmp_path / "recipe.toml"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    click(qtbot, panel.recipe.save_button)
    assert panel.run_bar.status.text().startswith("Saved the 5 steps to")
    again = run_recipe(path)
    shown = panel.model.frame()
    assert len(shown) >= 2
    pd.testing.assert_frame_equal(again.frame, shown, check_exact=True)
    (table,), (report,) = tmp_path.glob("*.csv"), tmp_path.glob("*.html")
    pd.testing.assert_frame_equal(read_table(table), shown, check_exact=True)
    assert "segment.follow_particles" in report.read_text(encoding="utf-8")
