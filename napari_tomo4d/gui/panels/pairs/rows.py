"""The pairs of one labelled series: their names, and what was measured of them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from napari_tomo4d.measure.necks.contacts import PairKey
from napari_tomo4d.measure.necks.follow import as_frame
from napari_tomo4d.quantities import Row

RowKey = tuple[PairKey, int]
"""A pair and a time point, from 0."""

_State = tuple[list[PairKey], dict[RowKey, Row], set[RowKey]]


class PairRows:
    """Rows of measured pairs; a pair keeps its name even if it is removed and comes back.

    Parameters
    ----------
    n_times : int
        Number of time points of the labels.
    """

    def __init__(self, n_times: int) -> None:
        self.n_times = n_times
        self.pairs: list[PairKey] = []
        self._names: dict[PairKey, str] = {}
        self._rows: dict[RowKey, Row] = {}
        self._removed: set[RowKey] = set()
        self._table: pd.DataFrame | None = None
        self._places: list[RowKey] | None = None

    def add(self, a: int, b: int) -> PairKey:
        """Add a pair, if it is not there, and return its key; what was removed may come back."""
        key = (min(a, b), max(a, b))
        self._names.setdefault(key, f"P{len(self._names) + 1}")
        if key not in self.pairs:
            self.pairs.append(key)
            self._removed = {row for row in self._removed if row[0] != key}
        return key

    def name(self, key: PairKey) -> str:
        """Return a pair's name, such as "P1"; empty if it never had one."""
        return self._names.get(key, "")

    @property
    def named(self) -> list[PairKey]:
        """All pairs that ever had a name, P1 first."""
        return list(self._names)

    def put(self, key: PairKey, rows: Iterable[Row]) -> None:
        """Take measured rows in, except those that were removed by hand.

        Parameters
        ----------
        key : pair
        rows : iterable of dict
            Rows of the table; `time` says which time each is.
        """
        if key not in self.pairs:
            return
        self._forget_table()
        for row in rows:
            place = (key, int(row["time"]))
            if place not in self._removed:
                self._rows[place] = {**row, "pair": self._names[key]}

    def row(self, key: PairKey, time: int) -> Row | None:
        """Return one row, or None if it was not measured."""
        return self._rows.get((key, time))

    def missing(self) -> dict[PairKey, list[int]]:
        """Return the times at which pairs were not measured, and were not removed either."""
        result = {}
        for key in self.pairs:
            times = [t for t in range(self.n_times) if not self._settled((key, t))]
            if times:
                result[key] = times
        return result

    def _settled(self, place: RowKey) -> bool:
        return place in self._rows or place in self._removed

    def empty_rows(self) -> None:
        """Have all pairs measured again; what was removed stays removed."""
        self._forget_table()
        self._rows = {}

    def drop_unmeasured(self) -> None:
        """Forget pairs without any row."""
        measured = {key for key, _ in self._rows}
        self.pairs = [k for k in self.pairs if k in measured]

    def remove(self, places: Iterable[RowKey]) -> None:
        """Remove rows; a pair without rows goes too."""
        self._forget_table()
        touched = set()
        for place in places:
            if self._rows.pop(place, None) is not None:
                self._removed.add(place)
                touched.add(place[0])
        kept = {key for key, _ in self._rows}
        self.pairs = [k for k in self.pairs if k not in touched or k in kept]

    def drop(self, keys: Iterable[PairKey]) -> None:
        """Forget pairs with all their rows."""
        self._forget_table()
        gone = set(keys)
        self.pairs = [k for k in self.pairs if k not in gone]
        self._rows = {p: row for p, row in self._rows.items() if p[0] not in gone}

    def places(self) -> list[RowKey]:
        """Return what the rows of `table` belong to, in the same order."""
        if self._places is None:
            rank = {key: i for i, key in enumerate(self._names)}
            self._places = sorted(self._rows, key=lambda p: (rank[p[0]], self._time(p), p[1]))
        return self._places

    def _time(self, place: RowKey) -> float:
        seconds = float(self._rows[place]["time_s"])
        return seconds if np.isfinite(seconds) else float(place[1])

    def records(self) -> list[Row]:
        """Return all rows, by pair and time."""
        return [self._rows[place] for place in self.places()]

    def table(self) -> pd.DataFrame:
        """Return all rows, as `measure.follow_pairs` has them, by pair and time."""
        if self._table is None:
            self._table = as_frame(self.records())
        return self._table

    def left_out(self) -> list[tuple[int, int, int]]:
        """Return the rows (a, b, time) of named pairs that the table does not have."""
        every = ((key, t) for key in self._names for t in range(self.n_times))
        return [(*key, t) for key, t in every if (key, t) not in self._rows]

    def _forget_table(self) -> None:
        self._table = self._places = None

    def state(self) -> _State:
        """Return what `restore` takes, to undo a removal."""
        return list(self.pairs), dict(self._rows), set(self._removed)

    def restore(self, state: _State) -> None:
        """Go back to an earlier state."""
        self._forget_table()
        pairs, rows, removed = state
        self.pairs, self._rows, self._removed = list(pairs), dict(rows), set(removed)
