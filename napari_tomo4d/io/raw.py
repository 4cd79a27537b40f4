"""What a format's reader hands over, before it is known to be a tilt series or a volume."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np

from napari_tomo4d.boundary import reading
from napari_tomo4d.checks import Pixels
from napari_tomo4d.content import Json
from napari_tomo4d.data import AnyData
from napari_tomo4d.errors import ReadError
from napari_tomo4d.io.units import has_unit, to_nm
from napari_tomo4d.voxels import VoxelSize

_SAME = 1e-3

LAZY_BYTES = 512 * 1024**2
"""Files above this size are read from disk only when their images are used."""

AXIS_ANGLE = "tilt_axis_angle_deg"
"""Key of what a file says of the tilt axis: its angle from the vertical in degrees,
counter-clockwise as IMOD shows images, the first row at the bottom."""


@dataclass
class Raw:
    """Images of one file and what the file says about them.

    Parameters
    ----------
    data : array (y, x) or (image, y, x), NumPy or Dask
    angles_deg : array (image,), optional
    angles_from : str
        Where the angles come from, for a person.
    angles_file : Path, optional
        The file beside the images that they come from.
    pixel_size_nm : float, optional
        Width of a pixel.
    height_nm, depth_nm : float, optional
        Its other edges, along y and z, where the file says them.
    pixel_size_from : str
    tilt_axis : {"y", "x"}, optional
    tilt_axis_from : str
    axis_shift_px : float
        Position of the tilt axis, from formats of our own.
    kind : {"tilt series", "volume", "labels"}, optional
        None where the file does not say.
    kind_is_sure : bool
        Whether angles beside the file can't make a tilt series of a volume.
    ours : bool
        Whether this program wrote the file.
    metadata : dict
        Anything else worth keeping; JSON values.
    notes : list of str
        Assumptions, to be raised as warnings.
    item : object, optional
        A complete data object, from formats of our own.
    """

    data: Pixels = None
    angles_deg: np.ndarray | None = None
    angles_from: str = ""
    angles_file: Path | None = None
    pixel_size_nm: float | None = None
    height_nm: float | None = None
    depth_nm: float | None = None
    pixel_size_from: str = ""
    tilt_axis: str | None = None
    tilt_axis_from: str = ""
    axis_shift_px: float = 0.0
    kind: str | None = None
    kind_is_sure: bool = False
    ours: bool = False
    metadata: Json = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    item: AnyData | None = None

    def set_edges(self, depth_nm: float, height_nm: float, width_nm: float, source: str) -> None:
        """Take the edges of a voxel in nm; 0 for those that the file does not say."""
        self.pixel_size_nm, self.pixel_size_from = width_nm or None, source
        self.height_nm, self.depth_nm = height_nm or None, depth_nm or None

    def set_size(
        self, x: float, y: float, units: tuple[object, object], source: str, depth_nm: float = 0.0
    ) -> None:
        """Take width and height of a pixel in some units (of x, of y); note an unknown one."""
        width, height = to_nm(x, units[0]), to_nm(y, units[1])
        if width is not None and height is not None:
            self.set_edges(depth_nm, float(f"{height:.9g}"), float(f"{width:.9g}"), source)
            return
        unit = units[0] if width is None else units[1]
        if has_unit(unit):
            text = unit.decode("utf-8", "replace") if isinstance(unit, bytes) else unit
            self.notes.append(
                f"The {source} gives pixels of {x:g} {text!r}, which is no unit of length that is "
                "known; the size is unknown."
            )

    def voxel_size_nm(self) -> VoxelSize | None:
        """Return the edge of a cubic voxel, or the edges (z, y, x) of one that is none."""
        x = self.pixel_size_nm
        if x is None:
            return None
        y, z = self.height_nm or x, self.depth_nm or x
        return x if max(abs(y - x), abs(z - x)) <= _SAME * x else (z, y, x)

    def is_square(self) -> bool:
        """Return whether width and height of a pixel are the same, as far as is known."""
        x, y = self.pixel_size_nm, self.height_nm
        return x is None or y is None or abs(y - x) <= _SAME * x

    def set_axis(self, angle_deg: float, source: str) -> None:
        """Take the tilt axis from its angle, see `AXIS_ANGLE`, which is kept too."""
        self.tilt_axis = "x" if 45 < abs(angle_deg) % 180 < 135 else "y"
        self.tilt_axis_from = source
        self.metadata[AXIS_ANGLE] = angle_deg


def use_lazy(lazy: bool | None, n_bytes: float) -> bool:
    """Return whether to read lazily: as asked, or by size."""
    return n_bytes > LAZY_BYTES if lazy is None else lazy


def guarded(array: da.Array, path: Path) -> da.Array:
    """Return a lazy array of a parser in whose blocks all that it raises is a `ReadError`."""

    def read(block_id: Any = None) -> np.ndarray:
        with reading(path, "images"):
            block: np.ndarray = np.asarray(array.blocks[block_id].compute(scheduler="sync"))
        return block

    name = f"images-{uuid.uuid4().hex}"
    meta = np.empty((0,) * array.ndim, array.dtype)
    result: da.Array = da.map_blocks(
        read, chunks=array.chunks, dtype=array.dtype, meta=meta, name=name
    )
    return result


def lazy_images(
    path: Path,
    shape: tuple[int, ...],
    dtype: np.dtype,
    load: Callable[[int, int], np.ndarray],
) -> da.Array:
    """Return a Dask array over the images of a file, one chunk per few images.

    Parameters
    ----------
    path : Path
        Named in the error if it can't be read later on.
    shape : tuple (image, y, x)
    dtype : dtype
    load : callable
        ``load(first, stop)`` reads those images.
    """

    def read(block_info: Any = None) -> np.ndarray:
        first, stop = block_info[None]["array-location"][0]
        try:
            return load(first, stop)
        except Exception as error:
            # with whatever the parser stumbles over
            raise ReadError(
                f"Images {first + 1} to {stop} of {path} can't be read any more; was the file "
                "moved or deleted? Open it again."
            ) from error

    image_bytes = int(np.prod(shape[1:])) * dtype.itemsize
    per_chunk = max(1, 16 * 1024**2 // max(1, image_bytes))
    lengths = [min(per_chunk, shape[0] - first) for first in range(0, shape[0], per_chunk)]
    chunks = (tuple(lengths), *((n,) for n in shape[1:]))
    # a name of its own for each call: a file may change between two calls
    name = f"images-{uuid.uuid4().hex}"
    meta = np.empty((0, 0, 0), dtype)
    result: da.Array = da.map_blocks(read, chunks=chunks, dtype=dtype, meta=meta, name=name)
    return result
