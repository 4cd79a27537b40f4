"""The panel *Denoise*: tune on frames, look at what tuning tried, apply to a whole series."""

from __future__ import annotations

from typing import Any

import napari
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
)

from napari_tomo4d.data import TiltSeries, TimeSeries
from napari_tomo4d.denoise import KINDS, CountingNoise, Diagnosis, NoiseModel
from napari_tomo4d.errors import Tomo4DError
from napari_tomo4d.gui.canvas.layer_picker import LayerPicker
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.canvas.place import tilt_shown, time_shown
from napari_tomo4d.gui.panels.base import Panel
from napari_tomo4d.gui.panels.denoise.tuning_view import TuningView
from napari_tomo4d.gui.widgets.before_after import BeforeAfter
from napari_tomo4d.gui.widgets.form import ParameterForm
from napari_tomo4d.gui.widgets.messages import NO_SERIES
from napari_tomo4d.gui.widgets.number_box import count_box
from napari_tomo4d.gui.widgets.run_bar import RunBar, format_seconds
from napari_tomo4d.gui.work.live_preview import LivePreview
from napari_tomo4d.gui.work.runner import Runner
from napari_tomo4d.pipeline import STEPS, run_step, run_steps
from napari_tomo4d.pipeline.tuning import (
    Tuned,
    around_middle,
    measure_on_frames,
    tune_blindly,
    tune_on_frames,
)
from napari_tomo4d.progress import Progress

_STEP = "denoise.denoise_series"
_AVERAGE = "preprocess.average_frames"


class DenoisePanel(Panel):
    """Measure noise, tune against other frames, see every result, apply to all images."""

    title = "Denoise"
    sentence = (
        "Removes noise from tilt images. Tune it on tilts with several frames; without frames it "
        "is tuned blindly."
    )
    refill_steps = (_STEP,)

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.measured: NoiseModel | None = None
        self._layers: tuple[Any, Any] | None = None
        self._view_dock: Any = None
        self._filling = False
        self.view = TuningView()
        self.view.chosen.connect(self._cell_chosen)
        self.build_series_input(self._input_changed)
        self._build_tuning()
        self._build_form()
        self._build_foot()
        self._cell_runner = Runner(self)
        self._cell_runner.finished.connect(self._cell_ready)
        self._cell_runner.failed.connect(self.run_bar.say)
        self._preview = LivePreview(self)
        self._preview.due.connect(self._start_preview)
        self._preview.finished.connect(self._show_preview)
        self._preview.failed.connect(self.pair.say)
        self._input_changed()

    # -- building --------------------------------------------------------------------------

    def _build_tuning(self) -> None:
        self.tuning_box = QGroupBox("Tune")
        form = QFormLayout(self.tuning_box)
        self.frames = LayerPicker(self.session, TiltSeries)
        self.frames.setToolTip(
            "Where noise is measured and tuned: a series with several frames per tilt; the first "
            "frame of a tilt is compared with the mean of its others."
        )
        self.frames.picked.connect(self._frames_changed)
        self.tilts = count_box(2, 1, 20, tip="Number of tilts that scores are averaged over.")
        self.measure_button = QPushButton("Measure")
        self.tune_button = QPushButton("Tune")
        self.tune_button.setToolTip(
            "Tries noise types and strengths, shows all scores, fills in the best below."
        )
        self.save_noise_button = QPushButton("Save noise")
        self.measure_button.clicked.connect(self._measure)
        self.tune_button.clicked.connect(self._tune)
        self.save_noise_button.clicked.connect(self._save_noise)
        row = QHBoxLayout()
        for button in (self.measure_button, self.tune_button, self.save_noise_button):
            row.addWidget(button)
        self.tuning_hint = QLabel()
        self.tuning_hint.setWordWrap(True)
        form.addRow("Frames", self.frames)
        form.addRow("Tilts to tune on", self.tilts)
        form.addRow(row)
        form.addRow(self.tuning_hint)
        self.body.addWidget(self.tuning_box)

    def _build_form(self) -> None:
        self.form_box = QGroupBox("Denoise")
        layout = QFormLayout(self.form_box)
        self.form = ParameterForm(STEPS[_STEP])
        self.form.changed.connect(self._changed)
        layout.addRow(self.form)
        self.licence = QLabel(
            "The packages bm3d and bm4d (Tampere University) are free for non-commercial use only."
        )
        self.licence.setWordWrap(True)
        self.licence.setStyleSheet("color: #ffb74d")
        layout.addRow(self.licence)
        self.body.addWidget(self.form_box)
        self.toggle_button = QPushButton("Before / after")
        self.toggle_button.setToolTip("Shows the images before and after denoising in turn.")
        self.toggle_button.clicked.connect(self.toggle)
        self.toggle_button.setEnabled(False)
        self.body.addWidget(self.toggle_button)
        self.build_recipe_buttons()
        self.body.addStretch()

    def _build_foot(self) -> None:
        self.pair = BeforeAfter("The tilt the slider is at is shown here, before and after.")
        self.foot.addWidget(self.pair)
        self.run_bar = RunBar("Denoise")
        self.run_bar.clicked.connect(self._run)
        self.run_bar.runner.finished.connect(self._finished)
        self.foot.addWidget(self.run_bar)

    # -- state -----------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether something runs, or the preview is not up to date yet."""
        runners = (self.run_bar.runner, self._cell_runner)
        return any(r.running for r in runners) or self._preview.busy

    def _first_of(self, item: Any) -> Any:
        return item[0] if isinstance(item, TimeSeries) else item

    def _input_changed(self) -> None:
        series = self._first_of(self.picker.item)
        if series is None:
            text = NO_SERIES
        else:
            n_y, n_x = series.image_shape
            text = f"{len(series)} tilts of {n_y} x {n_x} px"
            if isinstance(self.picker.item, TimeSeries):
                text += f", {len(self.picker.item)} time points"
            if max(series.frames_per_tilt) > 1:
                text += "; frames are registered and averaged first"
        self.hint.setText(text)
        for box in (self.form_box, self.tuning_box):
            box.setEnabled(series is not None)
        self._prefer_frames()
        self._frames_changed()
        self._changed()

    def _prefer_frames(self) -> None:
        """Choose a layer that has frames to tune on, if there is one."""
        framed = [
            layer
            for layer in self.session.layers(TiltSeries)
            if max(self._first_of(item_of(layer)).frames_per_tilt) > 1
        ]
        if framed and self.frames.layer not in framed:
            self.frames.choose(framed[0])

    def _frames_changed(self) -> None:
        series = self._first_of(self.frames.item)
        most = 1 if series is None else max(series.frames_per_tilt)
        self.measure_button.setEnabled(most > 1)
        self.measure_button.setToolTip(
            "Shows how noise depends on frequency, and what fits it."
            if most > 1
            else "Needs several frames per tilt: load the series without averaging."
        )
        self.tilts.setEnabled(most > 1)
        if series is None:
            text = ""
        elif most > 1:
            text = f"Up to {most} frames per tilt: the first is denoised, the others are reference."
        else:
            text = "One frame per tilt, so Tune is blind: it picks a strength for the noise below."
        self.tuning_hint.setText(text)
        self._update_noise_button()

    def _update_noise_button(self) -> None:
        self.save_noise_button.setEnabled(self.measured is not None)
        self.save_noise_button.setToolTip(
            "Saves the measured spectrum, and uses it below."
            if self.measured is not None
            else "Measure the noise or tune first."
        )

    def _changed(self, *_: Any) -> None:
        values = self.form.values()
        self.licence.setVisible(values["method"] in ("bm3d", "bm4d"))
        problem = ""
        if self.picker.item is None:
            problem = self.hint.text()
        elif values["noise"] == "measured" and not values["path"]:
            problem = "Measured noise needs the file of its spectrum: press Save noise."
        self.run_bar.set_blocked(problem)
        if self.picker.item is not None and not self._filling:
            if problem:
                self.pair.say(problem)
            else:
                self._preview.request()

    def _position(self, layer: Any) -> tuple[int, int]:
        """Return the time and the tilt that is looked at."""
        return time_shown(self.viewer, layer), tilt_shown(self.viewer, layer)

    def came_to_front(self) -> None:
        """Show the tilt that is looked at by now."""
        self.slider_moved()

    def slider_moved(self, _event: Any = None) -> None:
        """Show another tilt."""
        if self.picker.item is not None:
            self._changed()

    # -- preview ---------------------------------------------------------------------------

    def _start_preview(self) -> None:
        item, layer = self.picker.item, self.picker.layer
        if item is None or self.run_bar.runner.running:
            return
        time, tilt = self._position(layer)
        series = item[time] if isinstance(item, TimeSeries) else item
        parameters = self.form.values()
        if parameters["method"] == "bm4d":
            self.pair.say("BM4D works on all tilts together, so there is no preview of one.")
            return

        def preview(progress: Progress) -> Any:
            one = around_middle(series, tilt)
            if max(one.frames_per_tilt) > 1:
                one = run_step(_AVERAGE, one, {}, progress)
            done = run_step(_STEP, one, parameters, progress)
            sigma = done.metadata["noise_sigma"][0]
            return one.image(0), done.image(0), series.angles_deg[tilt], sigma

        self._preview.start(preview)

    def _show_preview(self, result: Any, _seconds: float) -> None:
        before, after, angle, sigma = result
        self.pair.show_pair(before, after, f"tilt {angle:+.1f}°", f"Noise sigma {sigma:.4g}.")
        self.pair.say("")

    # -- tuning ----------------------------------------------------------------------------

    def _frames_series(self) -> TiltSeries:
        item: Any = self.frames.item
        if isinstance(item, TimeSeries):
            return item[self._position(self.frames.layer)[0]]
        return item

    def _measure(self) -> None:
        series = self._frames_series()

        values = self.form.values()
        counting = _counting(values)

        def measure(progress: Progress) -> Any:
            return measure_on_frames(series, 1, counting, progress)[1:]

        self.show_view()
        self.run_bar.start(measure)

    def _tune(self) -> None:
        series, values = self._frames_series(), self.form.values()
        method = values["method"] if values["method"] in ("bm3d", "fast bm3d") else "fast bm3d"
        options = (values["profile"], method, self.tilts.value())
        counting = _counting(values)
        self.show_view()
        if max(series.frames_per_tilt) < 2:
            index = self._position(self.frames.layer)[1]
            kind, measured = values["noise"], self.measured
            if kind == "measured" and measured is None:
                self.run_bar.say("Measured noise needs a spectrum: choose another noise to tune.")
                return
            self.run_bar.start(
                lambda progress: tune_blindly(
                    series.image(index), kind, measured, counting, options, progress
                )
            )
        else:
            self.run_bar.start(lambda progress: tune_on_frames(series, counting, options, progress))

    def _show_tuned(self, tuned: Tuned) -> None:
        self.measured = tuned.measured or self.measured
        if tuned.diagnosis is not None:
            self.view.show_diagnosis(tuned.diagnosis)
        if tuned.tuning is None:
            self.view.show_blind(tuned.image, tuned.result)
        else:
            kinds = [*KINDS, *(["measured"] if tuned.measured is not None else [])]
            self.view.show_tuned(tuned.tuning, tuned.result, kinds)
        self._use(tuned.result.best, tuned.result.profile)
        self._update_noise_button()
        best = tuned.result.best
        text = f"Best of {tuned.result.evaluations} tried: {best.kind}, sigma {best.sigma:.4g}."
        if tuned.result.blind:
            text = f"{tuned.result.explanation} The noise type itself can't be tuned blindly."
        elif best.kind == "measured":
            text += " Press Save noise to use the measured spectrum."
        self.run_bar.say(text)

    def _use(self, best: NoiseModel, profile: str) -> None:
        """Fill noise type, strength and profile into the form."""
        values = {"noise": best.kind, "sigma": float(f"{best.sigma:.4g}"), "profile": profile}
        self._filling = True
        self.form.set_values(values)
        self._filling = False
        self._changed()

    def _save_noise(self) -> None:
        if self.measured is None:
            return
        path, _ = QFileDialog.getSaveFileName(self, "Save noise", "noise.npz", "Noise (*.npz)")
        if not path:
            return
        try:
            self.measured.save(path)
        except Tomo4DError as error:
            self.run_bar.say(f"Error: {error}")
            return
        self.form.set_values({"noise": "measured", "path": path})
        self._changed()
        self.run_bar.say("Saved, and chosen below.")

    def _cell_chosen(self, kind: str, strength: float) -> None:
        tuning, result = self.view.tuning, self.view.result
        if tuning is None or result is None or self.run_bar.runner.running:
            return
        self.view.text.setText(f"Denoising with {kind}, strength {strength:.3g}...")

        def evaluate(progress: Progress) -> Any:
            progress.check()
            tuning.evaluate(kind, strength, result.profile)
            image = tuning.denoised(kind, strength, result.profile)
            return kind, strength, image, tuning.model(kind, strength)

        self._cell_runner.start(evaluate)

    def _cell_ready(self, found: Any, _seconds: float) -> None:
        kind, strength, image, model = found
        self.view.show_cell(kind, strength, image)
        assert self.view.result is not None
        self._use(model, self.view.result.profile)

    def show_view(self) -> None:
        """Dock the tuning view below the canvas, or show it again."""
        if self._view_dock is None:
            self._view_dock = self.dock_below(self.view, "Tuning")
        self._view_dock.show()
        self._view_dock.raise_()

    # -- run -------------------------------------------------------------------------------

    def _run(self) -> None:
        item = self.picker.item
        self._preview.drop()
        steps: list[tuple[str, dict[str, Any]]] = [(_STEP, self.form.values())]
        series = self._first_of(item)
        if series is not None and max(series.frames_per_tilt) > 1:
            steps.insert(0, (_AVERAGE, {}))
        before = self.picker.layer
        self.run_bar.start(lambda progress: (before, run_steps(item, steps, progress)))

    def _finished(self, result: Any, seconds: float) -> None:
        if isinstance(result, Tuned):
            self._show_tuned(result)
        elif isinstance(result[1], Diagnosis):
            self.measured = result[0]
            self.view.show_diagnosis(result[1])
            self._update_noise_button()
            self.run_bar.say(result[1].advice)
        else:
            self._show_result(result[0], result[1], seconds)

    def _show_result(self, before: Any, item: Any, seconds: float) -> None:
        framed = self.frames.layer
        layer = self.add_result(item, f"{before.name} denoised")
        # nobody denoises twice
        self.picker.choose(before)
        self.frames.choose(framed)
        self._layers = (before, layer)
        self.toggle_button.setEnabled(True)
        made = item.provenance
        notes = [*made.notes, *(f"Note: {w}" for w in made.warnings)] if made else []
        self.run_bar.say("\n".join([f"“{layer.name}” in {format_seconds(seconds)}.", *notes]))
        self._changed()

    def toggle(self) -> None:
        """Show the images before and after denoising in turn, at the same place."""
        if self._layers is None or any(x not in self.viewer.layers for x in self._layers):
            self.run_bar.say("The layers before and after are not both there any more.")
            return
        before, after = self._layers
        show_before = after.visible
        before.visible, after.visible = show_before, not show_before
        after.contrast_limits = before.contrast_limits
        self.viewer.layers.selection.active = before if show_before else after

    def refill(self, done: dict[str, dict[str, Any]]) -> str:
        """Fill the form with parameters of steps, by name; returns why it could not."""
        if _STEP not in done:
            return "The selected layer was not made by this panel."
        self.form.set_values(done[_STEP])
        self._changed()
        return ""


def _counting(values: dict[str, Any]) -> CountingNoise | None:
    """Return the counting noise that a form describes."""
    if not values["counts"]:
        return None
    return CountingNoise(values["gain"], values["offset"], values["read_noise"])
