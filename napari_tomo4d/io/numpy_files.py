"""NumPy's .npy and .npz files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_tomo4d.array_files import header_of_file, read_array, read_arrays, read_part
from napari_tomo4d.errors import ReadError
from napari_tomo4d.io.raw import Raw, lazy_images, use_lazy


def read_numpy(path: Path, lazy: bool | None = None) -> Raw:
    """Read an array, or the arrays ``images``, ``angles_deg``, ``pixel_size_nm`` of an .npz."""
    if path.suffix.lower() == ".npz":
        return _from_npz(read_arrays(path), path)
    head = header_of_file(path)
    if len(head.shape) not in (2, 3):
        raise ReadError(f"{path} has {len(head.shape)} axes; expected (y, x) or (tilt, y, x).")
    if len(head.shape) == 3 and use_lazy(lazy, head.n_bytes):
        return Raw(
            lazy_images(path, head.shape, head.dtype, lambda a, b: read_part(path, head, a, b))
        )
    return Raw(read_array(path))


def _from_npz(content: dict[str, np.ndarray], path: Path) -> Raw:
    stacks = [k for k, v in content.items() if v.ndim in (2, 3)]
    key = "images" if "images" in content else stacks[0] if len(stacks) == 1 else None
    if key is None:
        raise ReadError(f"{path} holds {', '.join(content)}; expected an array named images.")
    raw = Raw(content[key])
    if "angles_deg" in content:
        if content["angles_deg"].dtype.kind not in "iuf":
            raise ReadError(f"{path}: angles_deg has to be of numbers, one per image in degrees.")
        raw.angles_deg = np.ravel(content["angles_deg"]).astype(float)
        raw.angles_from = "array angles_deg"
    if "pixel_size_nm" in content:
        size = content["pixel_size_nm"]
        if size.size not in (1, 3) or size.dtype.kind not in "iuf":
            raise ReadError(
                f"{path}: pixel_size_nm has to be one number in nanometres, or three (z, y, x)."
            )
        z, y, x = np.broadcast_to(size.ravel().astype(float), 3).tolist()
        raw.set_edges(z, y, x, "array pixel_size_nm")
    return raw
