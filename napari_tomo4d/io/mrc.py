"""MRC files: IMOD, SerialEM and FEI tilt series, and volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mrcfile
import numpy as np

from napari_tomo4d.checks import Pixels
from napari_tomo4d.errors import ReadError
from napari_tomo4d.io.mdoc import read_mdoc
from napari_tomo4d.io.mrc_header import (
    BITS_4,
    Header,
    our_label,
    pixel_type,
    read_header,
    texts,
)
from napari_tomo4d.io.raw import Raw, lazy_images, use_lazy
from napari_tomo4d.io.sidecars import age_s, doubt_if_stale, mdoc_of

_FEI_RECORD = 128
# the header rounds to hundredths; SerialEM writes images and .mdoc within seconds
_SAME_DEG, _AT_ONCE_S, _SAME_SIZE = 0.05, 60.0, 0.02
_VOLUME_SUFFIXES = (".rec", ".map")
# what each flag of SerialEM's extended header says, and its bytes
_SERIALEM_BYTES = {1: 2, 2: 6, 4: 4, 8: 2, 16: 2, 32: 4}


def read_mrc(path: Path, lazy: bool | None = None) -> Raw:
    """Read an MRC file with its FEI or SerialEM header and its .mdoc."""
    header, extended = read_header(path)
    shape = (int(header.nz), int(header.ny), int(header.nx))
    stored, packed = pixel_type(header)
    if packed and int(header.mode) != BITS_4:
        shape = (*shape[:2], 2 * shape[2])
    row = (shape[2] + 1) // 2 if packed else shape[2] * stored.itemsize
    image_bytes = shape[1] * row
    offset = 1024 + int(header.nsymbt)
    expected = offset + shape[0] * image_bytes
    size = path.stat().st_size
    if size < expected:
        raise ReadError(
            f"{path} is truncated: its header promises {shape[0]} images of {shape[1]} x "
            f"{shape[2]} ({expected} bytes) but the file has {size} bytes; copy it again."
        )

    def load(first: int, stop: int) -> np.ndarray:
        count = (stop - first) * image_bytes // stored.itemsize
        pixels = np.fromfile(path, stored, count, offset=offset + first * image_bytes)
        if packed:
            # the first of two pixels is in the lower half of a byte
            pixels = np.stack([pixels & 15, pixels >> 4], axis=-1)
            pixels = pixels.reshape(stop - first, shape[1], 2 * row)[..., : shape[2]]
        images = pixels.reshape(stop - first, *shape[1:])
        return images.astype(stored.newbyteorder("="), copy=False)

    if use_lazy(lazy, expected):
        data: Pixels = lazy_images(path, shape, stored.newbyteorder("="), load)
    else:
        data = load(0, shape[0])
    raw = Raw(data)
    _add_kind(raw, path, header)
    _add_bytes(raw, header, stored, load)
    _add_pixel_size(raw, header, path)
    _add_extended(raw, header, extended, shape[0])
    if not raw.ours:
        # the same name may have been that of other images, which the .mdoc is about
        _add_mdoc(raw, path, shape)
        if raw.pixel_size_nm == 0.1 and raw.pixel_size_from == "MRC header":
            raw.notes.append(
                f"{path.name} says 1 angstrom per pixel, which programs also write that do not "
                "know the size; check it."
            )
    raw.metadata["labels"] = texts(header)
    return raw


def _add_kind(raw: Raw, path: Path, header: Header) -> None:
    label = our_label(header)
    if label is not None:
        raw.ours = raw.kind_is_sure = True
        raw.kind, raw.tilt_axis, raw.axis_shift_px = label
    elif path.suffix.lower() in _VOLUME_SUFFIXES:
        raw.kind, raw.kind_is_sure = "volume", True
    elif int(header.ispg) == 1:
        # many programs mark any stack as a volume
        raw.kind = "volume"


def _add_bytes(raw: Raw, header: Header, stored: np.dtype, load: Any) -> None:
    """Note how bytes are to be read, where the header leaves it open."""
    if int(header.mode) != 0 or stored.kind != "i":
        return
    raw.metadata["signed_bytes"] = True
    known = float(header.dmin) < float(header.dmax) or _imod(header)
    if not known and (load(0, 1) < 0).any():
        raw.notes.append(
            "The header does not say whether bytes are signed; they were taken as -128 to 127, "
            "as the standard has it."
        )


def _imod(header: Header) -> bool:
    return bool(header.extra2.tobytes()[40:44] in (b"IMOD", b"DOMI"))


def _add_pixel_size(raw: Raw, header: Header, path: Path) -> None:
    grid = [int(header[k]) for k in ("mx", "my", "mz")]
    cell = [float(header.cella[k]) for k in "xyz"]
    if grid[0] <= 0 or not cell[0] > 0:
        return
    x, y, z = (c / n if n > 0 and c > 0 else 0.0 for c, n in zip(cell, grid, strict=True))
    # stored in single precision
    depth, height, width = (float(f"{edge / 10:.7g}") for edge in (z, y or x, x))
    raw.set_edges(depth, height, width, "MRC header")


def _add_extended(raw: Raw, header: Header, extended: bytes, n: int) -> None:
    kind = bytes(header.exttyp).decode("latin-1").strip(" \0")
    order = header.mode.dtype.byteorder
    labels = " ".join(texts(header))
    if kind in ("FEI1", "FEI2"):
        dtype = mrcfile.dtypes.get_ext_header_dtype(kind.encode(), order)
        record = int(np.frombuffer(extended[:4].ljust(4, b"\0"), "<i4")[0]) or dtype.itemsize
        if len(extended) < n * record or record < dtype.itemsize:
            return
        records = [np.frombuffer(extended, dtype, 1, i * record)[0] for i in range(n)]
        angles = [float(r["Alpha tilt"]) for r in records]
        size = float(records[0]["Pixel size X"])
    elif "fei company" in labels.lower():
        if len(extended) < n * _FEI_RECORD:
            return
        values = np.frombuffer(extended, f"{order}f4", n * 32).reshape(n, 32)
        angles, size = values[:, 0].astype(float).tolist(), float(values[0, 11])
    else:
        if kind == "SERI" or "serialem" in labels.lower():
            _add_serialem(raw, header, extended, n)
        return
    if _are_angles(np.array(angles)):
        raw.angles_deg, raw.angles_from = np.array(angles), "FEI extended header"
    if size > 0:
        # stored in single precision: 3.36 nm must not become 3.3600000042
        width = float(f"{size * 1e9:.7g}")
        raw.set_edges(0.0, width, width, "FEI extended header")


def _are_angles(values: np.ndarray) -> bool:
    return bool(np.isfinite(values).all() and np.abs(values).max(initial=0) <= 360)


def _add_serialem(raw: Raw, header: Header, extended: bytes, n: int) -> None:
    order = header.mode.dtype.byteorder
    per_image, flags = (int(v) for v in np.frombuffer(header.extra2.tobytes()[16:20], f"{order}i2"))
    known = sum(n_bytes for flag, n_bytes in _SERIALEM_BYTES.items() if flags & flag)
    if flags & 1 and per_image >= known and len(extended) >= n * per_image:
        shorts = [np.frombuffer(extended, f"{order}i2", 1, i * per_image)[0] for i in range(n)]
        angles = np.array(shorts) / 100
        if _are_angles(angles):
            raw.angles_deg, raw.angles_from = angles, "SerialEM extended header"
    for label in texts(header):
        _, found, value = label.partition("Tilt axis angle = ")
        if found:
            try:
                raw.set_axis(float(value.split(",")[0]), "SerialEM label")
            except ValueError:
                raw.notes.append(f"The tilt axis angle in its label is no number: {value[:20]!r}.")


def _add_mdoc(raw: Raw, path: Path, shape: tuple[int, int, int]) -> None:
    sidecar = mdoc_of(path)
    if sidecar is None:
        return
    mdoc = read_mdoc(sidecar)
    raw.notes += mdoc.notes
    doubt_if_stale(sidecar, path)
    n = shape[0]
    angles = np.array(mdoc.angles_deg * n if mdoc.one_tilt else mdoc.angles_deg)
    if len(angles) == n and _are_angles(angles):
        if not _header_is_newer(raw, angles, sidecar, path):
            raw.angles_deg, raw.angles_from, raw.angles_file = angles, sidecar.name, sidecar
    elif mdoc.angles_deg:
        raw.notes.append(
            f"{sidecar.name} lists {len(mdoc.angles_deg)} tilts but {path.name} has {n} "
            "images; its angles were not used."
        )
    if mdoc.pixel_size_nm is not None:
        other = mdoc.image_size not in (None, shape[:0:-1])
        if other and raw.pixel_size_nm is not None:
            raw.notes.append(
                f"{sidecar.name} is about images of another size than those of {path.name}; its "
                f"pixels of {mdoc.pixel_size_nm:g} nm were not used."
            )
        else:
            _tell_of_two_sizes(raw, mdoc.pixel_size_nm, sidecar)
            raw.set_edges(0.0, mdoc.pixel_size_nm, mdoc.pixel_size_nm, sidecar.name)
    if mdoc.axis_angle_deg is not None:
        raw.set_axis(mdoc.axis_angle_deg, sidecar.name)


def _header_is_newer(raw: Raw, angles: np.ndarray, sidecar: Path, path: Path) -> bool:
    """Return whether other angles in the header are those of images written after the .mdoc."""
    if raw.angles_deg is None:
        return False
    off = float(np.abs(raw.angles_deg - angles).max())
    if off <= _SAME_DEG:
        return False
    newer = age_s(sidecar, path) > _AT_ONCE_S
    raw.notes.append(
        f"The tilt angles in {sidecar.name} and in the {raw.angles_from} differ by up to "
        f"{off:.2g} degrees; those of the {'header' if newer else '.mdoc'} were taken."
    )
    return newer


def _tell_of_two_sizes(raw: Raw, size_nm: float, sidecar: Path) -> None:
    """Note a pixel size in the header that differs; 1 angstrom there may mean none."""
    known = raw.pixel_size_nm
    if known not in (None, 0.1) and known is not None and abs(known / size_nm - 1) > _SAME_SIZE:
        raw.notes.append(
            f"{sidecar.name} says pixels of {size_nm:g} nm, the {raw.pixel_size_from} of "
            f"{known:g} nm; {size_nm:g} nm was taken."
        )
