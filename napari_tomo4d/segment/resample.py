"""Volumes on another grid: cubic voxels, or larger and fewer ones."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import numpy as np
from scipy import ndimage

from napari_tomo4d.checks import require_memory
from napari_tomo4d.data import Volume
from napari_tomo4d.errors import DataError
from napari_tomo4d.immutable import frozen
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import note
from napari_tomo4d.registry import step
from napari_tomo4d.voxels import size_text

_SAME = 1e-6


@step("segment.resample", title="Make voxels cubic", takes=Volume, gives=Volume)
def resample(
    volume: Volume,
    edge_nm: Annotated[
        float | None,
        Param(
            "Edge of the new voxels. Empty: the shortest edge of the old ones.",
            unit="nm",
            minimum=1e-6,
            empty="shortest edge",
        ),
    ] = None,
    *,
    progress: Progress | None = None,
) -> Volume:
    """Bring a volume to cubic voxels, by interpolation along the axes that need it.

    Parameters
    ----------
    volume : Volume (z, y, x)
        With a voxel size.
    edge_nm : float, optional
        By default the shortest edge that voxels have, so that nothing is lost.
    progress : Progress, optional

    Returns
    -------
    Volume
        The centre of the first voxel stays where it is, so positions in nm do too; what is left
        at the other end and does not fill another voxel is cut off.

    Raises
    ------
    DataError
        If the voxel size is not known, or so large that less than two voxels are left.
    NotEnoughMemoryError
        If the result would not fit.

    Notes
    -----
    Cubic splines (Unser 1999, IEEE Signal Processing Magazine 16, 22). Along an axis on which
    voxels become larger a Gaussian comes first, of half of what their edge grows by, against
    aliasing.
    """
    progress = progress or Progress()
    if volume.voxel_size_nm is None:
        raise DataError("The voxel size is not known, so voxels can't be made cubic; give it.")
    before = np.array(volume.voxel_size_nm)
    edge = float(before.min()) if edge_nm is None else float(edge_nm)
    factors = edge / before
    shape = [int((n - 1) / f + _SAME) + 1 for n, f in zip(volume.data.shape, factors, strict=True)]
    if min(shape) < 2:
        raise DataError(
            f"Of {' x '.join(map(str, volume.data.shape))} voxels of {size_text(tuple(before))} "
            f"too few would be left with edges of {edge:g} nm; take a smaller edge."
        )
    require_memory(8 * float(np.prod(shape)), "The new voxels")
    data = np.asarray(volume.data, np.float32)
    axes = [k for k in range(3) if abs(factors[k] - 1) > _SAME]
    for i, axis in enumerate(axes):
        part = progress.part(i, len(axes))
        data = _along(data, axis, float(factors[axis]), shape[axis], part)
    note(f"Voxels of {size_text(volume.pixel_size_nm or edge)} became {size_text(edge)}.")
    metadata = dict(volume.metadata)
    if "origin_px" in metadata:
        origin = zip(metadata["origin_px"], factors[1:], strict=True)
        metadata["origin_px"] = [float(o / f) for o, f in origin]
    return dataclasses.replace(volume, data=frozen(data), pixel_size_nm=edge, metadata=metadata)


def _along(
    data: np.ndarray, axis: int, factor: float, count: int, progress: Progress
) -> np.ndarray:
    """Return voxels `factor` times as long along one axis."""
    # planes that hold the axis: there is no need to interpolate across them
    across = 1 if axis == 0 else 0
    planes = np.moveaxis(data, across, 0)
    along = [a for a in range(3) if a != across].index(axis)
    matrix = [1.0, 1.0]
    matrix[along] = factor
    size = list(planes.shape[1:])
    size[along] = count
    result = np.empty((len(planes), *size), np.float32)
    for i, plane in enumerate(planes):
        if factor > 1:
            plane = ndimage.gaussian_filter1d(plane, (factor - 1) / 2, along, mode="nearest")
        ndimage.affine_transform(
            plane, matrix, order=3, mode="nearest", output=result[i], output_shape=tuple(size)
        )
        progress.report(i + 1, len(planes), "Making voxels cubic")
    return np.ascontiguousarray(np.moveaxis(result, 0, across))
