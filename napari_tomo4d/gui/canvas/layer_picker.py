"""Lists of layers to choose from, which follow what the viewer holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QComboBox

from napari_tomo4d.errors import DataError
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.canvas.place import shown_index
from napari_tomo4d.gui.canvas.session import Session, same_layer
from napari_tomo4d.gui.widgets.messages import NO_IMAGE
from napari_tomo4d.gui.widgets.wheel import ignore_wheel

if TYPE_CHECKING:
    from napari.layers import Layer


class LayerPicker(QComboBox):
    """Chooses among the layers of some kinds; follows additions, removals and renames.

    Parameters
    ----------
    session : Session
    *kinds : type
        Of the data objects, or of what is in a time series.

    Signals
    -------
    picked()
        Another layer is chosen.
    edited()
        The chosen layer holds another data object now: somebody painted on its labels,
        corrected them, or undid it.
    """

    picked = Signal()
    edited = Signal()
    follows_new = True
    """Whether a layer that has just appeared is chosen."""

    def __init__(self, session: Session, *kinds: type) -> None:
        super().__init__()
        self._session, self._kinds = session, kinds
        self._connected = False
        self._watched: Layer | None = None
        ignore_wheel(self)
        self.setToolTip("The data this panel works on.")
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.currentIndexChanged.connect(self._choice_changed)

    @property
    def layer(self) -> Layer | None:
        """The chosen layer, or None."""
        return self.currentData()

    @property
    def item(self) -> Any | None:
        """The chosen layer's data object, or None."""
        return None if self.layer is None else item_of(self.layer)

    def refresh(self, _event: object = None) -> None:
        """Make the list agree with the viewer; keeps the choice if it is still there."""
        layers = self._layers()
        known = [self.itemData(i) for i in range(self.count())]
        appeared = [x for x in layers if not any(same_layer(x, k) for k in known)]
        # what was just made is what the user wants to go on with
        self._offer(layers, appeared[0] if appeared and self.follows_new else self.layer)

    def _offer(self, layers: list[Layer], choice: Layer | None) -> None:
        """List layers and choose one of them; the first if that is not there."""
        before = self.layer
        with QSignalBlocker(self):
            self.clear()
            for layer in layers:
                self.addItem(layer.name, layer)
            self.setCurrentIndex(max(0, self._index(choice)) if layers else -1)
        if not same_layer(self.layer, before):
            self._choice_changed()

    @contextmanager
    def staying(self) -> Iterator[None]:
        """Keep the choice while the caller adds a layer."""
        before, self.follows_new = self.follows_new, False
        try:
            yield
            # also while hidden, so that the layer is no news once this is shown
            self.refresh()
        finally:
            self.follows_new = before

    def choose(self, layer: Layer) -> None:
        """Choose a layer, if it is in the list."""
        if self._index(layer) >= 0:
            self.setCurrentIndex(self._index(layer))

    def _choice_changed(self, _index: int = 0) -> None:
        if self._watched is not None:
            self._watched.events.metadata.disconnect(self._metadata_changed)
        self._watched = self.layer
        if self._watched is not None:
            self._watched.events.metadata.connect(self._metadata_changed)
        self.picked.emit()

    def _metadata_changed(self, _event: object = None) -> None:
        self.edited.emit()

    def _layers(self) -> list[Layer]:
        return self._session.layers(*self._kinds)

    def _index(self, layer: Layer | None) -> int:
        return next((i for i in range(self.count()) if same_layer(self.itemData(i), layer)), -1)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Follow the layers only while visible: a closed dock is just hidden."""
        super().showEvent(event)
        if not self._connected:
            events = self._session.viewer.layers.events
            for source in (events.inserted, events.removed, events.renamed):
                source.connect(self.refresh)
            self._connected = True
        self.refresh()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Stop following the layers."""
        super().hideEvent(event)
        if self._connected:
            events = self._session.viewer.layers.events
            for source in (events.inserted, events.removed, events.renamed):
                source.disconnect(self.refresh)
            self._connected = False


class ImagePicker(LayerPicker):
    """Chooses among all image layers, wherever they came from."""

    follows_new = False

    def __init__(self, session: Session, tip: str) -> None:
        super().__init__(session)
        self.setToolTip(tip)

    def _layers(self) -> list[Layer]:
        return [x for x in self._session.viewer.layers if isinstance(x, Image) and not x.rgb][::-1]

    def reader(self) -> Callable[[], np.ndarray]:
        """Return a function that loads the displayed image; call it in a thread."""
        layer = self.layer
        if layer is None:
            raise DataError(NO_IMAGE)
        position = shown_index(self._session.viewer, layer)[: layer.ndim - 2]
        data = layer.data[0] if layer.multiscale else layer.data
        return lambda: np.asarray(data[position], dtype=np.float64)
