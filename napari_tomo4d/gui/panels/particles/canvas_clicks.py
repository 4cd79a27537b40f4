"""Particles clicked on the canvas, lines drawn across them, and marks around them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Points, Vectors
from qtpy.QtCore import QObject, Signal

from napari_tomo4d.gui import theme
from napari_tomo4d.gui.canvas.overlay import add_over, follow_press, remove, takes_clicks

if TYPE_CHECKING:
    from napari.utils.events import Event
    from napari.viewer import Viewer


RING_LAYER, CUT_LAYER = "selected particle", "cut"

_COLOUR = theme.colour("mark")
_SAMPLES = 41


class ParticlePicks(QObject):
    """What the mouse does to the particles of a layer.

    Signals
    -------
    clicked(label)
        0 where there is no particle.
    drawn(label, line, view)
        A line (2, 3) and the direction of view (3,) in voxels (z, y, x), and the particle that
        most of the line runs through.
    started()
        The first point of a line is set.
    """

    clicked = Signal(int)
    drawn = Signal(int, object, object)
    started = Signal()

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.layer: Any = None
        self.drawing = False
        self._first: np.ndarray | None = None
        self._marked: tuple[np.ndarray, float] | None = None
        self._ring: Any = None
        self._cut: Any = None

    def listen(self, on: bool) -> None:
        """Begin or end listening to the mouse."""
        callbacks = self.viewer.mouse_drag_callbacks
        if on and self._pressed not in callbacks:
            callbacks.append(self._pressed)
        elif not on and self._pressed in callbacks:
            callbacks.remove(self._pressed)

    def draw_lines(self, on: bool) -> None:
        """Take clicks as points of a line, or as choices of particles."""
        self.drawing = on
        self.forget_line()

    def forget_line(self) -> None:
        """Begin the line anew."""
        self._first = None
        remove(self.viewer, self._cut)
        self._cut = None

    # -- marks -----------------------------------------------------------------------------

    def mark(self, centre_px: np.ndarray | None, diameter_px: float = 0.0) -> None:
        """Draw a ring around a particle, or none."""
        self._marked = None if centre_px is None else (np.array(centre_px, float), diameter_px)
        self.follow()

    def follow(self) -> None:
        """Draw the ring for the slice that is looked at: smaller off the centre."""
        if self._marked is None or self.layer is None:
            remove(self.viewer, self._ring)
            self._ring = None
            return
        centre, diameter = self._marked[0].copy(), 1.1 * self._marked[1] + 3
        dims = self.viewer.dims
        place, scale = self._voxel(dims.point), self.layer.scale[-3:]
        for axis in dims.not_displayed:
            own = axis - dims.ndim + 3
            if own >= 0:
                # in edges along x, as the diameter
                off = (place[own] - centre[own]) * scale[own] / scale[-1]
                centre[own] = place[own]
                # a little ring stays where the particle is above or below
                diameter = 2 * np.sqrt(max((diameter / 2) ** 2 - off**2, 1.0))
        if self._ring is not None and self._ring in self.viewer.layers:
            self._ring.data = centre[None]
            self._ring.size = diameter
            return
        ring = Points(
            centre[None],
            name=RING_LAYER,
            size=diameter,
            face_color="transparent",
            border_color=theme.colour("on dark"),
            border_width=0.03,
        )
        self._ring = add_over(self.viewer, self.layer, ring)

    def clear(self) -> None:
        """Remove all marks."""
        self.mark(None)
        self.forget_line()

    def _show_line(self, start: np.ndarray, end: np.ndarray) -> None:
        data = np.array([[start, end - start]])
        if self._cut is not None and self._cut in self.viewer.layers:
            self._cut.data = data
            return
        width = max(self.layer.data.shape[-3:]) / 200
        cut = Vectors(
            data, name=CUT_LAYER, vector_style="line", edge_color=_COLOUR, edge_width=width
        )
        self._cut = add_over(self.viewer, self.layer, cut)

    # -- mouse -----------------------------------------------------------------------------

    def _pressed(self, viewer: Viewer, event: Event) -> Generator[None, None, None]:
        layer = self.layer
        there = layer is not None and layer in viewer.layers and layer.visible
        if event.button != 1 or not there or not takes_clicks(viewer):
            return
        if not self.drawing:
            if (yield from follow_press(event)):
                self.clicked.emit(self._label_at(event.position, event))
            return
        camera, start = viewer.scene.camera, np.array(event.position)
        could_pan, camera.mouse_pan = camera.mouse_pan, False

        def show(event: Event) -> None:
            self._show_line(self._voxel(start), self._voxel(event.position))

        clicked = yield from follow_press(event, show)
        camera.mouse_pan = could_pan
        end = np.array(event.position)
        if not clicked:
            self._end_line(start, end, event)
        elif self._first is None:
            self._first = end
            dot = 0.5 * np.ones(3) * (self._view(event) == 0)
            self._show_line(self._voxel(end) - dot, self._voxel(end) + dot)
            self.started.emit()
        else:
            self._end_line(self._first, end, event)

    def _end_line(self, start: np.ndarray, end: np.ndarray, event: Event) -> None:
        found = [
            self._label_at(start + t * (end - start), event) for t in np.linspace(0, 1, _SAMPLES)
        ]
        counts = np.bincount(found)
        counts[0] = 0
        line = np.array([self._voxel(start), self._voxel(end)])
        view = self._view(event)
        self.forget_line()
        self.drawn.emit(int(np.argmax(counts)), line, view)

    def _voxel(self, position: Sequence[float] | np.ndarray) -> np.ndarray:
        return np.array(self.layer.world_to_data(np.asarray(position)))[-3:]

    def _label_at(self, position: Sequence[float] | np.ndarray, event: Event) -> int:
        value = self.layer.get_value(
            tuple(position),
            view_direction=event.view_direction,
            dims_displayed=list(event.dims_displayed),
            world=True,
        )
        return int(value or 0)

    def _view(self, event: Event) -> np.ndarray:
        """Return the direction of view as the voxels have it."""
        dims = self.viewer.dims
        if dims.ndisplay == 2:
            hidden = [a - dims.ndim + 3 for a in dims.not_displayed if a >= dims.ndim - 3]
            return np.eye(3)[hidden[0]]
        # the world is in nm, and voxels need not be cubes
        return np.array(event.view_direction, float)[-3:] / self.layer.scale[-3:]
