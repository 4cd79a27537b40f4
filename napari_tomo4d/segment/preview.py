"""A mask tried on one slice, as the steps will make it of the whole volume."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_tomo4d.data import AnyVolume, Labels, Volume, times_of
from napari_tomo4d.errors import DataError
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.progress import Progress
from napari_tomo4d.segment.classifier import PixelClassifier
from napari_tomo4d.segment.levels import as_arrays, plateaus, smoothed
from napari_tomo4d.segment.morphology import smoothed_mask
from napari_tomo4d.segment.threshold_methods import THRESHOLDS
from napari_tomo4d.segment.thresholds import (
    apply_levels,
    blur_for,
    find_levels,
    threshold_noise,
)

THRESHOLD, CLASSIFY = "segment.threshold_volumes", "segment.classify_voxels"
CLEAN = "segment.clean_mask"
"""The steps that make a mask."""
RESAMPLE = "segment.resample"
"""The step that makes voxels cubic."""
CLASSIFIER = "classifier"
"""The method that is no threshold."""

_BINS = 256
_MOST_IN_HISTOGRAM = 2_000_000


@dataclass(frozen=True)
class MaskSettings:
    """All that decides what a mask will be.

    Parameters
    ----------
    method : str
        One of `THRESHOLDS`, or ``"classifier"``.
    level, seed_level : float, optional
        For the methods by hand, in grey values.
    classes : int
        For multi-Otsu, with the background.
    smoothing_px : float, optional
        Standard deviation of the blur in voxels; by default as little as the noise allows.
    one_level : bool
        Whether all times share blur and levels.
    cleaning : dict, optional
        Parameters of the step *Clean the mask*; None leaves it out.
    classifier : str
        File of the classifier.
    """

    method: str
    level: float | None = None
    seed_level: float | None = None
    classes: int = 3
    smoothing_px: float | None = None
    one_level: bool = True
    cleaning: Parameters | None = field(default_factory=dict)
    classifier: str = ""

    @property
    def by_hand(self) -> bool:
        """Whether a person says what particles are, by levels or by strokes."""
        return self.method == CLASSIFIER or THRESHOLDS[self.method].by_hand

    def steps(self) -> list[tuple[str, Parameters]]:
        """Return names and parameters of the steps that make the mask."""
        if self.method == CLASSIFIER:
            first: tuple[str, Parameters] = (CLASSIFY, {"classifier": self.classifier})
        else:
            uses = THRESHOLDS[self.method].uses
            first = (
                THRESHOLD,
                {
                    "method": self.method,
                    "level": self.level if "level" in uses else None,
                    "seed_level": self.seed_level if "seed_level" in uses else None,
                    "classes": self.classes,
                    "smoothing_px": self.smoothing_px,
                    "one_level": self.one_level,
                },
            )
        return [first] if self.cleaning is None else [first, (CLEAN, self.cleaning)]


@dataclass(frozen=True, eq=False)
class GreyLevels:
    """What the grey values of volumes say.

    Parameters
    ----------
    levels : tuple of float
        The rising thresholds that the method finds; half density for methods by hand and for
        the classifier.
    smoothing_px : float
        Standard deviation in voxels of the blur that comes first.
    counts, edges : array (bin,), array (bin + 1,)
        Histogram after the blur.
    enough : bool
        Whether the blur is enough for the noise.
    """

    levels: tuple[float, ...]
    smoothing_px: float
    counts: np.ndarray
    edges: np.ndarray
    enough: bool = True


class MaskPreview:
    """Levels of volumes, and masks of single slices of them.

    What was found last is kept, so that another slice or another level is quick.

    Parameters
    ----------
    volumes : Volume or TimeSeries of Volume
        Particles brighter than the background.
    """

    def __init__(self, volumes: AnyVolume) -> None:
        self.volumes: tuple[Volume, ...] = times_of(volumes)
        self._found: tuple[Any, GreyLevels] | None = None
        self._blurred: tuple[Any, np.ndarray] | None = None

    def known(self, settings: MaskSettings, time: int) -> GreyLevels | None:
        """Return what `levels` would return, if that is at hand; else None."""
        found = self._found
        key = self._key(settings, time)
        return found[1] if found is not None and found[0] == key else None

    def levels(
        self, settings: MaskSettings, time: int = 0, progress: Progress | None = None
    ) -> GreyLevels:
        """Find blur, levels and histogram as the step *Threshold* finds them.

        Parameters
        ----------
        settings : MaskSettings
        time : int
            Of which time point, where each has its own.
        progress : Progress, optional
            Its preview is what `histogram` returns.

        Raises
        ------
        DataError
            If all voxels of a volume are equal, or the method finds no level.
        """
        known = self.known(settings, time)
        if known is not None:
            return known
        key = self._key(settings, time)
        progress = progress or Progress()
        progress.report(0, 1, "Counting grey values", lambda: self.histogram(time))
        volumes = self.volumes if key[0] < 0 else (self.volumes[time],)
        arrays = as_arrays(volumes)
        smoothing_px, enough = blur_for(arrays, settings.smoothing_px, volumes[0].sampling)
        progress.check()
        arrays = [
            smoothed(a, smoothing_px, v.sampling) for a, v in zip(arrays, volumes, strict=True)
        ]
        progress.check()
        if settings.by_hand:
            levels = [plateaus(arrays).middle]
        else:
            levels = find_levels(arrays, settings.method, classes=settings.classes)
        progress.check()
        counts, edges = _histogram(arrays)
        found = GreyLevels(tuple(levels), float(smoothing_px), counts, edges, enough)
        self._found = key, found
        return found

    def histogram(self, time: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Return counts (bin,) and edges (bin + 1,) of the grey values of one time, at once.

        Before any blur, of a sample of the voxels.
        """
        return _histogram([np.asarray(self.volumes[time].data, np.float32)])

    def slice(
        self,
        settings: MaskSettings,
        axis: int,
        index: int,
        time: int = 0,
        classifier: PixelClassifier | None = None,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """Return the mask of one slice, as it is in the mask of the whole volume.

        Parameters
        ----------
        settings : MaskSettings
        axis, index : int
            Across which axis (0, 1 or 2 for z, y or x), and where.
        time : int
            Of which time point.
        classifier : PixelClassifier, optional
            For that method, in place of the file.
        progress : Progress, optional

        Returns
        -------
        int32 array, two-dimensional
            As the steps give it, but for *Clean the mask*: holes and small pieces stay as they
            are, since only the whole volume tells what they are.

        Raises
        ------
        DataError
            If there is no classifier, or as `levels`.
        ParameterError
            If the method needs levels that are not given, or not in order.
        """
        progress = progress or Progress()
        volume, cleaning = self.volumes[time], settings.cleaning or {}
        opening, closing = cleaning.get("opening_px", 0), cleaning.get("closing_px", 0)
        margin = int(np.ceil(2 * (opening + closing) / volume.sampling[axis])) + 1
        box, middle = _slab(volume.data.shape, axis, index, margin)
        if settings.method == CLASSIFIER:
            if classifier is None:
                raise DataError(
                    "There is no classifier yet: paint strokes and train it, or load one."
                )
            mask = classifier.predict(volume, within=box, progress=progress).data
        else:
            mask = self._thresholded(settings, time, axis, index, margin, progress)
        if settings.cleaning is not None:
            mask = smoothed_mask(mask > 0, opening, closing, volume.sampling)
            mask = mask.astype(np.int32)
        return np.asarray(mask.take(middle, axis))

    def _key(self, settings: MaskSettings, time: int) -> tuple[Any, ...]:
        together = settings.one_level or settings.method == CLASSIFIER
        by_hand = settings.by_hand
        return (
            -1 if together else time,
            "" if by_hand else settings.method,
            0 if by_hand else settings.classes,
            settings.smoothing_px,
        )

    def _thresholded(
        self,
        settings: MaskSettings,
        time: int,
        axis: int,
        index: int,
        margin: int,
        progress: Progress,
    ) -> np.ndarray:
        """Return the mask of the slices around one."""
        found, method = self.levels(settings, time, progress), settings.method
        levels: tuple[float, ...] = found.levels
        if settings.by_hand:
            levels = tuple(find_levels([], method, settings.level, settings.seed_level))
        volume, blur = self.volumes[time], found.smoothing_px
        data = volume.data
        box, _ = _slab(data.shape, axis, index, margin)
        if not THRESHOLDS[method].local:
            # seeds may be anywhere in the volume
            return apply_levels(self._whole(time, blur), method, levels)[box]
        reach = int(np.ceil(4 * blur / volume.sampling[axis])) + 1
        wide, _ = _slab(data.shape, axis, index, margin + reach)
        part = smoothed(np.asarray(data[wide], np.float32), blur, volume.sampling)
        first = box[axis].start - wide[axis].start
        keep = [slice(None)] * 3
        keep[axis] = slice(first, first + box[axis].stop - box[axis].start)
        return apply_levels(part[tuple(keep)], method, levels)

    def _whole(self, time: int, smoothing_px: float) -> np.ndarray:
        known, key = self._blurred, (time, smoothing_px)
        if known is None or known[0] != key:
            volume = self.volumes[time]
            array = smoothed(np.asarray(volume.data, np.float32), smoothing_px, volume.sampling)
            self._blurred = known = (key, array)
        return known[1]


def noise_change(volume: Volume, mask: Labels, level: float) -> tuple[float, float]:
    """Return by which fraction particles shrink and grow within the noise of the threshold.

    Parameters
    ----------
    volume : Volume
        What was thresholded.
    mask : Labels
        Its particles; the blur noted with it is applied first.
    level : float
        The threshold, in grey values.

    Returns
    -------
    least, most : float
        -0.02 and 0.03 for 2 % less and 3 % more volume.

    Raises
    ------
    DataError
        If shapes differ, or the mask is empty or full.
    """
    low, high = threshold_noise(volume, mask, level)
    blur = float(mask.metadata.get("smoothing_px", 0) or 0)
    data = smoothed(np.asarray(volume.data, np.float32), blur, volume.sampling)
    whole = np.count_nonzero(data > level)
    if not whole:
        return 0.0, 0.0
    return (
        np.count_nonzero(data > high) / whole - 1,
        np.count_nonzero(data > low) / whole - 1,
    )


def _slab(
    shape: tuple[int, ...], axis: int, index: int, margin: int
) -> tuple[tuple[slice, slice, slice], int]:
    """Return where the slices around one are, and which of them it is."""
    start = max(index - margin, 0)
    box = [slice(0, n) for n in shape]
    box[axis] = slice(start, min(index + margin + 1, shape[axis]))
    return (box[0], box[1], box[2]), index - start


def _histogram(arrays: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return counts and edges of the grey values of a sample of all voxels."""
    thin = []
    for a in arrays:
        step = int(np.ceil((a.size * len(arrays) / _MOST_IN_HISTOGRAM) ** (1 / 3)))
        thin.append(a[::step, ::step, ::step].ravel())
    counts, edges = np.histogram(np.concatenate(thin), _BINS)
    return counts, edges
