"""Texts that other programs wrote beside images, whatever their code page and ends of lines."""

from __future__ import annotations

import codecs
from pathlib import Path

from napari_tomo4d.errors import ReadError

_LARGEST = 50_000_000
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: Path) -> str:
    """Return the text of a file: with a byte-order mark, UTF-8, UTF-16 or Windows' code page.

    Raises
    ------
    ReadError
        If the file can't be read, is no text or is far too large for one.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ReadError(f"{path} is too large for a table or a text beside images.")
        content = path.read_bytes()
    except ReadError:
        raise
    except OSError as error:
        raise ReadError(f"{path} can't be read: {error.strerror or error}.") from error
    try:
        return _decoded(content).replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise ReadError(f"{path} can't be read as text; was it copied whole?") from error


def _decoded(content: bytes) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding)
    if content.count(b"\0") >= max(1, len(content) // 3):
        return content.decode("utf-16-le" if content[1:2] == b"\0" else "utf-16-be")
    if b"\0" in content:
        raise UnicodeDecodeError("text", content[:1], 0, 1, "zero bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        # what is not ASCII there are signs of degree and micro, and names
        return content.decode("cp1252", "replace")
