"""The size of voxels, which may differ from axis to axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_tomo4d.checks import pixel_size
from napari_tomo4d.errors import DataError
from napari_tomo4d.immutable import Immutable

Spacing = tuple[float, float, float]
"""A length along each axis (z, y, x)."""

VoxelSize = float | Spacing
"""Edge of a cubic voxel, or the edges (z, y, x) of one that is none, in nm."""

CUBIC: Spacing = (1.0, 1.0, 1.0)
"""The `sampling` of cubic voxels."""


def as_voxel_size(value: Any) -> VoxelSize | None:
    """Return one positive number for cubic voxels, or else three (z, y, x); None for None.

    Raises
    ------
    DataError
        If it is neither one number nor three, or one is not positive.
    """
    if value is None or np.ndim(value) == 0:
        return pixel_size(value, "voxel size")
    if np.shape(value) != (3,):
        raise DataError(
            f"The voxel size is {value!r}; give one number for cubic voxels, or three (z, y, x)."
        )
    edges = [pixel_size(v, f"voxel size along {a}") for v, a in zip(value, "zyx", strict=True)]
    z, y, x = (float(e) for e in edges if e is not None)
    return x if z == y == x else (z, y, x)


def edges_of(size: VoxelSize) -> Spacing:
    """Return the edges (z, y, x) of a voxel."""
    return size if isinstance(size, tuple) else (size, size, size)


def size_text(size: VoxelSize, digits: int = 6) -> str:
    """Return a voxel size as a person reads it: "2 nm", or "2 x 1 x 1 nm (z, y, x)"."""
    if not isinstance(size, tuple):
        return f"{size:.{digits}g} nm"
    return " x ".join(f"{e:.{digits}g}" for e in size) + " nm (z, y, x)"


def sampling_of(size: VoxelSize | None) -> Spacing:
    """Return the edges (z, y, x) of a voxel over that of a cube of its volume.

    So a length in voxels has a meaning where voxels are not cubic, and numbers of voxels stay
    what they are.
    """
    if not isinstance(size, tuple):
        return CUBIC
    z, y, x = size / np.cbrt(np.prod(size))
    return float(z), float(y), float(x)


def in_voxels(length_px: float, sampling: Sequence[float]) -> Spacing:
    """Return a length in edges of a cube of a voxel's volume as a number of voxels (z, y, x)."""
    z, y, x = (length_px / s for s in sampling)
    return z, y, x


class Voxels(Immutable):
    """What volumes and labels have in common: voxels (z, y, x) of a size."""

    data: Any
    pixel_size_nm: VoxelSize | None
    name: str

    @property
    def voxel_size_nm(self) -> Spacing | None:
        """Edges (z, y, x) of a voxel, None if unknown."""
        return None if self.pixel_size_nm is None else edges_of(self.pixel_size_nm)

    @property
    def sampling(self) -> Spacing:
        """Edges (z, y, x) of a voxel over that of a cube of its volume; 1 where cubic."""
        return sampling_of(self.pixel_size_nm)

    def __repr__(self) -> str:
        size = self.pixel_size_nm
        said = "unknown voxel size" if size is None else size_text(size)
        shape = " x ".join(map(str, self.data.shape))
        return f"<{type(self).__name__} {self.name!r}: {shape} (z, y, x), {said}>"
