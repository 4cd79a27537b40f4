"""Corrections by hand as data: splits, merges, deletions, new numbers and painted voxels."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_tomo4d.checks import Pixels
from napari_tomo4d.data import AnyLabels, Labels, like, times_of
from napari_tomo4d.errors import DataError, ParameterError, Tomo4DError
from napari_tomo4d.immutable import frozen
from napari_tomo4d.progress import Progress
from napari_tomo4d.registry import step
from napari_tomo4d.segment.corrections import cut_voxels, merged_voxels, voxels_of
from napari_tomo4d.segment.edited_events import Event, removed, renumbered

Point = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Change:
    """Voxels of one time that get other labels.

    Parameters
    ----------
    time : int
        Index of the time point.
    where : int array (n, 3)
        Voxels (z, y, x), each once.
    before, after : int32 array (n,)
        Their labels.
    """

    time: int
    where: np.ndarray
    before: np.ndarray
    after: np.ndarray

    def undone(self) -> Change:
        """Return the change that restores what was there before."""
        return Change(self.time, self.where, self.after, self.before)


def change(time: int, array: np.ndarray, where: np.ndarray, labels: np.ndarray | int) -> Change:
    """Return the change that gives voxels (n, 3) of an array (z, y, x) new labels."""
    before = array[tuple(where.T)]
    after = np.broadcast_to(np.asarray(labels, np.int32), before.shape)
    differs = before != after
    return Change(time, where[differs], before[differs], after[differs])


class Edit:
    """One correction, at one time.

    Every kind of edit has a `time` (index of the time point, from 0).
    """

    time: int

    def changes(self, arrays: Sequence[Pixels]) -> list[Change]:
        """Return the voxels that get other labels.

        Parameters
        ----------
        arrays : sequence of int array (z, y, x)
            Labels of all times as they are before the edit; NumPy or lazy.
        """
        raise NotImplementedError

    def events(self, events: Sequence[Event]) -> list[Event]:
        """Return what is known to have happened to particles after the edit.

        Parameters
        ----------
        events : sequence of dict
            What was known before it, as `follow_particles` lists it.
        """
        return list(events)

    def __str__(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class Split(Edit):
    """Cut a particle by the plane through a line and the direction of view.

    Parameters
    ----------
    time : int
    label : int
        The particle. Its larger part keeps this number, the other gets one that no particle
        has at any time.
    line : two points (z, y, x)
        In voxels, on the cut.
    view : (z, y, x)
        Direction one looks along; the beam by default.
    """

    time: int
    label: int
    line: tuple[Point, Point]
    view: Point = (1.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        line = tuple(tuple(float(v) for v in point) for point in self.line)
        object.__setattr__(self, "line", line)
        object.__setattr__(self, "view", tuple(float(v) for v in self.view))

    def changes(self, arrays: Sequence[Pixels]) -> list[Change]:
        """Return the voxels of the smaller part."""
        array = np.asarray(arrays[self.time])
        free = 1 + max(int(a.max()) for a in arrays)
        where, numbers = cut_voxels(array, self.label, self.line, self.view, free)
        return [change(self.time, array, where, numbers)]

    def __str__(self) -> str:
        ends = " to ".join("(" + ", ".join(f"{v:.1f}" for v in end) + ")" for end in self.line)
        # adding 0 turns -0 into 0
        view = ", ".join(f"{round(v, 3) + 0.0:g}" for v in self.view)
        return f"particle {self.label} split along {ends} px (z, y, x), seen along ({view})"


@dataclass(frozen=True)
class Merge(Edit):
    """Join two particles at one time.

    Parameters
    ----------
    time : int
    label : int
        The number that the result has.
    other : int
        The particle that becomes part of it.
    """

    time: int
    label: int
    other: int

    def changes(self, arrays: Sequence[Pixels]) -> list[Change]:
        """Return the voxels of the other particle."""
        array = np.asarray(arrays[self.time])
        where = merged_voxels(array, self.label, self.other)
        return [change(self.time, array, where, self.label)]

    def events(self, events: Sequence[Event]) -> list[Event]:
        """Return the events without those of the other particle."""
        return removed(events, self.time, self.other, self.label)

    def __str__(self) -> str:
        return f"particle {self.other} merged into {self.label}"


@dataclass(frozen=True)
class Delete(Edit):
    """Turn a particle of one time into background.

    Parameters
    ----------
    time, label : int
    """

    time: int
    label: int

    def changes(self, arrays: Sequence[Pixels]) -> list[Change]:
        """Return the particle's voxels."""
        array = np.asarray(arrays[self.time])
        return [change(self.time, array, voxels_of(array, self.label), 0)]

    def events(self, events: Sequence[Event]) -> list[Event]:
        """Return the events without those of the particle."""
        return removed(events, self.time, self.label)

    def __str__(self) -> str:
        return f"particle {self.label} deleted"


@dataclass(frozen=True)
class Renumber(Edit):
    """Change a particle's number; one that has it already gets the old one.

    Parameters
    ----------
    time : int
        The first time, or the only one.
    label, new : int
        The number until now, and from now on.
    onward : bool
        Change all later times too.
    """

    time: int
    label: int
    new: int
    onward: bool = True

    def changes(self, arrays: Sequence[Pixels]) -> list[Change]:
        """Return the voxels of both particles."""
        if self.label == self.new:
            raise DataError(f"Particle {self.new} has this number already; give another one.")
        if min(self.label, self.new) < 1:
            raise ParameterError("Numbers of particles are positive; 0 is background.")
        found = []
        for t in range(self.time, len(arrays) if self.onward else self.time + 1):
            array = np.asarray(arrays[t])
            if t == self.time:
                voxels_of(array, self.label)
            where = np.argwhere((array == self.label) | (array == self.new))
            old = array[tuple(where.T)] == self.label
            if len(where):
                found.append(change(t, array, where, np.where(old, self.new, self.label)))
        return found

    def events(self, events: Sequence[Event]) -> list[Event]:
        """Return the events with the new numbers."""
        return renumbered(events, self.time, self.label, self.new, self.onward)

    def __str__(self) -> str:
        later = ", also at later times" if self.onward else ""
        return f"particle {self.label} became {self.new}{later}"


@dataclass(frozen=True, eq=False)
class Paint(Edit):
    """Give single voxels other labels, as a brush does.

    Parameters
    ----------
    time : int
    where : int array (n, 3)
        Voxels (z, y, x), each once.
    labels : int or int array (n,)
        Their new labels; 0 is background.

    Raises
    ------
    ParameterError
        If voxels and labels do not make sense.
    """

    time: int
    where: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        where = np.array(self.where, dtype=np.int32)
        if where.ndim != 2 or where.shape[1] != 3 or where.min(initial=0) < 0:
            raise ParameterError("Painted voxels are given as rows (z, y, x), counted from 0.")
        labels = np.asarray(self.labels)
        if labels.dtype.kind not in "biu" or labels.shape not in ((), (len(where),)):
            raise ParameterError("Painting needs one whole number, or one for each voxel.")
        if labels.min(initial=0) < 0:
            raise ParameterError("Painted labels are not negative; 0 is background.")
        labels = np.array(np.broadcast_to(labels, len(where)), dtype=np.int32)
        for name, array in (("where", where), ("labels", labels)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def changes(self, arrays: Sequence[Pixels]) -> list[Change]:
        """Return the voxels whose label is another one so far."""
        array = np.asarray(arrays[self.time])
        if len(self.where) and (self.where.max(axis=0) >= array.shape).any():
            size = " x ".join(map(str, array.shape))
            raise DataError(
                f"Some painted voxels lie outside the volume of {size} voxels; they belong to "
                "other labels."
            )
        return [change(self.time, array, self.where, self.labels)]

    def __str__(self) -> str:
        n, numbers = len(self.where), np.unique(self.labels)
        count = f"{n} voxel{'s' * (n != 1)}"
        if len(numbers) != 1:
            return f"{count} changed"
        return f"{count} painted as {numbers[0]}" if numbers[0] else f"{count} erased"


@dataclass(frozen=True, eq=False)
class Edits(Sequence[Edit]):
    """Corrections in the order in which they were made.

    Parameters
    ----------
    edits : sequence of Split, Merge, Delete, Renumber and Paint
    """

    edits: Sequence[Edit] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "edits", tuple(self.edits))
        for edit in self.edits:
            if not isinstance(edit, Edit):
                raise ParameterError(f"A correction was expected, not a {type(edit).__name__}.")

    def __len__(self) -> int:
        return len(self.edits)

    def __getitem__(self, index: Any) -> Any:
        return self.edits[index]

    def __iter__(self) -> Iterator[Edit]:
        return iter(self.edits)

    def __repr__(self) -> str:
        return f"<Edits: {'; '.join(map(str, self.edits)) or 'none'}>"


def as_edits(edits: Edits | Iterable[Edit]) -> Edits:
    """Return corrections as one object."""
    return edits if isinstance(edits, Edits) else Edits(tuple(edits))


def with_edited_events(items: Sequence[Labels], edits: Iterable[Edit]) -> list[Labels]:
    """Return labels of all times with the events that are left of theirs after corrections.

    Parameters
    ----------
    items : sequence of Labels
        With the events that are noted in ``metadata["events"]`` of each, if any are.
    edits : iterable of Edit
    """
    before = [list(item.metadata.get("events", ())) for item in items]
    events = [event for happened in before for event in happened]
    for edit in edits:
        events = edit.events(events)
    after: list[list[Event]] = [[] for _ in items]
    for event in events:
        after[event["time"]].append(event)
    return [
        item if now == old else dataclasses.replace(item, metadata={**item.metadata, "events": now})
        for item, old, now in zip(items, before, after, strict=True)
    ]


@step("segment.correct", title="Correct by hand", takes=Labels, gives=Labels, together=True)
def correct(
    labels: AnyLabels,
    edits: Edits | Sequence[Edit],
    *,
    progress: Progress | None = None,
) -> AnyLabels:
    """Correct labels by hand: do again what was split, merged, deleted, renumbered or painted.

    Parameters
    ----------
    labels : Labels, or TimeSeries of Labels
    edits : Edits, or sequence of Split, Merge, Delete, Renumber and Paint
        In this order.
    progress : Progress, optional

    Returns
    -------
    Labels, or TimeSeries of Labels
        Times without a correction keep their voxels as they are, read or not; a division looks
        through all times for a number that is free, in pieces where they were not read. The events
        in ``metadata["events"]`` have the new numbers, and lack what was corrected.

    Raises
    ------
    DataError, ParameterError
        If a correction does not suit the labels: a particle, a time or voxels that are not
        there.
    """
    progress = progress or Progress()
    edits = as_edits(edits)
    items = list(times_of(labels))
    arrays: list[Pixels] = [item.data for item in items]
    own: set[int] = set()
    for i, edit in enumerate(edits):
        if not 0 <= edit.time < len(arrays):
            raise ParameterError(
                f"Correction {i + 1} is for time point {edit.time + 1}; there are {len(arrays)}."
            )
        try:
            changes = edit.changes(arrays)
        except Tomo4DError as error:
            raise type(error)(f"Correction {i + 1}, {edit}: {error}") from error
        for made in changes:
            if made.time not in own:
                arrays[made.time] = np.array(arrays[made.time])
                own.add(made.time)
            arrays[made.time][tuple(made.where.T)] = made.after
        progress.report(i + 1, len(edits), "Correcting by hand")
    for t in own:
        items[t] = dataclasses.replace(items[t], data=frozen(arrays[t]))
    return like(labels, with_edited_events(items, edits))
