"""What a test with a window leaves behind: widgets, threads, timers, callbacks."""

from __future__ import annotations

import gc
import logging

from napari.settings import get_settings
from napari.utils.notifications import notification_manager
from qtpy.compat import isalive
from qtpy.QtCore import QCoreApplication, QEvent, QThread, QTimer
from qtpy.QtWidgets import QApplication, QWidget

# PyQt6 wants a number here, and PyQt5's kinds of events are numbers
_DEFERRED_DELETE = int(getattr(QEvent.Type.DeferredDelete, "value", QEvent.Type.DeferredDelete))

# Qt deletes what was told to go when it comes back to its own loop, Python what Qt has deleted,
# and that again may hold something of Qt
_ROUNDS = 3


def forget_the_past() -> None:
    """Leave all that lives now out of the garbage collector and of what `left_behind` finds.

    Some hundred thousand objects of libraries live as long as the process; to look at each of
    them several times after every test would take longer than the test.
    """
    gc.collect()
    gc.freeze()


def left_behind() -> list[str]:
    """Return what has come to life since `forget_the_past` and should be gone."""
    new: list[object] = []
    for _ in range(_ROUNDS):
        new.clear()
        QCoreApplication.sendPostedEvents(None, _DEFERRED_DELETE)
        QApplication.processEvents()
        gc.collect()
        new = [o for o in gc.get_objects() if _is_ours_to_end(o)]
        if not new:
            return []
    return [_name(o) for o in new]


def _is_ours_to_end(o: object) -> bool:
    kind = type(o)
    if not issubclass(kind, (QWidget, QThread, QTimer)) or not isalive(o):
        return False
    if issubclass(kind, QWidget):
        return kind.__module__.startswith("napari_tomo4d.") or (o.isWindow() and o.isVisible())
    return o.isRunning() if issubclass(kind, QThread) else o.isActive()


def _name(o: object) -> str:
    return f"{type(o).__module__}.{type(o).__name__} {o.objectName()!r}".removesuffix(" ''")


def registered_callbacks() -> dict[str, int]:
    """Return how many of our callbacks are held by what outlives a window."""
    settings = get_settings()
    emitters = {
        "napari's notifications": notification_manager.notification_ready,
        **{f"napari's {name}": e for name, e in settings.appearance.events.emitters.items()},
        **{f"napari's {name}": e for name, e in settings.application.events.emitters.items()},
    }
    counts = {name: sum(map(_is_ours, e.callbacks)) for name, e in emitters.items()}
    for logger in (logging.getLogger(), logging.getLogger("napari_tomo4d")):
        counts[f"log {logger.name}"] = len(logger.handlers)
    return counts


def _is_ours(callback: object) -> bool:
    # a method is kept as a weak reference to its object, and its name
    if isinstance(callback, tuple):
        callback = callback[0]()
    module = getattr(callback, "__module__", None) or type(callback).__module__
    return module.startswith("napari_tomo4d")


def added(before: dict[str, int], after: dict[str, int]) -> list[str]:
    """Return the places that hold more callbacks than before."""
    return [f"a callback on {name}" for name, n in after.items() if n > before.get(name, 0)]
