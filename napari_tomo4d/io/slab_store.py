"""Volumes written slab by slab, for those that do not fit into memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import zarr

from napari_tomo4d.data import AnyTimeSeries, Volume
from napari_tomo4d.io.writer import check_target
from napari_tomo4d.io.zarr_store import TIMES, describe_group, read_zarr, space_axes, write_header
from napari_tomo4d.whole_files import replacing

CHUNK = 64
"""Voxels along each edge of a chunk; slabs of a multiple of it write whole chunks."""


class SlabStore:
    """An OME-Zarr folder that is being filled; see `slab_store`.

    Parameters
    ----------
    path : Path
        Where it is being written.
    shape : tuple (z, y, x)
        Of each volume.
    n_times : int, optional
        Number of volumes of a time series; a single volume if None.
    """

    def __init__(self, path: Path, shape: tuple[int, int, int], n_times: int | None) -> None:
        self._group = zarr.create_group(store=str(path), zarr_format=3)
        self._single = n_times is None
        if self._single:
            self._groups = [self._group]
        else:
            self._group.attrs.update(TIMES)
            self._groups = [self._group.create_group(str(i)) for i in range(n_times or 0)]
        chunks = tuple(min(CHUNK, n) for n in shape)
        self._arrays = [
            g.create_array("0", shape=shape, chunks=chunks, dtype=np.float32) for g in self._groups
        ]

    def write(self, time: int, data: np.ndarray, axis: int, start: int) -> None:
        """Write a slab (z, y, x) of one volume, from `start` along an axis.

        What is never written is zero.
        """
        place = [slice(None)] * 3
        place[axis] = slice(start, start + data.shape[axis])
        self._arrays[time][tuple(place)] = data

    def describe(self, volumes: list[Volume], times: AnyTimeSeries | None = None) -> None:
        """Write what the volumes are; their voxels are not looked at.

        Parameters
        ----------
        volumes : list of Volume
            One for each time, voxels of any shape.
        times : TimeSeries, optional
            Whose times, temperatures, name and provenance the series has.
        """
        for group, array, volume in zip(self._groups, self._arrays, volumes, strict=True):
            stored = Volume(
                da.zeros(array.shape, dtype=np.float32),
                volume.pixel_size_nm,
                volume.residuals,
                volume.name,
                volume.metadata,
                volume.provenance,
            )
            describe_group(group, stored, space_axes(stored))
        if times is not None:
            write_header(self._group, times)


@contextlib.contextmanager
def slab_store(
    path: str | Path,
    shape: tuple[int, int, int],
    n_times: int | None = None,
    *,
    overwrite: bool = False,
) -> Iterator[SlabStore]:
    """Give a store to fill; nothing is left behind unless all goes well.

    Parameters
    ----------
    path : str or Path
        Ends in ``.zarr``.
    shape, n_times
        As in `SlabStore`.
    overwrite : bool
        Replace what is there, once the new one is complete.
    """
    target = check_target(path, overwrite=overwrite)
    with replacing(target) as temporary:
        yield SlabStore(temporary, shape, n_times)


def read_lazily(path: str | Path) -> Any:
    """Return what a store of ours holds, its voxels read when they are used."""
    return read_zarr(Path(path), lazy=True).item
