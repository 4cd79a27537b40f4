"""TIA's .ser files, whose sizes are checked before a parser takes memory for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_tomo4d.boundary import require_size
from napari_tomo4d.errors import ReadError

_BYTES = {1: 1, 2: 2, 3: 4, 4: 1, 5: 2, 6: 4, 7: 4, 8: 8, 9: 8, 10: 16}
"""Bytes of a value by type of data."""

_SPECTRUM, _IMAGE = 0x4120, 0x4122
_MOST_AXES = 8


def check_ser(path: Path) -> None:
    """Raise `ReadError` if a file can't hold what its header promises.

    References
    ----------
    C. Boothroyd, "The TIA ser file format", ER-C Julich (2011).
    """
    size = path.stat().st_size
    with path.open("rb") as file:

        def number(at: int, n: int) -> int:
            file.seek(at)
            found = file.read(n)
            if len(found) < n:
                raise ReadError(f"{path} is cut off or damaged; copy it again.")
            return int.from_bytes(found, "little")

        kind = number(6, 4)
        if number(0, 2) != 0x4949 or kind not in (_SPECTRUM, _IMAGE):
            raise ReadError(f"{path} is not a file of TIA; check the file or its extension.")
        wide = 4 if number(4, 2) <= 528 else 8
        elements, offsets, axes = number(18, 4), number(22, wide), number(22 + wide, 4)
        if axes > _MOST_AXES:
            raise ReadError(f"{path} promises {axes} axes; it is damaged.")
        require_size(path, offsets + elements * wide, size)
        file.seek(offsets)
        begins = np.frombuffer(file.read(elements * wide), f"<u{wide}")
        text = 26 + wide
        for _ in range(axes):
            for skipped in (24, 0):
                text += skipped
                length = number(text, 4)
                require_size(path, text + length, size)
                text += 4 + length
        for begin in (int(b) for b in begins):
            if kind == _IMAGE:
                code, shape = number(begin + 40, 2), (number(begin + 42, 4), number(begin + 46, 4))
                head = 50
            else:
                code, shape, head = number(begin + 20, 2), (number(begin + 22, 4), 1), 26
            if code not in _BYTES:
                raise ReadError(f"{path} holds data of an unknown type ({code}); it is damaged.")
            require_size(path, begin + head + shape[0] * shape[1] * _BYTES[code], size)
