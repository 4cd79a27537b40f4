"""How long work tells how far it is, and how it is asked to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from napari_tomo4d.errors import Cancelled


@dataclass(frozen=True)
class Snapshot:
    """What an iterative step has reached.

    Parameters
    ----------
    section : array (y, x)
        Section through the middle of the volume, across the beam.
    residuals : sequence of float
        Relative residual after each iteration so far.
    """

    section: np.ndarray
    residuals: Sequence[float] = ()


Preview = Callable[[], object]
"""Makes an intermediate result: a `Snapshot` of an iterative step."""


class Progress:
    """Silent progress; a base class for those that show something.

    A step calls `report` often and returns early with the result so far when
    `finish_requested` is true. The person at the other end calls `cancel` or `finish`
    from any thread.
    """

    def __init__(self) -> None:
        self._cancel = threading.Event()
        self._finish = threading.Event()

    def cancel(self) -> None:
        """Ask the step to stop and leave nothing behind."""
        self._cancel.set()

    def finish(self) -> None:
        """Ask an iterative step to stop now and keep its result so far."""
        self._finish.set()

    @property
    def cancel_requested(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancel.is_set()

    @property
    def finish_requested(self) -> bool:
        """Whether `finish` was called."""
        return self._finish.is_set()

    def check(self) -> None:
        """Raise `Cancelled` if the user asked for it; cheap enough for inner loops."""
        if self.cancel_requested:
            raise Cancelled("The run was cancelled; nothing was changed.")

    def report(
        self, done: float, total: float, message: str = "", preview: Preview | None = None
    ) -> None:
        """Say that `done` of `total` parts are finished.

        Parameters
        ----------
        done, total : float
            Work finished and work in all, in any unit.
        message : str
            What is being done, for a person.
        preview : callable, optional
            Returns the intermediate result; called only if it is wanted.

        Raises
        ------
        Cancelled
            If the user asked to cancel.
        """
        self.check()
        self.show(done, total, message, preview)

    def show(self, done: float, total: float, message: str, preview: Preview | None) -> None:
        """Show the state; subclasses override this."""

    def part(self, index: int, count: int, label: str = "") -> Progress:
        """Return the progress of part `index` (from 0) of `count` equal parts."""
        return _Part(self, index, count, label)

    def silent(self) -> Progress:
        """Return the progress of a trial within this work: it can only be cancelled."""
        return _Silent(self)


class _Silent(Progress):
    """A trial within longer work: hears a wish to cancel, shows nothing."""

    def __init__(self, whole: Progress) -> None:
        super().__init__()
        self._whole = whole

    @property
    def cancel_requested(self) -> bool:
        return self._whole.cancel_requested


class Watched(Progress):
    """Progress of one step, which remembers whether the step heard a wish to finish.

    A step that never asks for `finish_requested` always ends where it would have ended.
    """

    def __init__(self, whole: Progress) -> None:
        super().__init__()
        self._whole = whole
        self.heard_finish = False
        self.cancel, self.finish = whole.cancel, whole.finish  # type: ignore[method-assign]
        self.show = whole.show  # type: ignore[method-assign]

    @property
    def cancel_requested(self) -> bool:
        """Whether `cancel` was called."""
        return self._whole.cancel_requested

    @property
    def finish_requested(self) -> bool:
        """Whether `finish` was called."""
        wanted = self._whole.finish_requested
        self.heard_finish |= wanted
        return wanted


class _Part(Progress):
    """One of several equal parts of a longer piece of work."""

    def __init__(self, whole: Progress, index: int, count: int, label: str) -> None:
        super().__init__()
        self._whole, self._index, self._count, self._label = whole, index, count, label

    def cancel(self) -> None:
        self._whole.cancel()

    def finish(self) -> None:
        self._whole.finish()

    @property
    def cancel_requested(self) -> bool:
        return self._whole.cancel_requested

    @property
    def finish_requested(self) -> bool:
        return self._whole.finish_requested

    def show(self, done: float, total: float, message: str, preview: Preview | None) -> None:
        fraction = done / total if total else 1.0
        # a step called SIRT that says "SIRT: iteration 5" has named its name already
        named = message.startswith(self._label)
        text = message if named else ": ".join(t for t in (self._label, message) if t)
        self._whole.show(self._index + fraction, self._count, text, preview)
