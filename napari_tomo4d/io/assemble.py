"""Images of several files, or of several moments at one angle, put together to one series."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_tomo4d.checks import Pixels
from napari_tomo4d.immutable import frozen
from napari_tomo4d.io.names import angles_from_names
from napari_tomo4d.io.raw import Raw
from napari_tomo4d.provenance import warn


def commonest(raws: list[Raw], files: list[Path]) -> Raw:
    """Return one of the files with the commonest pixel size, and warn of those with another."""
    sizes = [None if r.pixel_size_nm is None else float(f"{r.pixel_size_nm:.3g}") for r in raws]
    common = max(dict.fromkeys(sizes), key=sizes.count)
    others = [(p, s) for p, s in zip(files, sizes, strict=True) if s != common]
    if others:
        path, size = others[0]
        also = "" if len(others) == 1 else f" and {len(others) - 1} more"
        warn(
            f"{path.name}{also} has {_in_words(size)}, the other files {_in_words(common)}; if it "
            "was taken at another magnification, leave it out."
        )
    return raws[sizes.index(common)]


def _in_words(size: float | None) -> str:
    return "pixels of unknown size" if size is None else f"pixels of {size:g} nm"


def angles_of_files(
    raws: list[Raw], files: list[Path], folder: Path
) -> tuple[np.ndarray | None, str]:
    """Return the angles of one file per tilt: from their headers, or from their names."""
    if all(r.angles_deg is not None for r in raws):
        angles = np.array([r.angles_deg[0] for r in raws])  # type: ignore[index]
        if len(files) == 1 or np.ptp(angles):
            return angles, raws[0].angles_from
        warn(f"All files in {folder.name} say {angles[0]:g} degrees, so this was not believed.")
    from_names = angles_from_names(files)
    if from_names is not None:
        warn("The tilt angles were taken from the names of the files.")
    return from_names, "file names"


def join(parts: list[Pixels]) -> Pixels:
    """Join one stack of frames per tilt; a plain series if each has one frame."""
    if any(len(p) > 1 for p in parts):
        if len({len(p) for p in parts}) > 1:
            return parts
        return frozen(_module(parts[0]).stack(parts))
    return frozen(_module(parts[0]).concatenate(parts))


def group_frames(images: Pixels, angles: np.ndarray) -> tuple[Pixels, np.ndarray]:
    """Make frames of images that follow each other at the same angle."""
    starts = np.flatnonzero(np.diff(angles, prepend=np.inf))
    if len(starts) == len(angles):
        return images, angles
    warn("Images that follow each other at the same angle were taken as frames of one tilt.")
    stops = [*starts[1:], len(angles)]
    return join([images[a:b] for a, b in zip(starts, stops, strict=True)]), angles[starts]


def _module(array: Pixels) -> Any:
    if isinstance(array, np.ndarray):
        return np
    import dask.array as da

    return da
