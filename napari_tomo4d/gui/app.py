"""The application: napari with the panels docked, in the order of the work."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_tomo4d.errors import Tomo4DError

if TYPE_CHECKING:
    import napari.viewer
    from napari.viewer import Viewer
    from qtpy.QtWidgets import QWidget

    from napari_tomo4d.gui.panels.base import Panel

DISPLAY_NAME = "4D electron tomography"
"""Of the plugin, as in its manifest."""

_IN_MENU = "napari_tomo4d"
_SCREENSHOT_TIMEOUT_S = 180


def add_panels(napari_viewer: napari.viewer.Viewer) -> dict[str, Panel]:
    """Dock all panels as tabs on the right, those already open included; returns them by title.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        napari looks for this name and type; it may hand over a proxy.

    Returns
    -------
    dict of str to Panel
    """
    from qtpy.QtCore import QTimer

    from napari_tomo4d.gui.canvas.session import unwrapped
    from napari_tomo4d.gui.panels import PANELS
    from napari_tomo4d.gui.work.live_preview import dock_of

    viewer = unwrapped(napari_viewer)
    panels = {cls.title: cls(viewer) for cls in PANELS}
    known = viewer.window.window_menu.property(_IN_MENU) is not None
    for panel in panels.values():
        if dock_of(panel) is None:
            _dock(viewer, panel)
        if not known:
            _offer(viewer, panel)
    viewer.window.window_menu.setProperty(_IN_MENU, True)
    # a dock can be brought to the front only after the window has laid it out
    QTimer.singleShot(0, panels["Load"].bring_to_front)
    return panels


def _dock(viewer: napari.viewer.Viewer, panel: Panel) -> None:
    """Dock a panel under the name that napari's menu of plugins knows it by."""
    from napari_tomo4d.gui.panels.base import Panel

    others = any(isinstance(w, Panel) for w in viewer.window.dock_widgets.values())
    dock = viewer.window.add_dock_widget(
        panel,
        name=f"{panel.title} ({DISPLAY_NAME})",
        area="right",
        add_vertical_stretch=False,
        tabify=others,
    )
    # what the tab says
    dock.setWindowTitle(panel.title)


def _offer(viewer: napari.viewer.Viewer, panel: Panel) -> None:
    """Put a panel into the Window menu, from where it can be opened again."""
    from napari_tomo4d.gui.work.live_preview import dock_of

    def show() -> None:
        if dock_of(panel) is None:
            _dock(viewer, panel)
        panel.bring_to_front()

    action = viewer.window.window_menu.addAction(panel.title)
    action.triggered.connect(show)


def open_application(
    files: Sequence[str] = (), demo: bool = False, screenshot: str | None = None
) -> int:
    """Open napari with the panels, and files or the simulated sample, until it is closed.

    Parameters
    ----------
    files : sequence of str
        Opened together: one tilt series or one time series.
    demo : bool
        Show the simulated sintering experiment.
    screenshot : str, optional
        Save a picture of the window here once the first slice is shown, then leave.

    Returns
    -------
    int
        Exit code.
    """
    try:
        # napari itself can be imported without Qt, and fails later
        import qtpy.QtWidgets  # noqa: F401
    except ImportError as error:
        raise Tomo4DError(
            'The application needs Qt: pip install "napari-tomo4d[all]" installs everything.'
        ) from error
    import napari

    for path in files:
        if not Path(path).exists():
            raise Tomo4DError(f"{path} does not exist; check the name and the folder.")
    if screenshot is not None and not os.access(Path(screenshot).absolute().parent, os.W_OK):
        raise Tomo4DError(f"The screenshot {screenshot} can't be written there.")
    viewer = _open_window()
    panels = add_panels(viewer)
    _arrange(panels["Load"])
    load = panels["Load"]
    if demo:
        load.load_sample()
    elif files:
        load.choose(list(files), load=True)
    if screenshot is not None:
        return _take_screenshot(viewer, panels, Path(screenshot))
    # runs under way are cancelled when the window closes
    napari.run()
    return 0


def _open_window() -> napari.viewer.Viewer:
    """Return the viewer of a new window; what napari says of PyQt5 then is not shown."""
    import napari
    from napari.utils.notifications import notification_manager

    with warnings.catch_warnings():
        # PyQt5 can't tell napari the system's theme
        warnings.filterwarnings("ignore", message="System theme detection")
        viewer = napari.Viewer(title="napari-tomo4d", show=False)
    # PyQt5 is what the program installs: nothing a person who opens it can change. It is the only
    # thing that is said while the window is shown for the first time.
    with notification_manager.notification_ready.blocker():
        viewer.show()
    use_icon()
    viewer.window.resize(1280, 800)
    return viewer


def _arrange(panel: Panel) -> None:
    """Arrange the docks of our own window; those of another program stay as they are."""
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QMainWindow, QTabWidget

    window = panel.window()
    assert isinstance(window, QMainWindow)
    right = Qt.DockWidgetArea.RightDockWidgetArea
    # nine names side by side would be cut to their first letters
    window.setTabPosition(right, QTabWidget.TabPosition.East)
    # what is docked below the canvas takes no height from the panels
    window.setCorner(Qt.Corner.BottomRightCorner, right)


def _take_screenshot(viewer: Viewer, panels: dict[str, QWidget], path: Path) -> int:
    from qtpy.QtWidgets import QApplication

    reconstruct = panels["Reconstruct"]
    end = time.monotonic() + _SCREENSHOT_TIMEOUT_S

    def wait(until: Callable[[], bool]) -> None:
        while not until() and time.monotonic() < end:
            QApplication.processEvents()
            time.sleep(0.02)

    wait(lambda: not panels["Load"].run_bar.runner.running)
    if len(viewer.layers):
        reconstruct.bring_to_front()
        wait(lambda: reconstruct.image.image is not None)
    close_notices()
    wait_a_moment = time.monotonic() + 0.5
    wait(lambda: time.monotonic() > wait_a_moment)
    viewer.window.screenshot(str(path), canvas_only=False, flash=False)
    viewer.close()
    print(f"Saved {path}")
    return 0


def use_icon() -> None:
    """Give the application's windows the program's icon."""
    from qtpy.QtGui import QIcon
    from qtpy.QtWidgets import QApplication

    package = Path(__file__).parents[1]
    # inside the package when installed, beside it in a checkout
    for folder in (package / "icons", package.parent / "icons"):
        if (folder / "napari-tomo4d.svg").exists():
            QApplication.setWindowIcon(QIcon(str(folder / "napari-tomo4d.svg")))
            return


def close_notices() -> None:
    """Close napari's own notices, which would hide part of a picture."""
    from qtpy.QtWidgets import QApplication

    for widget in QApplication.allWidgets():
        if type(widget).__name__ == "NapariQtNotification":
            widget.close()
