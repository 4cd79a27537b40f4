"""What the panel Clean offers, tries on one tilt and tells; without any window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_tomo4d.data import AnyTiltSeries, TiltSeries, times_of
from napari_tomo4d.gui.panels.dose import format_dose
from napari_tomo4d.gui.widgets.messages import NO_SERIES
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.pipeline import Step, steps_of
from napari_tomo4d.pipeline.resume import Done, resume
from napari_tomo4d.progress import Progress
from napari_tomo4d.quantities import plural

Chosen = tuple[str, Parameters]
"""Name and parameters of a step that is to be done."""

OUTLIERS, DRIFT = "preprocess.remove_outliers", "preprocess.undo_scan_drift"
MAP = "preprocess.correct_distortion"
AVERAGE, SELECT = "preprocess.average_frames", "preprocess.select_frame"
ALIGN_FRAMES, BIN = "preprocess.align_frames", "preprocess.bin"
BACKGROUND, BRIGHTNESS = "preprocess.subtract_background", "preprocess.normalise"
PIXEL_SIZE, DOSE = "preprocess.set_pixel_size", "preprocess.set_dose"

_ORDER = (
    # before anything interpolates, which would smear them
    (OUTLIERS,),
    (DRIFT,),
    (MAP,),
    (AVERAGE, SELECT, ALIGN_FRAMES),
    (BIN,),
    (BACKGROUND,),
    (BRIGHTNESS,),
)
"""The order of known steps; of several in one place, one is chosen."""
_ELSEWHERE = (PIXEL_SIZE, DOSE, "preprocess.crop")
"""Steps with boxes of their own, here and in Reconstruct, where a region is drawn."""
_SINGLE_IMAGES = (BACKGROUND, BRIGHTNESS)
"""Steps that need one image per tilt."""
_ALL_TILTS = (BRIGHTNESS,)
"""Steps that compare all tilts, and so can't be tried on one."""


def offered_steps() -> list[tuple[Step, ...]]:
    """Return the steps that clean a tilt series, in the order in which they are done.

    Returns
    -------
    list of tuple of Step
        Of the steps in a tuple, one is chosen. Steps that this panel does not know come last.
    """
    known = {s.name: s for s in steps_of("preprocess", takes=TiltSeries, gives=TiltSeries)}
    groups = [tuple(known[name] for name in names if name in known) for names in _ORDER]
    placed = {name for names in (*_ORDER, _ELSEWHERE) for name in names}
    others = [(step,) for name, step in known.items() if name not in placed]
    return [group for group in groups if group] + others


def describe(item: AnyTiltSeries | None) -> str:
    """Return what there is to clean, or what to do if there is nothing."""
    if item is None:
        return NO_SERIES
    times = times_of(item)
    n_y, n_x = times[0].image_shape
    counts = {n for series in times for n in series.frames_per_tilt}
    low, high = min(counts), max(counts)
    frames = plural(high, "frame") if low == high else f"{low} to {high} frames"
    text = f"{plural(len(times[0]), 'tilt')} of {n_y} x {n_x} px, {frames} per tilt"
    return text + (f", {len(times)} time points" if len(times) > 1 else "")


def reasons_against(
    item: AnyTiltSeries | None, frames_are_joined: bool, joining: int
) -> dict[str, str]:
    """Return why steps can't be done, by name; those that can be are left out.

    Parameters
    ----------
    item : TiltSeries or TimeSeries of TiltSeries, optional
    frames_are_joined : bool
        Whether a step before them makes one image of the frames of a tilt.
    joining : int
        The number of that step, as a person sees it.
    """
    if item is None:
        return {s.name: NO_SERIES for group in offered_steps() for s in group}
    most = [max(series.frames_per_tilt) for series in times_of(item)]
    why = "These images have one frame per tilt"
    reasons = {}
    if min(most) < 2:
        reasons[DRIFT] = f"{why}; drift shows between two or more. Load them without averaging."
    if max(most) < 2:
        reasons |= dict.fromkeys((AVERAGE, SELECT, ALIGN_FRAMES), f"{why} already.")
    elif not frames_are_joined:
        reasons |= dict.fromkeys(_SINGLE_IMAGES, f"Needs one image per tilt: tick step {joining}.")
    return reasons


def one_tilt(series: TiltSeries, tilt: int) -> TiltSeries:
    """Return one tilt as a series; what is known of all tilts is left behind."""
    one = slice(tilt, tilt + 1)
    return series.replace(images=series.images[one], angles_deg=series.angles_deg[one], metadata={})


def key_numbers(times: Sequence[TiltSeries], names: Sequence[str]) -> str:
    """Return what steps have found in series, for a person.

    Parameters
    ----------
    times : sequence of TiltSeries
        Results, one for each time point.
    names : sequence of str
        Steps that were done; numbers from earlier work are left out.
    """
    parts = []

    def all_of(key: str) -> list[Any]:
        return [value for series in times for value in series.metadata.get(key, [])]

    if DRIFT in names:
        drifts = [d for d in all_of("scan_drift_px") if d is not None]
        if len(drifts) == 1:
            parts.append("Drift (y, x) ({:+.2f}, {:+.2f}) px per frame".format(*drifts[0]))
        elif drifts:
            fastest = np.hypot(*np.array(drifts).T).max()
            parts.append(f"Drift up to {fastest:.2f} px per frame")
    elif AVERAGE in names:
        shifts = [s for frames in all_of("frame_shifts_px") for s in frames]
        if len(shifts):
            parts.append(f"Frames moved by up to {np.abs(shifts).max():.2f} px")
    if OUTLIERS in names:
        parts.append(f"{plural(sum(all_of('outliers')), 'outlier')} replaced")
    if BACKGROUND in names:
        parts.append(f"Mean background {np.mean(all_of('background')):.4g} subtracted")
    if BRIGHTNESS in names and (factors := all_of("intensity_factors")):
        parts.append(f"Brightness scaled by {min(factors):.3g} to {max(factors):.3g}")
    if DOSE in names:
        parts.append(f"Dose {format_dose(times[0].dose_e_per_nm2 or 0)}")
    return ". ".join(parts) + "." if parts else ""


@dataclass(frozen=True, eq=False)
class Tried:
    """Steps tried on one tilt.

    Parameters
    ----------
    item : TiltSeries or TimeSeries of TiltSeries
        Of which series.
    place : tuple of int
        Time and tilt.
    before, after : array (y, x)
        Of frames, the mean.
    done : list of (step, TiltSeries)
        Every step that could be done, and what it gave.
    error : str
        Why the next one could not, empty if all were done.
    left_out : tuple of str
        Steps that compare all tilts.
    """

    item: AnyTiltSeries
    place: tuple[int, int]
    before: np.ndarray
    after: np.ndarray
    done: list[Done] = field(default_factory=list)
    error: str = ""
    left_out: tuple[str, ...] = ()

    @property
    def numbers(self) -> str:
        """What was found on the way."""
        if not self.done:
            return "No step that changes a single image is ticked."
        return key_numbers([self.done[-1][1]], [step[0] for step, _ in self.done])


class CleanModel:
    """A series to be cleaned, and the steps tried on one tilt of it.

    Attributes
    ----------
    item : TiltSeries or TimeSeries of TiltSeries, optional
    tried : Tried, optional
        The last trial; steps that stay the same are not done again.
    """

    def __init__(self) -> None:
        self.item: AnyTiltSeries | None = None
        self.tried: Tried | None = None

    def set_item(self, item: AnyTiltSeries | None) -> bool:
        """Work on another series, forgetting what was tried; returns whether it is another."""
        if item is self.item:
            return False
        self.item, self.tried = item, None
        return True

    def forget(self) -> None:
        """Do all steps again at the next trial, as a file they read may have changed."""
        self.tried = None

    def attempt(
        self, place: tuple[int, int], steps: Sequence[Chosen]
    ) -> Callable[[Progress], Tried]:
        """Return what tries steps on one tilt.

        Parameters
        ----------
        place : tuple of int
            Time and tilt.
        steps : sequence of (name, parameters)
        """
        item, last = self.item, self.tried
        assert item is not None, "there is no series"
        known = last.done if last is not None and last.place == place else []
        # pixel size and dose leave the images as they are
        here = [s for s in steps if s[0] not in (*_ALL_TILTS, PIXEL_SIZE, DOSE)]
        left_out = tuple(name for name, _ in steps if name in _ALL_TILTS)
        time, tilt = place

        def attempt(progress: Progress) -> Tried:
            one = one_tilt(times_of(item)[time], tilt)
            done, error = resume(one, here, known, progress)
            after = done[-1][1] if done else one
            images = one.frames(0).mean(axis=0), after.frames(0).mean(axis=0)
            return Tried(item, place, *images, done, error, left_out)

        return attempt

    def take(self, tried: Tried) -> bool:
        """Keep a trial; returns whether it belongs to this series."""
        if tried.item is not self.item:
            return False
        self.tried = tried
        return True
