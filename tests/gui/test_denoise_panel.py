"""The Denoise panel by hand: measure, tune, click the scores, apply, look at before and after."""

from __future__ import annotations

import numpy as np
import pytest
from by_hand import click, turn_wheel, wait_idle, wait_preview, width_shown
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

import napari_tomo4d as t4
from napari_tomo4d.denoise import NoiseModel
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.panels.denoise.panel import DenoisePanel
from napari_tomo4d.pipeline import run_step


@pytest.fixture(scope="module")
def framed():
    """Projected spheres at five tilts, with four frames of pink noise each."""
    y, x = np.mgrid[:140, :150]
    clean = []
    for shift in (-6, -3, 0, 3, 6):
        image = np.zeros(y.shape)
        for cy, cx, r in ((50, 50, 26), (90, 100, 30)):
            inside = r * r - (y - cy) ** 2 - (x - cx - shift) ** 2
            image += np.sqrt(np.maximum(inside, 0)) / r
        clean.append(image)
    noise = NoiseModel("g4", 0.05)
    images = [
        [c + noise.sample(c.shape, 10 * t + k) for k in range(4)] for t, c in enumerate(clean)
    ]
    series = t4.TiltSeries(np.array(images, np.float32), np.arange(-4, 5, 2.0), 1.5, name="spheres")
    return series, np.array(clean)


@pytest.fixture
def panel(qtbot, dock, framed):
    result = dock(DenoisePanel)
    result.session.add(framed[0])
    wait_preview(qtbot, result)
    return result


def test_tune_click_apply_compare(qtbot, panel, viewer, framed, picture):
    series, clean = framed
    picture("d1-denoise-start")
    assert not panel.toggle_button.isEnabled()
    assert panel.toggle_button.toolTip() == "Press Denoise first."
    assert panel.pair.numbers.text().endswith("(grey values).")
    click(qtbot, panel.tuning_box.measure_button)
    wait_idle(qtbot, panel)
    assert "looks like pink (g4)" in panel.run_bar.status.text()
    # room for the form is left beside the tuning view
    assert panel.pair.before.height() < 150
    picture("d2-noise-measured")
    click(qtbot, panel.tuning_box.tune_button)
    wait_idle(qtbot, panel)
    wait_preview(qtbot, panel)
    picture("d3-tuned")
    assert "noise, level 0." in panel.run_bar.status.text()
    assert "Best by PSNR" in panel.view.text.text()
    result = panel.model.tuned.result
    assert result.best.kind in ("g4", "g4w", "measured", "g2w")
    form = panel.form.values()
    assert form["noise"] == result.best.kind
    assert form["sigma"] == pytest.approx(result.best.sigma, rel=1e-3)

    # a click on a cell that was not tried computes it, shows it and takes it
    scores = panel.view.scores
    row, column = scores.place_of("g4", 1.0)
    item = scores.cells.item(row, column)
    place = scores.cells.visualItemRect(item).center()
    qtbot.mouseClick(scores.cells.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: panel.model.cell == ("g4", 1.0), timeout=30000)
    wait_preview(qtbot, panel)
    assert "PSNR" in panel.view.text.text()
    assert scores.cells.item(row, column).text()
    assert panel.form.values()["noise"] == "g4"
    picture("d4-cell-clicked")

    # the images in all three boxes move together
    boxes = (panel.view.raw, panel.view.denoised, panel.view.reference)
    before = width_shown(boxes[0])
    turn_wheel(boxes[1].viewport(), 480)
    assert width_shown(boxes[0]) < 0.8 * before
    for box in boxes[1:]:
        assert width_shown(box) == pytest.approx(width_shown(boxes[0]), rel=0.1)
    picture("d4b-zoomed")

    click(qtbot, panel.run_bar.run_button)
    wait_idle(qtbot, panel)
    layer = viewer.layers[-1]
    assert layer.name == "spheres denoised"
    picture("d5-denoised")
    values = panel.form.values()
    assert values["sigma"] == pytest.approx(np.sqrt(0.05), rel=0.2)
    error, before = (
        np.mean((images - clean) ** 2) for images in (layer.data, series.images.mean(axis=1))
    )
    assert error < 0.15 * before
    # the same without the window
    averaged = run_step("preprocess.average_frames", series, {})
    again = run_step("denoise.denoise_series", averaged, values)
    np.testing.assert_array_equal(np.asarray(layer.data), again.images)

    click(qtbot, panel.toggle_button)
    assert not layer.visible and viewer.layers["spheres"].visible
    picture("d6-before")
    click(qtbot, panel.toggle_button)
    assert layer.visible and not viewer.layers["spheres"].visible

    # what was tuned is below the canvas while the panel is in front
    panel.parentWidget().hide()
    qtbot.waitUntil(lambda: not panel.in_front)
    assert not panel.view.isVisible()
    panel.bring_to_front()
    qtbot.waitUntil(panel.view.isVisible)


def test_measured_noise_is_saved_and_used(qtbot, panel, monkeypatch, tmp_path):
    click(qtbot, panel.tuning_box.measure_button)
    wait_idle(qtbot, panel)
    panel.form.set_values({"noise": "measured"})
    assert not panel.run_bar.run_button.isEnabled()
    assert "press Save noise" in panel.run_bar.run_button.toolTip()
    path = tmp_path / "noise.npz"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))
    click(qtbot, panel.tuning_box.save_button)
    assert NoiseModel.load(path).kind == "measured"
    assert panel.run_bar.run_button.isEnabled()
    click(qtbot, panel.run_bar.run_button)
    wait_idle(qtbot, panel)
    assert "spheres denoised" in panel.run_bar.status.text()


def test_without_frames_tuning_is_blind_and_says_so(qtbot, dock, framed, picture):
    panel = dock(DenoisePanel)
    panel.session.add(t4.preprocess.select_frame(framed[0], 1))
    wait_preview(qtbot, panel)
    assert "blind" in panel.tuning_box.hint.text()
    assert not panel.tuning_box.measure_button.isEnabled()
    assert "several frames" in panel.tuning_box.measure_button.toolTip()
    click(qtbot, panel.tuning_box.tune_button)
    wait_idle(qtbot, panel)
    assert panel.run_bar.status.text().startswith("Blind")
    assert panel.form.values()["sigma"] == pytest.approx(np.sqrt(0.05), rel=0.6)
    picture("d7-blind")
    # another series: what was tuned for this one is gone, the form stays
    panel.session.add(framed[0])
    assert panel.run_bar.status.text() == "" and panel.model.tuned is None
    assert panel.view.text.text().startswith("Nothing tuned yet")
    assert "first is denoised" in panel.tuning_box.hint.text()


def test_licence_shows_where_the_package_is_chosen_and_cancel_changes_nothing(qtbot, panel, viewer):
    assert panel.licence.isHidden()
    panel.form.set_values({"method": "bm3d"})
    assert "non-commercial" in panel.licence.text()
    assert not panel.licence.isHidden()
    panel.form.set_values({"method": "non-local means"})
    n_layers = len(viewer.layers)
    wait_preview(qtbot, panel)
    click(qtbot, panel.tuning_box.tune_button)
    # another tilt, looked at while it runs, is seen at its end
    viewer.dims.set_current_step(0, 0)
    qtbot.waitUntil(lambda: not panel.live.busy)
    assert panel.run_bar.runner.running
    click(qtbot, panel.run_bar.cancel_button)
    wait_idle(qtbot, panel)
    wait_preview(qtbot, panel)
    assert panel.pair.shown.text() == "tilt -4.0°"
    assert panel.run_bar.status.text() == "Cancelled; nothing was changed."
    assert len(viewer.layers) == n_layers
    assert item_of(viewer.layers[-1]) is not None
