"""The tilt axis and the places of slices, drawn over the projections and moved by mouse."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Points, Vectors
from qtpy.QtCore import QObject, QTimer, Signal

from napari_tomo4d.align.axis_frame import AxisFrame
from napari_tomo4d.gui import theme
from napari_tomo4d.gui.canvas import overlay
from napari_tomo4d.gui.panels.tilt_axis.model import AxisAndSlices, Point

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.utils.events import Event
    from napari.viewer import Viewer


AXIS_COLOUR = theme.colour("axis")
SLICE_COLOURS = tuple(theme.colour(f"slice {k}") for k in (1, 2, 3))
AXIS_LAYER, SLICES_LAYER = "tilt axis", "slices across the axis"

_NEAR_PX = 9.0
"""How near to the line a click has to be, in pixels of the screen."""

_LATEST_MS = 80
"""The line follows after this, even if no slices come."""

_REST, _LONGEST_REST_S = 3.0, 0.25
"""The canvas rests so many times as long as it took to be drawn, as it is the slices that are to
be seen at once. Where OpenGL is done in software, it takes 50 to 100 ms."""


class AxisOverlay(QObject):
    """Two layers over the projections, and what the mouse does to them.

    Signals
    -------
    moved(shift_px, rotation_deg)
        While the line or one of its ends is dragged.
    released()
        After a drag or a click on the canvas.
    placed(along_px, across_px)
        A click on the image while `placing`.
    """

    moved = Signal(float, float)
    released = Signal()
    placed = Signal(float, float)

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.placing = False
        self._frame: AxisFrame | None = None
        self._axis = (0.0, 0.0)
        self._points: list[Point] = []
        self._scale, self._translate = np.ones(2), np.zeros(2)
        self._lines_layer: Any = None
        self._markers: Any = None
        self._drawn: Any = None
        self._began = self._ended = self._cost_s = 0.0
        self._after = QTimer(self)
        self._after.setSingleShot(True)
        self._after.timeout.connect(self._painted)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._draw)

    @property
    def shown(self) -> bool:
        """Whether the layers are in the viewer."""
        return self._lines_layer is not None and self._lines_layer in self.viewer.layers

    def show(self, layer: Layer, frame: AxisFrame) -> None:
        """Draw over a layer of projections; what was drawn before goes."""
        self.remove()
        self._frame = frame
        self._scale, self._translate = np.array(layer.scale[-2:]), np.array(layer.translate[-2:])
        # vectors: of all layers that show lines, these follow changes most quickly
        lines = Vectors(
            self._lines(),
            ndim=2,
            name=AXIS_LAYER,
            vector_style="line",
            edge_color=[AXIS_COLOUR] * 9 + list(SLICE_COLOURS[: len(self._points)]),
            edge_width=max(frame.image_shape) / 220,
        )
        names = [str(k + 1) for k in range(len(self._points))]
        markers = Points(
            self._marks(),
            ndim=2,
            name=SLICES_LAYER,
            size=max(frame.image_shape) / 28,
            symbol="ring",
            face_color=list(SLICE_COLOURS[: len(names)]),
            border_width=0,
            features={"name": names},
            text={
                "string": "{name}",
                "color": theme.colour("on dark"),
                "size": 12,
                "anchor": "lower_left",
            },
        )
        # moved by this class only, which keeps the line straight and as long as the image
        self._lines_layer = overlay.add_over(self.viewer, layer, lines)
        self._markers = overlay.add_over(self.viewer, layer, markers)
        self._drawn = self._axis, self._points
        self.viewer.mouse_drag_callbacks.append(self._pressed)

    def remove(self) -> None:
        """Take the layers away."""
        if self._pressed in self.viewer.mouse_drag_callbacks:
            self.viewer.mouse_drag_callbacks.remove(self._pressed)
        overlay.remove(self.viewer, self._lines_layer, self._markers)
        self._timer.stop()
        self._lines_layer = self._markers = None

    def want(self, place: AxisAndSlices) -> None:
        """Move the line and the markers, soon: at the latest when the canvas has rested enough."""
        self._axis, self._points = (place.shift_px, place.rotation_deg), list(place.points_px)
        if self.shown and not self._timer.isActive():
            self._timer.start(max(_LATEST_MS, self._rest_ms))

    def catch_up(self) -> None:
        """Move them now, unless the canvas was drawn a short time ago."""
        if self._timer.isActive() and self._rest_ms <= 0:
            self._timer.start(0)

    @property
    def behind(self) -> bool:
        """Whether the line is not yet drawn where it should be."""
        return self._timer.isActive()

    @property
    def _rest_ms(self) -> int:
        """How long the canvas is to rest, so that slices get most of the time."""
        rest = min(_REST * self._cost_s, _LONGEST_REST_S)
        return max(0, round(1000 * (self._ended + rest - time.perf_counter())))

    def _draw(self) -> None:
        if not self.shown or self._drawn == (self._axis, self._points):
            return
        began = time.perf_counter()
        before, self._drawn = self._drawn, (self._axis, self._points)
        self._lines_layer.data = self._lines()
        if self._markers in self.viewer.layers and before[1] != self._points:
            self._markers.data = self._marks()
        # a timer comes after all that is to be painted has been painted
        self._began = began
        self._after.start()

    def _painted(self) -> None:
        self._ended = time.perf_counter()
        self._cost_s = self._ended - self._began

    def _lines(self) -> np.ndarray:
        """Return start and direction (y, x) of the axis, its two handles and the slices."""
        assert self._frame is not None
        axis = self._frame.axis_line(*self._axis)
        lines = [axis, *self._handles(axis)]
        lines += [self._frame.slice_line(p, self._axis[1]) for p in self._points]
        found = np.array(lines, dtype=float)
        found[:, 1] -= found[:, 0]
        return found

    def _handles(self, axis: np.ndarray) -> list[np.ndarray]:
        """Return the sides of two squares, far enough inside the image to be seen and taken."""
        assert self._frame is not None
        half = max(self._frame.image_shape) / 60
        corners = half * np.array([(-1, -1), (-1, 1), (1, 1), (1, -1), (-1, -1)])
        centres = axis + 0.03 * (axis[::-1] - axis)
        return [c + corners[k : k + 2] for c in centres for k in range(4)]

    def _marks(self) -> np.ndarray:
        assert self._frame is not None
        return np.array([self._frame.swap(*p) for p in self._points])

    # -- mouse -----------------------------------------------------------------------------

    def _at(self, event: Event) -> tuple[float, float]:
        """Return where the mouse is, along and across, in pixels."""
        assert self._frame is not None
        y, x = (np.array(event.position)[-2:] - self._translate) / self._scale
        return self._frame.swap(float(y), float(x))

    def _pressed(self, viewer: Viewer, event: Event) -> Iterator[None]:
        dims = viewer.dims
        flat = dims.ndisplay == 2 and tuple(dims.displayed) == (dims.ndim - 2, dims.ndim - 1)
        if event.button != 1 or not (flat and overlay.takes_clicks(viewer) and self.shown):
            return
        place, before = self._at(event), self._axis
        grip = self._grip(place)
        if not grip and not self.placing:
            return
        camera = viewer.scene.camera
        could_pan = camera.mouse_pan

        def dragged(event: Event) -> None:
            if grip:
                self.moved.emit(*self._dragged(grip, before, place, self._at(event)))

        if grip:
            camera.mouse_pan = False
        clicked = yield from overlay.follow_press(event, dragged)
        camera.mouse_pan = could_pan
        if clicked and self.placing and self._inside(place):
            self.placed.emit(*place)
        self.released.emit()

    def _inside(self, place: tuple[float, float]) -> bool:
        assert self._frame is not None
        return all(-0.5 <= p <= n - 0.5 for p, n in zip(place, self._frame.size, strict=True))

    def _grip(self, place: tuple[float, float]) -> str:
        """Return what the mouse takes hold of: the "line", an "end" or nothing."""
        assert self._frame is not None
        zoom = self.viewer.scene.camera.zoom * float(self._scale[0])
        along = place[0] - self._frame.centre_px[0]
        beside = self._frame.distance_px(place, *self._axis) * zoom
        size = self._frame.size[0]
        to_end = abs(abs(along) - 0.47 * size) * zoom
        if to_end <= max(2 * _NEAR_PX, 0.05 * size * zoom) and beside <= 1.5 * _NEAR_PX:
            return "end"
        return "line" if beside <= _NEAR_PX and abs(along) < size / 2 else ""

    def _dragged(
        self,
        grip: str,
        before: tuple[float, float],
        start: tuple[float, float],
        now: tuple[float, float],
    ) -> tuple[float, float]:
        """Return the axis after a drag from one place to another."""
        assert self._frame is not None
        shift, rotation = before
        if grip == "line":
            slope = np.tan(np.deg2rad(rotation))
            moved = now[1] - start[1] - slope * (now[0] - start[0])
            return round(shift + moved, 2), rotation
        middle_along, middle_across = self._frame.centre_px
        angles = [
            np.arctan2(p[1] - middle_across - shift, p[0] - middle_along) for p in (start, now)
        ]
        # either end turns the same line
        turn = (np.rad2deg(angles[1] - angles[0]) + 90) % 180 - 90
        return shift, round(float(rotation + turn), 2)
