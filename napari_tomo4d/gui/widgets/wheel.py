"""The mouse wheel scrolls a panel, and changes no value on the way."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QWidget


class NoWheel(QObject):
    """Keeps the mouse wheel from changing values while a panel is scrolled."""

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Hand wheel events on to the scroll area."""
        if event is not None and event.type() == QEvent.Type.Wheel:
            event.ignore()
            return True
        return bool(super().eventFilter(watched, event))


def ignore_wheel(widget: QWidget) -> None:
    """Make a spin box or combo box ignore the mouse wheel."""
    widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    widget.installEventFilter(NoWheel(widget))
