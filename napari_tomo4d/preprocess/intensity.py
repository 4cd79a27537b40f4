"""Single pixels that are wrong, and brightness that differs from tilt to tilt."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Annotated

import numpy as np
from scipy import ndimage

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import DataError
from napari_tomo4d.immutable import frozen
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import note, warn
from napari_tomo4d.registry import step

_GROUPS = 20
_MAD_TO_SIGMA = 1.4826
_QUANTILE = 2.81
"""Standard deviations that 99.5 % of normal deviations stay within."""


@step(
    "preprocess.remove_outliers", title="Remove outlier pixels", takes=TiltSeries, gives=TiltSeries
)
def remove_outliers(
    series: TiltSeries,
    threshold: Annotated[
        float,
        Param(
            "How far a pixel may be from its neighbours, in standard deviations of the noise.",
            minimum=3,
            maximum=100,
            step=0.5,
        ),
    ] = 8.0,
    *,
    progress: Progress | None = None,
) -> TiltSeries:
    """Replace single pixels that stand out (X-rays, dead pixels) by the median around them.

    Parameters
    ----------
    series : TiltSeries
        With or without frames, which stay.
    threshold : float
        In standard deviations of the noise, which is measured for each brightness: counts
        scatter more where it is bright.
    progress : Progress, optional

    Returns
    -------
    TiltSeries
        Float32; ``metadata["outliers"]`` lists the number of replaced pixels of each tilt.
    """
    progress = progress or Progress()
    parts, counts = [], []
    for i in range(len(series)):
        frames = series.frames(i).copy()
        counts.append(0)
        for frame in frames:
            median = ndimage.median_filter(frame, footprint=_RING, mode="nearest")
            wrong = np.abs(frame - median) > threshold * _scatter(frame, median)
            frame[wrong] = median[wrong]
            counts[-1] += int(wrong.sum())
        parts.append(frames)
        progress.report(i + 1, len(series), "Removing outliers")
    total = sum(counts)
    pixels = sum(p.size for p in parts)
    note(f"Replaced {total} pixels ({100 * total / pixels:.2g} %).")
    if total > 0.01 * pixels:
        warn("More than 1 % of the pixels were outliers; the threshold may be too low.")
    return series.with_frames(parts, metadata={**series.metadata, "outliers": counts})


_RING = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)
"""The neighbours of a pixel without itself."""


def _scatter(frame: np.ndarray, median: np.ndarray) -> np.ndarray:
    """Return the noise expected of each pixel, from pixels of the same brightness."""
    difference = np.abs(frame - median)
    order = np.argsort(median, axis=None)
    groups = np.array_split(order, min(_GROUPS, max(1, order.size // 200)))
    level = np.array([median.ravel()[g].mean() for g in groups])
    sigma = np.array([_sigma(difference.ravel()[g]) for g in groups])
    # brighter is not quieter; a bright group may be all edges
    result: np.ndarray = np.interp(median, level, np.maximum.accumulate(sigma))
    return result


def _sigma(difference: np.ndarray) -> float:
    """Return a robust standard deviation, not less than long tails of few counts ask for."""
    robust = _MAD_TO_SIGMA * float(np.median(difference))
    tail = float(np.percentile(difference, 99.5)) / _QUANTILE
    return max(robust, tail, 1e-12)


@step("preprocess.normalise", title="Normalise brightness", takes=TiltSeries, gives=TiltSeries)
def normalise(
    series: TiltSeries,
    keep: Annotated[
        str,
        Param(
            "What is the same in all images: the sum, which the particles' mass gives, or the "
            "brightness of the background.",
            choices=("sum", "background"),
        ),
    ] = "sum",
    *,
    progress: Progress | None = None,
) -> TiltSeries:
    """Scale every image so that its sum, or its background, is that of the median image.

    Parameters
    ----------
    series : TiltSeries
        One image per tilt. For "sum": with the background at zero, and the whole object
        in every image.
    keep : {"sum", "background"}
    progress : Progress, optional

    Returns
    -------
    TiltSeries
        Float32; ``metadata["intensity_factors"]`` lists the factor of each tilt.

    Raises
    ------
    DataError
        If an image has nothing positive to scale by.
    """
    progress = progress or Progress()
    images = series.load()
    measure: Callable[[np.ndarray], float] = {
        "sum": lambda image: float(image.mean(dtype=np.float64)),
        "background": lambda image: float(np.percentile(image, 25)),
    }[keep]
    levels = np.array([measure(image) for image in images])
    if not (levels > 0).all():
        angle = series.angles_deg[int(np.argmin(levels))]
        raise DataError(
            f"The {keep} of the image at {angle:g} deg is not positive, so it can't be scaled to "
            "the others; check that image and its background."
        )
    factors = np.median(levels) / levels
    if np.ptp(factors) > 1:
        warn(
            f"The {keep} differs between images by factors of {factors.min():.2f} to "
            f"{factors.max():.2f}; look for parts of the object that leave the image."
        )
    result = np.empty_like(images)
    for i, image in enumerate(images):
        np.multiply(image, np.float32(factors[i]), out=result[i])
        progress.report(i + 1, len(images), "Normalising")
    return dataclasses.replace(
        series,
        images=frozen(result),
        metadata={**series.metadata, "intensity_factors": np.round(factors, 6).tolist()},
    )
