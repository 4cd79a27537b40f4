"""The mask of one slice, drawn as an outline over the volume."""

from __future__ import annotations

from typing import Any

import numpy as np

PREVIEW_LAYER = "mask preview"

_COLOURS: dict[int | None, Any] = {1: "#ffd54f", 2: "#ff8a65", 3: "#f06292", 4: "#ba68c8"}


def outline(mask: np.ndarray) -> np.ndarray:
    """Return the pixels (row, column) of a mask that have another kind beside them."""
    # napari's own contours warn at every change to 3D
    edge = np.zeros(mask.shape, bool)
    for axis in (0, 1):
        first, second = (
            tuple(part if a == axis else slice(None) for a in (0, 1))
            for part in (slice(None, -1), slice(1, None))
        )
        differs = mask[first] != mask[second]
        edge[first] |= differs
        edge[second] |= differs
    return np.where(edge, mask, 0)


class MaskOverlay:
    """A layer of one slice; it is in the list of layers only while there is a preview."""

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self.layer: Any = None
        self.mask: np.ndarray | None = None

    @property
    def shown(self) -> bool:
        """Whether the layer is in the viewer."""
        return self.layer is not None and self.layer in self.viewer.layers

    def show(self, mask: np.ndarray, axis: int, index: int, over: Any) -> None:
        """Draw the mask (two-dimensional) of one slice of a layer."""
        from napari.utils.colormaps import DirectLabelColormap

        data = np.expand_dims(outline(mask), axis)
        scale, translate = np.array(over.scale[-3:]), np.array(over.translate[-3:])
        translate[axis] += index * scale[axis]
        if self.shown and self.layer.data.shape == data.shape:
            self.layer.data = data
            self.layer.translate = translate
            self.mask = mask
            return
        self.hide()
        self.mask = mask
        selected = set(self.viewer.layers.selection)
        active = self.viewer.layers.selection.active
        self.layer = self.viewer.add_labels(
            data,
            name=PREVIEW_LAYER,
            scale=scale,
            translate=translate,
            units=over.units[-3:],
            axis_labels=over.axis_labels[-3:],
            opacity=1.0,
            colormap=DirectLabelColormap(color_dict={None: "transparent", **_COLOURS}),
        )
        # made by the panel only, so that nobody paints on it
        self.layer.editable = False
        self.viewer.layers.selection.clear()
        self.viewer.layers.selection.update(selected & set(self.viewer.layers))
        if active in self.viewer.layers:
            self.viewer.layers.selection.active = active

    def hide(self) -> None:
        """Take the layer away."""
        if self.shown:
            self.viewer.layers.remove(self.layer)
        self.layer = self.mask = None
