"""How well a surface is known: from the noise of a volume, and from repeated measurements."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage

from napari_tomo4d.data import Labels, Volume
from napari_tomo4d.errors import DataError
from napari_tomo4d.progress import Progress
from napari_tomo4d.voxels import edges_of, sampling_of

_INNER_PX = 2
_LEAST_PX = 0.5


def surface_uncertainty(volume: Volume, labels: Labels) -> float:
    """Return how far the surface may be from where it was found, from the noise of the volume.

    Parameters
    ----------
    volume : Volume
        What was segmented, of one material.
    labels : Labels
        Particles of that volume.

    Returns
    -------
    float
        Standard uncertainty of the position of the surface, in nm; in voxels if the size of
        neither's voxels is known.

    Raises
    ------
    DataError
        If shapes differ, or there is no inside or no outside.

    Notes
    -----
    Two things move a surface: its threshold, midway between the mean densities of particles
    (which differ) and background, and the noise of the voxels beside it, taken as the mean of that
    in the particles' cores and in the background. Divided by the density's slope at
    the surface both are distances. Half a voxel is added in quadrature: a regularised
    reconstruction is smoother than it is exact. The elongation by a missing wedge is not included.
    """
    inside = labels.data > 0
    if volume.data.shape != labels.data.shape:
        raise DataError("Volume and labels differ in shape; use the labels of this volume.")
    size = labels.pixel_size_nm or volume.pixel_size_nm
    depth_in, depth_out = (
        ndimage.distance_transform_edt(side, sampling=sampling_of(size))
        for side in (inside, ~inside)
    )
    core, outer = (
        side & (depth > _INNER_PX) for side, depth in ((inside, depth_in), (~inside, depth_out))
    )
    # without the other side there are no depths
    if inside.all() or not core.any() or not outer.any():
        raise DataError("The particles are too small, or fill the volume; no plateau is left.")
    numbers = np.unique(labels.data[core])
    means = ndimage.mean(volume.data, np.where(core, labels.data, 0), numbers)
    plateau, ground = float(np.mean(means)), float(volume.data[outer].mean())
    noise = np.hypot(volume.data[core].std(), volume.data[outer].std()) / np.sqrt(2)
    spread = float(np.std(means, ddof=1)) if len(means) > 1 else 0.0
    level_error = float(np.hypot(spread / 2, noise))
    slope = _surface_slope(volume.data, depth_in, depth_out)
    unit = float(np.cbrt(np.prod(edges_of(size or 1.0))))
    if slope <= 0 or plateau <= ground:
        raise DataError("The particles are not brighter than their surroundings.")
    return float(np.hypot(level_error / slope, _LEAST_PX) * unit)


class Surfaces:
    """How well the surface is known at each time, from the volumes; each is computed once.

    Parameters
    ----------
    labels : sequence of Labels
    volumes : sequence of Volume, optional
        Without, `neck` takes what it takes by default.
    """

    def __init__(self, labels: Sequence[Labels], volumes: Sequence[Volume] | None) -> None:
        self.volumes = volumes
        self._labels = labels
        self._known: dict[int, float | None] = {}
        self._lock = threading.Lock()
        self.note = ""
        """Why it could not be told from a volume, if so."""

    def at(self, time: int) -> float | None:
        """Return the uncertainty in nm at one time, or None for the default."""
        if self.volumes is None:
            return None
        with self._lock:
            if time not in self._known:
                try:
                    self._known[time] = surface_uncertainty(self.volumes[time], self._labels[time])
                except DataError as error:
                    self._known[time] = None
                    self.note = f"{error} Half a voxel is taken instead."
            return self._known[time]

    def all(self, progress: Progress | None = None) -> list[float | None]:
        """Return it for every time."""
        progress = progress or Progress()
        count = len(self._labels)
        for t in range(count):
            progress.report(t, count, f"Uncertainty of the surface, time {t + 1} of {count}")
            self.at(t)
        return [self.at(t) for t in range(count)]


def _surface_slope(data: np.ndarray, *depths: np.ndarray) -> float:
    """Return the mean drop of density per voxel across the surface, by depths in and out."""
    means = []
    for depth in depths:
        near = (depth > 0) & (depth < _INNER_PX)
        # voxels next to the surface are half a voxel from it
        means.append((float(data[near].mean()), float(depth[near].mean()) - 0.5))
    (high, depth_in), (low, depth_out) = means
    return (high - low) / (depth_in + depth_out)


def repeat_errors(tables: Sequence[pd.DataFrame], values: Sequence[str]) -> pd.DataFrame:
    """Return the spread of values measured repeatedly at the same pairs.

    Parameters
    ----------
    tables : sequence of pandas.DataFrame
        From `follow_pairs`, each of another half of the data.
    values : sequence of str
        Columns to compare.

    Returns
    -------
    pandas.DataFrame
        A row per pair and time: ``time``, ``a``, ``b``, and the standard deviation of each value
        over the tables. Divide by the root of the number of tables for the error of their mean.

    Raises
    ------
    DataError
        If there are fewer than two tables.
    """
    if len(tables) < 2:
        raise DataError("Repeated measurements need at least two tables.")
    keys = ["time", "a", "b"]
    together = pd.concat([t[[*keys, *values]] for t in tables])
    result: Any = together.groupby(keys).std(ddof=1).reset_index()
    return result
