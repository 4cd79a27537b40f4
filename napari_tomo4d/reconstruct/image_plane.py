"""Rotation and shift of the images within their plane, as a part of the operator."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from numba import njit

from napari_tomo4d.errors import DataError


class ImagePlane:
    """Interpolates projections on slices at the pixels of turned and shifted images.

    Parameters
    ----------
    rotation_deg : array (tilt,)
        Angle from the image axis along the slices to the tilt axis, positive towards the
        axis across.
    along : array (tilt,)
        What to add to each image along the slices, in pixels, to align it.
    n_slices : int
    centre : float
        Where the tilt axis is, across.
    """

    def __init__(
        self,
        rotation_deg: np.ndarray,
        along: np.ndarray,
        n_slices: int,
        centre: float,
    ) -> None:
        angles = -np.deg2rad(rotation_deg)
        self._cosines, self._sines = np.cos(angles), np.sin(angles)
        self._along = along
        self._n_slices, self._centre = n_slices, centre

    @classmethod
    def needed_for(
        cls,
        rotation_deg: float | Sequence[float] | np.ndarray,
        along: np.ndarray,
        n_slices: int,
        centre: float,
    ) -> ImagePlane | None:
        """Return the interpolation, or None where images lie on the slices as they are."""
        rotation = np.asarray(rotation_deg, dtype=np.float64)
        if rotation.shape not in ((), along.shape) or not np.isfinite(rotation).all():
            raise DataError(
                f"There are {len(along)} tilts; give one rotation for all or one finite angle each."
            )
        rotation = np.broadcast_to(rotation, along.shape)
        if not rotation.any() and not along.any():
            return None
        return cls(rotation, along, n_slices, centre)

    def of_tilts(self, tilts: np.ndarray) -> ImagePlane:
        """Return the interpolation for some of the tilts, given by index."""
        part = copy.copy(self)
        part._cosines, part._sines = self._cosines[tilts], self._sines[tilts]
        part._along = self._along[tilts]
        return part

    def turn_shifts(self, across: np.ndarray) -> np.ndarray:
        """Take over the shifts along the tilt axis, and return those left across it."""
        along = self._along
        self._along = along * self._cosines - across * self._sines
        result: np.ndarray = across * self._cosines + along * self._sines
        return result

    def turn(self, straight: np.ndarray, images: np.ndarray, tilt: int) -> None:
        """Overwrite one tilt of `images` with `straight` as the camera saw it."""
        _turn(straight, images, tilt, *self._of(tilt), False)

    def turn_back(self, images: np.ndarray, straight: np.ndarray, tilt: int) -> None:
        """Overwrite one tilt of `straight` with the transpose of `turn`."""
        straight[:, tilt] = 0
        _turn(straight, images, tilt, *self._of(tilt), True)

    def _of(self, tilt: int) -> tuple[float, float, float, float, int]:
        return (
            self._cosines[tilt],
            self._sines[tilt],
            self._along[tilt],
            self._centre,
            self._n_slices,
        )


@njit(nogil=True, cache=True)
def _turn(
    straight: np.ndarray,
    images: np.ndarray,
    t: int,
    cosine: float,
    sine: float,
    along: float,
    centre: float,
    n_slices: int,
    back: bool,
) -> None:
    """Bilinear interpolation between (u, slice) of blocks, or its transpose."""
    size, n_u = straight.shape[3], straight.shape[2]
    middle = (n_slices - 1) / 2
    for row in range(n_slices):
        for column in range(n_u):
            across, up = column - centre, row - middle
            u = across * cosine + up * sine + centre
            s = up * cosine - across * sine + middle + along
            i, j = int(np.floor(u)), int(np.floor(s))
            f, g = np.float32(u - i), np.float32(s - j)
            total = np.float32(0)
            for dj in range(2):
                k = j + dj
                if k < 0 or k >= n_slices:
                    continue
                wj = g if dj else np.float32(1) - g
                for di in range(2):
                    m = i + di
                    if m < 0 or m >= n_u:
                        continue
                    weight = wj * (f if di else np.float32(1) - f)
                    if back:
                        value = images[row // size, t, column, row % size]
                        straight[k // size, t, m, k % size] += weight * value
                    else:
                        total += weight * straight[k // size, t, m, k % size]
            if not back:
                images[row // size, t, column, row % size] = total
