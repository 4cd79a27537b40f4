"""Everything about a data object but its pixels, as JSON; the same in every format of ours."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_tomo4d.checks import Pixels
from napari_tomo4d.content import Json
from napari_tomo4d.data import AnyData, Labels, TiltSeries, TimeSeries, Volume
from napari_tomo4d.errors import ReadError
from napari_tomo4d.immutable import frozen
from napari_tomo4d.provenance import SCHEMA_VERSION, Provenance, jsonable

KINDS = {
    "tilt series": TiltSeries,
    "volume": Volume,
    "labels": Labels,
    "time series": TimeSeries,
}
_PIXELS = ("images", "data", "series")


def header_of(item: AnyData) -> Json:
    """Return the JSON-ready header of a data object."""
    kind = next(k for k, v in KINDS.items() if isinstance(item, v))
    header: Json = {"schema_version": SCHEMA_VERSION, "kind": kind}
    for name in item.__dataclass_fields__:
        if name in _PIXELS:
            continue
        value = getattr(item, name)
        header[name] = value.to_dict() if isinstance(value, Provenance) else jsonable(value)
    if isinstance(item, TiltSeries) and item.has_frames:
        header["frames_per_tilt"] = list(item.frames_per_tilt)
    return header


def item_from(header: Json, pixels: Pixels, where: str) -> AnyData:
    """Rebuild the data object from its header and its pixels (images, voxels or items)."""
    header = dict(header)
    version = header.pop("schema_version", 0)
    if version > SCHEMA_VERSION:
        raise ReadError(
            f"{where} was written by a newer napari-tomo4d (format {version}, this program knows "
            f"{SCHEMA_VERSION}); update the program."
        )
    kind = header.pop("kind", None)
    if kind not in KINDS:
        raise ReadError(f"{where} holds a {kind!r}, which this program does not know.")
    frames = header.pop("frames_per_tilt", None)
    if header.get("provenance") is not None:
        header["provenance"] = Provenance.from_dict(header["provenance"])
    if frames is not None:
        stops = np.cumsum(frames)
        pixels = [pixels[b - n : b] for n, b in zip(frames, stops, strict=True)]
        if len(set(frames)) == 1:
            stack = np.stack if isinstance(pixels[0], np.ndarray) else _stack_lazy
            pixels = frozen(stack(pixels))
    cls: Any = KINDS[kind]
    known = {k: v for k, v in header.items() if k in cls.__dataclass_fields__}
    item: AnyData = cls(pixels, **known)
    return item


def _stack_lazy(parts: list[Pixels]) -> Pixels:
    import dask.array as da

    return da.stack(parts)
