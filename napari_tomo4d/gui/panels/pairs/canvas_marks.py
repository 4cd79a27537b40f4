"""Clicks on particles in the canvas, and a measured pair drawn over the volume."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_tomo4d.gui import theme
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.canvas.place import time_shown
from napari_tomo4d.gui.panels.pairs.measured_pair import as_items
from napari_tomo4d.gui.panels.pairs.section_view import (
    DISTANCE_COLOUR,
    FIRST_COLOUR,
    NECK_COLOUR,
    SECOND_COLOUR,
)
from napari_tomo4d.measure import Neck

LINES_LAYER, CENTRES_LAYER, CHOSEN_LAYER = "pair section", "pair centres", "chosen particle"

_CHOSEN_COLOUR = theme.colour("mark")
_OUTLINE_POINTS, _RING_POINTS = 90, 48
_COLOURS = (
    [FIRST_COLOUR] * _OUTLINE_POINTS
    + [SECOND_COLOUR] * _OUTLINE_POINTS
    + [NECK_COLOUR] * (_RING_POINTS + 1)
    + [DISTANCE_COLOUR]
)


@dataclass(frozen=True)
class Picked:
    """What was clicked on.

    Parameters
    ----------
    label : int
        0 for background.
    time : int
    place : array (3,)
        Voxel (z, y, x).
    """

    label: int
    time: int
    place: np.ndarray


class PairMarks(QObject):
    """Layers over the labels: the section of a pair, and the particle chosen first.

    Signals
    -------
    clicked(Picked)
        A click without a drag while `picking`.
    """

    clicked = Signal(object)

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.layer: Any = None
        self._picking = False
        self._neck: Neck | None = None
        self._lines: Any = None
        self._centres: Any = None
        self._chosen: Any = None
        viewer.dims.events.ndisplay.connect(self._redraw)
        viewer.dims.events.order.connect(self._redraw)

    def close(self) -> None:
        """Take everything away for good."""
        self.picking = False
        self.remove()
        self.viewer.dims.events.ndisplay.disconnect(self._redraw)
        self.viewer.dims.events.order.disconnect(self._redraw)

    @property
    def picking(self) -> bool:
        """Whether clicks on the canvas choose particles."""
        return self._picking

    @picking.setter
    def picking(self, on: bool) -> None:
        callbacks = self.viewer.mouse_drag_callbacks
        if self._pressed in callbacks:
            callbacks.remove(self._pressed)
        if on:
            callbacks.append(self._pressed)
        self._picking = on

    # -- clicks ----------------------------------------------------------------------------

    def _pressed(self, viewer: Any, event: Any) -> Iterator[None]:
        active = viewer.layers.selection.active
        idle = active is None or str(active.mode) in ("pan_zoom", "transform")
        if event.button != 1 or not idle or self.layer is None:
            return
        start, moved = np.array(event.pos), False
        found = self.pick(
            np.array(event.position),
            None if event.view_direction is None else np.array(event.view_direction),
            list(event.dims_displayed),
        )
        yield
        while event.type == "mouse_move":
            # a hand is not quite still when it clicks
            moved = moved or bool(np.abs(np.array(event.pos) - start).max() > 3)
            yield
        if not moved:
            self.clicked.emit(found)

    def pick(
        self, position: np.ndarray, direction: np.ndarray | None, displayed: list[int]
    ) -> Picked:
        """Return the particle at a place of the world, in 3D the first one along the view."""
        layer = self.layer
        items = as_items(item_of(layer))
        offset = len(position) - layer.ndim
        time = self.time_shown()
        shape = np.array(items[time].data.shape)
        if len(displayed) == 3 and direction is not None:
            ends = layer.get_ray_intersections(
                position[offset:], direction[offset:], [d - offset for d in displayed]
            )
            if ends[0] is None or ends[1] is None:
                return Picked(0, time, shape / 2)
            start, end = (np.asarray(e)[-3:] for e in ends)
            count = max(2, int(2 * np.linalg.norm(end - start)))
            places = start + np.linspace(0, 1, count)[:, None] * (end - start)
        else:
            places = np.asarray(layer.world_to_data(position[offset:]))[-3:][None]
        index = np.rint(places).astype(int)
        index = index[np.all((index >= 0) & (index < shape), axis=1)]
        for place in index:
            label = int(np.asarray(items[time].data[tuple(place)]))
            if label:
                return Picked(label, time, place)
        return Picked(0, time, shape / 2)

    def time_shown(self) -> int:
        """Return the time point of the layer that the viewer shows."""
        return time_shown(self.viewer, self.layer)

    # -- drawing ---------------------------------------------------------------------------

    def prepare(self) -> None:
        """Add the layers, still empty: that takes longer than a click may."""
        count = self._axes_drawn()
        self._make_chosen(count)
        self._make_pair(count)

    @property
    def chosen(self) -> bool:
        """Whether a first particle is marked."""
        return self._chosen in self.viewer.layers and bool(self._chosen.visible)

    def choose(self, centre: np.ndarray, radius: float) -> None:
        """Draw a circle, as wide as it is, around the particle that was clicked first."""
        count = self._axes_drawn()
        self._make_chosen(count)
        self._chosen.data = np.asarray(centre, float)[None, -count:]
        self._chosen.size = 2 * radius + 2
        self._chosen.visible = True

    def unchoose(self) -> None:
        """Forget the first particle."""
        if self._chosen in self.viewer.layers:
            self._chosen.visible = False

    def _make_chosen(self, count: int) -> None:
        if self._chosen in self.viewer.layers and self._chosen.ndim == count:
            return
        self._take_away(self._chosen)
        self._chosen = self._add(
            self.viewer.add_points,
            np.zeros((1, count)),
            count,
            name=CHOSEN_LAYER,
            face_color="transparent",
            border_color=_CHOSEN_COLOUR,
            border_width=0.08,
        )

    def show(self, neck: Neck | None) -> None:
        """Draw a pair's section over the volume, in 2D as it is seen along the beam."""
        self._neck = neck
        if neck is None or neck.section is None or self.layer is None:
            for layer in (self._lines, self._centres):
                if layer in self.viewer.layers:
                    layer.visible = False
            return
        size = item_pixel_size(self.layer)
        section, count = neck.section, self._axes_drawn()
        outlines = [_closed(o, _OUTLINE_POINTS) for o in section.outlines_nm]
        ring = _closed(section.neck_outline_nm, _RING_POINTS)
        parts = [*outlines, ring, section.neck_line_nm, section.centres_nm]
        lines = np.concatenate([np.stack([p[:-1], np.diff(p, axis=0)], axis=1) for p in parts])
        self._make_pair(count)
        self._lines.data = lines[..., -count:] / size
        self._centres.data = section.centres_nm[:, -count:] / size
        names = [str(neck.a), str(neck.b)]
        if list(self._centres.features["name"]) != names:
            self._centres.features = {"name": names}
        self._lines.visible = self._centres.visible = True

    def _make_pair(self, count: int) -> None:
        layers = self.viewer.layers
        if self._lines in layers and self._centres in layers and self._lines.ndim == count:
            return
        self._take_away(self._lines, self._centres)
        # vectors: of all layers that show lines, these follow changes most quickly
        self._lines = self._add(
            self.viewer.add_vectors,
            np.zeros((len(_COLOURS), 2, count)),
            count,
            name=LINES_LAYER,
            vector_style="line",
            edge_color=_COLOURS,
            edge_width=0.5,
        )
        self._centres = self._add(
            self.viewer.add_points,
            np.zeros((2, count)),
            count,
            name=CENTRES_LAYER,
            size=2,
            symbol="cross",
            face_color=DISTANCE_COLOUR,
            border_width=0,
            features={"name": ["", ""]},
            text={"string": "{name}", "color": "white", "size": 11, "anchor": "lower_left"},
        )

    def remove(self) -> None:
        """Take the layers away; what was drawn is remembered."""
        self._take_away(self._lines, self._centres, self._chosen)
        self._lines = self._centres = self._chosen = None

    def _axes_drawn(self) -> int:
        """Return 2 where a slice across the beam is shown, so that nothing hides beside it."""
        dims = self.viewer.dims
        flat = dims.ndisplay == 2 and tuple(dims.displayed) == (dims.ndim - 2, dims.ndim - 1)
        return 2 if flat else 3

    def _redraw(self, _event: Any = None) -> None:
        if self._lines in self.viewer.layers and self._lines.visible:
            self.show(self._neck)

    def _add(self, how: Any, data: np.ndarray, count: int, **options: Any) -> Any:
        """Add a layer in the place of the labels, without selecting it."""
        layers = self.viewer.layers
        selected, active = set(layers.selection), layers.selection.active
        made = how(
            data,
            scale=self.layer.scale[-count:],
            translate=self.layer.translate[-count:],
            units=self.layer.units[-count:],
            axis_labels=("z", "y", "x")[-count:],
            # in 3D the particles would hide what lies in them
            blending="translucent_no_depth",
            visible=False,
            **options,
        )
        # moved by this class only
        made.editable = False
        layers.selection.clear()
        layers.selection.update(selected & set(layers))
        if active in layers:
            layers.selection.active = active
        return made

    def _take_away(self, *layers: Any) -> None:
        for layer in layers:
            if layer is not None and layer in self.viewer.layers:
                self.viewer.layers.remove(layer)


def item_pixel_size(layer: Any) -> float:
    """Return the voxel size in nm of the labels that a layer shows; 1 if it is not known."""
    return float(item_of(layer).pixel_size_nm or 1.0)


def _closed(points: np.ndarray, count: int) -> np.ndarray:
    """Return a closed line (count + 1, 3) through points, evenly spaced along it."""
    ring = np.concatenate([points, points[:1]])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(ring, axis=0), axis=1))])
    at = np.linspace(0, length[-1], count + 1)
    return np.stack([np.interp(at, length, ring[:, k]) for k in range(3)], axis=1)
