"""MRC files written plainly: a memory map ends the process when the disk is full."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import mrcfile
import numpy as np

from napari_tomo4d.data import Labels, TiltSeries, Volume
from napari_tomo4d.progress import Progress
from napari_tomo4d.version import __version__
from napari_tomo4d.voxels import edges_of

MODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
"""Data type of each mode of the standard."""

OUR_LABEL = "napari-tomo4d"
"""How the first label of an MRC file of ours begins."""


def write_mrc(item: TiltSeries | Volume | Labels, path: Path, progress: Progress) -> None:
    """Write images (tilt, y, x) or a volume (z, y, x) as MRC, one by one."""
    series = isinstance(item, TiltSeries)
    data = item.images if isinstance(item, TiltSeries) else item.data
    supported = {"i1", "i2", "f4", "u2"}
    given = np.dtype(data.dtype)
    dtype = np.dtype("<" + (given.str[1:] if given.str[1:] in supported else "f4"))
    header = _header(item, data.shape, dtype, series)
    low, high, total, squares = np.inf, -np.inf, 0.0, 0.0
    with path.open("wb") as file:
        file.write(header.tobytes())
        for i in range(data.shape[0]):
            image = np.ascontiguousarray(data[i], dtype)
            file.write(image.data)
            low, high = min(low, float(image.min())), max(high, float(image.max()))
            total += float(image.sum(dtype=np.float64))
            squares += float(np.square(image, dtype=np.float64).sum())
            progress.report(i + 1, data.shape[0], f"Writing {item.name}")
        mean = total / np.prod(data.shape)
        header["dmin"], header["dmax"], header["dmean"] = low, high, mean
        header["rms"] = np.sqrt(max(0.0, squares / np.prod(data.shape) - mean**2))
        file.seek(0)
        file.write(header.tobytes())


def is_ours(path: Path) -> bool:
    """Return whether this program wrote a file; one that made another of it added its label."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(220)
        count = int.from_bytes(file.read(4), "little")
        if 1 <= count <= 10:
            file.seek(224 + 80 * (count - 1))
            return file.read(len(OUR_LABEL)) == OUR_LABEL.encode()
    return False


def _header(
    item: TiltSeries | Volume | Labels, shape: tuple[int, ...], dtype: np.dtype, series: bool
) -> np.ndarray:
    header = np.zeros((), mrcfile.dtypes.HEADER_DTYPE.newbyteorder("<"))
    header["nz"], header["ny"], header["nx"] = shape
    # a stack of images has a depth of one
    header["mz"], header["my"], header["mx"] = (1 if series else shape[0], *shape[1:])
    header["mode"] = {v: k for k, v in MODES.items()}[dtype.str[1:]]
    header["ispg"] = 0 if series else 1
    z, y, x = edges_of(item.pixel_size_nm or 0.0)
    header["cella"] = tuple(
        10 * size * float(header[n]) for size, n in ((x, "mx"), (y, "my"), (z, "mz"))
    )
    header["cellb"] = (90, 90, 90)
    header["mapc"], header["mapr"], header["maps"] = 1, 2, 3
    header["map"], header["machst"] = b"MAP ", (0x44, 0x44, 0, 0)
    header["nversion"] = 20141
    header["nlabl"] = 2
    header["label"][0] = f"{OUR_LABEL} {__version__} {time.strftime('%Y-%m-%d %H:%M:%S')}".encode()
    header["label"][1] = label_of(item).encode()
    return header


def label_of(item: TiltSeries | Volume | Labels) -> str:
    """Return the label by which this program knows what it wrote."""
    if isinstance(item, TiltSeries):
        return (
            f"napari-tomo4d: tilt series, tilt axis {item.tilt_axis}, "
            f"shift {item.axis_shift_px:.6g} px"
        )
    return f"napari-tomo4d: {'labels' if isinstance(item, Labels) else 'volume'}"
