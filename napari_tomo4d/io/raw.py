"""What a format's reader hands over, before it is known to be a tilt series or a volume."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np

from napari_tomo4d.checks import Pixels
from napari_tomo4d.content import Json
from napari_tomo4d.data import AnyData
from napari_tomo4d.errors import ReadError

LAZY_BYTES = 512 * 1024**2
"""Files above this size are read from disk only when their images are used."""


@dataclass
class Raw:
    """Images of one file and what the file says about them.

    Parameters
    ----------
    data : array (y, x) or (image, y, x), NumPy or Dask
    angles_deg : array (image,), optional
    angles_from : str
        Where the angles come from, for a person.
    pixel_size_nm : float, optional
    pixel_size_from : str
    tilt_axis : {"y", "x"}, optional
    kind : {"tilt series", "volume", "labels"}, optional
        None where the file does not say.
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
    pixel_size_nm: float | None = None
    pixel_size_from: str = ""
    tilt_axis: str | None = None
    kind: str | None = None
    metadata: Json = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    item: AnyData | None = None


def use_lazy(lazy: bool | None, n_bytes: float) -> bool:
    """Return whether to read lazily: as asked, or by size."""
    return n_bytes > LAZY_BYTES if lazy is None else lazy


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


UNIT_NM = {"pm": 1e-3, "a": 0.1, "å": 0.1, "angstrom": 0.1, "nm": 1.0, "nanometer": 1.0}
UNIT_NM |= {"um": 1e3, "µm": 1e3, "μm": 1e3, "micron": 1e3, "micrometer": 1e3, "mm": 1e6, "m": 1e9}


def to_nm(value: float, unit: str | None) -> float | None:
    """Return a length in nanometres, or None if the unit is no length."""
    factor = UNIT_NM.get((unit or "").strip().strip("[]").lower())
    return None if factor is None or not value > 0 else float(value) * factor
