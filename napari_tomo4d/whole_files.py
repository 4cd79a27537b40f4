"""Files and folders that appear whole or not at all, whatever happens meanwhile.

All is written under hidden names beside its place, ``.NAME.tomo4d-COMPUTER-PROCESS-ID.new``, and
moved there at the end. What a process that was killed left behind is found by these names: what
was not complete is removed, a move that had begun is completed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from platform import node

import psutil

from napari_tomo4d.errors import Tomo4DError, WriteError


def _place() -> str:
    """Return eight letters for this computer, and for the container, whose processes it counts."""
    name = node()
    with contextlib.suppress(OSError):
        name += f" {os.stat('/proc/self/ns/pid').st_ino}"
    return f"{zlib.crc32(name.encode()):08x}"


_COMPUTER = _place()
_LEFTOVER = re.compile(
    r"\.(?P<name>.+)\.tomo4d-(?P<group>(?P<computer>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{8})"
    r"\.(?P<state>new|ready|old)"
)


def check_free(path: str | Path, *, overwrite: bool = False) -> Path:
    """Return the path if something can be written there, before any work is done.

    Raises
    ------
    WriteError
        If the folder is missing or read-only, or there is something that may not be replaced:
        without `overwrite` anything, with it a folder that this program did not write.
    """
    path = Path(path)
    _check_folder(path.parent)
    tidy(path.parent)
    if not os.path.lexists(path):
        return path
    if not overwrite:
        raise WriteError(f"{path} exists already; choose another name or allow overwriting.")
    _check_replaceable(path)
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
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return path


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a path to write to, and move it to `path` at the end if nothing went wrong.

    Raises
    ------
    WriteError
        If it can't be written, or `path` is a folder that may not be replaced; nothing is left,
        and what was there before still is.
    """
    with replacing_together(path) as (temporary,):
        yield temporary


@contextlib.contextmanager
def replacing_together(*paths: str | Path) -> Iterator[tuple[Path, ...]]:
    """Give paths to write files to that belong together, and move all of them at the end.

    The first is the one that the others stand beside; those that were not written are left out.
    """
    targets = [Path(p) for p in paths]
    _check_folder(targets[0].parent)
    tidy(targets[0].parent)
    group = f"{_COMPUTER}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    new = tuple(_hidden(t, group, "new") for t in targets)
    try:
        for target in targets:
            if os.path.lexists(target):
                _check_replaceable(target)
        yield new
        _move(list(zip(new, targets, strict=True)), group)
    except OSError as error:
        if isinstance(error, Tomo4DError):
            raise
        # of a full disk NumPy says only how many bytes it could not write
        reason = error.strerror or "the disk is full or can't be written to"
        raise WriteError(f"{targets[0]} could not be written: {reason}.") from error
    finally:
        for temporary in new:
            _remove(temporary)
            _remove(temporary.with_suffix(".ready"))


def _hidden(target: Path, group: str, state: str) -> Path:
    return target.with_name(f".{target.name}.tomo4d-{group}.{state}")


def _move(pairs: list[tuple[Path, Path]], group: str) -> None:
    """Move what is complete to its place; killed at any point, `tidy` ends it or undoes it."""
    pairs = [(new, target) for new, target in pairs if os.path.lexists(new)]
    if len(pairs) == 1 and not pairs[0][1].is_dir():
        pairs[0][0].replace(pairs[0][1])
        return
    # the first is marked last: from then on all are complete
    ready = [(new.with_suffix(".ready"), target) for new, target in pairs]
    for (new, _), (marked, _) in reversed(list(zip(pairs, ready, strict=True))):
        new.rename(marked)
    for marked, target in ready:
        old = _hidden(target, group, "old")
        if target.is_dir():
            target.rename(old)
        try:
            marked.replace(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
        _remove(old)


def tidy(folder: str | Path) -> None:
    """Remove or complete what processes that were killed left in a folder.

    Only what bears this program's hidden names is looked at, and only if the process that wrote
    it, on this computer, has ended. A folder that can't be changed stays as it is.
    """
    groups: dict[str, list[re.Match[str]]] = {}
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            found = _LEFTOVER.fullmatch(entry.name)
            if found and found["computer"] == _COMPUTER and _ended(entry, int(found["process"])):
                groups.setdefault(found["group"], []).append(found)
    for members in groups.values():
        states = {m["state"] for m in members}
        # ready, old, new
        for found in sorted(members, key=lambda m: str(m["state"]), reverse=True):
            hidden = Path(folder, found[0])
            target = Path(folder, found["name"])
            with contextlib.suppress(OSError):
                complete = found["state"] == "ready" and "new" not in states
                if complete and not target.is_dir():
                    hidden.replace(target)
                elif found["state"] == "old" and not os.path.lexists(target):
                    hidden.rename(target)
                else:
                    _remove(hidden)


def _ended(entry: os.DirEntry[str], process: int) -> bool:
    """Return whether the process that wrote something has ended; its number may be used again."""
    try:
        born: float = psutil.Process(process).create_time()
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False
    return born > entry.stat(follow_symlinks=False).st_mtime + 60


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise WriteError(f"The folder {folder} does not exist; create it first.")
    if not os.access(folder, os.W_OK):
        raise WriteError(f"The folder {folder} is read-only; choose another one.")


def _check_replaceable(target: Path) -> None:
    """Raise `WriteError` for what is protected, and for a folder unless this program wrote all."""
    if not os.access(target, os.W_OK) and not target.is_symlink():
        raise WriteError(f"{target} is write-protected; choose another name.")
    if not target.is_dir():
        return
    if target.suffix != ".zarr" or target.is_symlink():
        raise WriteError(f"{target} is a folder; give the name of a file.")
    try:
        ours = b'"napari_tomo4d"' in (target / "zarr.json").read_bytes()
    except OSError:
        ours = False
    if not ours:
        raise WriteError(
            f"The folder {target} was not written by this program, so it is not replaced; choose "
            "another name."
        )
    foreign: list[str] = []
    for _, folders, files in os.walk(target):
        # chunks are below a folder c of each array
        foreign += [n for n in folders if not n.isdigit() and n != "c"]
        foreign += [n for n in files if n != "zarr.json"]
        folders[:] = [n for n in folders if n.isdigit()]
    if foreign:
        raise WriteError(
            f"The folder {target} also holds what this program did not write ({foreign[0]}), so it "
            "is not replaced; choose another name."
        )


def _remove(path: Path) -> None:
    """Remove a file or folder as far as possible; the error that led here is the one to tell."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
