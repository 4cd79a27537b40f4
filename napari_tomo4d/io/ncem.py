"""EMD files as NCEM defined them (emdatasets.com), tomviz writes them: HDF5 with named axes.

Read here and not by RosettaSciIO, which makes even steps of the angles of a tilt series.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import h5py
import numpy as np

from napari_tomo4d.checks import require_memory
from napari_tomo4d.content import Json
from napari_tomo4d.io.raw import use_lazy

_PIXELS = ("data", "realslice", "diffractionslice", "datacube")


def is_ncem(path: Path) -> bool:
    """Return whether a file is HDF5 with groups of EMD and not one of Velox."""
    if not h5py.is_hdf5(path):
        return False
    with h5py.File(path, "r") as file:
        return "Version" not in file and bool(_datasets(file))


def _datasets(file: h5py.File) -> list[str]:
    """Return the places of arrays with axes; links out of the file are not followed."""
    found = []

    def visit(name: str, node: Any) -> None:
        group, _, last = name.rpartition("/")
        if isinstance(node, h5py.Dataset) and last in _PIXELS and not node.external:
            attributes = (file[group] if group else file).attrs
            if attributes.get("emd_group_type", 0):
                found.append(name)

    file.visititems(visit)
    return found


def read_ncem(path: Path, lazy: bool | None) -> list[Json]:
    """Return the arrays of a file, each as a dictionary of data and axes as of RosettaSciIO.

    An axis has ``name``, ``units``, ``size`` and all its ``values``.
    """
    with h5py.File(path, "r") as file:
        return [_signal(file, name, path, lazy) for name in _datasets(file)]


def _signal(file: h5py.File, name: str, path: Path, lazy: bool | None) -> Json:
    node = file[name]
    group = node.parent
    first = 0 if "dim0" in group else 1
    axes = [_axis(group.get(f"dim{first + k}"), n) for k, n in enumerate(node.shape)]
    if use_lazy(lazy, node.size * node.dtype.itemsize):
        shape, dtype = node.shape, node.dtype

        def load(place: Any) -> np.ndarray:
            with h5py.File(path, "r") as again:
                return np.asarray(again[name][place])

        data: Any = da.from_array(_Lazy(shape, dtype, load), chunks="auto", name=False)
    else:
        require_memory(node.size * node.dtype.itemsize, f"The images of {path.name}")
        data = node[...]
    return {"data": data, "axes": axes, "metadata": {}, "title": name}


class _Lazy:
    """An array in a file that is opened anew each time it is looked at."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype, load: Any) -> None:
        self.shape, self.dtype, self.ndim, self._load = shape, dtype, len(shape), load

    def __getitem__(self, place: Any) -> np.ndarray:
        result: np.ndarray = self._load(place)
        return result


def _axis(node: Any, size: int) -> Json:
    if not isinstance(node, h5py.Dataset) or node.ndim != 1 or node.dtype.kind not in "iuf":
        return {"name": "", "units": "", "size": size, "values": np.arange(size)}
    values = np.asarray(node[...], float)
    if len(values) == 2 and size > 2:
        # the first two values stand for even steps
        values = values[0] + (values[1] - values[0]) * np.arange(size)
    if len(values) != size:
        values = np.arange(size, dtype=float)
    name, units = (_text(node.attrs.get(k, "")) for k in ("name", "units"))
    return {"name": name, "units": units, "size": size, "values": values}


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
