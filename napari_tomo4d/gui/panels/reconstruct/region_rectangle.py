"""A rectangle over the images, by which a region is set."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers.base import ActionType
from qtpy.QtCore import QTimer

from napari_tomo4d.gui import theme
from napari_tomo4d.gui.panels.reconstruct.model import Region

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.utils.events import Event
    from napari.viewer import Viewer


REGION_LAYER = "region"


class RegionRectangle:
    """A layer with one rectangle; there while the region is being set.

    Parameters
    ----------
    viewer : napari.Viewer
    moved : callable
        Called with the region after the rectangle was moved by hand.
    """

    def __init__(self, viewer: Viewer, moved: Callable[[Region], None]) -> None:
        self._viewer, self._moved = viewer, moved
        self._layer: Any = None
        self._setting = False

    @property
    def there(self) -> bool:
        """Whether the rectangle is in the viewer."""
        return self._layer is not None and self._layer in self._viewer.layers

    def show(self, region: Region, whole: bool, over: Layer) -> None:
        """Show the region over a layer of images, ready to be changed.

        Parameters
        ----------
        region : tuple
        whole : bool
            Whether that is all of the image: then a rectangle is to be drawn.
        over : napari.layers.Layer
        """
        if not self.there:
            self._layer = self._viewer.add_shapes(
                name=REGION_LAYER,
                ndim=2,
                scale=over.scale[-2:],
                translate=over.translate[-2:],
                units=over.units[-2:],
                axis_labels=("y", "x"),
                edge_color=theme.colour("mark"),
                edge_width=1,
                face_color="transparent",
            )
            self._layer.events.data.connect(self._drawn)
        self._viewer.layers.selection.active = self._layer
        if whole:
            # to be drawn: drag from corner to corner
            self._layer.data = []
            self._layer.mode = "add_rectangle"
        else:
            self.set_region(region)
            self._select()

    def set_region(self, region: Region) -> None:
        """Move the rectangle, if there is one."""
        if not self.there or self._setting or self._layer.mode == "add_rectangle":
            return
        (y0, y1), (x0, x1) = region
        self._setting = True
        corners = np.array([[y0, x0], [y0, x1], [y1, x1], [y1, x0]], float) - 0.5
        self._layer.data = []
        self._layer.add_rectangles([corners])
        self._setting = False

    def hide(self) -> None:
        """Take the rectangle away."""
        if self.there:
            self._viewer.layers.remove(self._layer)
        self._layer = None

    def _select(self) -> None:
        """Let the corners be dragged."""
        if self.there and len(self._layer.data):
            self._layer.mode = "select"
            self._layer.selected_data = {len(self._layer.data) - 1}

    def _drawn(self, event: Event) -> None:
        shapes = self._layer.data if self.there else []
        if self._setting or not len(shapes):
            return
        # a new one that was drawn counts, not the old one
        corners = np.asarray(shapes[-1])[:, -2:] + 0.5
        low, high = np.round(corners.min(axis=0)), np.round(corners.max(axis=0))
        self._setting = True
        self._moved(((int(low[0]), int(high[0])), (int(low[1]), int(high[1]))))
        self._setting = False
        if self._layer.mode == "add_rectangle" and event.action == ActionType.CHANGED:
            # once napari has finished drawing
            QTimer.singleShot(0, self._select)
