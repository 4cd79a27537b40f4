"""OME-Zarr (OME-NGFF 0.5, Zarr 3): the format that keeps everything."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import zarr

from napari_tomo4d.boundary import reading
from napari_tomo4d.checks import Pixels
from napari_tomo4d.content import Json, file_digest
from napari_tomo4d.data import AnyData, Labels, TiltSeries, TimeSeries, Volume
from napari_tomo4d.errors import ReadError
from napari_tomo4d.immutable import frozen
from napari_tomo4d.io.header import header_of, item_from
from napari_tomo4d.io.raw import Raw, use_lazy
from napari_tomo4d.io.units import to_nm
from napari_tomo4d.progress import Progress
from napari_tomo4d.voxels import edges_of

_KEY = "napari_tomo4d"
_LARGEST_CHUNK = 512 * 1024**2
_ID = "id"
TIMES: Json = {"ome": {"version": "0.5", "bioformats2raw.layout": 3}}
"""Attributes of a group that holds one group for each time."""


def write_zarr(item: AnyData, path: Path, progress: Progress) -> None:
    """Write a data object into a new folder; lazy images are computed chunk by chunk."""
    group = zarr.create_group(store=str(path), zarr_format=3)
    if isinstance(item, TimeSeries):
        group.attrs.update(TIMES)
        for i, one in enumerate(item):
            _write_item(group.create_group(str(i)), one, progress.part(i, len(item)))
    else:
        _write_item(group, item, progress)
        return
    write_header(group, item)


def write_header(group: zarr.Group, item: AnyData) -> None:
    """Write everything about an item but its pixels, and which writing of it this is."""
    group.attrs[_KEY] = {**header_of(item), _ID: uuid.uuid4().hex}


def _write_item(group: zarr.Group, item: TiltSeries | Volume | Labels, progress: Progress) -> None:
    if isinstance(item, TiltSeries):
        parts = _image_stacks(item)
        chunk: tuple[int, ...] = (1, *item.image_shape)
        axes = [{"name": "tilt"}, _space("y", item), _space("x", item)]
    else:
        parts = [item.data]
        chunk = tuple(min(n, 128) for n in item.data.shape)
        axes = space_axes(item)
    shape = (sum(len(p) for p in parts), *parts[0].shape[1:])
    dtype = item.dtype if isinstance(item, TiltSeries) else item.data.dtype
    array = group.create_array("0", shape=shape, chunks=chunk, dtype=dtype)
    done = 0
    for part in parts:
        for first in range(0, len(part), chunk[0]):
            block = np.asarray(part[first : first + chunk[0]])
            array[done : done + len(block)] = block
            done += len(block)
            progress.report(done, shape[0], f"Writing {item.name}")
    describe_group(group, item, axes)


def describe_group(group: zarr.Group, item: AnyData, axes: list[dict[str, str]]) -> None:
    """Write what a group holds beside its pixels: OME's multiscale entry and our header."""
    edges = dict(zip("zyx", edges_of(item.pixel_size_nm or 1.0), strict=True))
    scale = [edges.get(a["name"], 1.0) for a in axes]
    transform: Any = [{"type": "scale", "scale": scale}]
    dataset: Any = {"path": "0", "coordinateTransformations": transform}
    multiscale: Any = {"name": item.name, "axes": axes, "datasets": [dataset]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}
    write_header(group, item)


def _image_stacks(series: TiltSeries) -> list[Pixels]:
    """Return the images as stacks (image, y, x), whether or not they are frames."""
    if isinstance(series.images, tuple):
        return list(series.images)
    return list(series.images) if series.images.ndim == 4 else [series.images]


def space_axes(item: AnyData) -> list[dict[str, str]]:
    """Return OME's description of the axes of a volume."""
    return [_space(a, item) for a in "zyx"]


def _space(name: str, item: AnyData) -> dict[str, str]:
    axis = {"name": name, "type": "space"}
    return axis if item.pixel_size_nm is None else {**axis, "unit": "nanometer"}


def read_zarr(path: Path, lazy: bool | None = None) -> Raw:
    """Read an OME-Zarr folder: ours completely, another program's as pixels and scale."""
    group = zarr.open_group(str(path), mode="r")
    if _KEY in group.attrs:
        return Raw(item=_read_ours(group, path, lazy))
    return _read_foreign(group, path, lazy)


def _read_ours(group: zarr.Group, path: Path, lazy: bool | None) -> AnyData:
    stored: Any = group.attrs[_KEY]
    header = dict(stored)
    if header.get("kind") == "time series":
        names = sorted((k for k in group if k.isdigit()), key=int)
        items = [_read_ours(group[k], path / k, lazy) for k in names]  # type: ignore[arg-type]
        return item_from(header, items, str(path))
    return item_from(header, _pixels(group["0"], path, lazy), str(path))


def _pixels(array: Pixels, folder: Path, lazy: bool | None) -> Pixels:
    # a chunk is made in memory whole, whatever the file holds of it
    if int(np.prod(array.chunks, dtype=float)) * array.dtype.itemsize > _LARGEST_CHUNK:
        raise ReadError(f"{folder} holds chunks of {array.chunks}, which is too large to be read.")
    if max(array.shape, default=0) > 2**20:
        raise ReadError(f"{folder} holds an array of {array.shape}, which can't be true.")
    if not use_lazy(lazy, array.nbytes):
        return frozen(array[...])
    # a name of its own for each reading, as for `lazy_images`
    name = f"zarr-{uuid.uuid4().hex}"
    return da.from_array(_Stored(array, folder), chunks=array.chunks, name=name)


class _Stored:
    """An array on disk, which is not read any more once another was written in its place.

    Parameters
    ----------
    array : zarr.Array
    folder : Path
        Of its group.
    """

    def __init__(self, array: Pixels, folder: Path) -> None:
        self._array, self._folder = array, folder
        self._described = _description_of(folder)
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __getitem__(self, place: Any) -> np.ndarray:
        if _description_of(self._folder) != self._described:
            raise ReadError(
                f"{self._folder} was moved, deleted or written anew since it was opened; open it "
                "again."
            )
        with reading(self._folder, "OME-Zarr", advice="a part of it is damaged"):
            block: np.ndarray = self._array[place]
        return block


def _description_of(folder: Path) -> str:
    """Return a checksum of what a group says; each writing of ours has an id of its own."""
    # Zarr 3 and Zarr 2
    return file_digest(str(folder / "zarr.json")) or file_digest(str(folder / ".zattrs"))


def _read_foreign(group: zarr.Group, path: Path, lazy: bool | None) -> Raw:
    attributes: Json = group.attrs.asdict()
    multiscale = attributes.get("ome", attributes)["multiscales"][0]
    dataset = multiscale["datasets"][0]
    array = group[dataset["path"]]
    pixels = _pixels(array, path, lazy)
    while pixels.ndim > 3 and pixels.shape[0] == 1:
        pixels = pixels[0]
    raw = Raw(pixels)
    axes = multiscale["axes"]
    scales = [t["scale"] for t in dataset["coordinateTransformations"] if "scale" in t]
    if scales and isinstance(axes[-1], dict):
        steps, units = [float(v) for v in scales[0]], [a.get("unit") for a in axes]
        depth = to_nm(steps[-3], units[-3]) if len(axes) > 2 else None
        raw.set_size(steps[-1], steps[-2], (units[-1], units[-2]), "OME header", depth or 0.0)
    names = [a["name"] if isinstance(a, dict) else a for a in axes]
    if names[-3:-2] == ["z"]:
        raw.kind = "volume"
    return raw
