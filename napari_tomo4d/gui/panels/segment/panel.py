"""The panel *Segment*: a volume to a mask of its particles, tried on the slice that is seen."""

from __future__ import annotations

from typing import Any

import napari
from qtpy.QtWidgets import (
    QFormLayout,
    QGroupBox,
    QLabel,
    QVBoxLayout,
)

from napari_tomo4d.data import TimeSeries, Volume
from napari_tomo4d.gui.canvas.layer_picker import LayerPicker
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.canvas.place import slice_shown
from napari_tomo4d.gui.panels.base import Panel
from napari_tomo4d.gui.panels.segment.classifier_box import ClassifierBox
from napari_tomo4d.gui.panels.segment.histogram import Histogram
from napari_tomo4d.gui.panels.segment.mask_outline import MaskOverlay
from napari_tomo4d.gui.panels.segment.model import (
    BY_HAND,
    CLASSIFIER,
    CLASSIFY,
    CLEAN,
    HALF,
    HYSTERESIS,
    LEVEL,
    MULTI,
    THRESHOLD,
    Analysis,
    Settings,
    analyse,
    make_mask,
    slice_mask,
    volumes_of,
)
from napari_tomo4d.gui.panels.segment.threshold_box import ThresholdBox
from napari_tomo4d.gui.widgets.form import ParameterForm
from napari_tomo4d.gui.widgets.run_bar import RunBar, format_seconds
from napari_tomo4d.gui.work.live_preview import LivePreview
from napari_tomo4d.pipeline import STEPS
from napari_tomo4d.progress import Progress
from napari_tomo4d.segment import PixelClassifier

_NO_VOLUME = "No volume yet: make one in the Reconstruct panel, or drop a file on the viewer."


class SegmentPanel(Panel):
    """Choose a threshold on the histogram and the slice, then make the mask of all slices."""

    title = "Segment"
    sentence = (
        "Parts particles from background. Needs a volume, or those of all times, with particles "
        "brighter than their surroundings."
    )
    refill_steps = (THRESHOLD, CLASSIFY)

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self._filling = self._stale = False
        self._key: tuple[Any, ...] | None = None
        self._analysis: Analysis | None = None
        self._settled: tuple[Any, Settings] | None = None
        self._item: Any = None
        self.overlay = MaskOverlay(self.viewer)
        self.live = LivePreview(self)
        self.live.due.connect(self._preview)
        self.live.finished.connect(self._show_preview)
        self.live.failed.connect(self._preview_failed)
        self._build_input()
        self._build_threshold()
        self._build_classifier()
        self._build_cleaning()
        self.build_recipe_buttons()
        self.body.addStretch()
        self.histogram = Histogram()
        self.histogram.moved.connect(self._line_moved)
        self.histogram.released.connect(self._changed)
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.run_bar = RunBar("Make the mask")
        self.run_bar.clicked.connect(self._run)
        self.run_bar.runner.finished.connect(self._finished)
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
        self.body.addLayout(form)
        self.body.addWidget(self.hint)

    def _build_threshold(self) -> None:
        self.threshold_box = ThresholdBox()
        self.threshold_box.changed.connect(self._changed)
        self.threshold_box.method_changed.connect(self._method_changed)
        box = self.threshold_box
        self.method, self.level, self.seed_level = box.method, box.level, box.seed_level
        self.classes, self.form = box.classes, box.form
        self.body.addWidget(box)

    def _build_classifier(self) -> None:
        self.classifier_box = ClassifierBox(self.viewer)
        self.classifier_box.strokes_wanted.connect(self._begin_strokes)
        self.classifier_box.train_wanted.connect(self._train)
        self.classifier_box.changed.connect(self._changed)
        self.classifier_box.failed.connect(lambda text: self.run_bar.say(f"Error: {text}"))
        self.body.addWidget(self.classifier_box)

    def _build_cleaning(self) -> None:
        self.cleaning_box = QGroupBox("Clean the mask")
        self.cleaning_box.setCheckable(True)
        layout = QVBoxLayout(self.cleaning_box)
        self.cleaning = ParameterForm(STEPS[CLEAN])
        layout.addWidget(self.cleaning)
        self.cleaning.changed.connect(self._changed)
        self.cleaning_box.toggled.connect(self._changed)
        self.body.addWidget(self.cleaning_box)

    # -- state -----------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether something runs, or the preview is not up to date yet."""
        return self.run_bar.runner.running or self.live.busy or self._stale

    @property
    def chosen_method(self) -> str:
        """Name of the method."""
        return self.threshold_box.chosen

    def settings(self) -> Settings:
        """Return what the form says."""
        method, common = self.chosen_method, self.form.values()
        known = self._analysis is not None
        return Settings(
            method,
            self.level.value() if method in BY_HAND and known else None,
            self.seed_level.value() if method == HYSTERESIS and known else None,
            self.classes.value(),
            common["smoothing_px"],
            common["one_level"],
            self.cleaning.values() if self.cleaning_box.isChecked() else None,
            self.classifier_box.path,
        )

    def _input_changed(self) -> None:
        item = self.picker.item
        volumes = volumes_of(item)
        text = _NO_VOLUME
        if volumes:
            shape = " x ".join(map(str, volumes[0].data.shape))
            size = volumes[0].pixel_size_nm
            text = f"{shape} voxels (z, y, x)" + (f" of {size:.4g} nm" if size else "")
            if isinstance(item, TimeSeries):
                text += f", {len(item)} time points"
        self.hint.setText(text)
        for box in (self.threshold_box, self.classifier_box, self.cleaning_box, self.histogram):
            box.setEnabled(bool(volumes))
        if item is not self._item:
            self._item, self._key, self._settled = item, None, None
            self._analysis = None
            self.overlay.hide()
        self.threshold_box.show_several_times(isinstance(item, TimeSeries))
        self._method_changed()

    def _method_changed(self) -> None:
        method = self.chosen_method
        self.classifier_box.setVisible(method == CLASSIFIER)
        if method == HYSTERESIS and self._analysis is not None:
            self.threshold_box.offer_seed(self._analysis)
        self._changed()

    def _changed(self, *_: Any) -> None:
        if self._filling:
            return
        self._update_blocked()
        if self.picker.item is not None:
            self._show_levels()
            self.live.request()

    def _update_blocked(self) -> None:
        reason = ""
        if self.picker.item is None:
            reason = self.hint.text()
        elif self.chosen_method == CLASSIFIER and self.classifier_box.classifier is None:
            reason = "Paint strokes and train a classifier, or load one."
        elif self.chosen_method == HYSTERESIS and self.seed_level.value() < self.level.value():
            reason = "The upper level lies below the lower one."
        self.run_bar.set_blocked(reason)

    # -- levels ----------------------------------------------------------------------------

    def _show_levels(self) -> None:
        found = () if self._analysis is None else self._analysis.levels
        levels: tuple[float, ...] = {
            LEVEL: (self.level.value(),),
            HYSTERESIS: (self.level.value(), self.seed_level.value()),
            CLASSIFIER: (),
        }.get(self.chosen_method, found)
        self.histogram.show_levels(levels if self._analysis is not None else ())

    def _line_moved(self, index: int, value: float) -> None:
        """Follow a line that is dragged; levels found become levels by hand."""
        if self.chosen_method == HYSTERESIS:
            low, high = self.level.value(), self.seed_level.value()
            if index == 0:
                self.threshold_box.set_levels(level=min(value, high))
            else:
                self.threshold_box.set_levels(seed=max(value, low))
        else:
            self.threshold_box.set_levels(value)
            if self.chosen_method != LEVEL:
                self.histogram.put_first(index)
                self.threshold_box.choose(LEVEL)
        self._show_levels()
        self._update_blocked()
        # at once, not after a rest: the outline follows the hand
        if self.live.running:
            self._stale = True
        else:
            self._preview()

    # -- preview ---------------------------------------------------------------------------

    def came_to_front(self) -> None:
        """Show the outline of the mask."""
        self.picker.refresh()
        self._input_changed()

    def went_behind(self) -> None:
        """Take the outline away."""
        self.live.drop()
        self.overlay.hide()

    def slider_moved(self, _event: Any = None) -> None:
        """Show the mask of another slice."""
        if self.picker.item is not None:
            self.live.request()

    def _place(self) -> tuple[int, int, int] | None:
        layer = self.picker.layer
        shown = layer is not None and layer in self.viewer.layers and layer.visible
        return slice_shown(self.viewer, layer) if shown else None

    def _preview(self) -> None:
        item = self.picker.item
        if item is None or self.run_bar.runner.running or not self.in_front:
            self._stale = False
            return
        self._stale = False
        settings, place, layer = self.settings(), self._place(), self.picker.layer
        volumes, time = volumes_of(item), place[0] if place else 0
        together = settings.one_level or settings.method in (CLASSIFIER, *BY_HAND)
        method = HALF if settings.method in (CLASSIFIER, *BY_HAND) else settings.method
        classes = settings.classes if method == MULTI else 0
        key = (id(item), -1 if together else time, method, classes, settings.smoothing_px)
        known = self._analysis if key == self._key else None
        classifier = self.classifier_box.classifier
        ready = settings.method != CLASSIFIER or classifier is not None
        same = self._settled is not None and self._settled[1] == settings
        settled = same and self._settled is not None and self._mask_is_seen(self._settled[0])

        def preview(progress: Progress) -> Any:
            analysis = known
            if analysis is None:
                group = volumes if together else [volumes[time]]
                analysis = analyse(group, method, settings.classes, settings.smoothing_px, progress)
            mask = None
            level_missing = settings.method in BY_HAND and settings.level is None
            if place is not None and ready and not settled and not level_missing:
                mask = slice_mask(volumes[time], *place[1:], settings, analysis, classifier)
            return key, analysis, place, mask, settings, layer

        self.live.start(preview)

    def _mask_is_seen(self, layer: Any) -> bool:
        return layer in self.viewer.layers and bool(layer.visible)

    def _show_preview(self, result: Any, _seconds: float) -> None:
        key, analysis, place, mask, settings, layer = result
        if analysis is not self._analysis:
            first = self._analysis is None
            self._key, self._analysis = key, analysis
            self.histogram.show_histogram(analysis.counts, analysis.edges)
            self.threshold_box.fit(analysis)
            if first and settings.method in BY_HAND:
                self.threshold_box.set_levels(analysis.levels[0])
                self.threshold_box.offer_seed(analysis)
                self._stale = True
        if settings.method not in (CLASSIFIER, *BY_HAND):
            # where dragging and the methods by hand begin
            self.threshold_box.set_levels(analysis.levels[0])
        self._show_levels()
        if mask is None or place is None or not self.in_front or layer not in self.viewer.layers:
            self.overlay.hide()
        else:
            self.overlay.show(mask, place[1], place[2], layer)
        self.note.setText(self._words(settings, analysis, place, mask))
        if self._stale:
            self._preview()

    def _words(self, settings: Settings, analysis: Analysis, place: Any, mask: Any) -> str:
        if settings.method == CLASSIFIER:
            if self.classifier_box.classifier is None:
                return "No classifier yet, so no mask is outlined."
            text = "The outline is what the classifier takes for particles in this slice."
        else:
            text = "The outline is the mask in this slice"
            blur = analysis.smoothing_px
            if blur:
                least = ", as little as the noise allows" if settings.smoothing_px is None else ""
                text += f", after a blur of {blur:g} px{least}"
            text += "."
            if not analysis.enough:
                text += " Noise still reaches the threshold; reconstruct more smoothly (TV)."
        if place is None:
            return "Show a slice of the volume (2D) to see the outline of its mask."
        if mask is None:
            return "This mask is made already; change something to see another outline."
        if mask is not None and not mask.any():
            return "No particle in this slice at this level; move the slice or the level."
        cleaning = settings.cleaning or {}
        if cleaning.get("fill_holes") or cleaning.get("min_diameter_px"):
            text += " Holes and small pieces are cleaned by the run."
        return text

    def _preview_failed(self, text: str) -> None:
        self.overlay.hide()
        self.histogram.clear_histogram()
        self.note.setText(text)
        if self._stale:
            self._preview()

    # -- strokes ---------------------------------------------------------------------------

    def _begin_strokes(self) -> None:
        layer, item = self.picker.layer, self.picker.item
        place = self._place()
        time = place[0] if place is not None else 0
        said = layer.name + (f" at {item.label(time)}" if isinstance(item, TimeSeries) else "")
        layer.visible = True
        self.overlay.hide()
        self.classifier_box.begin(layer, time, said)

    def _train(self) -> None:
        box = self.classifier_box
        if not box.has_strokes or box.source not in self.viewer.layers:
            box.update_buttons()
            self.run_bar.say("The strokes or their volume are gone; press Brush strokes again.")
            return
        item = item_of(box.source)
        volume, strokes = volumes_of(item)[box.time], box.strokes()
        self.live.drop()
        self.run_bar.start(
            lambda progress: PixelClassifier.train(volume, strokes, progress=progress)
        )

    # -- run -------------------------------------------------------------------------------

    def _run(self) -> None:
        item, layer = self.picker.item, self.picker.layer
        box = self.classifier_box
        if self.chosen_method == CLASSIFIER and not box.path and not box.save():
            self.run_bar.say(
                "Not run: the classifier has to be in a file, from which a recipe repeats it."
            )
            return
        settings = self.settings()
        self.live.drop()
        name = f"{layer.name} mask"

        def work(progress: Progress) -> Any:
            return settings, layer, make_mask(item, settings, name, progress)

        self.run_bar.start(work)

    def _finished(self, result: Any, seconds: float) -> None:
        if isinstance(result, PixelClassifier):
            self.run_bar.say(f"Trained in {format_seconds(seconds)}; look at several slices.")
            self.classifier_box.trained(result)
            return
        settings, source, (mask, numbers, notes) = result
        step = self.viewer.dims.current_step
        self.overlay.hide()
        layer = self.add_result(mask)
        layer.opacity = 0.5
        if source in self.viewer.layers:
            # the mask is judged on the volume, at the slice that was looked at
            source.visible = True
            self.viewer.dims.current_step = step
        self._settled = (layer, settings)
        self.run_bar.say(
            "\n".join(
                [
                    f"“{layer.name}” in {format_seconds(seconds)}. {numbers} Next: Particles.",
                    *notes[:2],
                ]
            )
        )
        self.run_bar.status.setToolTip("\n".join(notes))
        self.live.request()

    def refill(self, done: dict[str, dict[str, Any]]) -> str:
        """Fill in method, levels and cleaning; returns why it could not."""
        if not {THRESHOLD, CLASSIFY} & set(done):
            return "The selected layer is no mask that was made here."
        self._filling = True
        if CLASSIFY in done:
            self.threshold_box.choose(CLASSIFIER)
            self.classifier_box.use(done[CLASSIFY]["classifier"])
        else:
            self.threshold_box.set_values(done[THRESHOLD])
        self.cleaning_box.setChecked(CLEAN in done)
        self.cleaning.set_values(done.get(CLEAN, {}))
        self._filling = False
        self._method_changed()
        return ""
