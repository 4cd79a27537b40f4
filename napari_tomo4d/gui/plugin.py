"""What napari's manifest points to: reader, writers and sample data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.utils.notifications import show_error

from napari_tomo4d import io, simulate
from napari_tomo4d.data import Labels, Volume
from napari_tomo4d.errors import MissingAnglesError, Tomo4DError
from napari_tomo4d.gui.canvas.label_stack import LabelStack
from napari_tomo4d.gui.canvas.layers import ITEM_KEY, LayerData, to_layers
from napari_tomo4d.voxels import as_voxel_size


def get_reader(path: str | list[str]) -> Callable[[Any], list[LayerData]] | None:
    """Return a reader for files and folders that look like tilt series or volumes."""
    paths = path if isinstance(path, list) else [path]
    return _read if all(io.is_readable(p) for p in paths) else None


def _read(path: str | list[str]) -> list[Any]:
    try:
        return to_layers(io.read(path[0] if isinstance(path, list) and len(path) == 1 else path))
    except Tomo4DError as error:
        # one sentence instead of napari's traceback
        hint = " The Load panel asks for them." if isinstance(error, MissingAnglesError) else ""
        show_error(f"{error}{hint}")
        return [(None,)]


def write_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write one image or labels layer; those made here keep everything they carry."""
    item = attributes.get("metadata", {}).get(ITEM_KEY)
    if isinstance(data, LabelStack):
        # what was painted, too
        item = data.item
    if item is None:
        data = np.asarray(data)
        scale = np.ravel(attributes.get("scale", 1.0))[-3:]
        unit = str(attributes.get("units", ("pixel",))[-1])
        edges = [io.to_nm(float(s), unit) for s in np.broadcast_to(scale, 3)]
        size = None if None in edges else as_voxel_size(edges)
        # an image of whole numbers has them, and labels have not
        kind = Labels if data.dtype.kind in "iu" and "contrast_limits" not in attributes else Volume
        item = kind(data, size, name=attributes.get("name", "volume"))
    # the user was asked by napari's dialog
    return [str(io.write(item, path, overwrite=True))]


def sample_sintering() -> list[LayerData]:
    """Return the simulated sintering experiment, for napari's menu of samples."""
    return to_layers(simulate.sintering()[0])
