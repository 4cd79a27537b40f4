"""Forms made from the description of a step."""

from __future__ import annotations

import numpy as np
import pytest
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


def test_a_small_number_is_not_rounded_to_the_decimals_of_its_field(qtbot):
    """A recipe and a search give numbers that nobody would type."""
    form = ParameterForm(STEPS["denoise.denoise_series"])
    qtbot.addWidget(form)
    for value, text in ((2.3e-5, "0.000023"), (0.5, "0.5000")):
        form.set_values({"sigma": value})
        assert form.values()["sigma"] == value
        assert form.field("sigma").text() == text


@pytest.mark.parametrize("name", STEPS)
def test_what_is_filled_in_comes_back(qtbot, name):
    """Every parameter of every step, as number, choice, list, path or left to be found."""
    step = STEPS[name]
    form = ParameterForm(step)
    qtbot.addWidget(form)
    for parameter in step.parameters.values():
        if not parameter.required:
            assert form.values()[parameter.name] == parameter.default
    given = {n: value_inside(p) for n, p in step.parameters.items() if value_inside(p) is not None}
    form.set_values(given)
    back = form.values()
    assert {n: back[n] for n in given} == given
    assert all(type(back[n]) is type(v) for n, v in given.items())


def value_inside(parameter):
    """Return a legal value that is not the default."""
    param = parameter.param
    if param.choices:
        return list(param.choices)[-1]
    if parameter.type is bool:
        return not parameter.default
    if parameter.type in (int, float):
        low = 1 if param.minimum is None else np.floor(param.minimum + 1)
        return parameter.type(low if param.maximum is None else min(low, param.maximum))
    return None
