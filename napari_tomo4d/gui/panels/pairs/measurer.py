"""Measuring pairs in the background: one at the time shown, then all times, then the laws."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import QWidget

from napari_tomo4d.data import Labels, TimeSeries
from napari_tomo4d.gui.panels.pairs.measured_pair import (
    Found,
    Suggestions,
    Surfaces,
    as_items,
    measure_pair,
    suggest_pairs,
)
from napari_tomo4d.gui.panels.pairs.model import PairBook, PairKey, RowKey
from napari_tomo4d.gui.widgets.run_bar import RunBar
from napari_tomo4d.gui.work.runner import Runner
from napari_tomo4d.measure import correlations, follow_pairs, growth_of_pairs, growth_sentences
from napari_tomo4d.measure.necks.follow import row_of
from napari_tomo4d.progress import Progress

if TYPE_CHECKING:
    from napari_tomo4d.gui.work.live_preview import LivePreview

_REFRESH_MS = 100
_FOLLOW_MS = 60
"""The other times are measured once the first one has been painted."""


class PairMeasurer(QObject):
    """Knows labels, volume and the book of their pairs, and fills the book.

    Parameters
    ----------
    panel : QWidget
        Owner of what runs.
    run_bar : RunBar
        Where long runs are shown.
    search : LivePreview
        Looks for pairs, once the panel is in front.

    Signals
    -------
    found(Found)
        The pair that was asked for.
    suggested()
        `suggestions` are there.
    changed()
        Rows have come.
    grown(lines)
        What the growth laws say.
    failed(text)
    """

    found = Signal(object)
    suggested = Signal()
    changed = Signal()
    grown = Signal(object)
    failed = Signal(str)
    _rows_came = Signal(object, object, object)

    def __init__(self, panel: QWidget, run_bar: RunBar, search: LivePreview) -> None:
        super().__init__(panel)
        self.run_bar = run_bar
        self.item: Any = None
        self.book: PairBook | None = None
        self.suggestions: Suggestions | None = None
        self.max_gap_nm = 0.0
        self._volume: Any = None
        self._books: weakref.WeakKeyDictionary[Any, PairBook] = weakref.WeakKeyDictionary()
        self._surfaces = Surfaces([], None)
        self._known: dict[RowKey, Found] = {}
        self.quick, self.analysis = Runner(panel), Runner(panel)
        self.quick.finished.connect(self._measured)
        self.analysis.finished.connect(lambda lines, _: self.grown.emit(lines))
        self.search = search
        self.search.due.connect(self._search)
        self.search.finished.connect(self._searched)
        for runner in (self.quick, self.analysis, self.search):
            runner.failed.connect(self.failed)
        self._rows_came.connect(self._take_rows)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REFRESH_MS)
        self._timer.timeout.connect(self.changed)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_FOLLOW_MS)
        self._soon.timeout.connect(self.follow)

    @property
    def busy(self) -> bool:
        """Whether something runs, or is about to."""
        runners = (self.quick, self.analysis, self.run_bar.runner)
        waiting = self._timer.isActive() or self._soon.isActive()
        return self.search.busy or waiting or any(r.running for r in runners)

    @property
    def items(self) -> list[Labels]:
        """The labels of each time."""
        return [] if self.item is None else as_items(self.item)

    @property
    def times_known(self) -> bool:
        """Whether times are in seconds."""
        return isinstance(self.item, TimeSeries) and self.item.times_s is not None

    @property
    def surface_note(self) -> str:
        """Why the volume could not tell how well the surface is known, if so."""
        return self._surfaces.note

    def close(self) -> None:
        """Start nothing more."""
        self._timer.stop()
        self._soon.stop()
        self.item = self.book = None

    # -- input -----------------------------------------------------------------------------

    def set_labels(self, layer: Any, item: Any) -> None:
        """Work on other labels; None for none that can be measured."""
        for runner in (self.quick, self.analysis, self.search, self.run_bar.runner):
            runner.drop()
        self._timer.stop()
        self.item, self.book, self.suggestions = item, None, None
        self._volume, self._known = None, {}
        self._surfaces = Surfaces(self.items, None)
        if item is not None:
            if layer not in self._books:
                self._books[layer] = PairBook(len(self.items))
            self.book = self._books[layer]
            self.book.measured_on(item)
            self.search.request()

    def set_volume(self, item: Any) -> None:
        """Take the uncertainty of the surface from another volume; rows are measured again."""
        self._volume = item
        self._surfaces = Surfaces(self.items, None if item is None else as_items(item))
        self._known = {}
        if self.book is not None and self.book.source is not item:
            self.book.source = item
            self.book.outdate()

    def set_gap(self, max_gap_nm: float) -> None:
        """Look for pairs with another largest gap."""
        self.max_gap_nm, self.suggestions = max_gap_nm, None
        if self.book is not None:
            self.search.request()

    def _search(self) -> None:
        items, gap, surfaces = self.items, self.max_gap_nm, self._surfaces

        def search(progress: Progress) -> Any:
            found = suggest_pairs(items, gap, progress)
            # so that the first click need not wait for it
            surfaces.at(0)
            return found

        if items:
            self.search.start(search)

    def _searched(self, found: Suggestions, _seconds: float) -> None:
        self.suggestions = found
        self.suggested.emit()

    def sphere(self, label: int, time: int) -> tuple[np.ndarray, float] | None:
        """Return centre and radius of a particle in voxels, if they are known yet."""
        known = self.suggestions
        return None if known is None else known.spheres[time].get(label)

    def circle(self, label: int, time: int, place: np.ndarray) -> tuple[np.ndarray, float]:
        """Return centre and radius in voxels, from the slice of a place if no more is known."""
        known = self.sphere(label, time)
        if known is not None:
            return known
        y, x = np.nonzero(np.asarray(self.items[time].data[place[0]]) == label)
        return np.array([place[0], y.mean(), x.mean()]), float(np.sqrt(len(y) / np.pi))

    # -- one pair --------------------------------------------------------------------------

    def known(self, place: RowKey | None) -> Found | None:
        """Return what was measured for the picture of a pair at a time."""
        return None if place is None else self._known.get(place)

    def measure(self, key: PairKey, time: int) -> bool:
        """Measure a pair at one time; returns whether that was known already."""
        known = self._known.get((key, time))
        if known is not None:
            self.quick.drop()
            self.found.emit(known)
            return True
        items, surfaces = self.items, self._surfaces
        self.quick.start(lambda _: (surfaces, measure_pair(items, surfaces, key, time)))
        return False

    def _measured(self, result: Any, _seconds: float) -> None:
        surfaces, found = result
        if surfaces is self._surfaces:
            self._known[found.key, found.time] = found
            self.found.emit(found)

    def expects(self, key: PairKey) -> bool:
        """Whether a pair is in the book, or touches at any time."""
        suggested = self.suggestions is not None and key in self.suggestions.times
        return suggested or (self.book is not None and key in self.book.pairs)

    def enter(self, found: Found) -> bool:
        """Take a measurement into the book; returns whether there was anything new."""
        book = self.book
        if book is None:
            return False
        new = found.key not in book.pairs
        if new:
            book.add(*found.key)
        if book.row(found.key, found.time) is not None:
            return new
        book.put(found.key, [{**self._when(found), **row_of(found.neck)}])
        return book.row(found.key, found.time) is not None

    def _when(self, found: Found) -> dict[str, Any]:
        """Return the columns of a row that say which pair and time it is."""
        t = found.time
        times = getattr(self.item, "times_s", None)
        temperatures = getattr(self.item, "temperatures_c", None)
        return {
            "pair": "",
            "time": t,
            "time_s": float("nan" if times is None else times[t]),
            "temperature_c": np.nan if temperatures is None else float(temperatures[t]),
            "a": found.key[0],
            "b": found.key[1],
        }

    # -- all times, all pairs --------------------------------------------------------------

    def add_all(self) -> None:
        """Take all suggested pairs into the book and measure them."""
        if self.book is not None and self.suggestions is not None:
            for a, b in self.suggestions.times:
                self.book.add(a, b)
            self.follow()

    def follow_soon(self) -> None:
        """Measure what is missing, once what is there has been painted."""
        self._soon.start()

    def follow(self) -> None:
        """Measure what is missing in the book at all times, unless a run is under way."""
        book, surfaces, item = self.book, self._surfaces, self.item
        wanted = [] if book is None else book.missing()
        if not wanted or self.run_bar.runner.running:
            return
        series = item if isinstance(item, TimeSeries) else [item]

        def follow(progress: Progress) -> Any:
            errors = surfaces.all(progress.part(0, len(wanted) + 1))
            for i, key in enumerate(wanted):
                part = progress.part(i + 1, len(wanted) + 1)
                table = follow_pairs(
                    series, pairs=[key], surface_uncertainty_nm=errors, progress=part
                )
                self._rows_came.emit((book, surfaces), key, table.to_dict("records"))
            return wanted

        self.run_bar.start(follow)

    def _take_rows(
        self, source: tuple[PairBook, Surfaces], key: PairKey, rows: list[dict[str, Any]]
    ) -> None:
        book, surfaces = source
        if book is not self.book or surfaces is not self._surfaces:
            # of labels or a volume that are no longer looked at
            return
        book.put(key, rows, complete=True)
        if not self._timer.isActive():
            self._timer.start()

    def forget_unmeasured(self) -> None:
        """Drop pairs of which nothing was measured, after a run was cancelled."""
        if self.book is not None:
            self.book.drop(self.book.empty())

    def analyse(self) -> None:
        """Fit the growth laws to the rows there are."""
        book = self.book
        if book is None or not book.places():
            self.analysis.drop()
            self.grown.emit([])
        elif not self.run_bar.runner.running:
            table = book.table()

            def fit(progress: Progress) -> list[str]:
                growth = growth_of_pairs(table, progress=progress)
                return growth_sentences(growth, correlations(table))

            self.analysis.start(fit)
