"""What all panels share: a sentence on top, a choice of input, a foot that stays in view."""

from __future__ import annotations

import weakref
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QComboBox, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from napari_tomo4d.gui.form import ignore_wheel
from napari_tomo4d.gui.layers import item_of
from napari_tomo4d.gui.runner import Runner
from napari_tomo4d.gui.session import Session

_sessions: weakref.WeakValueDictionary[int, Session] = weakref.WeakValueDictionary()


def session_of(viewer: Any) -> Session:
    """Return the one session of a viewer; panels keep it alive."""
    session = _sessions.get(id(viewer))
    if session is None or session.viewer is not viewer:
        session = Session(viewer)
        _sessions[id(viewer)] = session
    return session


class LayerPicker(QComboBox):
    """Chooses among the layers of some kinds; follows additions, removals and renames.

    Parameters
    ----------
    session : Session
    *kinds : type
        Of the data objects, or of what is in a time series.
    """

    picked = Signal()

    def __init__(self, session: Session, *kinds: type) -> None:
        super().__init__()
        self._session, self._kinds = session, kinds
        self._connected = False
        ignore_wheel(self)
        self.setToolTip("The data this panel works on.")
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.currentIndexChanged.connect(lambda _: self.picked.emit())

    @property
    def layer(self) -> Any | None:
        """The chosen layer, or None."""
        return self.currentData()

    @property
    def item(self) -> Any | None:
        """The chosen layer's data object, or None."""
        return None if self.layer is None else item_of(self.layer)

    def refresh(self, _event: Any = None) -> None:
        """Make the list agree with the viewer; keeps the choice if it is still there."""
        layers = self._session.layers(*self._kinds)
        chosen = self.layer
        known = [self.itemData(i) for i in range(self.count())]
        appeared = [x for x in layers if not any(x is k for k in known)]
        self.blockSignals(True)
        self.clear()
        for layer in layers:
            self.addItem(layer.name, layer)
        # what was just made is what the user wants to go on with
        keep = appeared[0] if appeared else chosen
        self.setCurrentIndex(max(0, self._index(keep)) if layers else -1)
        self.blockSignals(False)
        if self.layer is not chosen:
            self.picked.emit()

    def _index(self, layer: Any) -> int:
        return next((i for i in range(self.count()) if self.itemData(i) is layer), -1)

    def showEvent(self, event: QShowEvent) -> None:
        """Follow the layers only while visible: a closed dock is just hidden."""
        super().showEvent(event)
        if not self._connected:
            events = self._session.viewer.layers.events
            for source in (events.inserted, events.removed, events.renamed):
                source.connect(self.refresh)
            self._connected = True
        self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop following the layers."""
        super().hideEvent(event)
        if self._connected:
            events = self._session.viewer.layers.events
            for source in (events.inserted, events.removed, events.renamed):
                source.disconnect(self.refresh)
            self._connected = False


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

    def bring_to_front(self) -> None:
        """Show this panel's tab."""
        dock = self.parentWidget()
        if dock is not None:
            dock.show()
            dock.raise_()

    def close_work(self) -> None:
        """Cancel whatever runs and wait until no thread is left."""
        for runner in self.findChildren(Runner):
            runner.drop()
            runner.wait()
