"""Keys that do something in a widget, whatever part of it has the focus."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import partial

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QApplication, QMainWindow, QWidget

UNDO, REDO, CANCEL = "Ctrl+Z", "Ctrl+Shift+Z", "Escape"
"""What these keys do is the same in every panel."""

_ARROWS = {"Up": (-1, 0), "Down": (1, 0), "Left": (0, -1), "Right": (0, 1)}
_MODIFIERS = {
    "Ctrl": Qt.KeyboardModifier.ControlModifier,
    "Shift": Qt.KeyboardModifier.ShiftModifier,
    "Alt": Qt.KeyboardModifier.AltModifier,
}


class Keys(QObject):
    """A table of keys and what each of them does.

    The viewer has shortcuts of its own, and so have boxes for text. The keys of the table come
    before those, but only in the widgets that are watched.

    Parameters
    ----------
    parent : QObject
    table : mapping of str to callable
        By name of the key as Qt writes it, such as "Ctrl+Z" or "Shift+Left".
    """

    def __init__(self, parent: QObject, table: Mapping[str, Callable[[], object]]) -> None:
        super().__init__(parent)
        self._actions = {_read(name): action for name, action in table.items()}
        self._watched: list[QWidget] = []

    def watch(self, widget: QWidget) -> None:
        """Listen to the keys of a widget and of all that is in it now."""
        for part in (widget, *widget.findChildren(QWidget)):
            part.installEventFilter(self)
            self._watched.append(part)

    def watch_canvas(self, panel: QWidget) -> None:
        """Listen to the keys of the picture in the main window that a panel is docked in."""
        parent: QObject | None = panel
        while parent is not None and not isinstance(parent, QMainWindow):
            parent = parent.parent()
        canvas = None if parent is None else parent.centralWidget()
        if canvas is not None:
            self.watch(canvas)

    def unwatch(self) -> None:
        """Listen to no widget any more."""
        for part in self._watched:
            # napari may have deleted a part of its window meanwhile
            with contextlib.suppress(RuntimeError):
                part.removeEventFilter(self)
        self._watched.clear()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Take the keys of the table before anyone else."""
        if not isinstance(event, QKeyEvent):
            return False
        kind = event.type()
        if kind not in (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress):
            return False
        action = self._actions.get((event.key(), _plain(event.modifiers())))
        # an open list or dialog has a use of its own for keys
        elsewhere = QApplication.activePopupWidget() or QApplication.activeModalWidget()
        if action is None or elsewhere is not None:
            return False
        if kind == QEvent.Type.ShortcutOverride:
            # else the viewer's shortcut takes it, and no press of the key follows
            event.accept()
        else:
            action()
        return True


def arrow_keys(press: Callable[[int, int, bool], object]) -> dict[str, Callable[[], object]]:
    """Return the rows of a table for the arrow keys, which with Shift move less.

    Parameters
    ----------
    press : callable
        Called with -1, 0 or 1 downwards and to the right, and whether Shift is held.
    """
    return {
        name + arrow: partial(press, down, right, bool(name))
        for name in ("", "Shift+")
        for arrow, (down, right) in _ARROWS.items()
    }


def _read(name: str) -> tuple[int, frozenset[str]]:
    *modifiers, key = name.split("+")
    return int(getattr(Qt.Key, f"Key_{key}")), frozenset(modifiers)


def _plain(modifiers: Qt.KeyboardModifier) -> frozenset[str]:
    """Return the modifiers by name; arrow keys have one more that says nothing."""
    return frozenset(name for name, one in _MODIFIERS.items() if modifiers & one)
