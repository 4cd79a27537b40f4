"""The panel *Denoise*: tune on frames, look at what tuning tried, apply to a whole series."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QDockWidget, QGroupBox, QLabel, QPushButton, QVBoxLayout

from napari_tomo4d.data import AnyData, TiltSeries
from napari_tomo4d.denoise import NoiseModel
from napari_tomo4d.denoise.noise_model import kind_in_words
from napari_tomo4d.errors import Tomo4DError
from napari_tomo4d.gui.canvas.layer_picker import LayerPicker
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.canvas.place import tilt_shown, time_shown
from napari_tomo4d.gui.panels.base import Panel
from napari_tomo4d.gui.panels.denoise.model import (
    DENOISE,
    PACKAGES,
    DenoiseModel,
    Measured,
    OneTilt,
    Tried,
    has_frames,
)
from napari_tomo4d.gui.panels.denoise.tuning_box import TuningBox
from napari_tomo4d.gui.panels.denoise.tuning_view import TuningView
from napari_tomo4d.gui.widgets.before_after import BeforeAfter
from napari_tomo4d.gui.widgets.form import ParameterForm
from napari_tomo4d.gui.widgets.messages import messages_of
from napari_tomo4d.gui.widgets.plots import ImageBox
from napari_tomo4d.gui.widgets.run_bar import RunBar, format_seconds
from napari_tomo4d.gui.widgets.save_dialog import ask_where
from napari_tomo4d.gui.work.live_preview import LivePreview
from napari_tomo4d.gui.work.runner import Runner
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.pipeline import STEPS, run_steps
from napari_tomo4d.pipeline.tuning import Tuned
from napari_tomo4d.progress import Progress

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer


class DenoisePanel(Panel):
    """Measure noise, tune against other frames, see every result, apply to all images."""

    title = "Denoise"
    sentence = (
        "Removes noise from tilt images. Tune it on tilts with several frames; without frames it "
        "is tuned blindly."
    )
    refill_steps = (DENOISE,)

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.model = DenoiseModel()
        self._layers: tuple[Layer, Layer] | None = None
        self._view_dock: QDockWidget | None = None
        self._filling = False
        self.view = TuningView()
        self.view.chosen.connect(self._cell_chosen)
        self.build_series_input(self._input_changed)
        self._build_tuning()
        self._build_form()
        self.pair = BeforeAfter("The tilt the slider is at is shown here, before and after.")
        self.foot.addWidget(self.pair)
        self.run_bar = RunBar("Denoise")
        self.run_bar.clicked.connect(self._run)
        runner = self.run_bar.runner
        runner.finished.connect(self._finished)
        # what was changed meanwhile is seen by now
        for ended in (runner.finished, runner.cancelled, runner.failed):
            ended.connect(self._changed)
        self.foot.addWidget(self.run_bar)
        self.cell_runner = Runner(self)
        self.cell_runner.finished.connect(self._cell_ready)
        self.cell_runner.failed.connect(self.run_bar.say)
        self.live = LivePreview(self)
        self.live.due.connect(self._preview)
        self.live.finished.connect(self._show_preview)
        self.live.failed.connect(self.pair.say)
        self._input_changed()

    # -- building --------------------------------------------------------------------------

    def _build_tuning(self) -> None:
        self.frames = LayerPicker(self.session, TiltSeries)
        self.frames.setToolTip(
            "Where noise is measured and tuned: a series with several frames per tilt; the first "
            "frame of a tilt is compared with the mean of its others."
        )
        # what was tuned on it is kept when a result appears
        self.frames.follows_new = False
        self.frames.picked.connect(self._frames_changed)
        self.tuning_box = TuningBox(self.frames)
        self.tuning_box.measure_wanted.connect(self._measure)
        self.tuning_box.tune_wanted.connect(self._tune)
        self.tuning_box.save_wanted.connect(self._save_noise)
        self.body.addWidget(self.tuning_box)

    def _build_form(self) -> None:
        self.form_box = QGroupBox("Denoise")
        layout = QVBoxLayout(self.form_box)
        self.form = ParameterForm(STEPS[DENOISE])
        self.form.changed.connect(self._changed)
        self.licence = QLabel(
            "The packages bm3d and bm4d (Tampere University) are free for non-commercial use only."
        )
        self.licence.setWordWrap(True)
        for widget in (self.form, self.licence):
            layout.addWidget(widget)
        self.body.addWidget(self.form_box)
        self.toggle_button = QPushButton("Before / after")
        self.toggle_button.setToolTip("Press Denoise first.")
        self.toggle_button.clicked.connect(self.toggle)
        self.toggle_button.setEnabled(False)
        self.body.addWidget(self.toggle_button)
        self.build_recipe_buttons()
        self.body.addStretch()

    # -- state -----------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether something runs, or the preview is not up to date yet."""
        return self.run_bar.runner.running or self.cell_runner.running or self.live.busy

    @property
    def image(self) -> ImageBox:
        """What the live preview is shown in."""
        return self.pair.after

    def _input_changed(self) -> None:
        if self.model.set_item(self.picker.item):
            self.live.drop()
            self.pair.reset()
            self.input_changed()
        self.hint.setText(self.model.describe())
        for box in (self.form_box, self.tuning_box):
            box.setEnabled(self.model.item is not None)
        self._prefer_frames()
        self._frames_changed()
        self._changed()

    def _prefer_frames(self) -> None:
        """Choose a layer that has frames to tune on, if there is one."""
        # it may hear of a new layer after this panel does
        self.frames.refresh()
        if has_frames(self.model.item):
            self.frames.choose(self.picker.layer)
        elif not has_frames(self.frames.item):
            framed = [x for x in self.session.layers(TiltSeries) if has_frames(item_of(x))]
            for layer in framed[:1]:
                self.frames.choose(layer)

    def _frames_changed(self) -> None:
        if self.model.set_framed(self.frames.item):
            self.cell_runner.drop()
            self.view.reset()
        self._show_tuning_state()

    def _show_tuning_state(self) -> None:
        model = self.model
        self.tuning_box.show_state(
            model.tuning_hint(), has_frames(model.framed), model.measured is not None
        )

    def _changed(self, *_: object) -> None:
        values = self.form.values()
        self.licence.setVisible(values["method"] in PACKAGES)
        problem = self.model.problem(values)
        self.run_bar.set_blocked(problem)
        if self.model.item is not None and not self._filling:
            if problem:
                self.pair.say(problem)
            else:
                self.live.request()

    def _place(self, layer: Layer) -> tuple[int, int]:
        """Return the time and the tilt that is looked at."""
        return time_shown(self.viewer, layer), tilt_shown(self.viewer, layer)

    def came_to_front(self) -> None:
        """Show the tilt that is looked at by now, and what was found about noise."""
        self.slider_moved()
        if self.model.measured is not None or self.model.tuned is not None:
            self.show_view()

    def went_behind(self) -> None:
        """Take the tuning view away."""
        if self._view_dock is not None:
            self._view_dock.hide()

    def slider_moved(self, _event: object = None) -> None:
        """Show another tilt."""
        if self.picker.item is not None:
            self._changed()

    # -- preview ---------------------------------------------------------------------------

    def _preview(self) -> None:
        if self.model.item is None or self.run_bar.runner.running:
            return
        try:
            look = self.model.look(*self._place(self.picker.layer), self.form.values())
        except Tomo4DError as error:
            self.pair.say(str(error))
            return
        self.live.start(look)

    def _show_preview(self, found: OneTilt, _seconds: float) -> None:
        if found.item is self.model.item:
            self.pair.show_pair(found.before, found.after, found.title, found.numbers)
            self.pair.say("")

    # -- tuning ----------------------------------------------------------------------------

    def _measure(self) -> None:
        time, _ = self._place(self.frames.layer)
        self._start(self.model.measure(time, self.form.values()))

    def _tune(self) -> None:
        tilts = self.tuning_box.tilts.value()
        try:
            tune = self.model.tune(*self._place(self.frames.layer), tilts, self.form.values())
        except Tomo4DError as error:
            self.run_bar.say(str(error))
            return
        self._start(tune)

    def _start(self, work: Callable[[Progress], object]) -> None:
        framed = self.model.framed
        self.show_view()
        self.run_bar.start(lambda progress: (framed, work(progress)))

    def _show_measured(self, measured: Measured) -> None:
        self.model.take(measured)
        self.view.show_diagnosis(measured.diagnosis)
        self.run_bar.say(measured.diagnosis.advice)
        self._show_tuning_state()

    def _show_tuned(self, tuned: Tuned) -> None:
        self.model.take(tuned)
        self.view.show_tuned(tuned)
        # methods that take long are tuned with a quick one; the choice stays the person's
        self._fill({k: v for k, v in tuned.parameters.items() if k != "method"})
        self._show_tuning_state()
        self.run_bar.say(self.model.words())

    def _fill(self, values: Parameters) -> None:
        """Fill values into the form, with one preview for all of them."""
        self._filling = True
        self.form.set_values(values)
        self._filling = False
        self._changed()

    def _save_noise(self) -> None:
        noise = self.model.measured
        if noise is None:
            return
        path = ask_where(self, "Save noise", "noise", "Noise", ".npz")
        if not path:
            return
        try:
            noise.save(path)
        except Tomo4DError as error:
            self.run_bar.say(f"Error: {error}")
            return
        self._fill({"noise": "measured", "path": path})
        self.run_bar.say("Saved, and chosen below.")

    def _cell_chosen(self, kind: str, strength: float) -> None:
        evaluate = self.model.evaluate((kind, strength))
        if evaluate is not None and not self.run_bar.runner.running:
            words = kind_in_words(kind)
            self.view.text.setText(f"Denoising for {words} noise, strength {strength:.3g}...")
            self.cell_runner.start(evaluate)

    def _cell_ready(self, tried: Tried, _seconds: float) -> None:
        if self.model.take(tried):
            self.view.show_cell(tried.tuned, *tried.cell, tried.image)
            self._use(tried.noise)

    def _use(self, noise: NoiseModel) -> None:
        self._fill({"noise": noise.kind, "sigma": float(f"{noise.sigma:.4g}")})

    def show_view(self) -> None:
        """Dock the tuning view below the canvas, or show it again."""
        if self._view_dock is None:
            # first, so that the window need not grow
            self._view_shown(True)
            self._view_dock = self.dock_below(self.view, "Tuning")
            self._view_dock.visibilityChanged.connect(self._view_shown)
        self._view_dock.show()
        self._view_dock.raise_()

    def _view_shown(self, shown: bool) -> None:
        # less height is left beside it
        self.pair.set_image_height(110 if shown else 190)

    # -- run -------------------------------------------------------------------------------

    def _run(self) -> None:
        item, before = self.model.item, self.picker.layer
        assert item is not None, "the button is disabled without a series"
        steps = self.model.steps(self.form.values())
        self.live.drop()
        self.run_bar.start(lambda progress: (before, run_steps(item, steps, progress)))

    def _finished(self, result: Any, seconds: float) -> None:
        source, found = result
        if not isinstance(found, (Measured, Tuned)):
            self._show_result(source, found, seconds)
        elif source is not self.model.framed:
            self.run_bar.say("Another series was chosen meanwhile; measure or tune again.")
        elif isinstance(found, Measured):
            self._show_measured(found)
        else:
            self._show_tuned(found)

    def _show_result(self, before: Layer, item: AnyData, seconds: float) -> None:
        # nobody denoises twice
        self.picker.follows_new = False
        layer = self.add_result(item, f"{before.name} denoised")
        self.picker.follows_new = True
        self._layers = (before, layer)
        self.toggle_button.setEnabled(True)
        self.toggle_button.setToolTip("Shows the images before and after denoising in turn.")
        said = f"“{layer.name}” in {format_seconds(seconds)}. Next: Align, Reconstruct."
        self.run_bar.say(said, messages_of(item))

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

    def refill(self, done: dict[str, Parameters]) -> str:
        """Fill the form with parameters of steps, by name; returns why it could not."""
        if DENOISE not in done:
            return "The selected layer was not made by this panel."
        self._fill(done[DENOISE])
        return ""
