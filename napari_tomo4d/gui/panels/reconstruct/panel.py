"""The panel *Reconstruct*: an aligned tilt series to a volume, with a live slice."""

from __future__ import annotations

from typing import Any

import napari
import psutil
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QLabel,
    QPushButton,
    QSlider,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_tomo4d.data import TiltSeries, TimeSeries
from napari_tomo4d.gui.canvas.place import time_shown
from napari_tomo4d.gui.panels.base import Panel
from napari_tomo4d.gui.panels.reconstruct.region_box import PreparationBox
from napari_tomo4d.gui.widgets.form import ParameterForm
from napari_tomo4d.gui.widgets.messages import NO_SERIES
from napari_tomo4d.gui.widgets.plots import CurveBox, ImageBox
from napari_tomo4d.gui.widgets.run_bar import RunBar, format_bytes, format_seconds
from napari_tomo4d.gui.widgets.wheel import ignore_wheel
from napari_tomo4d.gui.work.live_preview import LivePreview
from napari_tomo4d.pipeline import STEPS, run_in_slabs, run_step, run_steps, steps_of
from napari_tomo4d.progress import Progress, Snapshot
from napari_tomo4d.reconstruct import estimate, ray_sums_per_second, slices_of

_METHODS = steps_of("reconstruct")
_PREVIEW_ITERATIONS = 30
_PREVIEW_WEIGHT = 0.03
_SHARE_OF_MEMORY = 0.5


class ReconstructPanel(Panel):
    """Choose region, method and parameters on a live slice, then reconstruct all slices."""

    title = "Reconstruct"
    sentence = (
        "Makes a volume of each tilt series. Needs aligned images, one per tilt, dark "
        "background near zero."
    )
    refill_steps = tuple(step.name for step in _METHODS)

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self._filling = False
        self._prepared: tuple[Any, Any] = (None, None)
        self._speed = 0.0
        self.build_series_input(self._input_changed)
        self._build_region()
        self._build_method()
        self._build_preview()
        self.cost = QLabel()
        self.cost.setWordWrap(True)
        self.foot.addWidget(self.cost)
        self.run_bar = RunBar("Reconstruct", can_finish=True)
        self.run_bar.clicked.connect(self._run)
        self.run_bar.runner.previewed.connect(self._show_snapshot)
        self.run_bar.runner.finished.connect(self._finished)
        self.foot.addWidget(self.run_bar)
        self._build_results()
        self.body.addStretch()
        self.live = LivePreview(self)
        self.live.due.connect(self._preview)
        self.live.finished.connect(self._show_preview)
        self.live.failed.connect(self._show_note)
        self._input_changed()

    # -- building --------------------------------------------------------------------------

    def _build_region(self) -> None:
        self.preparation = PreparationBox(self.viewer, lambda: self.picker.layer)
        self.preparation.changed.connect(self._changed)
        self.body.addWidget(self.preparation)

    def _build_method(self) -> None:
        self.method_box = QGroupBox("Method")
        form = QFormLayout(self.method_box)
        self.method = QComboBox()
        self.forms = QStackedWidget()
        for step in sorted(_METHODS, key=lambda s: s.name != "reconstruct.sirt"):
            self.method.addItem(step.title, step)
            page = ParameterForm(step)
            page.changed.connect(self._changed)
            self.forms.addWidget(page)
        self.method.setToolTip("How the volume is computed.")
        ignore_wheel(self.method)
        self.method.currentIndexChanged.connect(self._method_changed)
        form.addRow("Method", self.method)
        form.addRow(self.forms)
        self.body.addWidget(self.method_box)

    def _build_preview(self) -> None:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(3, 3, 3, 3)
        self.slice = QSlider(Qt.Orientation.Horizontal)
        self.slice.setToolTip("Which slice across the tilt axis is shown.")
        self.slice.valueChanged.connect(self._changed)
        ignore_wheel(self.slice)
        self.image = ImageBox()
        self.image.setToolTip("A slice across the tilt axis; the beam comes from above.")
        self.preview_note = QLabel()
        self.preview_note.setWordWrap(True)
        self.preview_note.setVisible(False)
        for widget in (self.slice, self.image, self.preview_note):
            layout.addWidget(widget)
        self.curve = CurveBox("iteration", "relative residual")
        # below the form and always in view: it shows what every change of the form does
        self.views = QTabWidget()
        self.views.addTab(page, "Live slice")
        self.views.addTab(self.curve, "Residual")
        self.foot.addWidget(self.views)

    def _build_results(self) -> None:
        self.file_button = QPushButton("To file...")
        self.file_button.setToolTip(
            "Reconstructs slab by slab straight into an OME-Zarr file: for volumes larger than "
            "the memory. The layer then reads from the file."
        )
        self.file_button.clicked.connect(self._run_to_file)
        self.build_recipe_buttons(self.file_button)

    @property
    def busy(self) -> bool:
        """Whether something runs, or the live slice is not up to date yet."""
        return self.run_bar.runner.running or self.live.busy

    # -- state -----------------------------------------------------------------------------

    @property
    def _first(self) -> TiltSeries | None:
        item = self.picker.item
        return item[0] if isinstance(item, TimeSeries) else item

    def _input_changed(self) -> None:
        series = self._first
        ready = series is not None and max(series.frames_per_tilt) == 1 and len(series) > 1
        if series is None:
            text = NO_SERIES
        elif max(series.frames_per_tilt) > 1:
            text = "This series has several frames per tilt: load it again with averaging."
        elif len(series) < 2:
            text = "This series has a single tilt, which is not enough."
        else:
            low, high = series.angles_deg.min(), series.angles_deg.max()
            n_y, n_x = series.image_shape
            text = f"{len(series)} tilts of {n_y} x {n_x} px, {low:g} to {high:g}°"
            if isinstance(self.picker.item, TimeSeries):
                text += f", {len(self.picker.item)} time points"
        self.hint.setText(text)
        self.run_bar.set_blocked("" if ready else text)
        for box in (self.preparation, self.method_box, self.views):
            box.setEnabled(ready)
        if ready and series is not None:
            self._filling = True
            self.preparation.set_limits(series.image_shape)
            self._filling = False
            self._set_slices(centre=True)
            self._changed()

    def _set_slices(self, centre: bool = False) -> None:
        series = self._first
        if series is None:
            return
        n_y, n_x = self.preparation.result_shape
        n = max(1, n_y if series.tilt_axis == "y" else n_x)
        blocked = self.slice.blockSignals(True)
        keep = self.slice.value()
        self.slice.setRange(0, n - 1)
        self.slice.setValue(n // 2 if centre else min(keep, n - 1))
        self.slice.blockSignals(blocked)

    def _method_changed(self, index: int) -> None:
        self.forms.setCurrentIndex(index)
        self._changed()

    def _changed(self, *_: Any) -> None:
        if self._filling or not self.method_box.isEnabled():
            return
        self._set_slices()
        self._update_cost()
        self.live.request()

    def method_and_parameters(self) -> tuple[str, dict[str, Any]]:
        """Return the chosen method's name and its parameters."""
        form = self.forms.currentWidget()
        return form.step.name, form.values()

    def _update_cost(self) -> None:
        series = self._first
        if series is None:
            return
        name, parameters = self.method_and_parameters()
        times = len(self.picker.item) if isinstance(self.picker.item, TimeSeries) else 1
        together = STEPS[name].together
        cost = estimate(
            len(series),
            self.preparation.result_shape,
            parameters.get("thickness"),
            series.tilt_axis,
            name.split(".")[1],
            parameters.get("iterations") or _PREVIEW_ITERATIONS,
            times if together else 1,
        )
        needed = cost.memory_bytes
        if not together:
            # finished volumes of a time series stay in memory
            n_y, n_x = self.preparation.result_shape
            depth = parameters.get("thickness") or (n_x if series.tilt_axis == "y" else n_y)
            needed += 4 * (times - 1) * depth * n_y * n_x
        free = psutil.virtual_memory().available
        text = f"Needs {format_bytes(needed)} of {format_bytes(free)} free"
        if self._speed:
            runs = 1 if together else times
            text += f", about {format_seconds(runs * cost.ray_sums / self._speed)}"
        if needed > 0.9 * free:
            text += ". Too much: reconstruct to a file, or choose a smaller region or binning"
        self.cost.setText(text + ".")

    # -- preview ---------------------------------------------------------------------------

    def _key(self) -> tuple[Any, ...]:
        return self.picker.item, self._time(), repr(self.preparation.steps())

    def _time(self) -> int:
        """Return the time point that is looked at."""
        return time_shown(self.viewer, self.picker.layer)

    def slider_moved(self, _event: Any = None) -> None:
        """Show the live slice of another time."""
        if self._prepared[0] != self._key():
            self._changed()

    def _preview(self) -> None:
        item = self.picker.item
        if item is None or self.run_bar.runner.running:
            return
        series = item[self._time()] if isinstance(item, TimeSeries) else item
        key, prepared = self._key(), self._prepared
        steps, index = self.preparation.steps(), self.slice.value()
        name, parameters = self.method_and_parameters()
        if "iterations" in parameters:
            wanted = parameters["iterations"] or _PREVIEW_ITERATIONS
            parameters["iterations"] = min(wanted, _PREVIEW_ITERATIONS)
        if "weight" in parameters and parameters["weight"] is None:
            # choosing it takes longer than a person waits for a preview
            parameters["weight"] = _PREVIEW_WEIGHT

        def preview(progress: Progress) -> Any:
            ready = prepared[1] if prepared[0] == key else run_steps(series, steps, progress)
            volume = run_step(name, slices_of(ready, index, index + 1), parameters, progress)
            if isinstance(volume, TimeSeries):
                volume = volume[0]
            section = volume.data[:, 0] if ready.tilt_axis == "y" else volume.data[:, :, 0]
            return key, ready, section, index, parameters, ray_sums_per_second()

        self.live.start(preview)

    def _show_preview(self, result: Any, seconds: float) -> None:
        key, ready, section, index, parameters, self._speed = result
        self._prepared = (key, ready)
        along = "y" if ready.tilt_axis == "y" else "x"
        title = f"slice {along} = {index} (px)"
        if "iterations" in parameters:
            title += f", {parameters['iterations']} iterations"
        if "weight" in parameters:
            title += f", weight {parameters['weight']:g}"
        self.image.show_image(section, title)
        self._show_note("")
        self._update_cost()

    def _show_note(self, text: str) -> None:
        self.preview_note.setText(text)
        self.preview_note.setVisible(bool(text))

    # -- run -------------------------------------------------------------------------------

    def _run(self) -> None:
        item = self.picker.item
        self.live.drop()
        steps = [*self.preparation.steps(), self.method_and_parameters()]
        self.curve.show_curve([])
        self.run_bar.start(lambda progress: run_steps(item, steps, progress))

    def _run_to_file(self) -> None:
        item = self.picker.item
        if item is None or self.run_bar.runner.running:
            return
        path, _ = QFileDialog.getSaveFileName(
            self, "Reconstruct to", "volume.ome.zarr", "OME-Zarr (*.zarr)"
        )
        if not path:
            return
        self.live.drop()
        before = self.preparation.steps()
        name, parameters = self.method_and_parameters()
        memory = _SHARE_OF_MEMORY * psutil.virtual_memory().available
        path = path if path.endswith(".zarr") else f"{path}.ome.zarr"

        def work(progress: Progress) -> Any:
            prepared = run_steps(item, before, progress.part(0, 20)) if before else item
            return run_in_slabs(
                name,
                prepared,
                parameters,
                path,
                memory_bytes=memory,
                overwrite=True,
                progress=progress,
            )

        self.curve.show_curve([])
        self.run_bar.start(work)

    def _show_snapshot(self, snapshot: Snapshot) -> None:
        self.image.show_image(snapshot.section, "section across the beam so far (px)")
        if len(snapshot.residuals):
            self.curve.show_curve(snapshot.residuals)

    def _finished(self, result: Any, seconds: float) -> None:
        layer = self.add_result(result)
        first = result[0] if isinstance(result, TimeSeries) else result
        text = f"“{layer.name}” in {format_seconds(seconds)}"
        if len(first.residuals):
            self.curve.show_curve(first.residuals)
            text += f", residual {first.residuals[-1]:.4f} after {len(first.residuals)} iterations"
        made = result.provenance
        notes = [*made.notes, *(f"Note: {w}" for w in made.warnings)] if made else []
        self.run_bar.say("\n".join([text + ".", *notes]))
        self.live.request()

    def refill(self, done: dict[str, dict[str, Any]]) -> str:
        """Fill in the method, its parameters and the preparation; returns why it could not."""
        methods = [self.method.itemData(i).name for i in range(self.method.count())]
        method = next((m for m in methods if m in done), None)
        if method is None:
            return "The selected layer was not made by a reconstruction."
        self._filling = True
        self.method.setCurrentIndex(methods.index(method))
        self.forms.setCurrentIndex(methods.index(method))
        self.forms.currentWidget().set_values(done[method])
        self.preparation.set_steps(done)
        self._filling = False
        self._changed()
        return ""
