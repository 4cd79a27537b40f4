"""MATLAB files of versions 4 and 5, read without trusting them.

SciPy's compiled reader ends the process at a type code that is not in its table, and takes the
memory that a header asks for before it looks at the file. Formats: MathWorks, "MAT-File Format",
R2024b.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from napari_tomo4d.boundary import require_size
from napari_tomo4d.errors import ReadError

_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8"}
_TYPES |= {13: "u8", 16: "u1", 17: "u2", 18: "u4"}
_ENCODINGS = {1: "latin-1", 2: "latin-1", 16: "utf-8", 17: "utf-16", 18: "utf-32", 4: "utf-16"}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _OBJECT, _CHAR, _SPARSE = 1, 2, 3, 4, 5
_NUMBERS = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4"}
_NUMBERS |= {14: "i8", 15: "u8"}
_DEEPEST = 20
_MOST_CELLS = 100_000
_V4_TYPES = {0: "f8", 1: "f4", 2: "i4", 3: "i2", 4: "u2", 5: "u1"}


@dataclass
class _Part:
    """Bytes of a file that are read from front to back; every step is checked."""

    values: memoryview
    order: str
    path: Path
    at: int = 0

    def take(self, n: int) -> memoryview:
        if n < 0 or self.at + n > len(self.values):
            raise ReadError(f"{self.path} is cut off or damaged; copy it again.")
        self.at += n
        return self.values[self.at - n : self.at]

    def numbers(self, dtype: str, n: int) -> np.ndarray:
        kind = np.dtype(self.order + dtype)
        return np.frombuffer(self.take(n * kind.itemsize), kind)

    def element(self) -> tuple[int, _Part]:
        """Return the type and the content of the next data element."""
        code = int(self.numbers("u4", 1)[0])
        if code >> 16:
            # a small element holds its length beside its type and its content behind
            part = self.take(4)[: code >> 16]
            code &= 0xFFFF
        else:
            length = int(self.numbers("u4", 1)[0])
            part = self.take(length)
            if code != _COMPRESSED:
                self.at = min(self.at + -length % 8, len(self.values))
        return code, _Part(part, self.order, self.path)

    def array(self) -> tuple[int, np.ndarray]:
        """Return the type and the numbers of the next data element."""
        code, part = self.element()
        if code not in _TYPES:
            raise ReadError(f"{self.path} holds data of an unknown type ({code}); it is damaged.")
        kind = _TYPES[code]
        return code, part.numbers(kind, len(part.values) // np.dtype(kind).itemsize)

    @property
    def more(self) -> bool:
        return len(self.values) - self.at >= 8


def read_matlab5(path: Path) -> dict[str, Any]:
    """Read the variables of a MATLAB file before version 7.3; to be called within `reading`.

    Returns
    -------
    dict
        Arrays of numbers and truth values in MATLAB's order of axes without those of length one,
        texts, structures as dicts, cells and arrays of structures as lists. Other objects and
        sparse matrices are left out.

    Raises
    ------
    ReadError
        If it is damaged.
    """
    content = memoryview(path.read_bytes())
    if len(content) >= 4 and 0 in content[:4]:
        return _read_version_4(_Part(content, "<", path))
    mark = bytes(content[126:128])
    if mark not in (b"IM", b"MI"):
        raise ReadError(f"{path} is not a MATLAB file; check the file or its extension.")
    whole = _Part(content[128:], "<" if mark == b"IM" else ">", path)
    result = {}
    while whole.more:
        code, part = whole.element()
        if code == _COMPRESSED:
            code, part = _unpacked(part).element()
        if code != _MATRIX:
            continue
        name, value = _matrix(part, 0)
        if value is not None and name:
            result[name] = value
    return result


def _unpacked(part: _Part) -> _Part:
    inflate = zlib.decompressobj()
    start = inflate.decompress(part.values, 8)
    length = int(np.frombuffer(start, part.order + "u4", 2)[1])
    require_size(part.path, length, len(part.values), packed=True)
    rest = inflate.decompress(inflate.unconsumed_tail, max(1, length))
    return _Part(memoryview(start + rest), part.order, part.path)


def _matrix(part: _Part, depth: int) -> tuple[str, Any]:
    """Return the name and the value of an array; None for what is left out."""
    if depth > _DEEPEST:
        raise ReadError(f"{part.path} nests structures deeper than {_DEEPEST}; it is damaged.")
    if not part.values:
        return "", np.empty((0, 0))
    flags = int(part.array()[1][0])
    kind = flags & 0xFF
    if kind not in _NUMBERS and kind > _SPARSE:
        # objects, function handles and what is stored with them have no dimensions
        return "", None
    shape = tuple(int(n) for n in part.array()[1])
    name = part.array()[1].tobytes().decode("latin-1")
    count = prod(shape)
    if min(shape, default=0) < 0:
        raise ReadError(f"{part.path} holds an array of an impossible shape; it is damaged.")
    if kind in _NUMBERS:
        return name, _numbers(part, shape, count, kind, flags)
    if kind == _CHAR:
        return name, _text(part, count)
    if kind == _SPARSE:
        return name, None
    if count > _MOST_CELLS:
        raise ReadError(f"{part.path} holds {count} cells or structures; it is damaged.")
    fields = [""]
    if kind in (_STRUCT, _OBJECT):
        if kind == _OBJECT:
            part.array()
        longest = int(part.array()[1][0])
        names = part.array()[1].tobytes()
        if longest < 1:
            raise ReadError(f"{part.path} holds a structure without names; it is damaged.")
        fields = [
            names[i : i + longest].partition(b"\0")[0].decode("latin-1")
            for i in range(0, len(names), longest)
        ]
    values = [{f: _matrix(part.element()[1], depth + 1)[1] for f in fields} for _ in range(count)]
    found: list[Any] = [v[""] for v in values] if kind == _CELL else list(values)
    return name, found[0] if count == 1 else found


def _numbers(part: _Part, shape: tuple[int, ...], count: int, kind: int, flags: int) -> np.ndarray:
    parts = [part.array()[1]]
    if flags & 0x800:
        parts.append(part.array()[1])
    for one in parts:
        if len(one) != count:
            raise ReadError(
                f"{part.path} promises {count} numbers but holds {len(one)}; it is damaged."
            )
    dtype = np.dtype(_NUMBERS[kind] if not flags & 0x200 else "?")
    values = parts[0].astype(dtype)
    if len(parts) == 2:
        values = values + 1j * parts[1].astype(dtype)
    return _squeezed(values.reshape(shape, order="F"))


def _squeezed(array: np.ndarray) -> np.ndarray:
    squeezed = np.squeeze(array)
    return squeezed if squeezed.size else squeezed.reshape(-1)


def _text(part: _Part, count: int) -> str:
    code, values = part.array()
    encoding = _ENCODINGS.get(code, "latin-1")
    if encoding.startswith("utf-") and encoding != "utf-8":
        encoding += "-le" if part.order == "<" else "-be"
    return values.tobytes().decode(encoding, "replace")[:count]


def _read_version_4(whole: _Part) -> dict[str, Any]:
    result = {}
    while len(whole.values) - whole.at >= 20:
        kind, rows, columns, imaginary, length = (int(n) for n in whole.numbers("i4", 5))
        if not 0 <= kind < 5000:
            whole.at -= 20
            whole.order = "<" if whole.order == ">" else ">"
            kind, rows, columns, imaginary, length = (int(n) for n in whole.numbers("i4", 5))
        machine, precision, matrix = kind // 1000, kind // 10 % 10, kind % 10
        if machine not in (0, 1) or precision not in _V4_TYPES or min(rows, columns, length) < 0:
            raise ReadError(f"{whole.path} is not a MATLAB file or is damaged.")
        name = bytes(whole.take(length)).partition(b"\0")[0].decode("latin-1")
        values = whole.numbers(_V4_TYPES[precision], rows * columns)
        if imaginary:
            whole.numbers(_V4_TYPES[precision], rows * columns)
        if matrix == 0 and not imaginary:
            native = values.astype(values.dtype.newbyteorder("="))
            result[name] = _squeezed(native.reshape(rows, columns, order="F"))
    return result
