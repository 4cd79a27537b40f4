"""Several frames per tilt: pick one, align them, or average them."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import numpy as np
from scipy import ndimage

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import DataError
from napari_tomo4d.immutable import frozen
from napari_tomo4d.parameters import Param
from napari_tomo4d.preprocess.registration import Smoothing, register_frames
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import warn
from napari_tomo4d.registry import step
from napari_tomo4d.tilts import frames_recorded, of_tilts

_WHOLE_PIXEL = 0.1
"""Pixels from a whole number within which interpolating would cost more than it gains."""


@step("preprocess.average_frames", title="Average frames", takes=TiltSeries, gives=TiltSeries)
def average_frames(
    series: TiltSeries,
    register: Annotated[
        bool,
        Param(
            "Undo the drift between the frames of a tilt before averaging.",
            label="Align frames first",
        ),
    ] = True,
    smoothing_px: Smoothing = 2.0,
    *,
    progress: Progress | None = None,
) -> TiltSeries:
    """Average the frames of each tilt into one image, free of drift between them.

    Parameters
    ----------
    series : TiltSeries
        With one or more frames per tilt.
    register : bool
        Shift the frames onto each other, see `register_frames`.
    smoothing_px : float
        Standard deviation of the blur used for finding the shifts only.
    progress : Progress, optional

    Returns
    -------
    TiltSeries
        One float32 image per tilt. ``metadata["frame_shifts_px"]`` lists, for each tilt
        and frame, the (dy, dx) that was added to the frame's content;
        ``metadata["frames_averaged"]`` the number of frames of each tilt that were recorded,
        also where what is averaged are means themselves.

    Notes
    -----
    Frames are moved by linear interpolation, once. A frame whose shift is not to be believed
    stays where it is and a warning says so.
    """
    progress = progress or Progress()
    images = np.empty((len(series), *series.image_shape), np.float32)
    all_shifts = []
    for i in range(len(series)):
        frames = series.frames(i)
        shifts = np.zeros((len(frames), 2))
        if register and len(frames) > 1:
            shifts = _frame_shifts(frames, smoothing_px, f"{series.angles_deg[i]:g} deg")
        images[i] = _mean_of_shifted(frames, shifts)
        all_shifts.append(np.round(shifts, 3).tolist())
        progress.report(i + 1, len(series), "Averaging frames")
    metadata = {
        **series.metadata,
        "frame_shifts_px": all_shifts,
        # the noise of a mean depends on it
        "frames_averaged": list(frames_recorded(series)),
    }
    return dataclasses.replace(series, images=frozen(images), metadata=metadata)


def _frame_shifts(frames: np.ndarray, smoothing_px: float, where: str) -> np.ndarray:
    if (np.ptp(frames, axis=(1, 2)) > 0).sum() < 2:
        return np.zeros((len(frames), 2))
    shifts = register_frames(frames, smoothing_px)
    for k in np.flatnonzero(np.isnan(shifts).any(axis=1)):
        warn(f"Frame {k + 1} at {where} could not be registered and was not moved.")
    result: np.ndarray = np.nan_to_num(shifts)
    return result


def _mean_of_shifted(frames: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    moved = (
        f if not s.any() else ndimage.shift(f, s, order=1, mode="nearest")
        for f, s in zip(frames, shifts, strict=True)
    )
    mean = np.mean(list(moved), axis=0, dtype=np.float64)
    return np.asarray(mean, np.float32)


@step("preprocess.select_frame", title="Select one frame", takes=TiltSeries, gives=TiltSeries)
def select_frame(
    series: TiltSeries,
    frame: Annotated[int, Param("Which frame of each tilt to keep, from 1.", minimum=1)] = 1,
) -> TiltSeries:
    """Keep one frame of each tilt; tilts that have fewer frames are left out.

    Parameters
    ----------
    series : TiltSeries
    frame : int
        Number of the frame, from 1.

    Returns
    -------
    TiltSeries
        One float32 image per tilt.

    Raises
    ------
    DataError
        If no tilt has that many frames.
    """
    keep = np.array(series.frames_per_tilt) >= frame
    if not keep.any():
        raise DataError(
            f"No tilt of {series.name!r} has {frame} frames; the most is "
            f"{max(series.frames_per_tilt)}."
        )
    if not keep.all():
        missing = ", ".join(f"{a:g}" for a in series.angles_deg[~keep])
        warn(f"Tilts without frame {frame} were left out: {missing} deg.")
    left = of_tilts(series, keep)
    return left.replace(
        images=frozen(np.stack([left.frames(i)[frame - 1] for i in range(len(left))]))
    )


@step("preprocess.align_frames", title="Align frames", takes=TiltSeries, gives=TiltSeries)
def align_frames(
    series: TiltSeries,
    smoothing_px: Smoothing = 2.0,
    *,
    progress: Progress | None = None,
) -> TiltSeries:
    """Shift the frames of each tilt onto its first one, and keep them as frames.

    Parameters
    ----------
    series : TiltSeries
        With several frames at some tilts.
    smoothing_px : float
        Standard deviation of the blur used for finding the shifts only.
    progress : Progress, optional

    Returns
    -------
    TiltSeries
        Float32. First frames are untouched, so that their noise is as it was recorded; the
        others are moved by linear interpolation, by whole pixels where that is within 0.1.
    """
    progress = progress or Progress()
    parts = []
    for i, angle in enumerate(series.angles_deg):
        frames = series.frames(i).copy()
        if len(frames) > 1:
            shifts = _frame_shifts(frames, smoothing_px, f"{angle:g} deg")
            whole = np.round(shifts - shifts[0])
            near = np.abs(shifts - shifts[0] - whole) < _WHOLE_PIXEL
            for k, shift in enumerate(np.where(near, whole, shifts - shifts[0])):
                if shift.any():
                    frames[k] = ndimage.shift(frames[k], shift, order=1, mode="nearest")
        parts.append(frames)
        progress.report(i + 1, len(series), "Aligning frames")
    return series.with_frames(parts)
