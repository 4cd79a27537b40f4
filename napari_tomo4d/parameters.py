"""The one description of a step's parameters, used inside ``Annotated`` type hints.

``iterations: Annotated[int, Param("...", minimum=1)] = 50`` is read by the panel's form,
the recipe reader, the command line's help and the reference page alike.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_tomo4d.errors import ParameterError

Parameters = dict[str, Any]
"""Arguments of a step by name, as forms, recipes and provenance keep them."""

Function = Callable[..., Any]
"""Of a step, with whatever arguments it takes."""


AUTOMATIC = "automatic"
"""What recipes write for None where None is not the default: TOML has no null."""


@dataclass(frozen=True)
class Param:
    """What a user has to know about one parameter.

    Parameters
    ----------
    help : str
        One line: the effect of the parameter.
    unit : str
        Unit shown beside the label, empty for a plain number.
    label : str
        Label in a form; made from the parameter's name when empty.
    minimum, maximum : float, optional
        Inclusive range of a number.
    step : float, optional
        Increment of a spin box.
    choices : collection of str
        Allowed values of a string; a table that grows, such as `THRESHOLDS`, stays live.
    titles : mapping of str to str
        What a form calls the choices; a choice without one is shown as it is.
    advanced : bool
        Shown under *Advanced* in a form.
    empty : str
        Shown in a form where no value is given.
    file : bool
        Whether the value names a file that is read.
    """

    help: str
    unit: str = ""
    label: str = ""
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: Collection[str] = field(default=(), hash=False)
    titles: Mapping[str, str] = field(default_factory=dict, hash=False)
    advanced: bool = False
    empty: str = "automatic"
    file: bool = False


@dataclass(frozen=True)
class Parameter:
    """One parameter of a step: its name, type, default and description."""

    name: str
    type: Any
    default: Any
    optional: bool
    param: Param

    @property
    def required(self) -> bool:
        """Whether the parameter has no default."""
        return self.default is inspect.Parameter.empty

    @property
    def label(self) -> str:
        """Label with its unit, as a form shows it."""
        # the unit stands behind the label, so not in it
        name = self.name.removesuffix(f"_{self.param.unit}")
        text = self.param.label or name.replace("_", " ").capitalize()
        return f"{text} ({self.param.unit})" if self.param.unit else text

    def check(self, value: Any) -> Any:
        """Return `value` in the parameter's type, or raise `ParameterError`.

        The word `AUTOMATIC` stands for None where None may be given.
        """
        if self.optional and self.type is not str and isinstance(value, str):
            value = None if value == AUTOMATIC else value
        if value is None:
            if self.optional:
                return None
            raise ParameterError(f"{self.name} needs a value.")
        value = self._convert(value)
        p = self.param
        if p.choices and value not in p.choices:
            raise ParameterError(
                f"{self.name} is {value!r}; choose one of {', '.join(map(repr, p.choices))}."
            )
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, (int, float)) and not isinstance(number, bool):
                self._check_range(number)
        return value

    def _convert(self, value: Any) -> Any:
        kind = typing.get_origin(self.type) or self.type
        if kind is bool:
            if isinstance(value, bool):
                return value
        elif kind is int:
            if not isinstance(value, bool) and hasattr(value, "__index__"):
                return int(value)
            if isinstance(value, float) and value.is_integer():
                return int(value)
        elif kind is float:
            if not isinstance(value, (bool, str)):
                try:
                    return float(value)
                except TypeError:
                    pass
        elif kind is str:
            if isinstance(value, str):
                return value
        elif kind is tuple:
            if isinstance(value, (list, tuple)):
                return self._convert_tuple(value)
        else:
            return value
        raise ParameterError(
            f"{self.name} is {value!r}, which is not {_KIND_NAMES.get(kind, kind)}."
        )

    def _convert_tuple(self, value: Any) -> tuple[Any, ...]:
        args = typing.get_args(self.type)
        repeated = len(args) == 2 and args[1] is Ellipsis
        if not repeated and len(args) != len(value):
            raise ParameterError(f"{self.name} needs {len(args)} values, {len(value)} were given.")
        types_ = [args[0]] * len(value) if repeated else list(args)
        return tuple(
            Parameter(self.name, t, None, False, self.param)._convert(v)
            for t, v in zip(types_, value, strict=True)
        )

    def _check_range(self, number: float) -> None:
        low, high = self.param.minimum, self.param.maximum
        if number != number:
            raise ParameterError(f"{self.name} is not a number.")
        if (low is not None and number < low) or (high is not None and number > high):
            unit = f" {self.param.unit}" if self.param.unit else ""
            if high is None:
                expected = f"at least {low:g}{unit}"
            elif low is None:
                expected = f"at most {high:g}{unit}"
            else:
                expected = f"between {low:g} and {high:g}{unit}"
            raise ParameterError(f"{self.name} is {number:g}; it has to be {expected}.")


_KIND_NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    tuple: "a list",
}


def spread_options(function: Function, defaults: type) -> None:
    """Show a function's ``**options: Unpack[Options]`` as keyword arguments of its own.

    Parameters
    ----------
    function : callable
        Gets a signature in which each entry of the `TypedDict` is an argument.
    defaults : dataclass
        Whose fields have the defaults.
    """
    signature = inspect.signature(function)
    *own, last = signature.parameters.values()
    if last.kind is not inspect.Parameter.VAR_KEYWORD:
        raise TypeError(f"{function.__qualname__} takes no **options.")
    hints = typing.get_type_hints(function, include_extras=True)
    (entries,) = typing.get_args(hints[last.name])
    keywords = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=getattr(defaults, name),
            annotation=hint,
        )
        for name, hint in typing.get_type_hints(entries, include_extras=True).items()
    ]
    # what a form shows comes first, as written
    described = [k for k in keywords if typing.get_origin(k.annotation) is typing.Annotated]
    others = [k for k in keywords if k not in described]
    function.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*own, *described, *others]
    )


def parameters_of(function: Function) -> dict[str, Parameter]:
    """Return the described parameters of a step function, in order.

    Only parameters annotated with `Param` are listed: the data a step works on and
    its `progress` are not parameters.
    """
    function = inspect.unwrap(function)
    hints = typing.get_type_hints(function, include_extras=True)
    result = {}
    for name, p in inspect.signature(function).parameters.items():
        hint = hints.get(name, p.annotation)
        if typing.get_origin(hint) is not typing.Annotated:
            continue
        base, *extras = typing.get_args(hint)
        param = next((e for e in extras if isinstance(e, Param)), None)
        if param is None:
            continue
        optional = False
        if typing.get_origin(base) in (types.UnionType, typing.Union):
            members = [a for a in typing.get_args(base) if a is not type(None)]
            optional = len(members) < len(typing.get_args(base))
            if len(members) != 1:
                raise TypeError(f"{function.__qualname__}: {name} must have one type or None")
            base = members[0]
        result[name] = Parameter(name, base, p.default, optional, param)
    return result


def arguments_of(function: Function) -> tuple[str, ...]:
    """Return the other keyword arguments of a step: arrays, volumes, and what else counts.

    Not the data it works on, which comes first, nor `progress`.
    """
    names = list(inspect.signature(function).parameters)[1:]
    known = parameters_of(function)
    return tuple(name for name in names if name not in known and name != "progress")


def check_names(function: Function, given: Collection[str]) -> None:
    """Raise `ParameterError` for a name that a step doesn't know, or one that is missing."""
    known, others = parameters_of(function), arguments_of(function)
    for name in given:
        if name not in known and name not in others:
            names = ", ".join([*known, *others]) or "none"
            raise ParameterError(f"There is no parameter {name!r}; this step knows {names}.")
    for name, parameter in known.items():
        if parameter.required and name not in given:
            raise ParameterError(f"The parameter {name!r} is missing: {parameter.param.help}")


def check_parameters(function: Function, given: Parameters) -> Parameters:
    """Validate keyword parameters of a step and fill in its defaults.

    Other arguments that the step takes are returned as they are.

    Raises
    ------
    ParameterError
        For an unknown name, a wrong type, a value out of range or a missing value.
    """
    check_names(function, given)
    known = parameters_of(function)
    result = {name: value for name, value in given.items() if name not in known}
    for name, parameter in known.items():
        result[name] = parameter.check(given[name]) if name in given else parameter.default
    return result
