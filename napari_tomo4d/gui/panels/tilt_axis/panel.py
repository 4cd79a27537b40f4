"""The panel *Tilt axis*: move the axis until three live slices are sharp, then accept it."""

from __future__ import annotations

import dataclasses
import weakref
from typing import TYPE_CHECKING, Any, cast

import napari
from qtpy.QtWidgets import QComboBox, QDockWidget

from napari_tomo4d.align import TiltAxis, tilt_axis
from napari_tomo4d.data import AnyData, TiltSeries, at_time, is_series
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.canvas.place import time_shown
from napari_tomo4d.gui.panels.base import Panel
from napari_tomo4d.gui.panels.tilt_axis.axis_box import AxisBox
from napari_tomo4d.gui.panels.tilt_axis.axis_line import AxisOverlay
from napari_tomo4d.gui.panels.tilt_axis.live_slices import (
    LiveSlices,
    PaintTimer,
    SliceRequest,
    Slices,
)
from napari_tomo4d.gui.panels.tilt_axis.model import (
    AXIS,
    DIRECTION,
    AxisAndSlices,
    Direction,
    description_of,
    found_text,
    frame_of,
    in_direction,
    problem_of,
    titles_of,
)
from napari_tomo4d.gui.panels.tilt_axis.slices_box import SlicesBox
from napari_tomo4d.gui.panels.tilt_axis.slices_view import SlicesView
from napari_tomo4d.gui.widgets.messages import NO_SERIES
from napari_tomo4d.gui.widgets.run_bar import RunBar, format_seconds
from napari_tomo4d.gui.widgets.wheel import ignore_wheel
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.pipeline import run_steps
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import collect_notes, collect_warnings

if TYPE_CHECKING:
    from napari.layers import Layer


_FIRST, _SHOWN = range(2)


class TiltAxisPanel(Panel):
    """Place three slices, move or search the axis while they follow, accept it."""

    title = "Tilt axis"
    sentence = (
        "Finds where the tilt axis is. Needs an aligned tilt series. Drag the pink line, or press "
        "Suggest; particles in the slices are sharp, without arcs, where it is right."
    )
    refill_steps = (AXIS, DIRECTION)

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.found: TiltAxis | None = None
        self._view_dock: QDockWidget | None = None
        # by layer, so that looking at another one loses nothing
        self._places: weakref.WeakKeyDictionary[Layer, AxisAndSlices] = weakref.WeakKeyDictionary()
        # what the file has, and the same in the direction that was chosen
        self._source: TiltSeries | None = None
        self._series: TiltSeries | None = None
        self.view = SlicesView()
        self.view.nudged.connect(self._nudge)
        self.view.shift_chosen.connect(lambda shift: self._move(shift_px=shift))
        self.view.rotation_chosen.connect(lambda rotation: self._move(rotation_deg=rotation))
        self.overlay = AxisOverlay(self.viewer, self)
        self.overlay.moved.connect(self.set_axis)
        self.overlay.placed.connect(self._place_slice)
        self.overlay.released.connect(self._mouse_released)
        self.clock = PaintTimer(self)
        self.clock.painted.connect(self.overlay.catch_up)
        self.clock.told.connect(self.view.speed.setText)
        self.live = LiveSlices(self)
        self.live.ready.connect(self._show_slices)
        self.live.failed.connect(lambda text: self.run_bar.say(f"Error: {text}"))
        self._build_input()
        self._build_boxes()
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
        self.time.currentIndexChanged.connect(lambda _: self._time_changed())
        self._input_form = self.build_series_input(self._input_changed)
        self._input_form.addRow("Time point", self.time)

    def _build_boxes(self) -> None:
        self.axis_box = AxisBox()
        self.axis_box.direction_chosen.connect(self._choose_direction)
        self.axis_box.changed.connect(self.set_axis)
        self.axis_box.suggest_pressed.connect(self._suggest)
        self.axis_box.reset_pressed.connect(self._reset)
        self.slices_box = SlicesBox()
        self.slices_box.placing.connect(self._placing_changed)
        self.slices_box.typed.connect(self._position_typed)
        self.slices_box.changed.connect(self._kind_changed)
        self.slices_box.brightened.connect(self.view.brighten)
        for box in (self.axis_box, self.slices_box):
            self.body.addWidget(box)

    # -- in front or not -------------------------------------------------------------------

    def came_to_front(self) -> None:
        """Draw over the image only while this panel is the one that is looked at."""
        self.picker.refresh()
        self._look_at_input()

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
        return (
            self.run_bar.runner.running or self.live.busy or self.clock.busy or self.overlay.behind
        )

    @property
    def series(self) -> TiltSeries | None:
        """What is looked at: the tilt series or one of its time points, in the direction chosen."""
        return self._series

    @property
    def place(self) -> AxisAndSlices | None:
        """Where the axis and the slices are, for the chosen layer."""
        layer = self.picker.layer
        return None if layer is None else self._places.get(layer)

    def _series_looked_at(self) -> TiltSeries | None:
        """Return the chosen series, or its time point, as the file has it."""
        item, layer = self.picker.item, self.picker.layer
        if item is None:
            return None
        shown = time_shown(self.viewer, layer) if self.time.currentIndex() == _SHOWN else 0
        return cast(TiltSeries, at_time(item, shown))

    def _problem(self) -> str:
        return NO_SERIES if self._series is None else problem_of(self._series)

    def _input_changed(self) -> None:
        self.input_changed()
        self.found = None
        self.view.forget()
        several = self.picker.item is not None and is_series(self.picker.item)
        for part in (self._input_form.labelForField(self.time), self.time):
            if part is not None:
                part.setVisible(several)
        self.slices_box.stop_placing()
        self._look_at_input()

    def _look_at_input(self) -> None:
        """Take up the chosen layer, with the axis and slices that are remembered for it."""
        layer, series = self.picker.layer, self._series_looked_at()
        if layer is None or series is None or problem_of(series):
            self._source = self._series = series
            self.view.clear_slices()
            self.overlay.remove()
            self._update()
            return
        place = self._places.setdefault(layer, AxisAndSlices.of(series))
        self._take_up(series, place.direction)
        if self.in_front and self._series is not None:
            if not layer.visible:
                for other in self.viewer.layers:
                    if item_of(other) is not None:
                        other.visible = other is layer
            self.overlay.want(place)
            self.overlay.show(layer, frame_of(self._series))
            self.show_view()
        self._put(place)

    def _take_up(self, series: TiltSeries, direction: Direction) -> None:
        # the same object as long as nothing changes: what was prepared for it can be used again
        known = self._series is not None and self._series.tilt_axis == direction
        if not (known and self._source is series):
            self._source, self._series = series, in_direction(series, direction)

    def _time_changed(self) -> None:
        """Show the slices of another time point, if that is another one."""
        place, series = self.place, self._series_looked_at()
        if place is not None and series is not None:
            self._take_up(series, place.direction)
            self._put(place)

    def slider_moved(self, _event: object = None) -> None:
        """Show the slices of another time point."""
        if self.time.currentIndex() == _SHOWN and self._series_looked_at() is not self._source:
            self._time_changed()

    # -- the axis --------------------------------------------------------------------------

    def _put(self, place: AxisAndSlices) -> None:
        """Remember where the axis and slices are, and show it everywhere."""
        series, layer = self._series, self.picker.layer
        if series is None or layer is None:
            return
        self._places[layer] = place
        size = frame_of(series).size
        self.axis_box.fill(place, size[1], series.pixel_size_nm)
        self.slices_box.fill(place, size, series.pixel_size_nm)
        self._update()
        self.view.mark(place.shift_px, place.rotation_deg)
        # the slices first: they are what is looked at, and the canvas takes longer than they do
        self.overlay.want(place)
        if self.in_front and not self._closed and not self._problem():
            self.live.ask(
                SliceRequest(
                    series,
                    place.points_px,
                    place.shift_px,
                    place.rotation_deg,
                    self.slices_box.filtered,
                    place.thickness_px,
                )
            )

    def set_axis(self, shift_px: float, rotation_deg: float) -> None:
        """Move the axis: its distance from the image centre, and its angle to the image axis."""
        if self.place is not None and self._series is not None:
            limit = frame_of(self._series).size[1] / 2
            # as the boxes show it
            shift = round(min(max(shift_px, -limit), limit), 2)
            rotation = round(min(max(rotation_deg, -45.0), 45.0), 2)
            self._put(self.place.with_axis(shift, rotation))

    def _move(self, shift_px: float | None = None, rotation_deg: float | None = None) -> None:
        if self.place is not None:
            shift = self.place.shift_px if shift_px is None else shift_px
            rotation = self.place.rotation_deg if rotation_deg is None else rotation_deg
            self.set_axis(shift, rotation)

    def _nudge(self, shift_px: float, rotation_deg: float) -> None:
        if self.place is not None and not self._problem():
            self.set_axis(self.place.shift_px + shift_px, self.place.rotation_deg + rotation_deg)

    def _choose_direction(self, direction: Direction) -> None:
        series = self._series_looked_at()
        if self.place is None or series is None or direction == self.place.direction:
            return
        self.found = None
        self.view.forget()
        self._places[self.picker.layer] = AxisAndSlices.of(in_direction(series, direction))
        self._look_at_input()
        self.run_bar.say("The slices lie across the other direction now. Press Suggest, or Reset.")

    def _reset(self) -> None:
        series = self._series_looked_at()
        if self.place is not None and series is not None:
            if self.place.direction != series.tilt_axis:
                self._choose_direction(series.tilt_axis)
            self.set_axis(series.axis_shift_px, 0.0)
            self.run_bar.say("The axis is back where it was.")

    def _update(self, *_: object) -> None:
        """Say what can be done now, and why not."""
        problem, series, place = self._problem(), self._series, self.place
        running = "A run is under way." if self.run_bar.runner.running else ""
        if series is None or problem:
            self.hint.setText(problem)
        else:
            self.hint.setText(description_of(series, self.picker.item))
        self.axis_box.show_state(problem, running)
        self.slices_box.setEnabled(not problem)
        self.slices_box.setToolTip(problem)
        reason, own = problem, self._series_looked_at()
        if not problem and place is not None and own is not None and not place.steps(own):
            reason = "The axis is in the centre and upright already. Next: Reconstruct."
        self.run_bar.set_blocked(reason)
        if not reason and not running:
            self.run_bar.run_button.setToolTip(
                "Makes a new layer with the axis in the centre and upright, for all time points."
            )

    # -- slices ----------------------------------------------------------------------------

    def _placing_changed(self, on: bool) -> None:
        self.overlay.placing = on
        if on:
            self.run_bar.say("Click on three small particles, far apart along the axis.")
            self.show_view()

    def _place_slice(self, along: float, across: float) -> None:
        if self.place is not None:
            if self.slices_box.next_slice == len(self.place.points_px) - 1:
                self.run_bar.say(
                    "Now move the axis until the particles are sharp, or press Suggest."
                )
            self._put(self.place.with_point(self.slices_box.take_next(), (along, across)))

    def _position_typed(self, k: int, along: float) -> None:
        if self.place is not None:
            self._put(self.place.with_position(k, along))

    def _kind_changed(self) -> None:
        if self.place is not None:
            self._put(self.place.with_thickness(self.slices_box.thickness_px))

    def _mouse_released(self) -> None:
        # so that arrow keys move the axis and not the slider
        self.view.setFocus()

    def _show_slices(self, slices: Slices) -> None:
        if slices.request.series is self._series and not self._closed:
            titles = titles_of(slices.request.series, slices.positions)
            self.view.show_slices(slices, titles)
            self.clock.shown(slices)

    # -- search and accept -----------------------------------------------------------------

    def _suggest(self, method: str) -> None:
        series = self._series
        if series is None:
            return

        def search(progress: Progress) -> object:
            with collect_warnings() as warnings, collect_notes() as notes:
                found = tilt_axis(series, method, progress=progress)
            return series, found, [*notes, *(f"Note: {w}" for w in warnings)]

        self.show_view()
        self.run_bar.start(search)

    def _accept(self) -> None:
        item, layer, place = self.picker.item, self.picker.layer, self.place
        series = self._series_looked_at()
        if item is None or layer is None or place is None or series is None:
            return
        steps = place.steps(series)
        after = place.accepted(frame_of(in_direction(series, place.direction)))
        name = f"{layer.name.removesuffix(' axis')} axis"

        def accept(progress: Progress) -> object:
            return layer, dataclasses.replace(run_steps(item, steps, progress), name=name), after

        self.run_bar.start(accept)

    def _finished(self, result: Any, seconds: float) -> None:
        source, made, more = result
        if isinstance(made, TiltAxis):
            self._show_found(source, made, more)
        else:
            self._show_accepted(source, made, more, seconds)
        self._update()

    def _show_found(self, series: TiltSeries, found: TiltAxis, notes: list[str]) -> None:
        if series is not self._series:
            return
        self.found = found
        self.view.show_axis(found)
        self.set_axis(found.shift_px, found.rotation_deg)
        said = found_text(found, series.pixel_size_nm)
        self.run_bar.say("\n".join([f"{said} Look at the slices, then Accept.", *notes]))

    def _show_accepted(
        self, source: Layer, item: AnyData, place: AxisAndSlices, seconds: float
    ) -> None:
        layer = self.add_result(item)
        self.picker.choose(layer)
        # the same particles, where they are now
        self._put(place)
        made = item.provenance
        notes = [*made.notes, *(f"Note: {w}" for w in made.warnings)] if made else []
        said = f"“{layer.name}” in {format_seconds(seconds)}, its axis centred and upright."
        again = f"To change it, choose “{source.name}” again."
        self.run_bar.say(f"{said} Next: Reconstruct. {again}", notes)

    def refill(self, done: dict[str, Parameters]) -> str:
        """Fill in direction, shift and rotation; returns why it could not."""
        if self._problem():
            return self._problem()
        if DIRECTION in done:
            self._choose_direction(done[DIRECTION]["direction"])
        if AXIS in done:
            self.set_axis(done[AXIS]["shift_px"], done[AXIS]["rotation_deg"])
        return ""
