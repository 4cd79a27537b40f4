"""The panel and the method that the page for developers adds, in a window."""

from __future__ import annotations

import numpy as np
import pages
import pytest
from by_hand import click, wait_idle

from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.registry import STEPS

PAGE = pages.ROOT / "docs" / "pages" / "developer.md"


@pytest.fixture
def added(monkeypatch):
    """The names on the page down to its panel, with its steps registered as long as needed."""
    names = pages.names_for(PAGE, monkeypatch)
    before = set(STEPS)
    for code in pages.blocks(PAGE, "python"):
        if "gui.panels" in code or "@step(" in code:
            exec(compile(code, str(PAGE), "exec"), names)
        if "run_step, steps_of" in code:
            exec("from napari_tomo4d.pipeline import run_step", names)
    yield names
    for name in set(STEPS) - before:
        del STEPS[name]


def test_the_panel_of_the_page_runs_its_step(qtbot, dock, viewer, added):
    panel = dock(added["BrightenPanel"])
    assert panel.run_bar.run_button.toolTip() == "No tilt series yet."
    series = added["series"]
    panel.session.add(series)
    qtbot.waitUntil(panel.run_bar.run_button.isEnabled)
    click(qtbot, panel.run_bar.run_button)
    wait_idle(qtbot, panel)
    bright = item_of(viewer.layers["brighter"])
    np.testing.assert_array_equal(bright.images, 2 * series.images)
    assert panel.recipe.save_button.isEnabled()


def test_a_new_method_appears_in_the_panel_by_itself(qtbot, dock, viewer, added):
    from napari_tomo4d.gui.panels import ReconstructPanel

    panel = dock(ReconstructPanel)
    panel.session.add(added["series"])
    panel.method_box.method.setCurrentText("Landweber")
    assert panel.method_box.method.currentText() == "Landweber"
    qtbot.waitUntil(panel.run_bar.run_button.isEnabled)
    click(qtbot, panel.run_bar.run_button)
    wait_idle(qtbot, panel)
    volume = item_of(viewer.layers[-1])
    assert volume.provenance.step == "reconstruct.landweber"
