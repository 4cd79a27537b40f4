"""What the panel Reconstruct works on, tries on one slice and expects; without any window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from napari_tomo4d.data import (
    AnyTiltSeries,
    AnyVolume,
    TiltSeries,
    Volume,
    at_time,
    is_series,
    times_of,
)
from napari_tomo4d.gui.widgets.messages import NO_SERIES
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.pipeline import Step, run_step, run_steps, steps_of
from napari_tomo4d.progress import Progress
from napari_tomo4d.reconstruct import estimate, ray_sums_per_second, slices_of

Chosen = tuple[str, Parameters]
"""Name and parameters of a step."""
Region = tuple[tuple[int, int], tuple[int, int]]
"""Start and stop along y and along x, in pixels of the images."""

_FIRST = "reconstruct.sirt"
_ITERATIONS = 30
_WEIGHT = 0.03
"""What a live slice takes where a run would choose: choosing takes longer than a person waits."""


def methods() -> list[Step]:
    """Return every step that makes a volume of a tilt series, the usual one first."""
    found = steps_of(takes=TiltSeries, gives=Volume)
    return sorted(found, key=lambda s: s.name != _FIRST)


def problem_of(item: AnyTiltSeries | None) -> str:
    """Return why a series can't be reconstructed, empty if it can."""
    if item is None:
        return NO_SERIES
    series = times_of(item)[0]
    if max(series.frames_per_tilt) > 1:
        return (
            "This series has several frames per tilt: average them in the Clean panel, or load "
            "it again with averaging."
        )
    return "This series has a single tilt, which is not enough." if len(series) < 2 else ""


def describe(item: AnyTiltSeries) -> str:
    """Return what there is to reconstruct."""
    series = at_time(item, 0)
    low, high = series.angles_deg.min(), series.angles_deg.max()
    n_y, n_x = series.image_shape
    text = f"{len(series)} tilts of {n_y} x {n_x} px, {low:g} to {high:g}°"
    return text + (f", {len(item)} time points" if is_series(item) else "")


def slices_of_region(series: TiltSeries, region: Region) -> tuple[int, int]:
    """Return the first slice across the tilt axis within a region, and the first one after it."""
    return region[0 if series.tilt_axis == "y" else 1]


@dataclass(frozen=True)
class Expected:
    """What a run will need.

    Parameters
    ----------
    memory_bytes : float
        At the most.
    seconds : float, optional
        None while it is not known how fast this computer is.
    """

    memory_bytes: float
    seconds: float | None


@dataclass(frozen=True, eq=False)
class LiveSlice:
    """One slice across the tilt axis.

    Parameters
    ----------
    item : TiltSeries or TimeSeries of TiltSeries
        Of which series.
    section : array (z, across)
    title : str
        Where it is and how it was made.
    prepared : tuple
        Time and steps, and the series that they gave.
    ray_sums_per_second : float
        How fast this computer projects.
    """

    item: AnyTiltSeries
    section: np.ndarray
    title: str
    prepared: tuple[object, TiltSeries]
    ray_sums_per_second: float


class ReconstructModel:
    """A series to be reconstructed, and what is known of it.

    Attributes
    ----------
    item : TiltSeries or TimeSeries of TiltSeries, optional
    """

    def __init__(self) -> None:
        self.item: AnyTiltSeries | None = None
        self._prepared: tuple[object, TiltSeries] | None = None
        self._speed = 0.0

    @property
    def first(self) -> TiltSeries | None:
        """The series of the first time."""
        return None if self.item is None else times_of(self.item)[0]

    def set_item(self, item: AnyTiltSeries | None) -> bool:
        """Work on another series, forgetting what belongs to the last; returns whether it is."""
        if item is self.item:
            return False
        self.item, self._prepared = item, None
        return True

    def expect(
        self, step: Step, parameters: Parameters, image_shape: tuple[int, int]
    ) -> Expected | None:
        """Return what a run will need; None where the step does not say what it costs.

        Parameters
        ----------
        step : Step
        parameters : dict
        image_shape : tuple (y, x)
            In pixels, of the region.
        """
        assert self.item is not None, "there is no series"
        if step.cost is None:
            return None
        times = times_of(self.item)
        first, thickness = times[0], parameters.get("thickness")
        cost = estimate(
            step.cost,
            len(first),
            image_shape,
            thickness,
            first.tilt_axis,
            iterations=parameters.get("iterations") or _ITERATIONS,
            times=len(times) if step.together else 1,
            kept_times=0 if step.together else len(times) - 1,
        )
        runs = 1 if step.together else len(times)
        return Expected(
            cost.memory_bytes, runs * cost.ray_sums / self._speed if self._speed else None
        )

    def look(
        self, time: int, before: list[Chosen], method: Chosen, index: int, first: int = 0
    ) -> Callable[[Progress], LiveSlice]:
        """Return what reconstructs one slice.

        Parameters
        ----------
        time : int
            Which time is shown.
        before : list of (name, parameters)
            Steps before the reconstruction.
        method : tuple (name, parameters)
            With at most 30 iterations, and a weight of 0.03 where it would be chosen.
        index : int
            Which slice across the tilt axis, counted in the images.
        first : int
            The first slice of what the steps before give.
        """
        item, last = self.item, self._prepared
        assert item is not None, "there is no series"
        series, key = at_time(item, time), (time, before)
        name, parameters = method[0], dict(method[1])
        if "iterations" in parameters:
            parameters["iterations"] = min(parameters["iterations"] or _ITERATIONS, _ITERATIONS)
        if "weight" in parameters and parameters["weight"] is None:
            parameters["weight"] = _WEIGHT

        def look(progress: Progress) -> LiveSlice:
            known = last is not None and last[0] == key
            ready = last[1] if last is not None and known else run_steps(series, before, progress)
            volume = run_step(
                name, slices_of(ready, index - first, index - first + 1), parameters, progress
            )
            data = times_of(volume)[0].data
            section = data[:, 0] if ready.tilt_axis == "y" else data[:, :, 0]
            title = f"slice {ready.tilt_axis} = {index} (px)"
            if "iterations" in parameters:
                title += f", {parameters['iterations']} iterations"
            if "weight" in parameters:
                title += f", smoothness {parameters['weight']:g}"
            return LiveSlice(item, section, title, (key, ready), ray_sums_per_second())

        return look

    def take(self, found: LiveSlice) -> bool:
        """Keep what was found; returns whether it belongs to this series."""
        if found.item is not self.item:
            return False
        self._prepared, self._speed = found.prepared, found.ray_sums_per_second
        return True


def chosen_in(result: AnyVolume) -> Parameters:
    """Return the parameters that a run has chosen from the images, the same at all times."""
    every = [v.metadata.get("chosen", {}) for v in times_of(result)]
    return {
        name: value
        for name, value in every[0].items()
        # a series that is reconstructed together has them at its first time
        if all(other.get(name, value) == value for other in every)
    }


def summary_of(result: AnyVolume) -> str:
    """Return how far the iterations came, empty where there were none."""
    residuals = times_of(result)[0].residuals
    if not len(residuals):
        return ""
    return f"residual {residuals[-1]:.4f} after {len(residuals)} iterations"
