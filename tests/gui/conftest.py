"""A real napari window for tests of panels, and a look at what each test leaves behind."""

from __future__ import annotations

import os
import sys

import pytest


def pytest_collection_modifyitems(config, items):
    """Skip what needs a window where there is no screen at all."""
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        reason = "needs a screen; run under xvfb-run, as python3 run.py test does"
        for item in items:
            if "/gui/" in item.nodeid:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def nothing_left_behind(request):
    """Fail a test that leaves widgets, threads, timers or callbacks behind."""
    # fixtures end in the order opposite to their start: the window is closed by then
    if "qtbot" not in request.fixturenames:
        yield
        return
    request.getfixturevalue("qapp")
    import leaks

    leaks.forget_the_past()
    callbacks = leaks.registered_callbacks()
    yield
    report = getattr(request.node, "rep_call", None)
    # pytest keeps the fixtures' values, panels among them, a little longer
    request.node.funcargs.clear()
    left = leaks.left_behind()
    # a failed test's traceback holds on to everything
    if report is not None and report.passed:
        left += leaks.added(callbacks, leaks.registered_callbacks())
        assert not left, "left behind after the test: " + ", ".join(left)


@pytest.fixture
def viewer(qtbot, make_napari_viewer):
    """A napari window of the smallest size that panels are made for."""
    result = make_napari_viewer(show=True)
    result.window.resize(1280, 800)
    return result


@pytest.fixture
def dock(viewer, qtbot):
    """Return a function that docks one panel, given its class, and returns it."""
    docked = []

    def dock_one(panel_class):
        panel = panel_class(viewer)
        viewer.window.add_dock_widget(
            panel, name=panel_class.title, area="right", add_vertical_stretch=False, tabify=True
        )
        docked.append(panel)
        qtbot.waitUntil(panel.isVisible)
        return panel

    yield dock_one
    for panel in docked:
        panel.close_work()


@pytest.fixture
def panels(viewer, qtbot):
    """All panels, docked as in the application, by title; most tests need only `dock`."""
    from napari_tomo4d.gui.app import add_panels

    result = add_panels(viewer)
    qtbot.waitUntil(result["Load"].isVisible)
    yield result
    for panel in result.values():
        panel.close_work()


@pytest.fixture
def picture(viewer, request):
    """Save a picture of the window for a person to look at, if a folder is given."""

    def save(name: str) -> None:
        folder = os.environ.get("TOMO4D_SCREENSHOTS")
        if folder:
            from qtpy.QtWidgets import QApplication

            QApplication.processEvents()
            path = os.path.join(folder, f"{name}.png")
            viewer.window.screenshot(path, canvas_only=False, flash=False)

    return save
