"""What a person does with mouse and keys, and what they wait for."""

from __future__ import annotations

from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QAbstractButton, QApplication


def click(qtbot, widget):
    """Click the middle of a widget."""
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)


def type_into(qtbot, spin, text):
    """Type a number into a spin box."""
    spin.setFocus()
    spin.selectAll()
    qtbot.keyClicks(spin, str(text))
    qtbot.keyClick(spin, Qt.Key.Key_Return)


def wait_idle(qtbot, panel):
    """Wait until the panel's run has ended."""
    qtbot.waitUntil(lambda: not panel.run_bar.runner.running, timeout=120000)


def wait_preview(qtbot, panel):
    """Wait until the live slice is up to date."""
    qtbot.waitUntil(lambda: panel.image.image is not None and not panel.busy, timeout=120000)


def turn_wheel(widget, angle):
    """Turn the mouse wheel in the middle of a widget."""
    middle = widget.rect().center()
    event = QWheelEvent(
        QPointF(middle),
        QPointF(widget.mapToGlobal(middle)),
        QPoint(0, angle),
        QPoint(0, angle),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


def width_shown(box):
    """Return the width in pixels of the part of an image that is seen."""
    return box.width_shown


def button(widget, text):
    """Return the button, or box to tick, in a widget whose text begins like this."""
    found = [b for b in widget.findChildren(QAbstractButton) if b.text().startswith(text)]
    assert len(found) == 1, f"{len(found)} buttons begin with {text!r}"
    return found[0]


def press(qtbot, widget, text):
    """Click the button of a widget whose text begins like this."""
    click(qtbot, button(widget, text))
