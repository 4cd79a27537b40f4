"""From grey values to particles and background, by thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from napari_tomo4d.data import (
    AnyLabels,
    AnyVolume,
    Labels,
    Volume,
    kind_of,
    like,
    name_of_time,
    times_of,
)
from napari_tomo4d.errors import DataError, ParameterError
from napari_tomo4d.immutable import frozen
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import note, warn
from napari_tomo4d.registry import step
from napari_tomo4d.segment.levels import (
    as_arrays,
    least_smoothing,
    plateaus,
    smoothed,
)
from napari_tomo4d.segment.threshold_methods import THRESHOLDS
from napari_tomo4d.voxels import CUBIC, Spacing


def otsu(volume: Volume) -> Labels:
    """Separate particles (1) from background (0) by Otsu's threshold.

    Parameters
    ----------
    volume : Volume
        Particles brighter than the background.

    Returns
    -------
    Labels
        ``metadata["level"]`` is the threshold.

    Raises
    ------
    DataError
        If all voxels are equal.

    References
    ----------
    Otsu, IEEE Trans. Systems, Man and Cybernetics 9, 62 (1979). Where particles fill only a
    few per cent of the volume the level is too low and particles come out too large;
    `half_density` does not depend on that.
    """
    return _threshold([volume], "otsu")[0]


def half_density(volume: Volume, smoothing_px: float | None = None) -> Labels:
    """Separate particles (1) from background (0) halfway between the grey values of both.

    Parameters
    ----------
    volume : Volume
        Particles brighter than the background.
    smoothing_px : float, optional
        Standard deviation of a Gaussian blur; by default as little as the noise allows.

    Returns
    -------
    Labels
        ``metadata["level"]`` is the threshold, ``metadata["smoothing_px"]`` the blur.

    Raises
    ------
    DataError
        If all voxels are equal.
    """
    return _threshold([volume], "half-density", smoothing_px=smoothing_px)[0]


def multi_otsu(volume: Volume, classes: int = 3) -> Labels:
    """Part a volume into classes of brightness, 0 for the darkest.

    Parameters
    ----------
    volume : Volume
    classes : int
        2 to 5.

    Returns
    -------
    Labels
        0 to ``classes - 1``; ``metadata["level"]`` lists the thresholds.

    Raises
    ------
    DataError
        If all voxels are equal, or there are fewer grey values than classes.
    ParameterError
        If `classes` is out of range.

    References
    ----------
    Liao, Chen & Chung, J. Information Science and Engineering 17, 713 (2001).
    """
    return _threshold([volume], "multi-otsu", classes=classes)[0]


def threshold(volume: Volume, level: float) -> Labels:
    """Mark what is brighter than a level given by hand.

    Parameters
    ----------
    volume : Volume
    level : float
        In the volume's grey values.

    Returns
    -------
    Labels
        0 and 1.
    """
    return _threshold([volume], "level", level)[0]


def hysteresis(volume: Volume, low: float, high: float) -> Labels:
    """Mark what is brighter than `low` and connected to something brighter than `high`.

    Parameters
    ----------
    volume : Volume
    low, high : float
        In the volume's grey values, ``low <= high``.

    Returns
    -------
    Labels
        0 and 1; ``metadata["level"]`` is `low`, where the surface is.

    Raises
    ------
    ParameterError
        If `low` is above `high`.
    """
    return _threshold([volume], "hysteresis", low, high)[0]


def threshold_noise(
    volume: Volume, mask: Labels, level: float | None = None
) -> tuple[float, float]:
    """Return between which levels the threshold may lie within the noise.

    Parameters
    ----------
    volume : Volume
        What was thresholded.
    mask : Labels
        Its particles: not 0.
    level : float, optional
        The level used; by default as noted with the mask, or else halfway between
        background and particles.

    Returns
    -------
    low, high : float
        The level minus and plus the standard deviation of noise at the surface, at most up to
        5 % of the contrast from background and inside.

    Raises
    ------
    DataError
        If shapes differ, or the mask is empty or full.

    Notes
    -----
    At half density the variance of noise is taken as the mean of those inside and outside.
    The blur noted with the mask is applied first. Repeating a measurement with the masks of
    both levels tells its uncertainty.
    """
    data, where = np.asarray(volume.data, np.float32), np.asarray(mask.data) > 0
    if data.shape != where.shape:
        raise DataError(
            f"The mask has shape {where.shape}, the volume {data.shape}; both have to be equal."
        )
    if where.all() or not where.any():
        raise DataError("The mask is empty or full, so it tells no noise of either side.")
    data = smoothed(data, float(mask.metadata.get("smoothing_px", 0.0)), volume.sampling)
    found = plateaus([data], float(data[where].mean() + data[~where].mean()) / 2)
    if level is None:
        noted = mask.metadata.get("level")
        level = found.middle if noted is None or isinstance(noted, list) else float(noted)
    noise = float(np.hypot(found.inside_noise, found.background_noise)) / np.sqrt(2)
    margin = 0.05 * (found.inside - found.background)
    low = min(level, max(level - noise, found.background + margin))
    high = max(level, min(level + noise, found.inside - margin))
    return low, high


@step("segment.threshold_volumes", title="Threshold", takes=Volume, gives=Labels, together=True)
def threshold_volumes(
    volumes: AnyVolume,
    method: Annotated[
        str,
        Param(
            "Half-density: halfway between background and particles. Otsu: too low where "
            "particles are few.",
            choices=THRESHOLDS,
        ),
    ] = "half-density",
    level: Annotated[
        float | None,
        Param("For level and hysteresis: brighter voxels are particles.", empty="none"),
    ] = None,
    seed_level: Annotated[
        float | None,
        Param(
            "For hysteresis: a particle has to be brighter than this somewhere.",
            empty="none",
            advanced=True,
        ),
    ] = None,
    classes: Annotated[
        int, Param("For multi-Otsu: with the background.", minimum=2, maximum=5, advanced=True)
    ] = 3,
    smoothing_px: Annotated[
        float | None,
        Param(
            "Blur before the threshold. Empty: as little as the noise allows.",
            unit="px",
            label="Blur",
            minimum=0,
            maximum=20,
            step=0.1,
        ),
    ] = None,
    one_level: Annotated[
        bool,
        Param(
            "One threshold for all times, so that growth is not a change of threshold.",
            label="Same level at all times",
        ),
    ] = True,
    *,
    progress: Progress | None = None,
) -> AnyLabels:
    """Separate particles from background by a threshold.

    Parameters
    ----------
    volumes : Volume or TimeSeries of Volume
        Particles brighter than the background.
    method : {"half-density", "otsu", "multi-otsu", "level", "hysteresis"}
    level, seed_level : float, optional
        Grey values, as `method` needs them.
    classes : int
        2 to 5 classes of brightness.
    smoothing_px : float, optional
        Standard deviation of a Gaussian. By default the least after which three standard
        deviations of noise lie between either plateau and the level halfway.
    one_level : bool
        Whether all times share level and blur (pooled histogram), or have their own.
    progress : Progress, optional

    Returns
    -------
    Labels or TimeSeries of Labels
        0 for background, 1 for particles (more for more classes). ``metadata["level"]`` is
        the threshold, a list for several; ``metadata["smoothing_px"]`` the blur.

    Raises
    ------
    DataError
        If all voxels of a volume are equal.
    ParameterError
        If the method needs a level that is not given.
    """
    if kind_of(volumes) is not Volume:
        raise DataError("A threshold needs volumes; reconstruct the tilt series first.")
    progress = progress or Progress()
    items = times_of(volumes)
    if one_level or len(items) == 1:
        parts = _threshold(items, method, level, seed_level, classes, smoothing_px, progress)
    else:
        parts = []
        for i, v in enumerate(items):
            part = progress.part(i, len(items), name_of_time(volumes, i))
            parts += _threshold([v], method, level, seed_level, classes, smoothing_px, part)
    return like(volumes, parts)


def _threshold(
    volumes: Sequence[Volume],
    method: str,
    level: float | None = None,
    seed_level: float | None = None,
    classes: int = 2,
    smoothing_px: float | None = 0.0,
    progress: Progress | None = None,
) -> list[Labels]:
    """Apply one threshold to all volumes."""
    progress = progress or Progress()
    arrays = as_arrays(volumes)
    chosen = smoothing_px is None
    smoothing_px, enough = blur_for(arrays, smoothing_px, volumes[0].sampling)
    if not enough:
        warn(
            f"Even blurred by {smoothing_px:g} voxels, noise in the volume reaches the "
            "threshold; a smoother reconstruction (TV) will give truer surfaces."
        )
    elif chosen and smoothing_px:
        note(f"Volumes were blurred by {smoothing_px:g} voxels, as little as the noise allows.")
    progress.report(1, len(arrays) + 2, "Threshold")
    arrays = [smoothed(a, smoothing_px, v.sampling) for a, v in zip(arrays, volumes, strict=True)]
    levels = find_levels(arrays, method, level, seed_level, classes)
    used = ", ".join(f"{v:.5g}" for v in levels)
    note(f"Threshold: {used} ({method}).")
    result = []
    for i, (volume, array) in enumerate(zip(volumes, arrays, strict=True)):
        # of a hysteresis the lower level is where the surface is
        several = len(levels) > 1 and THRESHOLDS[method].local
        metadata = {
            **volume.metadata,
            "level": levels if several else levels[0],
            "smoothing_px": smoothing_px,
        }
        data = frozen(apply_levels(array, method, levels))
        result.append(Labels(data, volume.pixel_size_nm, f"{volume.name} particles", metadata))
        progress.report(i + 3, len(arrays) + 2, "Threshold")
    return result


def blur_for(
    arrays: Sequence[np.ndarray], smoothing_px: float | None = None, sampling: Spacing = CUBIC
) -> tuple[float, bool]:
    """Return the blur of volumes that share one, and whether it is enough for their noise.

    Parameters
    ----------
    arrays : sequence of float32 array (z, y, x)
    smoothing_px : float, optional
        A blur in voxels that is given, which is always enough; by default the least that the
        noise of the first and the last volume allows.
    sampling : (z, y, x), optional
        Of the volumes, see `Voxels.sampling`.
    """
    if smoothing_px is not None:
        return smoothing_px, True
    return least_smoothing([arrays[0], arrays[-1]][: len(arrays)], sampling)


def apply_levels(array: np.ndarray, method: str, levels: Sequence[float]) -> np.ndarray:
    """Return the classes, 0 for the darkest, of grey values between levels.

    Parameters
    ----------
    array : float32 array
        After the blur. Any part of a volume where the method is `local`, else all of it.
    method : str
        One of `THRESHOLDS`.
    levels : sequence of float
        Rising; the lower and the upper one for hysteresis.

    Returns
    -------
    int32 array
    """
    return THRESHOLDS[method].mark(array, levels)


def find_levels(
    arrays: Sequence[np.ndarray],
    method: str,
    level: float | None = None,
    seed_level: float | None = None,
    classes: int = 3,
) -> list[float]:
    """Return the rising levels of volumes that share them, after the blur.

    Parameters
    ----------
    arrays : sequence of float32 array (z, y, x)
    method, level, seed_level, classes
        As in `threshold_volumes`.

    Raises
    ------
    DataError
        If the method finds none in these volumes.
    ParameterError
        If the method needs a level that is not given, or there is no such method.
    """
    if method not in THRESHOLDS:
        raise ParameterError(
            f"There is no threshold {method!r}; choose one of {', '.join(THRESHOLDS)}."
        )
    return THRESHOLDS[method].levels(arrays, level=level, seed_level=seed_level, classes=classes)
