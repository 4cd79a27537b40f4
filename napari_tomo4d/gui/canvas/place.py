"""Which time, tilt and slice of a layer the viewer shows: computed here and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_tomo4d.data import TiltSeries, at_time, is_series
from napari_tomo4d.gui.canvas.layers import item_of

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer


def shown_index(viewer: Viewer, layer: Layer) -> tuple[int, ...]:
    """Return the element of a layer's data that the viewer's sliders are at.

    Layers may differ in scale and in number of axes, so that a slider's own step is no index
    of any of them: the place in the world is turned into one, rounded and kept inside.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
    layer : napari.layers.Layer

    Returns
    -------
    tuple of int
        One index for each axis of the layer, each within its data.
    """
    shape = (layer.data[0] if getattr(layer, "multiscale", False) else layer.data).shape
    index = np.rint(layer.world_to_data(viewer.dims.point))
    return tuple(
        int(np.clip(i, 0, max(n - 1, 0))) for i, n in zip(index, shape[: layer.ndim], strict=True)
    )


def time_shown(viewer: Viewer, layer: Layer | None) -> int:
    """Return the time point of a layer that is shown; 0 for one that holds a single time."""
    item = None if layer is None else item_of(layer)
    if not is_series(item):
        return 0
    return min(shown_index(viewer, layer)[0], len(item) - 1)


def tilt_shown(viewer: Viewer, layer: Layer | None) -> int:
    """Return the tilt of a layer of projections that is shown, at the time that is shown."""
    item = None if layer is None else item_of(layer)
    series = None if item is None else at_time(item, time_shown(viewer, layer))
    if not isinstance(series, TiltSeries):
        return 0
    # at other times there may be more tilts, and the layer is as long as the longest
    return min(shown_index(viewer, layer)[-3], len(series) - 1)


def slice_shown(viewer: Viewer, layer: Layer) -> tuple[int, int, int] | None:
    """Return time, axis and index of the slice of a layer of volumes that is shown.

    Returns
    -------
    time, axis, index : int
        The axis is 0, 1 or 2 for z, y or x; None in 3D, or where the slice lies outside.
    """
    dims = viewer.dims
    if dims.ndisplay != 2:
        return None
    offset = dims.ndim - 3
    hidden = [a - offset for a in dims.not_displayed if a >= offset]
    if len(hidden) != 1:
        return None
    axis = hidden[0]
    index = int(np.rint(layer.world_to_data(dims.point)[axis - 3]))
    if not 0 <= index < layer.data.shape[axis - 3]:
        return None
    return time_shown(viewer, layer), axis, index


def go_to(viewer: Viewer, layer: Layer, axis: int, index: int) -> None:
    """Move the viewer's slider to one element of a layer.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
    layer : napari.layers.Layer
    axis : int
        Of the layer; negative ones count from the last.
    index : int
        Along that axis.
    """
    place = [0.0] * layer.ndim
    place[axis] = index
    own = axis % layer.ndim - layer.ndim
    viewer.dims.set_point(viewer.dims.ndim + own, layer.data_to_world(place)[own])
