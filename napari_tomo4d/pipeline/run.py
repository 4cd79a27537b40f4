"""Run steps and recipes, here or on a Dask cluster."""

from __future__ import annotations

import dataclasses
import inspect
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import psutil

from napari_tomo4d import io, measure, simulate
from napari_tomo4d.content import Content
from napari_tomo4d.data import (
    AnyData,
    AnyTiltSeries,
    AnyTimeSeries,
    Labels,
    Table,
    TiltSeries,
    Volume,
    is_series,
    kind_of,
    times_of,
)
from napari_tomo4d.errors import Cancelled, MissingExtraError, RecipeError, Tomo4DError
from napari_tomo4d.immutable import frozen
from napari_tomo4d.parameters import Parameters, check_names, check_parameters
from napari_tomo4d.pipeline.entries import SLAB, TIME
from napari_tomo4d.pipeline.recipe import Recipe, read_recipe
from napari_tomo4d.pipeline.slabs import run_in_slabs
from napari_tomo4d.pipeline.steps import get_step
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import made_at_all_times
from napari_tomo4d.reconstruct import estimate
from napari_tomo4d.registry import Kind, Step, checked_arguments, for_time
from napari_tomo4d.seals import provenance_of, sealed

Steps = Sequence[tuple[str, Parameters]]

_PAIRS = "measure.measure_pairs"


def run_step(
    name: str, item: AnyData, parameters: Parameters, progress: Progress | None = None
) -> Any:
    """Run one registered step on a tilt series or volume, or on every time of a series.

    Parameters
    ----------
    name : str
        Name of the step, see `STEPS`.
    item : TiltSeries, Volume, Labels or TimeSeries of those
    parameters : dict
        The step's parameters; those not given have their defaults. For a time series ``{time}``
        in a file's name stands for the number of the time point, from 1.
    progress : Progress, optional

    Returns
    -------
    TiltSeries, Volume, Labels, TimeSeries of those, or Table
        What the step gives; a TimeSeries for a TimeSeries.

    Raises
    ------
    RecipeError
        If there is no such step.
    ParameterError
        If a parameter is unknown, missing or not usable.
    DataError
        If the step works on something else.
    """
    function = get_step(name).function
    check_names(function, parameters)
    takes_progress = "progress" in inspect.signature(function).parameters
    return function(item, **parameters, **({"progress": progress} if takes_progress else {}))


def run_steps(item: AnyData, steps: Steps, progress: Progress | None = None) -> Any:
    """Run several steps one after the other.

    A step after one that gives a table goes on with the data before it. A step is also given
    what it wants of earlier results (see `Step.also`): the last of that kind, unless its
    parameters say what else, or False for none.

    Parameters
    ----------
    item : TiltSeries, Volume, Labels or TimeSeries of those
    steps : sequence of (name, parameters)
        As for `run_step`.
    progress : Progress, optional

    Returns
    -------
    TiltSeries, Volume, Labels, TimeSeries of those, or Table
        What the last step gives.

    Raises
    ------
    RecipeError, ParameterError, DataError
        As `run_step`.
    """
    return _run_chain([item], steps, progress)[-1]


def _run_chain(before: list[Any], steps: Steps, progress: Progress | None = None) -> list[Any]:
    """Return what was there before, and what each step gave."""
    progress = progress or Progress()
    results = list(before)
    for i, (name, parameters) in enumerate(steps):
        step = get_step(name)
        given = {n: last_of(results, kind) for n, kind in step.also.items()}
        for key, value in parameters.items():
            given[key] = None if key in step.also and value is False else value
        part = progress.part(i, len(steps), step.title)
        time = given.pop(TIME, None)
        run = _slabs_in_memory if SLAB in given else run_step
        result = run(name, _data_in(results), given, part)
        results.append(_taken(result, time, name))
    return results


def _taken(item: AnyData, time: int | None, what: str) -> AnyData:
    """Return one time, counted from 1, of what a step gave, or all of it."""
    if time is None:
        return item
    if not 1 <= time <= len(times_of(item)):
        raise RecipeError(f"{what} has no time {time}; there are {len(times_of(item))}.")
    return times_of(item)[time - 1]


def _slabs_in_memory(
    name: str, item: AnyTiltSeries, given: Parameters, progress: Progress
) -> AnyData:
    """Repeat a reconstruction that was made in slabs, on the way to something else."""
    with tempfile.TemporaryDirectory() as folder:
        stored = run_in_slabs(name, item, given, f"{folder}/volume.zarr", progress=progress)
        # seals are those of the arrays: these are others than the lazy ones
        volumes = [_resealed(v, data=frozen(np.asarray(v.data))) for v in times_of(stored)]
    result: AnyData = _resealed(stored, series=volumes) if is_series(stored) else volumes[0]
    return result


def _resealed(item: Any, **changes: object) -> Any:
    return sealed(dataclasses.replace(item, **changes), item.provenance)


def _data_in(results: Sequence[Any]) -> Any:
    """Return what the next step works on: the last result that is no table."""
    return next(r for r in reversed(results) if not isinstance(r, Table))


def last_of(results: Sequence[Any], kind: Kind) -> Any:
    """Return the last of several results that is of a kind, or None."""
    return next((r for r in reversed(results) if kind_of(r) is kind), None)


def run_recipe(
    recipe: str | Path | Recipe,
    scheduler: str | None = None,
    progress: Progress | None = None,
    *,
    memory_gb: float | None = None,
    overwrite: bool | None = None,
) -> Any:
    """Repeat a recipe: read, run its steps, write the result.

    Parameters
    ----------
    recipe : str, Path or Recipe
        A TOML file, or a recipe already in memory.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``"tcp://host:8786"``; every time point is a
        task. Runs in this process if None.
    progress : Progress, optional
    memory_gb : float, optional
        Memory that a reconstruction may take: it then goes slab by slab into its OME-Zarr
        output. It does so anyway if the volume would not fit into the free memory.
    overwrite : bool, optional
        Whether an output that exists is replaced; by default as the recipe says, and that of a
        recipe from a file in its own folder only.

    Returns
    -------
    TiltSeries, Volume, Labels, TimeSeries of those, or Table
        The result, also when it was written; made in slabs, it is read when it is used.

    Raises
    ------
    Tomo4DError
        If the recipe, an input or a parameter is not usable, or the output exists.
    """
    recipe = recipe if isinstance(recipe, Recipe) else read_recipe(recipe)
    if scheduler is not None and memory_gb is not None:
        raise RecipeError(
            "The memory of a reconstruction can't be given on a cluster, where each worker has its "
            "own; leave it out, or give the reconstruction slab_slices in the recipe."
        )
    progress = progress or Progress()
    if overwrite is None:
        overwrite = bool(recipe.output.get("overwrite", False))
        if overwrite:
            _check_within(recipe)
    output, report = _check_outputs(recipe, overwrite)
    item = _read_input(recipe)
    recipe.check_files(len(item) if is_series(item) else None)
    steps = recipe.resolved_steps()
    if scheduler is not None:
        results = _run_on_cluster(item, steps, scheduler, progress, whole=report is not None)
    else:
        count = len(steps)
        results = [item]
        if count > 1:
            results = _run_chain(results, steps[:-1], progress.part(0, 2))
        rest = progress.part(1, 2) if count > 1 else progress
        if steps:
            stored = _in_slabs(
                _data_in(results), steps[-1], output, memory_gb, overwrite=overwrite, progress=rest
            )
            if stored is not None:
                return stored
        results = _run_chain(results, steps[-1:], rest)
    result = results[-1]
    if output is not None and isinstance(result, Table):
        measure.write_table(result.frame, output, overwrite=overwrite)
    elif output is not None:
        io.write(result, output, overwrite=overwrite, progress=progress)
    if report is not None:
        try:
            _write_report(results, report, overwrite, progress)
        except (Cancelled, KeyboardInterrupt) as stop:
            if output is None:
                raise
            raise Cancelled(f"The report was cancelled; {output} was written before.") from stop
    return result


def _check_within(recipe: Recipe) -> None:
    """Raise `RecipeError` if a recipe from a file asks to replace what is outside its folder."""
    if recipe.folder == Path():
        return
    for key in ("path", "report"):
        target = recipe.output.get(key)
        if target is None:
            continue
        place = Path(recipe.resolve(target))
        inside = place.resolve().is_relative_to(recipe.folder.resolve())
        if place.exists() and not inside:
            raise RecipeError(
                f"The recipe asks to replace {place}, which is outside its folder "
                f"{recipe.folder.resolve()}; use --overwrite if that is what you want."
            )


def _check_outputs(recipe: Recipe, overwrite: bool) -> tuple[str | None, str | None]:
    """Return where result and report go, refused before hours of work and not after."""
    output, report = (recipe.output.get(k) for k in ("path", "report"))
    if output is not None:
        output = recipe.resolve(output)
        if recipe.steps and get_step(recipe.steps[-1][0]).gives is Table:
            io.check_target(output, overwrite=overwrite, suffixes=(".csv",), advice=".csv")
        else:
            io.check_target(output, overwrite=overwrite)
    if report is not None:
        report = recipe.resolve(report)
        io.check_target(report, overwrite=overwrite, suffixes=(".html",), advice=".html")
    return output, report


def _write_report(results: list[Any], path: str, overwrite: bool, progress: Progress) -> None:
    """Write the report of the last labels, of their volumes and of pairs measured on them."""
    labels = last_of(results, Labels)
    if labels is None:
        raise RecipeError("A report is about labels; this recipe reads and makes none.")
    pairs = [r for r in results if isinstance(r, Table) and r.provenance.step == _PAIRS]  # type: ignore[union-attr]
    told = pairs[-1].provenance.parameters if pairs else {}  # type: ignore[union-attr]
    volumes = told.get("volumes")
    measure.write_report(
        path,
        labels,
        pairs[-1].frame if pairs else None,
        volumes=volumes.value if isinstance(volumes, Content) else last_of(results, Volume),
        overwrite=overwrite,
        progress=progress,
        **({"section": told["section"]} if pairs else {}),
    )


def _memory_for_slabs(item: AnyTiltSeries, step: Step, parameters: Parameters) -> float | None:
    """Return the memory for a reconstruction in slabs, None if it need not be in slabs."""
    if step.cost is None:
        return None
    parameters = check_parameters(step.function, parameters)
    times = times_of(item)
    needed = estimate(
        step.cost,
        len(times[0]),
        times[0].image_shape,
        parameters.get("thickness"),
        times[0].tilt_axis,
        times=len(times) if step.together else 1,
    ).memory_bytes
    free = psutil.virtual_memory().available
    return 0.5 * free if needed > 0.7 * free else None


def _in_slabs(
    item: AnyData,
    chosen: tuple[str, Parameters],
    output: str | None,
    memory_gb: float | None,
    *,
    overwrite: bool,
    progress: Progress,
) -> Any:
    """Reconstruct in slabs into the output; None if it need not or can't be in slabs."""
    name, parameters = chosen
    step = get_step(name)
    if output is None or not output.endswith(".zarr") or not step.reconstructs:
        return None
    if TIME in parameters or kind_of(item) is not TiltSeries:
        return None
    series = cast(AnyTiltSeries, item)
    memory = None if memory_gb is None else memory_gb * 1e9
    if memory is None and SLAB not in parameters:
        memory = _memory_for_slabs(series, step, parameters)
        if memory is None:
            return None
    return run_in_slabs(
        name,
        series,
        parameters,
        output,
        memory_bytes=memory or 0.0,
        overwrite=overwrite,
        progress=progress,
    )


def _read_input(recipe: Recipe) -> AnyData:
    given = recipe.resolved_input()
    time = given.pop(TIME, None)
    return _taken(_read(given), time, "The input")


def _read(given: Parameters) -> Any:
    name = given.pop("simulate", None)
    if name is None:
        return io.read(**given)
    if name != "sintering":
        raise RecipeError(f"There is no simulation {name!r}; there is 'sintering'.")
    check_parameters(simulate.sintering, given)
    return simulate.sintering(**given)[0]


def _run_on_cluster(
    item: AnyData, steps: Steps, scheduler: str, progress: Progress, *, whole: bool
) -> list[Any]:
    """Run all steps, every time point as a task if that can be; return the results kept."""
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise MissingExtraError(
            'A Dask cluster needs the extra: pip install "napari-tomo4d[distributed]".'
        ) from error
    try:
        client = Client(scheduler, timeout="10s")
    except (OSError, ValueError) as error:
        raise Tomo4DError(
            f"There is no Dask scheduler at {scheduler}; start one or check the address."
        ) from error
    together = whole or any(get_step(name).together or TIME in p for name, p in steps)
    items = [item] if together else list(times_of(item))
    with client:
        # scattered first: a task graph is no place for images
        futures = [
            client.submit(
                _run_chain if together else run_steps,
                client.scatter([one] if together else one),
                list(steps) if together else [(n, for_time(p, i)) for n, p in steps],
                pure=False,
            )
            for i, one in enumerate(items)
        ]
        try:
            for done, _ in enumerate(as_completed(futures), 1):
                progress.report(done, len(futures), "Time points on the cluster")
            results = client.gather(futures)
        except BaseException:
            client.cancel(futures)
            raise
    if together:
        everything: list[Any] = results[0]
        return everything
    return [_told_once(item, steps, results) if is_series(item) else results[0]]


def _told_once(item: AnyTimeSeries, steps: Steps, results: Sequence[Any]) -> AnyTimeSeries:
    """Return what steps made of each time as a series that tells them as a local run does."""
    made, title = provenance_of(item), item.name
    for k, (name, parameters) in enumerate(steps, -len(steps)):
        step = get_step(name)
        beside = {SLAB: parameters[SLAB]} if SLAB in parameters else {}
        own = {n: v for n, v in parameters.items() if n not in beside}
        recorded = checked_arguments(step, item, own)[1] | beside
        one_by_one = [result.provenance.chain()[k] for result in results]
        made = made_at_all_times(name, made, one_by_one, recorded)
        title = step.title_of(title)
    return item if made is None else sealed(item.with_items(results, title), made)
