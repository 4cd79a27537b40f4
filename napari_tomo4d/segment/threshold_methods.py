"""The methods of the step *Threshold*: a function and one line each."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from skimage.filters import apply_hysteresis_threshold

from napari_tomo4d.errors import ParameterError
from napari_tomo4d.segment.levels import multi_otsu_levels, otsu_level, plateaus

Find = Callable[..., list[float]]
Mark = Callable[[np.ndarray, Sequence[float]], np.ndarray]


def above(array: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Return how many of the levels each voxel (z, y, x) is brighter than, as int32."""
    mask = np.zeros(array.shape, np.int32)
    for level in levels:
        mask += array > np.float32(level)
    return mask


def _connected(array: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    # in the precision of the voxels, as `above` compares
    low, high = map(np.float32, levels)
    return np.asarray(apply_hysteresis_threshold(array, low, high)).astype(np.int32)


@dataclass(frozen=True)
class ThresholdMethod:
    """One way to separate particles from background by grey values.

    Parameters
    ----------
    name : str
        As in recipes.
    title : str
        Shown to a person.
    help : str
        One sentence: where the level is and what for.
    find : callable
        ``find(arrays, ...)`` returns rising levels for float32 arrays (z, y, x) that share
        them. What else it takes is given by the step's parameters of those names: `level`,
        `seed_level` or `classes`.
    mark : callable
        ``mark(array, levels)`` returns the mask as int32.
    local : bool
        Whether a voxel's class depends on its own grey value only, and not on the volume.
    """

    name: str
    title: str
    help: str
    find: Find
    mark: Mark = above
    local: bool = True

    @property
    def uses(self) -> tuple[str, ...]:
        """Names of the step's parameters that the method uses."""
        return tuple(inspect.signature(self.find).parameters)[1:]

    @property
    def by_hand(self) -> bool:
        """Whether a person gives the level."""
        return "level" in self.uses

    def levels(self, arrays: Sequence[np.ndarray], **options: Any) -> list[float]:
        """Return the levels for arrays that share them, from those options that are used.

        Raises
        ------
        ParameterError
            If the method needs a level that is not given.
        """
        return self.find(arrays, **{name: options.get(name) for name in self.uses})


THRESHOLDS: dict[str, ThresholdMethod] = {}
"""Every method of the step *Threshold*, by name."""


def threshold_method(
    name: str, *, title: str, help: str, mark: Mark = above, local: bool = True
) -> Callable[[Find], Find]:
    """Make a function that finds levels a method of the step *Threshold*.

    Parameters
    ----------
    name, title, help, mark, local
        As in `ThresholdMethod`.
    """

    def decorate(find: Find) -> Find:
        THRESHOLDS[name] = ThresholdMethod(name, title, help, find, mark, local)
        return find

    return decorate


@threshold_method(
    "half-density",
    title="Half density",
    help="Halfway between the grey values of background and particles: where the surface of a "
    "blurred particle is.",
)
def _half_density(arrays: Sequence[np.ndarray]) -> list[float]:
    return [plateaus(arrays).middle]


@threshold_method(
    "otsu", title="Otsu", help="Otsu's threshold; too low where particles fill few per cent."
)
def _otsu(arrays: Sequence[np.ndarray]) -> list[float]:
    return [otsu_level(arrays)]


@threshold_method("multi-otsu", title="Multi-Otsu", help="Several classes of brightness.")
def _multi_otsu(arrays: Sequence[np.ndarray], classes: int) -> list[float]:
    if not 2 <= classes <= 5:
        raise ParameterError(f"classes is {classes}; it has to be between 2 and 5.")
    return multi_otsu_levels(arrays, classes)


@threshold_method("level", title="Level by hand", help="What is brighter is a particle.")
def _level(arrays: Sequence[np.ndarray], level: float | None) -> list[float]:
    return [_given(level, "level")]


@threshold_method(
    "hysteresis",
    title="Hysteresis",
    help="What is brighter than the level and connected to something brighter than the upper one.",
    mark=_connected,
    local=False,
)
def _hysteresis(
    arrays: Sequence[np.ndarray], level: float | None, seed_level: float | None
) -> list[float]:
    low = _given(level, "hysteresis")
    if seed_level is None or seed_level < low:
        raise ParameterError("Hysteresis needs a seed level that is at least the level.")
    return [low, float(seed_level)]


def _given(level: float | None, method: str) -> float:
    if level is None:
        raise ParameterError(f"The method {method!r} needs a level in grey values.")
    return float(level)
