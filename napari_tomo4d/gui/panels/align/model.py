"""Shifts as they are found, corrected by hand and looked at; without any window."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_tomo4d.align.shift_files import APPLY, Origin, load, name_of
from napari_tomo4d.data import TiltSeries, TimeSeries
from napari_tomo4d.errors import DataError
from napari_tomo4d.gui.canvas.layer_picker import NO_SERIES
from napari_tomo4d.gui.panels.clean.summary import said_by, times_of
from napari_tomo4d.gui.work.undo import UndoStack
from napari_tomo4d.pipeline import run_step
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import Provenance

FIND, LEAVE_OUT = "align.align_series", "align.leave_out"
_NOTES_SHOWN = 1


@dataclass(frozen=True, eq=False)
class State:
    """Shifts as they are now; every change makes a new one.

    Parameters
    ----------
    origin : Origin
    shifts_px : tuple of array (tilt, 2)
    left_out : array (tilt,), bool
        Tilts that the result is to be without.
    """

    origin: Origin
    shifts_px: tuple[np.ndarray, ...]
    left_out: np.ndarray

    @classmethod
    def of(cls, origin: Origin) -> State:
        """Return shifts as they came."""
        return cls(origin, origin.shifts_px, np.zeros(len(origin.shifts_px[0]), bool))

    def time(self, time: int) -> int:
        """Return which shifts are those of a time point."""
        return min(time, len(self.shifts_px) - 1)

    @property
    def alike(self) -> bool:
        """Whether all time points have as many tilts, so that one can be left out of all."""
        return len({len(s) for s in self.shifts_px}) == 1

    def gone(self, time: int) -> np.ndarray:
        """Return which tilts of a time point are left out, (tilt,) bool."""
        if self.alike:
            return self.left_out
        return np.zeros(len(self.shifts_px[self.time(time)]), bool)

    def edited(self, time: int) -> np.ndarray:
        """Return which tilts of a time point were moved by hand, (tilt,) bool."""
        at = self.time(time)
        return (self.shifts_px[at] != self.origin.shifts_px[at]).any(axis=1)

    @property
    def n_edited(self) -> int:
        """Number of images moved by hand, of all time points."""
        return sum(int(self.edited(k).sum()) for k in range(len(self.shifts_px)))

    def bad(self, time: int) -> np.ndarray:
        """Return which tilts are no measure for others, (tilt,) bool."""
        return self.gone(time) | (self.origin.suspect[self.time(time)] & ~self.edited(time))

    def moved(self, time: int, tilt: int, shift_px: np.ndarray) -> State:
        """Return the state with another shift (dy, dx) of one tilt of one time point."""
        at = self.time(time)
        shifts = self.shifts_px[at].copy()
        # steps of a tenth of a pixel, which binary numbers can't hold, add up to whole pixels
        shifts[tilt] = np.round(shift_px, 6)
        changed = (*self.shifts_px[:at], shifts, *self.shifts_px[at + 1 :])
        return dataclasses.replace(self, shifts_px=changed)

    def without(self, tilt: int, left_out: bool) -> State:
        """Return the state with one tilt left out, or taken in again."""
        mask = self.left_out.copy()
        mask[tilt] = left_out
        return dataclasses.replace(self, left_out=mask)


@dataclass(eq=False)
class Work:
    """All that was done to one tilt series in the panel.

    Parameters
    ----------
    state : State, optional
    saved : (tuple of array (tilt, 2), str), optional
        Shifts as last written, and the file they were written to, see `files_of`.
    undo : UndoStack
    """

    state: State | None = None
    saved: tuple[tuple[np.ndarray, ...], str] | None = None
    undo: UndoStack = field(default_factory=UndoStack)

    @property
    def file(self) -> str | None:
        """The file that holds the shifts exactly as they are, if there is one."""
        if self.state is None:
            return None
        shifts, origin = self.state.shifts_px, self.state.origin
        if origin.path is not None and not self.state.n_edited:
            return origin.path
        if self.saved is not None and all(map(np.array_equal, self.saved[0], shifts)):
            return self.saved[1]
        return None

    def describe(self, values: dict[str, Any]) -> str:
        """Say where the shifts came from and what was changed.

        Parameters
        ----------
        values : dict
            What the form holds now.
        """
        state = self.state
        if state is None:
            return ""
        origin = state.origin
        if origin.path is not None:
            text = f"From {name_of(origin.path)}"
            text += ", with its tilt axis" * any(a is not None for a in origin.axes)
        else:
            text = f"Found by {(origin.parameters or {}).get('method')}"
        if state.n_edited:
            text += f"; {state.n_edited} corrected by hand"
            if self.file is not None:
                text += f", saved in {name_of(self.file)}"
        if state.left_out.any():
            text += f"; {int(state.left_out.sum())} left out"
        if origin.path is None and origin.parameters != values:
            text += ". The form has changed since: press Find shifts to use it"
        return text + "."


def problem_of(times: Sequence[TiltSeries]) -> str:
    """Return why time points can't be aligned; empty if they can."""
    if not times:
        return NO_SERIES
    if any(max(series.frames_per_tilt) > 1 for series in times):
        return "This series has several frames per tilt: average them in the Clean panel first."
    if min(len(series) for series in times) < 2:
        return "This series has a single tilt, so there is nothing to align it with."
    return ""


def description_of(times: Sequence[TiltSeries], made: Provenance | None) -> str:
    """Return what there is to align, and whether that was done before."""
    n_y, n_x = times[0].image_shape
    text = f"{len(times[0])} tilts of {n_y} x {n_x} px"
    if len(times) > 1:
        text += f", {len(times)} time points, each aligned by itself"
    if made is not None and any(p.step in (FIND, APPLY) for p in made.chain()):
        text += "; aligned already, and would be interpolated a second time"
    return f"{text}."


def found_text(origin: Origin, duration: str) -> str:
    """Return in words what was found, and what to do next."""
    suspects = sum(int(s.sum()) for s in origin.suspect)
    images = sum(len(s) for s in origin.suspect)
    least = min(float(m.min()) for m in origin.mass_kept)
    look = "check the red ones" if suspects else "look at them below the viewer"
    return (
        f"{suspects} of {images} images suspect, least mass kept {100 * least:.1f} %, in "
        f"{duration}. Next: {look}, then Apply."
    )


def notes_of(item: Any) -> list[str]:
    """Return what an aligned item has to say of how it was aligned."""
    made = item.provenance
    # the last is what was left out, if anything was
    steps = made.chain()[-2:] if made is not None else []
    notes = [f"Note: {w}" for p in steps for w in p.warnings if p.step != FIND]
    return notes + [n for p in steps for n in p.notes if p.step == APPLY]


def with_notes(text: str, notes: Sequence[str]) -> str:
    """Return a text with its first notes, and how many more there are."""
    shown = list(notes[:_NOTES_SHOWN])
    if len(notes) > len(shown):
        shown.append(f"... and {len(notes) - len(shown)} more; point here to read them.")
    return "\n".join([text, *shown])


def find(item: Any, parameters: dict[str, Any], progress: Progress) -> Origin:
    """Find the shifts of a tilt series, or of each time point, and align it."""
    result = run_step(FIND, item, parameters, progress)
    times = list(result) if isinstance(result, TimeSeries) else [result]
    found = [one.metadata["alignment"] for one in times]

    def each(name: str, kind: type) -> tuple[np.ndarray, ...]:
        return tuple(np.array(f[name], dtype=kind) for f in found)

    return Origin(
        each("shifts_px", float),
        each("quality", float),
        each("mass_kept", float),
        each("suspect", bool),
        parameters=parameters,
        result=result,
        said=tuple(said_by(result, 1)),
    )


def apply(item: Any, state: State, path: str | None, progress: Progress) -> Any:
    """Return the aligned images.

    Parameters
    ----------
    item : TiltSeries or TimeSeries
    state : State
    path : str, optional
        File with the shifts, see `files_of`; None if they are as they were found.
    progress : Progress
    """
    origin = state.origin
    if path is not None:
        times = times_of(item)
        if not all(map(np.array_equal, load(path, times).shifts_px, state.shifts_px)):
            raise DataError(
                f"{name_of(path)} was changed since it was read or written here; load it again, "
                "or save the alignment to another file."
            )
        result = run_step(APPLY, item, {"path": path}, progress)
    elif origin.result is not None:
        result = origin.result
    else:
        result = run_step(FIND, item, origin.parameters or {}, progress)
    gone = tuple(int(k) for k in np.flatnonzero(state.left_out))
    return run_step(LEAVE_OUT, result, {"tilts": gone}, progress) if gone else result


def between_neighbours(state: State, angles_deg: np.ndarray, time: int, tilt: int) -> np.ndarray:
    """Return the shift (dy, dx) of a tilt that its neighbours in angle would give it."""
    good = ~state.bad(time)
    good[tilt] = False
    if not good.any():
        good = np.arange(len(angles_deg)) != tilt
    order = np.argsort(angles_deg[good], kind="stable")
    angles, shifts = angles_deg[good][order], state.shifts_px[state.time(time)][good][order]
    return np.array([np.interp(angles_deg[tilt], angles, shifts[:, k]) for k in range(2)])
