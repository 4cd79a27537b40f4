"""The projection operator of a tilt series and its transpose."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from napari_tomo4d.errors import DataError
from napari_tomo4d.progress import Progress
from napari_tomo4d.reconstruct.kernels import BLOCKS, kernels


class Projector:
    """Line integrals through a volume at given tilts, and their exact transpose.

    Voxel ``(z, x)`` lands at ``u = (x - cx) cos t + (z - cz) sin t + cu`` on the detector,
    with ``c = (n - 1) / 2``; the axis shift is added to `cx` and `cu`, so that the image
    at 0 degrees and the volume keep the same coordinates.

    Parameters
    ----------
    volume_shape : tuple (z, y, x)
        Size of the volume in voxels.
    angles_deg : sequence of float
        Tilt angles in degrees.
    tilt_axis : {"y", "x"}
        Axis of the images and of the volume which the tilt axis is parallel to.
    axis_shift_px : float
        Position of the tilt axis relative to the image centre.
    shifts_px : sequence of float, optional
        Extra position of each image across the axis, in pixels.
    threads : int, optional
        Number of threads; all cores if None.

    Notes
    -----
    Rays are integrated by Joseph's method (Joseph 1982, IEEE Trans. Med. Imaging 1, 192),
    in units of the pixel: a voxel of value 1 contributes 1 to the total of every image.
    """

    def __init__(
        self,
        volume_shape: tuple[int, int, int],
        angles_deg: Sequence[float] | np.ndarray,
        *,
        tilt_axis: str = "y",
        axis_shift_px: float = 0.0,
        shifts_px: Sequence[float] | np.ndarray | None = None,
        threads: int | None = None,
    ) -> None:
        if len(volume_shape) != 3 or min(volume_shape) < 1:
            raise DataError(f"The volume shape {tuple(volume_shape)} is not (z, y, x).")
        if tilt_axis not in ("y", "x"):
            raise DataError(f"tilt_axis is {tilt_axis!r}; it has to be 'y' or 'x'.")
        self.volume_shape: tuple[int, int, int] = tuple(map(int, volume_shape))  # type: ignore
        self.angles_deg = np.array(angles_deg, dtype=np.float64)
        if self.angles_deg.ndim != 1 or not np.isfinite(self.angles_deg).all():
            raise DataError("The tilt angles have to be a list of finite numbers in degrees.")
        shifts = np.zeros(len(self.angles_deg)) if shifts_px is None else np.asarray(shifts_px)
        if shifts.shape != self.angles_deg.shape:
            raise DataError(f"There are {len(self.angles_deg)} tilts but {shifts.size} shifts.")
        self.tilt_axis = tilt_axis
        self.axis_shift_px = float(axis_shift_px)
        self.threads = threads or os.cpu_count() or 1

        n_z, n_y, n_x = self.volume_shape
        self.n_slices, self.width = (n_y, n_x) if tilt_axis == "y" else (n_x, n_y)
        self.thickness = n_z
        self.block = _best_block(self.n_slices, self.threads)
        self.n_blocks = -(-self.n_slices // self.block)
        centre = (self.width - 1) / 2 + self.axis_shift_px
        radians = np.deg2rad(self.angles_deg)
        self._cosines, self._sines = np.cos(radians), np.sin(radians)
        self._lengths = 1 / np.maximum(np.abs(self._cosines), np.abs(self._sines))
        self._centres = ((n_z - 1) / 2, centre, centre + shifts.astype(np.float64))
        self._project, self._backproject = kernels(self.block)

    @property
    def images_shape(self) -> tuple[int, int, int]:
        """Shape (tilt, y, x) of the projections."""
        return (len(self.angles_deg), *self.volume_shape[1:])

    # -- arrays as everyone else sees them ------------------------------------------------

    def forward(self, volume: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Project a volume.

        Parameters
        ----------
        volume : array (z, y, x)
        progress : Progress, optional

        Returns
        -------
        array (tilt, y, x), float32
            Line integrals in units of value x pixel.
        """
        source, target = self.volume_to_blocks(volume), self.new_images()
        self.each_block(lambda b: self.project_block(source[b], target[b]), progress)
        return self._from_blocks(target)

    def backward(self, images: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Apply the transpose of `forward` to images (tilt, y, x)."""
        source, target = self.images_to_blocks(images), self.new_volume()
        self.each_block(lambda b: self.backproject_block(source[b], target[b]), progress)
        return self._from_blocks(target)

    # -- blocks of slices, the layout in which iterative algorithms work -------------------

    def volume_to_blocks(self, volume: np.ndarray) -> np.ndarray:
        """Rearrange a volume (z, y, x) into blocks (block, z, x, slice)."""
        return self._to_blocks(volume, self.volume_shape, "volume")

    def images_to_blocks(self, images: np.ndarray) -> np.ndarray:
        """Rearrange images (tilt, y, x) into blocks (block, tilt, u, slice)."""
        return self._to_blocks(images, self.images_shape, "stack of images")

    def _to_blocks(self, array: np.ndarray, shape: tuple[int, ...], what: str) -> np.ndarray:
        array = np.asarray(array)
        if array.shape != shape:
            raise DataError(f"The {what} has shape {array.shape}; this projector needs {shape}.")
        if self.tilt_axis == "y":
            array = array.transpose(0, 2, 1)
        result = _padded(self.n_blocks, *array.shape[:2], self.block)
        for b in range(self.n_blocks):
            part = array[:, :, b * self.block : (b + 1) * self.block]
            result[b, :, :, : part.shape[2]] = part
        return result

    def volume_from_blocks(self, blocks: np.ndarray) -> np.ndarray:
        """Undo `volume_to_blocks`."""
        return self._from_blocks(blocks)

    def _from_blocks(self, blocks: np.ndarray) -> np.ndarray:
        shape = (blocks.shape[1], self.n_slices, self.width)
        result = np.empty(shape, np.float32)
        for b in range(self.n_blocks):
            part = result[:, b * self.block : (b + 1) * self.block]
            part[...] = blocks[b, :, :, : part.shape[1]].transpose(0, 2, 1)
        if self.tilt_axis == "x":
            result = np.ascontiguousarray(result.transpose(0, 2, 1))
        return result

    def section_from_blocks(self, blocks: np.ndarray) -> np.ndarray:
        """Return the section (y, x) through the middle of volume blocks, across the beam."""
        middle = blocks[:, self.thickness // 2].transpose(1, 0, 2)
        section = middle.reshape(self.width, -1)[:, : self.n_slices]
        return np.ascontiguousarray(section.T if self.tilt_axis == "y" else section)

    def new_volume(self) -> np.ndarray:
        """Return zero volume blocks (block, z, x, slice)."""
        return _padded(self.n_blocks, self.thickness, self.width, self.block)

    def new_images(self) -> np.ndarray:
        """Return zero image blocks (block, tilt, u, slice)."""
        return _padded(self.n_blocks, len(self.angles_deg), self.width, self.block)

    def new_volume_block(self) -> np.ndarray:
        """Return one zero volume block (z, x, slice)."""
        return _padded(1, self.thickness, self.width, self.block)[0]

    def each_block(self, work: Callable[[int], None], progress: Progress | None = None) -> None:
        """Call `work` with the number of every block, on all threads.

        Blocks are independent of each other, so a worker may change its own block freely.
        """

        def checked(b: int) -> None:
            if progress is not None:
                progress.check()
            work(b)

        if self.threads == 1 or self.n_blocks == 1:
            for b in range(self.n_blocks):
                checked(b)
            return
        with ThreadPoolExecutor(min(self.threads, self.n_blocks)) as pool:
            for _ in pool.map(checked, range(self.n_blocks)):
                pass

    def project_block(self, volume: np.ndarray, images: np.ndarray) -> None:
        """Overwrite one image block (tilt, u, slice) with the projection of a volume block."""
        images[...] = 0
        self._project(volume, images, self._cosines, self._sines, *self._centres)

    def backproject_block(self, images: np.ndarray, volume: np.ndarray) -> None:
        """Overwrite one volume block (z, x, slice) with the transpose of `project_block`."""
        volume[...] = 0
        self._backproject(images, volume, self._cosines, self._sines, self._lengths, *self._centres)

    def smear_block(self, images: np.ndarray, volume: np.ndarray) -> None:
        """Overwrite one volume block with images interpolated where its voxels project to.

        Nearly `backproject_block`, without its ripple: for filtered back-projection.
        """
        volume[...] = 0
        ones = np.ones_like(self._lengths)
        self._backproject(images, volume, self._cosines, self._sines, ones, *self._centres)

    # -- weights that SIRT and its relatives need ------------------------------------------

    def ray_lengths(self) -> np.ndarray:
        """Return the length in pixels of each ray inside the volume, (tilt, u)."""
        volume, images = self.new_volume_block(), self.new_images()[0]
        volume[...] = 1
        self.project_block(volume, images)
        return images[:, :, 0].copy()

    def voxel_weights(self) -> np.ndarray:
        """Return the summed weight of all rays through each voxel, (z, x)."""
        volume, images = self.new_volume_block(), self.new_images()[0]
        images[...] = 1
        self.backproject_block(images, volume)
        return volume[:, :, 0].copy()


def _best_block(n_slices: int, threads: int) -> int:
    """Return the size of blocks in which all slices are done soonest."""

    def time(block: int) -> float:
        n_blocks = -(-n_slices // block)
        return -(-n_blocks // threads) * block * BLOCKS[block]

    return min(BLOCKS, key=time)


def _padded(n_blocks: int, n_rows: int, n_columns: int, block: int) -> np.ndarray:
    """Return zeros (block, row, column, slice) whose rows are an odd number of columns apart.

    Rows a power of two apart would share one set of the processor's cache.
    """
    return np.zeros((n_blocks, n_rows, n_columns | 1, block), np.float32)[:, :, :n_columns]
