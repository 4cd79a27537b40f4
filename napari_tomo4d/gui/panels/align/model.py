"""Shifts as they are found, corrected by hand and applied; without any window."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from napari_tomo4d.align import FoundShifts, read_shifts, shift_between_neighbours
from napari_tomo4d.align.shift_files import TIME
from napari_tomo4d.data import AnyTiltSeries, TiltSeries, at_time, name_of_time, times_of
from napari_tomo4d.errors import DataError
from napari_tomo4d.gui.work.undo import UndoStack
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.pipeline import run_step
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import Provenance

FIND, APPLY, LEAVE_OUT = "align.align_series", "align.apply_file", "align.leave_out"

Place = tuple[int, int]
"""A time point and one of its tilts."""


@dataclass(frozen=True, eq=False)
class Shifts:
    """Shifts as they are now; every change makes new ones.

    Parameters
    ----------
    found : FoundShifts
        How they were before anything was changed by hand.
    shifts_px : tuple of array (tilt, 2)
        (dy, dx) in pixels, one for all time points or one for each.
    left_out : array (tilt,), bool
        Tilts that the result is to be without, at every time point.
    """

    found: FoundShifts
    shifts_px: tuple[np.ndarray, ...]
    left_out: np.ndarray

    @classmethod
    def of(cls, found: FoundShifts) -> Shifts:
        """Return shifts as they came."""
        return cls(found, found.shifts_px, np.zeros(len(found.shifts_px[0]), bool))

    def index(self, time: int) -> int:
        """Return which of the shifts are those of a time point."""
        return min(time, len(self.shifts_px) - 1)

    def at(self, time: int) -> np.ndarray:
        """Return the shifts (tilt, 2) of a time point."""
        return self.shifts_px[self.index(time)]

    @property
    def same_tilts_everywhere(self) -> bool:
        """Whether all time points have as many tilts, so that one can be left out of all."""
        return len({len(s) for s in self.shifts_px}) == 1

    def left_out_mask(self, time: int) -> np.ndarray:
        """Return which tilts of a time point are left out, (tilt,) bool."""
        if self.same_tilts_everywhere:
            return self.left_out
        return np.zeros(len(self.at(time)), bool)

    def edited(self, time: int) -> np.ndarray:
        """Return which tilts of a time point were moved by hand, (tilt,) bool."""
        return (self.at(time) != self.found.shifts_px[self.index(time)]).any(axis=1)

    @property
    def n_edited(self) -> int:
        """Number of images moved by hand, of all time points."""
        return sum(int(self.edited(k).sum()) for k in range(len(self.shifts_px)))

    def suspects(self, time: int) -> np.ndarray:
        """Return the tilts of a time point that matched no neighbour, in order."""
        return np.flatnonzero(self.found.suspect[self.index(time)])

    def unreliable(self, time: int) -> np.ndarray:
        """Return which tilts are no measure for others, (tilt,) bool."""
        suspect = self.found.suspect[self.index(time)]
        return self.left_out_mask(time) | (suspect & ~self.edited(time))

    def moved(self, place: Place, shift_px: Sequence[float] | np.ndarray) -> Shifts:
        """Return shifts with another one (dy, dx) for one tilt of one time point."""
        time, tilt = place
        k = self.index(time)
        changed = self.shifts_px[k].copy()
        # steps of a tenth of a pixel, which binary numbers can't hold, add up to whole pixels
        changed[tilt] = np.round(shift_px, 6)
        everything = (*self.shifts_px[:k], changed, *self.shifts_px[k + 1 :])
        return dataclasses.replace(self, shifts_px=everything)

    def nudged(self, place: Place, dy: float, dx: float) -> Shifts:
        """Return shifts with one tilt moved further by (dy, dx) pixels."""
        time, tilt = place
        return self.moved(place, self.at(time)[tilt] + (dy, dx))

    def between_neighbours(self, angles_deg: np.ndarray, place: Place) -> Shifts:
        """Return shifts with one tilt where its neighbours in angle would put it."""
        time, tilt = place
        shifts, unreliable = self.at(time), self.unreliable(time)
        return self.moved(place, shift_between_neighbours(shifts, angles_deg, tilt, unreliable))

    def with_left_out(self, tilt: int, left_out: bool) -> Shifts:
        """Return shifts with one tilt left out, or taken in again."""
        mask = self.left_out.copy()
        mask[tilt] = left_out
        return dataclasses.replace(self, left_out=mask)


@dataclass(eq=False)
class AlignmentEdits:
    """All that was done to one tilt series in the panel, and can be undone.

    Parameters
    ----------
    shifts : Shifts, optional
        As they are now.
    saved : (tuple of array (tilt, 2), str), optional
        Shifts as last written, and what `write_shifts` returned.
    aligned : (FoundShifts, TiltSeries or TimeSeries), optional
        Images that were aligned when shifts were found; those of the latest search only, as
        they take much memory and can be made again.
    undo_stack : UndoStack
    """

    shifts: Shifts | None = None
    saved: tuple[tuple[np.ndarray, ...], str] | None = None
    aligned: tuple[FoundShifts, AnyTiltSeries] | None = None
    undo_stack: UndoStack = field(default_factory=UndoStack)

    def change(self, text: str, shifts: Shifts, place: Place | None = None) -> None:
        """Replace the shifts.

        Parameters
        ----------
        text : str
            What was done, as it is said to undo it.
        shifts : Shifts
        place : (time, tilt), optional
            Where it was done, if at one place.
        """
        before = self.shifts

        def put(wanted: Shifts | None) -> None:
            self.shifts = wanted

        self.undo_stack.push(text, lambda: put(before), lambda: put(shifts), place=place)
        self.shifts = shifts

    def take(self, found: FoundShifts, aligned: AnyTiltSeries | None = None) -> None:
        """Begin with shifts from a file, or from a search that has aligned the images too."""
        what = "find shifts" if found.path is None else f"load {name_of(found.path)}"
        self.aligned = None if aligned is None else (found, aligned)
        self.change(what, Shifts.of(found))

    @property
    def file(self) -> str | None:
        """The file that holds the shifts exactly as they are, if there is one."""
        if self.shifts is None:
            return None
        found = self.shifts.found
        if found.path is not None and not self.shifts.n_edited:
            return found.path
        if self.saved is not None and len(self.saved[0]) == len(self.shifts.shifts_px):
            same = map(np.array_equal, self.saved[0], self.shifts.shifts_px)
            return self.saved[1] if all(same) else None
        return None

    @property
    def needs_file(self) -> bool:
        """Whether the shifts are not as a search found them, so that only a file repeats them."""
        shifts = self.shifts
        return shifts is not None and (shifts.found.path is not None or shifts.n_edited > 0)

    def describe(self, values: Parameters) -> str:
        """Say where the shifts came from and what was changed.

        Parameters
        ----------
        values : dict
            What the form holds now.
        """
        shifts = self.shifts
        if shifts is None:
            return ""
        found = shifts.found
        if found.path is not None:
            text = f"From {name_of(found.path)}"
            text += ", with its tilt axis" * any(a is not None for a in found.axes)
        else:
            text = f"Found by {(found.parameters or {}).get('method')}"
        if shifts.n_edited:
            text += f"; {shifts.n_edited} corrected by hand"
            if self.file is not None:
                text += f", saved in {name_of(self.file)}"
        if shifts.left_out.any():
            text += f"; {int(shifts.left_out.sum())} left out"
        if found.path is None and found.parameters != values:
            text += ". The form has changed since: press Find shifts to use it"
        return text + "."

    def apply(self, item: AnyTiltSeries, progress: Progress) -> AnyTiltSeries:
        """Return the aligned images of a tilt series or time series.

        Raises
        ------
        DataError
            If the file does not hold the shifts any more.
        """
        shifts = self.shifts
        if shifts is None:
            raise DataError("There are no shifts to apply: find them or load them first.")
        found, path = shifts.found, self.file
        if self.needs_file:
            if path is None:
                raise DataError("Save the corrected shifts first; they are applied from the file.")
            _check_file(path, item, shifts)
            result = run_step(APPLY, item, {"path": path}, progress)
        elif self.aligned is not None and self.aligned[0] is found:
            result = self.aligned[1]
        else:
            result = run_step(FIND, item, found.parameters or {}, progress)
        tilts = tuple(int(k) for k in np.flatnonzero(shifts.left_out))
        return run_step(LEAVE_OUT, result, {"tilts": tilts}, progress) if tilts else result


def _check_file(path: str, item: AnyTiltSeries, shifts: Shifts) -> None:
    """Refuse a file that does not hold what was looked at: a recipe would repeat the file."""
    stored = read_shifts(path, times_of(item)).shifts_px
    if not all(map(np.array_equal, stored, shifts.shifts_px)):
        raise DataError(
            f"{name_of(path)} was changed since it was read or written here; load it again, "
            "or save the alignment to another file."
        )


def find_shifts(
    item: AnyTiltSeries, parameters: Parameters, progress: Progress
) -> tuple[FoundShifts, AnyTiltSeries]:
    """Find the shifts of a tilt series, or of each time point; returns the aligned images too."""
    result = run_step(FIND, item, parameters, progress)
    found = [one.metadata["alignment"] for one in times_of(result)]

    def each(name: str, kind: type) -> tuple[np.ndarray, ...]:
        return tuple(np.array(f[name], dtype=kind) for f in found)

    return FoundShifts(
        each("shifts_px", float),
        each("quality", float),
        each("mass_kept", float),
        each("suspect", bool),
        parameters=parameters,
        messages=tuple(_messages_of(result.provenance)),
    ), result


def _messages_of(made: Provenance) -> list[str]:
    return [*(f"Note: {w}" for w in made.warnings), *made.notes]


def name_of(path: str) -> str:
    """Return the name of a file, or of files of all time points, as it is said to a person."""
    return Path(path).name.replace(TIME, "*")


def place_of_files(path: str) -> str:
    """Return where shifts were saved, in words."""
    return f"{name_of(path)}, one for each time point" if TIME in path else path


def problem_of(times: Sequence[TiltSeries]) -> str:
    """Return why time points can't be aligned; empty if they can."""
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


def name_of_tilt(item: AnyTiltSeries, place: Place) -> str:
    """Return the angle of a tilt, and its time point if there are several."""
    time, tilt = place
    when = name_of_time(item, time)
    return f"{at_time(item, time).angles_deg[tilt]:+.1f}°" + (f" of {when}" if when else "")


def found_text(found: FoundShifts, duration: str) -> str:
    """Return in words what was found or loaded, and what to do next."""
    if found.path is not None:
        n = len(found.shifts_px[0])
        return f"Shifts of {n} tilts loaded. Next: look at them below the viewer, then Apply."
    suspects = sum(int(s.sum()) for s in found.suspect)
    images = sum(len(s) for s in found.suspect)
    least = min(float(m.min()) for m in found.mass_kept)
    look = "check the red ones" if suspects else "look at them below the viewer"
    return (
        f"{suspects} of {images} images suspect, least mass kept {100 * least:.1f} %, in "
        f"{duration}. Next: {look}, then Apply."
    )


def notes_of(item: AnyTiltSeries) -> list[str]:
    """Return what an aligned item has to say of how it was aligned."""
    made = item.provenance
    # the last is what was left out, if anything was
    steps = made.chain()[-2:] if made is not None else []
    notes = [f"Note: {w}" for p in steps for w in p.warnings if p.step != FIND]
    return notes + [n for p in steps for n in p.notes if p.step == APPLY]


def tilt_at(angles_deg: np.ndarray, shown_deg: np.ndarray, position: int) -> int:
    """Return the tilt of a series that is nearest in angle to the one a slider stands at.

    Parameters
    ----------
    angles_deg : array (tilt,)
        Of the series.
    shown_deg : array (shown,)
        Of what the slider moves through: the aligned layer may have fewer tilts.
    position : int
        Of the slider.
    """
    position = min(position, len(shown_deg) - 1)
    if np.array_equal(angles_deg, shown_deg):
        return position
    return int(np.argmin(np.abs(angles_deg - shown_deg[position])))


def position_of(angles_deg: np.ndarray, shown_deg: np.ndarray, tilt: int) -> int | None:
    """Return where a slider stands for a tilt of a series; None if what is shown lacks it."""
    if len(angles_deg) == len(shown_deg):
        return tilt
    off = np.abs(shown_deg - angles_deg[tilt])
    return int(np.argmin(off)) if off.min() < 1e-6 else None
