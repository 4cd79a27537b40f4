"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from napari_tomo4d.errors import WriteError


def check_free(path: str | Path, *, overwrite: bool = False) -> Path:
    """Return the path if a file can be written there, before any work is done.

    Raises
    ------
    WriteError
        If the folder is missing or read-only, or the file exists and may not be replaced.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise WriteError(f"The folder {path.parent} does not exist; create it first.")
    if path.is_dir():
        raise WriteError(f"{path} is a folder; give the name of a file.")
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
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise WriteError(f"{path} could not be written: {error.strerror or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path
