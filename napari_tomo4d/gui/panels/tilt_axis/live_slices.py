"""Slices across the tilt axis, computed in a thread while a person moves the axis."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.gui.panels.tilt_axis.axis_line import AxisFrame
from napari_tomo4d.gui.work.runner import Runner
from napari_tomo4d.preprocess import bin as bin_series
from napari_tomo4d.progress import Progress
from napari_tomo4d.reconstruct.preview import SlicePreview

_WIDEST, _WIDEST_QUICK = 1024, 512
"""Wider images are binned for the slices, which are far smaller on the screen; and more so while
the axis moves."""

_QUIET_MS = 150
"""So long after the last change the slices are computed as finely as they can be."""


_TELL_EVERY_S = 0.5


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
    quick : bool
        Coarser slices of large images, as the axis is being moved.
    """

    series: TiltSeries
    points: tuple[tuple[float, float], ...]
    shift_px: float
    rotation_deg: float
    filtered: bool
    thickness_px: int
    quick: bool = True

    @property
    def source(self) -> tuple[int, bool, int]:
        """What has to be prepared once."""
        return id(self.series), self.filtered, self.thickness_px

    @property
    def factor(self) -> int:
        """By how much the images are binned."""
        across = AxisFrame(self.series.image_shape, self.series.tilt_axis).size[1]
        return -(-across // (_WIDEST_QUICK if self.quick else _WIDEST))

    @property
    def finer(self) -> Wish | None:
        """The same slices as finely as they can be; None if they are already."""
        full = dataclasses.replace(self, quick=False)
        return full if full.factor < self.factor else None


@dataclass(frozen=True)
class Slices:
    """Slices (slice, z, across), and as bytes to be shown.

    Parameters
    ----------
    positions : tuple of float
        Where along the axis, in pixels.
    factor : int
        By how much the images were binned.
    asked : float
        When the change was made that these slices show, in seconds of `time.perf_counter`.
    fresh : bool
        Whether something was prepared first, which took longer.
    """

    wish: Wish
    sections: np.ndarray
    shown: np.ndarray
    positions: tuple[float, ...]
    factor: int
    asked: float
    fresh: bool


@dataclass
class _Prepared:
    """What the thread keeps from one wish to the next."""

    source: tuple[Any, ...] = ()
    series: TiltSeries | None = None
    binned: TiltSeries | None = None
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
        self._newest: tuple[Wish, float] | None = None
        self._kept: dict[int, _Prepared] = {}
        self._quiet = QTimer(self)
        self._quiet.setSingleShot(True)
        self._quiet.setInterval(_QUIET_MS)
        self._quiet.timeout.connect(self._refine)
        self._finer: Wish | None = None

    @property
    def busy(self) -> bool:
        """Whether slices are being computed, or are to be computed more finely."""
        return self._runner.running or self._quiet.isActive()

    @property
    def waiting(self) -> int:
        """Number of wishes that wait for those under way: none or one."""
        return int(self._newest is not None)

    def ask(self, wish: Wish) -> None:
        """Compute slices as soon as those under way are done."""
        self._quiet.stop()
        self._newest = wish, time.perf_counter()
        if not self._runner.running:
            self._next()

    def forget(self) -> None:
        """Drop the wish, and what was kept for the next."""
        self._quiet.stop()
        self._newest = self._finer = None
        if not self._runner.running:
            self._kept = {}

    def _next(self) -> None:
        if self._newest is None:
            return
        (wish, asked), self._newest = self._newest, None
        kept = self._kept
        self._runner.start(lambda progress: compute(wish, kept, progress, asked))

    def _finished(self, slices: Slices, _seconds: float) -> None:
        self.ready.emit(slices)
        self._finer = slices.wish.finer
        if self._newest is not None:
            self._next()
        elif self._finer is not None:
            self._quiet.start()

    def _refine(self) -> None:
        if self._finer is not None:
            self.ask(self._finer)

    def _failed(self, text: str) -> None:
        self.failed.emit(text)
        self._next()


class FrameClock(QObject):
    """Notices when slices have been painted, and how long that took from the change.

    Signals
    -------
    painted()
    told(str)
        How long slices take, from time to time.
    """

    painted = Signal()
    told = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.times_ms: list[float] = []
        self._slices: Slices | None = None
        self._told = 0.0
        # a timer of 0 ms comes after all that is to be painted has been painted
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._painted)

    @property
    def busy(self) -> bool:
        """Whether slices are still to be painted."""
        return self._timer.isActive()

    def shown(self, slices: Slices) -> None:
        """Take note of slices that will be painted now."""
        self._slices = slices
        self._timer.start(0)

    def _painted(self) -> None:
        slices, self._slices = self._slices, None
        self.painted.emit()
        # what had to be prepared, or is refined in a quiet moment, does not follow a hand
        if slices is None or slices.fresh or not slices.wish.quick:
            return
        now = time.perf_counter()
        self.times_ms.append(1000 * (now - slices.asked))
        if now - self._told > _TELL_EVERY_S:
            # each text that changes makes Qt draw the window once more
            self._told = now
            self.told.emit(f"Shown in {np.median(self.times_ms[-9:]):.0f} ms")


def compute(
    wish: Wish, known: dict[int, _Prepared], progress: Progress, asked: float = 0.0
) -> Slices:
    """Return the slices of a wish; what was prepared for an earlier one is used again."""
    f = wish.factor
    kept = known.setdefault(f, _Prepared())
    fresh = kept.source != wish.source or kept.series is not wish.series
    series = wish.series
    if fresh:
        if kept.series is not series or kept.binned is None:
            # another series is not looked at any more
            for other in [k for k, p in known.items() if p.series is not series and k != f]:
                del known[other]
            kept.binned = without_background(bin_series(series, f, progress=progress))
            kept.series = series
        kept.preview = SlicePreview(
            kept.binned, max(1, wish.thickness_px // f), filtered=wish.filtered
        )
        kept.source = wish.source
    assert kept.preview is not None
    frame = AxisFrame(series.image_shape, series.tilt_axis)
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
    return Slices(wish, sections, shown, positions, f, asked, fresh)


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
