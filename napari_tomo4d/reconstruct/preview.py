"""A few slices again and again, while a person moves the tilt axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from scipy import fft

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import DataError
from napari_tomo4d.immutable import frozen
from napari_tomo4d.reconstruct.projector import Projector
from napari_tomo4d.reconstruct.wbp import angle_weights, filter_response


class SlicePreview:
    """Weighted back-projections of some slices for any position of the tilt axis.

    Parameters
    ----------
    series : TiltSeries
        One image per tilt.
    thickness : int
        Size of the slices along the beam in pixels.
    filter : str
        As in `wbp`.
    filtered : bool
        Whether to filter at all; a plain back-projection shows arcs more clearly.
    threads : int, optional
        All cores if None.
    """

    def __init__(
        self,
        series: TiltSeries,
        thickness: int,
        filter: str = "shepp-logan",
        *,
        filtered: bool = True,
        threads: int | None = None,
    ) -> None:
        self._images = series.load()
        self._angles = series.angles_deg
        self._tilt_axis = series.tilt_axis
        if self._tilt_axis == "x":
            # read-only as well, so that `_sample` is compiled once
            self._images = frozen(np.ascontiguousarray(self._images.transpose(0, 2, 1)))
        self._axis_shift = series.axis_shift_px
        self._thickness, self._threads = thickness, threads
        self._weights = angle_weights(series.angles_deg).astype(np.float32)[:, None, None]
        width = self._images.shape[2]
        self._response = filter_response(width, filter) if filtered else None
        self._volume: np.ndarray | None = None

    @property
    def n_slices(self) -> int:
        """Number of slices there are."""
        return int(self._images.shape[1])

    def slices(
        self,
        positions: Sequence[float],
        axis_shift_px: float = 0.0,
        rotation_deg: float = 0.0,
    ) -> np.ndarray:
        """Return slices for a tilt axis.

        Parameters
        ----------
        positions : sequence of float
            Where along the tilt axis, in pixels from the first row or column.
        axis_shift_px : float
            Added to the series' own axis position.
        rotation_deg : float
            Angle from the image axis `tilt_axis` to the tilt axis, positive towards the other.

        Returns
        -------
        array (slice, z, across), float32

        Raises
        ------
        DataError
            If a position lies outside the images, or there is none.
        """
        count = len(positions)
        if count < 1 or not 0 <= min(positions) <= max(positions) <= self.n_slices - 1:
            raise DataError(f"Slices have to be between 0 and {self.n_slices - 1}.")
        n_tilts, _, width = self._images.shape
        shift = self._axis_shift + axis_shift_px
        lines = np.empty((n_tilts, count, width), np.float32)
        angle = -np.deg2rad(rotation_deg)
        _sample(
            self._images,
            np.asarray(positions, np.float64),
            (width - 1) / 2 + shift,
            np.cos(angle),
            np.sin(angle),
            lines,
        )
        if self._response is not None:
            n = 2 * (len(self._response) - 1)
            spectrum = fft.rfft(lines, n, axis=2, workers=self._threads or -1)
            spectrum *= self._response
            lines = fft.irfft(spectrum, n, axis=2, workers=self._threads or -1)[..., :width]
        projector = Projector(
            (self._thickness, count, width),
            self._angles,
            axis_shift_px=shift,
            threads=self._threads,
            device="cpu",
        )
        shape = (projector.layout.n_blocks, projector.layout.size)
        if self._volume is None or (self._volume.shape[0], self._volume.shape[3]) != shape:
            # kept, as fresh memory takes longer to get than to fill
            self._volume = projector.new_volume()
        volume = self._volume
        volume[...] = 0
        images = projector.images_to_blocks(lines * self._weights)
        projector.add_backprojection(images, volume, smear=True)
        return projector.volume_from_blocks(volume).transpose(1, 0, 2)


def without_background(series: TiltSeries) -> TiltSeries:
    """Take off each image the level at its sides: slices would show that as a bright ring.

    Parameters
    ----------
    series : TiltSeries
        One image per tilt.

    Returns
    -------
    TiltSeries
        Less the median of the two outermost lines along the tilt axis, on both sides.
    """
    images = series.load()
    if series.tilt_axis == "y":
        sides = np.concatenate([images[:, :, :2], images[:, :, -2:]], axis=2)
    else:
        sides = np.concatenate([images[:, :2], images[:, -2:]], axis=1)
    level = np.median(sides, axis=(1, 2)).astype(np.float32)
    return series.replace(images=images - level[:, None, None])


@njit(nogil=True, cache=True)
def _sample(
    images: np.ndarray,
    positions: np.ndarray,
    centre: float,
    cosine: float,
    sine: float,
    lines: np.ndarray,
) -> None:
    """Interpolate images along lines across a turned axis; zero outside."""
    n_tilts, n_slices, width = images.shape
    middle = (n_slices - 1) / 2
    for k in range(len(positions)):
        along = positions[k] - middle
        for u in range(width):
            across = u - centre
            x = across * cosine - along * sine + centre
            y = across * sine + along * cosine + middle
            i, j = int(np.floor(x)), int(np.floor(y))
            f, g = np.float32(x - i), np.float32(y - j)
            for t in range(n_tilts):
                total = np.float32(0)
                for dj in range(2):
                    for di in range(2):
                        weight = (g if dj else np.float32(1) - g) * (f if di else np.float32(1) - f)
                        if weight != 0 and 0 <= i + di < width and 0 <= j + dj < n_slices:
                            total += weight * images[t, j + dj, i + di]
                lines[t, k, u] = total
