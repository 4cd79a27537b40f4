"""Forms made from the description of a step."""

from __future__ import annotations

from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication

from napari_tomo4d.gui.widgets.form import ParameterForm
from napari_tomo4d.pipeline import STEPS


def test_a_list_of_numbers_keeps_the_last_right_value(qtbot):
    form = ParameterForm(STEPS["reconstruct.dart"])
    qtbot.addWidget(form)
    field = form.field("densities")
    field.setText("0.5, 1.5")
    assert form.values()["densities"] == (0.5, 1.5)
    field.setText("0.5, one")
    assert form.values()["densities"] == (0.5, 1.5)
    assert "border" in field.styleSheet()
    field.setText("")
    assert form.values()["densities"] == ()


def test_the_wheel_scrolls_the_panel_and_changes_no_value(qtbot):
    form = ParameterForm(STEPS["preprocess.bin"])
    qtbot.addWidget(form)
    spin = form.field("factor")
    event = QWheelEvent(
        QPointF(spin.rect().center()),
        QPointF(spin.mapToGlobal(spin.rect().center())),
        QPoint(0, -120),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(spin, event)
    assert form.values() == {"factor": 2}
    assert not event.isAccepted()


def test_what_is_advanced_is_folded_away(qtbot):
    from napari_tomo4d.gui.widgets.fold import Fold

    form = ParameterForm(STEPS["segment.clean_mask"])
    qtbot.addWidget(form)
    form.show()
    fold, field = form.findChild(Fold), form.field("max_hole_px")
    assert not field.isVisible()
    low = form.sizeHint().height()
    qtbot.mouseClick(fold.button, Qt.MouseButton.LeftButton)
    assert field.isVisible() and form.sizeHint().height() > low
