"""Run steps and recipes, here or on a Dask cluster."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_tomo4d import io, simulate
from napari_tomo4d.data import TimeSeries
from napari_tomo4d.errors import MissingExtraError, RecipeError, Tomo4DError
from napari_tomo4d.parameters import check_parameters
from napari_tomo4d.pipeline.recipe import Recipe, read_recipe
from napari_tomo4d.pipeline.steps import get_step
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import Provenance, collecting, jsonable, software_version, warn

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
        The step's parameters; those not given have their defaults.
    progress : Progress, optional

    Returns
    -------
    What the step gives; a TimeSeries for a TimeSeries.
    """
    step = get_step(name)
    given = check_parameters(step.function, parameters)
    progress = progress or Progress()
    takes_progress = "progress" in inspect.signature(step.function).parameters

    def run_one(one: Any, part: Progress) -> Any:
        extra = {"progress": part} if takes_progress else {}
        return step.function(one, **given, **extra)

    if step.together or not isinstance(item, TimeSeries):
        return run_one(item, progress)
    items: list[Any] = []
    said: list[str] = []
    for i, one in enumerate(item):
        items.append(run_one(one, progress.part(i, len(item), item.label(i))))
        progress.report(i + 1, len(item), step.title)
        if progress.finish_requested and i + 1 < len(item):
            # a volume of one iteration for each time to come would be no result
            with collecting() as said:
                warn(f"{step.title} was finished early, after {i + 1} of {len(item)} time points.")
            item = item.first(i + 1)
            break
    return _as_time_series(item, items, name, given, said)


def run_steps(item: Any, steps: Steps, progress: Progress | None = None) -> Any:
    """Run several steps one after the other."""
    progress = progress or Progress()
    for i, (name, parameters) in enumerate(steps):
        part = progress.part(i, len(steps), get_step(name).title)
        item = run_step(name, item, parameters, part)
    return item


def run_recipe(
    recipe: str | Path | Recipe, scheduler: str | None = None, progress: Progress | None = None
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

    Returns
    -------
    TiltSeries, Volume, Labels or TimeSeries of those
        The result, also when it was written.

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
        io.check_target(output, overwrite=overwrite)
    item = _read_input(recipe)
    steps = recipe.resolved_steps()
    if scheduler is None:
        result = run_steps(item, steps, progress)
    else:
        result = _run_on_cluster(item, steps, scheduler, progress)
    if output is not None:
        io.write(result, output, overwrite=overwrite, progress=progress)
    return result


def _read_input(recipe: Recipe) -> Any:
    given = recipe.resolved_input()
    name = given.pop("simulate", None)
    if name is None:
        return io.read(**given)
    if name != "sintering":
        raise RecipeError(f"There is no simulation {name!r}; there is 'sintering'.")
    check_parameters(simulate.sintering, given)
    return simulate.sintering(**given)[0]


def _as_time_series(
    times: TimeSeries[Any],
    items: list[Any],
    name: str,
    parameters: dict[str, Any],
    said: Sequence[str] = (),
) -> TimeSeries[Any]:
    before = times.provenance
    provenance = Provenance(
        step=name,
        parameters=jsonable(parameters),
        inputs=() if before is None else (before,),
        warnings=tuple(dict.fromkeys([w for i in items for w in i.provenance.warnings] + [*said])),
        software=software_version(),
        notes=tuple(dict.fromkeys(n for i in items for n in i.provenance.notes)),
    )
    step = get_step(name)
    title = times.name if step.takes == step.gives else f"{times.name} {step.title}"
    result = times.with_items(items, title)
    return dataclasses.replace(result, provenance=provenance)


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
    items = [item] if together or not isinstance(item, TimeSeries) else list(item)
    with client:
        # scattered first: a task graph is no place for images
        futures = [
            client.submit(run_steps, client.scatter(one), list(steps), pure=False) for one in items
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
        result = _as_time_series(result, results, name, given)
    return result
