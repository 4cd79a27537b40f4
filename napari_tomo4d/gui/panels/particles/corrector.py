"""Corrections of particles by hand: worked out in the background, undone and redone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_tomo4d.data import times_of
from napari_tomo4d.gui.canvas.layers import label_stack_of
from napari_tomo4d.gui.work.runner import Runner
from napari_tomo4d.progress import Progress
from napari_tomo4d.segment.edits import Change, Edit

if TYPE_CHECKING:
    from napari.layers import Layer


class Corrector(QObject):
    """Corrects the labels of a layer, in one order with what is painted on them.

    Signals
    -------
    changed()
        A correction has begun or ended.
    told(text)
        What was done.
    failed(text)
        Why nothing was done.
    """

    changed = Signal()
    told = Signal(str)
    failed = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.runner = Runner(self)
        self.runner.finished.connect(lambda result, _seconds: result())
        self.runner.failed.connect(self._failed)

    @property
    def busy(self) -> bool:
        """Whether a correction is being made."""
        return self.runner.running

    def words(self, layer: Layer | None) -> tuple[str, str]:
        """Return what undo would undo, and what redo would do again; empty if nothing."""
        stack = label_stack_of(layer)
        return ("", "") if stack is None else (stack.undo_text, stack.redo_text)

    def problem(self, layer: Layer | None) -> str:
        """Return why a layer's labels can't be corrected; empty if they can."""
        stack = label_stack_of(layer)
        return "" if stack is None else stack.problem

    def correct(self, layer: Layer, edit: Edit) -> None:
        """Make a correction of a layer's labels."""
        stack = label_stack_of(layer)
        assert stack is not None
        item = stack.item

        def work(_progress: Progress) -> object:
            # large particles take a moment to be found
            changes = edit.changes([one.data for one in times_of(item)])
            return lambda: made(changes)

        def made(changes: list[Change]) -> None:
            if stack.item is not item:
                # painted on meanwhile
                self.correct(layer, edit)
                return
            stack.apply(edit, changes)
            layer.refresh()
            self.told.emit(f"{stack.undo_text}.")
            self.changed.emit()

        self.runner.start(work)
        self.changed.emit()

    def undo(self, layer: Layer) -> None:
        """Undo the last change of a layer, if there is one."""
        text = self.words(layer)[0]
        if text and not self.busy:
            layer.undo()
            self.told.emit(f"Undone: {text}.")
            self.changed.emit()

    def redo(self, layer: Layer) -> None:
        """Do again what was undone last, if anything was."""
        text = self.words(layer)[1]
        if text and not self.busy:
            layer.redo()
            self.told.emit(f"Redone: {text}.")
            self.changed.emit()

    def _failed(self, text: str) -> None:
        self.changed.emit()
        self.failed.emit(text)
