"""Two buttons: save how the last result was made, and fill a form in as for a layer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_tomo4d.data import Table
from napari_tomo4d.errors import Tomo4DError
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.canvas.session import Session
from napari_tomo4d.gui.widgets.allow import allow
from napari_tomo4d.gui.widgets.save_dialog import ask_where
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.quantities import plural

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.utils.events import EventEmitter


_NO_RESULT = "This panel has made nothing yet."
_SAVE = "Writes the steps that made “{}”, to repeat them later."
_NO_LAYER = "Select a layer that was made here first."
_REFILL = "Fills this form in as it was for “{}”."


class RecipeButtons(QWidget):
    """*Save recipe*, of a panel's own last result, and *Parameters of layer*.

    Parameters
    ----------
    session : Session
    say : callable
        Shows a sentence in the panel.
    result : callable
        Returns the layer of the panel's last result, or a table that has no layer, or None.
    refill : callable
        Fills the form with the parameters of steps, by name; returns why it could not.
    refill_steps : tuple of str
        The steps it can do that for.
    before : iterable of QPushButton
        Others in the same row.
    """

    def __init__(
        self,
        session: Session,
        say: Callable[[str], None],
        result: Callable[[], Layer | Table | None],
        refill: Callable[[dict[str, Parameters]], str],
        refill_steps: tuple[str, ...],
        before: Iterable[QPushButton] = (),
    ) -> None:
        super().__init__()
        self._session, self._say = session, say
        self._result, self._fill, self._steps = result, refill, refill_steps
        self._following = False
        self.save_button = QPushButton("Save recipe...")
        self.save_button.clicked.connect(self._save)
        self.refill_button = QPushButton("Parameters of layer")
        self.refill_button.clicked.connect(self._refill)
        self.refill_button.setVisible(bool(refill_steps))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for button in (*before, self.save_button, self.refill_button):
            row.addWidget(button)
        self.update_buttons()

    def update_buttons(self, _event: object = None) -> None:
        """Enable what can be done now, and say in the tooltips what it is or why it can't."""
        made, active = self._made(), self._session.viewer.layers.selection.active
        name = "" if made is None else made.name
        allow(self.save_button, _SAVE.format(name), _NO_RESULT if made is None else "")
        fits = any(name in self._steps for name in self._parameters(active))
        name = active.name if fits else ""
        allow(self.refill_button, _REFILL.format(name), "" if fits else _NO_LAYER)

    def _made(self) -> Layer | Table | None:
        """Return the last result; its layer, if it has one that is still there."""
        layer = self._result()
        if isinstance(layer, Table):
            return layer
        return layer if layer is not None and layer in self._session.viewer.layers else None

    def _parameters(self, layer: Layer | None) -> dict[str, Parameters]:
        item = None if layer is None else item_of(layer)
        made = getattr(item, "provenance", None)
        return {} if made is None else {p.step: p.parameters for p in made.chain()}

    def _save(self) -> None:
        layer = self._made()
        if layer is None:
            self._say(_NO_RESULT)
            return
        path = ask_where(self, "Save recipe", "recipe", "Recipe", ".toml")
        if not path:
            return
        name = re.sub(r"\W+", "_", layer.name).strip("_")
        table = isinstance(layer, Table)
        output, report = f"{name}.csv" if table else f"{name}.ome.zarr", f"{name}.html"
        try:
            count = self._session.save_recipe(layer, path, output, report if table else None)
        except Tomo4DError as error:
            self._say(f"Error: {error}")
            return
        saved = f"Saved the {plural(count, 'step')} to “{layer.name}”."
        self._say(f"{saved} Repeat with: napari-tomo4d run {path}")

    def _refill(self) -> None:
        layer = self._session.viewer.layers.selection.active
        problem = self._fill(self._parameters(layer))
        self._say(problem or f"Filled in as it was for “{layer.name}”.")

    def showEvent(self, event: QShowEvent | None) -> None:
        """Follow the layers only while visible: a closed dock is just hidden."""
        super().showEvent(event)
        if not self._following:
            self._following = True
            for source in self._sources():
                source.connect(self.update_buttons)
        self.update_buttons()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Stop following the layers."""
        super().hideEvent(event)
        if self._following:
            self._following = False
            for source in self._sources():
                source.disconnect(self.update_buttons)

    def _sources(self) -> tuple[EventEmitter, ...]:
        layers = self._session.viewer.layers
        return layers.selection.events.active, layers.events.removed, layers.events.renamed
