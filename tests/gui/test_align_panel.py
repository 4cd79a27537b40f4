"""The Align panel by hand: find shifts, look, nudge, undo, leave out, save, load, apply."""

from __future__ import annotations

import gc
import time
import weakref

import numpy as np
import pytest
from by_hand import button, click, press, wait_idle
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QFileDialog

import napari_tomo4d as t4
from napari_tomo4d.align import Alignment, apply, read_alignment, write_alignment
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.panels.align.panel import AlignPanel
from napari_tomo4d.pipeline import read_recipe, run_step
from napari_tomo4d.provenance import warnings_only_kept

FAST = {"method": "phase-correlation"}
BAD = 9


@pytest.fixture(scope="module")
def drifting():
    """A small sample that drifts from tilt to tilt."""
    experiment, _ = t4.simulate.sintering(
        n_times=2, shape=(48, 64, 64), tilt_step_deg=4.0, drift_px=3.0
    )
    return experiment


@pytest.fixture(scope="module")
def spoilt(drifting):
    """The same with one image of noise."""
    series = drifting[0].replace(name="drifting")
    images = series.load().copy()
    images[BAD] = np.random.default_rng(0).poisson(images[BAD].mean(), images[BAD].shape)
    return series.replace(images=images)


def open_panel(dock, item):
    panel = dock(AlignPanel)
    panel.session.add(item)
    panel.shifts_box.set_values(FAST)
    return panel


@pytest.fixture
def panel(dock, spoilt):
    return open_panel(dock, spoilt)


def find(qtbot, panel):
    press(qtbot, panel, "Find shifts")
    settle(qtbot, panel)
    assert panel.shifts is not None


def settle(qtbot, panel):
    qtbot.waitUntil(lambda: not panel.busy, timeout=60000)


def click_in_plot(qtbot, panel, tilt):
    """Click the point of dx of a tilt."""
    plot = panel.view.plot
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=plot.position_of(tilt))
    qtbot.waitUntil(lambda: panel.place[1] == tilt, timeout=20000)
    settle(qtbot, panel)


def headless(item, panel):
    """Align without the window."""
    with warnings_only_kept():
        return run_step("align.align_series", item, panel.shifts_box.values())


def save_to(monkeypatch, path):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))


def test_find_look_correct_apply(qtbot, panel, viewer, spoilt, picture, monkeypatch, tmp_path):
    picture("a1-align-start")
    assert not button(panel, "Apply").isEnabled()
    assert button(panel, "Apply").toolTip() == "Find shifts or load an alignment first."
    find(qtbot, panel)
    picture("a2-found")
    said = panel.run_bar.status.text()
    assert "1 of 21 images suspect" in said and "least mass kept" in said
    assert "check the red ones, then Apply" in said
    assert panel.shifts.found.suspect[0].nonzero()[0].tolist() == [BAD]

    press(qtbot, panel, "Next suspect")
    assert panel.place[1] == BAD
    click_in_plot(qtbot, panel, 4)
    assert viewer.dims.current_step[0] == 4
    picture("a3-clicked")

    # the view has the focus, as a person has clicked it
    before = panel.shifts.shifts_px[0][4].copy()
    keys = panel.view.box
    qtbot.mouseClick(keys.viewport(), Qt.MouseButton.LeftButton)
    qtbot.keyClick(keys, Qt.Key.Key_Right)
    qtbot.keyClick(keys, Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    moved = panel.shifts.shifts_px[0][4]
    np.testing.assert_allclose(moved - before, (-0.1, 1.0), atol=1e-5)
    assert viewer.dims.current_step[0] == 4
    settle(qtbot, panel)
    assert "by hand" in panel.correction.text.text()
    picture("a4-nudged")
    qtbot.keyClick(keys, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    np.testing.assert_allclose(panel.shifts.shifts_px[0][4] - before, (0, 1), atol=1e-5)
    press(qtbot, panel, "Undo")
    np.testing.assert_array_equal(panel.shifts.shifts_px[0][4], before)
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(keys, Qt.Key.Key_Z, both)
    press(qtbot, panel, "Redo")
    np.testing.assert_array_equal(panel.shifts.shifts_px[0][4], moved)
    click(qtbot, panel.correction.arrows["↓", 0.1])
    np.testing.assert_allclose(panel.shifts.shifts_px[0][4] - before, (0, 1), atol=1e-5)

    click_in_plot(qtbot, panel, BAD)
    click(qtbot, panel.correction.arrows["←", 1.0])
    press(qtbot, panel, "Take from neighbours")
    around = panel.shifts.shifts_px[0][[BAD - 1, BAD + 1]].mean(axis=0)
    np.testing.assert_allclose(panel.shifts.shifts_px[0][BAD], around, atol=1e-5)
    press(qtbot, panel, "Leave this tilt out")
    assert panel.shifts.left_out.nonzero()[0].tolist() == [BAD]
    settle(qtbot, panel)
    picture("a5-left-out")

    # hand corrections go through a file, which is asked for
    path = tmp_path / "corrected.json"
    save_to(monkeypatch, "")
    press(qtbot, panel, "Apply")
    assert panel.run_bar.status.text().startswith("Not applied")
    save_to(monkeypatch, path)
    press(qtbot, panel, "Apply")
    wait_idle(qtbot, panel)
    layer = viewer.layers[-1]
    assert layer.name == "drifting aligned"
    assert "Next: Tilt axis." in panel.run_bar.status.text()
    assert "Left out by hand" in panel.run_bar.status.text()
    picture("a6-applied")
    result = item_of(layer)
    again = apply(spoilt, Alignment(panel.shifts.shifts_px[0]))
    keep = np.arange(len(spoilt)) != BAD
    np.testing.assert_array_equal(result.images, again.images[keep])
    np.testing.assert_array_equal(result.angles_deg, spoilt.angles_deg[keep])
    # what was done stays with the series it was done to
    assert panel.picker.currentText() == "drifting"
    assert panel.shifts.left_out[BAD]
    # the aligned layer has a tilt less, and the slider still means the same angle
    viewer.dims.set_current_step(0, 15)
    assert spoilt.angles_deg[panel.place[1]] == result.angles_deg[15]
    click_in_plot(qtbot, panel, 12)
    assert viewer.dims.current_step[0] == 11
    panel.go_to(BAD)
    assert viewer.layers.selection.active.name == "drifting"
    assert panel.place[1] == BAD


def test_found_shifts_are_applied_as_the_step_does(qtbot, panel, viewer, spoilt):
    find(qtbot, panel)
    press(qtbot, panel, "Apply")
    wait_idle(qtbot, panel)
    result = item_of(viewer.layers[-1])
    again = headless(spoilt, panel)
    np.testing.assert_array_equal(result.images, again.images)
    assert result.provenance.step == "align.align_series"

    # a layer fills the form again
    panel.shifts_box.set_values({"method": "reprojection"})
    assert "The form has changed" in panel.shifts_box.source.text()
    press(qtbot, panel, "Parameters of layer")
    assert panel.shifts_box.values()["method"] == "phase-correlation"
    assert "changed" not in panel.shifts_box.source.text()

    # a correction that was undone leaves the found shifts, and finding can be undone too
    panel.nudge(1, 0)
    press(qtbot, panel, "Undo")
    assert not panel.shifts.n_edited
    press(qtbot, panel, "Undo")
    assert panel.shifts is None
    assert button(panel, "Redo").toolTip().startswith("Redo: find shifts (")
    press(qtbot, panel, "Redo")
    assert panel.shifts is not None
    press(qtbot, panel, "Apply")
    wait_idle(qtbot, panel)
    np.testing.assert_array_equal(item_of(viewer.layers[-1]).images, again.images)


def test_saved_shifts_are_loaded_for_another_series(
    qtbot, panel, viewer, drifting, monkeypatch, tmp_path, picture
):
    find(qtbot, panel)
    panel.nudge(0, 1)
    path = tmp_path / "shifts.json"
    save_to(monkeypatch, path)
    press(qtbot, panel, "Save alignment")
    shifts = read_alignment(path).shifts_px
    np.testing.assert_array_equal(shifts, panel.shifts.shifts_px[0])
    assert "saved in shifts.json" in panel.shifts_box.source.text()

    other = drifting[1].replace(name="later", provenance=drifting[1].provenance)
    panel.session.add(other)
    assert panel.picker.currentText() == "later"
    assert panel.shifts is None
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(path), ""))
    press(qtbot, panel, "Load alignment")
    settle(qtbot, panel)
    picture("b1-loaded")
    assert panel.shifts_box.source.text() == "From shifts.json."
    press(qtbot, panel, "Apply")
    wait_idle(qtbot, panel)
    result = item_of(viewer.layers[-1])
    np.testing.assert_array_equal(result.images, apply(other, Alignment(shifts)).images)
    assert result.provenance.parameters == {"path": str(path)}
    recipe = tmp_path / "recipe.toml"
    save_to(monkeypatch, recipe)
    press(qtbot, panel, "Save recipe")
    assert read_recipe(recipe).steps[-1][0] == "align.apply_file"


def test_a_file_that_does_not_fit_is_refused(qtbot, panel, monkeypatch, tmp_path):
    path = tmp_path / "short.json"
    write_alignment(Alignment(np.zeros((3, 2))), path)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(path), ""))
    press(qtbot, panel, "Load alignment")
    wait_idle(qtbot, panel)
    assert "3 shifts but the series 21 tilts" in panel.run_bar.status.text()
    assert panel.shifts is None


def test_a_series_that_is_gone_is_forgotten(qtbot, dock, viewer, drifting):
    series = drifting[0].replace(name="short-lived")
    panel = open_panel(dock, series)
    find(qtbot, panel)
    panel.nudge(1, 0)
    gone = weakref.ref(series)
    del series
    viewer.layers.clear()
    qtbot.waitUntil(lambda: panel.shifts is None)
    panel.run_bar.runner.wait()

    def forgotten():
        gc.collect()
        return gone() is None

    qtbot.waitUntil(forgotten, timeout=20000)


def test_pictures_to_judge_by(qtbot, panel, picture):
    find(qtbot, panel)
    view = panel.view
    assert view.flipping
    first = view.box.image.copy()
    qtbot.waitUntil(lambda: not np.array_equal(view.box.image, first), timeout=20000)
    likeness = view.text.text()
    panel.nudge(0, 5)
    settle(qtbot, panel)
    assert view.text.text() != likeness
    for k, name in enumerate(("difference", "checkerboard", "sum"), 1):
        click(qtbot, view.modes.button(k))
        settle(qtbot, panel)
        assert not view.flipping
        picture(f"c{k}-{name}")
    aligned = apply(panel.picker.item, Alignment(panel.shifts.shifts_px[0])).images
    np.testing.assert_allclose(view.box.image, aligned.mean(axis=0), atol=1e-3)
    panel.nudge(0, -2)
    press(qtbot, panel, "Leave this tilt out")
    settle(qtbot, panel)
    keep = ~panel.shifts.left_out
    aligned = apply(panel.picker.item, Alignment(panel.shifts.shifts_px[0])).images[keep]
    np.testing.assert_allclose(view.box.image, aligned.mean(axis=0), atol=1e-3)
    # nothing goes on once the view is closed
    click(qtbot, view.modes.button(0))
    settle(qtbot, panel)
    assert view.flipping
    panel.view.parentWidget().close()
    assert not view.flipping


def test_each_time_point_is_aligned_by_itself(qtbot, dock, viewer, drifting, picture):
    panel = open_panel(dock, drifting)
    assert "2 time points" in panel.hint.text()
    find(qtbot, panel)
    assert len(panel.shifts.shifts_px) == 2
    viewer.dims.set_current_step(0, 1)
    settle(qtbot, panel)
    click_in_plot_of_time(qtbot, panel, 7)
    assert viewer.dims.current_step[:2] == (1, 7)
    picture("d1-time-series")
    press(qtbot, panel, "Apply")
    wait_idle(qtbot, panel)
    result = item_of(viewer.layers[-1])
    again = headless(drifting, panel)
    for one, other in zip(result, again, strict=True):
        np.testing.assert_array_equal(one.images, other.images)


def test_each_time_point_is_corrected_by_itself(
    qtbot, dock, viewer, drifting, picture, monkeypatch, tmp_path
):
    panel = open_panel(dock, drifting)
    find(qtbot, panel)
    found = [s.copy() for s in panel.shifts.shifts_px]
    viewer.dims.set_current_step(0, 1)
    settle(qtbot, panel)
    click_in_plot_of_time(qtbot, panel, 7)
    keys = panel.view.box
    qtbot.mouseClick(keys.viewport(), Qt.MouseButton.LeftButton)
    qtbot.keyClick(keys, Qt.Key.Key_Right)
    qtbot.keyClick(keys, Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    settle(qtbot, panel)
    assert "by hand" in panel.correction.text.text()
    assert "; 1 corrected by hand." in panel.shifts_box.source.text()
    np.testing.assert_allclose(panel.shifts.shifts_px[1][7] - found[1][7], (-0.1, 1), atol=1e-5)
    # the other time point stays, and has its own
    np.testing.assert_array_equal(panel.shifts.shifts_px[0], found[0])
    viewer.dims.set_current_step(0, 0)
    settle(qtbot, panel)
    assert "by hand" not in panel.correction.text.text()
    shown = panel.view.plot.values["dx"]
    order = np.argsort(drifting[0].angles_deg, kind="stable")
    np.testing.assert_allclose(shown, found[0][order, 1])
    click(qtbot, panel.correction.arrows["↓", 1.0])
    np.testing.assert_allclose(panel.shifts.shifts_px[0][7] - found[0][7], (1, 0), atol=1e-5)
    # two changes are taken back: the second was made at the other time, and that is shown
    press(qtbot, panel, "Undo")
    assert viewer.dims.current_step[0] == 0
    assert drifting.label(1) in panel.correction.undo_button.toolTip()
    press(qtbot, panel, "Undo")
    assert viewer.dims.current_step[:2] == (1, 7)
    np.testing.assert_allclose(panel.shifts.shifts_px[1][7] - found[1][7], (0, 1), atol=1e-5)
    for _ in range(2):
        press(qtbot, panel, "Redo")
    assert viewer.dims.current_step[:2] == (0, 7)
    settle(qtbot, panel)
    picture("d2-times-corrected")

    # what is applied are the shifts of all times, from a file each
    save_to(monkeypatch, tmp_path / "by hand.json")
    press(qtbot, panel, "Apply")
    wait_idle(qtbot, panel)
    picture("d3-times-applied")
    files = [tmp_path / f"by hand_time{k}.json" for k in (1, 2)]
    result = item_of(viewer.layers[-1])
    for k, one in enumerate(result):
        shifts = read_alignment(files[k]).shifts_px
        np.testing.assert_array_equal(shifts, panel.shifts.shifts_px[k])
        assert not np.array_equal(shifts, found[k])
        np.testing.assert_array_equal(one.images, apply(drifting[k], Alignment(shifts)).images)
        assert one.provenance.parameters == {"path": str(files[k])}

    # one of the files stands for all
    corrected = panel.shifts
    panel.nudge(5, 5)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(files[1]), ""))
    press(qtbot, panel, "Load alignment")
    settle(qtbot, panel)
    for one, other in zip(panel.shifts.shifts_px, corrected.shifts_px, strict=True):
        np.testing.assert_array_equal(one, other)
    assert panel.shifts_box.source.text() == "From by hand_time*.json."


def click_in_plot_of_time(qtbot, panel, tilt):
    panel.view.plot.chosen.emit(tilt)
    settle(qtbot, panel)


def test_a_search_that_ends_elsewhere_says_of_what_it_was(qtbot, panel, viewer, drifting):
    press(qtbot, panel, "Find shifts")
    panel.session.add(drifting[1].replace(name="later"))
    settle(qtbot, panel)
    assert panel.run_bar.status.text().startswith("Shifts of “drifting” found; choose it to apply")
    assert panel.shifts is None and not panel.view.isVisible()
    panel.picker.choose(viewer.layers["drifting"])
    assert panel.shifts is not None


def test_cancel_changes_nothing(qtbot, panel, viewer):
    panel.shifts_box.set_values({"method": "mutual-information"})
    n_layers = len(viewer.layers)
    press(qtbot, panel, "Find shifts")
    assert button(panel, "Find shifts").toolTip() == "A run is under way."
    press(qtbot, panel, "Cancel")
    wait_idle(qtbot, panel)
    assert panel.run_bar.status.text() == "Cancelled; nothing was changed."
    assert len(viewer.layers) == n_layers
    assert panel.shifts is None
    assert button(panel, "Find shifts").isEnabled()


def test_what_can_not_be_aligned_is_said_in_a_sentence(qtbot, dock, viewer, spoilt, picture):
    panel = dock(AlignPanel)
    assert panel.hint.text().startswith("No tilt series yet")
    assert button(panel, "Find shifts").toolTip() == panel.hint.text()
    picture("e1-empty")
    panel.session.add(spoilt.replace(images=np.zeros((21, 48, 64), np.float32)))
    panel.shifts_box.set_values(FAST)
    press(qtbot, panel, "Find shifts")
    wait_idle(qtbot, panel)
    said = panel.run_bar.status.text()
    assert said.startswith("Error: Fewer than two of the images have any contrast")
    picture("e2-blank")
    framed = spoilt.replace(images=np.stack([spoilt.images] * 2, axis=1))
    panel.session.add(framed)
    assert "average them in the Clean panel" in panel.hint.text()
    assert not button(panel, "Find shifts").isEnabled()


def test_the_screen_stays_alive_while_it_aligns_and_draws(qtbot, dock):
    """No gap between two events of the UI thread is longer than a person notices."""
    y, x = np.mgrid[:512, :512]
    image = np.exp(-((y - 250) ** 2 + (x - 240) ** 2) / 5e3).astype(np.float32)
    images = np.stack([np.roll(image, 3 * k, axis=1) for k in range(5)])
    panel = open_panel(dock, t4.TiltSeries(images, np.arange(-10.0, 11.0, 5.0), 1.0))
    settle(qtbot, panel)
    ticks = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(time.perf_counter()))
    timer.start(5)
    press(qtbot, panel, "Find shifts")
    settle(qtbot, panel)
    for _ in range(10):
        qtbot.keyClick(panel.view, Qt.Key.Key_Left)
        n = len(ticks)
        qtbot.waitUntil(lambda n=n: len(ticks) > n + 3, timeout=20000)
    settle(qtbot, panel)
    timer.stop()
    gaps = np.diff(ticks)
    # most of them, as another program may hold the processor for a moment
    assert np.median(gaps) < 0.05
    assert np.percentile(gaps, 95) < 0.15
    np.testing.assert_allclose(
        panel.shifts.shifts_px[0][2] - panel.shifts.found.shifts_px[0][2], (0, -10), atol=1e-5
    )
