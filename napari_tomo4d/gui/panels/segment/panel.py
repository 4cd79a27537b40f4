"""The panel *Segment*: a volume to a mask of its particles, tried on the slice that is seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog, QFormLayout, QGroupBox, QLabel, QPushButton, QVBoxLayout

from napari_tomo4d.data import TimeSeries, Volume, is_series, name_of_time, times_of
from napari_tomo4d.errors import Tomo4DError
from napari_tomo4d.gui.canvas.layer_picker import LayerPicker
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.canvas.place import go_to, slice_shown, time_shown
from napari_tomo4d.gui.panels.base import Panel
from napari_tomo4d.gui.panels.segment.classifier_box import ClassifierBox
from napari_tomo4d.gui.panels.segment.histogram import Histogram
from napari_tomo4d.gui.panels.segment.mask_outline import MaskOutline
from napari_tomo4d.gui.panels.segment.model import (
    Found,
    Place,
    SegmentModel,
    make_cubic,
    make_mask,
    methods,
    settings_from,
)
from napari_tomo4d.gui.panels.segment.strokes import BACKGROUND, PARTICLE, Strokes
from napari_tomo4d.gui.panels.segment.threshold_box import ThresholdBox
from napari_tomo4d.gui.widgets.form import ParameterForm
from napari_tomo4d.gui.widgets.run_bar import RunBar, format_seconds
from napari_tomo4d.gui.widgets.save_dialog import ask_where
from napari_tomo4d.gui.work.live_preview import LivePreview
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.pipeline import STEPS
from napari_tomo4d.progress import Progress
from napari_tomo4d.segment import PixelClassifier
from napari_tomo4d.segment.preview import CLASSIFIER, CLASSIFY, CLEAN, THRESHOLD

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer

_FILTER = "Classifier (*.npz)"


class SegmentPanel(Panel):
    """Choose a threshold on the histogram and the slice, then make the mask of all slices."""

    title = "Segment"
    sentence = (
        "Separates particles from background. Needs a volume, or those of all times, with "
        "particles brighter than their surroundings."
    )
    refill_steps = (THRESHOLD, CLASSIFY)

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.model = SegmentModel()
        self.outline = MaskOutline(self.viewer)
        self.strokes = Strokes(self.viewer)
        self._stale = False
        self._made_layer: Layer | None = None
        self.live = LivePreview(self)
        self.live.due.connect(self._preview)
        self.live.previewed.connect(self._show_first_histogram)
        self.live.finished.connect(self._show_preview)
        self.live.failed.connect(self._preview_failed)
        self._build_input()
        self._build_boxes()
        self.build_recipe_buttons()
        self.body.addStretch()
        self.histogram = Histogram()
        self.histogram.moved.connect(self._line_moved)
        self.histogram.released.connect(self._settings_changed)
        self.note = QLabel()
        self.note.setWordWrap(True)
        # room for two lines from the start, so that nothing moves
        self.note.setMinimumHeight(2 * self.note.fontMetrics().lineSpacing())
        self.run_bar = RunBar("Make the mask")
        self.run_bar.clicked.connect(self._run)
        runner = self.run_bar.runner
        runner.finished.connect(self._finished)
        # what was changed meanwhile is seen by now
        for ended in (runner.finished, runner.cancelled, runner.failed):
            ended.connect(self.live.request)
        for widget in (self.histogram, self.note, self.run_bar):
            self.foot.addWidget(widget)
        self._input_changed()

    # -- building --------------------------------------------------------------------------

    def _build_input(self) -> None:
        form = QFormLayout()
        self.picker = LayerPicker(self.session, Volume)
        self.picker.picked.connect(self._input_changed)
        form.addRow("Volume", self.picker)
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.cubic_button = QPushButton("Make voxels cubic")
        self.cubic_button.setToolTip(
            "Adds the volume on a grid of the shortest edge. Not needed to measure: lengths are "
            "taken along each axis as long as it is."
        )
        self.cubic_button.clicked.connect(self._make_cubic)
        self.body.addLayout(form)
        self.body.addWidget(self.hint)
        self.body.addWidget(self.cubic_button)

    def _build_boxes(self) -> None:
        self.threshold_box = ThresholdBox(methods())
        self.threshold_box.edited.connect(self._edited)
        self.threshold_box.chosen.connect(self._method_chosen)
        self.classifier_box = box = ClassifierBox()
        box.strokes_wanted.connect(self._begin_strokes)
        box.background_wanted.connect(lambda: self._paint_with(BACKGROUND))
        box.particle_wanted.connect(lambda: self._paint_with(PARTICLE))
        box.train_wanted.connect(self._train)
        box.load_wanted.connect(self._load_classifier)
        box.save_wanted.connect(self._save_classifier)
        self.cleaning_box = QGroupBox("Clean the mask")
        self.cleaning_box.setCheckable(True)
        layout = QVBoxLayout(self.cleaning_box)
        self.cleaning = ParameterForm(STEPS[CLEAN])
        layout.addWidget(self.cleaning)
        self.cleaning.changed.connect(self._cleaning_edited)
        self.cleaning_box.toggled.connect(self._cleaning_edited)
        for widget in (self.threshold_box, self.classifier_box, self.cleaning_box):
            self.body.addWidget(widget)
        self.model.use(dataclasses.replace(self.model.settings, cleaning=self.cleaning.values()))

    # -- state -----------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether something runs, or the preview is not up to date yet."""
        return self.run_bar.runner.running or self.live.busy or self._stale

    def _input_changed(self) -> None:
        changed = self.model.set_item(self.picker.item)
        self.hint.setText(self.model.describe())
        self.cubic_button.setVisible(self.model.can_be_made_cubic)
        ready = self.model.item is not None
        for box in (self.threshold_box, self.classifier_box, self.cleaning_box, self.histogram):
            box.setEnabled(ready)
        if changed:
            self.input_changed()
            self.live.drop()
            self.outline.hide()
            self.histogram.clear_histogram()
            self.note.clear()
        self._settings_changed()

    def _edited(self, fields: Parameters) -> None:
        self.model.use(dataclasses.replace(self.model.settings, **fields))
        self._settings_changed()

    def _cleaning_edited(self, *_: object) -> None:
        cleaning = self.cleaning.values() if self.cleaning_box.isChecked() else None
        self._edited({"cleaning": cleaning})

    def _method_chosen(self, method: str) -> None:
        self.model.choose(method)
        self._settings_changed()

    def _settings_changed(self) -> None:
        self._show_settings()
        if self.model.item is not None:
            self.live.request()

    def _show_settings(self) -> None:
        model = self.model
        several = is_series(model.item)
        self.threshold_box.show_settings(model.settings, model.decimals, several)
        self.classifier_box.setVisible(model.settings.method == CLASSIFIER)
        painted_on = self.strokes.painted_on
        self.classifier_box.show_state(
            model.classifier_state(painted_on), bool(painted_on), model.classifier is not None
        )
        self.histogram.show_levels(model.lines())
        self.run_bar.set_blocked(model.problem())

    def _line_moved(self, index: int, value: float) -> None:
        """Follow a line that is dragged."""
        lines = len(self.model.lines())
        self.model.drag(index, value)
        if len(self.model.lines()) < lines:
            self.histogram.put_first(index)
        self._show_settings()
        # at once, not after a rest: the outline follows the hand
        if self.live.running:
            self._stale = True
        else:
            self._preview()

    # -- preview ---------------------------------------------------------------------------

    def came_to_front(self) -> None:
        """Show the outline of the mask, and the strokes."""
        self.picker.refresh()
        self._input_changed()
        self._show_strokes()

    def went_behind(self) -> None:
        """Take the outline and the strokes away."""
        self.live.drop()
        self.outline.hide()
        self.strokes.follow(None)

    def slider_moved(self, _event: object = None) -> None:
        """Show the mask of another slice, and strokes only at the time they belong to."""
        self._show_strokes()
        if self.picker.item is not None:
            self.live.request()

    def _show_strokes(self) -> None:
        if self.strokes.usable:
            self.strokes.follow(time_shown(self.viewer, self.strokes.source))

    def _place(self) -> Place | None:
        layer = self.picker.layer
        shown = layer is not None and layer in self.viewer.layers and layer.visible
        return slice_shown(self.viewer, layer) if shown else None

    def _preview(self) -> None:
        self._stale = False
        if self.model.item is None or self.run_bar.runner.running or not self.in_front:
            return
        made = self._made_layer
        seen = made is not None and made in self.viewer.layers and bool(made.visible)
        if self.model.levels is None:
            self.note.setText("Counting grey values...")
        self.live.start(self.model.look(self._place(), seen))

    def _show_first_histogram(self, histogram: Any) -> None:
        if self.model.levels is None:
            self.histogram.show_histogram(*histogram)

    def _show_preview(self, found: Found, _seconds: float) -> None:
        before, settings = self.model.levels, self.model.settings
        if not self.model.take(found):
            return
        if found.levels is not before:
            self.histogram.show_histogram(found.levels.counts, found.levels.edges)
        # levels by hand have just begun
        self._stale = self._stale or self.model.settings != settings
        self._show_settings()
        layer = self.picker.layer
        if found.mask is None or found.place is None or not self.in_front or layer is None:
            self.outline.hide()
        else:
            self.outline.show(found.mask, *found.place[1:], layer)
        self.note.setText(self.model.words(found))
        if self._stale:
            self._preview()

    def _preview_failed(self, text: str) -> None:
        self.outline.hide()
        self.histogram.clear_histogram()
        self.note.setText(text)
        if self._stale:
            self._preview()

    # -- classifier ------------------------------------------------------------------------

    def _begin_strokes(self) -> None:
        layer, item = self.picker.layer, self.picker.item
        if layer is None or item is None:
            return
        strokes = self.strokes
        time = time_shown(self.viewer, layer)
        painted_here = strokes.usable and strokes.painted and strokes.source is layer
        if painted_here and strokes.time != time:
            self.run_bar.say(
                f"Strokes are on {strokes.painted_on} already; remove their layer to paint on "
                "another time."
            )
            time = strokes.time
            go_to(self.viewer, layer, 0, time)
        when = name_of_time(item, time)
        layer.visible = True
        self.outline.hide()
        strokes.begin(layer, time, f"{layer.name} at {when}" if when else layer.name)
        self._show_settings()

    def _paint_with(self, kind: int) -> None:
        strokes = self.strokes
        if strokes.usable and is_series(item_of(strokes.source)):
            go_to(self.viewer, strokes.source, 0, strokes.time)
        strokes.paint_with(kind)

    def _train(self) -> None:
        if not self.strokes.usable:
            self._show_settings()
            self.run_bar.say("The strokes or their volume are gone; press Brush strokes again.")
            return
        volume = times_of(item_of(self.strokes.source))[self.strokes.time]
        marks = self.strokes.array()
        self.live.drop()
        self.run_bar.start(lambda progress: PixelClassifier.train(volume, marks, progress=progress))

    def _load_classifier(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load classifier", "", _FILTER)
        if path:
            self._keep_classifier(self.model.load_classifier, path)

    def _save_classifier(self) -> None:
        path = ask_where(self, "Save classifier", "particles", "Classifier", ".npz")
        if path:
            self._keep_classifier(self.model.save_classifier, path)

    def _keep_classifier(self, action: Callable[[str], None], path: str) -> None:
        try:
            action(path)
        except Tomo4DError as error:
            self.run_bar.say(f"Error: {error}")
        self._settings_changed()

    # -- run -------------------------------------------------------------------------------

    def _run(self) -> None:
        model, layer, item = self.model, self.picker.layer, self.model.item
        assert layer is not None, "the button is disabled without volumes"
        assert item is not None
        if model.settings.method == CLASSIFIER:
            if not model.classifier_file:
                self._save_classifier()
            if not model.classifier_file:
                self.run_bar.say(
                    "Not run: the classifier has to be in a file, from which a recipe repeats it."
                )
                return
            model.use(dataclasses.replace(model.settings, classifier=model.classifier_file))
        settings, name = model.settings, f"{layer.name} mask"
        self.live.drop()

        def work(progress: Progress) -> object:
            return settings, layer, item, make_mask(item, settings, name, progress)

        self.run_bar.start(work)

    def _make_cubic(self) -> None:
        item = self.model.item
        if item is not None and not self.run_bar.runner.running:
            self.live.drop()
            self.run_bar.start(lambda progress: make_cubic(item, progress))

    def _finished(self, result: Any, seconds: float) -> None:
        if isinstance(result, (Volume, TimeSeries)):
            layer = self.add_result(result)
            self.picker.choose(layer)
            self.run_bar.say(f"“{layer.name}” in {format_seconds(seconds)}; it is worked on now.")
            return
        if isinstance(result, PixelClassifier):
            self.run_bar.say(f"Trained in {format_seconds(seconds)}; look at several slices.")
            self.model.trained(result)
            self._settings_changed()
            return
        settings, source, item, (mask, numbers, notes) = result
        step = self.viewer.dims.current_step
        self.outline.hide()
        layer = self.add_result(mask)
        layer.opacity = 0.5
        if source in self.viewer.layers:
            # the mask is judged on the volume, at the slice that was looked at
            source.visible = True
            self.viewer.dims.current_step = step
        if item is self.model.item:
            self._made_layer, self.model.made = layer, settings
        said = f"“{layer.name}” in {format_seconds(seconds)}. {numbers} Next: Particles."
        self.run_bar.say(said, notes)

    def refill(self, done: dict[str, Parameters]) -> str:
        """Fill in method, levels and cleaning; returns why it could not."""
        settings = settings_from(done)
        if settings is None:
            return "The selected layer is no mask that was made here."
        if settings.method == CLASSIFIER:
            try:
                self.model.load_classifier(settings.classifier)
            except Tomo4DError as error:
                return f"Error: {error}"
        elif self.threshold_box.method.findData(settings.method) < 0:
            return f"There is no method “{settings.method}” in this version; choose another one."
        for part in (self.cleaning, self.cleaning_box):
            part.blockSignals(True)
        self.cleaning_box.setChecked(settings.cleaning is not None)
        self.cleaning.set_values(settings.cleaning or {})
        for part in (self.cleaning, self.cleaning_box):
            part.blockSignals(False)
        self.model.use(settings)
        self._settings_changed()
        return ""
