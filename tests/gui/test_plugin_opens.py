"""Every widget and command of the manifest, opened as a user of napari opens them."""

from __future__ import annotations

import importlib
import logging
import threading
import time
import warnings

import numpy as np
import pytest
from npe2 import PluginManager
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QLabel, QPushButton

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
        qtbot.waitUntil(lambda title=title: title in panels_in(viewer), timeout=30000)
    opened = panels_in(viewer)
    manifest = PluginManager.instance().get_manifest(PLUGIN)
    assert [w.display_name for w in manifest.contributions.widgets] == WIDGETS == list(opened)
    assert len(WIDGETS) == 9
    assert len({id(p.session) for p in opened.values()}) == 1
    layer = opened["Load"].session.add(volume)
    assert layer in viewer.layers
    opened["Segment"].bring_to_front()
    qtbot.waitUntil(lambda: opened["Segment"].picker.layer is layer, timeout=30000)
    assert viewer.layers.selection.active is opened["Segment"].picker.layer


def test_all_widgets_open_by_name_as_scripts_do(viewer, qtbot):
    opened = [viewer.window.add_plugin_dock_widget(PLUGIN, title)[1] for title in WIDGETS]
    assert [type(p) for p in opened] == list(PANELS)
    assert len({id(p.session) for p in opened}) == 1
    # another way in gives the same panel, in one place only
    open_from_menu(viewer, "Align")
    qtbot.waitUntil(lambda: len(panels_in(viewer)) == 9, timeout=30000)
    assert panels_in(viewer)["Align"] is opened[3]
    qtbot.waitUntil(lambda: not any(d.widget() is None for d in docks_in(viewer)), timeout=30000)


def test_the_command_opens_all_and_nothing_twice(viewer, qtbot):
    open_from_menu(viewer, "Segment")
    before = panels_in(viewer)["Segment"]
    PluginManager.instance().commands.execute("napari-tomo4d.all_panels", (viewer,))
    assert list(panels_in(viewer)) and set(panels_in(viewer)) == set(WIDGETS)
    assert panels_in(viewer)["Segment"] is before
    again = add_panels(viewer)
    assert panels_in(viewer) == again


def test_a_closed_tab_opens_again_from_the_window_menu(viewer, qtbot, volume):
    panel = add_panels(viewer)["Segment"]
    panel.session.add(volume)
    menu_action(viewer.window.window_menu, "Segment").trigger()
    qtbot.waitUntil(lambda: panel.in_front, timeout=30000)
    panel.cleaning_box.setChecked(False)
    cross = panel.parentWidget().titleBarWidget().findChild(QPushButton, "QTitleBarCloseButton")
    qtbot.mouseClick(cross, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Segment" not in panels_in(viewer), timeout=30000)
    assert not panel.in_front
    menu_action(viewer.window.window_menu, "Segment").trigger()
    qtbot.waitUntil(lambda: panel.in_front and panel.isVisible(), timeout=30000)
    # nothing of what was set before is lost
    assert panels_in(viewer)["Segment"] is panel
    assert not panel.cleaning_box.isChecked()
    assert [a.text() for a in viewer.window.window_menu.actions()].count("Segment") == 1


def test_nothing_else_of_the_window_is_changed(viewer, qtbot, tmp_path):
    """Another plugin's docks keep their place, tabs and corners; its keys and warnings too."""
    others = [
        viewer.window.add_dock_widget(QLabel(name), name=name, area="right", tabify=i > 0)
        for i, name in enumerate(("one", "two"))
    ]
    window = window_of(viewer)
    corners = [Qt.Corner(i) for i in range(4)]
    areas = [Qt.DockWidgetArea.RightDockWidgetArea, Qt.DockWidgetArea.BottomDockWidgetArea]

    def state():
        return (
            [window.tabPosition(a) for a in areas],
            [window.corner(c) for c in corners],
            [window.dockWidgetArea(d) for d in others],
            {d.windowTitle() for d in window.tabifiedDockWidgets(others[0])},
            list(warnings.filters),
            logging.getLogger("rsciio").level,
        )

    importlib.import_module("rsciio.hspy")
    before = state()
    panels = add_panels(viewer)
    for panel in panels.values():
        panel.bring_to_front()
        qtbot.waitUntil(lambda panel=panel: panel.in_front, timeout=30000)
    panels["Align"].show_view()
    path = tmp_path / "a.hspy"
    path.write_bytes(b"not one")
    with pytest.raises(t4.errors.ReadError):
        t4.read(path)
    assert state() == before


def test_closing_the_window_ends_what_runs(viewer, qtbot):
    """Opened by whatever way: the widgets are deleted right after, and no thread may be left."""
    _, panel = viewer.window.add_plugin_dock_widget(PLUGIN, "Load")
    qtbot.waitUntil(panel.isVisible, timeout=30000)
    started, ended = threading.Event(), threading.Event()

    def endless(progress):
        started.set()
        try:
            while True:
                progress.check()
                time.sleep(0.01)
        finally:
            ended.set()

    panel.run_bar.start(endless)
    assert started.wait(10)
    viewer.close()
    assert ended.is_set()
