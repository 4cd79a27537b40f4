"""The panel *Clean*: a tilt series as recorded to clean images, one per tilt."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import napari
from qtpy.QtWidgets import (
    QGroupBox,
    QPushButton,
    QVBoxLayout,
)

from napari_tomo4d.data import TiltSeries, TimeSeries
from napari_tomo4d.gui.canvas.layers import caption
from napari_tomo4d.gui.canvas.place import tilt_shown, time_shown
from napari_tomo4d.gui.panels.base import Panel
from napari_tomo4d.gui.panels.clean.calibration_and_dose_boxes import CalibrationBox, DoseBox
from napari_tomo4d.gui.panels.clean.calibration_dialogs import MapDialog
from napari_tomo4d.gui.panels.clean.step_row import StepRow
from napari_tomo4d.gui.panels.clean.summary import (
    AVERAGE,
    BACKGROUND,
    BRIGHTNESS,
    DRIFT,
    MAP,
    OUTLIERS,
    SELECT,
    Done,
    Steps,
    describe,
    key_numbers,
    one_tilt,
    run_on,
    said_by,
    times_of,
)
from napari_tomo4d.gui.widgets.before_after import BeforeAfter
from napari_tomo4d.gui.widgets.plots import ImageBox
from napari_tomo4d.gui.widgets.run_bar import RunBar, format_seconds
from napari_tomo4d.gui.work.live_preview import LivePreview
from napari_tomo4d.pipeline import run_steps
from napari_tomo4d.progress import Progress

_ROWS: dict[str, tuple[str, ...]] = {
    # before anything interpolates, which would smear them
    "Remove outlier pixels": (OUTLIERS,),
    "Undo scan drift": (DRIFT,),
    "Correct scan distortion": (MAP,),
    "Average frames": (AVERAGE, SELECT),
    "Subtract background": (BACKGROUND,),
    "Normalise brightness": (BRIGHTNESS,),
}
"""In the order in which they are done."""

_NOTES_SHOWN = 2


class CleanPanel(Panel):
    """Tick what is to be done to the images, see it on one tilt, then do it to all."""

    title = "Clean"
    sentence = (
        "Takes drift, distortion, wrong pixels and background out of the images. Needs a tilt "
        "series as recorded; its frames are best kept when loading."
    )
    refill_steps = tuple(name for names in _ROWS.values() for name in names)

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self._filling = False
        self._drift_was_on = False
        self._done: list[Done] = []
        self._done_for: tuple[int, int] = (-1, -1)
        self.live = LivePreview(self)
        self.live.due.connect(self._preview)
        self.live.finished.connect(self._show_preview)
        self.live.failed.connect(lambda text: self.view.say(text))
        self.build_series_input(self._input_changed)
        self._build_rows()
        self._build_boxes()
        self.build_recipe_buttons()
        self.body.addStretch()
        self._build_preview()
        self.run_bar = RunBar("Clean")
        self.run_bar.clicked.connect(self._run)
        self.run_bar.runner.finished.connect(self._finished)
        self.foot.addWidget(self.run_bar)
        self._input_changed()

    # -- building --------------------------------------------------------------------------

    def _build_rows(self) -> None:
        self.steps_box = QGroupBox("Steps, done in this order")
        layout = QVBoxLayout(self.steps_box)
        layout.setSpacing(2)
        self.rows: dict[str, StepRow] = {}
        for number, (title, names) in enumerate(_ROWS.items(), 1):
            row = StepRow(number, title, *names)
            self.rows[names[0]] = row
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
        self.rows[MAP].content.layout().addWidget(self.measure_button)
        self.body.addWidget(self.steps_box)

    def _build_boxes(self) -> None:
        self.calibration, self.dose = CalibrationBox(self.session), DoseBox()
        for box in (self.calibration, self.dose):
            box.changed.connect(self._changed)
            self.body.addWidget(box)

    def _build_preview(self) -> None:
        self.view = BeforeAfter("Before and after are shown here, for the tilt you look at.")
        self.foot.addWidget(self.view)

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
        times = times_of(self.picker.item)
        self._done = []
        ready = bool(times)
        self.hint.setText(describe(times))
        for part in (self.calibration, self.dose, self.view):
            part.setEnabled(ready)
            part.setToolTip("" if ready else self.hint.text())
        self.calibration.set_known(times[0].pixel_size_nm if ready else None)
        if not ready:
            self.view.reset()
        self._changed()

    def _changed(self, *_: Any) -> None:
        if self._filling:
            return
        times = times_of(self.picker.item)
        self._filling = True
        self._block_rows(times)
        self._filling = False
        size = self.calibration.pixel_size_nm
        self.dose.show_dose(times[0] if times else None, size)
        self.run_bar.set_blocked(self._problem(times))
        if times:
            self.live.request()

    def _block_rows(self, times: Sequence[TiltSeries]) -> None:
        if not times:
            for row in self.rows.values():
                row.set_blocked(self.hint.text())
            return
        most = [max(series.frames_per_tilt) for series in times]
        framed, averaging = max(most) > 1, self.rows[AVERAGE]
        why = "These images have one frame per tilt"
        self.rows[DRIFT].set_blocked(
            ""
            if min(most) > 1
            else f"{why}; drift shows between two or more. In the Load panel, untick the average."
        )
        averaging.set_blocked("" if framed else f"{why} already.")
        many = framed and not averaging.is_on
        self.rows[MAP].set_blocked("")
        self.rows[OUTLIERS].set_blocked("")
        for name in (BACKGROUND, BRIGHTNESS):
            reason = f"Needs one image per tilt: tick step {averaging.number}." if many else ""
            self.rows[name].set_blocked(reason)
        drift_is_on = self.rows[DRIFT].is_on
        if drift_is_on != self._drift_was_on:
            # frames that lie on each other already would only be blurred by another shift
            averaging.forms[0].set_values({"register": not drift_is_on})
            self._drift_was_on = drift_is_on

    def _problem(self, times: Sequence[TiltSeries]) -> str:
        if not times:
            return self.hint.text()
        problems = [row.problem for row in self.rows.values()]
        problems += [self.calibration.problem, self.dose.problem(self.calibration.pixel_size_nm)]
        found = next((p for p in problems if p), "")
        return found or ("" if self.steps() else "Tick at least one step.")

    def steps(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what is ticked, in the order in which it is done."""
        # first, as the dose counts every frame that was recorded
        steps = [*self.calibration.steps(), *self.dose.steps()]
        for row in self.rows.values():
            steps += row.steps()
        return steps

    def _use_map(self, path: str) -> None:
        self._done = []
        self.rows[MAP].forms[0].set_values({"path": path})
        self._changed()

    # -- preview ---------------------------------------------------------------------------

    def came_to_front(self) -> None:
        """Show the tilt that is looked at by now."""
        self.slider_moved()

    def slider_moved(self, _event: Any = None) -> None:
        """Show another tilt."""
        if self.picker.item is not None:
            self.live.request()

    def _looked_at(self) -> tuple[int, int]:
        """Return the time point and the tilt that the viewer's sliders are at."""
        layer = self.picker.layer
        return time_shown(self.viewer, layer), tilt_shown(self.viewer, layer)

    def _preview(self) -> None:
        item = self.picker.item
        if item is None or self.run_bar.runner.running:
            return
        place = time, tilt = self._looked_at()
        series = times_of(item)[time]
        known = self._done if place == self._done_for else []
        skipped = {BRIGHTNESS, *(name for name, _ in self._calibration_steps())}
        steps = [s for s in self.steps() if s[0] not in skipped]
        if any(row.problem for row in self.rows.values()):
            self.live.drop()
            self.view.say(self._problem(times_of(item)))
            return
        said = caption(item, (time, tilt) if isinstance(item, TimeSeries) else (tilt,))

        def preview(progress: Progress) -> Any:
            one = one_tilt(series, tilt)
            done, error = run_on(one, steps, known, progress)
            last = done[-1][1] if done else one
            images = one.frames(0).mean(axis=0), last.frames(0).mean(axis=0)
            notes = [f"Error: {error}"] if error else []
            if done:
                notes += said_by(last, len(done), warnings_only=True)
            return place, said, images, done, key_numbers([last], [s for s, _ in done]), notes

        self.live.start(preview)

    def _calibration_steps(self) -> Steps:
        return [*self.calibration.steps(), *self.dose.steps()]

    def _show_preview(self, result: Any, _seconds: float) -> None:
        self._done_for, said, (before, after), self._done, numbers, notes = result
        numbers = numbers or "No step that changes a single image is ticked."
        self.view.show_pair(before, after, said[:1].upper() + said[1:], numbers)
        if self.rows[BRIGHTNESS].is_on:
            number = self.rows[BRIGHTNESS].number
            notes.append(f"Step {number} is left out here: it compares all tilts.")
        self.view.say("\n".join(notes))

    # -- run -------------------------------------------------------------------------------

    def _run(self) -> None:
        item, steps = self.picker.item, self.steps()
        name = f"{self.picker.layer.name.removesuffix(' clean')} clean"
        self.live.drop()

        def clean(progress: Progress) -> Any:
            result = dataclasses.replace(run_steps(item, steps, progress), name=name)
            return result, key_numbers(times_of(result), steps), said_by(result, len(steps))

        self.run_bar.start(clean)

    def _finished(self, result: Any, seconds: float) -> None:
        item, numbers, notes = result
        source = self.picker.layer
        layer = self.add_result(item)
        # who is not content with it cleans the same series again, differently
        self.picker.choose(source)
        text = f"“{layer.name}” in {format_seconds(seconds)}. {numbers} Next: Denoise, Reconstruct."
        shown = notes[:_NOTES_SHOWN]
        if len(notes) > len(shown):
            shown.append(f"... and {len(notes) - len(shown)} more; point here to read them.")
        self.run_bar.say("\n".join([text, *shown]))
        self.run_bar.status.setToolTip("\n".join(notes))

    def refill(self, done: dict[str, dict[str, Any]]) -> str:
        """Fill in the steps and their parameters; returns why it could not."""
        if not set(self.refill_steps) & set(done):
            return "The selected layer was not cleaned here: none of these steps made it."
        self._filling = True
        for part in (*self.rows.values(), self.calibration, self.dose):
            part.set_steps(done)
        self._drift_was_on = self.rows[DRIFT].is_on
        self._filling = False
        self._changed()
        return ""
