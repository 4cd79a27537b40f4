"""Linear drift during a scan: found from the shifts between frames, and undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage, stats

from napari_tomo4d.checks import require_memory
from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import DataError
from napari_tomo4d.parameters import Param
from napari_tomo4d.preprocess.registration import Smoothing, check_frames, register_frames
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import warn
from napari_tomo4d.registry import step

__all__ = ["FrameDrift", "frame_drift", "register_frames", "straighten", "undo_scan_drift"]


@dataclass(frozen=True, eq=False)
class FrameDrift:
    """How the content moved while the frames of one tilt were scanned.

    Parameters
    ----------
    shifts_px : array (frame, 2)
        (dy, dx) to add to each frame's content to bring the frames onto each other. Frames
        that could not be registered have the shift of the straight line.
    velocity_px : array (2,)
        (vy, vx) by which the content moves while one frame is scanned: row r of n is
        displaced by ``velocity_px * r / n`` compared with row 0.
    registered : array (frame,) of bool
        Which frames could be registered.
    """

    shifts_px: np.ndarray
    velocity_px: np.ndarray
    registered: np.ndarray


def frame_drift(
    frames: ArrayLike,
    smoothing_px: float = 2.0,
    flyback: float = 0.0,
    *,
    progress: Progress | None = None,
) -> FrameDrift:
    """Measure shifts between frames and the drift velocity they tell.

    Parameters
    ----------
    frames : array (frame, y, x)
        Two or more frames scanned one after another, rows along x from the top.
    smoothing_px : float
        Blur in pixels used for finding the shifts only.
    flyback : float
        Pause between two frames, as a fraction of the time of one frame.
    progress : Progress, optional

    Returns
    -------
    FrameDrift

    Raises
    ------
    DataError
        If the frames are not usable (see `register_frames`) or fewer than half of them could
        be registered.

    Notes
    -----
    The velocity is the slope of the shifts over the frame number, the median of the slopes
    between all pairs of frames (Theil-Sen), so that single jumps do not count. As rows are
    scanned while the content moves, a point is met at row ``y / (1 - vy / n)``: shifts in the
    frames exceed the drift by that factor, which is allowed for.
    """
    stack = check_frames(frames)
    shifts = register_frames(stack, smoothing_px, progress=progress)
    registered = np.isfinite(shifts).all(axis=1)
    if registered.sum() < max(2, len(stack) / 2):
        raise DataError(
            f"Only {registered.sum()} of {len(stack)} frames could be registered to each other, "
            "so their drift is unknown; try more smoothing or leave this step out."
        )
    numbers = np.arange(len(stack))
    line = np.empty_like(shifts)
    slope = np.empty(2)
    for axis in range(2):
        fit = stats.theilslopes(shifts[registered, axis], numbers[registered])
        slope[axis] = -fit[0]
        line[:, axis] = fit[1] + fit[0] * numbers
    velocity = slope / (1 + flyback + slope[0] / stack.shape[1])
    shifts = np.where(registered[:, None], shifts, line)
    return FrameDrift(shifts, velocity, registered)


def straighten(frames: ArrayLike, drift: FrameDrift) -> np.ndarray:
    """Move every frame by its shift and undo the drift within it, in one interpolation.

    Parameters
    ----------
    frames : array (frame, y, x)
    drift : FrameDrift
        Of the same frames.

    Returns
    -------
    array (frame, y, x), float32
        The middle row stays where it is; outside the frame its edge is continued. Grey
        values are interpolated (cubic splines) and not scaled: a pixel holds what was
        counted in one dwell time, wherever the beam was.

    Raises
    ------
    DataError
        If the frames are not usable or their number is not that of the shifts.
    """
    stack = check_frames(frames)
    if len(stack) != len(drift.shifts_px):
        raise DataError(f"There are {len(stack)} frames but {len(drift.shifts_px)} shifts.")
    n_rows = stack.shape[1]
    vy, vx = drift.velocity_px
    # row r of the frame shows y = r - vy (r / n - middle), solved for r and put into x
    middle = (n_rows - 1) / (2 * n_rows)
    stretch = 1 / (1 - vy / n_rows)
    matrix = np.array([[stretch, 0.0], [vx / n_rows * stretch, 1.0]])
    first = -vy * middle * stretch
    offset = np.array([first, vx * (first / n_rows - middle)])
    result = np.empty_like(stack)
    for i, frame in enumerate(stack):
        source = offset - drift.shifts_px[i]
        result[i] = ndimage.affine_transform(frame, matrix, source, order=3, mode="nearest")
    return result


@step("preprocess.undo_scan_drift", title="Undo scan drift", takes=TiltSeries, gives=TiltSeries)
def undo_scan_drift(
    series: TiltSeries,
    smoothing_px: Smoothing = 2.0,
    flyback: Annotated[
        float,
        Param(
            "Pause between two frames, as a fraction of the time of one frame.",
            minimum=0,
            maximum=100,
            step=0.05,
            advanced=True,
        ),
    ] = 0.0,
    *,
    progress: Progress | None = None,
) -> TiltSeries:
    """Undo the drift between the frames of each tilt and the shear it causes in each frame.

    Parameters
    ----------
    series : TiltSeries
        With several frames per tilt, scanned one after another along x.
    smoothing_px : float
        Standard deviation of the blur used for finding the shifts only.
    flyback : float
        Pause between frames over the time of one frame.
    progress : Progress, optional

    Returns
    -------
    TiltSeries
        Float32 frames, as many as before. ``metadata["frame_shifts_px"]`` lists, for each tilt
        and frame, the (dy, dx) added to the content, and ``metadata["scan_drift_px"]`` for
        each tilt the (vy, vx) per frame that was undone, None for a tilt left as it was.

    Raises
    ------
    DataError
        If no tilt has two frames, or none could be registered.

    Notes
    -----
    See `frame_drift` and `straighten`. Tilts of one frame, or whose frames can't be
    registered, are left as they are, with a warning.
    """
    progress = progress or Progress()
    counts = series.frames_per_tilt
    if max(counts) < 2:
        raise DataError(
            f"{series.name!r} has one frame per tilt; drift within a scan is found from at least "
            "two frames."
        )
    require_memory(4 * sum(counts) * series.image_shape[0] * series.image_shape[1], "These frames")
    parts, shifts, velocities = [], [], []
    for i, angle in enumerate(series.angles_deg):
        part = progress.part(i, len(series), "Undoing scan drift")
        part.check()
        frames, drift = _straightened(series.frames(i), smoothing_px, flyback, f"{angle:g}", part)
        parts.append(frames)
        shifts.append(np.zeros((len(frames), 2)) if drift is None else drift.shifts_px)
        velocities.append(None if drift is None else np.round(drift.velocity_px, 4).tolist())
        progress.report(i + 1, len(series), "Undoing scan drift")
    if all(v is None for v in velocities):
        raise DataError(
            f"The frames of {series.name!r} could not be registered at any tilt; try more "
            "smoothing or leave this step out."
        )
    metadata = {
        **series.metadata,
        "frame_shifts_px": [np.round(s, 3).tolist() for s in shifts],
        "scan_drift_px": velocities,
    }
    return series.with_frames(parts, metadata=metadata)


def _straightened(
    frames: np.ndarray, smoothing_px: float, flyback: float, angle: str, progress: Progress
) -> tuple[np.ndarray, FrameDrift | None]:
    """Return corrected frames and their drift; or the frames as they are, and None."""
    if len(frames) < 2:
        warn(f"The tilt at {angle} deg has one frame, so its scan drift was not undone.")
        return frames, None
    try:
        drift = frame_drift(frames, smoothing_px, flyback, progress=progress)
    except DataError as error:
        warn(f"The frames at {angle} deg were left as they are. {error}")
        return frames, None
    for k in np.flatnonzero(~drift.registered):
        warn(
            f"Frame {k + 1} at {angle} deg could not be registered and was moved like the "
            "drift of the others."
        )
    return straighten(frames, drift), drift
