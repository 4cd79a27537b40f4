"""What a person does with the mouse on the picture."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication


def canvas():
    """Return the widget of the canvas that the mouse meets."""
    found = [w for w in QApplication.allWidgets() if type(w).__name__ == "CanvasBackendDesktop"]
    return next(w for w in found if w.isVisible())


def on_canvas(viewer, layer, y, x):
    """Return where a voxel of a layer is on the canvas."""
    camera, widget = viewer.scene.camera, canvas()
    world = np.array([y, x]) * layer.scale[-2:] + layer.translate[-2:]
    offset = (world - np.array(camera.center)[-2:]) * camera.zoom
    return QPoint(round(widget.width() / 2 + offset[1]), round(widget.height() / 2 + offset[0]))


def line(viewer, layer, start, end):
    """Return places on the canvas from one pixel (y, x) of a layer to another."""
    between = (np.array(start) + t * np.subtract(end, start) for t in np.linspace(0, 1, 9))
    return [on_canvas(viewer, layer, *pixel) for pixel in between]


def move(place, buttons=Qt.MouseButton.NoButton, widget=None):
    """Move the mouse to a place on a widget, or on the canvas; QTest moves without buttons."""
    widget = widget or canvas()
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(place),
        QPointF(widget.mapToGlobal(place)),
        Qt.MouseButton.NoButton,
        buttons,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(widget, event)


def press(qtbot, place):
    """Click a place on the canvas."""
    move(place)
    qtbot.mouseClick(canvas(), Qt.MouseButton.LeftButton, pos=place)


def drag(qtbot, places, widget=None):
    """Press at the first place, go through the others, and let go at the last."""
    left, plain = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    widget = widget or canvas()
    move(places[0], widget=widget)
    QTest.mousePress(widget, left, plain, places[0])
    for place in places[1:]:
        move(place, left, widget)
        qtbot.wait(20)
    QTest.mouseRelease(widget, left, plain, places[-1])
    qtbot.wait(20)
