"""What all panels share: a sentence on top, a choice of input, a foot that stays in view."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QDockWidget,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import Tomo4DError
from napari_tomo4d.gui.canvas.layer_picker import LayerPicker
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.canvas.session import Session
from napari_tomo4d.gui.widgets.run_bar import RunBar
from napari_tomo4d.gui.work.runner import Runner

__all__ = ["LayerPicker", "LivePreview", "Panel", "RecipePanel", "session_of"]

_PREVIEW_DELAY_MS = 200

_sessions: weakref.WeakValueDictionary[int, Session] = weakref.WeakValueDictionary()


def session_of(viewer: Any) -> Session:
    """Return the one session of a viewer; panels keep it alive."""
    session = _sessions.get(id(viewer))
    if session is None or session.viewer is not viewer:
        session = Session(viewer)
        _sessions[id(viewer)] = session
    return session


class Panel(QWidget):
    """One stage of the work.

    Subclasses add to `body`, which scrolls, and to `foot`, which always stays in view;
    `title` and `sentence` say what the panel does and needs.
    """

    title = ""
    sentence = ""

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer = viewer
        self.session = session_of(viewer)
        self.setMinimumWidth(390)
        content, foot = QWidget(), QWidget()
        self.body, self.foot = QVBoxLayout(content), QVBoxLayout(foot)
        self.body.setSpacing(8)
        self.foot.setContentsMargins(9, 3, 9, 3)
        sentence = QLabel(self.sentence)
        sentence.setWordWrap(True)
        self.body.addWidget(sentence)
        self.scroll_area = QScrollArea()
        self.scroll_area.setWidgetResizable(True)
        self.scroll_area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.scroll_area.setWidget(content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.scroll_area, 1)
        layout.addWidget(foot)
        foot.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)

    def build_series_input(self, changed: Callable[[], None]) -> QFormLayout:
        """Add the choice of a tilt series, `picker`, and a line about it, `hint`.

        `changed` is called after another choice; returns the form, for further rows.
        """
        form = QFormLayout()
        self.picker = LayerPicker(self.session, TiltSeries)
        self.picker.picked.connect(changed)
        form.addRow("Tilt series", self.picker)
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.body.addLayout(form)
        self.body.addWidget(self.hint)
        return form

    def bring_to_front(self) -> None:
        """Show this panel's tab."""
        dock = self.parentWidget()
        if dock is not None:
            dock.show()
            dock.raise_()

    def dock_below(self, widget: QWidget, name: str) -> Any:
        """Dock a wide widget below the canvas; panels keep their height. Returns the dock."""
        dock = self.viewer.window.add_dock_widget(widget, name=name, area="bottom", tabify=True)
        dock.window().setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        return dock

    def close_work(self) -> None:
        """Cancel whatever runs and wait until no thread is left."""
        for runner in self.findChildren(Runner):
            runner.drop()
            runner.wait()


class LivePreview(Runner):
    """A runner for previews: `due` comes once nothing has changed for a moment.

    A panel behind another tab is spared them until it comes to the front.
    """

    due = Signal()

    def __init__(self, panel: QWidget) -> None:
        super().__init__(panel)
        self._panel = panel
        self._dock: QDockWidget | None = None
        self._put_off = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PREVIEW_DELAY_MS)
        self._timer.timeout.connect(self._ask)

    @property
    def busy(self) -> bool:
        """Whether the preview is not up to date yet."""
        return self.running or self._timer.isActive()

    def request(self) -> None:
        """Ask for a preview; an earlier wish for one is forgotten."""
        self._timer.start()

    def drop(self) -> None:
        """Cancel the preview under way, and the wish for one."""
        self._timer.stop()
        self._put_off = False
        super().drop()

    def _ask(self) -> None:
        # a widget behind another tab counts as visible, but no part of it is
        if self._panel.visibleRegion().isEmpty() and self._find_dock() is not None:
            self._put_off = True
        else:
            self.due.emit()

    def _find_dock(self) -> QDockWidget | None:
        if self._dock is None:
            parent = self._panel.parentWidget()
            while parent is not None and not isinstance(parent, QDockWidget):
                parent = parent.parentWidget()
            if parent is not None:
                parent.visibilityChanged.connect(self._came_to_front)
            self._dock = parent
        return self._dock

    def _came_to_front(self, visible: bool) -> None:
        if visible and self._put_off:
            self._put_off = False
            self.request()


class RecipePanel(Panel):
    """A panel whose results can be repeated, by a recipe or from the form filled in again.

    Subclasses make a `run_bar`, call `build_recipe_buttons` and have `refill`.
    """

    run_bar: RunBar

    def build_recipe_buttons(self, *before: QPushButton) -> None:
        """Add the two buttons to the body, behind others in the same row."""
        self.save_button = QPushButton("Save recipe...")
        self.save_button.setToolTip("Writes how the selected layer was made, to repeat it later.")
        self.save_button.clicked.connect(self._save_recipe)
        self.refill_button = QPushButton("Parameters of layer")
        self.refill_button.setToolTip("Fills this form as it was for the selected layer.")
        self.refill_button.clicked.connect(self._refill)
        row = QHBoxLayout()
        for button in (*before, self.save_button, self.refill_button):
            row.addWidget(button)
        self.body.addLayout(row)

    def refill(self, done: dict[str, dict[str, Any]]) -> str:
        """Fill the form with parameters of steps, by name; returns why it could not."""
        raise NotImplementedError

    def _active(self) -> Any:
        active = self.viewer.layers.selection.active
        return None if active is None else item_of(active)

    def _save_recipe(self) -> None:
        layer = self.viewer.layers.selection.active
        if self._active() is None:
            self.run_bar.say("Select the layer of a result first.")
            return
        path, _ = QFileDialog.getSaveFileName(self, "Save recipe", "recipe.toml", "Recipe (*.toml)")
        if not path:
            return
        try:
            self.session.save_recipe(layer, path, output=f"{layer.name}.ome.zarr".replace(" ", "_"))
        except Tomo4DError as error:
            self.run_bar.say(f"Error: {error}")
        else:
            self.run_bar.say(f"Saved. Repeat it with: napari-tomo4d run {path}")

    def _refill(self) -> None:
        item = self._active()
        chain = [] if getattr(item, "provenance", None) is None else item.provenance.chain()
        problem = self.refill({p.step: p.parameters for p in chain})
        self.run_bar.say(problem or "Filled in as it was for the selected layer.")
