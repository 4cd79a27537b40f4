"""NumPy's .npy and .npz files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_tomo4d.errors import ReadError
from napari_tomo4d.io.raw import Raw, lazy_images, use_lazy


def read_numpy(path: Path, lazy: bool | None = None) -> Raw:
    """Read an array, or the arrays ``images``, ``angles_deg``, ``pixel_size_nm`` of an .npz."""
    try:
        if path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as content:
                return _from_npz(dict(content), path)
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ReadError(f"{path} can't be read as a NumPy file: {error}.") from error
    if array.ndim not in (2, 3):
        raise ReadError(f"{path} has {array.ndim} axes; expected (y, x) or (tilt, y, x).")
    if array.ndim == 3 and use_lazy(lazy, array.nbytes):
        load = lambda a, b: np.array(np.load(path, mmap_mode="r")[a:b])  # noqa: E731
        return Raw(lazy_images(path, array.shape, array.dtype, load))
    return Raw(np.array(array))


def _from_npz(content: dict[str, np.ndarray], path: Path) -> Raw:
    stacks = [k for k, v in content.items() if v.ndim in (2, 3)]
    key = "images" if "images" in content else stacks[0] if len(stacks) == 1 else None
    if key is None:
        raise ReadError(f"{path} holds {', '.join(content)}; expected an array named images.")
    raw = Raw(content[key])
    if "angles_deg" in content:
        raw.angles_deg = np.ravel(content["angles_deg"]).astype(float)
        raw.angles_from = "array angles_deg"
    if "pixel_size_nm" in content:
        raw.pixel_size_nm = float(content["pixel_size_nm"])
        raw.pixel_size_from = "array pixel_size_nm"
    return raw
