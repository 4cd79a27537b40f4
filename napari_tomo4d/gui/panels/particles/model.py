"""Which particles are looked at: their labels, the time, the table and the chosen one."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Sequence

import numpy as np
import pandas as pd
from psygnal import Signal

from napari_tomo4d import measure
from napari_tomo4d.data import (
    AnyLabels,
    Labels,
    is_series,
    like,
    name_of_time,
    times_of,
)
from napari_tomo4d.progress import Progress
from napari_tomo4d.quantities import plural
from napari_tomo4d.segment import particle_events
from napari_tomo4d.voxels import CUBIC

SEPARATE, FOLLOW = "segment.separate_particles", "segment.follow_particles"
_MASKS = ("segment.threshold_volumes", "segment.clean_mask", "segment.classify_voxels")
_BY_HAND = "segment.correct"


def is_mask(item: AnyLabels) -> bool:
    """Whether labels are known to tell particles from background only."""
    made = item.provenance or times_of(item)[0].provenance
    steps = [] if made is None else [p.step for p in made.chain() if p.step != _BY_HAND]
    return bool(steps) and steps[-1] in _MASKS


def events_of(item: AnyLabels | None) -> pd.DataFrame:
    """Return what happened from time to time; empty for a single time."""
    if item is None or not is_series(item):
        return pd.DataFrame(columns=["time", "event", "label", "other"])
    return particle_events(item)


def found_in_words(item: AnyLabels) -> str:
    """Return how many particles there are at the first and last time, and what happened."""
    items = times_of(item)
    ends = sorted({0, len(items) - 1})
    parts = []
    for time in ends:
        count = len(np.unique(np.asarray(items[time].data))) - 1
        at = f" at {name_of_time(item, time)}" if name_of_time(item, time) else ""
        parts.append(f"{plural(count, 'particle')}{at}")
    if is_series(item):
        counts = events_of(item)["event"].value_counts()
        parts += [f"{n} {event}" for event, n in counts.items()] or ["all kept their identity"]
    return ", ".join(parts)


def whole_table(item: AnyLabels, progress: Progress) -> pd.DataFrame:
    """Return the particles of all times for a file; lengths are in voxels without a size."""
    if times_of(item)[0].pixel_size_nm:
        return measure.measure_particles(item, progress=progress).frame
    items = [dataclasses.replace(one, pixel_size_nm=1.0) for one in times_of(item)]
    table = measure.measure_particles(like(item, items), progress=progress).frame
    return table.rename(columns=lambda name: name.replace("_nm", "_px"))


class ParticlesModel:
    """The particles that are corrected and measured, at one time, and one of them chosen.

    Signals
    -------
    table_changed()
        `table` is of other particles or another time, or there is none.
    selection_changed()
        Another particle is chosen, or the same is elsewhere.
    """

    table_changed = Signal()
    selection_changed = Signal()

    def __init__(self) -> None:
        self.item: AnyLabels | None = None
        """The labels, as they are after all corrections."""
        self.time = 0
        self.selected = 0
        self.table: pd.DataFrame | None = None
        self._measured: weakref.WeakKeyDictionary[Labels, pd.DataFrame] = (
            weakref.WeakKeyDictionary()
        )

    def show(self, item: AnyLabels | None, time: int) -> None:
        """Look at the particles of other labels, or of none; no particle is chosen."""
        self.selected = 0
        self.update(item, time)

    def update(self, item: AnyLabels | None, time: int) -> None:
        """Look at the same labels after a correction."""
        self.item = item
        self.look_at(time)

    def look_at(self, time: int) -> None:
        """Look at another time; its table is there at once if it was measured before."""
        known = 0 if self.item is None else len(times_of(self.item))
        self.time = max(0, min(time, known - 1))
        labels = self.labels
        self.table = None if labels is None else self._measured.get(labels)
        self.table_changed.emit()
        self.selection_changed.emit()

    @property
    def labels(self) -> Labels | None:
        """The labels of the time that is looked at."""
        return None if self.item is None else times_of(self.item)[self.time]

    @property
    def times(self) -> Sequence[str]:
        """The names of all times."""
        return (
            []
            if self.item is None
            else [name_of_time(self.item, t) for t in range(len(times_of(self.item)))]
        )

    # -- measuring --------------------------------------------------------------------------

    def measure(self, labels: Labels) -> pd.DataFrame:
        """Return the table of particles of one time, measured once; in voxels without a size.

        May be called from a thread.
        """
        table = self._measured.get(labels)
        if table is None:
            if (np.asarray(labels.data) > 0).any():
                table = measure.particle_table(labels, labels.pixel_size_nm or 1.0)
            else:
                table = pd.DataFrame({"label": np.empty(0, int)})
            self._measured[labels] = table
        return table

    def take(self, labels: Labels, table: pd.DataFrame) -> None:
        """Take the table of a time that was measured; it is shown if that is still wanted."""
        if labels is self.labels:
            self.table = table
            self.table_changed.emit()
            self.selection_changed.emit()

    @property
    def title(self) -> str:
        """What the table is of."""
        if self.item is None or self.table is None:
            return ""
        at = name_of_time(self.item, self.time)
        title = plural(len(self.table), "particle") + (f" at {at}" if at else "")
        if not self.has_size:
            title += "; no pixel size is known, so lengths are in voxels"
        return title

    @property
    def has_size(self) -> bool:
        """Whether the size of a voxel is known at the time that is looked at."""
        return self.labels is not None and self.labels.pixel_size_nm is not None

    # -- the chosen particle ----------------------------------------------------------------

    def select(self, label: int) -> None:
        """Choose a particle; 0 chooses none."""
        self.selected = label
        self.selection_changed.emit()

    @property
    def ring_px(self) -> tuple[np.ndarray, float] | None:
        """Centre (z, y, x) in voxels and diameter in edges of them along x, of the chosen one.

        None if it is not there.
        """
        row, labels = self._row(self.table, self.selected), self.labels
        if row is None or labels is None:
            return None
        spacing = _spacing(labels)
        return _centre(row) / spacing, float(row["equivalent_diameter_nm"] / spacing[2])

    def centre_px(self, labels: Labels, label: int) -> np.ndarray | None:
        """Return the centre (z, y, x) of a measured particle in voxels, None if it is not there."""
        row = self._row(self._measured.get(labels), label)
        return None if row is None else _centre(row) / _spacing(labels)

    @staticmethod
    def _row(table: pd.DataFrame | None, label: int) -> pd.Series | None:
        found = None if table is None else table[table["label"] == label]
        return None if found is None or not len(found) else found.iloc[0]


def _spacing(labels: Labels) -> np.ndarray:
    return np.array(labels.voxel_size_nm or CUBIC)


def _centre(row: pd.Series) -> np.ndarray:
    return row[["z_nm", "y_nm", "x_nm"]].to_numpy(float)
