"""Corrections of particles by hand: made in the background, taken back and done again."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_tomo4d.gui.canvas.layers import ITEM_KEY, item_of, to_layers
from napari_tomo4d.gui.panels.particles.model import AnyLabels, Correction, apply, with_record
from napari_tomo4d.gui.work.runner import Runner
from napari_tomo4d.gui.work.undo import UndoStack
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import Provenance


@dataclass
class History:
    """What was done by hand to the particles of one layer.

    Parameters
    ----------
    base : Provenance, optional
        Of the labels before any correction.
    texts : list of str
        What was done and not taken back, in order.
    undo : UndoStack
    """

    base: Provenance | None
    texts: list[str] = field(default_factory=list)
    undo: UndoStack = field(default_factory=UndoStack)


class Corrector(QObject):
    """Corrects a copy of a layer's labels; the copy is made at the first correction.

    Parameters
    ----------
    parent : QObject
    add : callable
        Shows labels as a new layer in place of another, and returns the layer.

    Signals
    -------
    changed()
        A correction has begun or ended.
    replaced(layer)
        The labels of a layer are others now.
    told(text)
        What was done.
    failed(text)
        Why nothing was done.
    """

    changed = Signal()
    replaced = Signal(object)
    told = Signal(str)
    failed = Signal(str)

    def __init__(self, parent: QObject, add: Callable[[AnyLabels, Any], Any]) -> None:
        super().__init__(parent)
        self._add = add
        self._histories: weakref.WeakKeyDictionary[Any, History] = weakref.WeakKeyDictionary()
        self.runner = Runner(self)
        self.runner.finished.connect(lambda result, _seconds: result())
        self.runner.failed.connect(self._failed)

    @property
    def busy(self) -> bool:
        """Whether a correction is being made."""
        return self.runner.running

    def words(self, layer: Any) -> tuple[str, str]:
        """Return what could be taken back, and what could be done again."""
        history = None if layer is None else self._histories.get(layer)
        return ("", "") if history is None else (history.undo.undo_text, history.undo.redo_text)

    def correct(self, layer: Any, make: Callable[[AnyLabels], Correction]) -> None:
        """Make a correction of a layer's labels."""
        item, known = item_of(layer), self._histories.get(layer)
        assert item is not None
        base = item.provenance if known is None else known.base
        texts = [] if known is None else known.texts

        def work(_progress: Progress) -> Any:
            made = make(item)
            result = with_record(apply(item, made), base, [*texts, made.text])
            # large stacks take a moment to be laid out
            data = to_layers(result)[0][0]
            return lambda: self._made(layer, result, data, made)

        self.runner.start(work)
        self.changed.emit()

    def undo(self, layer: Any) -> None:
        """Take the last correction of a layer back, if there is one."""
        if self.words(layer)[0] and not self.busy:
            self.told.emit(f"Taken back: {self.words(layer)[0]}")
            self._histories[layer].undo.undo()

    def redo(self, layer: Any) -> None:
        """Do again what was taken back last, if anything was."""
        if self.words(layer)[1] and not self.busy:
            self.told.emit(f"Done again: {self.words(layer)[1]}")
            self._histories[layer].undo.redo()

    def _made(self, layer: Any, item: AnyLabels, data: Any, correction: Correction) -> None:
        history = self._histories.get(layer)
        if history is None:
            history = History(item_of(layer).provenance)
            layer = self._add(dataclasses.replace(item, name=f"{layer.name} corrected"), layer)
            self._histories[layer] = history
            # with the mouse on the canvas, the viewer's own undo would take the keys
            for keys, step in (("Control-Z", self.undo), ("Control-Shift-Z", self.redo)):
                layer.bind_key(keys, lambda own, do=step: do(own), overwrite=True)
        else:
            self._put(layer, item, data)
        history.texts.append(correction.text)
        history.undo.push(
            correction.text,
            lambda: self._step(layer, correction, False),
            lambda: self._step(layer, correction, True),
        )
        self.told.emit(correction.text)
        self.changed.emit()
        self.replaced.emit(layer)

    def _step(self, layer: Any, correction: Correction, forward: bool) -> None:
        """Take a correction back, or do it again."""
        item, history = item_of(layer), self._histories[layer]
        texts = [*history.texts, correction.text] if forward else history.texts[:-1]

        def work(_progress: Progress) -> Any:
            result = with_record(apply(item, correction, forward), history.base, texts)
            data = to_layers(result)[0][0]
            return lambda: self._stepped(layer, result, data, texts)

        self.runner.start(work)
        self.changed.emit()

    def _stepped(self, layer: Any, item: AnyLabels, data: Any, texts: list[str]) -> None:
        self._histories[layer].texts = texts
        self._put(layer, item, data)
        self.changed.emit()
        self.replaced.emit(layer)

    def _put(self, layer: Any, item: AnyLabels, data: Any) -> None:
        layer.metadata = {**layer.metadata, ITEM_KEY: item}
        layer.data = data

    def _failed(self, text: str) -> None:
        self.changed.emit()
        self.failed.emit(text)
