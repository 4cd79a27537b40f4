"""Slices across the tilt axis, computed in a thread while a person moves the axis."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.gui.axis_overlay import AxisFrame
from napari_tomo4d.gui.runner import Runner
from napari_tomo4d.preprocess import bin as bin_series
from napari_tomo4d.progress import Progress
from napari_tomo4d.reconstruct.preview import SlicePreview

_WIDEST = 1024
"""Wider images are binned for the slices, which are far smaller on the screen."""


@dataclass(frozen=True)
class Wish:
    """What slices are to be seen.

    Parameters
    ----------
    series : TiltSeries
    points : sequence of (along, across)
        Which the slices go through, in pixels.
    shift_px, rotation_deg : float
        The tilt axis, counted from the image centre.
    filtered : bool
        Weighted back-projection, or plain.
    thickness_px : int
    """

    series: TiltSeries
    points: tuple[tuple[float, float], ...]
    shift_px: float
    rotation_deg: float
    filtered: bool
    thickness_px: int

    @property
    def source(self) -> tuple[int, bool, int]:
        """What has to be prepared once."""
        return id(self.series), self.filtered, self.thickness_px


@dataclass(frozen=True)
class Slices:
    """Slices (slice, z, across), and as bytes to be shown.

    Parameters
    ----------
    positions : tuple of float
        Where along the axis, in pixels.
    fresh : bool
        Whether something was prepared first, which took longer.
    """

    wish: Wish
    sections: np.ndarray
    shown: np.ndarray
    positions: tuple[float, ...]
    factor: int
    began: float
    fresh: bool


@dataclass
class _Prepared:
    """What the thread keeps from one wish to the next."""

    source: tuple[Any, ...] = ()
    series: TiltSeries | None = None
    binned: TiltSeries | None = None
    factor: int = 1
    preview: SlicePreview | None = None
    look: tuple[Any, ...] = ()
    levels: list[tuple[float, float]] = field(default_factory=list)


class LiveSlices(QObject):
    """Computes slices in a thread; of wishes that come meanwhile only the newest counts.

    Signals
    -------
    ready(Slices)
    failed(str)
    """

    ready = Signal(object)
    failed = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._runner = Runner(self)
        self._runner.finished.connect(self._finished)
        self._runner.failed.connect(self._failed)
        self._newest: Wish | None = None
        self._kept = _Prepared()

    @property
    def busy(self) -> bool:
        """Whether slices are being computed."""
        return self._runner.running

    def ask(self, wish: Wish) -> None:
        """Compute slices as soon as those under way are done."""
        self._newest = wish
        if not self._runner.running:
            self._next()

    def forget(self) -> None:
        """Drop the wish, and what was kept for the next."""
        self._newest = None
        if not self._runner.running:
            self._kept = _Prepared()

    def _next(self) -> None:
        wish, self._newest = self._newest, None
        if wish is not None:
            kept = self._kept
            self._runner.start(lambda progress: compute(wish, kept, progress))

    def _finished(self, slices: Slices, _seconds: float) -> None:
        self.ready.emit(slices)
        self._next()

    def _failed(self, text: str) -> None:
        self.failed.emit(text)
        self._next()


def compute(wish: Wish, kept: _Prepared, progress: Progress) -> Slices:
    """Return the slices of a wish; what was prepared for an earlier one is used again."""
    began = time.perf_counter()
    fresh = kept.source != wish.source or kept.series is not wish.series
    series = wish.series
    if fresh:
        if kept.series is not series or kept.binned is None:
            across = AxisFrame(series.image_shape, series.tilt_axis).size[1]
            kept.factor = -(-across // _WIDEST)
            kept.binned = without_background(bin_series(series, kept.factor, progress=progress))
            kept.series = series
        kept.preview = SlicePreview(
            kept.binned, max(1, wish.thickness_px // kept.factor), filtered=wish.filtered
        )
        kept.source = wish.source
    assert kept.preview is not None
    frame, f = AxisFrame(series.image_shape, series.tilt_axis), kept.factor
    positions = tuple(frame.position(p, wish.shift_px, wish.rotation_deg) for p in wish.points)
    last = kept.preview.n_slices - 1
    sections = kept.preview.slices(
        [min(max((p - (f - 1) / 2) / f, 0), last) for p in positions],
        (wish.shift_px - series.axis_shift_px) / f,
        wish.rotation_deg,
    )
    look = (wish.source, wish.points)
    if kept.look != look:
        # the same grey levels while the axis moves: a sharper slice is then seen as brighter
        kept.levels = [_levels(s) for s in sections]
        kept.look = look
    shown = np.stack([_bytes(s, *v) for s, v in zip(sections, kept.levels, strict=True)])
    return Slices(wish, sections, shown, positions, f, began, fresh)


def without_background(series: TiltSeries) -> TiltSeries:
    """Take off each image what it has at its sides: slices would show that as a bright ring."""
    images = series.load()
    if series.tilt_axis == "y":
        sides = np.concatenate([images[:, :, :2], images[:, :, -2:]], axis=2)
    else:
        sides = np.concatenate([images[:, :2], images[:, -2:]], axis=1)
    level = np.median(sides, axis=(1, 2)).astype(np.float32)
    return series.replace(images=images - level[:, None, None])


def _levels(section: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(section, (0.5, 99.9))
    return float(low), float(high) if high > low else float(low) + 1


def _bytes(section: np.ndarray, low: float, high: float) -> np.ndarray:
    scaled = (section - low) * np.float32(255 / (high - low))
    return np.clip(scaled, 0, 255).astype(np.uint8)
