"""Particles as they are found, corrected by hand and measured; without any window."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_tomo4d import measure
from napari_tomo4d.data import Labels, TimeSeries
from napari_tomo4d.errors import DataError
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import Provenance
from napari_tomo4d.segment import (
    delete_particle,
    merge_particles,
    particle_events,
    relabel,
    split_particle,
)
from napari_tomo4d.whole_files import replacing

SEPARATE, FOLLOW = "segment.separate_particles", "segment.follow_particles"
_MASKS = ("segment.threshold_volumes", "segment.clean_mask", "segment.classify_voxels")
BY_HAND = "By hand, "

COLUMNS = {
    "label": "number",
    "volume_nm3": "volume (nm^3)",
    "equivalent_diameter_nm": "diameter (nm)",
    "surface_nm2": "surface (nm^2)",
    "sphericity": "sphericity",
    "axis_1_nm": "axis 1 (nm)",
    "axis_2_nm": "axis 2 (nm)",
    "axis_3_nm": "axis 3 (nm)",
    "z_nm": "z (nm)",
    "y_nm": "y (nm)",
    "x_nm": "x (nm)",
    "coordination": "coordination",
    "at_border": "at border",
}
"""Columns of `napari_tomo4d.measure.particles.shapes`, and what a file calls them."""

AnyLabels = Labels | TimeSeries[Labels]


def labels_of(item: AnyLabels | None) -> list[Labels]:
    """Return the labels of all times."""
    if item is None:
        return []
    return list(item) if isinstance(item, TimeSeries) else [item]


def when(item: AnyLabels, time: int) -> str:
    """Return the name of a time, empty if there is only one."""
    return item.label(time) if isinstance(item, TimeSeries) else ""


def is_mask(item: AnyLabels) -> bool:
    """Whether labels are known to tell particles from background only."""
    made = item.provenance or labels_of(item)[0].provenance
    return made is not None and made.step in _MASKS


def events_of(item: AnyLabels | None) -> pd.DataFrame:
    """Return what happened from time to time; empty for a single time."""
    if not isinstance(item, TimeSeries):
        return pd.DataFrame(columns=["time", "event", "label", "other"])
    return particle_events(item)


# -- corrections ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Change:
    """The voxels of one time that got other numbers.

    Parameters
    ----------
    time : int
    where : int array (n,)
        Places in the flattened volume.
    before, after : int32 array (n,)
    """

    time: int
    where: np.ndarray
    before: np.ndarray
    after: np.ndarray


@dataclass(frozen=True, eq=False)
class Correction:
    """One thing done by hand.

    Parameters
    ----------
    text : str
        What was done, with all that is needed to do it again.
    changes : sequence of Change
    """

    text: str
    changes: Sequence[Change]


def split(item: AnyLabels, time: int, label: int, line: np.ndarray, view: np.ndarray) -> Correction:
    """Cut a particle by the plane through a line (2, 3) along the view (3,), in voxels.

    The new part gets a number that no particle has at any time.
    """
    before = labels_of(item)[time]
    after = np.array(split_particle(before, label, line, view).data)
    new = int(after.max())
    free = 1 + max(int(np.asarray(one.data).max()) for one in labels_of(item))
    after[after == new] = free
    ends = " to ".join("(" + ", ".join(f"{v:.1f}" for v in end) + ")" for end in line)
    # adding 0 turns -0 into 0
    seen = ", ".join(f"{round(float(v), 3) + 0.0:g}" for v in view)
    text = f"particle {label} split by the line {ends} px (z, y, x) seen along ({seen}); "
    text += f"the smaller part is {free}"
    return _correction(item, {time: after}, time, text)


def merge(item: AnyLabels, time: int, a: int, b: int) -> Correction:
    """Join two particles at one time; the result has the number `a`."""
    after = np.asarray(merge_particles(labels_of(item)[time], a, b).data)
    return _correction(item, {time: after}, time, f"particle {b} merged into {a}")


def delete(item: AnyLabels, time: int, a: int) -> Correction:
    """Turn a particle of one time into background."""
    after = np.asarray(delete_particle(labels_of(item)[time], a).data)
    return _correction(item, {time: after}, time, f"particle {a} deleted")


def renumber(item: AnyLabels, time: int, old: int, new: int, onward: bool) -> Correction:
    """Change a particle's number; one that has it already gets the old one.

    Raises
    ------
    DataError
        If both numbers are the same.
    """
    if old == new:
        raise DataError(f"Particle {old} has this number already; give another one.")
    items = labels_of(item)
    series = item if isinstance(item, TimeSeries) else TimeSeries(items)
    last = len(items) if onward else time + 1
    # wherever the new number is in use from here on, the two change places
    taken = any((np.asarray(one.data) == new).any() for one in items[time:last])
    data = {}
    for t in range(time, last):
        array = np.asarray(items[t].data)
        numbers = {a: b for a, b in ((old, new), (new, old)) if (array == a).any()}
        if t == time and old not in numbers:
            raise DataError(f"There is no particle {old} at {series.label(time)}.")
        if numbers:
            data[t] = np.asarray(relabel(series, t, numbers, onward=False)[t].data)
    text = f"particle {old} became {new}"
    text += f", and {new} became {old}" if taken else ""
    text += ", also at later times" if onward and time + 1 < len(items) else ""
    return _correction(item, data, time, text)


def _correction(item: AnyLabels, data: dict[int, np.ndarray], time: int, text: str) -> Correction:
    changes = []
    for t, after in data.items():
        old, new = np.asarray(labels_of(item)[t].data).ravel(), after.ravel()
        where = np.flatnonzero(old != new)
        changes.append(Change(t, where, old[where], new[where]))
    at = when(item, time)
    return Correction(f"{BY_HAND}{at + ': ' if at else ''}{text}.", changes)


def apply(item: AnyLabels, correction: Correction, forward: bool = True) -> AnyLabels:
    """Return labels with a correction done, or taken back."""
    items = labels_of(item)
    for change in correction.changes:
        data = np.array(items[change.time].data)
        data.ravel()[change.where] = change.after if forward else change.before
        items[change.time] = dataclasses.replace(items[change.time], data=data)
    if isinstance(item, TimeSeries):
        return dataclasses.replace(item, series=items)
    return items[0]


def with_record(item: AnyLabels, base: Provenance | None, texts: Sequence[str]) -> AnyLabels:
    """Return labels whose provenance tells what was done by hand, and no more.

    Parameters
    ----------
    item : Labels or TimeSeries of Labels
    base : Provenance, optional
        That of the labels before any correction.
    texts : sequence of str
        What was done, in order.
    """
    base = base or Provenance("labels")
    return dataclasses.replace(
        item, provenance=dataclasses.replace(base, notes=(*base.notes, *texts))
    )


def by_hand(item: Any) -> list[str]:
    """Return what was corrected by hand."""
    made = getattr(item, "provenance", None)
    return [] if made is None else [n for n in made.all_notes() if n.startswith(BY_HAND)]


# -- measuring ------------------------------------------------------------------------------

_measured: weakref.WeakKeyDictionary[Labels, pd.DataFrame] = weakref.WeakKeyDictionary()


def particles_of(labels: Labels) -> pd.DataFrame:
    """Return the table of particles of one time, measured once; in voxels without a size."""
    table = _measured.get(labels)
    if table is None:
        if (np.asarray(labels.data) > 0).any():
            table = measure.particle_table(labels, labels.pixel_size_nm or 1.0)
        else:
            table = pd.DataFrame(columns=list(COLUMNS))
        _measured[labels] = table
    return table


def known_table(labels: Labels) -> pd.DataFrame | None:
    """Return the table of particles if they were measured already."""
    return _measured.get(labels)


def centre_px(labels: Labels, table: pd.DataFrame, label: int) -> np.ndarray | None:
    """Return the centre (z, y, x) of a particle in voxels, None if it is not there."""
    row = table[table["label"] == label]
    if not len(row):
        return None
    return row[["z_nm", "y_nm", "x_nm"]].to_numpy(float)[0] / (labels.pixel_size_nm or 1.0)


def in_units(names: Iterable[str], size_nm: float | None) -> list[str]:
    """Return column names with the unit that is known."""
    return [n if size_nm else n.replace("(nm", "(px") for n in names]


def write_table(item: AnyLabels, path: str | Path, progress: Progress) -> int:
    """Write the particles of all times as CSV, whole or not at all; returns the rows.

    Raises
    ------
    WriteError
        If it can't be written.
    """
    items, tables = labels_of(item), []
    for t, labels in enumerate(items):
        table = particles_of(labels).rename(columns=COLUMNS)
        if isinstance(item, TimeSeries):
            extra = {"time point": t + 1}
            if item.times_s is not None:
                extra["time (s)"] = item.times_s[t]
            if item.temperatures_c is not None:
                extra["temperature (degC)"] = item.temperatures_c[t]
            for place, (name, value) in enumerate(extra.items()):
                table.insert(place, name, value)
        tables.append(table)
        progress.report(t + 1, len(items), "Measuring particles")
    whole = pd.concat([t for t in tables if len(t)] or tables)
    whole.columns = in_units(whole.columns, items[0].pixel_size_nm)
    with replacing(Path(path)) as part:
        whole.to_csv(part, index=False, float_format="%.6g")
    return len(whole)
