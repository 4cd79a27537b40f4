"""Reconstruction slab by slab, from lazy images to a file: memory no longer limits size."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from napari_tomo4d import io
from napari_tomo4d.data import TiltSeries, TimeSeries, Volume, is_series, times_of
from napari_tomo4d.errors import NotEnoughMemoryError, RecipeError
from napari_tomo4d.io.slab_store import CHUNK, read_lazily
from napari_tomo4d.parameters import check_parameters
from napari_tomo4d.pipeline.steps import get_step
from napari_tomo4d.pipeline.times import as_time_series
from napari_tomo4d.progress import Progress
from napari_tomo4d.reconstruct import estimate, fullest_slices, halo_of, slices_of


def run_in_slabs(
    name: str,
    item: TiltSeries | TimeSeries[TiltSeries],
    parameters: dict[str, Any],
    path: str | Path,
    *,
    memory_bytes: float,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Any:
    """Reconstruct some slices at a time and write each slab before the next begins.

    Parameters
    ----------
    name : str
        A step that makes volumes of tilt series.
    item : TiltSeries or TimeSeries
    parameters : dict
        The step's parameters. What the step would choose from the images is chosen once, for
        all slabs alike.
    path : str or Path
        OME-Zarr folder to write.
    memory_bytes : float
        Memory that the reconstruction may take, beside the images of a slab.
    overwrite : bool
    progress : Progress, optional
        If asked to finish, the slab at hand ends, and those to come take as many iterations.

    Returns
    -------
    Volume or TimeSeries of Volume
        As stored, voxels to be read when they are used.

    Raises
    ------
    NotEnoughMemoryError
        If not even a few slices fit.
    """
    step = get_step(name)
    if (step.takes, step.gives) != (TiltSeries, Volume):
        raise RecipeError(f"{name} does not make volumes of tilt series.")
    given = check_parameters(step.function, parameters)
    progress = progress or Progress()
    times = item if is_series(item) else None
    series = list(times_of(item))
    groups = [series] if step.together else [[one] for one in series]
    n_y, n_x = series[0].image_shape
    depth = given.get("thickness") or (n_x if series[0].tilt_axis == "y" else n_y)
    volumes: list[Volume] = []
    count = None if times is None else len(series)
    with io.slab_store(path, (depth, n_y, n_x), count, overwrite=overwrite) as store:
        for k, group in enumerate(groups):
            part = progress.part(k, len(groups), item.label(k) if len(groups) > 1 else "")  # type: ignore[union-attr]
            volumes += _run_group(name, group, times, given, store, k, memory_bytes, part)
        described = None if times is None else as_time_series(times, volumes, name, given)
        store.describe(volumes, described)
    return read_lazily(path)


def _run_group(
    name: str,
    group: list[TiltSeries],
    times: TimeSeries[TiltSeries] | None,
    given: dict[str, Any],
    store: io.SlabStore,
    first: int,
    memory_bytes: float,
    progress: Progress,
) -> list[Volume]:
    """Reconstruct what belongs together; return volumes whose voxels are of the last slab."""
    step, method = get_step(name), name.split(".")[1]
    along = 0 if group[0].tilt_axis == "y" else 1
    n_slices, halo = group[0].image_shape[along], halo_of(method)
    thickness = _slab_size(method, group, given, memory_bytes, halo)
    chosen, notes = _choices(name, group, times, given, progress)
    given = given | chosen
    volumes: list[Volume] = []
    curves: list[list[np.ndarray]] = []
    norms = []
    starts = range(0, n_slices, thickness)
    for i, start in enumerate(starts):
        stop = min(start + thickness, n_slices)
        low, high = max(0, start - halo), min(n_slices, stop + halo)
        slabs = [slices_of(one, low, high) for one in group]
        part = _Slab(progress, i, len(starts))
        volumes = _call(step.function, slabs, times, given, part)
        for t, volume in enumerate(volumes):
            inner = [slice(None)] * 3
            inner[along + 1] = slice(start - low, stop - low)
            store.write(first + t, volume.data[tuple(inner)], along + 1, start)
        curves.append([volume.residuals for volume in volumes])
        norms.append([float(np.linalg.norm(one.load())) for one in slabs])
        if part.finish_requested and "iterations" in given:
            given["iterations"] = max(1, len(volumes[0].residuals))
    result = []
    for t, volume in enumerate(volumes):
        made = volume.provenance
        if made is not None:
            made = dataclasses.replace(made, notes=notes)
        residuals = _together([c[t] for c in curves], [n[t] for n in norms])
        result.append(dataclasses.replace(volume, residuals=residuals, provenance=made))
    return result


def _call(
    function: Any,
    series: list[TiltSeries],
    times: TimeSeries[TiltSeries] | None,
    given: dict[str, Any],
    progress: Progress,
) -> list[Volume]:
    if times is not None and len(series) == len(times) > 1:
        return list(function(times.with_items(series), **given, progress=progress))
    result = function(series[0], **given, progress=progress)
    return [result] if isinstance(result, Volume) else list(result)


def _choices(
    name: str,
    group: list[TiltSeries],
    times: TimeSeries[TiltSeries] | None,
    given: dict[str, Any],
    progress: Progress,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what the step chooses from the fullest slices, and why."""
    middle = group[len(group) // 2]
    start, stop = fullest_slices(middle)
    parts = [slices_of(one, start, stop) for one in group]
    volumes = _call(get_step(name).function, parts, times, given, progress.silent())
    made = volumes[0].provenance
    return dict(volumes[0].metadata.get("chosen", {})), made.notes if made else ()


def _slab_size(
    method: str,
    group: list[TiltSeries],
    given: dict[str, Any],
    memory_bytes: float,
    halo: int,
) -> int:
    """Return how many slices fit, whole chunks if it can be."""
    one = group[0]
    n_y, n_x = one.image_shape
    across = n_x if one.tilt_axis == "y" else n_y
    # a slice more costs the same wherever it is
    shape = (1, across) if one.tilt_axis == "y" else (across, 1)
    cost = estimate(
        max(map(len, group)),
        shape,
        given.get("thickness") or across,
        one.tilt_axis,
        method,
        times=len(group),
    ).memory_bytes
    fit = int(memory_bytes / cost) - 2 * halo
    if fit < 1:
        raise NotEnoughMemoryError(
            f"Not even one slice of {across} pixels fits into {memory_bytes / 1e9:.1f} GB; allow "
            "more memory, or choose a smaller region or a larger binning."
        )
    return max(fit // CHUNK * CHUNK, min(fit, CHUNK))


def _together(curves: list[np.ndarray], norms: list[float]) -> np.ndarray:
    """Return the residuals of all slabs as those of one volume; a shorter run kept its last."""
    length = max(map(len, curves))
    if length == 0:
        return np.empty(0)
    filled = [np.concatenate([c, np.full(length - len(c), c[-1])]) for c in curves]
    weights = np.square(norms)
    result: np.ndarray = np.sqrt(np.average(np.square(filled), axis=0, weights=weights))
    return result


class _Slab(Progress):
    """Progress of one slab; a wish to finish counts for the slab in which it is made."""

    def __init__(self, whole: Progress, index: int, count: int) -> None:
        super().__init__()
        self._whole, self._part = whole, whole.part(index, count, f"slab {index + 1} of {count}")
        self._finished_before = whole.finish_requested

    @property
    def cancel_requested(self) -> bool:
        return self._whole.cancel_requested

    @property
    def finish_requested(self) -> bool:
        return self._whole.finish_requested and not self._finished_before

    def show(self, done: float, total: float, message: str, preview: Any) -> None:
        self._part.show(done, total, message, preview)
