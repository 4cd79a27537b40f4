"""Reconstruction slab by slab, from lazy images to a file: memory no longer limits size."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_tomo4d import io
from napari_tomo4d.data import AnyTiltSeries, TiltSeries, TimeSeries, Volume, is_series, times_of
from napari_tomo4d.errors import NotEnoughMemoryError, RecipeError
from napari_tomo4d.io.slab_store import CHUNK, read_lazily
from napari_tomo4d.parameters import Function, Parameters, check_names
from napari_tomo4d.pipeline.entries import SLAB
from napari_tomo4d.pipeline.steps import get_step
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import Provenance, collect_warnings, made_by, warn
from napari_tomo4d.reconstruct import estimate, fullest_slices, slices_of
from napari_tomo4d.registry import Cost, Step, checked_arguments, time_series_of
from napari_tomo4d.seals import provenance_of, sealed, stamped


def run_in_slabs(
    name: str,
    item: AnyTiltSeries,
    parameters: Parameters,
    path: str | Path,
    *,
    memory_bytes: float = 0.0,
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
        all slabs alike. ``slab_slices`` says how many slices a slab has.
    path : str or Path
        OME-Zarr folder to write.
    memory_bytes : float
        Memory that the reconstruction may take, beside the images of a slab: decides the
        number of slices if `parameters` don't.
    overwrite : bool
    progress : Progress, optional
        If asked to finish, the slab at hand ends, and those to come take as many iterations.

    Returns
    -------
    Volume or TimeSeries of Volume
        As stored, voxels to be read when they are used. The provenance tells the number of
        slices, which methods that couple slices depend on a little.

    Raises
    ------
    NotEnoughMemoryError
        If not even a few slices fit.
    """
    step = get_step(name)
    if step.cost is None or not step.reconstructs:
        raise RecipeError(f"{name} can't be run in slabs: it does not say what a volume costs.")
    given = dict(parameters)
    slab_slices = given.pop(SLAB, None)
    check_names(step.function, given)
    given, told = checked_arguments(step, item, given)
    progress = progress or Progress()
    times = item if is_series(item) else None
    series = list(times_of(item))
    groups = [series] if step.together else [[one] for one in series]
    if slab_slices is None:
        slab_slices = min(_slab_size(step.cost, g, given, memory_bytes) for g in groups)
    n_y, n_x = series[0].image_shape
    depth = given.get("thickness") or (n_x if series[0].tilt_axis == "y" else n_y)
    told[SLAB] = slab_slices
    volumes: list[Volume] = []
    count = None if times is None else len(series)
    with io.slab_store(path, (depth, n_y, n_x), count, overwrite=overwrite) as store:
        for k, group in enumerate(groups):
            label = times.label(k) if times is not None and len(groups) > 1 else ""
            run = _Run(step, group, times, given, told, slab_slices)
            volumes += run.into(store, k, progress.part(k, len(groups), label))
        described = None
        if times is not None:
            described = _described(step, times, volumes)
        store.describe(volumes, described)
    stored = read_lazily(path)
    # what was written is told here with all it was made with, arrays too
    items = [
        stamped(one, _made(volume)) for one, volume in zip(times_of(stored), volumes, strict=True)
    ]
    if described is None:
        return items[0]
    return sealed(dataclasses.replace(stored, series=items), _made(described))


def _described(
    step: Step, times: TimeSeries[TiltSeries], volumes: list[Volume]
) -> TimeSeries[Volume]:
    """Return the volumes as one series, which can be repeated if all were made alike."""
    made = [_made(volume) for volume in volumes]
    told = made[0].parameters
    unlike = any(p.unrepeatable or p.parameters != told for p in made)
    return time_series_of(step, times, volumes, told, finished=unlike)


def _made(item: Volume | TimeSeries[Volume]) -> Provenance:
    made = item.provenance
    assert made is not None
    return made


@dataclass(frozen=True)
class _Run:
    """The reconstruction of what belongs together: one time, or all."""

    step: Step
    group: list[TiltSeries]
    times: TimeSeries[TiltSeries] | None
    given: Parameters
    told: Parameters
    slab_slices: int

    def into(self, store: io.SlabStore, first: int, progress: Progress) -> list[Volume]:
        """Write all slabs; return volumes whose voxels are those of the last one."""
        step, group = self.step, self.group
        assert step.cost is not None
        along = 0 if group[0].tilt_axis == "y" else 1
        n_slices, halo = group[0].image_shape[along], step.cost.halo
        chosen, notes = self._choices(progress)
        given = self.given | chosen
        volumes: list[Volume] = []
        curves: list[list[np.ndarray]] = []
        norms: list[list[float]] = []
        finished_in: int | None = None
        said: list[str] = []
        starts = range(0, n_slices, self.slab_slices)
        if halo and len(starts) > 1:
            with collect_warnings() as said:
                warn(
                    f"{step.title} was made in slabs of {self.slab_slices} slices. Its "
                    "slices depend on their neighbours, so values differ slightly from those made "
                    "in one piece, which takes more memory."
                )
        for i, start in enumerate(starts):
            stop = min(start + self.slab_slices, n_slices)
            low, high = max(0, start - halo), min(n_slices, stop + halo)
            slabs = [slices_of(one, low, high) for one in group]
            part = _Slab(progress, i, len(starts))
            signal = [float(np.linalg.norm(one.load())) for one in slabs]
            if not any(signal):
                # no step takes images without any signal, and what is not written is zero
                part.report(1, 1, step.title)
                continue
            volumes = _call(step.function, slabs, self.times, given, part)
            for t, volume in enumerate(volumes):
                inner = [slice(None)] * 3
                inner[along + 1] = slice(start - low, stop - low)
                store.write(first + t, volume.data[tuple(inner)], along + 1, start)
                said += volume.provenance.warnings  # type: ignore[union-attr]
            if part.finish_requested and "iterations" in given:
                given["iterations"] = max(1, len(volumes[0].residuals))
                finished_in = len(curves)
            curves.append([volume.residuals for volume in volumes])
            norms.append(signal)
        told = self.told
        if finished_in == 0:
            told = {**told, **chosen, "iterations": given["iterations"]}
        result = []
        for t, volume in enumerate(volumes):
            whole = self.times if step.together and self.times is not None else group[t]
            before = provenance_of(whole)
            made = made_by(
                step.name, before, told, warnings=said, notes=notes, finished=bool(finished_in)
            )
            if whole is self.times:
                made = dataclasses.replace(made, time=t)
            residuals = _together([c[t] for c in curves], [n[t] for n in norms])
            result.append(dataclasses.replace(volume, residuals=residuals, provenance=made))
        return result

    def _choices(self, progress: Progress) -> tuple[Parameters, tuple[str, ...]]:
        """Return what the step chooses from the fullest slices, and why."""
        start, stop = fullest_slices(self.group[len(self.group) // 2])
        parts = [slices_of(one, start, stop) for one in self.group]
        volumes = _call(self.step.function, parts, self.times, self.given, progress.silent())
        made = volumes[0].provenance
        return dict(volumes[0].metadata.get("chosen", {})), made.notes if made else ()


def _call(
    function: Function,
    series: list[TiltSeries],
    times: TimeSeries[TiltSeries] | None,
    given: Parameters,
    progress: Progress,
) -> list[Volume]:
    if times is not None and len(series) == len(times) > 1:
        return list(function(times.with_items(series), **given, progress=progress))
    result = function(series[0], **given, progress=progress)
    return [result] if isinstance(result, Volume) else list(result)


def _slab_size(cost: Cost, group: list[TiltSeries], given: Parameters, memory_bytes: float) -> int:
    """Return how many slices fit, whole chunks if it can be."""
    one = group[0]
    n_y, n_x = one.image_shape
    across = n_x if one.tilt_axis == "y" else n_y
    # a slice more costs the same wherever it is
    shape = (1, across) if one.tilt_axis == "y" else (across, 1)
    needed = estimate(
        cost,
        max(map(len, group)),
        shape,
        given.get("thickness") or across,
        one.tilt_axis,
        times=len(group),
    ).memory_bytes
    fit = int(memory_bytes / needed) - 2 * cost.halo
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
