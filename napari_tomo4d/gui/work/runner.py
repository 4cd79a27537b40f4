"""Long work in the background: progress, time left, cancel, finish now, warnings, errors."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable

from qtpy.QtCore import QObject, QThread, Signal

from napari_tomo4d.errors import Cancelled, Tomo4DError
from napari_tomo4d.progress import Preview, Progress
from napari_tomo4d.provenance import warnings_only_kept

_LOG = logging.getLogger(__name__)
_REPORT_EVERY_S = 0.05
_PREVIEW_EVERY_S = 0.5
_PACE_OVER_S = 15.0
_ENDLESS: list[QThread] = []
"""Threads that outlive their window: Qt ends the process where a running one is deleted."""


class _SignalProgress(Progress):
    """Progress that is told to the user interface, not more often than it can be seen."""

    def __init__(self, work: _Work) -> None:
        super().__init__()
        self._work = work
        self._last_report = self._last_preview = 0.0
        self._seen: deque[tuple[float, float]] = deque()

    def show(self, done: float, total: float, message: str, preview: Preview | None) -> None:
        now = time.monotonic()
        fraction = done / total if total else 1.0
        if now - self._last_report >= _REPORT_EVERY_S or fraction >= 1:
            self._last_report = now
            self._work.progressed.emit(fraction, message, self._seconds_left(now, fraction))
        if preview is not None and now - self._last_preview >= _PREVIEW_EVERY_S:
            self._last_preview = now
            self._work.previewed.emit(preview())

    def _seconds_left(self, now: float, fraction: float) -> float:
        """Return the time left at the pace of the last moments; -1 while it is not known.

        Not at that of the whole run: a search for parameters before the iterations, or the
        compilation of kernels, says nothing about the time that those take.
        """
        seen = self._seen
        if seen and fraction < seen[-1][1]:
            seen.clear()
        seen.append((now, fraction))
        while len(seen) > 2 and now - seen[1][0] >= _PACE_OVER_S:
            seen.popleft()
        elapsed, gained = now - seen[0][0], fraction - seen[0][1]
        if elapsed < 1 or gained <= 0:
            return -1.0
        return (1 - fraction) * elapsed / gained


class _Work(QThread):
    progressed = Signal(float, str, float)
    previewed = Signal(object)
    ended = Signal(object, object)

    def __init__(self, function: Callable[[Progress], object], parent: QObject) -> None:
        super().__init__(parent)
        self._function = function
        self.progress = _SignalProgress(self)

    def run(self) -> None:
        try:
            # panels show the warnings that came with a result
            with warnings_only_kept():
                result = self._function(self.progress)
        except BaseException as error:
            self.ended.emit(None, error)
        else:
            self.ended.emit(result, None)


class Runner(QObject):
    """Runs one function at a time in a thread; only the latest run reports back.

    Signals
    -------
    started()
    progressed(fraction, message, seconds_left)
        Seconds are -1 while unknown.
    previewed(Snapshot)
    finished(result, seconds)
    failed(message)
        One sentence for the user; cancelled runs too.
    """

    started = Signal()
    progressed = Signal(float, str, float)
    previewed = Signal(object)
    finished = Signal(object, float)
    failed = Signal(str)
    cancelled = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._work: _Work | None = None
        self._old: set[_Work] = set()

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._work is not None

    def start(self, function: Callable[[Progress], object]) -> None:
        """Run ``function(progress)``; a run under way is cancelled and its result dropped."""
        self.drop()
        work = _Work(function, self)
        begin = time.monotonic()
        # connected through methods of this object, so that they run on the UI thread
        work.progressed.connect(self._on_progress)
        work.previewed.connect(self._on_preview)
        work.ended.connect(self._on_ended)
        work.finished.connect(self._on_thread_finished)
        work.setProperty("begin", begin)
        self._work = work
        self.started.emit()
        work.start()

    def drop(self) -> None:
        """Cancel the run under way, if any, and forget it."""
        if self._work is not None:
            self._work.progress.cancel()
            self._old.add(self._work)
            self._work = None

    def cancel(self) -> None:
        """Ask the run to stop; `cancelled` follows when it has."""
        if self._work is not None:
            self._work.progress.cancel()

    def finish(self) -> None:
        """Ask the run to end early with the result so far."""
        if self._work is not None:
            self._work.progress.finish()

    def wait(self, timeout_ms: int = 30000) -> None:
        """Block until no thread is left; for closing the application and for tests.

        What can't be interrupted and takes longer goes on by itself, and is heard no more.
        """
        for work in [*self._old, *([self._work] if self._work else [])]:
            if not work.wait(timeout_ms):
                work.setParent(None)
                _ENDLESS.append(work)

    def _on_progress(self, fraction: float, message: str, left: float) -> None:
        if self.sender() is self._work:
            self.progressed.emit(fraction, message, left)

    def _on_preview(self, snapshot: object) -> None:
        if self.sender() is self._work:
            self.previewed.emit(snapshot)

    def _on_ended(self, result: object, error: BaseException | None) -> None:
        work = self.sender()
        if not isinstance(work, _Work) or work is not self._work:
            return
        seconds = time.monotonic() - work.property("begin")
        self._old.add(work)
        self._work = None
        if error is None:
            self.finished.emit(result, seconds)
        elif isinstance(error, Cancelled):
            self.cancelled.emit()
        elif isinstance(error, Tomo4DError):
            self.failed.emit(str(error))
        else:
            _LOG.error("A run failed", exc_info=error)
            what = str(error) or type(error).__name__
            self.failed.emit(f"Something unexpected went wrong: {what}. See the log for details.")

    def _on_thread_finished(self) -> None:
        work = self.sender()
        if isinstance(work, _Work):
            self._old.discard(work)
            work.deleteLater()
