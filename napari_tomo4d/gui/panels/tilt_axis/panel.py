"""The panel *Tilt axis*: move the axis until three live slices are sharp, then accept it."""

from __future__ import annotations

import dataclasses
import weakref
from typing import Any

import napari
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import (
    QComboBox,
)

from napari_tomo4d.align import TiltAxis, tilt_axis
from napari_tomo4d.data import TiltSeries, TimeSeries
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.canvas.place import time_shown
from napari_tomo4d.gui.panels.base import Panel
from napari_tomo4d.gui.panels.tilt_axis.axis_box import AxisBox
from napari_tomo4d.gui.panels.tilt_axis.axis_line import AxisFrame, AxisOverlay
from napari_tomo4d.gui.panels.tilt_axis.live_slices import FrameClock, LiveSlices, Slices, Wish
from napari_tomo4d.gui.panels.tilt_axis.model import (
    Place,
    description_of,
    found_text,
    problem_of,
    start_place,
    titles_of,
    upright,
)
from napari_tomo4d.gui.panels.tilt_axis.slices_box import SlicesBox
from napari_tomo4d.gui.panels.tilt_axis.slices_view import AxisView
from napari_tomo4d.gui.widgets.run_bar import RunBar, format_seconds
from napari_tomo4d.gui.widgets.wheel import ignore_wheel
from napari_tomo4d.pipeline import run_steps
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import collecting, noting

_STEP = "align.apply_axis"


class TiltAxisPanel(Panel):
    """Place three slices, move or search the axis while they follow, accept it."""

    title = "Tilt axis"
    sentence = (
        "Finds where the tilt axis is. Needs an aligned tilt series. Drag the pink line, or press "
        "Suggest; particles in the slices are sharp, without arcs, where it is right."
    )
    refill_steps = (_STEP,)

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.found: TiltAxis | None = None
        self._view_dock: Any = None
        self._places: weakref.WeakKeyDictionary[Any, Place] = weakref.WeakKeyDictionary()
        self._series: TiltSeries | None = None
        self.view = AxisView()
        self.view.nudged.connect(self._nudge)
        self.view.shift_chosen.connect(self._choose_shift)
        self.view.rotation_chosen.connect(self._choose_rotation)
        self.overlay = AxisOverlay(self.viewer, self)
        self.overlay.moved.connect(self.set_axis)
        self.overlay.placed.connect(self._place_slice)
        self.overlay.released.connect(self._mouse_released)
        self.clock = FrameClock(self)
        self.clock.painted.connect(self.overlay.catch_up)
        self.clock.told.connect(self.view.speed.setText)
        self.live = LiveSlices(self)
        self.live.ready.connect(self._show_slices)
        self.live.failed.connect(self._show_failure)
        self._build_input()
        self._build_axis()
        self._build_slices()
        self.build_recipe_buttons()
        self.body.addStretch()
        self.run_bar = RunBar("Accept")
        self.run_bar.clicked.connect(self._accept)
        runner = self.run_bar.runner
        for signal in (runner.started, runner.failed, runner.cancelled):
            signal.connect(self._update)
        runner.finished.connect(self._finished)
        self.foot.addWidget(self.run_bar)
        self._input_changed()

    # -- building --------------------------------------------------------------------------

    def _build_input(self) -> None:
        self.time = QComboBox()
        self.time.addItems(["first", "the one shown"])
        self.time.setToolTip(
            "Where the axis is looked for. The accepted axis is applied to all time points."
        )
        ignore_wheel(self.time)
        self.time.currentIndexChanged.connect(self._time_changed)
        self._input_form = self.build_series_input(self._input_changed)
        self._input_form.addRow("Time point", self.time)

    def _build_axis(self) -> None:
        self.axis_box = AxisBox()
        self.axis_box.changed.connect(self._axis_changed)
        self.shift, self.rotation = self.axis_box.shift, self.axis_box.rotation
        self.suggest_button = self.axis_box.suggest_button
        self.reset_button = self.axis_box.reset_button
        self.suggest_button.clicked.connect(self._suggest)
        self.reset_button.clicked.connect(self._reset)
        self.body.addWidget(self.axis_box)

    def _build_slices(self) -> None:
        self.slices_box = SlicesBox()
        self.slices_box.placing.connect(self._placing_changed)
        self.slices_box.typed.connect(self._position_typed)
        self.slices_box.changed.connect(self._slices_changed)
        self.slices_box.brightened.connect(self.view.brighten)
        self.body.addWidget(self.slices_box)

    # -- in front or not -------------------------------------------------------------------

    def came_to_front(self) -> None:
        """Draw over the image only while this panel is the one that is looked at."""
        self.picker.refresh()
        self._input_changed()

    def went_behind(self) -> None:
        """Take the axis and the slices away."""
        self.slices_box.stop_placing()
        self.overlay.remove()
        if self._view_dock is not None:
            self._view_dock.hide()

    def show_view(self) -> None:
        """Dock the slices below the canvas, or show them again."""
        if self._view_dock is None:
            self._view_dock = self.dock_below(self.view, "Slices across the tilt axis")
        self._view_dock.show()
        self._view_dock.raise_()

    def close_work(self) -> None:
        """Cancel whatever runs, and leave the viewer alone from now on."""
        super().close_work()
        self.live.forget()

    # -- state -----------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether something runs, or the slices are not up to date yet."""
        return self.run_bar.runner.running or self.live.busy or self.clock.busy

    @property
    def series(self) -> TiltSeries | None:
        """What is looked at: the tilt series, or one of its time points."""
        return self._series

    def _chosen_series(self) -> TiltSeries | None:
        item, layer = self.picker.item, self.picker.layer
        if not isinstance(item, TimeSeries):
            return item
        if self.time.currentIndex() == 0:
            return item[0]
        return item[time_shown(self.viewer, layer)]

    def _problem(self) -> str:
        return problem_of(self._series)

    def _input_changed(self) -> None:
        layer = self.picker.layer
        self._series = self._chosen_series()
        problem = self._problem()
        ready = not problem
        series = self._series
        self.found = None
        self.view.curves.hide()
        self._input_form.labelForField(self.time).setVisible(
            isinstance(self.picker.item, TimeSeries)
        )
        self.time.setVisible(isinstance(self.picker.item, TimeSeries))
        self.hint.setText(problem or description_of(series, self.picker.item))
        for box in (self.axis_box, self.slices_box):
            box.setEnabled(ready)
            box.setToolTip(problem)
        self.slices_box.stop_placing()
        if not ready or series is None:
            self.overlay.remove()
            self._update()
            return
        if layer not in self._places:
            self._places[layer] = start_place(series)
        self._fill(self._places[layer], self._frame)
        if self.in_front:
            self._look_at(layer)
        self._axis_changed()

    def _look_at(self, layer: Any) -> None:
        """Show the layer with the axis drawn over it, and the slices below."""
        if not layer.visible:
            for other in self.viewer.layers:
                if item_of(other) is not None:
                    other.visible = other is layer
        place = self._places[layer]
        self.overlay.want(place.shift, place.rotation, place.points)
        self.overlay.show(layer, self._frame)
        self.show_view()

    @property
    def _frame(self) -> AxisFrame:
        assert self._series is not None
        return AxisFrame(self._series.image_shape, self._series.tilt_axis)

    def _fill(self, place: Place, frame: AxisFrame) -> None:
        """Put what is remembered of a series into the form."""
        across = frame.size[1]
        with QSignalBlocker(self.axis_box):
            self.shift.setRange(-across / 2, across / 2)
        self.axis_box.fill(place.shift, place.rotation)
        self.slices_box.fill(place, frame)

    def _place(self) -> Place | None:
        layer = self.picker.layer
        return None if layer is None else self._places.get(layer)

    def _time_changed(self, _index: int = 0) -> None:
        self._series = self._chosen_series()
        self._axis_changed()

    def slider_moved(self, _event: Any = None) -> None:
        """Show the slices of another time point."""
        if isinstance(self.picker.item, TimeSeries) and self.time.currentIndex() == 1:
            series = self._chosen_series()
            if series is not self._series:
                self._series = series
                self._slices_changed()

    # -- the axis --------------------------------------------------------------------------

    def set_axis(self, shift: float, rotation: float) -> None:
        """Move the axis: pixels from the image centre, and degrees."""
        self.axis_box.fill(shift, rotation)
        self._axis_changed()

    def _nudge(self, shift: float, rotation: float) -> None:
        if self.axis_box.isEnabled():
            self.set_axis(self.shift.value() + shift, self.rotation.value() + rotation)

    def _choose_shift(self, shift: float) -> None:
        self.set_axis(shift, self.rotation.value())

    def _choose_rotation(self, rotation: float) -> None:
        self.set_axis(self.shift.value(), rotation)

    def _axis_changed(self) -> None:
        place = self._place()
        if place is None:
            return
        place.shift, place.rotation = self.shift.value(), self.rotation.value()
        self._slices_changed()

    def _reset(self) -> None:
        series = self._series
        if series is not None:
            self.set_axis(series.axis_shift_px, 0.0)
            self.run_bar.say("The axis is back where it was.")

    def _update(self, *_: Any) -> None:
        """Say what can be done now, and why not."""
        problem = self._problem()
        series, running = self._series, self.run_bar.runner.running
        reason = problem
        if not problem and self.shift.value() == 0 and self.rotation.value() == 0:
            reason = "The axis is in the centre and upright already. Next: Reconstruct."
        self.run_bar.set_blocked(reason)
        if not reason and not running:
            self.run_bar.run_button.setToolTip(
                "Makes a new layer with the axis in the centre and upright, for all time points."
            )
        self.suggest_button.setEnabled(not running and not problem)
        self.suggest_button.setToolTip(
            problem
            or ("A run is under way." if running else "Searches the axis and shows the curves.")
        )
        size = None if series is None else series.pixel_size_nm
        self.axis_box.show_nm(size)
        self.slices_box.show_nm(size)

    # -- slices ----------------------------------------------------------------------------

    def _placing_changed(self, on: bool) -> None:
        self.overlay.placing = on
        if on:
            self.run_bar.say("Click on three small particles, far apart along the axis.")
            self.show_view()

    def _place_slice(self, along: float, across: float) -> None:
        place = self._place()
        if place is None:
            return
        place.points[self.slices_box.take_next(along)] = (along, across)
        if self.slices_box.next_slice == 0:
            self.run_bar.say("Now move the axis until the particles are sharp, or press Suggest.")
        self._slices_changed()

    def _position_typed(self, k: int, value: float) -> None:
        place = self._place()
        if place is None:
            return
        place.points[k] = (value, place.points[k][1])
        self._slices_changed()

    def _mouse_released(self) -> None:
        # so that arrow keys move the axis and not the slider
        self.view.setFocus()

    def _slices_changed(self, *_: Any) -> None:
        place, series = self._place(), self._series
        if place is None or series is None or self._problem():
            return
        place.thickness = self.slices_box.thickness.value()
        self._update()
        self.view.mark(place.shift, place.rotation)
        # the slices first: they are what is looked at, and the canvas takes longer than they do
        self.overlay.want(place.shift, place.rotation, place.points)
        if self.in_front and not self._closed:
            points, turn = tuple(place.points), place.rotation
            filtered = self.slices_box.filtered
            wish = Wish(series, points, place.shift, turn, filtered, place.thickness)
            self.live.ask(wish)

    def _show_slices(self, slices: Slices) -> None:
        if slices.wish.series is not self._series or self._closed:
            return
        self.view.show_slices(slices, titles_of(slices.wish.series, slices.positions))
        self.clock.shown(slices)

    def _show_failure(self, text: str) -> None:
        self.run_bar.say(f"Error: {text}")

    # -- search and accept -----------------------------------------------------------------

    def _suggest(self) -> None:
        series, method = self._series, self.axis_box.method.currentText()
        if series is None:
            return

        def search(progress: Progress) -> Any:
            with collecting() as warnings, noting() as notes:
                found = tilt_axis(series, method, progress=progress)
            return series, found, [*notes, *(f"Note: {w}" for w in warnings)]

        self.show_view()
        self.run_bar.start(search)

    def _accept(self) -> None:
        item, layer = self.picker.item, self.picker.layer
        steps = [(_STEP, {"shift_px": self.shift.value(), "rotation_deg": self.rotation.value()})]
        name = f"{layer.name.removesuffix(' axis')} axis"

        def accept(progress: Progress) -> Any:
            return dataclasses.replace(run_steps(item, steps, progress), name=name)

        self.run_bar.start(accept)

    def _finished(self, result: Any, seconds: float) -> None:
        if isinstance(result, tuple):
            self._show_found(*result)
        else:
            self._show_accepted(result, seconds)
        self._update()

    def _show_found(self, series: TiltSeries, found: TiltAxis, notes: list[str]) -> None:
        if series is not self._series:
            return
        self.found = found
        self.view.show_axis(found)
        self.set_axis(found.shift_px, found.rotation_deg)
        said = found_text(found, series.pixel_size_nm)
        self.run_bar.say("\n".join([f"{said} Look at the slices, then Accept.", *notes]))

    def _show_accepted(self, item: Any, seconds: float) -> None:
        source, place = self.picker.layer, self._place()
        layer = self.add_result(item)
        self.picker.choose(layer)
        new = self._places.get(layer)
        if place is not None and new is not None and self._series is not None:
            # the same particles, where they are now
            frame = AxisFrame(self._series.image_shape, self._series.tilt_axis)
            new.points = [upright(frame, p, place) for p in place.points]
            new.thickness = place.thickness
            self._fill(new, frame)
            self._slices_changed()
        made = item.provenance
        notes = [*made.notes, *(f"Note: {w}" for w in made.warnings)] if made else []
        said = f"“{layer.name}” in {format_seconds(seconds)}, its axis centred and upright."
        again = f"To change it, choose “{source.name}” again."
        self.run_bar.say("\n".join([f"{said} Next: Reconstruct. {again}", *notes]))

    def refill(self, done: dict[str, dict[str, Any]]) -> str:
        """Fill in shift and rotation; returns why it could not."""
        if _STEP not in done:
            return "The axis of the selected layer was not set by this panel."
        if self._problem():
            return self._problem()
        self.set_axis(done[_STEP]["shift_px"], done[_STEP]["rotation_deg"])
        return ""
