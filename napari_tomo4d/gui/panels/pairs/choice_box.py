"""Parts of the panel *Pairs*: the choice of a volume, and of pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QPushButton, QWidget

from napari_tomo4d.data import AnyLabels, AnyVolume, Volume, times_of
from napari_tomo4d.gui.canvas.layer_picker import LayerPicker
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.canvas.session import Session
from napari_tomo4d.gui.panels.pairs.model import PairsModel, spans
from napari_tomo4d.gui.widgets.keys import CANCEL, Keys
from napari_tomo4d.gui.widgets.number_box import number_box
from napari_tomo4d.gui.widgets.wheel import ignore_wheel

if TYPE_CHECKING:
    from napari.layers import Layer


class _Nothing:
    name = "none"


class VolumePicker(LayerPicker):
    """Chooses the volume that labels came from, or none."""

    # another volume has all measured again, so only a person chooses it
    follows_new = False

    def __init__(self, session: Session) -> None:
        super().__init__(session, Volume)
        self._nothing = _Nothing()
        self._labels: AnyLabels | None = None
        self.setToolTip(
            "The volume that the labels came from: its grey values are shown in the section, and "
            "its noise tells how well the surface is known."
        )

    @property
    def layer(self) -> Layer | None:
        """The chosen layer, or None."""
        chosen = self.currentData()
        return None if chosen is self._nothing else chosen

    def fit(self, labels: AnyLabels | None, volumes: AnyVolume | None, known: bool) -> None:
        """Offer only volumes of the same shape and number of times as these labels.

        Parameters
        ----------
        labels : Labels, or TimeSeries of Labels, optional
        volumes : Volume, or TimeSeries of Volume, optional
            What the labels were measured with, which is chosen again.
        known : bool
            Whether they were looked at before; if not, the newest volume is chosen.
        """
        self._labels = labels
        fitting = self._fitting()
        chosen = [x for x in fitting if not known or item_of(x) is volumes]
        self._offer(self._layers(), chosen[0] if chosen else None)

    def _fitting(self) -> list[Layer]:
        if self._labels is None:
            return []
        wanted = [i.data.shape for i in times_of(self._labels)]
        return [
            layer
            for layer in super()._layers()
            if [i.data.shape for i in times_of(item_of(layer))] == wanted
        ]

    def _layers(self) -> list[Layer]:
        return [*self._fitting(), self._nothing]

    def _index(self, layer: Layer | None) -> int:
        found = super()._index(self._nothing if layer is None else layer)
        # without the volume that was chosen there is none: no other one is meant
        return found if found >= 0 else super()._index(self._nothing)


class ChoiceBox(QWidget):
    """How pairs are chosen: by two clicks, or from a list of those that touch.

    Parameters
    ----------
    model : PairsModel

    Signals
    -------
    picking(on)
    escaped()
        Esc while clicks choose particles.
    suggested(pair)
        One of the list.
    gap_changed()
    """

    picking = Signal(bool)
    escaped = Signal()
    suggested = Signal(object)
    gap_changed = Signal()

    def __init__(self, model: PairsModel) -> None:
        super().__init__()
        self._model = model
        for event in (model.suggested, model.rows_changed, model.emptied):
            event.connect(self._show_list)
        model.looked_at_changed.connect(self._show_choice)
        self.click_button = QPushButton("Click two particles")
        self.click_button.setCheckable(True)
        self.click_button.toggled.connect(self._toggled)
        self.list = QComboBox()
        self.list.setToolTip("Pairs that touch, or nearly do, at any time. Choose one to see it.")
        self.list.activated.connect(self._activated)
        ignore_wheel(self.list)
        self.gap = number_box(
            0,
            0,
            1000,
            "nm",
            "Largest gap between two particles that still counts as a pair.",
            decimals=1,
        )
        self.gap.valueChanged.connect(lambda _: self.gap_changed.emit())
        self._keys = Keys(self, {CANCEL: self.escaped.emit})
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.click_button, 0, 0, 1, 2)
        grid.addWidget(QLabel("Largest gap"), 0, 2)
        grid.addWidget(self.gap, 0, 3)
        grid.addWidget(QLabel("Suggested"), 1, 0)
        grid.addWidget(self.list, 1, 1, 1, 3)
        grid.setColumnStretch(1, 1)

    def stop(self) -> None:
        """End the mode in which clicks choose particles."""
        self.click_button.setChecked(False)

    def _toggled(self, on: bool) -> None:
        self._keys.unwatch()
        if on:
            self._keys.watch(self)
            self._keys.watch_canvas(self)
        self.picking.emit(on)

    def _activated(self, index: int) -> None:
        pair = self.list.itemData(index)
        if pair is not None:
            self.suggested.emit(tuple(pair))

    def _show_list(self) -> None:
        """List the suggested pairs, with the names of those that are in the table."""
        model, suggestions = self._model, self._model.suggestions
        self.list.clear()
        if suggestions is None:
            self.list.addItem("looking for pairs..." if model.labels is not None else "")
            return
        count = len(suggestions.times)
        self.list.addItem(
            f"choose one of {count}" if count > 1 else "choose" if count else "no particles touch"
        )
        for pair, times in suggestions.times.items():
            when = spans(times, len(model.items))
            name = model.rows.name(pair) if pair in model.rows.pairs else ""
            text = f"{pair[0]} and {pair[1]}" + (f", {when}" if when else "")
            self.list.addItem(f"{name}: {text}" if name else text, list(pair))
        self._show_choice()

    def _show_choice(self) -> None:
        """Show the pair that is looked at as the chosen one of the list."""
        pair = self._model.pair
        shown = [self.list.itemData(i) for i in range(self.list.count())]
        self.list.setCurrentIndex(shown.index(list(pair)) if pair and list(pair) in shown else 0)
