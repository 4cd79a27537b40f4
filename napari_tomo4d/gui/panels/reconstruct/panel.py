"""The panel *Reconstruct*: an aligned tilt series to a volume, with a live slice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psutil
from qtpy.QtWidgets import QLabel, QPushButton

from napari_tomo4d.data import times_of
from napari_tomo4d.gui.canvas.place import time_shown
from napari_tomo4d.gui.panels.base import Panel
from napari_tomo4d.gui.panels.reconstruct.method_box import MethodBox
from napari_tomo4d.gui.panels.reconstruct.model import (
    Chosen,
    LiveSlice,
    ReconstructModel,
    Region,
    chosen_in,
    describe,
    methods,
    problem_of,
    slices_of_region,
    summary_of,
)
from napari_tomo4d.gui.panels.reconstruct.region_box import RegionBox
from napari_tomo4d.gui.panels.reconstruct.region_rectangle import RegionRectangle
from napari_tomo4d.gui.panels.reconstruct.slice_view import SliceView
from napari_tomo4d.gui.widgets.allow import allow
from napari_tomo4d.gui.widgets.messages import messages_of
from napari_tomo4d.gui.widgets.plots import ImageBox
from napari_tomo4d.gui.widgets.run_bar import RunBar, format_bytes, format_seconds
from napari_tomo4d.gui.widgets.save_dialog import ask_where
from napari_tomo4d.gui.work.live_preview import LivePreview
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.pipeline import run_in_slabs, run_steps
from napari_tomo4d.progress import Progress, Snapshot

if TYPE_CHECKING:
    import napari

_SHARE_OF_MEMORY = 0.5
_TO_FILE = (
    "Reconstructs slab by slab straight into an OME-Zarr file: for volumes larger than the "
    "memory. The layer then reads from the file."
)


class ReconstructPanel(Panel):
    """Choose region, method and parameters on a live slice, then reconstruct all slices."""

    title = "Reconstruct"
    sentence = (
        "Makes a volume of each tilt series. Needs aligned images, one per tilt, dark "
        "background near zero (subtract it in Clean)."
    )

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.model = ReconstructModel()
        self._time_of_slice = -1
        self.rectangle = RegionRectangle(self.viewer, self._region_drawn)
        self.build_series_input(self._input_changed)
        self.region = RegionBox()
        self.region.changed.connect(self._region_changed)
        self.region.draw_wanted.connect(self._draw_region)
        steps = methods()
        self.refill_steps = tuple(step.name for step in steps)
        self.method_box = MethodBox(steps)
        self.method_box.chosen.connect(self._method_chosen)
        self.method_box.changed.connect(self._changed)
        self.body.addWidget(self.region)
        self.body.addWidget(self.method_box)
        self.file_button = QPushButton("To file...")
        self.file_button.clicked.connect(self._run_to_file)
        self.build_recipe_buttons(self.file_button)
        self.body.addStretch()
        self._build_foot()
        self.live = LivePreview(self)
        self.live.due.connect(self._preview)
        self.live.finished.connect(self._show_preview)
        self.live.failed.connect(self.view.say)
        self._input_changed()

    def _build_foot(self) -> None:
        # below the form and always in view: it shows what every change of the form does
        self.view = SliceView()
        self.view.moved.connect(self._changed)
        self.cost = QLabel()
        self.cost.setWordWrap(True)
        self.run_bar = RunBar("Reconstruct", can_finish=True)
        self.run_bar.clicked.connect(self._run)
        runner = self.run_bar.runner
        runner.previewed.connect(self._show_snapshot)
        runner.finished.connect(self._finished)
        # what was shown of the run is gone with it
        runner.cancelled.connect(self._ended)
        runner.failed.connect(self._ended)
        for widget in (self.view, self.cost, self.run_bar):
            self.foot.addWidget(widget)

    @property
    def busy(self) -> bool:
        """Whether something runs, or the live slice is not up to date yet."""
        return self.run_bar.runner.running or self.live.busy

    @property
    def image(self) -> ImageBox:
        """What the live slice is shown in."""
        return self.view.image

    # -- state -----------------------------------------------------------------------------

    def _input_changed(self) -> None:
        changed = self.model.set_item(self.picker.item)
        item, problem = self.model.item, problem_of(self.picker.item)
        ready = item is not None and not problem
        self.hint.setText(describe(item) if ready and item is not None else problem)
        self.run_bar.set_blocked(problem)
        for part in (self.region, self.method_box, self.view):
            part.setEnabled(ready)
        allow(self.file_button, _TO_FILE, problem)
        if changed:
            self.live.drop()
            self.rectangle.hide()
            self.method_box.forget_automatic()
            self._forget_run()
            self.view.clear_section()
        if ready and item is not None and self.model.first is not None:
            self.region.set_image_shape(self.model.first.image_shape)
            self._set_slices(centre=changed)
        self._changed()

    def _forget_run(self) -> None:
        """Empty what the last run has left."""
        if not self.run_bar.runner.running:
            self.view.show_residuals([])
            self.input_changed()

    def _set_slices(self, centre: bool = False) -> None:
        if self.model.first is not None:
            self.view.set_slices(*slices_of_region(self.model.first, self.region.region), centre)

    def _region_changed(self) -> None:
        self.rectangle.set_region(self.region.region)
        self._set_slices()
        self._changed()

    def _draw_region(self) -> None:
        layer = self.picker.layer
        if layer is not None:
            self.rectangle.show(self.region.region, not self.region.steps(), layer)

    def _region_drawn(self, region: Region) -> None:
        self.region.set_region(*region)
        self._set_slices()
        self._changed()

    def _method_chosen(self) -> None:
        self._forget_run()
        self._changed()

    def _changed(self) -> None:
        self._update_cost()
        if self.method_box.isEnabled():
            self.live.request()

    @property
    def method(self) -> Chosen:
        """Name and parameters of the chosen method."""
        return self.method_box.step.name, self.method_box.form.values()

    def _update_cost(self) -> None:
        if self.run_bar.runner.running:
            # it tells of the run
            return
        if not self.method_box.isEnabled():
            self.cost.clear()
            return
        expected = self.model.expect(self.method_box.step, self.method[1], self.region.shape)
        if expected is None:
            self.cost.setText("What this method needs is not known.")
            return
        free = psutil.virtual_memory().available
        needed = expected.memory_bytes
        text = f"Needs {format_bytes(needed)} of {format_bytes(free)} free"
        if expected.seconds is not None:
            text += f", about {format_seconds(expected.seconds)}"
        if needed > 0.9 * free:
            text += ". Too much: reconstruct to a file or a smaller region, or bin in Clean"
        self.cost.setText(text + ".")

    # -- live slice ------------------------------------------------------------------------

    def came_to_front(self) -> None:
        """Show the slice of the time that is looked at by now."""
        self.slider_moved()

    def went_behind(self) -> None:
        """Take the rectangle away."""
        self.rectangle.hide()

    def slider_moved(self, _event: object = None) -> None:
        """Show the live slice of another time."""
        if self.method_box.isEnabled() and self._time != self._time_of_slice:
            self.live.request()

    @property
    def _time(self) -> int:
        return time_shown(self.viewer, self.picker.layer)

    def _preview(self) -> None:
        if not self.method_box.isEnabled() or self.run_bar.runner.running:
            return
        self._time_of_slice = self._time
        before, index = self.region.steps(), self.view.index
        first = self.view.first if before else 0
        self.live.start(self.model.look(self._time, before, self.method, index, first))

    def _show_preview(self, found: LiveSlice, _seconds: float) -> None:
        if self.model.take(found):
            self.view.show_section(found.section, found.title)
            self._update_cost()

    # -- run -------------------------------------------------------------------------------

    def _run(self) -> None:
        item, steps = self.model.item, [*self.region.steps(), self.method]
        assert item is not None, "the button is disabled without a series"
        self._start(lambda progress: (item, run_steps(item, steps, progress)))

    def _run_to_file(self) -> None:
        item = self.model.item
        if item is None or self.run_bar.runner.running:
            return
        path = ask_where(self, "Reconstruct to", "volume", "OME-Zarr", ".ome.zarr")
        if not path:
            return
        before, (name, parameters) = self.region.steps(), self.method
        memory = _SHARE_OF_MEMORY * psutil.virtual_memory().available

        def work(progress: Progress) -> object:
            prepared = run_steps(item, before, progress.part(0, 20)) if before else item
            return item, run_in_slabs(
                name,
                prepared,
                parameters,
                path,
                memory_bytes=memory,
                overwrite=True,
                progress=progress,
            )

        self._start(work)

    def _start(self, work: Callable[[Progress], object]) -> None:
        self.live.drop()
        self.view.show_residuals([])
        self.run_bar.start(work)

    def _show_snapshot(self, snapshot: Snapshot) -> None:
        self.view.show_section(snapshot.section, "section across the beam so far (px)")
        if len(snapshot.residuals):
            self.view.show_residuals(snapshot.residuals)

    def _ended(self, *_: object) -> None:
        self.view.show_residuals([])
        self._changed()

    def _finished(self, done: Any, seconds: float) -> None:
        item, result = done
        self.rectangle.hide()
        layer = self.add_result(result)
        if item is self.model.item:
            self.method_box.fill_automatic(result.provenance.step, chosen_in(result))
            self.view.show_residuals(times_of(result)[0].residuals)
        else:
            # what was shown of the run belongs to another series
            self.view.show_residuals([])
        parts = [f"“{layer.name}” in {format_seconds(seconds)}", summary_of(result)]
        said = ", ".join(p for p in parts if p) + ". Next: Segment."
        self.run_bar.say(said, messages_of(result))
        self._changed()

    def refill(self, done: dict[str, Parameters]) -> str:
        """Fill in the method, its parameters and the region; returns why it could not."""
        if not self.method_box.set_steps(done):
            return "The selected layer was not made by a reconstruction."
        self.region.set_steps(done)
        self._region_changed()
        return ""
