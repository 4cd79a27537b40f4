"""Helper layers drawn over a layer, and clicks on them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.utils.events import Event
    from napari.viewer import Viewer


_STILL_PX = 3
"""A hand is not quite still when it clicks."""


@contextmanager
def selection_kept(viewer: Viewer) -> Iterator[None]:
    """Leave the selected layers as they are while others are added or removed."""
    layers = viewer.layers
    selected, active = set(layers.selection), layers.selection.active
    yield
    layers.selection.clear()
    layers.selection.update(selected & set(layers))
    if active in layers:
        layers.selection.active = active


def add_over(viewer: Viewer, over: Layer, layer: Layer) -> Layer:
    """Add a helper layer at the place of another; it is neither selected nor editable.

    Parameters
    ----------
    viewer : napari.Viewer
    over : napari.layers.Layer
        Scale, origin and units of its last axes are taken.
    layer : napari.layers.Layer
        Not in the viewer yet; it keeps an origin of its own that is not zero.

    Returns
    -------
    napari.layers.Layer
        The same.
    """
    n = layer.ndim
    layer.scale = over.scale[-n:]
    if not np.any(layer.translate):
        layer.translate = over.translate[-n:]
    layer.units = over.units[-n:]
    layer.axis_labels = over.axis_labels[-n:]
    with selection_kept(viewer):
        viewer.add_layer(layer)
    # moved by the program only
    layer.editable = False
    return layer


def remove(viewer: Viewer, *layers: Layer | None) -> None:
    """Remove those of the layers that are there."""
    for layer in layers:
        if layer is not None and layer in viewer.layers:
            viewer.layers.remove(layer)


def takes_clicks(viewer: Viewer) -> bool:
    """Return whether a click on the canvas does nothing to the selected layer, as a brush does."""
    active = viewer.layers.selection.active
    return active is None or str(active.mode) in ("pan_zoom", "transform")


def follow_press(
    event: Event, dragged: Callable[[Event], None] | None = None
) -> Generator[None, None, bool]:
    """Follow a press of the mouse until it is let go; for ``yield from`` in a drag callback.

    Parameters
    ----------
    event : napari mouse event
    dragged : callable, optional
        Called with the event at every move, once it is more than a hand's tremor.

    Returns
    -------
    bool
        Whether it was a click and not a drag.
    """
    start, moved = np.array(event.pos), False
    yield
    while event.type == "mouse_move":
        moved = moved or bool(np.abs(np.array(event.pos) - start).max() > _STILL_PX)
        if moved and dragged is not None:
            dragged(event)
        yield
    return not moved
