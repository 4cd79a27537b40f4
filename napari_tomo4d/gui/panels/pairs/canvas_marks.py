"""Clicks on particles in the canvas, and a measured pair drawn over the volume."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Points, Vectors
from qtpy.QtCore import QObject, Signal

from napari_tomo4d.gui import theme
from napari_tomo4d.gui.canvas import overlay
from napari_tomo4d.gui.canvas.place import time_shown
from napari_tomo4d.gui.panels.pairs.model import Clicked, PairsModel
from napari_tomo4d.gui.panels.pairs.section_view import (
    DISTANCE_COLOUR,
    FIRST_COLOUR,
    NECK_COLOUR,
    SECOND_COLOUR,
)
from napari_tomo4d.voxels import CUBIC

if TYPE_CHECKING:
    from napari.utils.events import Event
    from napari.viewer import Viewer


LINES_LAYER, CENTRES_LAYER, CHOSEN_LAYER = "pair section", "pair centres", "chosen particle"

_CHOSEN_COLOUR = theme.colour("mark")
_OUTLINE_POINTS, _RING_POINTS = 90, 48
_COLOURS = (
    [FIRST_COLOUR] * _OUTLINE_POINTS
    + [SECOND_COLOUR] * _OUTLINE_POINTS
    + [NECK_COLOUR] * (_RING_POINTS + 1)
    + [DISTANCE_COLOUR]
)


class PairMarks(QObject):
    """Layers over the labels: the section of the pair looked at, and the particle clicked first.

    Parameters
    ----------
    viewer : napari.Viewer
    model : PairsModel
    parent : QObject

    Signals
    -------
    clicked(Clicked)
        A click without a drag while `picking`.
    """

    clicked = Signal(object)

    def __init__(self, viewer: Viewer, model: PairsModel, parent: QObject) -> None:
        super().__init__(parent)
        self.viewer, self._model = viewer, model
        self.layer: Any = None
        """The layer of the labels."""
        self._shown = self._picking = False
        self._lines: Any = None
        self._centres: Any = None
        self._chosen: Any = None
        model.looked_at_changed.connect(self._draw_pair)
        model.first_changed.connect(self._draw_first)

    def show(self) -> None:
        """Draw from now on."""
        self._shown = True
        self._draw_pair()
        self._draw_first()

    def hide(self) -> None:
        """Take the layers away, and draw no more until `show`."""
        self._shown = self.picking = False
        overlay.remove(self.viewer, self._lines, self._centres, self._chosen)
        self._lines = self._centres = self._chosen = None

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

    def _pressed(self, viewer: Viewer, event: Event) -> Iterator[None]:
        if event.button != 1 or self.layer is None or not overlay.takes_clicks(viewer):
            return
        found = self.pick(
            np.array(event.position),
            None if event.view_direction is None else np.array(event.view_direction),
            list(event.dims_displayed),
        )
        if (yield from overlay.follow_press(event)):
            self.clicked.emit(found)

    def pick(
        self, position: np.ndarray, direction: np.ndarray | None, displayed: list[int]
    ) -> Clicked:
        """Return the particle at a place of the world, in 3D the first one along the view."""
        layer = self.layer
        time = time_shown(self.viewer, layer)
        data = self._model.items[time].data
        offset = len(position) - layer.ndim
        shape = np.array(data.shape)
        if len(displayed) == 3 and direction is not None:
            ends = layer.get_ray_intersections(
                position[offset:], direction[offset:], [d - offset for d in displayed]
            )
            if ends[0] is None or ends[1] is None:
                return Clicked(0, time, shape / 2)
            start, end = (np.asarray(e)[-3:] for e in ends)
            count = max(2, int(2 * np.linalg.norm(end - start)))
            places = start + np.linspace(0, 1, count)[:, None] * (end - start)
        else:
            places = np.asarray(layer.world_to_data(position[offset:]))[-3:][None]
        index = np.rint(places).astype(int)
        index = index[np.all((index >= 0) & (index < shape), axis=1)]
        for place in index:
            label = int(np.asarray(data[tuple(place)]))
            if label:
                return Clicked(label, time, place)
        return Clicked(0, time, shape / 2)

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

    def _draw_first(self) -> None:
        """Draw a circle, as wide as it is, around the particle that was clicked first."""
        circle = self._model.circle() if self._shown else None
        if circle is None:
            if self._chosen in self.viewer.layers:
                self._chosen.visible = False
            return
        centre, radius = circle
        count = self._axes_drawn()
        self._make_chosen(count)
        self._chosen.data = np.asarray(centre, float)[None, -count:]
        self._chosen.size = 2 * radius + 2
        self._chosen.visible = True

    def _make_chosen(self, count: int) -> None:
        if self._chosen in self.viewer.layers and self._chosen.ndim == count:
            return
        overlay.remove(self.viewer, self._chosen)
        self._chosen = self._add(
            Points,
            np.zeros((1, count)),
            name=CHOSEN_LAYER,
            face_color="transparent",
            border_color=_CHOSEN_COLOUR,
            border_width=0.08,
        )

    def _draw_pair(self) -> None:
        """Draw the section looked at over the volume, in 2D as it is seen along the beam."""
        found = self._model.found
        if self._model.place is not None and found is None:
            # it is being measured; what was there before stays
            return
        section = None if found is None or not self._shown else found.neck.section
        if section is None or found is None or self.layer is None:
            for layer in (self._lines, self._centres):
                if layer in self.viewer.layers:
                    layer.visible = False
            return
        count = self._axes_drawn()
        spacing = np.array(self._model.items[found.time].voxel_size_nm or CUBIC)[-count:]
        outlines = [_closed(o, _OUTLINE_POINTS) for o in section.outlines_nm]
        ring = _closed(section.neck_outline_nm, _RING_POINTS)
        parts = [*outlines, ring, section.neck_line_nm, section.centres_nm]
        lines = np.concatenate([np.stack([p[:-1], np.diff(p, axis=0)], axis=1) for p in parts])
        self._make_pair(count)
        self._lines.data = lines[..., -count:] / spacing
        self._centres.data = section.centres_nm[:, -count:] / spacing
        # sizes of points are in edges along x
        self._centres.size = 2 * spacing.prod() ** (1 / count) / spacing[-1]
        names = [str(label) for label in found.key]
        if list(self._centres.features["name"]) != names:
            self._centres.features = {"name": names}
        self._lines.visible = self._centres.visible = True

    def _make_pair(self, count: int) -> None:
        layers = self.viewer.layers
        if self._lines in layers and self._centres in layers and self._lines.ndim == count:
            return
        overlay.remove(self.viewer, self._lines, self._centres)
        # vectors: of all layers that show lines, these follow changes most quickly
        self._lines = self._add(
            Vectors,
            np.zeros((len(_COLOURS), 2, count)),
            name=LINES_LAYER,
            vector_style="line",
            edge_color=_COLOURS,
            edge_width=0.5,
        )
        self._centres = self._add(
            Points,
            np.zeros((2, count)),
            name=CENTRES_LAYER,
            size=2,
            symbol="cross",
            face_color=DISTANCE_COLOUR,
            border_width=0,
            features={"name": ["", ""]},
            text={
                "string": "{name}",
                "color": theme.colour("on dark"),
                "size": 11,
                "anchor": "lower_left",
            },
        )

    def _axes_drawn(self) -> int:
        """Return 2 where a slice across the beam is shown, so that nothing hides beside it."""
        dims = self.viewer.dims
        flat = dims.ndisplay == 2 and tuple(dims.displayed) == (dims.ndim - 2, dims.ndim - 1)
        return 2 if flat else 3

    def redraw(self) -> None:
        """Draw again if the viewer has turned from 2D to 3D, or back."""
        count = self._axes_drawn()
        if self._lines in self.viewer.layers and self._lines.ndim != count:
            self._draw_pair()
        if self._chosen in self.viewer.layers and self._chosen.ndim != count:
            self._draw_first()

    def _add(self, kind: type, data: np.ndarray, **options: Any) -> Any:
        """Add a layer in the place of the labels, without selecting it."""
        # in 3D the particles would hide what lies in them
        layer = kind(data, blending="translucent_no_depth", visible=False, **options)
        return overlay.add_over(self.viewer, self.layer, layer)


def _closed(points: np.ndarray, count: int) -> np.ndarray:
    """Return a closed line (count + 1, 3) through points, evenly spaced along it."""
    ring = np.concatenate([points, points[:1]])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(ring, axis=0), axis=1))])
    at = np.linspace(0, length[-1], count + 1)
    return np.stack([np.interp(at, length, ring[:, k]) for k in range(3)], axis=1)
