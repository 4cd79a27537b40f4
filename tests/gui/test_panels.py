"""Panels in a real window: what goes wrong, what is waited for, what is remembered."""

from __future__ import annotations

import pytest
from by_hand import click, type_into, wait_idle, wait_preview

from napari_tomo4d.gui.canvas.layers import item_of


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
    assert viewer.canvas.overlays.text.text == "3600 s, 350 °C, tilt +0.0°"
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


def test_only_the_latest_run_reports_back(qtbot, panels):
    import threading

    from napari_tomo4d.gui.work.runner import Runner

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
    qtbot.wait(50)
    assert got == ["new"]


def test_an_unexpected_error_is_one_sentence(qtbot, panels):
    bar = panels["Load"].run_bar

    def broken(progress):
        raise ZeroDivisionError("boom")

    bar.start(broken)
    wait_idle(qtbot, panels["Load"])
    assert bar.status.text().startswith("Error: Something unexpected went wrong: ZeroDivisionError")
    assert bar.run_button.toolTip() == "Choose files or a folder first."


def test_panels_fit_their_width(qtbot, panels, viewer):
    for panel in panels.values():
        panel.bring_to_front()
        qtbot.waitUntil(panel.isVisible)
        qtbot.wait(50)
        needed = panel.scroll_area.widget().minimumSizeHint().width()
        assert needed <= panel.scroll_area.viewport().width()
