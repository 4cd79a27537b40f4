"""HDF5 files (MATLAB 7.3, EMD, HyperSpy), looked through before anything in them is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py

from napari_tomo4d.boundary import require_size
from napari_tomo4d.errors import ReadError

_SMALL = 16 * 1024**2
"""Bytes which a data set may claim without having stored them."""

_HEAP = b"GCOL\1\0\0\0"
_MOST_SEARCHED = 256 * 1024**2
"""Larger files are searched for damage only as the library reads them."""

_MOST_NODES = 100_000


def check_hdf5(path: Path) -> None:
    """Raise `ReadError` if a file leads out of itself or claims more than it holds.

    Links to other files, raw data in other files and virtual data sets would show what was never
    meant to be opened.
    """
    _check_heaps(path)
    with h5py.File(path, "r") as file:
        size = path.stat().st_size
        seen: set[Any] = set()
        waiting: list[Any] = [file]
        while waiting:
            node = waiting.pop()
            info = h5py.h5o.get_info(node.id)
            if (address := (info.fileno, info.addr)) in seen:
                continue
            seen.add(address)
            if len(seen) > _MOST_NODES:
                raise ReadError(f"{path} holds more than {_MOST_NODES} entries; it is damaged.")
            if isinstance(node, h5py.Dataset):
                _check_dataset(node, path, size)
                continue
            if not isinstance(node, h5py.Group):
                continue
            for name in node:
                link = node.get(name, getlink=True)
                if isinstance(link, h5py.ExternalLink):
                    raise ReadError(
                        f"{path} takes {name} from another file, which is not followed; copy all "
                        "data into one file."
                    )
                # a link within the file may lead nowhere
                if isinstance(link, h5py.HardLink):
                    waiting.append(node[name])


def _check_heaps(path: Path) -> None:
    """Raise `ReadError` if the library would walk through texts for ever.

    Texts lie in heaps of objects one behind the other, each with its length; of free space that
    length counts all, and one of 0 leads nowhere (HDF5 File Format Specification, III.E).
    """
    if path.stat().st_size > _MOST_SEARCHED:
        return
    content = path.read_bytes()
    start = content.find(_HEAP)
    while start >= 0:
        end = start + int.from_bytes(content[start + 8 : start + 16], "little")
        at = start + 16
        while at + 16 <= min(end, len(content)):
            free = content[at : at + 2] == b"\0\0"
            length = int.from_bytes(content[at + 8 : at + 16], "little")
            if free and length < 16:
                raise ReadError(f"{path} holds texts that are damaged; copy it again.")
            at += (0 if free else 16) + -(-length // 8) * 8
        start = content.find(_HEAP, start + 1)


def _check_dataset(data: h5py.Dataset, path: Path, size: int) -> None:
    if data.external or data.is_virtual:
        raise ReadError(
            f"{path} takes {data.name} from another file, which is not followed; copy all data "
            "into one file."
        )
    stored = int(data.id.get_storage_size())
    # values of a length of their own are kept elsewhere in the file, 16 bytes point to them
    if data.nbytes > _SMALL:
        require_size(path, int(data.nbytes), min(stored, size), packed=_packed(data))
    chunk = 1
    for n in data.chunks or ():
        chunk *= int(n)
    if chunk * data.dtype.itemsize > max(_SMALL, 2 * data.nbytes):
        raise ReadError(f"{path} holds data in pieces larger than itself; it is damaged.")


def _packed(data: h5py.Dataset) -> bool:
    return bool(data.id.get_create_plist().get_nfilters())
