"""Errors and warnings a user can act on.

Every message says what was wrong, what was expected and what to do, in one sentence
that can be shown as it is.
"""

from __future__ import annotations

_LONGEST = 500
"""Characters of a message; what a file holds may be quoted in it, and a file may hold anything."""


def readable(text: str, longest: int = _LONGEST) -> str:
    """Return a text as one line that a person can read: no control characters, not too long."""
    ends = text if len(text) <= longest else f"{text[: longest // 2]} … {text[-longest // 2 :]}"
    return " ".join("".join(c if c.isprintable() else " " for c in ends).split())


class Tomo4DError(Exception):
    """Base of all errors that napari_tomo4d raises on purpose; the message is one short line."""

    def __init__(self, message: object = "") -> None:
        super().__init__(readable(str(message)))


class DataError(Tomo4DError, ValueError):
    """Arrays, angles or units that do not fit together or are not usable."""


class ParameterError(Tomo4DError, ValueError):
    """A parameter outside its allowed range or of the wrong kind."""


class ReadError(Tomo4DError, OSError):
    """A file that is missing, damaged, empty or of an unknown format."""


class MissingAnglesError(ReadError):
    """A stack of images that does not say at which tilt angles it was taken.

    Parameters
    ----------
    message : str
    n_images : int
        How many angles have to be given.
    doubt : str
        Why angles that were found are not believed; empty where there are none.
    """

    def __init__(self, message: str, n_images: int, doubt: str = "") -> None:
        super().__init__(message)
        self.n_images, self.doubt = n_images, doubt

    def __reduce__(self) -> tuple[type, tuple[str, int, str]]:
        # as a worker of a cluster sends it
        return type(self), (str(self), self.n_images, self.doubt)


class WriteError(Tomo4DError, OSError):
    """A result that could not be written; nothing is left half written."""


class NotEnoughMemoryError(Tomo4DError, MemoryError):
    """A request that would not fit into this computer's memory."""


class RecipeError(Tomo4DError, ValueError):
    """A recipe that can't be read or does not describe a valid run."""


class MissingExtraError(Tomo4DError, ImportError):
    """An optional library that is not installed; names the extra to install."""


class Cancelled(Tomo4DError):
    """Raised inside a running step after the user asked to cancel it."""


class Tomo4DWarning(UserWarning):
    """Something was assumed or looks doubtful; kept with the result's provenance."""
