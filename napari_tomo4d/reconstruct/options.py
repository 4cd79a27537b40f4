"""What every method of reconstruction can be told, described once.

A method takes ``**options: Unpack[Options]``; their defaults are those of `Conditions`, and the
step's decorator shows them as keyword arguments like all others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from napari_tomo4d.data import Labels, TiltSeries, Volume
from napari_tomo4d.errors import DataError
from napari_tomo4d.progress import Progress
from napari_tomo4d.reconstruct.parameters import (
    AxisShift,
    Maximum,
    MinImprovement,
    NonNegative,
    Thickness,
)
from napari_tomo4d.tilts import of_tilts

Support = Volume | Labels | np.ndarray
TiltWeights = Sequence[float] | np.ndarray


class SharedOptions(TypedDict, total=False):
    """What a method can be told of a series, or of all times together.

    Attributes
    ----------
    thickness : int, optional
        Volume size along the beam in pixels; the width of the images if None.
    axis_shift_px : float
        Added to the series' own axis position.
    support : Volume, Labels or array (z, y, x), optional
        Density is zero where this is zero; that part is not computed.
    progress : Progress, optional
        May be asked to cancel, or to finish now with the volume so far.
    """

    thickness: Thickness
    axis_shift_px: AxisShift
    support: Support | None
    progress: Progress | None


class Options(SharedOptions, total=False):
    """What every method can be told of one series.

    Attributes
    ----------
    tilt_weights : sequence of float (tilt,), optional
        How much each tilt counts; a tilt of weight 0 is left out.
    """

    tilt_weights: TiltWeights | None


class IterativeOptions(Options, total=False):
    """What every iterative method can be told.

    Attributes
    ----------
    min_improvement : float
        Stop rule on the decrease of the relative residual per iteration; 0 for none.
    initial : Volume, optional
        Start from this volume instead of zero; same shape as the result.
    """

    min_improvement: MinImprovement
    initial: Volume | None


class LimitedOptions(IterativeOptions, total=False):
    """What an iterative method can be told that keeps density within limits.

    Attributes
    ----------
    non_negative : bool
        Set negative density to zero after each iteration.
    maximum : float, optional
        Upper limit of density.
    """

    non_negative: NonNegative
    maximum: Maximum


@dataclass(frozen=True, eq=False)
class Conditions:
    """What a reconstruction has to keep to, whatever its method: the options and their defaults.

    Parameters
    ----------
    thickness, axis_shift_px, non_negative, maximum, min_improvement
    initial, support, tilt_weights, progress
        As in the options above.
    """

    thickness: int | None = None
    axis_shift_px: float = 0.0
    non_negative: bool = True
    maximum: float | None = None
    min_improvement: float = 0.0
    initial: Volume | None = None
    support: Support | None = None
    tilt_weights: TiltWeights | None = None
    progress: Progress | None = None

    def in_use(self, series: TiltSeries) -> tuple[TiltSeries, Conditions]:
        """Return the series without the tilts of weight 0, and the conditions of what is left.

        Nothing of the others then counts: neither their images in what is found from images,
        nor the angle that they would stand for.

        Raises
        ------
        DataError
            If there is not one finite weight of 0 or more for each tilt, or all are 0.
        """
        if self.tilt_weights is None:
            return series, self
        weights = np.asarray(self.tilt_weights, dtype=np.float32)
        if weights.shape != (len(series),):
            raise DataError(
                f"There are {len(series)} tilts but {weights.size} weights; give one each."
            )
        if not np.isfinite(weights).all() or weights.min() < 0 or weights.max() == 0:
            raise DataError("Weights of tilts have to be 0 or more, and not all 0.")
        keep = weights > 0
        if not keep.all():
            series = of_tilts(series, keep)
        return series, dataclasses.replace(self, tilt_weights=weights[keep])

    def for_trial(self) -> Conditions:
        """Return the conditions of a trial on some slices: as quiet, and from nothing."""
        progress = None if self.progress is None else self.progress.silent()
        return dataclasses.replace(self, initial=None, support=None, progress=progress)
