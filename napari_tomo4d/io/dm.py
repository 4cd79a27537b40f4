"""DigitalMicrograph's files, whose tags are walked through before a parser trusts them.

A tag may claim any number of values: a parser that reads them one by one never ends.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from napari_tomo4d.errors import ReadError

_BYTES = {2: 2, 3: 4, 4: 2, 5: 4, 6: 4, 7: 8, 8: 1, 9: 1, 10: 1, 11: 8, 12: 8}
"""Bytes of a value by type."""

_STRUCT, _STRING, _ARRAY = 15, 18, 20
_GROUP, _DATA = 20, 21
_DEEPEST = 64


def check_dm(path: Path) -> None:
    """Raise `ReadError` if the tags of a DM3 or DM4 file do not fit into it.

    References
    ----------
    C. Boothroyd, "Digital Micrograph file format", ER-C Julich (2010), for DM3; DM4 has lengths
    of 8 bytes and says how long each tag is.
    """
    with path.open("rb") as file:
        version = int.from_bytes(file.read(4), "big")
        if version not in (3, 4):
            raise ReadError(
                f"{path} is not a file of DigitalMicrograph; check the file or its extension."
            )
        walk = _Walk(file, path, 4 if version == 3 else 8)
        walk.number(walk.wide)
        walk.number(4)
        walk.group(0)


class _Walk:
    def __init__(self, file: BinaryIO, path: Path, wide: int) -> None:
        self.file, self.path, self.wide = file, path, wide
        self.size = os.fstat(file.fileno()).st_size

    def damaged(self) -> ReadError:
        return ReadError(f"{self.path} is cut off or damaged; copy it again.")

    def number(self, n: int) -> int:
        found = self.file.read(n)
        if len(found) < n:
            raise self.damaged()
        return int.from_bytes(found, "big")

    def skip(self, n: int) -> None:
        if not 0 <= n <= self.size - self.file.tell():
            raise self.damaged()
        self.file.seek(n, os.SEEK_CUR)

    def group(self, depth: int) -> None:
        if depth > _DEEPEST:
            raise self.damaged()
        self.skip(2)
        for _ in range(self.number(self.wide)):
            kind = self.number(1)
            self.skip(self.number(2))
            if self.wide == 8:
                self.number(8)
            if kind == _GROUP:
                self.group(depth + 1)
            elif kind == _DATA:
                self.data()
            else:
                raise self.damaged()

    def data(self) -> None:
        if self.number(4) != int.from_bytes(b"%%%%", "big"):
            raise self.damaged()
        n = self.number(self.wide)
        if n * self.wide > self.size - self.file.tell():
            raise self.damaged()
        about = [self.number(self.wide) for _ in range(n)]
        each, used = self.value(about)
        if used > len(about):
            raise self.damaged()
        self.skip(each)

    def value(self, about: list[int]) -> tuple[int, int]:
        """Return the bytes of a value, and how many numbers of its description were used."""
        try:
            kind = about[0]
            if kind in _BYTES:
                return _BYTES[kind], 1
            if kind == _STRING:
                return 2 * about[1], 2
            if kind == _STRUCT:
                fields = about[4 : 3 + 2 * about[2] : 2]
                return sum(_BYTES[f] for f in fields), 3 + 2 * about[2]
            if kind == _ARRAY:
                each, used = self.value(about[1:])
                count = about[1 + used]
                # values without bytes could be any number
                return max(1, each) * count, 2 + used
        except (IndexError, KeyError) as error:
            raise self.damaged() from error
        raise self.damaged()
