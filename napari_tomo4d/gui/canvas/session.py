"""The state of a session: which data objects the viewer shows, and how they were made."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from napari_tomo4d.data import AnyData, Table, is_series, kind_of
from napari_tomo4d.gui import theme
from napari_tomo4d.gui.canvas.layers import caption, item_of, to_layers
from napari_tomo4d.gui.canvas.painting import take_ownership
from napari_tomo4d.gui.canvas.place import shown_index
from napari_tomo4d.pipeline import recipe_from, write_recipe

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer
    from qtpy.QtWidgets import QWidget


_sessions: weakref.WeakValueDictionary[int, Session] = weakref.WeakValueDictionary()


def unwrapped(thing: Any) -> Any:
    """Return the viewer or layer itself; napari gives plugins proxies, another one each time."""
    return getattr(thing, "__wrapped__", thing)


def same_layer(one: Layer | None, other: Layer | None) -> bool:
    """Return whether two layers are the same, be they proxies or not."""
    return unwrapped(one) is unwrapped(other)


def session_of(viewer: Viewer) -> Session:
    """Return the one session of a viewer, whichever proxy of it is given."""
    viewer = unwrapped(viewer)
    session = _sessions.get(id(viewer))
    if session is None:
        session = _sessions[id(viewer)] = Session(viewer)
    return session


class Session:
    """The data objects in a viewer.

    The layers are the state: nothing is kept beside them that could disagree with them.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Itself, not a proxy; it keeps the session alive.
    """

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.panels: dict[type, QWidget] = {}
        """The panels of this viewer, by their class."""

        def update(_event: object = None) -> None:
            # napari holds methods weakly but a function firmly: nothing else lives as long as
            # the viewer, also while all panels are closed
            self.update_caption()

        theme.follow_viewer(viewer)
        for event in (
            viewer.dims.events.current_step,
            viewer.dims.events.ndisplay,
            viewer.layers.selection.events.active,
            viewer.layers.events.inserted,
        ):
            event.connect(update)
        viewer.layers.events.inserted.connect(lambda event: take_ownership(event.value))
        for layer in viewer.layers:
            take_ownership(layer)

    def layers(self, *kinds: type) -> list[Layer]:
        """Return the layers that show a data object of one of `kinds`, newest first."""
        found = []
        for layer in self.viewer.layers:
            item = item_of(layer)
            if item is not None and issubclass(kind_of(item), kinds):
                found.append(layer)
        return found[::-1]

    def add(self, item: AnyData, name: str | None = None) -> Layer:
        """Show a data object as a new layer, alone, and return the layer.

        Other layers are hidden: tilt series and volumes share the first slider, so they are
        looked at one at a time.
        """
        from napari.layers import Layer

        layer = Layer.create(*to_layers(item, name)[0])
        for other in self.viewer.layers:
            if item_of(other) is not None:
                other.visible = False
        self.viewer.add_layer(layer)
        self.viewer.layers.selection.active = layer
        self.viewer.reset_view()
        middle = [n // 2 for n in layer.data.shape]
        if is_series(item):
            middle[0] = 0
        offset = self.viewer.dims.ndim - layer.ndim
        for axis, position in enumerate(middle[:-2]):
            self.viewer.dims.set_current_step(axis + offset, position)
        bar = self.viewer.canvas.overlays.scale_bar if hasattr(self.viewer, "canvas") else None
        if bar is not None:
            bar.visible = True
        return layer

    def save_recipe(
        self, result: Layer | Table, path: str, output: str | None = None, report: str | None = None
    ) -> int:
        """Write the recipe that repeats how a layer's data, or a table, was made.

        It writes the result to `output` and the report about it to `report`, if these are given.
        Returns the number of its steps.
        """
        item = result if isinstance(result, Table) else item_of(result)
        recipe = recipe_from(item, output, report=report)
        write_recipe(recipe, path)
        return len(recipe.steps)

    def update_caption(self) -> None:
        """Write the angle and time of what is shown onto the canvas."""
        if not hasattr(self.viewer, "canvas"):
            return
        layer = self.viewer.layers.selection.active
        item = None if layer is None else item_of(layer)
        text = ""
        if item is not None and self.viewer.dims.ndisplay == 2:
            text = caption(item, shown_index(self.viewer, layer))
        overlay = self.viewer.canvas.overlays.text
        overlay.text = text
        overlay.position = "top_left"
        overlay.font_size = 12
        overlay.visible = bool(text)
