"""The mean of all aligned images, to judge an alignment by."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from napari_tomo4d.align.comparison import shifted
from napari_tomo4d.data import TiltSeries
from napari_tomo4d.gui.panels.align.model import State
from napari_tomo4d.progress import Progress


class SumOfAligned:
    """The mean of all aligned images, which follows changes of a few shifts quickly."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series: TiltSeries | None = None
        self._total: np.ndarray = np.zeros((1, 1))
        self._used: dict[int, tuple[float, float]] = {}

    def update(self, series: TiltSeries, state: State, time: int, progress: Progress) -> np.ndarray:
        """Return the mean image; what was cancelled half-way is gone on with."""
        shifts, gone = state.shifts_px[state.time(time)], state.gone(time)
        with self._lock:
            if self._series is not series:
                self._series, self._used = series, {}
                self._total = np.zeros(series.image_shape)
            for tilt in range(len(series)):
                wanted = None if gone[tilt] else tuple(map(float, shifts[tilt]))
                used = self._used.get(tilt)
                if used != wanted:
                    progress.report(tilt, len(series), "Adding up")
                    self._replace(series.image(tilt), tilt, used, wanted)
            return (self._total / max(1, len(self._used))).astype(np.float32)

    def _replace(self, image: np.ndarray, tilt: int, used: Any, wanted: Any) -> None:
        if used is not None:
            self._total -= shifted(image, used)
            del self._used[tilt]
        if wanted is not None:
            self._total += shifted(image, wanted)
            self._used[tilt] = wanted
