"""Shifts as they are found, read, corrected by hand and looked at; without any window."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_tomo4d.align import Alignment, exchange, read_alignment
from napari_tomo4d.align.transforms import TiltAxis
from napari_tomo4d.data import TiltSeries, TimeSeries
from napari_tomo4d.errors import DataError, ReadError
from napari_tomo4d.gui.cleaning import said_by
from napari_tomo4d.gui.undo import UndoStack
from napari_tomo4d.pipeline import run_step
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import collecting

FIND, APPLY, LEAVE_OUT = "align.translations", "align.apply", "align.leave_out"


@dataclass(eq=False)
class Origin:
    """Where shifts came from, before anything was changed by hand.

    Parameters
    ----------
    shifts_px : tuple of array (tilt, 2)
        (dy, dx) of each time point; one for all time points if from a file.
    quality, mass_kept : tuple of array (tilt,)
        NaN where not known.
    suspect : tuple of array (tilt,), bool
    parameters : dict, optional
        Of the step that found them.
    path : str, optional
        Of the file they were read from.
    axis : TiltAxis, optional
        What else the file applies.
    result : TiltSeries or TimeSeries, optional
        The aligned images, as long as they are worth their memory.
    said : tuple of str
        Warnings and notes.
    """

    shifts_px: tuple[np.ndarray, ...]
    quality: tuple[np.ndarray, ...]
    mass_kept: tuple[np.ndarray, ...]
    suspect: tuple[np.ndarray, ...]
    parameters: dict[str, Any] | None = None
    path: str | None = None
    axis: TiltAxis | None = None
    result: Any = None
    said: tuple[str, ...] = ()


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

    def gone(self, time: int) -> np.ndarray:
        """Return which tilts of a time point are left out, (tilt,) bool."""
        if len(self.shifts_px) == 1:
            return self.left_out
        return np.zeros(len(self.shifts_px[self.time(time)]), bool)

    @property
    def edited(self) -> np.ndarray:
        """Which tilts were moved by hand, (tilt,) bool."""
        return (self.shifts_px[0] != self.origin.shifts_px[0]).any(axis=1)

    def bad(self, time: int) -> np.ndarray:
        """Return which tilts are no measure for others, (tilt,) bool."""
        suspect = self.origin.suspect[self.time(time)]
        if len(self.shifts_px) == 1:
            suspect = suspect & ~self.edited
        return self.gone(time) | suspect

    def moved(self, tilt: int, shift_px: np.ndarray) -> State:
        """Return the state with another shift (dy, dx) of one tilt."""
        shifts = self.shifts_px[0].copy()
        # steps of a tenth of a pixel, which binary numbers can't hold, add up to whole pixels
        shifts[tilt] = np.round(shift_px, 6)
        return dataclasses.replace(self, shifts_px=(shifts,))

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
    saved : (array (tilt, 2), str), optional
        Shifts as last written, and the file they were written to.
    undo : UndoStack
    """

    state: State | None = None
    saved: tuple[np.ndarray, str] | None = None
    undo: UndoStack = field(default_factory=UndoStack)

    @property
    def file(self) -> str | None:
        """The file that holds the shifts exactly as they are, if there is one."""
        if self.state is None or len(self.state.shifts_px) > 1:
            return None
        shifts, origin = self.state.shifts_px[0], self.state.origin
        if origin.path is not None and not self.state.edited.any():
            return origin.path
        if self.saved is not None and np.array_equal(self.saved[0], shifts):
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
            text = f"From {Path(origin.path).name}"
            text += ", with its tilt axis" * (origin.axis is not None)
        else:
            text = f"Found by {(origin.parameters or {}).get('method')}"
        if len(state.shifts_px) == 1 and state.edited.any():
            text += f"; {int(state.edited.sum())} corrected by hand"
            if self.file is not None:
                text += f", saved in {Path(self.file).name}"
        if state.left_out.any():
            text += f"; {int(state.left_out.sum())} left out"
        if origin.path is None and origin.parameters != values:
            text += ". The form has changed since: press Find shifts to use it"
        return text + "."


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


def load(path: str, times: list[TiltSeries]) -> Origin:
    """Read shifts, for every time point the same.

    Raises
    ------
    ReadError
        If the file holds none.
    DataError
        If they do not fit the images.
    """
    axis = None
    said: list[str] = []
    ending = Path(path).suffix.lower()
    if ending == ".json":
        stored = exchange.read_json(path)
        axis = stored.axis
    elif ending == ".xf":
        transforms = exchange.read_xf(path)
        if not np.allclose(transforms.matrices, np.eye(2), atol=1e-6):
            raise ReadError(
                f"{Path(path).name} turns or stretches images, which can't be shown here; a "
                f"recipe with the step {APPLY} applies it."
            )
        stored = exchange.StoredAlignment(Alignment(transforms.offsets_px))
    else:
        with collecting() as said:
            stored = exchange.StoredAlignment(read_alignment(path))
    for series in times:
        stored.check(series)
    shifts = stored.alignment.shifts_px
    unknown = np.full(len(shifts), np.nan)
    none = np.zeros(len(shifts), bool)
    notes = tuple(f"Note: {w}" for w in said)
    return Origin((shifts,), (unknown,), (unknown,), (none,), None, str(path), axis, said=notes)


def save(path: str, series: TiltSeries, state: State) -> None:
    """Write the shifts, and the axis that came with them, as JSON."""
    alignment = Alignment(state.shifts_px[0])
    try:
        exchange.write_json(exchange.StoredAlignment.of(series, alignment, state.origin.axis), path)
    except OSError as error:
        raise DataError(f"The alignment can't be written to {path}: {error}.") from error


def apply(item: Any, state: State, path: str | None, progress: Progress) -> Any:
    """Return the aligned images.

    Parameters
    ----------
    item : TiltSeries or TimeSeries
    state : State
    path : str, optional
        File with the shifts; None if they are as they were found.
    progress : Progress
    """
    origin = state.origin
    if path is not None:
        if not np.array_equal(load(path, []).shifts_px[0], state.shifts_px[0]):
            raise DataError(
                f"{Path(path).name} was changed since it was read or written here; load it again, "
                "or save the alignment to another file."
            )
        result = run_step(APPLY, item, {"path": path}, progress)
    elif origin.result is not None:
        result = origin.result
    else:
        result = run_step(FIND, item, origin.parameters or {}, progress)
    gone = tuple(int(k) for k in np.flatnonzero(state.left_out))
    return run_step(LEAVE_OUT, result, {"tilts": gone}, progress) if gone else result


def between_neighbours(state: State, angles_deg: np.ndarray, tilt: int) -> np.ndarray:
    """Return the shift (dy, dx) of a tilt that its neighbours in angle would give it."""
    good = ~state.bad(0)
    good[tilt] = False
    if not good.any():
        good = np.arange(len(angles_deg)) != tilt
    order = np.argsort(angles_deg[good], kind="stable")
    angles, shifts = angles_deg[good][order], state.shifts_px[0][good][order]
    return np.array([np.interp(angles_deg[tilt], angles, shifts[:, k]) for k in range(2)])
