"""The one description of a step: a line above the function that does it.

``@step("reconstruct.sirt", title="SIRT", takes=TiltSeries, gives=Volume)`` is the step's entry
in the registry, its provenance and its cost estimate. The panels, the recipes, the command
line and the reference know a step only through its entry; its parameters are described by the
function's own type hints (see `napari_tomo4d.parameters`).
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from napari_tomo4d.data import Labels, Table, TiltSeries, Volume
from napari_tomo4d.errors import RecipeError
from napari_tomo4d.parameters import Parameter, parameters_of
from napari_tomo4d.provenance import (
    Provenance,
    collect_notes,
    collect_warnings,
    jsonable,
    software_version,
)

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

F = TypeVar("F", bound=Callable[..., Any])


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
    function : callable
        Takes the data first, then keyword parameters, then perhaps `progress`.
    takes, gives : type
        Kind of data: `TiltSeries`, `Volume`, `Labels` or `Table`.
    together : bool
        Whether the function takes all time points at once, and not each by itself.
    cost : Cost, optional
        What a reconstruction needs; None where nobody asks.
    also : dict of str to type
        Keyword arguments that are results of the same chain, and their kind:
        ``{"volumes": Volume}`` is given the last volumes made before the labels.
    """

    name: str
    title: str
    function: Callable[..., Any]
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
    together: bool = False,
    cost: Cost | None = None,
    also: dict[str, Kind] | None = None,
) -> Callable[[F], F]:
    """Make a function a step: register it, check its parameters and record its provenance.

    The function takes the data first and returns data or a time series of it. Its parameters
    that are annotated with `Param` are checked before it runs.

    Parameters
    ----------
    name, title, takes, gives, together, cost, also
        As in `Step`.

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
        known = parameters_of(function)
        signature = inspect.signature(function)

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            for key, parameter in known.items():
                bound.arguments[key] = parameter.check(bound.arguments[key])
            with collect_warnings() as messages, collect_notes() as notes:
                result = function(*bound.args, **bound.kwargs)
            provenance = Provenance(
                step=name,
                parameters={n: jsonable(bound.arguments[n]) for n in known},
                inputs=tuple(
                    p
                    for n, v in bound.arguments.items()
                    if n not in known and (p := getattr(v, "provenance", None)) is not None
                ),
                warnings=tuple(messages),
                software=software_version(),
                notes=tuple(notes),
            )
            if hasattr(result, "with_items"):
                items = [dataclasses.replace(r, provenance=provenance) for r in result]
                result = result.with_items(items)
            return dataclasses.replace(result, provenance=provenance)

        taken = STEPS.get(name)
        if taken is not None and _place(taken.function) != _place(function):
            raise TypeError(f"There is a step {name!r} already, {_place(taken.function)}.")
        STEPS[name] = Step(name, title, wrapper, takes, gives, together, cost, also or {})
        return wrapper  # type: ignore[return-value]

    return decorate


def _place(function: Callable[..., Any]) -> str:
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
