"""The panel *Clean*: a tilt series as recorded to clean images, one per tilt."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QGroupBox, QPushButton, QVBoxLayout

from napari_tomo4d.data import is_series, times_of
from napari_tomo4d.gui.canvas.layers import caption
from napari_tomo4d.gui.canvas.place import tilt_shown, time_shown
from napari_tomo4d.gui.panels.base import Panel
from napari_tomo4d.gui.panels.clean.calibration_box import CalibrationBox
from napari_tomo4d.gui.panels.clean.calibration_dialogs import MapDialog
from napari_tomo4d.gui.panels.clean.model import (
    ALIGN_FRAMES,
    AVERAGE,
    DOSE,
    DRIFT,
    MAP,
    OUTLIERS,
    PIXEL_SIZE,
    Chosen,
    CleanModel,
    Tried,
    describe,
    key_numbers,
    offered_steps,
    reasons_against,
)
from napari_tomo4d.gui.panels.clean.step_row import StepRow
from napari_tomo4d.gui.panels.dose import dose_in_words
from napari_tomo4d.gui.widgets.before_after import BeforeAfter
from napari_tomo4d.gui.widgets.dose_box import DoseBox
from napari_tomo4d.gui.widgets.messages import messages_of
from napari_tomo4d.gui.widgets.plots import ImageBox
from napari_tomo4d.gui.widgets.run_bar import RunBar, format_seconds
from napari_tomo4d.gui.work.live_preview import LivePreview
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.pipeline import run_steps
from napari_tomo4d.progress import Progress

if TYPE_CHECKING:
    import napari


class CleanPanel(Panel):
    """Tick what is to be done to the images, see it on one tilt, then do it to all."""

    title = "Clean"
    sentence = (
        "Takes drift, distortion, wrong pixels and background out of the images. Needs a tilt "
        "series as recorded; its frames are best kept when loading."
    )

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.model = CleanModel()
        self._filling = False
        self._drift_was_on = False
        self.live = LivePreview(self)
        self.live.due.connect(self._preview)
        self.live.finished.connect(self._show_preview)
        self.live.failed.connect(lambda text: self.view.say(text))
        self.build_series_input(self._input_changed)
        self._build_rows()
        self._build_boxes()
        names = tuple(name for row in self.rows.values() for name in row.names)
        self.refill_steps = (*names, PIXEL_SIZE, DOSE)
        self.build_recipe_buttons()
        self.body.addStretch()
        self.view = BeforeAfter("Before and after are shown here, for the tilt you look at.")
        self.foot.addWidget(self.view)
        self.run_bar = RunBar("Clean")
        self.run_bar.clicked.connect(self._run)
        runner = self.run_bar.runner
        runner.finished.connect(self._finished)
        # what was changed meanwhile is seen by now
        for ended in (runner.finished, runner.cancelled, runner.failed):
            ended.connect(self.live.request)
        self.foot.addWidget(self.run_bar)
        self._input_changed()

    # -- building --------------------------------------------------------------------------

    def _build_rows(self) -> None:
        self.steps_box = QGroupBox("Steps, done in this order")
        layout = QVBoxLayout(self.steps_box)
        layout.setSpacing(2)
        self.rows: dict[str, StepRow] = {}
        for number, steps in enumerate(offered_steps(), 1):
            row = StepRow(number, steps)
            self.rows[steps[0].name] = row
            row.changed.connect(self._changed)
            layout.addWidget(row)
        for name in (DRIFT, OUTLIERS, AVERAGE):
            self.rows[name].set_wanted(True)
        self.measure_button = QPushButton("Measure...")
        self.measure_button.setToolTip(
            "Measures a map from two scans at a right angle, or from the image of a lattice."
        )
        self.map_dialog = MapDialog(self.session, self)
        self.measure_button.clicked.connect(self.map_dialog.show)
        self.map_dialog.saved.connect(self._use_map)
        self.rows[MAP].add(self.measure_button)
        self.body.addWidget(self.steps_box)

    def _build_boxes(self) -> None:
        self.calibration, self.dose = CalibrationBox(self.session), DoseBox()
        for box in (self.calibration, self.dose):
            box.changed.connect(self._changed)
            self.body.addWidget(box)

    # -- state -----------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether something runs, or the preview is not up to date yet."""
        return self.run_bar.runner.running or self.live.busy

    @property
    def image(self) -> ImageBox:
        """What the live preview is shown in."""
        return self.view.after

    def _input_changed(self) -> None:
        if self.model.set_item(self.picker.item):
            self.live.drop()
            self.view.reset()
            self.input_changed()
        item = self.model.item
        self.hint.setText(describe(item))
        for part in (self.calibration, self.dose, self.view):
            part.setEnabled(item is not None)
            part.setToolTip("" if item is not None else self.hint.text())
        self.calibration.set_known(None if item is None else times_of(item)[0].pixel_size_nm)
        self._changed()

    def _changed(self, *_: object) -> None:
        if self._filling:
            return
        self._filling = True
        self._block_rows()
        self._filling = False
        item = self.model.item
        first = None if item is None else times_of(item)[0]
        words = dose_in_words(first, self.calibration.pixel_size_nm, self.dose.given)
        self.dose.show_text(words)
        self.run_bar.set_blocked(self._problem())
        if item is not None:
            self.live.request()

    def _block_rows(self) -> None:
        averaging, drift = self.rows[AVERAGE], self.rows[DRIFT]
        # twice: whether frames are joined depends on what is allowed
        for _ in range(2):
            joined = averaging.is_on and averaging.form.step.name != ALIGN_FRAMES
            reasons = reasons_against(self.model.item, joined, averaging.number)
            for row in self.rows.values():
                row.set_blocked(next((reasons[n] for n in row.names if n in reasons), ""))
        if drift.is_on != self._drift_was_on:
            # frames that lie on each other already would only be blurred by another shift
            averaging.forms[0].set_values({"register": not drift.is_on})
            self._drift_was_on = drift.is_on

    def _problem(self) -> str:
        if self.model.item is None:
            return self.hint.text()
        problems = [row.problem for row in self.rows.values()]
        problems.append(self.calibration.problem)
        if self.dose.given and self.calibration.pixel_size_nm is None:
            problems.append("The dose needs a pixel size: set it under Calibration.")
        found = next((p for p in problems if p), "")
        return found or ("" if self.steps() else "Tick at least one step.")

    def steps(self) -> list[Chosen]:
        """Return what is ticked, in the order in which it is done."""
        # first, as the dose counts every frame that was recorded
        steps = self.calibration.steps()
        if self.dose.given:
            steps.append((DOSE, self.dose.given))
        for row in self.rows.values():
            steps += row.steps()
        return steps

    def _use_map(self, path: str) -> None:
        self.model.forget()
        self.rows[MAP].forms[0].set_values({"path": path})
        self._changed()

    # -- preview ---------------------------------------------------------------------------

    def came_to_front(self) -> None:
        """Show the tilt that is looked at by now."""
        self.slider_moved()

    def slider_moved(self, _event: object = None) -> None:
        """Show another tilt."""
        if self.picker.item is not None:
            self.live.request()

    def _preview(self) -> None:
        if self.model.item is None or self.run_bar.runner.running:
            return
        if any(row.problem for row in self.rows.values()):
            self.live.drop()
            self.view.say(self._problem())
            return
        layer = self.picker.layer
        place = time_shown(self.viewer, layer), tilt_shown(self.viewer, layer)
        self.live.start(self.model.attempt(place, self.steps()))

    def _show_preview(self, tried: Tried, _seconds: float) -> None:
        if not self.model.take(tried):
            return
        several = is_series(tried.item)
        said = caption(tried.item, tried.place if several else tried.place[1:])
        title = said[:1].upper() + said[1:]
        self.view.show_pair(tried.before, tried.after, title, tried.numbers)
        notes = [f"Error: {tried.error}"] if tried.error else []
        if tried.done:
            notes += messages_of(tried.done[-1][1], len(tried.done), warnings_only=True)
        for name in tried.left_out:
            number = self.rows[name].number
            notes.append(f"Step {number} is left out here: it compares all tilts.")
        self.view.say("\n".join(notes))

    # -- run -------------------------------------------------------------------------------

    def _run(self) -> None:
        item, layer, steps = self.model.item, self.picker.layer, self.steps()
        assert item is not None, "the button is disabled without a series"
        assert layer is not None
        name = f"{layer.name.removesuffix(' clean')} clean"
        self.live.drop()

        def clean(progress: Progress) -> object:
            result = dataclasses.replace(run_steps(item, steps, progress), name=name)
            numbers = key_numbers(times_of(result), [step for step, _ in steps])
            return result, numbers, messages_of(result, len(steps))

        self.run_bar.start(clean)

    def _finished(self, result: Any, seconds: float) -> None:
        item, numbers, notes = result
        # if the result is not good enough, the same series is cleaned again
        self.picker.follows_new = False
        layer = self.add_result(item)
        self.picker.follows_new = True
        text = f"“{layer.name}” in {format_seconds(seconds)}. {numbers} Next: Denoise, Reconstruct."
        self.run_bar.say(text, notes)

    def refill(self, done: dict[str, Parameters]) -> str:
        """Fill in the steps and their parameters; returns why it could not."""
        if not set(self.refill_steps) & set(done):
            return "The selected layer was not cleaned here: none of these steps made it."
        self._filling = True
        for part in (*self.rows.values(), self.calibration):
            part.set_steps(done)
        self.dose.set_given(done.get(DOSE))
        self._drift_was_on = self.rows[DRIFT].is_on
        self._filling = False
        self._changed()
        return ""
