"""What all panels share: a sentence on top, a choice of input, a foot that stays in view."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QApplication,
    QDockWidget,
    QFormLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_tomo4d.data import AnyData, TiltSeries
from napari_tomo4d.gui.canvas.layer_picker import LayerPicker
from napari_tomo4d.gui.canvas.session import Session, session_of
from napari_tomo4d.gui.panels.recipe_buttons import RecipeButtons
from napari_tomo4d.gui.widgets.run_bar import RunBar
from napari_tomo4d.gui.work.live_preview import dock_of
from napari_tomo4d.gui.work.runner import Runner
from napari_tomo4d.parameters import Parameters

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer
    from napari.utils.events import EventEmitter


class _OnePerViewer(type(QWidget)):  # type: ignore[misc]
    """Makes each panel once for a viewer.

    napari's menu, its scripts and this program's window each make the widget they show; all
    of them get the same one, with all that was done in it.
    """

    def __call__(cls, napari_viewer: napari.Viewer) -> Any:
        panels = session_of(napari_viewer).panels
        if cls not in panels:
            panels[cls] = super().__call__(napari_viewer)
        return panels[cls]


class Panel(QWidget, metaclass=_OnePerViewer):
    """One stage of the work.

    Subclasses add to `body`, which scrolls, and to `foot`, which always stays in view;
    `title` and `sentence` say what the panel does and needs. What draws on the canvas or
    listens to it does so between `came_to_front` and `went_behind`.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        napari looks for this name; it may hand over a proxy.
    """

    title = ""
    sentence = ""
    refill_steps: tuple[str, ...] = ()
    """Names of steps whose parameters the form can be filled with again."""

    run_bar: RunBar

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.session = session_of(napari_viewer)
        self.viewer = self.session.viewer
        self.recipe: RecipeButtons | None = None
        self.result: Layer | None = None
        """The layer of this panel's last result, or None."""
        self.in_front = self._closed = False
        self._dock: QDockWidget | None = None
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

    # -- parts -----------------------------------------------------------------------------

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

    def build_recipe_buttons(self, *before: QPushButton) -> None:
        """Add *Save recipe* and *Parameters of layer* to the body, behind others in a row."""
        self.recipe = RecipeButtons(
            self.session,
            lambda text: self.run_bar.say(text),
            lambda: self.result,
            self.refill,
            self.refill_steps,
            before,
        )
        self.body.addWidget(self.recipe)

    def refill(self, done: dict[str, Parameters]) -> str:
        """Fill the form with parameters of steps, by name; returns why it could not."""
        raise NotImplementedError

    # -- input and result ------------------------------------------------------------------

    def add_result(self, item: AnyData, name: str | None = None) -> Layer:
        """Show a data object that this panel made as a new layer, and return the layer."""
        self.result = self.session.add(item, name)
        if self.recipe is not None:
            self.recipe.update_buttons()
        return self.result

    def input_changed(self) -> None:
        """Empty what belongs to another input: the status of a run, and what subclasses show."""
        self.run_bar.forget()

    # -- in front or not -------------------------------------------------------------------

    def came_to_front(self) -> None:
        """Start to draw and to listen."""

    def went_behind(self) -> None:
        """Take away what was drawn on the canvas."""

    def slider_moved(self, _event: object = None) -> None:
        """Follow the viewer's sliders."""

    def changeEvent(self, event: QEvent | None) -> None:
        """Notice the dock that this panel is put into, or taken out of."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.ParentChange:
            self._find_dock()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Find the dock, which says when this panel comes to the front."""
        super().showEvent(event)
        self._find_dock()
        self._watch_window()

    def _find_dock(self) -> None:
        dock, before = dock_of(self), self._dock
        if dock is before:
            return
        self._dock = dock
        if before is not None:
            before.visibilityChanged.disconnect(self._front_changed)
            self._front_changed(False)
            if dock is not None:
                # moved from one into the other, so that an empty one is left
                QTimer.singleShot(0, lambda: self.viewer.window.remove_dock_widget(before))
        if dock is not None:
            dock.visibilityChanged.connect(self._front_changed)

    def _watch_window(self) -> None:
        main = None if self._dock is None else self._dock.parentWidget()
        if main is not None:
            _Closing.watch(main, self.session)

    def _front_changed(self, in_front: bool) -> None:
        if in_front == self.in_front or self._closed:
            return
        self.in_front = in_front
        if in_front:
            for event in self._slider_events():
                event.connect(self.slider_moved)
            self.came_to_front()
        else:
            self._let_go()

    def _slider_events(self) -> tuple[EventEmitter, ...]:
        events = self.viewer.dims.events
        return events.current_step, events.ndisplay, events.order

    def _let_go(self) -> None:
        for event in self._slider_events():
            event.disconnect(self.slider_moved)
        self.went_behind()

    def bring_to_front(self) -> None:
        """Show this panel's tab."""
        dock = dock_of(self)
        if dock is not None:
            dock.show()
            dock.raise_()

    def dock_below(self, widget: QWidget, name: str) -> QDockWidget:
        """Dock a wide widget below the canvas; returns the dock."""
        return self.viewer.window.add_dock_widget(widget, name=name, area="bottom", tabify=True)

    def close_work(self) -> None:
        """Cancel whatever runs, wait for it, and leave the viewer alone from now on."""
        if self.in_front:
            self.in_front = False
            self._let_go()
        self._closed = True
        for runner in self.findChildren(Runner):
            runner.drop()
            runner.wait()


class _Closing(QObject):
    """Ends the panels' work when their window closes: the widgets are deleted right after.

    So it does when the application is told to quit, which deletes windows without closing them.
    """

    def __init__(self, window: QWidget, session: Session) -> None:
        super().__init__(window)
        self._session = session
        self._asked = self._ended = False
        window.installEventFilter(self)
        application = QApplication.instance()
        assert application is not None, "there is a window"
        application.aboutToQuit.connect(self._end)

    @classmethod
    def watch(cls, window: QWidget, session: Session) -> None:
        """Watch a window, once."""
        if not window.findChildren(cls, options=Qt.FindChildOption.FindDirectChildrenOnly):
            cls(window, session)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """End the work once the window has been asked to close and has not refused."""
        if event is None:
            return False
        if event.type() == QEvent.Type.Close:
            self._asked = True
            QTimer.singleShot(0, self._forget)
        elif event.type() == QEvent.Type.Hide and self._asked and not event.spontaneous():
            self._end()
        return False

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            for panel in self._session.panels.values():
                panel.close_work()

    def _forget(self) -> None:
        self._asked = False
