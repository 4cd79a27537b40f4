"""Measuring pairs in the background: one at the time shown, then all times, then the laws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_tomo4d.data import is_series
from napari_tomo4d.gui.panels.pairs.model import PairsModel, measure_pair
from napari_tomo4d.gui.panels.pairs.rows import RowKey
from napari_tomo4d.gui.work.runner import Runner
from napari_tomo4d.measure import correlations, follow_pairs, growth_of_pairs, growth_sentences
from napari_tomo4d.measure.necks.contacts import PairKey, suggest_pairs
from napari_tomo4d.progress import Progress
from napari_tomo4d.quantities import Row

_REFRESH_MS = 100
"""Rows that come quickly are shown together."""
_FOLLOW_MS = 60
"""The other times are measured once the first one has been painted."""


class PairMeasurer(QObject):
    """Measures what the model misses.

    Parameters
    ----------
    model : PairsModel
    runner : Runner
        For long runs.
    start : callable
        Starts a long run on that runner, and shows it.
    search : Runner
        Looks for pairs once it is ``due``, see `LivePreview`.
    parent : QObject

    Signals
    -------
    refused(text)
        Why a pair that was asked for is not in the table.
    measured(pair)
        A pair that was asked for is in the table.
    complete()
        All rows are there.
    grown(lines)
        What the growth laws say.
    unmeasurable(text)
        Why what is looked at can't be measured at the time shown.
    failed(text)
    """

    refused = Signal(str)
    measured = Signal(object)
    complete = Signal()
    grown = Signal(object)
    unmeasurable = Signal(str)
    failed = Signal(str)
    _rows_came = Signal(object, object, object)

    def __init__(
        self,
        model: PairsModel,
        runner: Runner,
        start: Callable[[Callable[[Progress], object]], None],
        search: Any,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self.model, self.runner, self._start, self.search = model, runner, start, search
        self.quick, self.analysis = Runner(parent), Runner(parent)
        self._closed = False
        self._asked: RowKey | None = None
        """A pair that a person wants and that is not measured yet, at the time of the wish."""
        self._under_way: tuple[Any, RowKey] | None = None
        self.quick.finished.connect(self._measured)
        self.analysis.finished.connect(lambda lines, _: self.grown.emit(lines))
        search.due.connect(self._search)
        search.finished.connect(lambda found, _: model.set_suggestions(found))
        self.quick.failed.connect(self._failed)
        for one in (self.analysis, search):
            one.failed.connect(self.failed)
        runner.finished.connect(lambda *_: self._complete())
        runner.cancelled.connect(self._cancelled)
        self._rows_came.connect(self._take_rows)
        self._show = self._timer(_REFRESH_MS, lambda: self.model.rows_changed.emit())
        self._soon = self._timer(_FOLLOW_MS, self.follow)
        model.emptied.connect(self._start_anew)
        # its rows would not be taken; those of the other volume are measured once they are missed
        model.surfaces_changed.connect(runner.drop)
        model.looked_at_changed.connect(self._measure_place)
        model.rows_changed.connect(self._rows_changed)

    def _timer(self, interval_ms: int, function: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(interval_ms)
        timer.timeout.connect(function)
        return timer

    @property
    def busy(self) -> bool:
        """Whether something runs, or is about to."""
        waiting = self._show.isActive() or self._soon.isActive() or self.search.busy
        return waiting or any(r.running for r in (self.quick, self.analysis, self.runner))

    def close(self) -> None:
        """Start nothing more."""
        self._closed = True
        self._show.stop()
        self._soon.stop()

    def _start_anew(self) -> None:
        """Forget what runs for other labels, and look for pairs in these."""
        for one in (self.quick, self.analysis, self.search, self.runner):
            one.drop()
        self._show.stop()
        self._asked = None
        if self.model.labels is not None:
            self.search.request()

    # -- which pairs there are ----------------------------------------------------------------

    def search_again(self, max_gap_nm: float) -> None:
        """Look for pairs with another largest gap."""
        self.model.set_gap(max_gap_nm)
        if self.model.labels is not None:
            self.search.request()

    def _search(self) -> None:
        items, gap, surfaces = self.model.items, self.model.max_gap_nm, self.model.surfaces

        def search(progress: Progress) -> object:
            found = suggest_pairs(items, gap, progress)
            # so that the first click need not wait for it
            surfaces.at(0)
            return found

        if items:
            self.search.start(search)

    # -- one pair --------------------------------------------------------------------------

    def measure(self, key: PairKey) -> None:
        """Measure a pair at the time shown; it is in the table then, unless it lies apart."""
        model = self.model
        if model.labels is None:
            return
        if key not in model.rows.pairs:
            self._asked = key, model.time
            self._measure_place()
            return
        # its rows are there, so only the picture may be missing
        self._asked = None
        model.look_at(key)
        self._measure_place()
        if model.found is not None:
            self.measured.emit(key)

    def _measure_place(self) -> None:
        """Measure what a person asked for, or else what is looked at without a picture."""
        model = self.model
        place = self._asked or (model.place if model.found is None else None)
        if self._closed:
            return
        if place is None:
            # a measurement under way is of another place
            self.quick.drop()
            return
        items, surfaces = model.items, model.surfaces
        if self.quick.running and self._under_way is not None:
            under_way, known = self._under_way
            if under_way is surfaces and known == place:
                return
        self._under_way = surfaces, place
        self.quick.start(lambda _: (surfaces, measure_pair(items, surfaces, *place)))

    def _measured(self, result: Any, _seconds: float) -> None:
        surfaces, found = result
        if surfaces is not self.model.surfaces or self._closed:
            # of labels or a volume that are no longer looked at
            return
        self._asked = None
        problem = self.model.offer(found)
        if problem:
            self.refused.emit(problem)
        else:
            self.measured.emit(found.key)

    def _failed(self, text: str) -> None:
        self._asked = None
        self.unmeasurable.emit(text)

    # -- all times, all pairs --------------------------------------------------------------

    def measure_all(self) -> None:
        """Take all pairs that touch into the table and measure them."""
        self.model.add_suggested()
        self.follow()

    def follow(self) -> None:
        """Measure all rows that are missing, unless a run is under way."""
        model = self.model
        surfaces, labels, wanted = model.surfaces, model.labels, model.rows.missing()
        if not wanted or self.runner.running or self._closed:
            return
        series = labels if is_series(labels) else model.items

        def work(progress: Progress) -> None:
            errors = surfaces.all(progress.part(0, len(wanted) + 1))
            for i, (key, times) in enumerate(wanted.items()):
                others = [(*key, t) for t in range(len(errors)) if t not in times]
                table = follow_pairs(
                    series,
                    pairs=[key],
                    leave_out=others,
                    surface_uncertainty_nm=errors,
                    progress=progress.part(i + 1, len(wanted) + 1),
                )
                self._rows_came.emit(surfaces, key, table.to_dict("records"))

        self._start(work)

    def _take_rows(self, surfaces: Any, key: PairKey, rows: list[Row]) -> None:
        if surfaces is self.model.surfaces and not self._closed:
            self.model.rows.put(key, rows)
            if not self._show.isActive():
                self._show.start()

    def _rows_changed(self) -> None:
        if self.runner.running or self._closed:
            return
        if self.model.rows.missing():
            self._soon.start()
        elif not self._show.isActive():
            self.analyse()

    def _complete(self) -> None:
        if self._show.isActive():
            self._show.stop()
            self.model.rows_changed.emit()
        else:
            self._rows_changed()
        self.complete.emit()

    def _cancelled(self) -> None:
        self.model.rows.drop_unmeasured()
        self._show.stop()
        self._soon.stop()
        self.model.rows_changed.emit()
        # what is missing was not wanted
        self._soon.stop()
        self.analyse()

    def analyse(self) -> None:
        """Fit the growth laws to the rows there are."""
        if not self.model.rows.places():
            self.analysis.drop()
            self.grown.emit([])
            return
        table = self.model.frame()

        def fit(progress: Progress) -> list[str]:
            growth = growth_of_pairs(table, progress=progress)
            return growth_sentences(growth, correlations(table))

        self.analysis.start(fit)
