"""The one state of the panel *Pairs*: labels, rows, what is looked at. No window is needed."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_tomo4d.data import (
    AnyLabels,
    AnyVolume,
    Labels,
    Table,
    is_series,
    times_of,
)
from napari_tomo4d.gui.panels.pairs.rows import PairRows, RowKey
from napari_tomo4d.gui.widgets.messages import NO_PARTICLES
from napari_tomo4d.gui.work.event import Event
from napari_tomo4d.gui.work.undo import UndoStack
from napari_tomo4d.measure.necks.contacts import PairKey, Suggestions
from napari_tomo4d.measure.necks.follow import row_of, row_start
from napari_tomo4d.measure.necks.neck import neck
from napari_tomo4d.measure.necks.neck_values import Neck
from napari_tomo4d.measure.necks.pairs_step import FROM_VOLUME, FROM_VOXELS, table_of_rows
from napari_tomo4d.measure.necks.section_image import SectionImage, section_image
from napari_tomo4d.measure.necks.uncertainty import Surfaces
from napari_tomo4d.quantities import plural, time_names
from napari_tomo4d.voxels import size_text

if TYPE_CHECKING:
    from napari.layers import Layer

NO_SIZE = (
    "The voxel size of these labels is not known, so nothing can be measured in nm: give the "
    "pixel size when you load the data."
)
NO_TOUCH = "No particles touch at any time; allow a larger gap."


@dataclass(frozen=True, eq=False)
class Found:
    """One pair measured at one time.

    Parameters
    ----------
    key : pair
    time : int
        Time point, from 0.
    neck : Neck
    picture : SectionImage, optional
        None without contact.
    """

    key: PairKey
    time: int
    neck: Neck
    picture: SectionImage | None


@dataclass(frozen=True, eq=False)
class Clicked:
    """A particle that was clicked.

    Parameters
    ----------
    label : int
        0 for background.
    time : int
    place : array (3,)
        Voxel (z, y, x).
    """

    label: int
    time: int
    place: np.ndarray


def measure_pair(items: tuple[Labels, ...], surfaces: Surfaces, key: PairKey, time: int) -> Found:
    """Measure a pair at one time, and sample the section it was measured in."""
    found = neck(items[time], *key, surface_uncertainty_nm=surfaces.at(time))
    picture = None
    if found.section is not None:
        volume = None if surfaces.volumes is None else surfaces.volumes[time]
        picture = section_image(found.section, items[time], *key, volume)
    return Found(key, time, found, picture)


class PairsModel:
    """Owns the pairs of the chosen labels, their rows, and the pair and time looked at.

    Attributes
    ----------
    rows_changed, looked_at_changed, first_changed, suggested, emptied, surfaces_changed : Event
        Rows came or went; another pair, time or measurement is looked at; another particle was
        clicked first; the pairs that touch are known, or no longer; labels were changed; another
        volume tells how well surfaces are known.
    """

    def __init__(self) -> None:
        self.rows_changed, self.looked_at_changed = Event(), Event()
        self.first_changed, self.suggested, self.emptied = Event(), Event(), Event()
        self.surfaces_changed = Event()
        self.labels: AnyLabels | None = None
        self.items: tuple[Labels, ...] = ()
        self.volumes: AnyVolume | None = None
        self.surfaces = Surfaces((), None)
        self.rows = PairRows(1)
        self.suggestions: Suggestions | None = None
        self.max_gap_nm = 0.0
        self.pair: PairKey | None = None
        self.time = 0
        self.first: Clicked | None = None
        self.undo_stack = UndoStack()
        self._found: dict[RowKey, Found] = {}
        # rows of other layers, to find them again; of the labels that were measured only
        self._kept: weakref.WeakKeyDictionary[Layer, _Measured] = weakref.WeakKeyDictionary()
        self._layer: Layer | None = None

    # -- input -----------------------------------------------------------------------------

    def set_labels(self, layer: Layer | None, labels: AnyLabels | None) -> bool:
        """Work on the labels of a layer; None for none that can be measured.

        What was measured of a layer before is there again, if its labels are the same; of labels
        that were corrected since, the pairs are. So is the volume they were measured with.

        Returns
        -------
        bool
            Whether the layer was looked at before.
        """
        self.labels, self._layer = labels, layer
        self.items = () if labels is None else times_of(labels)
        self.suggestions, self.pair, self.first, self._found = None, None, None, {}
        self.undo_stack.clear()
        kept = self._kept.get(layer) if labels is not None else None
        if kept is not None and kept.rows.n_times != len(self.items):
            kept = None
        if labels is None:
            self.rows = PairRows(1)
        elif kept is None:
            self.rows = PairRows(len(self.items))
            self._kept[layer] = _Measured(labels, self.rows, None)
        else:
            self.rows = kept.rows
            if kept.labels is not labels:
                kept.labels = labels
                self.rows.empty_rows()
        self._take_volumes(None if kept is None else kept.volumes)
        self.emptied.emit()
        return kept is not None

    def set_volumes(self, volumes: AnyVolume | None) -> None:
        """Take the uncertainty of the surface from another volume; all is measured again."""
        if volumes is self.volumes:
            return
        self._take_volumes(volumes)
        self.surfaces_changed.emit()
        kept = self._kept.get(self._layer) if self.labels is not None else None
        if kept is None:
            return
        kept.volumes = volumes
        self.rows.empty_rows()
        # what was removed before can't come back with the old uncertainties
        self.undo_stack.clear()
        self.rows_changed.emit()
        self.looked_at_changed.emit()

    def _take_volumes(self, volumes: AnyVolume | None) -> None:
        self.volumes = volumes
        self.surfaces = Surfaces(self.items, None if volumes is None else times_of(volumes))
        self._found = {}

    def set_gap(self, max_gap_nm: float) -> None:
        """Look for pairs with another largest gap."""
        self.max_gap_nm = max_gap_nm
        self.set_suggestions(None)

    def set_suggestions(self, suggestions: Suggestions | None) -> None:
        """Take the pairs that touch; None while they are being looked for."""
        self.suggestions = suggestions
        self.suggested.emit()

    # -- clicks ----------------------------------------------------------------------------

    def click(self, clicked: Clicked) -> tuple[str, PairKey | None]:
        """Take a click on a particle; returns what to say, and the pair if it is complete."""
        label, first = clicked.label, self.first
        if label == 0:
            return "That is background; click on a particle.", None
        if first is None:
            self.first = clicked
            self.first_changed.emit()
            return f"Particle {label}. Click its neighbour; Esc cancels.", None
        if first.label == label:
            return f"Particle {label} again; click another one.", None
        self.forget_first()
        pair = (min(first.label, label), max(first.label, label))
        return f"Measuring particles {first.label} and {label}...", pair

    def forget_first(self) -> bool:
        """Forget the particle clicked first; returns whether there was one."""
        if self.first is None:
            return False
        self.first = None
        self.first_changed.emit()
        return True

    def circle(self) -> tuple[np.ndarray, float] | None:
        """Return centre (z, y, x) in voxels and radius of the first particle at the time shown.

        The radius is in edges of voxels along x, as the sizes of points are.
        """
        first = self.first
        if first is None:
            return None
        if self.suggestions is not None:
            known = self.suggestions.spheres[self.time].get(first.label)
            if known is not None:
                return known[0], known[1] / self.items[self.time].sampling[2]
        z = int(first.place[0])
        y, x = np.nonzero(np.asarray(self.items[self.time].data[z]) == first.label)
        if not len(y):
            return None
        _, edge_y, edge_x = self.items[self.time].sampling
        radius = float(np.sqrt(len(y) * edge_y / edge_x / np.pi))
        return np.array([z, y.mean(), x.mean()]), radius

    # -- what is looked at -----------------------------------------------------------------

    @property
    def place(self) -> RowKey | None:
        """Pair and time looked at."""
        return None if self.pair is None else (self.pair, self.time)

    @property
    def found(self) -> Found | None:
        """The measurement looked at; None while it is not known."""
        return None if self.place is None else self._found.get(self.place)

    @property
    def title(self) -> str:
        """What is looked at, in words; empty if nothing is."""
        if self.pair is None:
            return ""
        a, b = self.pair
        text = f"{self.rows.name(self.pair)}: particles {a} and {b}"
        if is_series(self.labels):
            text += f", {self.time_names()[self.time]}"
        return text

    def time_names(self) -> list[str]:
        """Return the name of each time."""
        return time_names(getattr(self.labels, "times_s", None), len(self.items))

    def look_at(self, pair: PairKey | None, time: int | None = None) -> None:
        """Look at a pair that is in the table, and perhaps at another time."""
        before = self.place
        self.pair = pair
        self.time = self.time if time is None else time
        if self.place != before:
            self.looked_at_changed.emit()

    def set_time(self, time: int) -> None:
        """Follow the time that the viewer shows."""
        if time == self.time:
            return
        self.time = time
        if self.first is not None:
            self.first_changed.emit()
        self.looked_at_changed.emit()

    # -- rows ------------------------------------------------------------------------------

    def expects(self, key: PairKey) -> bool:
        """Whether a pair is in the table, or touches at any time."""
        suggested = self.suggestions is not None and key in self.suggestions.times
        return suggested or key in self.rows.pairs

    def offer(self, found: Found) -> str:
        """Take a measurement in and look at it; returns why not for particles that lie apart."""
        key, time = found.key, found.time
        if found.neck.section is None and not self.expects(key):
            return (
                f"{key[0]} and {key[1]} do not touch (gap {found.neck.gap_nm:.3g} nm); not added."
            )
        self._found[key, time] = found
        self.rows.add(*key)
        new = self.rows.row(key, time) is None
        self.pair = key
        if new:
            times, warm = (getattr(self.labels, n, None) for n in ("times_s", "temperatures_c"))
            start = row_start(self.rows.name(key), *key, time, times, warm)
            self.rows.put(key, [{**start, **row_of(found.neck)}])
            self.rows_changed.emit()
        self.looked_at_changed.emit()
        return ""

    def add_suggested(self) -> None:
        """Take all pairs that touch into the table."""
        for a, b in () if self.suggestions is None else self.suggestions.times:
            self.rows.add(a, b)

    def summary(self) -> str:
        """Return how much of the table there is, such as "5 pairs measured at 6 times"."""
        text = f"{plural(len(self.rows.pairs), 'pair')} measured"
        count = len(self.items)
        return f"{text} at {count} times" if count > 1 else text

    def remove_rows(self, places: Iterable[RowKey]) -> None:
        """Remove rows by hand; `undo` brings them back."""
        chosen = list(places)
        self._change("removing rows", lambda: self.rows.remove(chosen))

    def remove_pairs(self, keys: Iterable[PairKey]) -> None:
        """Remove pairs with all their rows by hand; `undo` brings them back."""
        chosen = set(keys)
        self._change("removing pairs", lambda: self.rows.drop(chosen))

    def _change(self, text: str, change: Any) -> None:
        rows, before = self.rows, self.rows.state()
        change()
        after = rows.state()

        def go(state: Any) -> None:
            rows.restore(state)
            self._after_removal()

        self.undo_stack.push(text, lambda: go(before), lambda: go(after))
        self._after_removal()

    def undo(self) -> None:
        """Undo the last removal."""
        self.undo_stack.undo()

    def _after_removal(self) -> None:
        gone = self.pair is not None and self.pair not in self.rows.pairs
        if gone:
            self.pair = None
        self.rows_changed.emit()
        if gone:
            self.looked_at_changed.emit()

    # -- results ---------------------------------------------------------------------------

    def frame(self) -> pd.DataFrame:
        """Return all rows, as `measure.follow_pairs` has them."""
        return self.rows.table()

    def table(self) -> Table | None:
        """Return the table with how it was made, so that a recipe repeats it; None if empty."""
        if self.labels is None or not self.rows.places():
            return None
        return table_of_rows(
            self.rows.records(),
            self.labels,
            self.volumes,
            pairs=self.rows.named,
            leave_out=self.rows.left_out(),
            surface_from=FROM_VOXELS if self.volumes is None else FROM_VOLUME,
        )


@dataclass(eq=False)
class _Measured:
    """What is kept of the labels of a layer that is not looked at."""

    labels: AnyLabels
    rows: PairRows
    volumes: AnyVolume | None


def problem_of(labels: AnyLabels | None) -> str:
    """Return why nothing can be measured on labels; empty if it can."""
    if labels is None:
        return NO_PARTICLES
    return NO_SIZE if any(i.pixel_size_nm is None for i in times_of(labels)) else ""


def description_of(labels: AnyLabels) -> str:
    """Return size and number of times of labels."""
    items = times_of(labels)
    shape = " x ".join(map(str, items[0].data.shape))
    text = f"{shape} voxels of {size_text(items[0].pixel_size_nm or 1.0, 4)}"
    return f"{text}, {plural(len(items), 'time point')}" if len(items) > 1 else text


def spans(times: Iterable[int], n_times: int) -> str:
    """Return time points, counted from 1, as "times 1 to 3"; empty for all or a single one."""
    found = sorted(set(times))
    if n_times == 1 or len(found) == n_times:
        return ""
    if len(found) == 1:
        return f"time {found[0] + 1}"
    if np.all(np.diff(found) == 1):
        return f"times {found[0] + 1} to {found[-1] + 1}"
    return "times " + ", ".join(str(t + 1) for t in found)
