"""The header of an MRC file, with the byte order and the kind of pixels that it gives evidence of.

The standard is Cheng et al. 2015, J. Struct. Biol. 192, 146; IMOD's flags and modes are those of
its description of the format.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE

from napari_tomo4d.errors import ReadError
from napari_tomo4d.io.mrc_writer import MODES

Header = Any
"""A NumPy record of the fields of an MRC header, by their standard names."""

BITS_4 = 101
_REFUSED = {
    3: "complex values (mode 3), as of a Fourier transform",
    4: "complex values (mode 4), as of a Fourier transform",
    16: "coloured images (mode 16)",
}
_KNOWN = (*MODES, BITS_4, *_REFUSED)
_LENGTH = 1024
_LARGEST = 2**20
_SIGNED, _PACKED = 1, 16
_OURS = re.compile(
    r"napari-tomo4d: (tilt series|volume|labels)(?:, tilt axis ([yx]), shift ([-+.\de]+) px)?$"
)


def read_header(path: Path) -> tuple[Header, bytes]:
    """Return the header and the extended header of a file.

    Raises
    ------
    ReadError
        If it is no MRC file, or holds what is no grey image.
    """
    not_mrc = f"{path} is not an MRC file; check the file or its extension."
    size = path.stat().st_size
    with open(path, "rb") as file:
        content = file.read(_LENGTH)
        if len(content) < _LENGTH:
            raise ReadError(not_mrc)
        both = [_record(content, order) for order in "<>"]
        possible = [h for h in both if _is_possible(h)]
        if not possible:
            raise ReadError(not_mrc)
        # files were copied between machines whose stamp stayed as it was: sizes and mode tell
        # first, and the stamp only where both orders make sense
        big = len(possible) > 1 and possible[0].machst[0] == 0x11
        header = possible[int(big)]
        extended = int(header.nsymbt)
        if not 0 <= extended <= size - _LENGTH:
            raise ReadError(
                f"{path} is damaged: its header promises {extended} more bytes of header, but the "
                f"file has {size} bytes; copy it again."
            )
        mode = int(header.mode)
        if mode in _REFUSED:
            raise ReadError(f"{path} holds {_REFUSED[mode]}; expected grey images or a volume.")
        return header, file.read(extended)


def _record(content: bytes, order: str) -> Header:
    # an array without axes: its fields keep their byte order
    record = np.frombuffer(content, HEADER_DTYPE.newbyteorder(order), 1).reshape(())
    return record.view(np.recarray)


def _is_possible(header: Header) -> bool:
    sizes = [int(header[k]) for k in ("nx", "ny", "nz")]
    return int(header["mode"]) in _KNOWN and min(sizes) >= 1 and max(sizes) <= _LARGEST


def texts(header: Header) -> list[str]:
    """Return the labels that are not empty."""
    found = (bytes(v).decode("latin-1").strip(" \0") for v in header.label)
    return [t for t in found if t]


def _imod_flags(header: Header) -> int | None:
    extra = header.extra2.tobytes()
    if extra[40:44] not in (b"IMOD", b"DOMI"):
        return None
    return int.from_bytes(extra[44:48], "little" if extra[40:44] == b"IMOD" else "big")


def pixel_type(header: Header) -> tuple[np.dtype, bool]:
    """Return how pixels are stored, and whether two of four bits share a byte.

    Bytes are signed in the standard, and unsigned in old IMOD files, which say so by a flag;
    where nothing says so, a maximum above 127 in the header does.
    """
    flags, mode = _imod_flags(header), int(header.mode)
    if mode == BITS_4 or (mode == 0 and flags is not None and flags & _PACKED):
        return np.dtype("u1"), True
    if mode != 0:
        return np.dtype(MODES[mode]).newbyteorder(header.mode.dtype.byteorder), False
    if flags is not None:
        return np.dtype("i1" if flags & _SIGNED else "u1"), False
    low, high = float(header.dmin), float(header.dmax)
    return np.dtype("u1" if 0 <= low < high <= 255 and high > 127 else "i1"), False


def our_label(header: Header) -> tuple[str, str | None, float] | None:
    """Return kind, direction and position of the tilt axis of a file that this program wrote.

    Other programs keep the labels of what they work on, and add theirs at the end.
    """
    found = _OURS.match((texts(header) or [""])[-1])
    return (found[1], found[2], float(found[3] or 0)) if found else None
