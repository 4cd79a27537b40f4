"""The pairs of one labelled series: their names, and what was measured of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

PairKey = tuple[int, int]
RowKey = tuple[PairKey, int]

_State = tuple[list[PairKey], dict[RowKey, dict[str, Any]], set[RowKey]]


class PairBook:
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
        self._rows: dict[RowKey, dict[str, Any]] = {}
        self._removed: set[RowKey] = set()
        self._outdated: set[PairKey] = set()
        self.labels: Any = None
        """The labels that the rows were measured on."""
        self.source: Any = None
        """The volume that uncertainties were taken from."""

    def add(self, a: int, b: int) -> PairKey:
        """Add a pair, if it is not there, and return its key; what was removed may come back."""
        key = (min(a, b), max(a, b))
        self._names.setdefault(key, f"P{len(self._names) + 1}")
        if key not in self.pairs:
            self.pairs.append(key)
            self._removed = {row for row in self._removed if row[0] != key}
        return key

    def name(self, key: PairKey) -> str:
        """Return a pair's name, such as "P1"."""
        return self._names.get(key, "")

    def key(self, name: str) -> PairKey | None:
        """Return the pair of a name that is in the table."""
        return next((k for k in self.pairs if self._names[k] == name), None)

    def put(self, key: PairKey, rows: Iterable[dict[str, Any]], complete: bool = False) -> None:
        """Take measured rows in, except those that were removed by hand.

        Parameters
        ----------
        key : pair
        rows : iterable of dict
            Rows of the table; `time` says which time each is.
        complete : bool
            Whether these are all times of the pair.
        """
        if key not in self.pairs:
            return
        for row in rows:
            place = (key, int(row["time"]))
            if place not in self._removed:
                self._rows[place] = {**row, "pair": self._names[key]}
        if complete:
            self._outdated.discard(key)

    def outdate(self) -> None:
        """Have all pairs measured again; until then the old rows stay."""
        self._outdated = set(self.pairs)

    def measured_on(self, labels: Any) -> None:
        """Keep the pairs, but no rows of other labels, nor of these before a correction."""
        if self.labels is not labels:
            self.labels, self._rows = labels, {}

    def row(self, key: PairKey, time: int) -> dict[str, Any] | None:
        """Return one row, or None if it was not measured."""
        return self._rows.get((key, time))

    def missing(self) -> list[PairKey]:
        """Return pairs that were not measured at all times."""
        return [k for k in self.pairs if k in self._outdated or not self._complete(k)]

    def empty(self) -> list[PairKey]:
        """Return pairs without any row."""
        measured = {key for key, _ in self._rows}
        return [k for k in self.pairs if k not in measured]

    def _complete(self, key: PairKey) -> bool:
        return all(self._settled(key, t) for t in range(self.n_times))

    def _settled(self, key: PairKey, time: int) -> bool:
        return (key, time) in self._rows or (key, time) in self._removed

    def remove(self, places: Iterable[RowKey]) -> None:
        """Remove rows; a pair without rows goes too."""
        for place in places:
            if self._rows.pop(place, None) is not None:
                self._removed.add(place)
        kept = {key for key, _ in self._rows}
        gone = {key for key, _ in self._removed} - kept
        self.pairs = [k for k in self.pairs if k not in gone]

    def drop(self, keys: Iterable[PairKey]) -> None:
        """Forget pairs with all their rows."""
        gone = set(keys)
        self.pairs = [k for k in self.pairs if k not in gone]
        self._rows = {p: row for p, row in self._rows.items() if p[0] not in gone}

    def places(self) -> list[RowKey]:
        """Return what the rows of `table` belong to, in the same order."""
        rank = {key: i for i, key in enumerate(sorted(self.pairs, key=self._number))}
        measured = (p for p in self._rows if p[0] in rank)
        return sorted(measured, key=lambda p: (rank[p[0]], self._time(p), p[1]))

    def _number(self, key: PairKey) -> int:
        return int(self._names[key][1:])

    def _time(self, place: RowKey) -> float:
        return float(self._rows[place]["time_s"])

    def table(self) -> pd.DataFrame:
        """Return all rows, as `measure.follow_pairs` has them, by pair and time."""
        return pd.DataFrame([self._rows[place] for place in self.places()])

    def state(self) -> _State:
        """Return what `restore` takes, to undo a removal."""
        return list(self.pairs), dict(self._rows), set(self._removed)

    def restore(self, state: _State) -> None:
        """Go back to an earlier state."""
        pairs, rows, removed = state
        self.pairs, self._rows, self._removed = list(pairs), dict(rows), set(removed)


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
