"""Several frames per tilt: pick one, or register and average them."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import numpy as np
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import DataError
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import recorded, warn


@recorded("preprocess.average_frames")
def average_frames(
    series: TiltSeries,
    register: Annotated[
        bool, Param("Undo the drift between the frames of a tilt before averaging.")
    ] = True,
    smoothing_px: Annotated[
        float,
        Param(
            "Gaussian blur before the frames are compared; more for noisier frames.",
            unit="px",
            minimum=0,
            maximum=20,
            step=0.5,
            advanced=True,
        ),
    ] = 2.0,
    *,
    progress: Progress | None = None,
) -> TiltSeries:
    """Average the frames of each tilt into one image, free of drift between them.

    Parameters
    ----------
    series : TiltSeries
        With one or more frames per tilt.
    register : bool
        Shift every frame onto the running mean of those before it.
    smoothing_px : float
        Standard deviation of the blur used for finding the shifts only.
    progress : Progress, optional

    Returns
    -------
    TiltSeries
        One float32 image per tilt. ``metadata["frame_shifts_px"]`` lists, for each tilt
        and frame, the (dy, dx) that was added to the frame's content;
        ``metadata["frames_averaged"]`` the number of frames of each tilt.

    Notes
    -----
    Shifts are the maximum of the cross-correlation, refined to 1/20 pixel by upsampled
    Fourier transforms (Guizar-Sicairos, Thurman & Fienup 2008, Opt. Lett. 33, 156). Frames
    are moved by linear interpolation, once. A shift beyond a quarter of the image is
    not believed: that frame stays where it is and a warning says so.
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
        "frames_averaged": list(series.frames_per_tilt),
    }
    return dataclasses.replace(series, images=images, metadata=metadata)


def _frame_shifts(frames: np.ndarray, smoothing_px: float, where: str) -> np.ndarray:
    smooth = [ndimage.gaussian_filter(f, smoothing_px, mode="nearest") for f in frames]
    # without a taper the frame's own edges correlate best at no shift at all
    taper = np.outer(*(np.hanning(n + 2)[1:-1] for n in frames.shape[1:]))
    limit = min(frames.shape[1:]) / 4
    shifts = np.zeros((len(frames), 2))
    mean = smooth[0]
    for k in range(1, len(frames)):
        a, b = ((x - x.mean()) * taper for x in (mean, smooth[k]))
        if a.any() and b.any():
            shift, _, _ = phase_cross_correlation(a, b, upsample_factor=20, normalization=None)
            if np.abs(shift).max() < limit:
                shifts[k] = shift
            else:
                warn(f"Frame {k + 1} at {where} could not be registered and was not moved.")
        moved = ndimage.shift(smooth[k], shifts[k], order=1, mode="nearest")
        mean = (mean * k + moved) / (k + 1)
    # the middle of the frames stays in place, so that no frame moves more than it must
    return shifts - shifts.mean(axis=0)


def _mean_of_shifted(frames: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    moved = (
        f if not s.any() else ndimage.shift(f, s, order=1, mode="nearest")
        for f, s in zip(frames, shifts, strict=True)
    )
    mean = np.mean(list(moved), axis=0, dtype=np.float64)
    return np.asarray(mean, np.float32)


@recorded("preprocess.select_frame")
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
    keep = [i for i, n in enumerate(series.frames_per_tilt) if n >= frame]
    if not keep:
        raise DataError(
            f"No tilt of {series.name!r} has {frame} frames; the most is "
            f"{max(series.frames_per_tilt)}."
        )
    if len(keep) < len(series):
        missing = [f"{a:g}" for i, a in enumerate(series.angles_deg) if i not in keep]
        warn(f"Tilts without frame {frame} were left out: {', '.join(missing)} deg.")
    images = np.stack([series.frames(i)[frame - 1] for i in keep])
    return dataclasses.replace(series, images=images, angles_deg=series.angles_deg[keep])
