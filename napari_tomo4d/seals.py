"""Whether a data object still is what a step made, or was changed outside of steps since."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np

from napari_tomo4d.provenance import Provenance

Made = TypeVar("Made")

_LEFT_OUT = ("name", "provenance", "frame")
"""Fields that don't count: no result depends on a name, and nothing is made from a table."""


def stamped(item: Made, provenance: Provenance) -> Made:
    """Return a data object with its provenance, which remembers what it belongs to.

    Parameters
    ----------
    item : TiltSeries, Volume, Labels, Table, or TimeSeries
        Each time of a series gets the same provenance, and which time it is.
    provenance : Provenance

    Returns
    -------
    The same with `provenance`.
    """
    thing: Any = item
    if hasattr(thing, "with_items"):
        items = []
        for i, one in enumerate(thing):
            items.append(sealed(one, dataclasses.replace(provenance, time=i)))
        thing = dataclasses.replace(thing, series=items)
    result: Made = sealed(thing, provenance)
    return result


def sealed(item: Made, provenance: Provenance) -> Made:
    """Return a data object with its provenance; the times of a series keep theirs."""
    thing: Any = item
    provenance = dataclasses.replace(provenance, seals=(fingerprint(item),))
    result: Made = dataclasses.replace(thing, provenance=provenance)
    return result


def provenance_of(item: object) -> Provenance | None:
    """Return how a data object was made, and that it was changed since, if it was."""
    made: Provenance | None = getattr(item, "provenance", None)
    if made is None or not made.seals or fingerprint(item) in made.seals:
        return made
    return Provenance(
        "changed",
        inputs=(made,),
        unrepeatable=f"was changed after {made.step}, but not by a step",
    )


def fingerprint(item: object) -> str:
    """Return a quick checksum of a data object: nearly any change of it changes this.

    Arrays in memory are read once; of lazy ones only what they are computed from counts. Names
    and provenance don't count.
    """
    digest = hashlib.sha256()
    for part in _fields_of(item):
        digest.update(part)
    return digest.hexdigest()[:32]


def _fields_of(value: Any) -> Iterator[bytes]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for f in dataclasses.fields(value):
            if f.name not in _LEFT_OUT:
                yield f.name.encode()
                yield from _fields_of(getattr(value, f.name))
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _fields_of(one)
    elif isinstance(value, np.ndarray):
        yield f"{value.shape} {value.dtype.str}".encode()
        yield from _array_marks(value)
    elif hasattr(value, "dask"):
        # a lazy array's name stands for all that it is computed from
        yield f"{value.shape} {value.name}".encode()
    else:
        yield repr(value).encode()


def _array_marks(array: np.ndarray) -> Iterator[bytes]:
    whole: Any = array
    while isinstance(whole.base, np.ndarray):
        whole = whole.base
    if isinstance(whole, np.memmap):
        # of a file mapped into memory, only which part it is: it may be larger than memory
        start = whole.offset + array.ctypes.data - whole.ctypes.data
        yield f"{whole.filename} {start} {array.strides}".encode()
        return
    if array.dtype.hasobject:
        yield repr(array.tolist()).encode()
        return
    for plane in array if array.ndim > 2 else [array]:
        flat = np.ascontiguousarray(plane).reshape(-1).view(np.uint8)
        words = flat[: len(flat) // 8 * 8].view(np.uint64)
        yield int(words.sum(dtype=np.uint64)).to_bytes(8, "little")
        # a sum does not see what was moved
        yield words[:: max(1, len(words) // 4096)].tobytes()
        yield flat[len(words) * 8 :].tobytes()
