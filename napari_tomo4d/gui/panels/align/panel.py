"""The panel *Align*: find the shifts between tilts, judge them, correct them, apply them."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import napari
import numpy as np
from qtpy.QtWidgets import QApplication, QDockWidget, QFileDialog

from napari_tomo4d.align import (
    FoundShifts,
    path_of_all_times,
    read_shifts,
    shift_files,
    write_shifts,
)
from napari_tomo4d.data import AnyTiltSeries, TiltSeries, times_of
from napari_tomo4d.errors import Tomo4DError
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.canvas.place import go_to, shown_index, time_shown
from napari_tomo4d.gui.panels.align.comparer import Comparer, Picture, Wish
from napari_tomo4d.gui.panels.align.comparison_view import MEAN, ComparisonView
from napari_tomo4d.gui.panels.align.correction_box import STEPS_PX, CorrectionBox
from napari_tomo4d.gui.panels.align.model import (
    APPLY,
    FIND,
    AlignmentEdits,
    Place,
    Shifts,
    description_of,
    find_shifts,
    found_text,
    name_of_tilt,
    notes_of,
    place_of_files,
    position_of,
    problem_of,
    tilt_at,
)
from napari_tomo4d.gui.panels.align.shifts_box import ShiftsBox
from napari_tomo4d.gui.panels.base import Panel
from napari_tomo4d.gui.widgets.keys import REDO, UNDO, Keys, arrow_keys
from napari_tomo4d.gui.widgets.messages import NO_SERIES
from napari_tomo4d.gui.widgets.run_bar import RunBar, format_seconds
from napari_tomo4d.gui.widgets.save_dialog import ask_where
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.pipeline import STEPS
from napari_tomo4d.progress import Progress

_NO_SHIFTS = "Find shifts or load an alignment first."
_KEYS = "Click the picture; then arrow keys move this tilt by 1 px, with Shift by 0.1 px."
_FILES = "Alignment (*.json *.csv *.xf)"
_RUNNING = "A run is under way."


_ShiftsOf = Callable[[AnyTiltSeries, Progress], tuple[FoundShifts, AnyTiltSeries | None]]


@dataclass(frozen=True, eq=False)
class _Search:
    """The shifts of a series, its name in the viewer, and its aligned images if they were made."""

    item: AnyTiltSeries
    name: str
    found: FoundShifts
    aligned: AnyTiltSeries | None


class AlignPanel(Panel):
    """Find shifts, look at them, correct them by hand, and make the aligned layer."""

    title = "Align"
    sentence = "Moves the images of a tilt series onto each other. Needs one image per tilt."
    refill_steps = (FIND, APPLY)

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        # by data object, so that looking at another layer loses nothing
        self._edits: weakref.WeakKeyDictionary[AnyTiltSeries, AlignmentEdits] = (
            weakref.WeakKeyDictionary()
        )
        self._view_dock: QDockWidget | None = None
        self.view = ComparisonView()
        self.view.seen.connect(self._compare)
        self.view.mode_changed.connect(self._compare)
        self.view.plot.chosen.connect(self.go_to)
        self.comparer = Comparer(self)
        self.comparer.made.connect(self._show_picture)
        self.comparer.failed.connect(self.view.show_error)
        self.build_series_input(self._input_changed)
        self._build_boxes()
        self.build_recipe_buttons()
        self.body.addStretch()
        self.run_bar = RunBar("Apply")
        self.run_bar.clicked.connect(self._apply)
        self.run_bar.runner.started.connect(self._update)
        for signal in (self.run_bar.runner.failed, self.run_bar.runner.cancelled):
            signal.connect(lambda *_: self._update())
        self.run_bar.runner.finished.connect(self._finished)
        self.foot.addWidget(self.run_bar)
        self._input_changed()

    def _build_boxes(self) -> None:
        self.shifts_box = ShiftsBox("1. Shifts", STEPS[FIND])
        self.shifts_box.changed.connect(self._update)
        self.shifts_box.find_pressed.connect(self._find)
        self.shifts_box.load_pressed.connect(self._load)
        self.shifts_box.save_pressed.connect(self._save_as)
        self.correction = CorrectionBox("2. Check, and correct by hand")
        self.correction.nudged.connect(self.nudge)
        self.correction.undo.connect(self._undo)
        self.correction.redo.connect(self._redo)
        self.correction.bridged.connect(self._take_from_neighbours)
        self.correction.left_out.connect(self._leave_out)
        self.correction.next_suspect.connect(self._next_suspect)
        keys = Keys(self, {UNDO: self._undo, REDO: self._redo, **arrow_keys(self._press_arrow)})
        for widget in (self.correction, self.view):
            keys.watch(widget)
        for box in (self.shifts_box, self.correction):
            self.body.addWidget(box)

    # -- state -----------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether something runs, or the pictures are not up to date yet."""
        return self.run_bar.runner.running or self.comparer.busy

    @property
    def edits(self) -> AlignmentEdits:
        """What was done so far to the chosen series."""
        return self._edits_of(self.picker.item)

    @property
    def shifts(self) -> Shifts | None:
        """The shifts as they are, if there are any."""
        return self.edits.shifts

    def _edits_of(self, item: AnyTiltSeries | None) -> AlignmentEdits:
        return AlignmentEdits() if item is None else self._edits.setdefault(item, AlignmentEdits())

    @property
    def _times(self) -> tuple[TiltSeries, ...]:
        return () if self.picker.item is None else times_of(self.picker.item)

    @property
    def place(self) -> Place:
        """The time point and the tilt that the viewer's sliders are at."""
        layer = self.picker.layer
        if layer is None:
            return 0, 0
        time = time_shown(self.viewer, layer)
        position = shown_index(self.viewer, layer)[-3]
        return time, tilt_at(self._times[time].angles_deg, self._angles_shown(time), position)

    def _angles_shown(self, time: int) -> np.ndarray:
        """Return the angles that the slider counts: the aligned layer may have fewer."""
        active = self.viewer.layers.selection.active
        item = None if active is None else item_of(active)
        others = () if item is None else times_of(item)
        if time < len(others) and isinstance(others[time], TiltSeries):
            return others[time].angles_deg
        return self._times[time].angles_deg

    def go_to(self, tilt: int) -> None:
        """Move the viewer's slider to a tilt of the time point that is looked at."""
        if self.picker.layer is None:
            return
        time, _ = self.place
        position = position_of(self._times[time].angles_deg, self._angles_shown(time), tilt)
        if position is None:
            # left out of the aligned layer, but it is in this one
            self._look_at_input()
            position = tilt
        go_to(self.viewer, self.picker.layer, -3, position)

    def _go_to_place(self, place: Place) -> None:
        """Go to where a change was made or undone, if that is at one place."""
        if place is not None and place != self.place:
            if len(self._times) > 1:
                go_to(self.viewer, self.picker.layer, 0, place[0])
            self.go_to(place[1])

    def _look_at_input(self) -> None:
        layer = self.picker.layer
        for other in self.session.layers(TiltSeries):
            other.visible = other is layer
        self.viewer.layers.selection.active = layer

    def _problem(self) -> str:
        """Say why the chosen layer can't be aligned; empty if it can."""
        return problem_of(self._times) if self._times else NO_SERIES

    def _fixed(self) -> str:
        """Say why nothing can be corrected by hand; empty if it can."""
        if self.shifts is None:
            return self._problem() or _NO_SHIFTS
        return _RUNNING if self.run_bar.runner.running else ""

    # -- showing ---------------------------------------------------------------------------

    def _input_changed(self) -> None:
        self.input_changed()
        problem, item = self._problem(), self.picker.item
        if problem or item is None:
            self.hint.setText(problem)
        else:
            self.hint.setText(description_of(self._times, item.provenance))
        self._update()

    def _update(self, *_: object) -> None:
        """Make everything agree with the state."""
        problem = self._problem()
        running = _RUNNING if self.run_bar.runner.running else ""
        source = self.edits.describe(self.shifts_box.values())
        self.shifts_box.show_state(problem, running, self._fixed(), source)
        self.run_bar.set_blocked(problem or ("" if self.shifts is not None else _NO_SHIFTS))
        self._show_place()

    def _show_place(self) -> None:
        """Show the shift of the tilt that is looked at, and its pictures."""
        shifts, fixed = self.shifts, self._fixed()
        if shifts is None:
            self.comparer.forget()
            self.view.show_nothing()
            # a search that was undone can be done again
            blocked = self._problem() or self.run_bar.runner.running
            self.correction.show_nothing(fixed, "" if blocked else self.edits.undo_stack.redo_text)
            return
        (time, tilt), stack = self.place, self.edits.undo_stack
        angles = self._times[time].angles_deg
        self.correction.show_tilt(
            angles[tilt], shifts, (time, tilt), fixed, stack.undo_text, stack.redo_text
        )
        self.view.plot.show_shifts(angles, shifts, time)
        self.view.plot.show_tilt(tilt)
        self._compare()

    def _compare(self) -> None:
        """Have the picture made that is wanted, if it can be seen."""
        if self.shifts is not None and self.view.isVisible():
            series, mean = self._times[self.place[0]], self.view.mode == MEAN
            self.comparer.want(Wish(series, self.shifts, self.place, mean))

    def _show_picture(self, picture: Picture) -> None:
        series, shifts = picture.wish.series, picture.wish.shifts
        if picture.pair is not None:
            one, other = (series.angles_deg[k] for k in (picture.pair.tilt, picture.pair.other))
            self.view.show_pair(picture.pair, (f"{one:+.1f}°", f"{other:+.1f}°"), _KEYS)
        elif picture.mean is not None:
            left_out = shifts.left_out_mask(picture.wish.place[0])
            self.view.show_mean(picture.mean, int((~left_out).sum()), _KEYS)

    # -- in front or not -------------------------------------------------------------------

    def came_to_front(self) -> None:
        """Show the comparison below the canvas, once there is one."""
        self.picker.refresh()
        self._update()
        if self.shifts is not None:
            self.show_view()

    def went_behind(self) -> None:
        """Take the comparison away."""
        if self._view_dock is not None:
            self._view_dock.hide()

    def slider_moved(self, _event: object = None) -> None:
        """Show another tilt."""
        self._show_place()

    def show_view(self) -> None:
        """Dock the view below the canvas, or show it again."""
        if self._view_dock is None:
            self._view_dock = self.dock_below(self.view, "Alignment")
        self._view_dock.show()
        self._view_dock.raise_()

    # -- changes, all of which can be undone -------------------------------------------------

    def _change(self, text: str, shifts: Shifts) -> None:
        item = self.picker.item
        assert item is not None, "what changes shifts is disabled without a series"
        text = f"{text} {name_of_tilt(item, self.place)}"
        self.edits.change(text, shifts, self.place)
        self._update()

    def _press_arrow(self, down: int, right: int, fine: bool) -> None:
        coarse_px, fine_px = STEPS_PX
        step = fine_px if fine else coarse_px
        self.nudge(step * down, step * right)

    def nudge(self, dy: float, dx: float) -> None:
        """Move the tilt that is looked at by (dy, dx) pixels."""
        reason = self._fixed()
        if reason or self.shifts is None:
            self.run_bar.say(reason)
            return
        self._change("move tilt", self.shifts.nudged(self.place, dy, dx))

    def _take_from_neighbours(self) -> None:
        if self.shifts is not None and not self._fixed():
            angles = self._times[self.place[0]].angles_deg
            shifts = self.shifts.between_neighbours(angles, self.place)
            self._change("interpolate tilt", shifts)

    def _leave_out(self, on: bool) -> None:
        shifts = self.shifts
        if shifts is not None and not self._fixed() and shifts.same_tilts_everywhere:
            shifts = shifts.with_left_out(self.place[1], on)
            self._change("leave out tilt" if on else "take in tilt", shifts)

    def _undo(self) -> None:
        self._went_to(self.edits.undo_stack.undo)

    def _redo(self) -> None:
        self._went_to(self.edits.undo_stack.redo)

    def _went_to(self, change: Any) -> None:
        """Undo or redo a change, and look at where that was made."""
        if not self.run_bar.runner.running:
            place = change()
            self._go_to_place(place)
            self._update()

    def _next_suspect(self) -> None:
        if self.shifts is None:
            return
        time, tilt = self.place
        suspects = self.shifts.suspects(time)
        if len(suspects):
            later = suspects[suspects > tilt]
            self.go_to(int(later[0] if len(later) else suspects[0]))

    # -- finding and files -------------------------------------------------------------------

    def _find(self) -> None:
        values = self.shifts_box.values()
        self._search(lambda item, progress: find_shifts(item, values, progress))

    def _search(self, shifts_of: _ShiftsOf) -> None:
        """Have the shifts of the chosen series found, or read."""
        item, layer = self.picker.item, self.picker.layer
        assert item is not None, "the button is disabled without a series"
        assert layer is not None
        name = layer.name
        self.run_bar.start(lambda progress: _Search(item, name, *shifts_of(item, progress)))

    def _load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load alignment", "", _FILES)
        if path:
            self._load_from(path)

    def _load_from(self, path: str) -> None:
        path = path_of_all_times(path, len(self._times))
        self._search(lambda item, _progress: (read_shifts(path, times_of(item)), None))

    def _save_as(self) -> None:
        self._save("Save alignment")

    def _save(self, title: str) -> str:
        """Ask for a file and write the shifts; returns its path, empty if there is none."""
        shifts, layer = self.shifts, self.picker.layer
        if shifts is None or layer is None:
            return ""
        name = f"{layer.name} alignment".replace(" ", "_")
        count = len(shifts.shifts_px)
        path = ask_where(
            self, title, name, "Alignment", ".json", lambda path: shift_files(path, count)
        )
        if not path:
            return ""
        try:
            path = write_shifts(path, self._times, shifts.shifts_px, shifts.found.axes)
        except Tomo4DError as error:
            self.run_bar.say(f"Error: {error}")
            return ""
        self.edits.saved = (shifts.shifts_px, path)
        self.run_bar.say(f"Saved in {place_of_files(path)}. Next: Apply.")
        self._update()
        return path

    # -- run -------------------------------------------------------------------------------

    def _apply(self) -> None:
        item, layer, edits = self.picker.item, self.picker.layer, self.edits
        if edits.shifts is None or item is None or layer is None:
            return
        if edits.needs_file and edits.file is None:
            self.run_bar.say(
                "Not applied: shifts corrected by hand are applied from a file, so that it can "
                "be repeated."
            )
            if not self._save("Save corrected alignment, to apply it"):
                return
        name = f"{layer.name.removesuffix(' aligned')} aligned"

        def work(progress: Progress) -> object:
            return dataclasses.replace(edits.apply(item, progress), name=name)

        self.run_bar.start(work)

    def _finished(self, result: Any, seconds: float) -> None:
        if isinstance(result, _Search):
            self._show_found(result, seconds)
        else:
            self._show_result(result, seconds)

    def _show_found(self, search: _Search, seconds: float) -> None:
        found = search.found
        self._edits_of(search.item).take(found, search.aligned)
        self._update()
        if search.item is not self.picker.item:
            text = f"Shifts of “{search.name}” found; choose it to apply them."
            self._say(text, list(found.messages))
            return
        if self.in_front:
            self.show_view()
        if self.isAncestorOf(QApplication.focusWidget() or self.view):
            # arrow keys work at once, unless the person is busy elsewhere
            self.view.setFocus()
        self._say(found_text(found, format_seconds(seconds)), list(found.messages))

    def _show_result(self, item: AnyTiltSeries, seconds: float) -> None:
        notes = notes_of(item)
        # nobody aligns twice
        with self.picker.staying():
            layer = self.add_result(item)
        self._update()
        self._say(f"“{layer.name}” in {format_seconds(seconds)}. Next: Tilt axis.", notes)

    def _say(self, text: str, notes: list[str]) -> None:
        self.run_bar.say(text, notes)

    def refill(self, done: dict[str, Parameters]) -> str:
        """Fill the form, or load the file, as for a layer; returns why it could not."""
        if FIND in done:
            self.shifts_box.set_values(done[FIND])
            self._update()
            return ""
        if APPLY in done:
            if self._problem():
                return self._problem()
            self._load_from(str(done[APPLY]["path"]))
            return ""
        return "The selected layer was not aligned here."

    def close_work(self) -> None:
        """Cancel whatever runs, and leave the viewer alone from now on."""
        self.comparer.forget()
        super().close_work()
