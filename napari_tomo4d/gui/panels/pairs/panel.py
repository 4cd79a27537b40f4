"""The panel *Pairs*: click two particles, get neck radius and distance over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import napari
import numpy as np
import pandas as pd
from qtpy.QtWidgets import QFormLayout, QLabel

from napari_tomo4d.data import Labels, TimeSeries
from napari_tomo4d.gui import theme
from napari_tomo4d.gui.canvas.layer_picker import LayerPicker
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.canvas.session import same_layer
from napari_tomo4d.gui.panels.base import Panel
from napari_tomo4d.gui.panels.pairs.canvas_marks import PairMarks, Picked
from napari_tomo4d.gui.panels.pairs.choice_box import ChoiceBox, VolumePicker
from napari_tomo4d.gui.panels.pairs.measured_pair import Found, description_of, problem_of
from napari_tomo4d.gui.panels.pairs.measurer import PairMeasurer
from napari_tomo4d.gui.panels.pairs.model import PairBook, PairKey, RowKey
from napari_tomo4d.gui.panels.pairs.plots import PairPlots
from napari_tomo4d.gui.panels.pairs.results_tabs import ResultsBox
from napari_tomo4d.gui.panels.pairs.save_buttons import SaveRow
from napari_tomo4d.gui.widgets.run_bar import RunBar
from napari_tomo4d.gui.work.live_preview import LivePreview
from napari_tomo4d.measure.quantities import NOTHING_MEASURED
from napari_tomo4d.progress import Progress


class PairsPanel(Panel):
    """Choose pairs, see the section through each neck, follow them over time."""

    title = "Pairs"
    sentence = (
        "Measures necks and distances of particles over time. Needs labels in which a particle "
        "has the same number at all times."
    )

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self._plots_dock: Any = None
        self._first: Picked | None = None
        self._pair: PairKey | None = None
        self._time = 0
        self._jump = False
        self._said = ""
        self.marks = PairMarks(self.viewer, self)
        self.marks.clicked.connect(self._clicked)
        self.plots = PairPlots()
        self.plots.chosen.connect(self._go_to)
        self._build_foot()
        self.work = PairMeasurer(self, self.run_bar, LivePreview(self))
        self.work.found.connect(self._show)
        self.work.suggested.connect(self._show_suggestions)
        self.work.changed.connect(self._refresh)
        self.work.grown.connect(self.views.show_growth)
        self.work.failed.connect(lambda text: self._tell(f"Error: {text}"))
        self._build_input()
        self._input_changed()

    # -- building --------------------------------------------------------------------------

    def _build_input(self) -> None:
        form = QFormLayout()
        self.picker = LayerPicker(self.session, Labels)
        self.volume = VolumePicker(self.session)
        self.picker.picked.connect(self._input_changed)
        self.picker.edited.connect(self._labels_edited)
        self.volume.picked.connect(self._volume_changed)
        form.addRow("Labels", self.picker)
        form.addRow("Volume", self.volume)
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.choice = ChoiceBox()
        self.choice.picking.connect(self._picking_changed)
        self.choice.escaped.connect(self._escape)
        self.choice.suggested.connect(lambda pair: self._choose_pair(pair, jump=True))
        self.choice.gap_changed.connect(self._gap_changed)
        self.save = SaveRow(lambda: (self._table(), self.work.item, self.volume.item))
        self.save.wanted.connect(self._write)
        self.body.addLayout(form)
        for widget in (self.hint, self.choice, self.save):
            self.body.addWidget(widget)
        self.body.addStretch()

    def _build_foot(self) -> None:
        # always in view: it shows what every click does
        self.views = ResultsBox()
        self.section, self.numbers = self.views.section, self.views.numbers
        self.table = self.views.rows.table
        self.views.rows.chosen.connect(self._go_to)
        self.views.rows.changed.connect(self._rows_changed)
        self.run_bar = RunBar("Measure all pairs")
        self.run_bar.clicked.connect(self._measure_all)
        self.views.rows.said.connect(self.run_bar.say)
        runner = self.run_bar.runner
        runner.finished.connect(self._run_finished)
        runner.failed.connect(lambda _: self._update())
        runner.started.connect(self._update)
        runner.cancelled.connect(self._run_cancelled)
        self.foot.addWidget(self.views)
        self.foot.addWidget(self.run_bar)

    # -- in front or not -------------------------------------------------------------------

    def came_to_front(self) -> None:
        """Draw over the volume only while this panel is the one that is looked at."""
        self.picker.refresh()
        self._input_changed()

    def went_behind(self) -> None:
        """Take the drawings and the plots away."""
        self.choice.stop()
        self.marks.remove()
        if self._plots_dock is not None:
            self._plots_dock.hide()

    def _show_plots(self) -> None:
        """Dock the plots below the canvas where there is or soon will be something in them."""
        if not self.in_front:
            return
        if not self._places() and not self.marks.picking:
            if self._plots_dock is not None:
                self._plots_dock.hide()
        elif self._plots_dock is None:
            self._plots_dock = self.dock_below(self.plots, "Pairs over time")
        elif not self._plots_dock.isVisible():
            self._plots_dock.show()
            self._plots_dock.raise_()

    def close_work(self) -> None:
        """Cancel whatever runs, and leave the viewer alone from now on."""
        super().close_work()
        self.work.close()
        self.choice.stop()
        self.marks.close()

    # -- state -----------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether something runs, or is about to."""
        return self.work.busy

    @property
    def book(self) -> PairBook | None:
        """The pairs of the chosen labels."""
        return self.work.book

    @property
    def place(self) -> RowKey | None:
        """Pair and time that are looked at."""
        return None if self._pair is None else (self._pair, self.marks.time_shown())

    def _places(self) -> list[RowKey]:
        return [] if self.book is None else self.book.places()

    def _table(self) -> pd.DataFrame:
        return pd.DataFrame() if self.book is None else self.book.table()

    def _problem(self) -> str:
        return problem_of(self.picker.item)

    def _input_changed(self) -> None:
        layer, problem = self.picker.layer, self._problem()
        item = None if problem else self.picker.item
        if item is not None and item is self.work.item and same_layer(layer, self.marks.layer):
            self._look_at(layer)
            self._redraw()
            return
        self.choice.stop()
        self.marks.remove()
        self.marks.layer, self._pair = layer, None
        self.work.set_labels(layer, item)
        self.views.rows.set_book(self.book)
        self.volume.fit(item)
        self.work.set_volume(self.volume.item)
        for widget in (self.choice, self.views, self.volume):
            widget.setEnabled(not problem)
        self._describe()
        self.run_bar.say("")
        self._look_at(layer)
        self._show_nothing()
        self.choice.show_list(None, self.book)
        self._refresh()

    def _labels_edited(self) -> None:
        """Measure anew after somebody painted on the labels or corrected them."""
        if self.in_front:
            pair = self._pair
            self._input_changed()
            if pair is not None:
                self._choose_pair(pair)
            self.work.follow()

    def _describe(self) -> None:
        """Say what there is to measure, or why nothing can be."""
        text = self._problem() or description_of(self.picker.item)
        self.hint.setText(text)
        theme.set_text_colour(self.hint)

    def _tell(self, text: str) -> None:
        """Say what a click came to: beside its button, as the status may tell of a run."""
        if self.marks.picking:
            self.hint.setText(text)
            theme.set_text_colour(self.hint, "here")
        else:
            self.run_bar.say(text)

    def _look_at(self, layer: Any) -> None:
        """Show the labels over their volume."""
        if layer is None or not self.in_front:
            return
        if not layer.visible:
            for other in self.viewer.layers:
                if item_of(other) is not None:
                    other.visible = other is layer
        if self.volume.layer is not None:
            self.volume.layer.visible = True

    def _volume_changed(self) -> None:
        self.work.set_volume(self.volume.item)
        self._look_at(self.picker.layer)
        if self._pair is not None:
            self._choose_pair(self._pair)
        self.work.follow()

    def _update(self) -> None:
        """Say what can be done now, and why not."""
        problem, running = self._problem(), self.run_bar.runner.running
        suggestions = self.work.suggestions
        reason = problem
        if not reason and suggestions is None:
            reason = "Pairs are being looked for."
        elif not reason and suggestions is not None and not suggestions.times:
            reason = "No particles touch at any time; allow a larger gap."
        self.run_bar.set_blocked(reason)
        self.choice.click_button.setToolTip(
            problem or "Then click one particle and the other in the picture. Esc cancels."
        )
        wait = "A run is under way." if running else ""
        self.save.set_blocked(wait if self._places() else NOTHING_MEASURED)

    # -- suggestions -----------------------------------------------------------------------

    def _gap_changed(self) -> None:
        self.work.set_gap(self.choice.gap.value())
        self.choice.show_list(None, self.book)
        self._update()

    def _show_suggestions(self) -> None:
        suggestions = self.work.suggestions
        self.choice.show_list(suggestions, self.book)
        self.choice.choose(self._pair)
        if suggestions is not None and self._pair is None:
            count = len(suggestions.times)
            what = f"{count} pairs touch" if count != 1 else "1 pair touches"
            self.run_bar.say(
                f"{what}. Press Click two particles, choose a suggested pair, or measure all."
                if count
                else "No particles touch at any time; allow a larger gap."
            )
        self._update()

    # -- clicks ----------------------------------------------------------------------------

    def _picking_changed(self, on: bool) -> None:
        self._first = None
        self.marks.unchoose()
        self.marks.picking = on
        self._describe()
        if on:
            self._look_at(self.picker.layer)
            self.marks.prepare()
            # now, so that the picture does not move under the mouse after the second click
            self._show_plots()
            self._tell("Click the first particle; Esc ends.")

    def _escape(self) -> None:
        if self._first is None:
            self.choice.stop()
        else:
            self._first = None
            self.marks.unchoose()
            self._tell("Cancelled. Click the first particle; Esc ends.")

    def _clicked(self, picked: Picked) -> None:
        first = self._first
        if picked.label == 0:
            self._tell("That is background; click on a particle.")
        elif first is None:
            self._first = picked
            self.marks.choose(*self.work.circle(picked.label, picked.time, picked.place))
            self._tell(f"Particle {picked.label}. Click its neighbour; Esc cancels.")
        elif first.label == picked.label:
            self._tell(f"Particle {picked.label} again; click another one.")
        else:
            self._first = None
            self.marks.unchoose()
            self._tell(f"Measuring particles {first.label} and {picked.label}...")
            self._choose_pair((first.label, picked.label))

    # -- one pair --------------------------------------------------------------------------

    def _choose_pair(self, pair: PairKey, jump: bool = False) -> None:
        """Look at a pair; `jump` moves the viewer to the slice with its neck."""
        if self.work.item is not None:
            self._jump = jump
            self.work.measure((min(pair), max(pair)), self.marks.time_shown())

    def _show(self, found: Found) -> None:
        """Show a measurement, and follow the pair over time if that is new."""
        if self.book is None or self._closed:
            return
        key, section = found.key, found.neck.section
        if section is None and not self.work.expects(key):
            self._tell(
                f"{key[0]} and {key[1]} do not touch (gap {found.neck.gap_nm:.3g} nm); not added."
            )
            return
        new = self.work.enter(found)
        self._pair = key
        title = f"{self.book.name(key)}: particles {key[0]} and {key[1]}"
        if isinstance(self.work.item, TimeSeries):
            title += f", {self.work.item.label(found.time)}"
        self.views.show_found(found, title, self.work.surface_note)
        if self.in_front:
            self.marks.show(found.neck)
        if self._jump and section is not None:
            self._go_to_slice(section.origin_nm)
        self._jump = False
        if self.marks.picking and self._first is None:
            self._tell(f"{self.book.name(key)} measured. Click the next pair; Esc ends.")
        self.choice.choose(key)
        self.plots.mark(found.time, self.place)
        self.table.select(self.place)
        if new:
            self.choice.show_list(self.work.suggestions, self.book)
            self.choice.choose(key)
            self._refresh()
            self.work.follow_soon()

    def _redraw(self) -> None:
        """Show again what was hidden while another panel was in front."""
        known = self.work.known(self.place)
        if known is not None and self.in_front:
            self.marks.show(known.neck)
        self._show_plots()

    def _show_nothing(self) -> None:
        self.views.show_nothing()
        self.marks.show(None)

    def _go_to_slice(self, place_nm: np.ndarray) -> None:
        """Move the viewer to the slice across the beam in which a place lies."""
        dims, size = self.viewer.dims, float(self.work.items[0].pixel_size_nm or 1.0)
        if dims.ndisplay == 2:
            dims.set_current_step(dims.ndim - 3, round(float(place_nm[0]) / size))

    def slider_moved(self, _event: Any = None) -> None:
        """Follow the viewer's time slider."""
        time = self.marks.time_shown()
        if self.book is None or time == self._time:
            return
        self._time = time
        if self._first is not None:
            # the circle would be around where the particle was
            sphere = self.work.sphere(self._first.label, time)
            if sphere is not None:
                self.marks.choose(*sphere)
        self.plots.mark(time, self.place)
        self.table.select(self.place)
        if self._pair is not None:
            self._choose_pair(self._pair, self._jump)

    def _go_to(self, place: RowKey) -> None:
        """Go to a pair and time, from a plot or the table."""
        layer = self.picker.layer
        self._pair, self._jump = place[0], True
        if layer is not None and layer.ndim > 3:
            self.viewer.dims.set_current_step(self.viewer.dims.ndim - layer.ndim, place[1])
        self.plots.mark(place[1], place)
        self.table.select(place)
        self._choose_pair(place[0], jump=True)

    # -- all times, all pairs --------------------------------------------------------------

    def _measure_all(self) -> None:
        self.work.add_all()
        if not self.run_bar.runner.running:
            self.run_bar.say("All suggested pairs are in the table already.")

    def _run_finished(self, result: Any, _seconds: float) -> None:
        said, self._said = self._said, ""
        if isinstance(result, list) and not said and self.book is not None:
            names = [self.book.name(k) for k in result if k in self.book.pairs]
            who = names[0] if len(names) == 1 else f"{len(names)} pairs"
            times = self.book.n_times
            at = f" at {times} times" if times > 1 else ""
            said = f"{who} measured{at}. A click on a point or a row goes there."
            if self._pair is None and names:
                # something to look at
                self._choose_pair(result[0], jump=True)
        self.run_bar.say(said)
        self.choice.show_list(self.work.suggestions, self.book)
        self.choice.choose(self._pair)
        self._refresh()
        self.work.follow()

    def _run_cancelled(self) -> None:
        self._said = ""
        self.run_bar.say("Cancelled. What was measured before stays in the table.")
        self.work.forget_unmeasured()
        self._refresh()

    def _refresh(self) -> None:
        """Make table, plots and growth laws agree with what is known."""
        known = self.work.times_known
        self.views.rows.refresh(known)
        self.plots.mark(self.marks.time_shown(), self.place)
        self.plots.show_rows(self._table(), self._places(), known)
        self.table.select(self.place)
        self._show_plots()
        self._update()
        self.work.analyse()

    def _rows_changed(self) -> None:
        """Show what is left after rows were removed, or are back."""
        if self._pair is not None and self.book is not None and self._pair not in self.book.pairs:
            self.work.quick.drop()
            self._pair = None
            self._show_nothing()
        self.choice.show_list(self.work.suggestions, self.book)
        self.choice.choose(self._pair)
        self._refresh()

    def _write(self, work: Callable[[Progress], Any], said: str) -> None:
        self._said = f"{said}."
        self.run_bar.start(work)
