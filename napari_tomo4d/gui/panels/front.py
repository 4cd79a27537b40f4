"""A panel that draws on the canvas or listens to it only while it is the one in front."""

from __future__ import annotations

from typing import Any

from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QDockWidget

from napari_tomo4d.gui.panels.base import Panel


class FrontPanel(Panel):
    """A panel that is told when it comes to the front and when another covers it.

    Subclasses have `came_to_front`, `went_behind` and `slider_moved`.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__(viewer)
        self._dock: QDockWidget | None = None
        self.in_front = self._closed = False

    def came_to_front(self) -> None:
        """Start to draw and to listen."""

    def went_behind(self) -> None:
        """Take away what was drawn on the canvas."""

    def slider_moved(self, _event: Any = None) -> None:
        """Follow the viewer's sliders."""

    def showEvent(self, event: QShowEvent) -> None:
        """Find the dock, which says when this panel comes to the front."""
        super().showEvent(event)
        if self._dock is not None:
            return
        parent = self.parentWidget()
        while parent is not None and not isinstance(parent, QDockWidget):
            parent = parent.parentWidget()
        if parent is not None:
            self._dock = parent
            parent.visibilityChanged.connect(self._front_changed)

    def _front_changed(self, in_front: bool) -> None:
        if in_front == self.in_front or self._closed:
            return
        self.in_front = in_front
        dims = self.viewer.dims.events
        if in_front:
            for event in (dims.current_step, dims.ndisplay, dims.order):
                event.connect(self.slider_moved)
            self.came_to_front()
        else:
            self._let_go()

    def _let_go(self) -> None:
        dims = self.viewer.dims.events
        for event in (dims.current_step, dims.ndisplay, dims.order):
            event.disconnect(self.slider_moved)
        self.went_behind()

    def close_work(self) -> None:
        """Cancel whatever runs, and leave the viewer alone from now on."""
        if self.in_front:
            self.in_front = False
            self._let_go()
        self._closed = True
        super().close_work()
