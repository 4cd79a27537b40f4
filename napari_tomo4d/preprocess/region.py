"""A smaller region of the images, or fewer and larger pixels."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import numpy as np

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import DataError
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import warn
from napari_tomo4d.registry import step

_Start = Annotated[int, Param("First pixel of the region, from 0.", unit="px", minimum=0)]
_Stop = Annotated[
    int | None,
    Param("First pixel after the region; empty: to the end.", unit="px", minimum=1),
]


@step("preprocess.crop", title="Crop", takes=TiltSeries, gives=TiltSeries)
def crop(
    series: TiltSeries,
    y_start: _Start = 0,
    y_stop: _Stop = None,
    x_start: _Start = 0,
    x_stop: _Stop = None,
) -> TiltSeries:
    """Keep a rectangle of every image; the tilt axis stays where it is in the sample.

    Parameters
    ----------
    series : TiltSeries
        With or without frames; lazy images stay lazy.
    y_start, y_stop, x_start, x_stop : int
        Half-open range of rows and columns in pixels.

    Returns
    -------
    TiltSeries
        ``metadata["origin_px"]`` says where the region's first pixel (y, x) was.

    Raises
    ------
    DataError
        If the rectangle is empty or outside the images.
    """
    n_y, n_x = series.image_shape
    y_stop, x_stop = y_stop or n_y, x_stop or n_x
    for axis, start, stop, n in (("y", y_start, y_stop, n_y), ("x", x_start, x_stop, n_x)):
        if not 0 <= start < stop <= n:
            raise DataError(
                f"The region {start} to {stop} along {axis} is not within the images (0 to {n})."
            )
    across = (x_start + x_stop - n_x) if series.tilt_axis == "y" else (y_start + y_stop - n_y)
    region = (..., slice(y_start, y_stop), slice(x_start, x_stop))
    images = series.images
    y_origin, x_origin = series.metadata.get("origin_px", (0, 0))
    return dataclasses.replace(
        series,
        images=tuple(f[region] for f in images) if isinstance(images, tuple) else images[region],
        axis_shift_px=series.axis_shift_px - across / 2,
        metadata={**series.metadata, "origin_px": [y_origin + y_start, x_origin + x_start]},
    )


@step("preprocess.bin", title="Bin", takes=TiltSeries, gives=TiltSeries)
def bin(
    series: TiltSeries,
    factor: Annotated[int, Param("Pixels joined along y and x.", minimum=1, maximum=64)] = 2,
    *,
    progress: Progress | None = None,
) -> TiltSeries:
    """Average squares of pixels into one; rows and columns left over are cut off.

    Parameters
    ----------
    series : TiltSeries
        With or without frames.
    factor : int
        Edge of the square in pixels.
    progress : Progress, optional

    Returns
    -------
    TiltSeries
        Float32, with the pixel size and the position of the tilt axis adjusted;
        ``metadata["binning"]`` is the binning so far.

    Raises
    ------
    DataError
        If the images are smaller than the square.
    """
    if factor == 1:
        return series
    progress = progress or Progress()
    n_y, n_x = (n // factor for n in series.image_shape)
    if not n_y or not n_x:
        raise DataError(
            f"Images of {series.image_shape[0]} x {series.image_shape[1]} pixels can't be binned "
            f"by {factor}."
        )
    cut = tuple(n % factor for n in series.image_shape)
    if any(cut):
        warn(f"Binning by {factor} cut off {cut[0]} rows and {cut[1]} columns.")
    parts = []
    for i in range(len(series)):
        frames = series.frames(i)[:, : n_y * factor, : n_x * factor]
        binned = frames.reshape(-1, n_y, factor, n_x, factor).mean(axis=(2, 4), dtype=np.float64)
        parts.append(binned.astype(np.float32))
        progress.report(i + 1, len(series), "Binning")
    across = cut[1] if series.tilt_axis == "y" else cut[0]
    size = series.pixel_size_nm
    # the centre of the first new pixel, counted in new pixels
    origin = [(o + (factor - 1) / 2) / factor for o in series.metadata.get("origin_px", (0, 0))]
    return series.with_frames(
        parts,
        pixel_size_nm=None if size is None else size * factor,
        axis_shift_px=(series.axis_shift_px + across / 2) / factor,
        metadata={
            **series.metadata,
            "origin_px": origin,
            "binning": factor * series.metadata.get("binning", 1),
        },
    )
