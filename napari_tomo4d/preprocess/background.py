"""Background of the images."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import numpy as np

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import recorded


@recorded("preprocess.subtract_background")
def subtract_background(
    series: TiltSeries,
    percentile: Annotated[
        float,
        Param(
            "Grey level taken as background of each image; its share of background pixels.",
            unit="%",
            minimum=0,
            maximum=100,
        ),
    ] = 50.0,
    clip: Annotated[bool, Param("Set what is darker than the background to zero.")] = True,
    *,
    progress: Progress | None = None,
) -> TiltSeries:
    """Subtract from each image a constant, a percentile of its own grey values.

    Parameters
    ----------
    series : TiltSeries
        One image per tilt.
    percentile : float
        0 to 100.
    clip : bool
        Set negative results to zero.
    progress : Progress, optional

    Returns
    -------
    TiltSeries
        Float32 images; ``metadata["background"]`` lists what was subtracted.
    """
    progress = progress or Progress()
    images = np.array(series.load())
    levels = []
    for i, image in enumerate(images):
        level = np.percentile(image, percentile)
        image -= np.float32(level)
        if clip:
            np.maximum(image, 0, out=image)
        levels.append(float(level))
        progress.report(i + 1, len(images), "Subtracting background")
    metadata = {**series.metadata, "background": levels}
    return dataclasses.replace(series, images=images, metadata=metadata)
