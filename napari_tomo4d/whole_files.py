"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from napari_tomo4d.errors import WriteError


def check_free(path: str | Path, *, overwrite: bool = False) -> Path:
    """Return the path if something can be written there, before any work is done.

    Raises
    ------
    WriteError
        If the folder is missing or read-only, or there is something that may not be replaced.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise WriteError(f"The folder {path.parent} does not exist; create it first.")
    if not os.access(path.parent, os.W_OK):
        raise WriteError(f"The folder {path.parent} is read-only; choose another one.")
    if path.exists() and not overwrite:
        raise WriteError(f"{path} exists already; choose another name or allow overwriting.")
    return path


def write_whole(content: bytes, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a file under a temporary name beside its place, then move it there.

    Parameters
    ----------
    content : bytes
    path : str or Path
    overwrite : bool
        Replace a file that exists.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    WriteError
        If it can't be written; nothing is left, and what was there before still is.
    """
    path = check_free(path, overwrite=overwrite)
    if path.is_dir():
        raise WriteError(f"{path} is a folder; give the name of a file.")
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write to, and move it to `path` at the end if nothing went wrong."""
    # beside the target, so that moving it is one step
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield temporary
        _replace(temporary, path)
    except OSError as error:
        if isinstance(error, WriteError):
            raise
        raise WriteError(f"{path} could not be written: {error.strerror or error}.") from error
    finally:
        _remove(temporary)


def _replace(new: Path, target: Path) -> None:
    if target.is_dir():
        old = target.with_name(f".{target.stem}.{uuid.uuid4().hex[:8]}.old")
        target.rename(old)
        try:
            new.rename(target)
        except OSError:
            old.rename(target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    else:
        new.replace(target)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
