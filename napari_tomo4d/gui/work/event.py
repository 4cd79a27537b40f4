"""A change that a model tells its observers, without Qt."""

from __future__ import annotations

from collections.abc import Callable


class Event:
    """What happens to a model; views connect to it and look at the model then."""

    def __init__(self) -> None:
        self._observers: list[Callable[[], object]] = []

    def connect(self, observer: Callable[[], object]) -> None:
        """Call a function at each `emit`, after those connected before."""
        self._observers.append(observer)

    def emit(self) -> None:
        """Tell all observers."""
        for observer in tuple(self._observers):
            observer()
