"""What was changed by hand, to be undone and redone."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass


@dataclass
class _Command:
    text: str
    undo: Callable[[], None]
    redo: Callable[[], None]
    place: Hashable | None


class UndoStack:
    """Changes in the order in which they were made.

    Parameters
    ----------
    limit : int
        How many are kept; the oldest are forgotten first.
    """

    def __init__(self, limit: int = 200) -> None:
        self._limit = limit
        self._commands: list[_Command] = []
        self._done = 0

    def push(
        self,
        text: str,
        undo: Callable[[], None],
        redo: Callable[[], None],
        place: Hashable | None = None,
    ) -> None:
        """Remember a change that has been made; what was undone can't be done again then.

        Parameters
        ----------
        text : str
            What was changed, as a tooltip says it.
        undo, redo : callable
        place : hashable, optional
            Where it was made, such as (time, tilt); `undo` and `redo` return it, so that what
            changes can be looked at.
        """
        del self._commands[self._done :]
        self._commands.append(_Command(text, undo, redo, place))
        del self._commands[: -self._limit]
        self._done = len(self._commands)

    def undo(self) -> Hashable | None:
        """Undo the last change, if there is one; returns where it was made."""
        if not self._done:
            return None
        self._done -= 1
        command = self._commands[self._done]
        command.undo()
        return command.place

    def redo(self) -> Hashable | None:
        """Redo what was undone last, if anything was; returns where it was made."""
        if self._done == len(self._commands):
            return None
        self._done += 1
        command = self._commands[self._done - 1]
        command.redo()
        return command.place

    def clear(self) -> None:
        """Forget all changes."""
        self._commands, self._done = [], 0

    @property
    def undo_text(self) -> str:
        """What `undo` would undo; empty if nothing."""
        return self._commands[self._done - 1].text if self._done else ""

    @property
    def redo_text(self) -> str:
        """What `redo` would redo; empty if nothing."""
        return self._commands[self._done].text if self._done < len(self._commands) else ""
