"""Thresholds as they are looked for, tried on one slice and run; without any window."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from skimage.filters import apply_hysteresis_threshold

from napari_tomo4d.data import Labels, TimeSeries, Volume
from napari_tomo4d.errors import DataError, ParameterError
from napari_tomo4d.pipeline import run_steps
from napari_tomo4d.progress import Progress
from napari_tomo4d.segment import PixelClassifier, clean_mask, threshold_noise
from napari_tomo4d.segment.features import features, halo
from napari_tomo4d.segment.levels import (
    as_arrays,
    least_smoothing,
    multi_otsu_levels,
    otsu_level,
    plateaus,
    smoothed,
)

THRESHOLD, CLASSIFY, CLEAN = (
    "segment.threshold_volumes",
    "segment.classify_voxels",
    "segment.clean_mask",
)
HALF, OTSU, MULTI, LEVEL, HYSTERESIS = "half-density", "otsu", "multi-otsu", "level", "hysteresis"
CLASSIFIER = "classifier"
METHODS = {
    HALF: "Half density",
    OTSU: "Otsu",
    MULTI: "Multi-Otsu",
    LEVEL: "Level by hand",
    HYSTERESIS: "Hysteresis",
    CLASSIFIER: "Classifier (brush strokes)",
}
"""How a mask is made, and what a person calls it."""

BY_HAND = (LEVEL, HYSTERESIS)

_BINS = 256
_MOST_IN_HISTOGRAM = 2_000_000
_REACH_PX = 16
"""How far from the slice seeds of a hysteresis are looked for in the preview."""


@dataclass(frozen=True)
class Settings:
    """All that decides what the mask will be.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    level, seed_level : float, optional
        For the methods by hand, in grey values.
    classes : int
    smoothing_px : float, optional
    one_level : bool
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
    cleaning: dict[str, Any] | None = field(default_factory=dict)
    classifier: str = ""

    def steps(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the steps that make the mask."""
        if self.method == CLASSIFIER:
            first: tuple[str, dict[str, Any]] = (CLASSIFY, {"classifier": self.classifier})
        else:
            by_hand = self.method in BY_HAND
            first = (
                THRESHOLD,
                {
                    "method": self.method,
                    "level": self.level if by_hand else None,
                    "seed_level": self.seed_level if self.method == HYSTERESIS else None,
                    "classes": self.classes,
                    "smoothing_px": self.smoothing_px,
                    "one_level": self.one_level,
                },
            )
        return [first] if self.cleaning is None else [first, (CLEAN, self.cleaning)]


@dataclass(frozen=True, eq=False)
class Analysis:
    """What the grey values say.

    Parameters
    ----------
    levels : tuple of float
        The thresholds that the method finds; for methods by hand, that of half density.
    smoothing_px : float
        The blur that comes first.
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


def volumes_of(item: Volume | TimeSeries[Volume] | None) -> list[Volume]:
    """Return the volumes of all times."""
    if item is None:
        return []
    return list(item) if isinstance(item, TimeSeries) else [item]


def analyse(
    volumes: Sequence[Volume],
    method: str,
    classes: int,
    smoothing_px: float | None,
    progress: Progress | None = None,
) -> Analysis:
    """Find blur, threshold and histogram of volumes that share a threshold.

    Parameters
    ----------
    volumes : sequence of Volume
    method : str
        One of `METHODS`.
    classes : int
        For multi-Otsu.
    smoothing_px : float, optional
        By default as little as the noise allows.
    progress : Progress, optional

    Raises
    ------
    DataError
        If all voxels of a volume are equal.
    """
    progress = progress or Progress()
    arrays = as_arrays(volumes)
    enough = True
    if smoothing_px is None:
        smoothing_px, enough = least_smoothing([arrays[0], arrays[-1]][: len(arrays)])
    progress.check()
    arrays = [smoothed(a, smoothing_px) for a in arrays]
    progress.check()
    if method == OTSU:
        levels = [otsu_level(arrays)]
    elif method == MULTI:
        levels = multi_otsu_levels(arrays, classes)
    else:
        levels = [plateaus(arrays).middle]
    progress.check()
    thin = []
    for a in arrays:
        step = int(np.ceil((a.size * len(arrays) / _MOST_IN_HISTOGRAM) ** (1 / 3)))
        thin.append(a[::step, ::step, ::step].ravel())
    counts, edges = np.histogram(np.concatenate(thin), _BINS)
    return Analysis(tuple(levels), float(smoothing_px), counts, edges, enough)


def slice_mask(
    volume: Volume,
    axis: int,
    index: int,
    settings: Settings,
    analysis: Analysis,
    classifier: PixelClassifier | None = None,
) -> np.ndarray:
    """Return the mask of one slice, from a slab around it.

    Parameters
    ----------
    volume : Volume
    axis, index : int
        Across which axis, and where.
    settings : Settings
    analysis : Analysis
        Its blur is used, and its levels if none are given by hand.
    classifier : PixelClassifier, optional
        For that method.

    Returns
    -------
    int32 array, two-dimensional
        Holes and small pieces are left as they are: what they are is told by the volume.
    """
    cleaning = settings.cleaning or {}
    reach = 2 * (cleaning.get("opening_px", 0) + cleaning.get("closing_px", 0))
    if settings.method == CLASSIFIER:
        margin = int(np.ceil(reach))
    else:
        margin = int(np.ceil(4 * analysis.smoothing_px + reach)) + 1
    if settings.method == HYSTERESIS:
        margin = max(margin, _REACH_PX)
    data, middle = _slab(volume.data, axis, index, margin)
    if settings.method == CLASSIFIER:
        if classifier is None:
            raise DataError("There is no classifier yet: paint strokes and train it, or load one.")
        mask = _classified(volume.data, axis, index, margin, classifier)
    else:
        mask = _thresholded(smoothed(data, analysis.smoothing_px), settings, analysis)
    if settings.cleaning is not None:
        few = {**cleaning, "fill_holes": False, "min_diameter_px": 0.0}
        mask = clean_mask(Labels(mask), **few).data
    return mask.take(middle, axis)


def make_mask(
    item: Volume | TimeSeries[Volume], settings: Settings, name: str, progress: Progress
) -> tuple[Any, str, list[str]]:
    """Return the mask of all times, its key numbers, and what is to be noted."""
    mask = run_steps(item, settings.steps(), progress.part(0, 1))
    mask = dataclasses.replace(mask, name=name)
    made = mask.provenance
    notes = [] if made is None else [f"Note: {w}" for p in _own(made) for w in p.warnings]
    return mask, key_numbers(item, mask), notes


def key_numbers(item: Volume | TimeSeries[Volume], mask: Any) -> str:
    """Return the level, what part of the volume is filled, and how sure that is."""
    volumes, masks = volumes_of(item), list(mask) if isinstance(mask, TimeSeries) else [mask]
    ends = sorted({0, len(volumes) - 1})
    filled = [float((np.asarray(masks[i].data) > 0).mean()) for i in ends]
    words = []
    levels = [_first_level(masks[i]) for i in ends]
    blur = float(masks[0].metadata.get("smoothing_px", 0) or 0)
    if levels[0] is not None:
        shown = list(dict.fromkeys(f"{v:.4g}" for v in levels if v is not None))
        words.append(
            f"Level {' to '.join(shown)}" + (f" after a blur of {blur:g} px." * (blur > 0) or ".")
        )
    if isinstance(item, TimeSeries):
        parts = [f"{100 * f:.3g} % at {item.label(i)}" for i, f in zip(ends, filled, strict=True)]
        words.append(f"Particles fill {', '.join(parts)}.")
    else:
        words.append(f"Particles fill {100 * filled[0]:.3g} % of the volume.")
    changes = [
        noise_change(volumes[i], masks[i], level)
        for i, level in zip(ends, levels, strict=True)
        if level is not None and 0 < filled[ends.index(i)] < 1
    ]
    if changes:
        least, most = min(c[0] for c in changes), max(c[1] for c in changes)
        words.append(
            f"Within the noise of the threshold their volume changes by {100 * least:+.2g} to "
            f"{100 * most:+.2g} %."
        )
    return " ".join(words)


def noise_change(volume: Volume, mask: Labels, level: float) -> tuple[float, float]:
    """Return by what part the volume shrinks and grows within the noise of the threshold.

    Returns
    -------
    least, most : float
        -0.02 and 0.03 for 2 % less and 3 % more.
    """
    low, high = threshold_noise(volume, mask, level)
    data = smoothed(
        np.asarray(volume.data, np.float32), float(mask.metadata.get("smoothing_px", 0) or 0)
    )
    whole = np.count_nonzero(data > level)
    if not whole:
        return 0.0, 0.0
    return (
        np.count_nonzero(data > high) / whole - 1,
        np.count_nonzero(data > low) / whole - 1,
    )


def _first_level(mask: Labels) -> float | None:
    """Return the level above which something is a particle, None for a classifier."""
    level = mask.metadata.get("level")
    if isinstance(level, (list, tuple)):
        level = level[0]
    return None if level is None else float(level)


def _own(made: Any) -> list[Any]:
    return [p for p in made.chain() if p.step in (THRESHOLD, CLASSIFY, CLEAN)]


def _slab(data: Any, axis: int, index: int, margin: int) -> tuple[np.ndarray, int]:
    """Return the slices around one, and which of them it is."""
    start = max(index - margin, 0)
    place = [slice(None)] * 3
    place[axis] = slice(start, min(index + margin + 1, data.shape[axis]))
    return np.asarray(data[tuple(place)], np.float32), index - start


def _thresholded(data: np.ndarray, settings: Settings, analysis: Analysis) -> np.ndarray:
    if settings.method in BY_HAND and settings.level is None:
        raise ParameterError("There is no level yet; drag the line in the histogram.")
    if settings.method == HYSTERESIS:
        low = settings.level
        high = low if settings.seed_level is None else settings.seed_level
        return apply_hysteresis_threshold(data, low, high).astype(np.int32)
    levels = (settings.level,) if settings.method == LEVEL else analysis.levels
    mask = np.zeros(data.shape, np.int32)
    for level in levels:
        mask += data > np.float32(level)
    return mask


def _classified(
    data: Any, axis: int, index: int, margin: int, classifier: PixelClassifier
) -> np.ndarray:
    """Return the classes of the slices around one; features look further than that."""
    scales = classifier.scales_px
    wide, _ = _slab(data, axis, index, margin + halo(scales))
    found = features((wide - np.float32(classifier.offset)) / np.float32(classifier.scale), scales)
    start = max(index - margin - halo(scales), 0)
    first = max(index - margin, 0)
    last = min(index + margin + 1, data.shape[axis])
    found = np.moveaxis(
        np.moveaxis(found, axis + 1, 1)[:, first - start : last - start], 1, axis + 1
    )
    shares = classifier.forest.predict(found.reshape(len(found), -1))
    values = np.array(classifier.strokes, np.int32) - 1
    return values[np.argmax(shares, axis=0)].reshape(found.shape[1:])
