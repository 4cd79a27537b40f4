"""The mean of all aligned images, to judge an alignment by."""

from __future__ import annotations

import threading

import numpy as np

from napari_tomo4d.align.comparison import shifted
from napari_tomo4d.data import TiltSeries
from napari_tomo4d.progress import Progress

_Shift = tuple[float, float]


class MeanOfAligned:
    """The mean of all aligned images, which follows changes of a few shifts quickly.

    It may be asked from several threads; one is served at a time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series: TiltSeries | None = None
        self._total: np.ndarray = np.zeros((1, 1))
        self._used: dict[int, _Shift] = {}

    def update(
        self, series: TiltSeries, shifts_px: np.ndarray, left_out: np.ndarray, progress: Progress
    ) -> np.ndarray:
        """Return the mean image (y, x), float32; what was cancelled half-way is gone on with.

        Parameters
        ----------
        series : TiltSeries
            One image per tilt.
        shifts_px : array (tilt, 2)
            (dy, dx) of each image, in pixels.
        left_out : array (tilt,), bool
            Images that do not count.
        progress : Progress

        Raises
        ------
        Cancelled
            If that was asked for.
        """
        with self._lock:
            if self._series is not series:
                self._series, self._used = series, {}
                self._total = np.zeros(series.image_shape)
            for tilt in range(len(series)):
                dy, dx = shifts_px[tilt]
                wanted = None if left_out[tilt] else (float(dy), float(dx))
                used = self._used.get(tilt)
                if used != wanted:
                    progress.report(tilt, len(series), "Adding up")
                    self._replace(series.image(tilt), tilt, used, wanted)
            return (self._total / max(1, len(self._used))).astype(np.float32)

    def _replace(
        self, image: np.ndarray, tilt: int, used: _Shift | None, wanted: _Shift | None
    ) -> None:
        if used is not None:
            self._total -= shifted(image, used)
            del self._used[tilt]
        if wanted is not None:
            self._total += shifted(image, wanted)
            self._used[tilt] = wanted
