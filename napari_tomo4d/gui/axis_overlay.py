"""The tilt axis and the places of slices, drawn over the projections and moved by mouse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal

AXIS_COLOUR = "#ff4fd8"
SLICE_COLOURS = ("#4fc3f7", "#ffd54f", "#81c784")
AXIS_LAYER, SLICES_LAYER = "tilt axis", "slices across the axis"

_NEAR_PX = 9.0
"""How near to the line a click has to be, in pixels of the screen."""


@dataclass(frozen=True)
class AxisFrame:
    """Image coordinates and those along and across the tilt axis' image axis.

    Parameters
    ----------
    image_shape : tuple of int (y, x)
    tilt_axis : {"y", "x"}
    """

    image_shape: tuple[int, int]
    tilt_axis: str

    @property
    def size(self) -> tuple[int, int]:
        """Number of pixels along and across."""
        n_y, n_x = self.image_shape
        return (n_y, n_x) if self.tilt_axis == "y" else (n_x, n_y)

    @property
    def middle(self) -> tuple[float, float]:
        """Centre of the image, along and across."""
        along, across = self.size
        return (along - 1) / 2, (across - 1) / 2

    def swap(self, one: float, other: float) -> tuple[float, float]:
        """Turn (along, across) into (y, x), or back."""
        return (one, other) if self.tilt_axis == "y" else (other, one)

    def line(self, shift: float, rotation: float) -> np.ndarray:
        """Return both ends (y, x) of the axis, as long as the image."""
        slope = np.tan(np.deg2rad(rotation))
        reach = self.size[0] / 2
        along, across = self.middle
        return np.array([self.swap(along + t, across + shift + t * slope) for t in (-reach, reach)])

    def slice_line(self, point: tuple[float, float], rotation: float) -> np.ndarray:
        """Return both ends (y, x) of the line in which a slice cuts the image."""
        slope = np.tan(np.deg2rad(rotation))
        ends = (-0.5, self.size[1] - 0.5)
        return np.array([self.swap(point[0] - (c - point[1]) * slope, c) for c in ends])

    def position(self, point: tuple[float, float], shift: float, rotation: float) -> float:
        """Return which slice across the axis goes through a point (along, across)."""
        angle = np.deg2rad(rotation)
        along, across = self.middle
        v = (point[0] - along) * np.cos(angle) + (point[1] - across - shift) * np.sin(angle)
        return float(np.clip(v + along, 0, self.size[0] - 1))


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

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.placing = False
        self._frame: AxisFrame | None = None
        self._axis = (0.0, 0.0)
        self._points: list[tuple[float, float]] = []
        self._scale, self._translate = np.ones(2), np.zeros(2)
        self._shapes: Any = None
        self._markers: Any = None

    @property
    def shown(self) -> bool:
        """Whether the layers are in the viewer."""
        return self._shapes is not None and self._shapes in self.viewer.layers

    def show(self, layer: Any, frame: AxisFrame) -> None:
        """Draw over a layer of projections; what was drawn before goes."""
        self.remove()
        self._frame = frame
        self._scale, self._translate = np.array(layer.scale[-2:]), np.array(layer.translate[-2:])
        place = {
            "ndim": 2,
            "scale": layer.scale[-2:],
            "translate": layer.translate[-2:],
            "units": layer.units[-2:],
            "axis_labels": ("y", "x"),
        }
        selected = set(self.viewer.layers.selection)
        active = self.viewer.layers.selection.active
        width = max(frame.image_shape) / 170
        self._shapes = self.viewer.add_shapes(
            self._lines(),
            shape_type="line",
            name=AXIS_LAYER,
            edge_color=[AXIS_COLOUR, *SLICE_COLOURS[: len(self._points)]],
            edge_width=[width] + [width / 2] * len(self._points),
            **place,
        )
        names = [str(k + 1) for k in range(len(self._points))]
        self._markers = self.viewer.add_points(
            self._marks(),
            name=SLICES_LAYER,
            size=max(frame.image_shape) / 28,
            symbol=["square"] * 2 + ["ring"] * len(names),
            face_color=[AXIS_COLOUR] * 2 + list(SLICE_COLOURS[: len(names)]),
            border_width=0,
            features={"name": [" ", " ", *names]},
            text={
                "string": "{name}",
                "color": "white",
                "size": 12,
                "anchor": "lower_left",
            },
            **place,
        )
        for one in (self._shapes, self._markers):
            # moved by this class only, which keeps the line straight and as long as the image
            one.editable = False
        self.viewer.layers.selection.clear()
        self.viewer.layers.selection.update(selected & set(self.viewer.layers))
        if active in self.viewer.layers:
            self.viewer.layers.selection.active = active
        self.viewer.mouse_drag_callbacks.append(self._pressed)

    def remove(self) -> None:
        """Take the layers away."""
        if self._pressed in self.viewer.mouse_drag_callbacks:
            self.viewer.mouse_drag_callbacks.remove(self._pressed)
        for one in (self._shapes, self._markers):
            if one is not None and one in self.viewer.layers:
                self.viewer.layers.remove(one)
        self._shapes = self._markers = None

    def draw(self, shift: float, rotation: float, points: Sequence[tuple[float, float]]) -> None:
        """Move the line and the markers."""
        new = (shift, rotation), list(points)
        if new == (self._axis, self._points):
            return
        self._axis, self._points = new
        if not self.shown:
            return
        self._shapes.data = self._lines()
        if self._markers in self.viewer.layers:
            self._markers.data = self._marks()

    def _lines(self) -> list[np.ndarray]:
        assert self._frame is not None
        lines = [self._frame.slice_line(p, self._axis[1]) for p in self._points]
        return [self._frame.line(*self._axis), *lines]

    def _marks(self) -> np.ndarray:
        assert self._frame is not None
        ends = self._frame.line(*self._axis)
        # far enough inside the image to be seen and taken
        handles = ends + 0.03 * (ends[::-1] - ends)
        return np.array([*handles, *(self._frame.swap(*p) for p in self._points)])

    # -- mouse -----------------------------------------------------------------------------

    def _at(self, event: Any) -> tuple[float, float]:
        """Return where the mouse is, along and across, in pixels."""
        assert self._frame is not None
        y, x = (np.array(event.position)[-2:] - self._translate) / self._scale
        return self._frame.swap(float(y), float(x))

    def _pressed(self, viewer: Any, event: Any) -> Iterator[None]:
        dims = viewer.dims
        active = viewer.layers.selection.active
        flat = dims.ndisplay == 2 and tuple(dims.displayed) == (dims.ndim - 2, dims.ndim - 1)
        idle = active is None or str(active.mode) in ("pan_zoom", "transform")
        if event.button != 1 or not (flat and idle and self.shown):
            return
        grip = self._grip(self._at(event))
        if not grip and not self.placing:
            return
        camera, start = viewer.scene.camera, np.array(event.pos)
        could_pan = camera.mouse_pan
        if grip:
            camera.mouse_pan = False
        place, before = self._at(event), self._axis
        moved = False
        yield
        while event.type == "mouse_move":
            # a hand is not quite still when it clicks
            moved = moved or bool(np.abs(np.array(event.pos) - start).max() > 3)
            if grip and moved:
                self.moved.emit(*self._dragged(grip, before, place, self._at(event)))
            yield
        camera.mouse_pan = could_pan
        if not moved and self.placing and self._inside(place):
            self.placed.emit(*place)
        self.released.emit()

    def _inside(self, place: tuple[float, float]) -> bool:
        assert self._frame is not None
        return all(-0.5 <= p <= n - 0.5 for p, n in zip(place, self._frame.size, strict=True))

    def _grip(self, place: tuple[float, float]) -> str:
        """Return what the mouse takes hold of: the "line", an "end" or nothing."""
        assert self._frame is not None
        zoom = self.viewer.scene.camera.zoom * float(self._scale[0])
        shift, rotation = self._axis
        angle = np.deg2rad(rotation)
        along = place[0] - self._frame.middle[0]
        across = place[1] - self._frame.middle[1] - shift
        beside = abs(across * np.cos(angle) - along * np.sin(angle)) * zoom
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
        middle_along, middle_across = self._frame.middle
        angles = [
            np.arctan2(p[1] - middle_across - shift, p[0] - middle_along) for p in (start, now)
        ]
        # either end turns the same line
        turn = (np.rad2deg(angles[1] - angles[0]) + 90) % 180 - 90
        return shift, round(float(rotation + turn), 2)
