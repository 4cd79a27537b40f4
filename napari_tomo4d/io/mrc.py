"""MRC files: IMOD, SerialEM and FEI tilt series, and volumes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np

from napari_tomo4d.checks import Pixels
from napari_tomo4d.errors import ReadError
from napari_tomo4d.io.imod import read_mdoc
from napari_tomo4d.io.mrc_writer import MODES
from napari_tomo4d.io.raw import Raw, lazy_images, use_lazy

_FEI_RECORD = 128
Header = Any
"""A NumPy record of the fields of an MRC header, by their standard names."""

_VOLUME_SUFFIXES = (".rec", ".map")


def read_mrc(path: Path, lazy: bool | None = None) -> Raw:
    """Read an MRC file with its FEI or SerialEM header and its .mdoc."""
    header, extended = _read_header(path)
    shape = (int(header.nz), int(header.ny), int(header.nx))
    dtype = np.dtype(MODES[int(header.mode)]).newbyteorder(header.mode.dtype.byteorder)
    # mode 0 is signed in the standard, unsigned in old IMOD files, which say so by a flag
    if dtype.kind == "i" and dtype.itemsize == 1 and _imod_unsigned(header):
        dtype = np.dtype("u1")
    offset = 1024 + int(header.nsymbt)
    expected = offset + int(np.prod(shape)) * dtype.itemsize
    size = path.stat().st_size
    if size < expected:
        raise ReadError(
            f"{path} is truncated: its header promises {shape[0]} images of {shape[1]} x "
            f"{shape[2]} ({expected} bytes) but the file has {size} bytes; copy it again."
        )

    def load(first: int, stop: int) -> np.ndarray:
        pixels = shape[1] * shape[2]
        start = offset + first * pixels * dtype.itemsize
        images = np.fromfile(path, dtype, (stop - first) * pixels, offset=start)
        return images.reshape(stop - first, *shape[1:]).astype(dtype.newbyteorder("="))

    native = dtype.newbyteorder("=")
    if use_lazy(lazy, expected):
        data: Pixels = lazy_images(path, shape, native, load)
    else:
        data = load(0, shape[0])
    raw = Raw(data)
    if path.suffix.lower() in _VOLUME_SUFFIXES or int(header.ispg) == 1:
        raw.kind = "volume"
    _add_pixel_size(raw, header)
    _add_extended(raw, header, extended, shape[0])
    _add_mdoc(raw, path, shape[0])
    raw.metadata["labels"] = [t for t in (_text(v) for v in header.label) if t]
    return raw


def _read_header(path: Path) -> tuple[Header, bytes]:
    not_mrc = f"{path} is not an MRC file; check the file or its extension."
    _check_extended(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with mrcfile.open(path, header_only=True, permissive=True) as mrc:
                header, extended = mrc.header.copy(), mrc.extended_header
    except (ValueError, OSError) as error:
        raise ReadError(not_mrc) from error
    sizes = [int(header[k]) for k in ("nx", "ny", "nz")]
    if int(header.mode) not in MODES or min(sizes) < 1 or max(sizes) > 2**20:
        raise ReadError(not_mrc)
    return header, b"" if extended is None else extended.tobytes()


def _check_extended(path: Path) -> None:
    """Raise `ReadError` if the extended header can't be in the file in either byte order."""
    with path.open("rb") as file:
        length = file.read(96)[92:]
    held = path.stat().st_size - 1024
    if min(abs(int.from_bytes(length, o, signed=True)) for o in ("little", "big")) > max(held, 0):
        raise ReadError(f"{path} is not an MRC file or is cut off; copy it again.")


def _imod_unsigned(header: Header) -> bool:
    extra = header.extra2.tobytes()
    stamp, flags = extra[40:44], int.from_bytes(extra[44:48], "little")
    return stamp == b"IMOD" and not flags & 1


def _text(label: bytes) -> str:
    return bytes(label).decode("latin-1").strip(" \0")


def _add_pixel_size(raw: Raw, header: Header) -> None:
    # a cell as large as the number of voxels is what programs write that know no size
    if int(header.mx) > 0 and float(header.cella.x) > 0:
        angstrom = float(header.cella.x) / int(header.mx)
        if angstrom != 1.0:
            raw.pixel_size_nm, raw.pixel_size_from = angstrom / 10, "MRC header"


def _add_extended(raw: Raw, header: Header, extended: bytes, n: int) -> None:
    kind = _text(header.exttyp)
    if kind in ("FEI1", "FEI2"):
        dtype = mrcfile.dtypes.get_ext_header_dtype(kind.encode(), header.mode.dtype.byteorder)
        record = int(np.frombuffer(extended[:4], "<i4")[0]) or dtype.itemsize
        if len(extended) < n * record or record < dtype.itemsize:
            return
        records = [np.frombuffer(extended, dtype, 1, i * record)[0] for i in range(n)]
        angles = [float(r["Alpha tilt"]) for r in records]
        size = float(records[0]["Pixel size X"])
    elif "fei company" in " ".join(_text(v) for v in header.label).lower():
        if len(extended) < n * _FEI_RECORD:
            return
        values = np.frombuffer(extended, "<f4", n * 32).reshape(n, 32)
        angles, size = values[:, 0].astype(float).tolist(), float(values[0, 11])
    elif kind == "SERI":
        _add_serialem(raw, header, extended, n)
        return
    else:
        return
    raw.angles_deg, raw.angles_from = np.array(angles), "FEI extended header"
    if size > 0:
        # stored in single precision: 3.36 nm must not become 3.3600000042
        raw.pixel_size_nm = float(f"{size * 1e9:.7g}")
        raw.pixel_size_from = "FEI extended header"


def _add_serialem(raw: Raw, header: Header, extended: bytes, n: int) -> None:
    per_image, flags = np.frombuffer(header.extra2.tobytes()[16:20], "<i2")
    if flags & 1 and per_image > 0 and len(extended) >= n * per_image:
        shorts = [np.frombuffer(extended, "<i2", 1, i * per_image)[0] for i in range(n)]
        raw.angles_deg = np.array(shorts) / 100
        raw.angles_from = "SerialEM extended header"
    for label in header.label:
        _, found, value = _text(label).partition("Tilt axis angle = ")
        if found:
            raw.tilt_axis = axis_from_rotation(float(value.split(",")[0]))


def axis_from_rotation(angle_deg: float) -> str:
    """Return the image axis nearest to a tilt axis rotated from the vertical."""
    return "x" if 45 < abs(angle_deg) % 180 < 135 else "y"


def _add_mdoc(raw: Raw, path: Path, n: int) -> None:
    for sidecar in (path.with_name(path.name + ".mdoc"), path.with_suffix(".mdoc")):
        if not sidecar.exists():
            continue
        mdoc = read_mdoc(sidecar)
        if len(mdoc.angles_deg) == n:
            raw.angles_deg = np.array(mdoc.angles_deg)
            raw.angles_from = sidecar.name
        elif mdoc.angles_deg:
            raw.notes.append(
                f"{sidecar.name} lists {len(mdoc.angles_deg)} tilts but {path.name} has {n} "
                "images; its angles were not used."
            )
        if mdoc.pixel_size_nm is not None:
            raw.pixel_size_nm, raw.pixel_size_from = mdoc.pixel_size_nm, sidecar.name
        if mdoc.axis_angle_deg is not None:
            raw.tilt_axis = axis_from_rotation(mdoc.axis_angle_deg)
        return
