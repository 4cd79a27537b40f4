"""Run steps and recipes, here or on a Dask cluster."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from napari_tomo4d import io, measure, simulate
from napari_tomo4d.data import Table, TiltSeries, Volume, is_series, times_of
from napari_tomo4d.errors import MissingExtraError, RecipeError, Tomo4DError
from napari_tomo4d.parameters import check_parameters
from napari_tomo4d.pipeline.recipe import Recipe, read_recipe
from napari_tomo4d.pipeline.slabs import run_in_slabs
from napari_tomo4d.pipeline.steps import get_step
from napari_tomo4d.pipeline.times import as_time_series
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import collect_warnings, warn
from napari_tomo4d.reconstruct import estimate

Steps = Sequence[tuple[str, dict[str, Any]]]


def run_step(
    name: str, item: Any, parameters: dict[str, Any], progress: Progress | None = None
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
    What the step gives; a TimeSeries for a TimeSeries.
    """
    step = get_step(name)
    given = check_parameters(step.function, parameters)
    progress = progress or Progress()
    takes_progress = "progress" in inspect.signature(step.function).parameters

    def run_one(one: Any, part: Progress, parameters: dict[str, Any] = given) -> Any:
        extra = {"progress": part} if takes_progress else {}
        return step.function(one, **parameters, **extra)

    if step.together or not is_series(item):
        return run_one(item, progress)
    items: list[Any] = []
    messages: list[str] = []
    for i, one in enumerate(item):
        part = progress.part(i, len(item), item.label(i))
        items.append(run_one(one, part, _at_time(given, i)))
        progress.report(i + 1, len(item), step.title)
        if progress.finish_requested and i + 1 < len(item):
            # a volume of one iteration for each time to come would be no result
            with collect_warnings() as messages:
                warn(f"{step.title} was finished early, after {i + 1} of {len(item)} time points.")
            item = item.first(i + 1)
            break
    return as_time_series(item, items, name, given, messages)


def _at_time(parameters: dict[str, Any], time: int) -> dict[str, Any]:
    """Return parameters with ``{time}`` in file names replaced by the number of a time, from 1."""
    return {
        name: value.replace("{time}", str(time + 1)) if isinstance(value, str) else value
        for name, value in parameters.items()
    }


def run_steps(item: Any, steps: Steps, progress: Progress | None = None) -> Any:
    """Run several steps one after the other.

    Parameters
    ----------
    item : TiltSeries, Volume, Labels or TimeSeries of those
    steps : sequence of (name, parameters)
        As for `run_step`.
    progress : Progress, optional

    Returns
    -------
    What the last step gives.
    """
    progress = progress or Progress()
    for i, (name, parameters) in enumerate(steps):
        part = progress.part(i, len(steps), get_step(name).title)
        item = run_step(name, item, parameters, part)
    return item


def run_recipe(
    recipe: str | Path | Recipe,
    scheduler: str | None = None,
    progress: Progress | None = None,
    *,
    memory_gb: float | None = None,
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
    progress = progress or Progress()
    output = recipe.output.get("path")
    overwrite = bool(recipe.output.get("overwrite", False))
    if output is not None:
        output = recipe.resolve(output)
        # before hours of work, not after
        if recipe.steps and get_step(recipe.steps[-1][0]).gives is Table:
            io.check_target(output, overwrite=overwrite, suffixes=(".csv",), advice=".csv")
        else:
            io.check_target(output, overwrite=overwrite)
    item = _read_input(recipe)
    steps = recipe.resolved_steps()
    if scheduler is not None:
        result = _run_on_cluster(item, steps, scheduler, progress)
    else:
        count = len(steps)
        result = run_steps(item, steps[:-1], progress.part(0, 2)) if count > 1 else item
        budget = _memory_for_slabs(result, steps, output, memory_gb)
        rest = progress.part(1, 2) if count > 1 else progress
        if budget is not None and output is not None:
            name, parameters = steps[-1]
            return run_in_slabs(
                name,
                result,
                parameters,
                output,
                memory_bytes=budget,
                overwrite=overwrite,
                progress=rest,
            )
        result = run_steps(result, steps[-1:], rest)
    if output is not None and isinstance(result, Table):
        measure.write_table(result.frame, output, overwrite=overwrite)
    elif output is not None:
        io.write(result, output, overwrite=overwrite, progress=progress)
    return result


def _memory_for_slabs(
    item: Any, steps: Steps, output: str | None, memory_gb: float | None
) -> float | None:
    """Return the memory for a reconstruction in slabs, None if it need not be in slabs."""
    if not steps or output is None or not output.endswith(".zarr"):
        return None
    step, parameters = get_step(steps[-1][0]), steps[-1][1]
    if (step.takes, step.gives) != (TiltSeries, Volume):
        return None
    if memory_gb is not None:
        return memory_gb * 1e9
    times = times_of(item)
    needed = estimate(
        len(times[0]),
        times[0].image_shape,
        parameters.get("thickness"),
        times[0].tilt_axis,
        step.name.split(".")[1],
        times=len(times) if step.together else 1,
    ).memory_bytes
    free = psutil.virtual_memory().available
    return 0.5 * free if needed > 0.7 * free else None


def _read_input(recipe: Recipe) -> Any:
    given = recipe.resolved_input()
    name = given.pop("simulate", None)
    if name is None:
        return io.read(**given)
    if name != "sintering":
        raise RecipeError(f"There is no simulation {name!r}; there is 'sintering'.")
    check_parameters(simulate.sintering, given)
    return simulate.sintering(**given)[0]


def _run_on_cluster(item: Any, steps: Steps, scheduler: str, progress: Progress) -> Any:
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
    together = any(get_step(name).together for name, _ in steps)
    items = [item] if together else list(times_of(item))
    with client:
        # scattered first: a task graph is no place for images
        futures = [
            client.submit(
                run_steps,
                client.scatter(one),
                list(steps) if together else [(n, _at_time(p, i)) for n, p in steps],
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
    if len(results) == 1 and items[0] is item:
        return results[0]
    # the chain of steps, told once for the whole series as a local run tells it
    result = item
    for name, parameters in steps:
        given = check_parameters(get_step(name).function, parameters)
        result = as_time_series(result, results, name, given)
    return result
