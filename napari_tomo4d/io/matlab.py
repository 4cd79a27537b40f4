"""MATLAB files, versions 4 and 5, and 7.3 (HDF5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from napari_tomo4d.boundary import reading
from napari_tomo4d.checks import Pixels
from napari_tomo4d.errors import ReadError
from napari_tomo4d.io.hdf5 import check_hdf5
from napari_tomo4d.io.matlab5 import read_matlab5
from napari_tomo4d.io.raw import Raw

_ANGLES = ("angles", "angle", "angles_deg", "tilt_angles", "tilts", "theta")
_DEEPEST = 20
_PIXEL = ("pix_sz", "pixel_size_nm")


def read_matlab(path: Path, lazy: bool | None = None) -> Raw:
    """Read the images of a MATLAB file, which stores them as (row, column, image).

    A structure's fields count like variables: images are the only array with three axes,
    ``angles`` gives a tilt angle per image, ``pix_sz`` the pixel size in nanometres.
    """
    variables = matlab_variables(path)
    structs = [v for v in variables.values() if isinstance(v, dict)]
    for struct in structs:
        variables = {**variables, **struct}
    stacks = {k: v for k, v in variables.items() if isinstance(v, np.ndarray) and v.ndim == 3}
    if len(stacks) != 1:
        raise ReadError(
            f"{path} holds {len(stacks)} arrays with three axes; expected one, the images "
            "(row, column, image)."
        )
    name, stack = next(iter(stacks.items()))
    raw = Raw(np.ascontiguousarray(stack.transpose(2, 0, 1)))
    raw.metadata["variable"] = name
    lower = {k.lower(): v for k, v in variables.items()}
    for key in _ANGLES:
        found = np.asarray(lower.get(key, 0))
        if found.dtype.kind in "iuf" and found.size == len(raw.data):
            raw.angles_deg = np.ravel(found).astype(float)
            raw.angles_from = "MATLAB file"
            break
    for key in _PIXEL:
        size = np.asarray(lower.get(key, 0))
        if size.size == 1 and size.dtype.kind in "iuf" and size.item() > 0:
            raw.pixel_size_nm = float(size.item())
            raw.pixel_size_from = "MATLAB file"
            if key == "pix_sz":
                raw.notes.append(f"{path.name}: its pixel size was taken to be in nanometres.")
            break
    for key in {*_ANGLES, *_PIXEL} & lower.keys():
        if np.asarray(lower[key]).dtype.kind not in "iuf":
            raw.notes.append(f"{path.name}: {key} is not of numbers and was not used.")
    return raw


def matlab_variables(path: Path) -> dict[str, Pixels]:
    """Return the variables of a MATLAB file in MATLAB's order of axes; structures as dicts."""
    with reading(path, "a MATLAB file"):
        if not h5py.is_hdf5(path):
            return read_matlab5(path)
        check_hdf5(path)
        with h5py.File(path, "r") as file:
            return _from_hdf5(file, path)


def _from_hdf5(group: h5py.Group, path: Path, depth: int = 0) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise ReadError(f"{path} nests structures deeper than {_DEEPEST}; it is damaged.")
    result: dict[str, Any] = {}
    for name in group:
        # MATLAB keeps what cells refer to below names with #, and links nothing softly
        if name.startswith("#") or not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        node = group[name]
        if isinstance(node, h5py.Group):
            result[name] = _from_hdf5(node, path, depth + 1)
        elif node.dtype.kind in "biufc":
            result[name] = np.asarray(node).T
    return result
