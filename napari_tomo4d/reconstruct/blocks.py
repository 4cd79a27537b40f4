"""The layout the projector works in: slices across the tilt axis, some dozens at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from napari_tomo4d.errors import DataError
from napari_tomo4d.reconstruct.kernels import BLOCKS

_LINE = 64
"""Bytes in a line of the processor's cache."""


class Blocks:
    """How volumes and images are cut into blocks of neighbouring slices.

    Parameters
    ----------
    n_slices : int
        Slices in all, along the tilt axis.
    width : int
        Pixels across the tilt axis.
    tilt_axis : {"y", "x"}
        Axis of images and volumes along which the slices follow each other.
    threads : int
        Number of blocks that can be worked on at the same time.
    size : int, optional
        Slices in a block; what takes least time if None.
    """

    def __init__(
        self, n_slices: int, width: int, tilt_axis: str, threads: int, size: int | None = None
    ) -> None:
        if size is not None and size not in BLOCKS:
            sizes = ", ".join(map(str, BLOCKS))
            raise DataError(f"There are blocks of {sizes} slices, not of {size}.")
        self.n_slices, self.width, self.tilt_axis = n_slices, width, tilt_axis
        self.size = size or _best_size(n_slices, threads)
        self.n_blocks = -(-n_slices // self.size)
        self.check: Callable[[], None] = lambda: None
        """Called now and then during long copies; may raise an exception to stop them."""

    def zeros(self, n_rows: int, n_blocks: int | None = None) -> np.ndarray:
        """Return zeros (block, row, column, slice) in the order that loads fastest.

        Rows a power of two apart would share one set of the processor's cache, and vectors
        that straddle two of its lines take twice as long to load.
        """
        shape = (n_blocks or self.n_blocks, n_rows, self.width | 1, self.size)
        memory = np.zeros(4 * math.prod(shape) + _LINE, np.uint8)
        start = -memory.ctypes.data % _LINE
        aligned = memory[start : start + 4 * math.prod(shape)].view(np.float32)
        return aligned.reshape(shape)[:, :, : self.width]

    def split(self, array: np.ndarray, shape: tuple[int, ...], what: str) -> np.ndarray:
        """Rearrange an array (row, y, x) of the given shape into blocks."""
        array = np.asarray(array)
        if array.shape != shape:
            raise DataError(f"The {what} has shape {array.shape}; this projector needs {shape}.")
        if self.tilt_axis == "y":
            array = array.transpose(0, 2, 1)
        result = self.zeros(len(array))
        for b in range(self.n_blocks):
            self.check()
            part = array[:, :, b * self.size : (b + 1) * self.size]
            result[b, :, :, : part.shape[2]] = part
        return result

    def join(self, blocks: np.ndarray) -> np.ndarray:
        """Undo `split`."""
        result = np.empty((blocks.shape[1], self.n_slices, self.width), np.float32)
        for b in range(self.n_blocks):
            self.check()
            part = result[:, b * self.size : (b + 1) * self.size]
            part[...] = blocks[b, :, :, : part.shape[1]].transpose(0, 2, 1)
        if self.tilt_axis == "x":
            result = np.ascontiguousarray(result.transpose(0, 2, 1))
        return result

    def section(self, blocks: np.ndarray) -> np.ndarray:
        """Return the section (y, x) through the middle row of all slices."""
        middle = blocks[:, blocks.shape[1] // 2].transpose(1, 0, 2)
        section = middle.reshape(self.width, -1)[:, : self.n_slices]
        return np.ascontiguousarray(section.T if self.tilt_axis == "y" else section)


def _best_size(n_slices: int, threads: int) -> int:
    """Return the size of blocks in which all slices are done soonest."""

    def time(size: int) -> float:
        n_blocks = -(-n_slices // size)
        return -(-n_blocks // threads) * size * BLOCKS[size]

    return min(BLOCKS, key=time)
