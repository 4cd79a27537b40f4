"""What may stand in a recipe beside the parameters of its steps, and of what type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from napari_tomo4d.errors import RecipeError
from napari_tomo4d.parameters import Parameters

TIME = "take_time"
"""Entry of the input or of a step: only this time, from 1, of what it gives goes on."""
SLAB = "slab_slices"
"""Entry of a reconstruction in provenance and recipe: how many slices were made at a time."""


class Entry(NamedTuple):
    """One entry: how its values are called, and whether a value is one."""

    what: str
    holds: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1


def _is_path(value: Any) -> bool:
    return isinstance(value, (str, Path)) and str(value) != ""


def _are(one: Callable[[Any], bool], value: Any) -> bool:
    return (
        isinstance(value, (list, tuple, np.ndarray)) and bool(len(value)) and all(map(one, value))
    )


_NUMBER = Entry("a number", _is_number)
_NUMBERS = Entry("a list of numbers", lambda v: _are(_is_number, v))
_TEXT = Entry("a text", lambda v: isinstance(v, str))
_PATH = Entry("a path", _is_path)
_COUNT = Entry("a whole number from 1", _is_count)

INPUT = {
    "path": Entry("a path or a list of paths", lambda v: _is_path(v) or _are(_is_path, v)),
    "angles_deg": Entry(
        "a list of numbers or a path", lambda v: _is_path(v) or _are(_is_number, v)
    ),
    "start_deg": _NUMBER,
    "step_deg": _NUMBER,
    "pixel_size_nm": Entry(
        "a number, or one for each axis", lambda v: _is_number(v) or _are(_is_number, v)
    ),
    "tilt_axis": _TEXT,
    "times_s": _NUMBERS,
    "temperatures_c": _NUMBERS,
    "kind": _TEXT,
    TIME: _COUNT,
}
"""Entries under ``[input]``: the keyword arguments of `napari_tomo4d.read`."""
OUTPUT = {
    "path": _PATH,
    "report": _PATH,
    "overwrite": Entry("true or false", lambda v: isinstance(v, bool)),
}
STEP = {TIME: _COUNT}
"""What every step may hold beside its parameters."""
RECONSTRUCTION = {**STEP, SLAB: _COUNT}


def check_entries(where: str, given: Parameters, allowed: Mapping[str, Entry]) -> None:
    """Raise `RecipeError` for an entry that is unknown, or whose value is of another type.

    Parameters
    ----------
    where : str
        Begins the message, such as ``"The recipe's [input]"``.
    given : dict
        None counts as not given.
    allowed : dict of str to Entry
    """
    for name, value in given.items():
        if name not in allowed:
            raise RecipeError(
                f"{where} has the unknown entry {name!r}; it may hold {', '.join(allowed)}."
            )
        if value is not None and not allowed[name].holds(value):
            raise RecipeError(f"{where}: {name} is {value!r}; it has to be {allowed[name].what}.")
