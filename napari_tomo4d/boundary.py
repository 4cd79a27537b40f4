"""The one boundary round everything that parses files: whatever fails there becomes a sentence."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from napari_tomo4d.errors import NotEnoughMemoryError, ReadError, Tomo4DError

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def reading(
    path: str | Path, what: str, error: type[Tomo4DError] = ReadError, advice: str = ""
) -> Iterator[None]:
    """Turn whatever a parser raises inside the block into one sentence; the original is logged.

    Parameters
    ----------
    path : str or Path
        Of the file.
    what : str
        What it should be, with its article: ``"a noise model"``.
    error : type
        Class of the error to raise: `ReadError` or `RecipeError`.
    advice : str
        What to do; a sentence without its full stop.

    Raises
    ------
    Tomo4DError
        `error`, or `NotEnoughMemoryError`; one that says itself what is wrong with the file
        (of the class `error`) goes through as it is.
    """
    try:
        yield
    except (error, NotEnoughMemoryError):
        raise
    except Exception as problem:
        # a damaged file can fail anywhere in a parser, with any exception
        _log.info("%s can't be read as %s", path, what, exc_info=True)
        if isinstance(problem, MemoryError):
            raise NotEnoughMemoryError(
                f"{path} can't be read as {what}: it asks for more memory than is free."
            ) from problem
        reason = "it is damaged or something else"
        if isinstance(problem, Tomo4DError):
            reason = str(problem).rstrip(".")
        elif isinstance(problem, FileNotFoundError):
            reason = "it does not exist"
        elif isinstance(problem, OSError) and problem.strerror:
            reason = problem.strerror
        raise error(
            f"{path} can't be read as {what}: {reason}{advice and f'; {advice}'}."
        ) from problem


def require_size(path: str | Path, claimed: int, held: int, *, packed: bool = False) -> None:
    """Raise `ReadError` if a file claims more bytes than it can hold, before memory is taken.

    Parameters
    ----------
    path : str or Path
    claimed : int
        Bytes that its header promises.
    held : int
        Bytes that are there.
    packed : bool
        Whether these are compressed.
    """
    if claimed > held * (_DEFLATE if packed else 1):
        raise ReadError(
            f"{path} is cut off or damaged: its header promises {claimed} bytes, but it holds "
            f"{held}{' packed' * packed}; copy it again."
        )


_DEFLATE = 1032
"""How much deflate, the compression of zip, gzip, PNG, HDF5 and MATLAB, can shrink data at most."""
