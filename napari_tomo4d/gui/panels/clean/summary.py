"""What the Clean panel computes in the background, and how it is told to a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_tomo4d.data import TiltSeries, TimeSeries
from napari_tomo4d.errors import Cancelled, Tomo4DError
from napari_tomo4d.gui.canvas.layer_picker import NO_SERIES
from napari_tomo4d.gui.panels.clean.calibration_and_dose_boxes import format_dose
from napari_tomo4d.pipeline import run_step
from napari_tomo4d.progress import Progress

Step = tuple[str, dict[str, Any]]
Steps = Sequence[Step]
Done = tuple[Step, TiltSeries]

DRIFT, MAP = "preprocess.undo_scan_drift", "preprocess.correct_distortion"
OUTLIERS, DOSE = "preprocess.remove_outliers", "preprocess.set_dose"
AVERAGE, SELECT = "preprocess.average_frames", "preprocess.select_frame"
BACKGROUND, BRIGHTNESS = "preprocess.subtract_background", "preprocess.normalise"


def key_numbers(times: Sequence[TiltSeries], steps: Steps) -> str:
    """Return what steps have found in series, for a person.

    Parameters
    ----------
    times : sequence of TiltSeries
        Results, one for each time point.
    steps : sequence of (name, parameters)
        What was done; numbers from earlier work are left out.
    """
    names, parts = {name for name, _ in steps}, []

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
        n = sum(all_of("outliers"))
        parts.append(f"{n} outlier{'s' * (n != 1)} replaced")
    if BACKGROUND in names:
        parts.append(f"Mean background {np.mean(all_of('background')):.4g} subtracted")
    if BRIGHTNESS in names and (factors := all_of("intensity_factors")):
        parts.append(f"Brightness scaled by {min(factors):.3g} to {max(factors):.3g}")
    if DOSE in names:
        parts.append(f"Dose {format_dose(times[0].dose_e_per_nm2 or 0)}")
    return ". ".join(parts) + "." if parts else ""


def times_of(item: Any) -> list[TiltSeries]:
    """Return the time points of a time series; a tilt series is one of its own."""
    if item is None:
        return []
    return list(item) if isinstance(item, TimeSeries) else [item]


def describe(times: Sequence[TiltSeries]) -> str:
    """Return what series hold, or what to do if there are none."""
    if not times:
        return NO_SERIES
    first = times[0]
    n_y, n_x = first.image_shape
    counts = {n for series in times for n in series.frames_per_tilt}
    low, high = min(counts), max(counts)
    frames = f"{low}" if low == high else f"{low} to {high}"
    text = f"{len(first)} tilts of {n_y} x {n_x} px, {frames} frame{'s' * (high > 1)} per tilt"
    return text + (f", {len(times)} time points" if len(times) > 1 else "")


def one_tilt(series: TiltSeries, tilt: int) -> TiltSeries:
    """Return one tilt as a series; what is known of all tilts is left behind."""
    one = slice(tilt, tilt + 1)
    return series.replace(images=series.images[one], angles_deg=series.angles_deg[one], metadata={})


def run_on(
    item: TiltSeries, steps: Steps, known: list[Done], progress: Progress
) -> tuple[list[Done], str]:
    """Run steps and keep every result; go on from where they differ from those known.

    Parameters
    ----------
    item : TiltSeries
    steps : sequence of (name, parameters)
    known : list of (step, result)
        What this function returned before, for the same item.
    progress : Progress

    Returns
    -------
    list of (step, result)
        Up to the first step that could not be done.
    str
        Why it could not, empty if all were done.
    """
    done: list[Done] = []
    for old, step in zip(known, steps, strict=False):
        if old[0] != step:
            break
        done.append(old)
    for i in range(len(done), len(steps)):
        name, parameters = steps[i]
        before = done[-1][1] if done else item
        try:
            result = run_step(name, before, parameters, progress.part(i, len(steps)))
        except Cancelled:
            raise
        except Tomo4DError as error:
            return done, str(error)
        done.append((steps[i], result))
    return done, ""


def said_by(result: Any, n_steps: int, warnings_only: bool = False) -> list[str]:
    """Return what the last steps have warned of and noted."""
    made = result.provenance.chain()[-n_steps:]
    said = [f"Note: {w}" for p in made for w in p.warnings]
    if warnings_only:
        return said
    # what outliers note is among the key numbers already
    return [*said, *(n for p in made if p.step != OUTLIERS for n in p.notes)]
