"""The one description of a step: a line above the function that does it.

``@step("reconstruct.sirt", title="SIRT", takes=TiltSeries, gives=Volume)`` is the step's entry
in the registry, its provenance and its cost estimate. The panels, the recipes, the command
line and the reference know a step only through its entry; its parameters are described by the
function's own type hints (see `napari_tomo4d.parameters`).
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from napari_tomo4d.content import Content, content_of, digest_of_digests, file_digest, is_plain
from napari_tomo4d.data import (
    AnyData,
    AnyTimeSeries,
    Labels,
    Table,
    TiltSeries,
    Volume,
    at_time,
    is_series,
    kind_of,
)
from napari_tomo4d.errors import DataError, RecipeError
from napari_tomo4d.parameters import Function, Parameter, Parameters, parameters_of, spread_options
from napari_tomo4d.progress import Progress, Watched
from napari_tomo4d.provenance import (
    Provenance,
    collect_notes,
    collect_warnings,
    jsonable,
    made_at_all_times,
    made_by,
    using,
    warn,
)
from napari_tomo4d.seals import provenance_of, sealed, stamped

Kind = type[TiltSeries] | type[Volume] | type[Labels] | type[Table]

KIND_NAMES: dict[Kind, str] = {
    TiltSeries: "tilt series",
    Volume: "volume",
    Labels: "labels",
    Table: "table",
}
"""What a person calls the kinds of data, in the order in which they come about."""

STAGES = ("preprocess", "denoise", "align", "reconstruct", "segment", "measure")
"""The stages that have steps, in the order of the data."""

F = TypeVar("F", bound=Function)


@dataclass(frozen=True)
class Cost:
    """What a reconstruction keeps in memory and does, per time point.

    Parameters
    ----------
    volumes, images : float
        Arrays of the size of the volume and of the images, the result included.
    passes : float
        Projections and back-projections per iteration, and what else takes as long.
    once : bool
        Whether there are no iterations.
    halo : int
        Slices on either side that a slice depends on, nearly.
    """

    volumes: float
    images: float
    passes: float
    once: bool = False
    halo: int = 0


@dataclass(frozen=True)
class Step:
    """One entry of the registry.

    Parameters
    ----------
    name : str
        Fixed name, ``stage.function``, as in recipes and provenance.
    title : str
        Name shown to a person.
    short : str
        The same in a word, for names of results.
    function : callable
        Takes the data first, then keyword parameters, then perhaps `progress`.
    takes, gives : type
        Kind of data: `TiltSeries`, `Volume`, `Labels` or `Table`.
    together : bool
        Whether the function takes all time points at once, and not each by itself.
    cost : Cost, optional
        What a reconstruction needs; nobody is told where there is none.
    also : dict of str to type
        Keyword arguments that are results of the same chain, and their kind:
        ``{"volumes": Volume}`` is given the last volumes made before the labels.
    """

    name: str
    title: str
    short: str
    function: Function
    takes: Kind
    gives: Kind
    together: bool = False
    cost: Cost | None = None
    also: dict[str, Kind] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """First line of the function's documentation."""
        return (self.function.__doc__ or "").strip().split("\n")[0]

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The described parameters, in order."""
        return parameters_of(self.function)

    @property
    def reconstructs(self) -> bool:
        """Whether the step makes volumes of tilt series."""
        return self.takes is TiltSeries and self.gives is Volume

    def title_of(self, name: str) -> str:
        """Return the name of what the step makes of a series of that name."""
        return name if self.takes is self.gives else f"{name} {self.title}"

    @property
    def stage(self) -> str:
        """The stage the step belongs to."""
        return self.name.split(".")[0]


STEPS: dict[str, Step] = {}
"""Every step whose stage was imported, by name; `napari_tomo4d.pipeline` imports all stages."""


def step(
    name: str,
    *,
    title: str,
    takes: Kind,
    gives: Kind,
    short: str = "",
    together: bool = False,
    cost: Cost | None = None,
    also: dict[str, Kind] | None = None,
    options: type | None = None,
) -> Callable[[F], F]:
    """Make a function a step: register it, check its parameters and record its provenance.

    The function takes the data first and returns data or a time series of it. Its parameters
    that are annotated with `Param` are checked before it runs. Every argument that is given is
    recorded: plain values as they are, arrays and data objects by content.

    Given a time series, a function that is not `together` runs for each time point, with
    ``{time}`` in texts replaced by the number of the time, from 1.

    What a step wants besides its data from the same chain it declares by `also`: with
    ``also={"volumes": Volume}`` and a keyword argument `volumes` that is None by default, a
    recipe hands on the last volumes that were made before.

    Parameters
    ----------
    name, title, takes, gives, short, together, cost, also
        As in `Step`; `short` is the title by default.
    options : dataclass, optional
        Has the defaults of a function's ``**options: Unpack[...]``, which are shown as keyword
        arguments like all others.

    Raises
    ------
    TypeError
        If the name does not end in the function's own, or is taken by another function.
    """

    def decorate(function: F) -> F:
        if name.partition(".")[2] != function.__name__:
            raise TypeError(
                f"The step {name!r} has to have the name of its function, {function.__name__}."
            )

        if options is not None:
            spread_options(function, options)

        @functools.wraps(function)
        def wrapper(*args: object, **kwargs: object) -> Any:
            return _run(entry, function, args, kwargs)

        entry = Step(name, title, short or title, wrapper, takes, gives, together, cost, also or {})
        taken = STEPS.get(name)
        if taken is not None and _place(taken.function) != _place(function):
            raise TypeError(f"There is a step {name!r} already, {_place(taken.function)}.")
        STEPS[name] = entry
        return wrapper  # type: ignore[return-value]

    return decorate


def _run(entry: Step, function: Function, args: tuple[object, ...], kwargs: Parameters) -> Any:
    """Check the arguments, run a step's function for all times, and record what it did."""
    bound = inspect.signature(function).bind(*args, **kwargs)
    first, item = next(iter(bound.arguments.items()))
    given = {name: value for name, value in bound.arguments.items() if name != first}
    takes_progress = "progress" in bound.signature.parameters
    progress: Progress = given.pop("progress", None) or Progress()
    _check_kind(entry, item)
    given, recorded = checked_arguments(entry, item, given)

    def work(one: Any, arguments: Parameters, told: Parameters, part: Watched) -> Any:
        extra = {"progress": part} if takes_progress else {}
        before = provenance_of(one)
        with collect_warnings() as messages, collect_notes() as notes, using() as instead:
            result = function(**{first: one}, **arguments, **extra)
        made = made_by(
            entry.name,
            before,
            {**told, **instead},
            warnings=messages,
            notes=notes,
            files=_files(function, arguments),
            finished=part.heard_finish and not instead,
        )
        return stamped(result, made)

    if entry.together or not is_series(item):
        return work(item, given, recorded, Watched(progress))
    items: list[Any] = []
    heard = False
    for i, one in enumerate(item):
        part = Watched(progress.part(i, len(item), item.label(i)))
        here = {n: at_time(v, i) if n in entry.also else v for n, v in given.items()}
        items.append(work(one, for_time(here, i), for_time(recorded, i), part))
        heard |= part.heard_finish
        progress.report(i + 1, len(item), entry.title)
        if progress.finish_requested and i + 1 < len(item):
            # a volume of one iteration for each time to come would be no result
            break
    return time_series_of(entry, item, items, recorded, finished=heard)


def provenance_as_by(name: str, item: AnyData, **arguments: object) -> Provenance:
    """Return the provenance that a step would give its result, for what was made without it.

    Parameters
    ----------
    name : str
        Of the step.
    item : TiltSeries, Volume, Labels or TimeSeries of those
        What the step would be given.
    **arguments
        As the step would be given them.
    """
    entry = get_step(name)
    _, recorded = checked_arguments(entry, item, arguments)
    return made_by(name, provenance_of(item), recorded)


def checked_arguments(
    entry: Step, item: AnyData, given: Parameters
) -> tuple[Parameters, Parameters]:
    """Return a step's arguments as its function gets them, and as provenance keeps them.

    Parameters
    ----------
    entry : Step
    item : TiltSeries, Volume, Labels or TimeSeries of those
        What the step works on.
    given : dict
        Its arguments without `progress`; those not given have their defaults.

    Returns
    -------
    passed, recorded : dict

    Raises
    ------
    ParameterError
        If a value has the wrong type or is out of range.
    """
    function = inspect.unwrap(entry.function)
    bound = inspect.signature(function).bind(item, **given)
    bound.apply_defaults()
    _, *others = bound.arguments.items()
    known = parameters_of(function)
    passed: Parameters = {}
    recorded: Parameters = {}
    for name, value in others:
        if name == "progress":
            continue
        passed[name] = value
        if name in known:
            passed[name] = known[name].check(value)
            if known[name].param.file and passed[name]:
                # a recipe may be written elsewhere
                passed[name] = os.path.abspath(passed[name])
            recorded[name] = jsonable(passed[name])
        elif name in entry.also and (value is None or _is_handed_on(value, item, entry.also[name])):
            if value is None:
                # else the recipe would hand on what there is
                recorded[name] = False
        elif value is not None:
            # the function works on what is recorded, to the last bit
            kept = as_told(value)
            passed[name] = kept.value if isinstance(kept, Content) else kept
            recorded[name] = kept
    return passed, recorded


def as_told(value: object) -> Any:
    """Return an argument as provenance keeps it: as it is, or by content."""
    return jsonable(value) if is_plain(value) else content_of(value)


def _is_handed_on(value: object, item: AnyData, kind: Kind) -> bool:
    """Return whether a recipe would hand on this: the last of its kind that the item is made of."""
    made, chain = provenance_of(value), getattr(item, "provenance", None)
    if made is None or chain is None:
        return False
    for earlier in reversed(chain.chain_from_file()):
        if earlier == made:
            return True
        if earlier.step in STEPS and STEPS[earlier.step].gives is kind:
            return False
    return False


def time_series_of(
    entry: Step,
    before: AnyTimeSeries,
    items: Sequence[Any],
    parameters: Parameters,
    *,
    finished: bool = False,
) -> AnyTimeSeries:
    """Return what a step made of every time point, as one time series with one provenance.

    Parameters
    ----------
    entry : Step
    before : TimeSeries
        What the step worked on.
    items : sequence
        What it made, one for each time; fewer if it was finished early.
    parameters : dict
        As provenance keeps them.
    finished : bool
        Whether one of them was finished early.
    """
    said: list[str] = []
    short = len(items) < len(before)
    if short:
        with collect_warnings() as said:
            count = f"after {len(items)} of {len(before)} time points"
            warn(f"{entry.title} was finished early, {count}.")
    made = made_at_all_times(
        entry.name,
        provenance_of(before),
        [one.provenance for one in items],
        parameters,
        warnings=said,
        finished=short or finished,
    )
    return sealed(before.first(len(items)).with_items(items, entry.title_of(before.name)), made)


def _files(function: Function, given: Parameters) -> dict[str, str]:
    known = parameters_of(function)
    return {n: file_digest(given[n]) for n, p in known.items() if p.param.file and given[n]}


def files_digest(entry: Step, path: str, times: int | None) -> str:
    """Return the SHA-256 of the file that a parameter names, or of those of all times."""
    if times is None or entry.together:
        return file_digest(path)
    return digest_of_digests(
        [file_digest(path.replace("{time}", str(i + 1))) for i in range(times)]
    )


def for_time(parameters: Parameters, time: int) -> Parameters:
    """Return parameters with ``{time}`` in texts replaced by the number of a time, from 1."""
    return {
        name: value.replace("{time}", str(time + 1)) if isinstance(value, str) else value
        for name, value in parameters.items()
    }


_BEFORE: dict[tuple[Kind, Kind], str] = {
    (TiltSeries, Volume): "reconstruct the tilt series first",
    (TiltSeries, Labels): "reconstruct the tilt series and segment the volume first",
    (Volume, Labels): "segment the volume first",
}
"""What has to be done with one kind of data to have another."""


def _check_kind(entry: Step, item: AnyData) -> None:
    kind = kind_of(item)
    if not issubclass(kind, entry.takes):
        wanted = KIND_NAMES[entry.takes]
        if kind in KIND_NAMES:
            other, advice = KIND_NAMES[kind], _BEFORE.get((kind, entry.takes), f"choose {wanted}")
        else:
            other = "a bare array" if isinstance(item, np.ndarray) else "other objects"
            advice = f"make {entry.takes.__name__} of it first"
        raise DataError(f"{entry.title} works on {wanted}, not on {other}; {advice}.")


def _place(function: Function) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def get_step(name: str) -> Step:
    """Return a step by name.

    Raises
    ------
    RecipeError
        If there is none; the message lists those there are.
    """
    try:
        return STEPS[name]
    except KeyError:
        raise RecipeError(
            f"There is no step {name!r}; the steps are {', '.join(sorted(STEPS))}."
        ) from None


def steps_of(
    stage: str | None = None, takes: Kind | None = None, gives: Kind | None = None
) -> list[Step]:
    """Return the steps of a stage, or those that take or give one kind of data.

    Parameters
    ----------
    stage : str, optional
        Such as ``"reconstruct"``.
    takes, gives : type, optional

    Returns
    -------
    list of Step
        In the order of the data, then by title.
    """
    kinds = list(KIND_NAMES)
    found = [
        s
        for s in STEPS.values()
        if stage in (None, s.stage) and takes in (None, s.takes) and gives in (None, s.gives)
    ]
    order = {name: i for i, name in enumerate(STAGES)}
    return sorted(
        found,
        key=lambda s: (order.get(s.stage, len(order)), kinds.index(s.takes), s.title.lower()),
    )
