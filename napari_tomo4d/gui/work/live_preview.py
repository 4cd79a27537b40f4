"""Previews that wait until nothing has changed for a moment, and until they are seen."""

from __future__ import annotations

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QDockWidget, QWidget

from napari_tomo4d.gui.work.runner import Runner

_DELAY_MS = 200


def dock_of(widget: QWidget) -> QDockWidget | None:
    """Return the dock that a widget lies in, if it lies in one."""
    parent = widget.parentWidget()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parentWidget()
    return parent


class LivePreview(Runner):
    """A runner for previews: `due` comes once nothing has changed for a moment.

    A panel behind another tab is spared them until it comes to the front.
    """

    due = Signal()

    def __init__(self, panel: QWidget) -> None:
        super().__init__(panel)
        self._panel = panel
        self._dock: QDockWidget | None = None
        self._put_off = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_DELAY_MS)
        self._timer.timeout.connect(self._ask)

    @property
    def busy(self) -> bool:
        """Whether the preview is not up to date yet."""
        return self.running or self._timer.isActive()

    def request(self) -> None:
        """Ask for a preview; an earlier request is forgotten."""
        self._timer.start()

    def drop(self) -> None:
        """Cancel the preview under way, and the request for one."""
        self._timer.stop()
        self._put_off = False
        super().drop()

    def _ask(self) -> None:
        # a widget behind another tab counts as visible, but no part of it is
        if self._panel.visibleRegion().isEmpty() and self._watch_dock():
            self._put_off = True
        else:
            self.due.emit()

    def _watch_dock(self) -> bool:
        dock = dock_of(self._panel)
        if dock is not None and dock is not self._dock:
            dock.visibilityChanged.connect(self._came_to_front)
        self._dock = dock
        return dock is not None

    def _came_to_front(self, visible: bool) -> None:
        if visible and self._put_off:
            self._put_off = False
            self.request()
