"""Slices across the tilt axis, computed in a thread while a person moves the axis."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_tomo4d.contrast import grey_levels
from napari_tomo4d.data import TiltSeries
from napari_tomo4d.gui.panels.tilt_axis.model import Point, frame_of
from napari_tomo4d.gui.work.runner import Runner
from napari_tomo4d.preprocess import bin as bin_series
from napari_tomo4d.progress import Progress
from napari_tomo4d.reconstruct.preview import SlicePreview, without_background

_WIDEST, _WIDEST_QUICK = 1024, 512
"""Wider images are binned for the slices, which are far smaller on the screen; and more so while
the axis moves."""

_QUIET_MS = 150
"""So long after the last change the slices are computed as finely as they can be."""


_TELL_EVERY_S = 0.5


@dataclass(frozen=True)
class SliceRequest:
    """What slices are to be seen.

    Parameters
    ----------
    series : TiltSeries
    points_px : tuple of (along, across)
        Which the slices go through.
    shift_px, rotation_deg : float
        The tilt axis, counted from the image centre.
    filtered : bool
        Weighted back-projection, or plain.
    thickness_px : int
    quick : bool
        Coarser slices of large images, as the axis is being moved.
    """

    series: TiltSeries
    points_px: tuple[Point, ...]
    shift_px: float
    rotation_deg: float
    filtered: bool
    thickness_px: int
    quick: bool = True

    @property
    def source(self) -> tuple[TiltSeries, bool, int]:
        """What has to be prepared once; a series is the same as itself only."""
        return self.series, self.filtered, self.thickness_px

    @property
    def factor(self) -> int:
        """By how much the images are binned."""
        across = frame_of(self.series).size[1]
        return -(-across // (_WIDEST_QUICK if self.quick else _WIDEST))

    @property
    def finer(self) -> SliceRequest | None:
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
    prepared : bool
        Whether something was prepared first, which took longer.
    """

    request: SliceRequest
    sections: np.ndarray
    shown: np.ndarray
    positions: tuple[float, ...]
    factor: int
    asked: float
    prepared: bool


@dataclass
class _Prepared:
    """What the thread keeps from one request to the next."""

    source: tuple[object, ...] = ()
    series: TiltSeries | None = None
    binned: TiltSeries | None = None
    preview: SlicePreview | None = None
    look: tuple[object, ...] = ()
    levels: list[tuple[float, float]] = field(default_factory=list)


class LiveSlices(QObject):
    """Computes slices in a thread; of requests that come meanwhile only the newest counts.

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
        self._newest: tuple[SliceRequest, float] | None = None
        self._kept: dict[int, _Prepared] = {}
        self._quiet = QTimer(self)
        self._quiet.setSingleShot(True)
        self._quiet.setInterval(_QUIET_MS)
        self._quiet.timeout.connect(self._refine)
        self._finer: SliceRequest | None = None

    @property
    def busy(self) -> bool:
        """Whether slices are being computed, or are to be computed more finely."""
        return self._runner.running or self._quiet.isActive()

    def ask(self, request: SliceRequest) -> None:
        """Compute slices as soon as those under way are done."""
        self._quiet.stop()
        self._newest = request, time.perf_counter()
        if not self._runner.running:
            self._next()

    def forget(self) -> None:
        """Drop the request, and what was kept for the next."""
        self._quiet.stop()
        self._newest = self._finer = None
        if not self._runner.running:
            self._kept = {}

    def _next(self) -> None:
        if self._newest is None:
            return
        (request, asked), self._newest = self._newest, None
        kept = self._kept
        self._runner.start(lambda progress: compute(request, kept, progress, asked))

    def _finished(self, slices: Slices, _seconds: float) -> None:
        self.ready.emit(slices)
        self._finer = slices.request.finer
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


class PaintTimer(QObject):
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
        if slices is None or slices.prepared or not slices.request.quick:
            return
        now = time.perf_counter()
        self.times_ms.append(1000 * (now - slices.asked))
        if now - self._told > _TELL_EVERY_S:
            # each text that changes makes Qt draw the window once more
            self._told = now
            self.told.emit(f"Shown in {np.median(self.times_ms[-9:]):.0f} ms")


def compute(
    request: SliceRequest, known: dict[int, _Prepared], progress: Progress, asked: float = 0.0
) -> Slices:
    """Return the slices of a request; what was prepared for an earlier one is used again."""
    f = request.factor
    kept = known.setdefault(f, _Prepared())
    prepared = kept.source != request.source or kept.series is not request.series
    series = request.series
    if prepared:
        if kept.series is not series or kept.binned is None:
            # another series is not looked at any more
            for other in [k for k, p in known.items() if p.series is not series and k != f]:
                del known[other]
            kept.binned = without_background(bin_series(series, f, progress=progress))
            kept.series = series
        kept.preview = SlicePreview(
            kept.binned, max(1, request.thickness_px // f), filtered=request.filtered
        )
        kept.source = request.source
    assert kept.preview is not None
    frame = frame_of(series)
    positions = tuple(
        frame.slice_position_px(p, request.shift_px, request.rotation_deg)
        for p in request.points_px
    )
    last = kept.preview.n_slices - 1
    sections = kept.preview.slices(
        [min(max((p - (f - 1) / 2) / f, 0), last) for p in positions],
        (request.shift_px - series.axis_shift_px) / f,
        request.rotation_deg,
    )
    look = (request.source, request.points_px)
    if kept.look != look:
        # the same grey levels while the axis moves: a sharper slice is then seen as brighter
        kept.levels = [grey_levels(s) for s in sections]
        kept.look = look
    shown = np.stack([_bytes(s, *v) for s, v in zip(sections, kept.levels, strict=True)])
    return Slices(request, sections, shown, positions, f, asked, prepared)


def _bytes(section: np.ndarray, low: float, high: float) -> np.ndarray:
    scaled = (section - low) * np.float32(255 / (high - low))
    return np.clip(scaled, 0, 255).astype(np.uint8)
