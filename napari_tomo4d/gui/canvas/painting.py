"""Each layer owns what it shows: what is painted on labels becomes corrections of their data."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image
from napari.layers import Labels as LabelsLayer
from napari.utils.notifications import show_info, show_warning

from napari_tomo4d.data import Labels, kind_of
from napari_tomo4d.gui.canvas.label_stack import LabelStack
from napari_tomo4d.gui.canvas.layers import ITEM_KEY, shape_of, to_layers

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.utils.events import Event


def take_ownership(layer: Layer) -> None:
    """Make a layer that has come into a viewer the only owner of what it shows.

    Labels are painted on as a `LabelStack` of the layer's own, also where the layer is a copy
    of another one. A layer that no longer shows its data object becomes one from elsewhere.
    """
    item = layer.metadata.get(ITEM_KEY)
    if isinstance(layer, LabelsLayer) and isinstance(layer.data, LabelStack):
        keeper = layer.data.keeper
        if keeper is None:
            LabelKeeper(layer, layer.data)
        elif keeper.layer is not layer:
            LabelKeeper(layer, layer.data.copy())
    elif isinstance(layer, LabelsLayer) and item is not None and kind_of(item) is Labels:
        LabelKeeper(layer, LabelStack(item))
    elif isinstance(layer, Image) and item is not None:
        layer.events.data.connect(_image_set)
        _check_image(layer)
    elif item is not None:
        _let_go(layer)


def _image_set(event: Event) -> None:
    _check_image(event.source)


def _check_image(layer: Layer) -> None:
    """Let the layer show the voxels of its data object themselves, or have no such object."""
    item, shown = layer.metadata.get(ITEM_KEY), layer.data
    if item is None:
        return
    if kind_of(item) is Labels or tuple(shown.shape) != shape_of(item):
        _let_go(layer)
    elif isinstance(shown, np.ndarray) and shown.flags.writeable:
        # a copy, or something else of the same size; what is ours can't be written to
        own = to_layers(item)[0][0]
        if np.array_equal(own, shown):
            layer.data = own
        else:
            _let_go(layer)


def _let_go(layer: Layer) -> None:
    layer.metadata = {k: v for k, v in layer.metadata.items() if k != ITEM_KEY}


class LabelKeeper:
    """Keeps a layer's labels, its data object and its undo together.

    The viewer paints into the layer's `LabelStack`, which notes every voxel; this says where
    one stroke ends, so that it is one edit and one undo.

    Parameters
    ----------
    layer : napari.layers.Labels
    stack : LabelStack
        Becomes the layer's data, if it is not yet.
    """

    def __init__(self, layer: Layer, stack: LabelStack) -> None:
        self._layer = weakref.ref(layer)
        self.stack = stack
        stack.keeper = self
        self._stroke_ended = False
        layer.events.data.connect(self._data_set)
        layer.events.paint.connect(self._painted)
        layer.events.labels_update.connect(self._updated)
        layer.events.set_data.connect(self._redrawn)
        stack.changed.connect(self._changed)
        # corrections of the panels and strokes of the brush are undone in one order
        layer.undo, layer.redo = self.undo, self.redo
        # the viewer's own looks for the largest label in arrays in memory only
        layer.bind_key("m", _choose_new_label, overwrite=True)
        self._say_if_fixed()
        if isinstance(layer.data, LabelStack):
            if layer.data is not stack:
                self._show()
            self._changed()
        else:
            self._take(layer.data)

    @property
    def layer(self) -> Layer:
        """The layer, None if it is gone."""
        return self._layer()

    def undo(self) -> None:
        """Undo the last change of the labels, whichever tool made it."""
        self.stack.undo()
        self.layer.refresh()

    def redo(self) -> None:
        """Do again what was undone last."""
        self.stack.redo()
        self.layer.refresh()

    def _painted(self, _event: object = None) -> None:
        # a stroke by mouse is told after its voxels were written, one by a script before
        self._stroke_ended = not self.stack.pending
        self.stack.commit()

    def _updated(self, _event: object = None) -> None:
        if self._stroke_ended:
            self._redrawn()

    def _redrawn(self, _event: object = None) -> None:
        self._stroke_ended = False
        self.stack.commit()

    def _changed(self) -> None:
        layer = self.layer
        if layer is not None and layer.metadata.get(ITEM_KEY) is not self.stack.item:
            layer.metadata = {**layer.metadata, ITEM_KEY: self.stack.item}

    def _data_set(self, _event: object = None) -> None:
        if self.layer.data is not self.stack:
            self._take(self.layer.data)

    def _take(self, shown: LabelStack | np.ndarray) -> None:
        """Take voxels that somebody gave the layer as one edit, if they can be labels of ours."""
        layer = self.layer
        if isinstance(shown, LabelStack):
            self._leave()
            LabelKeeper(layer, shown if shown.keeper is None else shown.copy())
            return
        try:
            self.stack.fill(shown)
        except ValueError as error:
            self._leave()
            _let_go(layer)
            show_warning(f"“{layer.name}” is no longer known to the panels: {error}")
        else:
            self._show()

    def _show(self) -> None:
        layer = self.layer
        with layer.events.data.blocker(self._data_set):
            layer.data = self.stack
        self._say_if_fixed()

    def _say_if_fixed(self) -> None:
        """Switch the brush off where it can't be recorded, and say why in the status bar."""
        layer = self.layer
        layer.editable = not self.stack.problem
        if self.stack.problem:
            layer.help = self.stack.problem

    def _leave(self) -> None:
        """Leave the layer to whoever gave it other data."""
        layer = self.layer
        layer.events.data.disconnect(self._data_set)
        layer.events.paint.disconnect(self._painted)
        layer.events.labels_update.disconnect(self._updated)
        layer.events.set_data.disconnect(self._redrawn)
        self.stack.changed.disconnect(self._changed)
        self.stack.keeper = None
        del layer.undo, layer.redo
        layer.bind_key("m", None)


def _choose_new_label(layer: Layer) -> None:
    """Choose a label that no particle has at any time."""
    new = layer.data.largest() + 1
    if layer.selected_label == new:
        show_info(f"Label {new} is chosen already and not in use yet; paint with it first.")
    layer.selected_label = new
