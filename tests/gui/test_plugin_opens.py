"""Every widget and command of the manifest, opened as a user of napari opens them."""

from __future__ import annotations

import numpy as np
import pytest
from npe2 import PluginManager
from qtpy.QtWidgets import QDockWidget

import napari_tomo4d as t4
from napari_tomo4d.gui.app import add_panels
from napari_tomo4d.gui.panels import PANELS
from napari_tomo4d.gui.panels.base import Panel

PLUGIN = "napari-tomo4d"
WIDGETS = [panel.title for panel in PANELS]


@pytest.fixture
def volume():
    """A ball, to be shown as a layer."""
    z, y, x = np.ogrid[:8, :9, :10]
    ball = (z - 4) ** 2 + (y - 4) ** 2 + (x - 5) ** 2 < 9
    return t4.Volume(ball.astype(np.float32), 1.5, name="ball")


def menu_action(menu, *titles):
    """Return what a person finds under these words, one below the other."""
    for title in titles:
        menu.aboutToShow.emit()
        action = next(a for a in menu.actions() if a.text() == title)
        menu = action.menu()
    return action


def open_from_menu(viewer, title):
    """Choose a widget of ours from napari's menu of plugins."""
    menu_action(viewer.window.plugins_menu, "4D electron tomography", title).trigger()


def window_of(viewer):
    """Return the window of Qt that a viewer lies in."""
    return next(iter(viewer.window.dock_widgets.values())).window()


def docks_in(viewer):
    """Return all docks of the window."""
    return window_of(viewer).findChildren(QDockWidget)


def panels_in(viewer):
    """Return all panels of ours in the window, seen or not, by title."""
    window = window_of(viewer)
    found = window.findChildren(Panel)
    assert len({type(p) for p in found}) == len(found), "the same panel is there twice"
    return {p.title: p for p in found}


def test_all_widgets_open_from_the_menu_and_share_one_session(viewer, qtbot, volume):
    for title in WIDGETS:
        open_from_menu(viewer, title)
        qtbot.waitUntil(lambda title=title: title in panels_in(viewer))
    opened = panels_in(viewer)
    manifest = PluginManager.instance().get_manifest(PLUGIN)
    assert [w.display_name for w in manifest.contributions.widgets] == WIDGETS == list(opened)
    assert len(WIDGETS) == 9
    assert len({id(p.session) for p in opened.values()}) == 1
    layer = opened["Load"].session.add(volume)
    assert layer in viewer.layers
    opened["Segment"].bring_to_front()
    qtbot.waitUntil(lambda: opened["Segment"].picker.layer is layer)
    assert viewer.layers.selection.active is opened["Segment"].picker.layer


def test_all_widgets_open_by_name_as_scripts_do(viewer, qtbot):
    opened = [viewer.window.add_plugin_dock_widget(PLUGIN, title)[1] for title in WIDGETS]
    assert [type(p) for p in opened] == list(PANELS)
    assert len({id(p.session) for p in opened}) == 1
    # another way in gives the same panel, in one place only
    open_from_menu(viewer, "Align")
    qtbot.waitUntil(lambda: len(panels_in(viewer)) == 9)
    assert panels_in(viewer)["Align"] is opened[3]
    qtbot.waitUntil(lambda: not any(d.widget() is None for d in docks_in(viewer)))


def test_the_command_opens_all_and_nothing_twice(viewer, qtbot):
    open_from_menu(viewer, "Segment")
    before = panels_in(viewer)["Segment"]
    PluginManager.instance().commands.execute("napari-tomo4d.all_panels", (viewer,))
    assert list(panels_in(viewer)) and set(panels_in(viewer)) == set(WIDGETS)
    assert panels_in(viewer)["Segment"] is before
    again = add_panels(viewer)
    assert panels_in(viewer) == again
