"""MATLAB files, version 5 (SciPy) and 7.3 (HDF5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io

from napari_tomo4d.checks import Pixels
from napari_tomo4d.errors import ReadError
from napari_tomo4d.io.raw import Raw

_ANGLES = ("angles", "angle", "angles_deg", "tilt_angles", "tilts", "theta")
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
        if key in lower and np.size(lower[key]) == len(raw.data):
            raw.angles_deg = np.ravel(lower[key]).astype(float)
            raw.angles_from = "MATLAB file"
            break
    for key in _PIXEL:
        if key in lower and np.size(lower[key]) == 1 and float(np.squeeze(lower[key])) > 0:
            raw.pixel_size_nm = float(np.squeeze(lower[key]))
            raw.pixel_size_from = "MATLAB file"
            if key == "pix_sz":
                raw.notes.append(f"{path.name}: its pixel size was taken to be in nanometres.")
            break
    return raw


def matlab_variables(path: Path) -> dict[str, Pixels]:
    """Return the variables of a MATLAB file in MATLAB's order of axes; structures as dicts."""
    try:
        if h5py.is_hdf5(path):
            with h5py.File(path, "r") as file:
                return {k: _from_hdf5(v) for k, v in file.items() if not k.startswith("#")}
        content = scipy.io.loadmat(path, simplify_cells=True)
    except Exception as error:
        # a damaged file can fail anywhere in the parsers
        raise ReadError(f"{path} can't be read as a MATLAB file: {error}.") from error
    return {k: v for k, v in content.items() if not k.startswith("__")}


def _from_hdf5(node: Any) -> Any:
    if isinstance(node, h5py.Group):
        return {k: _from_hdf5(v) for k, v in node.items()}
    return np.asarray(node).T
