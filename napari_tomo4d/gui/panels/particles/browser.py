"""The particles at the time shown: in a table, on the canvas, and each leads to the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QWidget

from napari_tomo4d.data import is_series
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.canvas.place import time_shown
from napari_tomo4d.gui.panels.particles.canvas_clicks import ParticlePicks
from napari_tomo4d.gui.panels.particles.model import ParticlesModel, events_of
from napari_tomo4d.gui.panels.particles.tables import ParticleTables
from napari_tomo4d.gui.work.live_preview import LivePreview
from napari_tomo4d.progress import Progress

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer


class ParticleBrowser(QObject):
    """Measures the particles of a layer at the time shown, and moves the viewer to them.

    Parameters
    ----------
    panel : QWidget
        While it is hidden, nothing is measured.
    viewer : napari.Viewer
    model : ParticlesModel

    Signals
    -------
    failed(text)
        Why nothing could be measured.
    """

    failed = Signal(str)

    def __init__(self, panel: QWidget, viewer: Viewer, model: ParticlesModel) -> None:
        super().__init__(panel)
        self.viewer, self.model = viewer, model
        self.tables = ParticleTables()
        self.picks = ParticlePicks(viewer, self)
        self.layer: Any = None
        self.active = False
        self._then: Callable[[], None] | None = None
        self.live = LivePreview(panel)
        self.live.due.connect(self._measure)
        self.live.finished.connect(self._measured)
        self.live.failed.connect(self.failed)
        self.tables.particle_chosen.connect(self.go_to)
        self.tables.event_chosen.connect(self.go_to_event)
        model.table_changed.connect(self._show_table)
        model.selection_changed.connect(self._show_selection)

    def listen(self, on: bool) -> None:
        """Begin or end to listen to the mouse and to draw on the canvas."""
        self.active = on
        self.picks.listen(on)
        if on:
            self._show_selection()
            self._want_table()
        else:
            self.live.drop()
            self.picks.clear()

    def show_layer(self, layer: Layer | None) -> None:
        """Show the particles of a layer, or of none."""
        self.picks.clear()
        self.layer = self.picks.layer = layer
        self.tables.show_colours(None if layer is None else layer.get_color)
        self.model.show(None if layer is None else item_of(layer), time_shown(self.viewer, layer))
        self._show_events()
        self._want_table()

    def refresh(self) -> None:
        """Show the same layer after its labels were corrected or painted on."""
        self.model.update(item_of(self.layer), time_shown(self.viewer, self.layer))
        self._show_events()
        self._want_table()

    def follow(self) -> None:
        """Show another slice or time, if the sliders have moved to it."""
        self.picks.follow()
        time = time_shown(self.viewer, self.layer)
        if self.model.item is not None and self.model.time != time:
            self.model.look_at(time)
            self._want_table()

    def go_to(self, label: int) -> None:
        """Move the viewer to a particle at the time shown, and choose it."""
        labels = self.model.labels
        centre = None if labels is None else self.model.centre_px(labels, label)
        if centre is not None:
            self._look_at(centre)
            self.model.select(label)

    def go_to_event(self, row: pd.Series) -> None:
        """Go to where something happened: to what is there, or to where it was before."""
        item, model = self.model.item, self.model
        if not is_series(item):
            return
        time, label, other = int(row["time"]), int(row["label"]), int(row["other"] or 0)
        gone = str(row["event"]) in ("lost", "merged")
        now, before = item[time], item[time - 1 if gone else time]

        def find(_progress: Progress) -> object:
            model.measure(before)
            return now, model.measure(now)

        def look() -> None:
            centre = model.centre_px(before, label)
            if centre is not None:
                self._look_at(centre)
            model.select(other if gone else label)

        dims = self.viewer.dims
        dims.set_current_step(dims.ndim - self.layer.ndim, time)
        # the slider has just asked for this time too
        self.live.drop()
        self._then = look
        self.live.start(find)

    def _want_table(self) -> None:
        if self.active and self.model.labels is not None and self.model.table is None:
            self.live.request()

    def _measure(self) -> None:
        labels, model = self.model.labels, self.model
        if labels is not None and self.active:
            self.live.start(lambda _progress: (labels, model.measure(labels)))

    def _measured(self, result: Any, _seconds: float) -> None:
        then, self._then = self._then, None
        self.model.take(*result)
        if then is not None:
            then()

    def _show_table(self) -> None:
        unit = "nm" if self.model.has_size else "px"
        self.tables.show_particles(self.model.table, self.model.title, unit)

    def _show_events(self) -> None:
        self.tables.show_events(events_of(self.model.item), self.model.times)

    def _show_selection(self) -> None:
        self.tables.particles.select(self.model.selected)
        ring = self.model.ring_px if self.active else None
        self.picks.mark(*(ring or (None,)))

    def _look_at(self, centre: np.ndarray) -> None:
        layer, dims, camera = self.layer, self.viewer.dims, self.viewer.scene.camera
        place = (0,) * (layer.ndim - 3) + tuple(centre)
        world = np.asarray(layer.data_to_world(place))[-3:]
        first = dims.ndim - 3
        for axis in dims.not_displayed:
            if axis >= first:
                dims.set_point(axis, world[axis - first])
        shown = [world[a - first] for a in dims.displayed if a >= first]
        camera.center = (*camera.center[: 3 - len(shown)], *shown)
