"""Boxes for numbers and tables of keys, in a plain window without a viewer."""

from __future__ import annotations

import pytest
from by_hand import turn_wheel, type_into
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QDockWidget, QLabel, QLineEdit, QMainWindow, QShortcut, QWidget

from napari_tomo4d.gui.panels.particles.tables import as_text
from napari_tomo4d.gui.widgets.keys import CANCEL, REDO, UNDO, Keys, arrow_keys
from napari_tomo4d.gui.widgets.number_box import count_box, number_box

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def window(qtbot):
    """A main window with a picture in the middle and a panel docked at its side."""
    result = QMainWindow()
    qtbot.addWidget(result)
    result.setCentralWidget(QLineEdit("picture"))
    dock = QDockWidget(result)
    dock.setWidget(QWidget())
    QLineEdit("panel", dock.widget())
    result.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    result.show()
    qtbot.waitExposed(result)
    return result


def test_a_typed_number_counts_once_it_is_complete(qtbot):
    box = number_box(0, 0, 100, "nm", decimals=3)
    qtbot.addWidget(box)
    seen = []
    box.valueChanged.connect(seen.append)
    type_into(qtbot, box, "12.345")
    assert seen == [12.345]
    assert box.text() == "12.345 nm"


def test_the_wheel_scrolls_and_changes_no_number(qtbot):
    for box in (number_box(5, 0, 10), count_box(5, 0, 10)):
        qtbot.addWidget(box)
        box.show()
        turn_wheel(box, 120)
        assert box.value() == 5


def test_a_word_stands_for_a_number_that_is_not_given(qtbot):
    box = number_box(0, 0, 100, "pA", word_at_low="not given")
    qtbot.addWidget(box)
    assert box.text() == "not given"
    box.setValue(3)
    assert box.text() == "3.00 pA"


def test_degrees_touch_their_number(qtbot):
    box = number_box(1.5, 0, 90, "°")
    qtbot.addWidget(box)
    assert box.text() == "1.50°"


def test_keys_come_before_those_of_a_line_of_text(qtbot, window):
    done = []
    panel = window.findChild(QDockWidget).widget()
    line = panel.findChild(QLineEdit)
    keys = Keys(panel, {UNDO: lambda: done.append("undo"), REDO: lambda: done.append("redo")})
    keys.watch(panel)
    qtbot.keyClicks(line, "abc")
    qtbot.keyClick(line, Qt.Key.Key_Z, CTRL)
    qtbot.keyClick(line, Qt.Key.Key_Z, CTRL | SHIFT)
    # other keys are still those of the line
    assert done == ["undo", "redo"]
    assert line.text() == "panelabc"


def test_keys_outside_the_panel_are_left_alone(qtbot, window):
    done = []
    panel, picture = window.findChild(QDockWidget).widget(), window.centralWidget()
    keys = Keys(panel, {CANCEL: lambda: done.append("escape")})
    keys.watch(panel)
    qtbot.keyClick(picture, Qt.Key.Key_Escape)
    assert not done
    keys.watch_canvas(panel)
    qtbot.keyClick(picture, Qt.Key.Key_Escape)
    assert done == ["escape"]
    keys.unwatch()
    for widget in (picture, panel):
        qtbot.keyClick(widget, Qt.Key.Key_Escape)
    assert done == ["escape"]


def test_arrow_keys_move_and_with_shift_move_less(qtbot):
    moves = []
    label = QLabel()
    qtbot.addWidget(label)
    Keys(label, arrow_keys(lambda *move: moves.append(move))).watch(label)
    for key in (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Right):
        qtbot.keyClick(label, key)
    qtbot.keyClick(label, Qt.Key.Key_Right, SHIFT)
    # arrow keys of some keyboards say that they are on the keypad
    qtbot.keyClick(label, Qt.Key.Key_Left, Qt.KeyboardModifier.KeypadModifier)
    qtbot.keyClick(label, Qt.Key.Key_Left, CTRL)
    assert moves == [
        (-1, 0, False),
        (1, 0, False),
        (0, -1, False),
        (0, 1, False),
        (0, 1, True),
        (0, -1, False),
    ]


def test_keys_come_before_shortcuts_of_the_window(qtbot, window):
    done = []
    shortcut = QShortcut(QKeySequence("Ctrl+Z"), window)
    shortcut.activated.connect(lambda: done.append("window"))
    panel = window.findChild(QDockWidget).widget()
    Keys(panel, {UNDO: lambda: done.append("panel")}).watch(panel)
    window.activateWindow()
    qtbot.keyClick(panel, Qt.Key.Key_Z, CTRL)
    assert done == ["panel"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234.6, "1235"),
        (0.98765, "0.9877"),
        (12, "12"),
        (True, "yes"),
        (0.00001234, "1.23 × 10⁻⁵"),
    ],
)
def test_cells_are_written_as_numbers_are_everywhere(value, text):
    assert as_text(value) == text
