"""The particles at the time shown: in a table, on the canvas, and each leads to the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QWidget

from napari_tomo4d.data import TimeSeries
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.canvas.place import time_shown
from napari_tomo4d.gui.panels.particles.canvas_clicks import ParticlePicks
from napari_tomo4d.gui.panels.particles.model import (
    centre_px,
    events_of,
    known_table,
    labels_of,
    particles_of,
    when,
)
from napari_tomo4d.gui.panels.particles.tables import ParticleTables
from napari_tomo4d.gui.work.live_preview import LivePreview
from napari_tomo4d.progress import Progress


class ParticleBrowser(QObject):
    """Measures the particles of a layer at the time shown, and moves the viewer to them.

    Parameters
    ----------
    panel : QWidget
        While it is hidden, nothing is measured.
    viewer : napari.Viewer

    Signals
    -------
    failed(text)
        Why nothing could be measured.
    """

    failed = Signal(str)

    def __init__(self, panel: QWidget, viewer: Any) -> None:
        super().__init__(panel)
        self.viewer = viewer
        self.tables = ParticleTables()
        self.picks = ParticlePicks(viewer, self)
        self.layer: Any = None
        self.selected = 0
        self.active = False
        self._shown_time = -1
        self._then: Callable[[], None] | None = None
        self.live = LivePreview(panel)
        self.live.due.connect(self._measure)
        self.live.finished.connect(self._measured)
        self.live.failed.connect(self.failed)
        self.tables.particle_chosen.connect(self.go_to)
        self.tables.event_chosen.connect(self.go_to_event)

    @property
    def item(self) -> Any:
        """The labels that are shown."""
        return None if self.layer is None else item_of(self.layer)

    @property
    def time(self) -> int:
        """The time point that is looked at."""
        return time_shown(self.viewer, self.layer)

    def listen(self, on: bool) -> None:
        """Begin or end to listen to the mouse and to draw on the canvas."""
        self.active = on
        self.picks.listen(on)
        if not on:
            self.live.drop()
            self.picks.clear()

    def show_layer(self, layer: Any) -> None:
        """Show the particles of a layer, or of none."""
        self.picks.clear()
        self.layer = self.picks.layer = layer
        self.selected = 0
        if self.item is not None:
            names = [when(self.item, t) for t in range(len(labels_of(self.item)))]
            self.tables.show_events(events_of(self.item), names)
            self.refresh()

    def refresh(self) -> None:
        """Measure anew, after a correction."""
        self._shown_time = -1
        if self.active:
            self.live.request()

    def follow(self) -> None:
        """Show another slice or time, if the sliders have moved to it."""
        self.picks.follow()
        if self.item is not None and self._shown_time != self.time:
            self.live.request()

    def select(self, label: int) -> None:
        """Mark a particle in the table and on the canvas; 0 marks none."""
        self.selected = label
        self.tables.particles.select(label)
        row, item = self.tables.particles.row, self.item
        if row is None or item is None or not self.active or self._shown_time < 0:
            self.picks.mark(None)
            return
        labels = labels_of(item)[self._shown_time]
        size = labels.pixel_size_nm or 1.0
        centre = centre_px(labels, self.tables.particles.rows.frame, label)
        self.picks.mark(centre, float(row["equivalent_diameter_nm"]) / size)

    def go_to(self, label: int) -> None:
        """Move the viewer to a particle at the time shown, and mark it."""
        if self.item is None or self._shown_time < 0:
            return
        labels = labels_of(self.item)[self._shown_time]
        centre = centre_px(labels, self.tables.particles.rows.frame, label)
        if centre is not None:
            self._look_at(centre)
            self.select(label)

    def go_to_event(self, row: Any) -> None:
        """Go to where something happened: to what is there, or to where it was before."""
        item = self.item
        if not isinstance(item, TimeSeries):
            return
        time, label, other = int(row["time"]), int(row["label"]), int(row["other"] or 0)
        gone = str(row["event"]) in ("lost", "merged")
        now, before = labels_of(item)[time], labels_of(item)[time - 1 if gone else time]

        def find(_progress: Progress) -> Any:
            particles_of(before)
            return item, time, particles_of(now)

        def look() -> None:
            table = known_table(before)
            centre = None if table is None else centre_px(before, table, label)
            if centre is not None:
                self._look_at(centre)
            self.select(other if gone else label)

        dims = self.viewer.dims
        dims.set_current_step(dims.ndim - self.layer.ndim, time)
        # the slider has just asked for this time too
        self.live.drop()
        self._then = look
        self.live.start(find)

    def _measure(self) -> None:
        item = self.item
        if item is None or not self.active:
            return
        time = self.time
        labels = labels_of(item)[time]
        self.live.start(lambda _progress: (item, time, particles_of(labels)))

    def _measured(self, result: Any, _seconds: float) -> None:
        item, time, table = result
        then, self._then = self._then, None
        if item is not self.item:
            return
        self._shown_time = time
        size = labels_of(item)[time].pixel_size_nm
        title = f"{len(table)} particle{'s' * (len(table) != 1)}"
        title += f" at {when(item, time)}" if when(item, time) else ""
        if not size:
            title += "; no pixel size is known, so lengths are in voxels"
        self.tables.show_particles(table, title, "nm" if size else "px")
        self.select(self.selected)
        if then is not None:
            then()

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
