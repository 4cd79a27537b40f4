"""The panel *Align*: find the shifts between tilts, judge them, correct them, apply them."""

from __future__ import annotations

import dataclasses
import weakref
from typing import Any

import napari
import numpy as np
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QApplication,
    QFileDialog,
)

from napari_tomo4d.align.shift_files import (
    load,
    name_of,
    save,
    told_of,
    with_all_times,
)
from napari_tomo4d.data import TiltSeries, TimeSeries
from napari_tomo4d.errors import Tomo4DError
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.canvas.place import shown_index, time_shown
from napari_tomo4d.gui.panels.align.comparison_view import AlignmentView
from napari_tomo4d.gui.panels.align.correction_box import STEPS_PX, CorrectionBox
from napari_tomo4d.gui.panels.align.model import (
    APPLY,
    FIND,
    Origin,
    State,
    Work,
    apply,
    between_neighbours,
    description_of,
    find,
    found_text,
    notes_of,
    problem_of,
    with_notes,
)
from napari_tomo4d.gui.panels.align.shifts_box import ShiftsBox
from napari_tomo4d.gui.panels.base import Panel
from napari_tomo4d.gui.panels.clean.summary import times_of
from napari_tomo4d.gui.widgets.keys import REDO, UNDO, Keys, arrow_keys
from napari_tomo4d.gui.widgets.run_bar import RunBar, format_seconds
from napari_tomo4d.pipeline import STEPS
from napari_tomo4d.progress import Progress

_NO_SHIFTS = "Find shifts or load an alignment first."
_KEYS = "Click the picture; then arrow keys move this tilt by 1 px, with Shift by 0.1 px."
_FILES = "Alignment (*.json *.csv *.xf)"


class AlignPanel(Panel):
    """Find shifts, look at them, correct them by hand, and make the aligned layer."""

    title = "Align"
    sentence = "Moves the images of a tilt series onto each other. Needs one image per tilt."
    refill_steps = (FIND, APPLY)

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        # by data object, so that looking at another layer loses nothing
        self._works: weakref.WeakKeyDictionary[Any, Work] = weakref.WeakKeyDictionary()
        self._view_dock: Any = None
        self._following = False
        self.view = AlignmentView()
        self.view.seen.connect(self._follow)
        self.view.plot.chosen.connect(self.go_to)
        self.build_series_input(self._input_changed)
        self._build_form()
        self._build_correction()
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

    # -- building --------------------------------------------------------------------------

    def _build_form(self) -> None:
        self.form_box = ShiftsBox("1. Shifts", STEPS[FIND])
        self.form, self.source = self.form_box.form, self.form_box.source
        self.find_button, self.load_button = self.form_box.find_button, self.form_box.load_button
        self.save_alignment_button = self.form_box.save_button
        self.form_box.changed.connect(self._update)
        self.form_box.find_pressed.connect(self._find)
        self.form_box.load_pressed.connect(self._load)
        self.form_box.save_pressed.connect(lambda: self._save())
        self.body.addWidget(self.form_box)

    def _build_correction(self) -> None:
        self.correction = CorrectionBox("2. Check, and correct by hand")
        self.correction.nudged.connect(self.nudge)
        self.correction.undo.connect(self._undo)
        self.correction.redo.connect(self._redo)
        keys = Keys(self, {UNDO: self._undo, REDO: self._redo, **arrow_keys(self._press_arrow)})
        for widget in (self.correction, self.view):
            keys.watch(widget)
        self.correction.bridged.connect(self._take_from_neighbours)
        self.correction.left_out.connect(self._leave_out)
        self.correction.next_suspect.connect(self._next_suspect)
        self.body.addWidget(self.correction)

    # -- state -----------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether something runs, or the pictures are not up to date yet."""
        return self.run_bar.runner.running or self.view.busy

    @property
    def work(self) -> Work:
        """What was done so far to the chosen series."""
        item = self.picker.item
        return Work() if item is None else self._works.setdefault(item, Work())

    @property
    def state(self) -> State | None:
        """The shifts as they are, if there are any."""
        return self.work.state

    @property
    def place(self) -> tuple[int, int]:
        """The time point and the tilt that the viewer's sliders are at."""
        layer, times = self.picker.layer, times_of(self.picker.item)
        if layer is None:
            return 0, 0
        time = time_shown(self.viewer, layer)
        angles, shown = times[time].angles_deg, self._angles_shown(time)
        tilt = min(shown_index(self.viewer, layer)[-3], len(shown) - 1)
        if shown is not angles:
            tilt = int(np.argmin(np.abs(angles - shown[tilt])))
        return time, tilt

    def _angles_shown(self, time: int) -> np.ndarray:
        """Return the angles that the slider counts: the aligned layer may have fewer."""
        own = times_of(self.picker.item)[time].angles_deg
        active = self.viewer.layers.selection.active
        others = times_of(None if active is None else item_of(active))
        if time < len(others) and isinstance(others[time], TiltSeries):
            shown = others[time].angles_deg
            return own if np.array_equal(shown, own) else shown
        return own

    def go_to(self, tilt: int) -> None:
        """Move the viewer's slider to a tilt of the chosen series."""
        if self.picker.layer is None:
            return
        time, _ = self.place
        wanted, shown = times_of(self.picker.item)[time].angles_deg[tilt], self._angles_shown(time)
        step = tilt
        if len(shown) != len(times_of(self.picker.item)[time]):
            if not np.isclose(shown, wanted, atol=1e-6).any():
                # not in the aligned layer, but it is in this one
                self._look_at_input()
            else:
                step = int(np.argmin(np.abs(shown - wanted)))
        self.viewer.dims.set_current_step(self.viewer.dims.ndim - 3, step)

    def _look_at_input(self) -> None:
        layer = self.picker.layer
        for other in self.session.layers(TiltSeries):
            other.visible = other is layer
        self.viewer.layers.selection.active = layer

    def _problem(self) -> str:
        """Say why the chosen layer can't be aligned; empty if it can."""
        return problem_of(times_of(self.picker.item))

    def _fixed(self) -> str:
        """Say why nothing can be corrected by hand; empty if it can."""
        if self.state is None:
            return self._problem() or _NO_SHIFTS
        if self.run_bar.runner.running:
            return "A run is under way."
        return ""

    def _input_changed(self) -> None:
        times, problem = times_of(self.picker.item), self._problem()
        text = problem or description_of(times, self.picker.item.provenance)
        self.hint.setText(text)
        self._update()

    def _update(self, *_: Any) -> None:
        """Make everything agree with the state."""
        problem, state = self._problem(), self.state
        running = "A run is under way." if self.run_bar.runner.running else ""
        source = self.work.describe(self.form.values())
        self.form_box.show_state(problem, running, self._fixed(), source)
        self.run_bar.set_blocked(problem or ("" if state is not None else _NO_SHIFTS))
        self._show_place()

    def _show_place(self) -> None:
        """Show the shift of the tilt that is looked at, and its pictures."""
        state, times = self.state, times_of(self.picker.item)
        time, tilt = self.place
        fixed = self._fixed()
        if state is None:
            self.view.reset()
            self.correction.show_nothing(fixed)
            return
        series, stack = times[time], self.work.undo
        self.correction.show_tilt(
            series.angles_deg[tilt],
            state,
            (time, tilt),
            fixed,
            (stack.undo_text, stack.redo_text),
        )
        self.view.look_at(series, state, time, tilt, _KEYS)

    # -- following the viewer --------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Follow the viewer's sliders only while open: a closed dock is just hidden."""
        super().showEvent(event)
        self._follow()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop following the sliders, unless the view does."""
        super().hideEvent(event)
        self._follow()

    def _follow(self) -> None:
        wanted = not self._closed and (self.isVisible() or self.view.isVisible())
        if wanted and not self._following:
            self.viewer.dims.events.current_step.connect(self._slider_moved)
            self._following = True
            self._slider_moved()
        elif self._following and not wanted:
            self.viewer.dims.events.current_step.disconnect(self._slider_moved)
            self._following = False

    def _slider_moved(self, _event: Any = None) -> None:
        self._show_place()

    def show_view(self) -> None:
        """Dock the view below the canvas, or show it again."""
        if self._view_dock is None:
            self._view_dock = self.dock_below(self.view, "Alignment")
        self._view_dock.show()
        self._view_dock.raise_()

    # -- changes, all of which can be undone -------------------------------------------------

    def _set_state(self, item: Any, state: State | None) -> None:
        self._works.setdefault(item, Work()).state = state
        if item is self.picker.item:
            self._update()

    def _change(self, text: str, state: State, item: Any = None) -> None:
        item = self.picker.item if item is None else item
        work = self._works.setdefault(item, Work())
        before = work.state
        if before is not None and before.origin is not state.origin:
            # undoing brings the shifts back; the images can be made again
            before.origin.result = None
        # what is only remembered must not keep a series in memory
        series, place = weakref.ref(item), self.place

        def back_to(wanted: State | None) -> None:
            self._set_state(series(), wanted)
            if series() is self.picker.item and work.state is not None and before is not None:
                # another time point may be looked at by now
                self._show_time(place)

        work.undo.push(text, lambda: back_to(before), lambda: back_to(state))
        self._set_state(item, state)

    def _show_time(self, place: tuple[int, int]) -> None:
        """Go to a tilt of another time point, if that is not the one looked at."""
        if isinstance(self.picker.item, TimeSeries) and place != self.place:
            dims = self.viewer.dims
            dims.set_current_step(dims.ndim - 4, place[0])
            self.go_to(place[1])

    def _press_arrow(self, down: int, right: int, fine: bool) -> None:
        coarse_px, fine_px = STEPS_PX
        step = fine_px if fine else coarse_px
        self.nudge(step * down, step * right)

    def nudge(self, dy: float, dx: float) -> None:
        """Move the tilt that is looked at by (dy, dx) pixels."""
        state, (time, tilt) = self.state, self.place
        reason = self._fixed()
        if reason or state is None:
            self.run_bar.say(reason)
            return
        shift = state.shifts_px[state.time(time)][tilt] + (dy, dx)
        self._change(f"move tilt {self._name(tilt)}", state.moved(time, tilt, shift))

    def _take_from_neighbours(self) -> None:
        state, (time, tilt) = self.state, self.place
        if state is not None and not self._fixed():
            shift = between_neighbours(state, self._angles, time, tilt)
            self._change(f"interpolate tilt {self._name(tilt)}", state.moved(time, tilt, shift))

    def _leave_out(self, gone: bool) -> None:
        state, (_, tilt) = self.state, self.place
        if state is not None and not self._fixed() and state.alike:
            verb = "leave out" if gone else "take in"
            self._change(f"{verb} tilt {self._name(tilt)}", state.without(tilt, gone))

    def _undo(self) -> None:
        if not self.run_bar.runner.running:
            self.work.undo.undo()

    def _redo(self) -> None:
        if not self.run_bar.runner.running:
            self.work.undo.redo()

    def _next_suspect(self) -> None:
        state, (time, tilt) = self.state, self.place
        if state is None:
            return
        suspects = np.flatnonzero(state.origin.suspect[state.time(time)])
        if len(suspects):
            later = suspects[suspects > tilt]
            self.go_to(int(later[0] if len(later) else suspects[0]))

    @property
    def _angles(self) -> np.ndarray:
        return times_of(self.picker.item)[self.place[0]].angles_deg

    def _name(self, tilt: int) -> str:
        item, (time, _) = self.picker.item, self.place
        when = f" of {item.label(time)}" if isinstance(item, TimeSeries) else ""
        return f"{self._angles[tilt]:+.1f}°{when}"

    # -- finding and files -------------------------------------------------------------------

    def _find(self) -> None:
        item, values = self.picker.item, self.form.values()
        self.run_bar.start(lambda progress: (item, find(item, values, progress)))

    def _load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load alignment", "", _FILES)
        if path:
            self._load_from(path)

    def _load_from(self, path: str) -> None:
        item = self.picker.item
        times = times_of(item)
        self.run_bar.start(lambda _progress: (item, load(with_all_times(path, len(times)), times)))

    def _save(self, title: str = "Save alignment") -> str:
        """Ask for a file and write the shifts; returns its path, empty if there is none."""
        state, layer = self.state, self.picker.layer
        if state is None or layer is None:
            return ""
        name = f"{layer.name} alignment.json".replace(" ", "_")
        path, _ = QFileDialog.getSaveFileName(self, title, name, "Alignment (*.json)")
        if not path:
            return ""
        path = path if path.lower().endswith(".json") else f"{path}.json"
        try:
            axes = state.origin.axes or (None,) * len(state.shifts_px)
            path = save(path, times_of(self.picker.item), state.shifts_px, axes)
        except Tomo4DError as error:
            self.run_bar.say(f"Error: {error}")
            return ""
        self.work.saved = (state.shifts_px, path)
        self.run_bar.say(f"Saved in {told_of(path)}. Next: Apply.")
        self._update()
        return path

    # -- run -------------------------------------------------------------------------------

    def _apply(self) -> None:
        item, state, layer = self.picker.item, self.state, self.picker.layer
        if state is None or layer is None:
            return
        path = None
        if state.origin.path is not None or state.n_edited:
            path = self.work.file or self._save("Save corrected alignment, to apply it")
            if not path:
                if not self.run_bar.status.text().startswith("Error"):
                    self.run_bar.say(
                        "Not applied: shifts corrected by hand are applied from a file, so that "
                        "it can be repeated."
                    )
                return
        name = f"{layer.name.removesuffix(' aligned')} aligned"

        def work(progress: Progress) -> Any:
            return layer, dataclasses.replace(apply(item, state, path, progress), name=name)

        self.run_bar.start(work)

    def _finished(self, result: Any, seconds: float) -> None:
        source, made = result
        if isinstance(made, Origin):
            self._show_found(source, made, seconds)
        else:
            self._show_result(source, made, seconds)

    def _show_found(self, item: Any, origin: Origin, seconds: float) -> None:
        text = "find shifts" if origin.path is None else f"load {name_of(origin.path)}"
        self._change(text, State.of(origin), item)
        self.show_view()
        if self.isAncestorOf(QApplication.focusWidget() or self.view):
            # arrow keys work at once, unless the person is busy elsewhere
            self.view.setFocus()
        if origin.path is not None:
            n = len(origin.shifts_px[0])
            said = f"Shifts of {n} tilts loaded. Next: look at them below the viewer, then Apply."
        else:
            said = found_text(origin, format_seconds(seconds))
        self._say(said, list(origin.said))

    def _show_result(self, source: Any, item: Any, seconds: float) -> None:
        notes = notes_of(item)
        layer = self.add_result(item)
        # nobody aligns twice
        self.picker.choose(source)
        self._say(f"“{layer.name}” in {format_seconds(seconds)}. Next: Tilt axis.", notes)

    def _say(self, text: str, notes: list[str]) -> None:
        self.run_bar.say(with_notes(text, notes))
        self.run_bar.status.setToolTip("\n".join(notes))

    def refill(self, done: dict[str, dict[str, Any]]) -> str:
        """Fill the form, or load the file, as for a layer; returns why it could not."""
        if FIND in done:
            self.form.set_values(done[FIND])
            self._update()
            return ""
        if APPLY in done:
            if self._problem():
                return self._problem()
            self._load_from(str(done[APPLY]["path"]))
            return ""
        return "The selected layer was not aligned here."

    def close_work(self) -> None:
        """Cancel whatever runs, and stop following the sliders."""
        self._closed = True
        self._follow()
        self.view.reset()
        self.view.runner.wait()
        super().close_work()
