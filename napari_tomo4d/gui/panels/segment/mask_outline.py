"""The mask of one slice, drawn as an outline over the volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_tomo4d.gui import theme
from napari_tomo4d.gui.canvas.overlay import add_over, remove

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer


PREVIEW_LAYER = "mask preview"

_COLOURS: dict[int | None, str | None] = {k: theme.colour(f"class {k}") for k in (1, 2, 3, 4)}


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


class MaskOutline:
    """A layer of one slice; it is in the list of layers only while there is a preview."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.layer: Any = None
        self.mask: np.ndarray | None = None

    @property
    def shown(self) -> bool:
        """Whether the layer is in the viewer."""
        return self.layer is not None and self.layer in self._viewer.layers

    def show(self, mask: np.ndarray, axis: int, index: int, over: Layer) -> None:
        """Draw the outline of a mask over a slice of a layer.

        Parameters
        ----------
        mask : int array, two-dimensional
        axis, index : int
            Across which axis (0, 1 or 2 for z, y or x), and where.
        over : napari.layers.Layer
            Of the volume.
        """
        from napari.layers import Labels
        from napari.utils.colormaps import DirectLabelColormap

        data = np.expand_dims(outline(mask), axis)
        translate = np.array(over.translate[-3:])
        translate[axis] += index * over.scale[-3:][axis]
        if self.shown and self.layer.data.shape == data.shape:
            self.layer.data = data
            self.layer.translate = translate
        else:
            self.hide()
            colours = DirectLabelColormap(color_dict={None: "transparent", **_COLOURS})
            layer = Labels(
                data, name=PREVIEW_LAYER, translate=translate, opacity=1.0, colormap=colours
            )
            self.layer = add_over(self._viewer, over, layer)
        self.mask = mask

    def hide(self) -> None:
        """Take the layer away."""
        remove(self._viewer, self.layer)
        self.layer = self.mask = None
