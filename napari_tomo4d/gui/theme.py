"""All colours of the windows by name, for napari's dark and light themes.

Colours of text, lines and surfaces follow the theme while the program runs; those drawn over
images are the same in both, as images are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QWidget

if TYPE_CHECKING:
    from napari.viewer import Viewer


_DARK = {
    "surface": "#1c1f24",
    "text": "#c8ccd2",
    "faint": "#8a8f98",
    "first": "#4fc3f7",
    "second": "#81c784",
    "third": "#ffb74d",
    "here": "#ffd54f",
    "warning": "#ffb74d",
    "error": "#ff5252",
    "hover": "#ffffff",
}

_LIGHT = {
    "surface": "#ffffff",
    "text": "#3b3a39",
    "faint": "#7a7d84",
    "first": "#0277bd",
    "second": "#2e7d32",
    "third": "#c66900",
    "here": "#b28704",
    "warning": "#a65100",
    "error": "#c62828",
    "hover": "#000000",
}

_ON_IMAGES = {
    "mark": "#ffd54f",
    "ground": "#1c1f24",
    "on dark": "#ffffff",
    "on light": "#000000",
    "axis": "#ff4fd8",
    "slice 1": "#4fc3f7",
    "slice 2": "#ffd54f",
    "slice 3": "#81c784",
    "particle 1": "#29b6f6",
    "particle 2": "#4caf50",
    "neck": "#ff4fd8",
    "distance": "#ff9800",
    "class 1": "#ffd54f",
    "class 2": "#ff8a65",
    "class 3": "#f06292",
    "class 4": "#ba68c8",
    "stroke 1": "#4fc3f7",
    "stroke 2": "#ff8a65",
    "stroke 3": "#81c784",
    "stroke 4": "#ba68c8",
}

_DARK_SERIES = (
    "#4fc3f7",
    "#81c784",
    "#ffb74d",
    "#ba68c8",
    "#e57373",
    "#4db6ac",
    "#f06292",
    "#aed581",
    "#7986cb",
    "#fff176",
)

_LIGHT_SERIES = (
    "#0277bd",
    "#2e7d32",
    "#c66900",
    "#8e24aa",
    "#c62828",
    "#00796b",
    "#c2185b",
    "#558b2f",
    "#3949ab",
    "#9e7c00",
)


class _Theme(QObject):
    """Whether the window is dark; tells when that changes."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.dark = True

    def set_dark(self, dark: bool) -> None:
        if dark != self.dark:
            self.dark = dark
            self.changed.emit()


_theme = _Theme()


def colour(name: str) -> str:
    """Return a colour as ``#rrggbb``.

    Parameters
    ----------
    name : str
        Of text, lines and surfaces, as they are in the theme of now: ``surface``, ``text``,
        ``faint``, ``first``, ``second``, ``third`` (curves), ``here`` (what is looked at),
        ``warning``, ``error``, ``hover``. Over images: ``mark``, ``ground`` (below
        text), ``on dark`` and ``on light`` (text), ``axis``, ``slice 1`` to 3,
        ``particle 1`` and 2, ``neck``, ``distance``, ``class 1`` to 4, ``stroke 1`` to 4.
    """
    return (_ON_IMAGES | (_DARK if _theme.dark else _LIGHT))[name]


def series_colour(number: int) -> str:
    """Return the colour of one of many curves; they come again after ten."""
    colours = _DARK_SERIES if _theme.dark else _LIGHT_SERIES
    return colours[number % len(colours)]


def translucent(name: str, opacity: float) -> QColor:
    """Return a colour through which one sees, with an opacity from 0 to 1."""
    result = QColor(colour(name))
    result.setAlphaF(opacity)
    return result


class _Follower(QObject):
    """Calls a function at every change of the theme, as long as its widget lives."""

    def __init__(self, widget: QWidget, paint: Callable[[], None]) -> None:
        super().__init__(widget)
        self._paint = paint
        _theme.changed.connect(self._repaint)

    def _repaint(self) -> None:
        self._paint()


def follow(widget: QWidget, paint: Callable[[], None]) -> None:
    """Paint a widget now and whenever the theme changes.

    Parameters
    ----------
    widget : QWidget
    paint : callable
        Sets the colours.
    """
    _Follower(widget, paint)
    paint()


def set_text_colour(widget: QWidget, name: str = "") -> None:
    """Write a widget's text in a colour, by name; in the usual one if none is given."""
    known = widget.property("text colour")
    widget.setProperty("text colour", name)

    def paint() -> None:
        wanted = widget.property("text colour")
        widget.setStyleSheet(f"color: {colour(wanted)}" if wanted else "")

    if known is None:
        follow(widget, paint)
    else:
        paint()


def set_border(widget: QWidget, name: str = "") -> None:
    """Draw a border around a field, in a colour by name; none if none is given."""
    widget.setStyleSheet(f"border: 1px solid {colour(name)}" if name else "")


def set_tight(table: QWidget) -> None:
    """Let a table's cells take no more room than their text."""
    table.setStyleSheet(
        "QHeaderView::section {padding: 1px 2px; margin: 0px} QTableView::item {padding: 0px 2px}"
    )


def follow_viewer(viewer: Viewer) -> None:
    """Take the theme of a viewer, now and whenever it is changed.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
    """
    from napari.utils.theme import get_theme

    def take(_event: object = None) -> None:
        red, green, blue = get_theme(viewer.theme).background.as_rgb_tuple()[:3]
        # brightness as the eye sees it
        _theme.set_dark(0.299 * red + 0.587 * green + 0.114 * blue < 128)

    viewer.events.theme.connect(take)
    take()
