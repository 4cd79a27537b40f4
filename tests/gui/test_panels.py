"""Panels in a real window: what goes wrong, what is waited for, what is remembered."""

from __future__ import annotations

import threading

import pytest
from by_hand import click, type_into, wait_idle, wait_preview
from qtpy.QtWidgets import QApplication

from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.panels.load.panel import LoadPanel
from napari_tomo4d.gui.work.runner import Runner


def test_sample_time_series_from_click_to_volumes(qtbot, panels, viewer, picture):
    load, reconstruct = panels["Load"], panels["Reconstruct"]
    load.load_sample()
    wait_idle(qtbot, load)
    assert load.tables_box.times.rowCount() == 6
    assert load.tables_box.times.item(5, 0).text() == "3600"
    reconstruct.bring_to_front()
    wait_preview(qtbot, reconstruct)
    # the slice shown is that of the time point the viewer is at
    viewer.dims.set_current_step(0, 5)
    form = reconstruct.method_box.form
    type_into(qtbot, form.field("iterations"), 5)
    type_into(qtbot, form.field("thickness"), 96)
    reconstruct.region.rows.setValue((40, 71))
    wait_preview(qtbot, reconstruct)
    assert viewer.canvas.overlays.text.text == "60 min, 350 °C, tilt +0.0°"
    click(qtbot, reconstruct.run_bar.run_button)
    wait_idle(qtbot, reconstruct)
    volumes = item_of(viewer.layers[-1])
    assert len(volumes) == 6
    assert viewer.layers[-1].name == "sintering SIRT"
    # the slider counts the same times as for the tilt series
    assert viewer.dims.nsteps[0] == 6
    assert viewer.layers[-1].data.shape == (6, 96, 32, 128)
    assert volumes[0].pixel_size_nm == pytest.approx(1065 / 128, rel=1e-3)
    picture("9-sample-volumes")


def test_only_the_latest_run_reports_back(qtbot):
    runner, first_may_end, got = Runner(), threading.Event(), []
    runner.finished.connect(lambda result, _: got.append(result))

    def slow(progress):
        first_may_end.wait(10)
        return "old"

    runner.start(slow)
    runner.start(lambda progress: "new")
    qtbot.waitUntil(lambda: got == ["new"])
    first_may_end.set()
    runner.wait()
    # what the old thread has sent is delivered now
    QApplication.processEvents()
    assert got == ["new"]


def test_an_unexpected_error_is_one_sentence(qtbot, dock):
    panel = dock(LoadPanel)
    bar = panel.run_bar

    def broken(progress):
        raise ZeroDivisionError("boom")

    bar.start(broken)
    wait_idle(qtbot, panel)
    assert bar.status.text().startswith("Error: Something unexpected went wrong: boom.")
    assert bar.run_button.toolTip() == "Choose files or a folder first."


def test_panels_fit_their_width(qtbot, panels, viewer):
    for panel in panels.values():
        panel.bring_to_front()
        qtbot.waitUntil(panel.isVisible)
        area = panel.scroll_area
        # the window may take a moment to lay it out
        qtbot.waitUntil(lambda a=area: a.widget().minimumSizeHint().width() <= a.viewport().width())
