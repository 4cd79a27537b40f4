"""The voxels of a label layer: the one place where they are changed, and what was changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from psygnal import Signal

from napari_tomo4d.checks import Pixels
from napari_tomo4d.data import (
    AnyLabels,
    Labels,
    is_series,
    like,
    name_of_time,
    times_of,
)
from napari_tomo4d.immutable import frozen, read_only
from napari_tomo4d.provenance import Provenance
from napari_tomo4d.registry import provenance_as_by
from napari_tomo4d.segment.edits import Change, Edit, Edits, Paint, with_edited_events

Key = tuple[Any, ...]
"""What NumPy takes in brackets, a part for each axis."""

_ALL = (slice(None),) * 3


@dataclass(frozen=True)
class Made:
    """What was done at once, and is undone at once.

    Parameters
    ----------
    text : str
        What was done, as a tooltip says it.
    edits : tuple of Edit
        One, or one for each time.
    changes : tuple of Change
    """

    text: str
    edits: tuple[Edit, ...]
    changes: tuple[Change, ...]


class LabelStack:
    """Labels of one or all times as an array that napari shows and paints on.

    The data object below it is never written to: a time is copied when the first of its
    voxels changes, and `item` gives the labels as they are now, with all corrections in their
    provenance. Times that are stored lazily are read when they are looked at.

    Parameters
    ----------
    item : Labels, or TimeSeries of Labels
        ``(z, y, x)``, or ``(time, z, y, x)`` for a series; shorter volumes are filled up with
        background along z.

    Signals
    -------
    changed()
        `item` is another one now.
    """

    changed = Signal()

    def __init__(self, item: AnyLabels) -> None:
        self.base = item
        self._now = item
        self._times: list[Labels] = list(times_of(item))
        self._own: dict[int, np.ndarray] = {}
        # what was written since the last edit: voxels of a time (flat), and their labels before
        self._written: list[tuple[int, np.ndarray, np.ndarray]] = []
        self._done: list[Made] = []
        self._undone: list[Made] = []
        shapes = [tuple(one.data.shape) for one in self._times]
        volume = (max(s[0] for s in shapes), *shapes[0][1:])
        self.shape: tuple[int, ...] = volume
        if is_series(item):
            self.shape = (len(shapes), *volume)
        self.keeper: Any = None
        """Who keeps these voxels and a layer together; None if no viewer shows them."""
        self.problem = ""
        """Why the voxels can't be changed by hand; empty if they can."""
        if len(set(shapes)) > 1:
            self.problem = (
                "These labels differ in size from time to time; crop them to one size to paint."
            )

    # -- the array that napari sees ----------------------------------------------------------

    dtype = np.dtype(np.int32)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """Size in memory if all were read."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<LabelStack {' x '.join(map(str, self.shape))} of {self._now.name!r}>"

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        """Return a copy of all voxels in memory."""
        return np.asarray(self[...], dtype=dtype)

    def astype(self, dtype: DTypeLike) -> np.ndarray:
        """Return a copy of all voxels as another type."""
        return np.asarray(self, dtype=dtype)

    def __deepcopy__(self, _memo: object) -> LabelStack:
        """Return labels of their own, which share what no one can write."""
        return self.copy()

    def __copy__(self) -> LabelStack:
        return self.copy()

    def copy(self) -> LabelStack:
        """Return the same labels, to be changed on their own."""
        return LabelStack(self.item)

    def __getitem__(self, key: Any) -> Any:
        """Return a copy of some voxels, which the caller may write to.

        One time as a whole, ``stack[2]``, is a view that can't be written to, or not read yet:
        the viewer asks for one at every touch of the brush, to know its type.
        """
        if isinstance(key, int) and self.ndim == 4 and not self.problem:
            time = int(_counted(np.asarray(key), len(self._times)))
            data = self._own.get(time, self._times[time].data)
            return read_only(data) if isinstance(data, np.ndarray) else data.copy()
        time, rest = self._split(key)
        if rest is None:
            return self._whole()[key]
        if isinstance(time, int):
            return self._read(time, rest)
        if isinstance(time, slice):
            parts = [self._read(t, rest) for t in range(*time.indices(len(self._times)))]
            return np.stack(parts) if parts else np.empty((0, *self.shape[1:]), self.dtype)
        index = np.broadcast_arrays(time, *rest)
        result = np.empty(index[0].shape, self.dtype)
        for t in np.unique(index[0]):
            here = index[0] == t
            result[here] = self._read(int(t), tuple(i[here] for i in index[1:]))
        return result

    def __setitem__(self, key: Any, value: Any) -> None:
        """Write voxels; they become part of the next edit."""
        time, rest = self._split(key)
        if rest is None:
            whole = self._whole()
            whole[key] = value
            for t in range(len(self._times)):
                self._write(t, _ALL, whole[t] if self.ndim == 4 else whole)
        elif isinstance(time, int):
            self._write(time, rest, value)
        elif isinstance(time, slice):
            times = range(*time.indices(len(self._times)))
            values = np.asarray(value)
            rank = 1 + sum(isinstance(k, slice) for k in rest)
            each = values.ndim == rank and len(values) == len(times)
            for i, t in enumerate(times):
                self._write(t, rest, values[i] if each else values)
        else:
            index = np.broadcast_arrays(time, *rest)
            values = np.broadcast_to(np.asarray(value), index[0].shape)
            for t in np.unique(index[0]):
                here = index[0] == t
                self._write(int(t), tuple(i[here] for i in index[1:]), values[here])

    def _split(self, key: Any) -> tuple[Any, Key | None]:
        """Return which times, and which voxels of each; no voxels if the key is a rare one."""
        keys = key if isinstance(key, tuple) else (key,)
        if len(keys) == 1 and _is_mask(keys[0]) and keys[0].shape == self.shape:
            keys = np.nonzero(keys[0])
        given = [k for k in keys if k is not Ellipsis]
        if any(k is Ellipsis for k in keys):
            at = next(i for i, k in enumerate(keys) if k is Ellipsis)
            fill = (slice(None),) * (self.ndim - len(given))
            keys = (*keys[:at], *fill, *keys[at + 1 :])
        keys = (*keys, *(slice(None),) * (self.ndim - len(keys)))
        if len(keys) != self.ndim or not all(_is_plain(k) for k in keys):
            return None, None
        if self.ndim == 3:
            keys = (0, *keys)
        places = [np.asarray(k) for k in keys if not isinstance(k, slice)]
        if any(p.ndim for p in places):
            # single voxels: each axis has a list of places
            if len(places) < 4:
                return None, None
            sizes = (len(self._times), *self.shape[-3:])
            found = [_counted(p, n) for p, n in zip(places, sizes, strict=True)]
            return found[0], tuple(found[1:])
        time = keys[0]
        if not isinstance(time, slice):
            time = int(_counted(np.asarray(time), len(self._times)))
        return time, tuple(keys[1:])

    def _whole(self) -> np.ndarray:
        parts = [self._read(t, _ALL) for t in range(len(self._times))]
        return np.stack(parts) if self.ndim == 4 else parts[0]

    def _read(self, time: int, key: Key) -> Any:
        data = self._own.get(time, self._times[time].data)
        if len(data) < self.shape[-3]:
            missing = self.shape[-3] - len(data)
            data = np.pad(np.asarray(data), ((0, missing), (0, 0), (0, 0)))
        return np.array(_readable(data, key)[key])

    def largest(self) -> int:
        """Return the largest label of all times."""
        return max(int(self._read(t, _ALL).max()) for t in range(len(self._times)))

    # -- writing ----------------------------------------------------------------------------

    def _write(self, time: int, key: Key, value: Any) -> None:
        if self.problem:
            raise ValueError(self.problem)
        data = self._own.get(time)
        if data is None:
            data = self._times[time].data
        before = np.asarray(_readable(data, key)[key])
        values = np.broadcast_to(np.asarray(value), before.shape)
        differs = np.asarray(before != values)
        if not differs.any():
            return
        if values.min() < 0:
            raise ValueError("Labels are not negative; background is 0.")
        if time not in self._own:
            self._own[time] = data = np.array(data)
        places = _places(key, differs, data.shape)
        self._written.append((time, places, before[differs]))
        data.reshape(-1)[places] = values[differs]

    @property
    def pending(self) -> bool:
        """Whether voxels were written that are not part of an edit yet."""
        return bool(self._written)

    def fill(self, array: Pixels) -> None:
        """Give all voxels the labels of an array, as one edit.

        Raises
        ------
        ValueError
            If it is not an array of labels of the same shape.
        """
        if tuple(array.shape) != self.shape or np.dtype(array.dtype).kind not in "biu":
            raise ValueError(
                f"labels of {' x '.join(map(str, self.shape))} voxels were expected, not "
                f"{array.dtype} of {' x '.join(map(str, array.shape))}."
            )
        self.commit()
        for time in range(len(self._times)):
            self._write(time, _ALL, np.asarray(array[time] if self.ndim == 4 else array))
        self.commit()

    def commit(self) -> None:
        """Make one edit of what was written since the last one."""
        changes = self._changes()
        if changes:
            edits = tuple(Paint(c.time, c.where, c.after) for c in changes)
            self._push(edits, changes)

    def apply(self, edit: Edit, changes: Sequence[Change]) -> None:
        """Make an edit whose changes were worked out for `item` as it is now."""
        self.commit()
        for change in changes:
            self._put(change)
        self._written.clear()
        self._push((edit,), changes)

    def undo(self) -> None:
        """Undo the last edit, whatever made it."""
        self.commit()
        if self._done:
            made = self._done.pop()
            self._undone.append(made)
            self._step(c.undone() for c in reversed(made.changes))

    def redo(self) -> None:
        """Do again what was undone last."""
        self.commit()
        if self._undone:
            made = self._undone.pop()
            self._done.append(made)
            self._step(made.changes)

    @property
    def undo_text(self) -> str:
        """What `undo` would undo; empty if nothing."""
        return self._done[-1].text if self._done else ""

    @property
    def redo_text(self) -> str:
        """What `redo` would do again; empty if nothing."""
        return self._undone[-1].text if self._undone else ""

    # -- what was made of it ----------------------------------------------------------------

    @property
    def edits(self) -> Edits:
        """All corrections since these labels were shown, in order."""
        self.commit()
        return Edits(tuple(edit for made in self._done for edit in made.edits))

    @property
    def item(self) -> AnyLabels:
        """The labels as they are now."""
        self.commit()
        return self._now

    def _changes(self) -> tuple[Change, ...]:
        """Return what differs from before, voxels written twice once, and forget the writing."""
        found = []
        for time in sorted({t for t, _, _ in self._written}):
            parts = [(p, b) for t, p, b in self._written if t == time]
            places = np.concatenate([p for p, _ in parts])
            before = np.concatenate([b for _, b in parts])
            places, first = np.unique(places, return_index=True)
            before, after = before[first], self._own[time].reshape(-1)[places]
            differs = before != after
            if differs.any():
                shape = self._own[time].shape
                where = np.stack(np.unravel_index(places[differs], shape), axis=1)
                found.append(Change(time, where, before[differs], after[differs]))
            else:
                del self._own[time]
        self._written.clear()
        return tuple(found)

    def _put(self, change: Change) -> None:
        self._write(change.time, tuple(change.where.T), change.after)

    def _step(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self._put(change)
        self._written.clear()
        self._refresh_item()

    def _push(self, edits: tuple[Edit, ...], changes: Sequence[Change]) -> None:
        at = name_of_time(self.base, edits[0].time)
        text = ", ".join(map(str, edits))
        text = f"{at}: {text}" if at else text
        self._done.append(Made(text, edits, tuple(changes)))
        self._undone.clear()
        self._refresh_item()

    def _refresh_item(self) -> None:
        """Hand the arrays that were written over to a new data object."""
        made = self._provenance()
        for time, data in self._own.items():
            self._times[time] = dataclasses.replace(
                self._times[time], data=frozen(data), provenance=self._at_time(made, time)
            )
        self._own.clear()
        if not self._done:
            self._times, self._now = list(times_of(self.base)), self.base
        else:
            self._times = self._with_events(self._times)
            self._now = dataclasses.replace(like(self.base, self._times), provenance=made)
        self.changed.emit()

    def _with_events(self, times: list[Labels]) -> list[Labels]:
        """Return the labels of all times with the events that corrections have left."""
        edits = [edit for made in self._done for edit in made.edits]
        wanted = with_edited_events(times_of(self.base), edits)
        return [
            one
            if one.metadata.get("events") == other.metadata.get("events")
            else dataclasses.replace(one, metadata=other.metadata)
            for one, other in zip(times, wanted, strict=True)
        ]

    def _at_time(self, made: Provenance, time: int) -> Provenance:
        return dataclasses.replace(made, time=time) if is_series(self.base) else made

    def _provenance(self) -> Provenance:
        return provenance_as_by("segment.correct", self.base, edits=self.edits)


def _readable(data: Pixels, key: Key) -> Any:
    """Return an array that can be read by a key; not every lazy one can read single voxels."""
    single = all(isinstance(k, np.ndarray) for k in key)
    return np.asarray(data) if single and not isinstance(data, np.ndarray) else data


def _is_mask(key: object) -> bool:
    return isinstance(key, np.ndarray) and key.dtype.kind == "b"


def _is_plain(key: Any) -> bool:
    if isinstance(key, (slice, int, np.integer)):
        return True
    return isinstance(key, (np.ndarray, list)) and np.asarray(key).dtype.kind in "iu"


def _counted(places: np.ndarray, n: int) -> np.ndarray:
    """Return places from 0 for those counted from the end."""
    if places.size and (places.min() < -n or places.max() >= n):
        raise IndexError(f"There is no place {places.max()} along an axis of {n}.")
    return np.where(places < 0, places + n, places)


def _places(key: Key, chosen: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return where in the flattened volume the chosen ones of some voxels are."""
    if any(isinstance(k, np.ndarray) and k.ndim for k in key):
        axes = [np.asarray(k)[chosen] for k in key]
    else:
        along = iter(np.nonzero(chosen) if chosen.ndim else ())
        axes = []
        for k, n in zip(key, shape, strict=True):
            if isinstance(k, slice):
                first, _, stride = k.indices(n)
                axes.append(first + stride * next(along))
            else:
                axes.append(np.asarray(int(k) + n * (int(k) < 0)))
    return np.ravel_multi_index(tuple(np.broadcast_arrays(*axes)), shape).ravel()
