"""Movement of the whole sample between time points, in three dimensions."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from scipy import fft, ndimage
from skimage.filters import threshold_otsu

from napari_tomo4d.data import TimeSeries, Volume, is_series
from napari_tomo4d.errors import DataError
from napari_tomo4d.immutable import frozen
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import note
from napari_tomo4d.registry import step
from napari_tomo4d.voxels import in_voxels

_MIN_VOXELS = 27
_ITERATIONS = 12


@dataclass(frozen=True, eq=False)
class TimeRegistration:
    """Translations that put all time points on the first.

    Parameters
    ----------
    shifts_px : array (time, 3)
        (dz, dy, dx) in voxels to add to the content of each volume; 0 for the first.
    spread_px : array (time,)
        Median distance in voxels by which particles moved otherwise than the sample, since
        the time point before.
    particles : array (time,)
        How many particles that rests on.
    """

    shifts_px: np.ndarray
    spread_px: np.ndarray
    particles: np.ndarray


def register_volumes(
    volumes: TimeSeries[Volume] | Sequence[Volume],
    *,
    smoothing_px: float = 1.0,
    max_shift_px: float | None = None,
    progress: Progress | None = None,
) -> TimeRegistration:
    """Find how the sample moved from each time point to the next.

    Parameters
    ----------
    volumes : TimeSeries of Volume, or sequence of Volume
        Of one shape and voxel size.
    smoothing_px : float
        Standard deviation of a Gaussian on the volumes that are compared.
    max_shift_px : float, optional
        Largest movement between two time points; a quarter of the volume by default.
    progress : Progress, optional

    Returns
    -------
    TimeRegistration

    Raises
    ------
    DataError
        If there are fewer than two volumes, they differ in size, or one is empty.

    Notes
    -----
    Cross-correlation to the voxel, then the movement of every particle by itself (Lucas &
    Kanade 1981, with a factor for brightness), of which the biweight mean counts: particles
    that grow, or approach each other, do not pull the others along as long as most stay.
    Particles in contact are one here, whose centre sintering does not move. Shifts are in
    voxels along each axis; other lengths, where voxels are not cubic, in edges of a cube of a
    voxel's volume.
    """
    progress = progress or Progress()
    items = _checked(volumes)
    shape = items[0].data.shape
    limit = max_shift_px if max_shift_px is not None else min(shape) / 4
    steps, spreads, counts = [np.zeros(3)], [0.0], [0]
    smooth = [_smoothed(v, smoothing_px) for v in items]
    for i, (before, after) in enumerate(itertools.pairwise(smooth)):
        start = _coarse(before, after, limit)
        step, spread, count = _fine(before, after, start, np.array(items[0].sampling))
        steps.append(step)
        spreads.append(spread)
        counts.append(count)
        progress.report(i + 1, len(items) - 1, "Registering the time points")
    return TimeRegistration(np.cumsum(steps, axis=0), np.array(spreads), np.array(counts))


def shift_volumes(
    volumes: TimeSeries[Volume] | Sequence[Volume],
    registration: TimeRegistration | np.ndarray,
    *,
    progress: Progress | None = None,
) -> TimeSeries[Volume] | list[Volume]:
    """Move every volume, interpolating once.

    Parameters
    ----------
    volumes : TimeSeries of Volume, or sequence of Volume
    registration : TimeRegistration or array (time, 3)
        Voxels (dz, dy, dx) to add to the content.
    progress : Progress, optional

    Returns
    -------
    TimeSeries or list of Volume
        As given. Whole voxels are moved without interpolation, fractions by cubic splines;
        what enters at an edge repeats the edge.

    Raises
    ------
    DataError
        If the number of shifts is not that of the volumes.
    """
    progress = progress or Progress()
    given = getattr(registration, "shifts_px", registration)
    shifts = np.asarray(given, dtype=np.float64)
    if shifts.shape != (len(volumes), 3) or not np.isfinite(shifts).all():
        raise DataError(
            f"{len(volumes)} volumes need as many finite shifts (dz, dy, dx); the table has shape "
            f"{shifts.shape}."
        )
    result = []
    for i, volume in enumerate(volumes):
        order = 0 if np.all(shifts[i] == np.round(shifts[i])) else 3
        data = ndimage.shift(volume.data, shifts[i], order=order, mode="nearest")
        result.append(
            Volume(
                frozen(data),
                volume.pixel_size_nm,
                volume.residuals,
                volume.name,
                volume.metadata,
                volume.provenance,
            )
        )
        progress.report(i + 1, len(volumes), "Moving the volumes")
    return volumes.with_items(result) if is_series(volumes) else result


@step(
    "align.align_times", title="Register volumes in time", takes=Volume, gives=Volume, together=True
)
def align_times(
    volumes: TimeSeries[Volume],
    smoothing_px: Annotated[
        float,
        Param(
            "Blur before volumes are compared; more for noisier ones.",
            unit="px",
            minimum=0,
            maximum=20,
            step=0.5,
            advanced=True,
        ),
    ] = 1.0,
    *,
    progress: Progress | None = None,
) -> TimeSeries[Volume]:
    """Put the volumes of all times on the first, so that particles keep their place.

    Parameters
    ----------
    volumes : TimeSeries of Volume
    smoothing_px : float
        As in `register_volumes`.
    progress : Progress, optional

    Returns
    -------
    TimeSeries of Volume
        Interpolated once; ``metadata["time_shift_px"]`` of each is the (dz, dy, dx) added to
        its content.

    Raises
    ------
    DataError
        If there is one time only, or the volumes differ in shape or voxel size, or one is empty.
    """
    progress = progress or Progress()
    if not is_series(volumes):
        raise DataError("Registration in time needs the volumes of several time points.")
    found = register_volumes(volumes, smoothing_px=smoothing_px, progress=progress.part(0, 2))
    moved = shift_volumes(volumes, found, progress=progress.part(1, 2))
    note(f"Volumes were moved by up to {np.abs(found.shifts_px).max():.2f} voxels.")
    items = [
        dataclasses.replace(v, metadata={**v.metadata, "time_shift_px": np.round(s, 4).tolist()})
        for v, s in zip(moved, found.shifts_px, strict=True)
    ]
    return volumes.with_items(items)


def _checked(volumes: TimeSeries[Volume] | Sequence[Volume]) -> list[Volume]:
    items = list(volumes)
    if len(items) < 2 or not all(isinstance(v, Volume) for v in items):
        raise DataError("Registration in time needs at least two volumes.")
    shapes = {v.data.shape for v in items}
    if len(shapes) > 1:
        raise DataError(f"The volumes differ in shape, {sorted(shapes)}; all have to be equal.")
    sizes = {v.pixel_size_nm for v in items}
    if len(sizes) > 1:
        raise DataError(
            "The volumes differ in voxel size; bring them to one first (segment.resample)."
        )
    for i, volume in enumerate(items):
        if np.ptp(volume.data) == 0:
            raise DataError(f"The volume of time point {i + 1} is empty: all voxels are equal.")
    return items


def _smoothed(volume: Volume, sigma: float) -> np.ndarray:
    data = np.asarray(volume.data, dtype=np.float32)
    # the correlation takes what is beyond the edges for 0
    data = data - np.median(data)
    return ndimage.gaussian_filter(data, in_voxels(sigma, volume.sampling)) if sigma > 0 else data


def _coarse(before: np.ndarray, after: np.ndarray, limit: float) -> np.ndarray:
    """Return the whole-voxel shift of `after` onto `before` with the largest correlation."""
    shape = [fft.next_fast_len(n + int(np.ceil(limit)), real=True) for n in before.shape]
    spectrum = fft.rfftn(before, shape) * np.conj(fft.rfftn(after, shape))
    correlation = fft.irfftn(spectrum, shape)
    lags = [np.fft.fftfreq(n, 1 / n) for n in shape]
    for axis, lag in enumerate(lags):
        index: list[slice | np.ndarray] = [slice(None)] * 3
        index[axis] = np.abs(lag) > limit
        correlation[tuple(index)] = -np.inf
    best = np.unravel_index(int(np.argmax(correlation)), correlation.shape)
    return np.array([lag[b] for lag, b in zip(lags, best, strict=True)])


def _fine(
    before: np.ndarray, after: np.ndarray, shift: np.ndarray, sampling: np.ndarray
) -> tuple[np.ndarray, float, int]:
    """Refine a shift; return it with the spread of the particles and their number."""
    regions = _regions(before)
    spline = ndimage.spline_filter(after.astype(np.float64), 3)
    slopes = np.stack(np.gradient(before))
    moves, step = np.zeros((1, 3)), np.zeros(3)
    for _ in range(_ITERATIONS):
        moved = ndimage.shift(spline, shift, order=3, mode="nearest", prefilter=False)
        moves = np.array([_movement(before, moved, slopes, r) for r in regions])
        weights = np.array([r[0].size for r in regions], float)
        step = _biweight_mean(moves * sampling, np.sqrt(weights)) / sampling
        shift = shift + np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-3:
            break
    spread = float(np.median(np.linalg.norm((moves - step) * sampling, axis=1)))
    return shift, spread, len(regions)


def _regions(volume: np.ndarray) -> list[tuple[np.ndarray, ...]]:
    """Return the voxels of each particle with its surroundings, as indices."""
    labels, count = ndimage.label(volume > threshold_otsu(volume))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    largest = sizes[1:].max(initial=0)
    regions = []
    for i, box in enumerate(ndimage.find_objects(labels), 1):
        # specks of noise would vote like particles
        if sizes[i] < min(_MIN_VOXELS, largest) or sizes[i] < 0.05 * largest:
            continue
        grown = tuple(
            slice(max(s.start - 2, 0), min(s.stop + 2, n))
            for s, n in zip(box, volume.shape, strict=True)
        )
        near = ndimage.binary_dilation(labels[grown] == i, iterations=2)
        found = np.nonzero(near & ((labels[grown] == i) | (labels[grown] == 0)))
        regions.append(tuple(f + g.start for f, g in zip(found, grown, strict=True)))
    if not regions:
        raise DataError("A volume holds no particles to register by.")
    return regions


def _movement(
    before: np.ndarray, moved: np.ndarray, slopes: np.ndarray, where: tuple[np.ndarray, ...]
) -> np.ndarray:
    """Return what to add to the position of one particle in `moved` to match `before`."""
    here = before[where]
    # brightness may differ between times, and must not look like movement
    design = np.column_stack([*(s[where] for s in slopes), here]).astype(np.float64)
    change = (moved[where] - here).astype(np.float64)
    result: np.ndarray = np.linalg.lstsq(design, change, rcond=None)[0][:3]
    return result


def _biweight_mean(moves: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the centre of most of the movements (n, 3)."""
    centre: np.ndarray = np.median(moves, axis=0)
    if len(moves) < 3:
        return np.average(moves, axis=0, weights=weights)
    for _ in range(10):
        distance = np.linalg.norm(moves - centre, axis=1)
        scale = max(4 * float(np.median(distance)), 0.05)
        robust = weights * np.maximum(1 - (distance / scale) ** 2, 0) ** 2
        centre = np.average(moves, axis=0, weights=robust)
    return centre
