"""The panel *Pairs*: click two particles, get neck radius and distance over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import napari
from qtpy.QtWidgets import QDockWidget, QFormLayout, QLabel

from napari_tomo4d.data import Labels
from napari_tomo4d.gui import theme
from napari_tomo4d.gui.canvas.layer_picker import LayerPicker
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.canvas.place import go_to, time_shown
from napari_tomo4d.gui.canvas.session import same_layer
from napari_tomo4d.gui.panels.base import Panel
from napari_tomo4d.gui.panels.pairs.canvas_marks import PairMarks
from napari_tomo4d.gui.panels.pairs.choice_box import ChoiceBox, VolumePicker
from napari_tomo4d.gui.panels.pairs.measurer import PairMeasurer
from napari_tomo4d.gui.panels.pairs.model import (
    NO_TOUCH,
    Clicked,
    PairsModel,
    description_of,
    problem_of,
)
from napari_tomo4d.gui.panels.pairs.plots import PairPlots
from napari_tomo4d.gui.panels.pairs.results_tabs import ResultsTabs
from napari_tomo4d.gui.panels.pairs.rows import RowKey
from napari_tomo4d.gui.panels.pairs.save_buttons import SaveRow
from napari_tomo4d.gui.widgets.messages import NOTHING_MEASURED
from napari_tomo4d.gui.widgets.run_bar import RunBar
from napari_tomo4d.gui.work.live_preview import LivePreview
from napari_tomo4d.gui.work.runner import Runner
from napari_tomo4d.measure.necks.contacts import PairKey
from napari_tomo4d.progress import Progress
from napari_tomo4d.quantities import plural
from napari_tomo4d.voxels import CUBIC

if TYPE_CHECKING:
    from napari.layers import Layer


_START = "Click the first particle; Esc ends."


class PairsPanel(Panel):
    """Choose pairs, see the section through each neck, follow them over time.

    The model owns every state; the views show it and tell what a person did, the measurer
    fills it, and this panel joins them and knows the viewer.
    """

    title = "Pairs"
    sentence = (
        "Measures necks and distances of particles over time. Needs labels in which a particle "
        "has the same number at all times."
    )

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.model = PairsModel()
        self._plots_dock: QDockWidget | None = None
        self._jump = False
        self.run_bar = RunBar("Measure all pairs")
        # not that of the runs: those end when other labels are chosen
        self.saver = Runner(self)
        self.work = PairMeasurer(
            self.model, self.run_bar.runner, self.run_bar.start, LivePreview(self), self
        )
        self.marks = PairMarks(self.viewer, self.model, self)
        self.plots = PairPlots(self.model)
        self.views = ResultsTabs(self.model)
        self._build_input()
        # always in view: it shows what every click does
        self.foot.addWidget(self.views)
        self.foot.addWidget(self.run_bar)
        self._connect()
        self._input_changed()

    # -- building --------------------------------------------------------------------------

    def _build_input(self) -> None:
        form = QFormLayout()
        self.picker = LayerPicker(self.session, Labels)
        self.volume = VolumePicker(self.session)
        form.addRow("Labels", self.picker)
        form.addRow("Volume", self.volume)
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.choice = ChoiceBox(self.model)
        self.save = SaveRow(self.model)
        self.body.addLayout(form)
        for widget in (self.hint, self.choice, self.save):
            self.body.addWidget(widget)
        self.build_recipe_buttons()
        self.body.addStretch()

    def _connect(self) -> None:
        model, work, rows, runner = self.model, self.work, self.views.rows, self.run_bar.runner
        self.picker.picked.connect(self._input_changed)
        self.picker.edited.connect(self._labels_edited)
        self.volume.picked.connect(self._volume_changed)
        # what a person does
        self.marks.clicked.connect(self._clicked)
        self.choice.picking.connect(self._picking_changed)
        self.choice.escaped.connect(self._escape)
        self.choice.suggested.connect(lambda pair: self._choose_pair(pair, jump=True))
        self.choice.gap_changed.connect(lambda: work.search_again(self.choice.gap.value()))
        self.plots.chosen.connect(self._go_to)
        rows.chosen.connect(self._go_to)
        rows.remove_rows.connect(lambda places: self._remove(places, model.remove_rows))
        rows.remove_pairs.connect(lambda keys: self._remove(keys, model.remove_pairs))
        rows.undo.connect(model.undo)
        self.run_bar.clicked.connect(self._measure_all)
        self.save.wanted.connect(self._write)
        # what came of it
        work.refused.connect(self._tell)
        work.measured.connect(self._measured)
        work.complete.connect(self._complete)
        work.grown.connect(self.views.show_growth)
        work.unmeasurable.connect(self._unmeasurable)
        work.failed.connect(lambda text: self._tell(f"Error: {text}"))
        runner.started.connect(self._update)
        runner.finished.connect(lambda *_: self._update())
        runner.failed.connect(lambda _: self._update())
        runner.cancelled.connect(self._run_cancelled)
        self.saver.finished.connect(lambda said, _: self._saved(said))
        self.saver.failed.connect(lambda text: self._saved(f"Error: {text}"))
        model.suggested.connect(self._suggested)
        model.rows_changed.connect(self._update)
        model.rows_changed.connect(self._show_plots)

    # -- in front or not -------------------------------------------------------------------

    def came_to_front(self) -> None:
        """Draw over the volume only while this panel is the one that is looked at."""
        self.picker.refresh()
        self._input_changed()
        self.slider_moved()
        self.marks.show()
        self._show_plots()

    def went_behind(self) -> None:
        """Take the drawings and the plots away."""
        self.choice.stop()
        self.marks.hide()
        if self._plots_dock is not None:
            self._plots_dock.hide()

    def _show_plots(self) -> None:
        """Dock the plots below the canvas where there is or soon will be something in them."""
        if not self.in_front:
            return
        if not self.model.rows.places() and not self.marks.picking:
            if self._plots_dock is not None:
                self._plots_dock.hide()
        elif self._plots_dock is None:
            self._plots_dock = self.dock_below(self.plots, "Pairs over time")
        elif not self._plots_dock.isVisible():
            self._plots_dock.show()
            self._plots_dock.raise_()

    def slider_moved(self, _event: object = None) -> None:
        """Follow the viewer's time slider."""
        if self.model.labels is not None:
            self.model.set_time(time_shown(self.viewer, self.picker.layer))
            self.marks.redraw()

    def close_work(self) -> None:
        """Cancel whatever runs, and leave the viewer alone from now on."""
        self.work.close()
        super().close_work()
        self.choice.stop()
        self.marks.hide()

    @property
    def busy(self) -> bool:
        """Whether something runs, or is about to."""
        return self.work.busy or self.saver.running

    # -- input -----------------------------------------------------------------------------

    def _input_changed(self) -> None:
        layer, item = self.picker.layer, self.picker.item
        problem = problem_of(item)
        labels = None if problem else item
        if (
            labels is None
            or labels is not self.model.labels
            or not same_layer(layer, self.marks.layer)
        ):
            self.choice.stop()
            self.input_changed()
            self.marks.layer = layer
            known = self.model.set_labels(layer, labels)
            self.model.set_time(0 if labels is None else time_shown(self.viewer, layer))
            self.volume.fit(labels, self.model.volumes, known)
            self.model.set_volumes(self.volume.item)
            for widget in (self.choice, self.views, self.volume):
                widget.setEnabled(not problem)
            self._describe()
            self._show_plots()
            self._update()
        self._look_at(layer)

    def _labels_edited(self) -> None:
        """Measure anew after somebody painted on the labels or corrected them."""
        if not self.in_front:
            return
        pair = self.model.pair
        self._input_changed()
        if pair in self.model.rows.pairs:
            self.model.look_at(pair)
        self.work.follow()

    def _volume_changed(self) -> None:
        self.model.set_volumes(self.volume.item)
        self._look_at(self.picker.layer)
        self._update()

    def _look_at(self, layer: Layer | None) -> None:
        """Show the labels over their volume."""
        if layer is None or not self.in_front:
            return
        if not layer.visible:
            for other in self.viewer.layers:
                if item_of(other) is not None:
                    other.visible = same_layer(other, layer)
        if self.volume.layer is not None:
            self.volume.layer.visible = True

    # -- words -----------------------------------------------------------------------------

    def _describe(self) -> None:
        """Say what there is to measure, or why nothing can be."""
        item = self.picker.item
        problem = problem_of(item)
        self.hint.setText(problem if problem or item is None else description_of(item))
        theme.set_text_colour(self.hint)

    def _tell(self, text: str) -> None:
        """Say what a click came to: beside its button, as the status may tell of a run."""
        if self.marks.picking:
            self.hint.setText(text)
            theme.set_text_colour(self.hint, "here")
        else:
            self.run_bar.say(text)

    def _update(self) -> None:
        """Say what can be done now, and why not."""
        model, problem = self.model, problem_of(self.picker.item)
        reason = problem
        if not reason and model.suggestions is None:
            reason = "Pairs are being looked for."
        elif not reason and model.suggestions is not None and not model.suggestions.times:
            reason = NO_TOUCH
        self.run_bar.set_blocked(reason)
        self.choice.click_button.setToolTip(
            problem or "Then click one particle and the other in the picture. Esc cancels."
        )
        wait = "A run is under way." if self.run_bar.runner.running else ""
        writing = "The last file is being written." if self.saver.running else ""
        self.save.set_blocked(wait or writing if model.rows.places() else NOTHING_MEASURED)
        if self.recipe is not None:
            self.result = None if wait else model.table()
            self.recipe.update_buttons()

    def _suggested(self) -> None:
        suggestions = self.model.suggestions
        if suggestions is not None and self.model.pair is None:
            count = len(suggestions.times)
            verb = "touches" if count == 1 else "touch"
            self.run_bar.say(
                f"{plural(count, 'pair')} {verb}. Press Click two particles, choose a suggested "
                "pair, or measure all."
                if count
                else NO_TOUCH
            )
        self._update()

    # -- clicks ----------------------------------------------------------------------------

    def _picking_changed(self, on: bool) -> None:
        self.model.forget_first()
        self.marks.picking = on
        self._describe()
        if on:
            self._look_at(self.picker.layer)
            self.marks.prepare()
            # now, so that the picture does not move under the mouse after the second click
            self._show_plots()
            self._tell(_START)

    def _escape(self) -> None:
        if self.model.forget_first():
            self._tell(f"Cancelled. {_START}")
        else:
            self.choice.stop()

    def _clicked(self, clicked: Clicked) -> None:
        text, pair = self.model.click(clicked)
        self._tell(text)
        if pair is not None:
            self._choose_pair(pair)

    # -- one pair --------------------------------------------------------------------------

    def _choose_pair(self, pair: PairKey, jump: bool = False) -> None:
        """Look at a pair; `jump` moves the viewer to the slice with its neck."""
        self._jump = jump
        self.work.measure((min(pair), max(pair)))

    def _measured(self, pair: PairKey) -> None:
        """Say that a pair is there, and go to its neck if that was asked for."""
        found = self.model.found
        section = None if found is None else found.neck.section
        if self._jump and section is not None and self.viewer.dims.ndisplay == 2:
            size = (self.model.items[0].voxel_size_nm or CUBIC)[0]
            go_to(self.viewer, self.picker.layer, -3, round(float(section.origin_nm[0]) / size))
        self._jump = False
        if self.marks.picking and self.model.first is None:
            name = self.model.rows.name(pair)
            self._tell(f"{name} measured. Click the next pair; Esc ends.")

    def _unmeasurable(self, text: str) -> None:
        self.views.show_problem(text)
        self._tell(text)

    def _go_to(self, place: RowKey) -> None:
        """Go to a pair and time, from a plot or the table."""
        layer = self.picker.layer
        self._jump = True
        self.model.look_at(*place)
        if layer is not None and layer.ndim > 3:
            go_to(self.viewer, layer, 0, place[1])
        self.work.measure(place[0])

    # -- rows, all pairs, files ---------------------------------------------------------------

    def _remove(self, what: list[Any], remove: Callable[[list[Any]], None]) -> None:
        if not what:
            self.run_bar.say("Select rows of the table first.")
            return
        remove(what)
        self.run_bar.say("Removed. Undo brings it back.")

    def _measure_all(self) -> None:
        # who measures all has no more pairs to click
        self.choice.stop()
        self.work.measure_all()
        if not self.run_bar.runner.running:
            self.run_bar.say("All suggested pairs are in the table already.")

    def _complete(self) -> None:
        self.run_bar.say(f"{self.model.summary()}. A click on a point or a row goes there.")
        pairs = self.model.rows.pairs
        if self.model.pair is None and pairs:
            # something to look at
            self._choose_pair(pairs[0], jump=True)

    def _write(self, work: Callable[[Progress], object], said: str) -> None:
        def write(progress: Progress) -> str:
            work(progress)
            return f"{said}."

        self.saver.start(write)
        self.run_bar.say("Writing...")
        self._update()

    def _saved(self, said: str) -> None:
        self.run_bar.say(said)
        self._update()

    def _run_cancelled(self) -> None:
        self.run_bar.say("Cancelled. What was measured before stays in the table.")
        self._update()
