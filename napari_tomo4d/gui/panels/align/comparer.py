"""Makes pictures to judge an alignment by, in the background; the latest wish counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_tomo4d.align.comparison import ImagePair, compare_images, neighbour
from napari_tomo4d.align.mean_of_aligned import MeanOfAligned
from napari_tomo4d.data import TiltSeries
from napari_tomo4d.gui.panels.align.model import Place, Shifts
from napari_tomo4d.gui.work.runner import Runner
from napari_tomo4d.progress import Progress


@dataclass(frozen=True, eq=False)
class Wish:
    """What is to be compared.

    Parameters
    ----------
    series : TiltSeries
        Of one time point.
    shifts : Shifts
    place : (time, tilt)
    mean : bool
        The mean of all images instead of two of them.
    """

    series: TiltSeries
    shifts: Shifts
    place: Place
    mean: bool

    def same_picture(self, other: Wish | None) -> bool:
        """Whether another wish leads to the same picture."""
        return (
            other is not None
            and self.series is other.series
            and self.shifts is other.shifts
            and self.mean == other.mean
            and (self.mean or self.place == other.place)
        )


@dataclass(frozen=True, eq=False)
class Picture:
    """What came of a wish: two images, or the mean (y, x) of all."""

    wish: Wish
    pair: ImagePair | None = None
    mean: np.ndarray | None = None


class Comparer(QObject):
    """Makes one picture at a time.

    Signals
    -------
    made(Picture)
    failed(message)
    """

    made = Signal(object)
    failed = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._runner = Runner(self)
        self._runner.finished.connect(self._arrived)
        self._runner.failed.connect(self._failed)
        self._mean = MeanOfAligned()
        self._wish: Wish | None = None
        self._made: Wish | None = None
        self._late = False

    @property
    def busy(self) -> bool:
        """Whether the picture that was wished for has not come yet."""
        return self._runner.running or self._late

    def want(self, wish: Wish) -> None:
        """Make a picture, once the one under way is ready."""
        before, self._wish = self._wish, wish
        another = before is not None and before.series is not wish.series
        if another or (before is not None and before.mean and not wish.mean):
            # a mean of many images takes time, and is not wanted any more
            self._runner.drop()
        self._start()

    def forget(self) -> None:
        """Stop, and keep no image."""
        self._runner.drop()
        self._wish = self._made = None
        self._late = False
        self._mean = MeanOfAligned()

    def _start(self) -> None:
        wish = self._wish
        self._late = wish is not None and self._runner.running
        if wish is None or self._late or wish.same_picture(self._made):
            return
        mean = self._mean

        def make(progress: Progress) -> Picture:
            series, shifts, (time, tilt) = wish.series, wish.shifts, wish.place
            if wish.mean:
                left_out = shifts.left_out_mask(time)
                image = mean.update(series, shifts.at(time), left_out, progress)
                return Picture(wish, mean=image)
            other = neighbour(series.angles_deg, shifts.unreliable(time), tilt)
            return Picture(wish, compare_images(series, shifts.at(time), (tilt, other), progress))

        self._runner.start(make)

    def _arrived(self, picture: Picture, _seconds: float) -> None:
        self._made = picture.wish
        self.made.emit(picture)
        if self._late:
            self._start()

    def _failed(self, message: str) -> None:
        self.failed.emit(message)
        if self._late:
            self._start()
