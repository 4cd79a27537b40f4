"""NumPy's .npy and .npz files, read without trusting them and written whole.

NumPy's own reader takes the memory that a header asks for before it looks at the file, raises a
dozen kinds of exceptions, and advises to allow pickled objects, which could run any code.
"""

from __future__ import annotations

import ast
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from napari_tomo4d.boundary import require_size
from napari_tomo4d.errors import ReadError
from napari_tomo4d.whole_files import replacing

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 4096


@dataclass(frozen=True)
class ArrayHeader:
    """What an .npy file says of its array.

    Parameters
    ----------
    shape : tuple of int
    dtype : dtype
    fortran : bool
        Whether the first axis runs fastest.
    offset : int
        Where the values begin.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    offset: int

    @property
    def n_bytes(self) -> int:
        """Size of the array."""
        n = self.dtype.itemsize
        for length in self.shape:
            n *= length
        return n


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Read all arrays of an .npz file; to be called within `reading`.

    Raises
    ------
    ReadError
        If an array can't be in the file as it says, or holds Python objects.
    Exception
        Whatever `zipfile` raises.
    """
    result = {}
    size = Path(path).stat().st_size
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ReadError(f"{path} is packed in a way that NumPy does not write.")
            require_size(path, member.file_size, min(member.compress_size, size), packed=True)
            with archive.open(member) as file:
                name = member.filename.removesuffix(".npy")
                result[name] = _read_array(file, member.file_size, path)
    return result


def read_header(file: IO[bytes], path: str | Path) -> ArrayHeader:
    """Read the head of an .npy file."""
    start = file.read(8)
    wide = 2 if start[6:7] == b"\x01" else 4
    length = int.from_bytes(file.read(wide), "little")
    if start[:6] != _MAGIC or length > _LONGEST_HEADER:
        raise ReadError(f"{path} holds something that is no NumPy array, or is damaged.")
    head = ast.literal_eval(file.read(length).decode("utf-8"))
    shape = tuple(head["shape"])
    dtype = np.lib.format.descr_to_dtype(head["descr"])
    if dtype.kind not in "biufcUS":
        raise ReadError(
            f"{path} holds Python objects or records, which are not read, as they could run any "
            "code; save plain arrays of numbers."
        )
    if not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ReadError(f"{path} holds an array of an impossible shape; it is damaged.")
    return ArrayHeader(shape, dtype, bool(head["fortran_order"]), 8 + wide + length)


def _read_array(file: IO[bytes], size: int, path: str | Path) -> np.ndarray:
    head = read_header(file, path)
    require_size(path, head.n_bytes, size - head.offset)
    values = np.empty(head.n_bytes, np.uint8)
    target = values.data
    done = 0
    while done < len(target) and (part := file.read(min(len(target) - done, 2**24))):
        target[done : done + len(part)] = part
        done += len(part)
    # the checksum is compared when the end is seen
    if done < len(target) or file.read(1):
        raise ReadError(f"{path} is cut off or damaged; copy it again.")
    order: Literal["F", "C"] = "F" if head.fortran else "C"
    if not head.n_bytes:
        return np.empty(head.shape, head.dtype, order)
    array: np.ndarray = values.view(head.dtype).reshape(head.shape, order=order)
    return array


def read_array(path: str | Path) -> np.ndarray:
    """Read the array of an .npy file; to be called within `reading`."""
    with open(path, "rb") as file:
        return _read_array(file, Path(path).stat().st_size, path)


def header_of_file(path: str | Path) -> ArrayHeader:
    """Read the head of an .npy file, checked against its size."""
    with open(path, "rb") as file:
        head = read_header(file, path)
    require_size(path, head.n_bytes, Path(path).stat().st_size - head.offset)
    return head


def read_part(path: str | Path, head: ArrayHeader, first: int, stop: int) -> np.ndarray:
    """Read ``array[first:stop]`` of an .npy file whose header is known."""
    require_size(path, head.n_bytes, Path(path).stat().st_size - head.offset)
    if head.fortran:
        mapped = np.memmap(path, head.dtype, "r", head.offset, head.shape, "F")
        return np.array(mapped[first:stop])
    each = int(np.prod(head.shape[1:]))
    offset = head.offset + first * each * head.dtype.itemsize
    values = np.fromfile(path, head.dtype, (stop - first) * each, offset=offset)
    return values.reshape(stop - first, *head.shape[1:])


def write_arrays(arrays: Mapping[str, Any], path: str | Path, *, packed: bool = True) -> Path:
    """Write an .npz file whole or not at all; one of that name is replaced.

    Raises
    ------
    WriteError
        If it can't be written.
    """
    # an open file, as NumPy would put .npz behind any other ending
    with replacing(path) as temporary, temporary.open("wb") as file:
        (np.savez_compressed if packed else np.savez)(file, **arrays)
    return Path(path)
