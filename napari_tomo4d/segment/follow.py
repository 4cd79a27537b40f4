"""One number for one particle through all times."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

from napari_tomo4d.data import Labels, TimeSeries, is_series, kind_of
from napari_tomo4d.errors import DataError
from napari_tomo4d.immutable import frozen
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import note, warn
from napari_tomo4d.quantities import plural
from napari_tomo4d.registry import step
from napari_tomo4d.segment.edited_events import Event
from napari_tomo4d.segment.sample_shift import sample_shift

EVENTS = ("appeared", "lost", "returned", "split", "merged")
"""What may happen to a particle from one time to the next."""

_COLUMNS = ("time", "event", "label", "other")
_MOST_OF = 0.5
_NEVER = 1e6


@step(
    "segment.follow_particles", title="Follow particles", takes=Labels, gives=Labels, together=True
)
def follow_particles(
    labels: TimeSeries[Labels],
    max_distance_px: Annotated[
        float | None,
        Param(
            "How far a particle may move against the others between two times. Empty: by its "
            "radius.",
            unit="px",
            minimum=0,
            maximum=10000,
        ),
    ] = None,
    max_missing: Annotated[
        int,
        Param(
            "For how many times a particle may be missing and keep its number.",
            minimum=0,
            maximum=20,
        ),
    ] = 1,
    max_shift_px: Annotated[
        float,
        Param(
            "How far the whole sample may move between two times.",
            unit="px",
            minimum=0,
            maximum=1000,
        ),
    ] = 10.0,
    *,
    progress: Progress | None = None,
) -> TimeSeries[Labels]:
    """Give each particle one number through all times.

    Parameters
    ----------
    labels : TimeSeries of Labels
        Of one shape, numbered independently.
    max_distance_px : float, optional
        Largest movement in voxels of a particle that does not overlap with itself, beyond
        that of the sample; by default its radius (of a sphere of its volume).
    max_missing : int
        A particle that is missing for up to so many times gets its number again.
    max_shift_px : float
        Largest movement in voxels of the whole sample between two times, which is found by
        the particles' centres and taken off first.
    progress : Progress, optional

    Returns
    -------
    TimeSeries of Labels
        Numbers of the first time are kept; see `particle_events` for what happened. Noted
        in ``metadata["events"]`` of each time.

    Raises
    ------
    DataError
        If these are not labels of several times with one shape.

    Notes
    -----
    Global assignment (Kuhn 1955, as in Jaqaman et al., Nature Methods 5, 695, 2008) of all
    particles to all that were there before, those missing for a time included. Its cost is
    one minus the overlap over the union, or without overlap one plus the distance over the
    largest allowed. Where voxels are not cubic, lengths are in edges of a cube of a voxel's
    volume.
    """
    progress = progress or Progress()
    if not is_series(labels) or kind_of(labels) is not Labels:
        raise DataError("Particles are followed through the labels of several time points.")
    if len({i.data.shape for i in labels}) > 1:
        raise DataError("The labels differ in shape from time to time; all have to be equal.")
    if len({i.pixel_size_nm for i in labels}) > 1:
        raise DataError(
            "The labels differ in voxel size from time to time; bring the volumes to one size "
            "first (segment.resample)."
        )
    done = [np.asarray(labels[0].data)]
    events: list[list[Event]] = [[]]
    last_seen = {int(i): 0 for i in np.unique(done[0]) if i}
    next_number = max(last_seen, default=0) + 1
    for t in range(1, len(labels)):
        given = np.asarray(labels[t].data)
        costs, covers = _compare(
            done,
            given,
            last_seen,
            t,
            max_missing,
            max_shift_px,
            max_distance_px,
            np.array(labels[0].sampling),
        )
        matches = _assign(costs)
        present = [int(i) for i in np.unique(given) if i]
        numbers = np.zeros(max(present, default=0) + 1, np.int32)
        for number, label in matches.items():
            numbers[label] = number
        for label in present:
            if not numbers[label]:
                numbers[label] = next_number
                next_number += 1
        events.append(_events(t, numbers, matches, covers, last_seen, present))
        last_seen.update({int(numbers[i]): t for i in present})
        done.append(frozen(numbers[given]))
        progress.report(t, len(labels) - 1, "Following particles")
    count = sum(map(len, events))
    note(f"{len(last_seen)} particles were followed through {len(labels)} times.")
    if count:
        warn(
            f"{plural(count, 'time')} a particle appeared, was lost, returned, split or merged; "
            "look at the list of events and correct the labels where needed."
        )
    return labels.with_items(
        [
            dataclasses.replace(item, data=data, metadata={**item.metadata, "events": happened})
            for item, data, happened in zip(labels, done, events, strict=True)
        ]
    )


def particle_events(labels: TimeSeries[Labels]) -> pd.DataFrame:
    """Return what happened to the particles that `follow_particles` followed.

    Parameters
    ----------
    labels : TimeSeries of Labels
        As `follow_particles` returns them.

    Returns
    -------
    pandas.DataFrame
        Columns ``time`` (index of the first time with the change), ``event``, ``label`` and
        ``other``: ``"appeared"``; ``"lost"``; ``"returned"``, after it was missing;
        ``"split"``, where ``label`` is new and came from ``other``; ``"merged"``, where ``label``
        is gone and most of it is in ``other``. ``other`` is 0 where there is none.
    """
    rows = [row for item in labels for row in item.metadata.get("events", ())]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _compare(
    done: list[np.ndarray],
    given: np.ndarray,
    last_seen: dict[int, int],
    t: int,
    max_missing: int,
    max_shift_px: float,
    max_distance_px: float | None,
    sampling: np.ndarray,
) -> tuple[dict[tuple[int, int], float], dict[tuple[int, int], float]]:
    """Return costs and covered parts of each (number before, label now) that may match.

    The covered part is the overlap over the size of the smaller of both.
    """
    costs, covers = {}, {}
    sizes = np.bincount(given.ravel())
    centres = _centres(given, sampling)
    for seen in range(max(0, t - 1 - max_missing), t):
        numbers = [n for n, s in last_seen.items() if s == seen]
        if not numbers:
            continue
        before = done[seen]
        old_sizes, old_centres = np.bincount(before.ravel()), _centres(before, sampling)
        shift = sample_shift(old_centres, centres, max_shift_px * (t - seen))
        overlaps = _overlaps(before, given, np.round(shift / sampling).astype(int))
        for n in numbers:
            for label, centre in centres.items():
                overlap = overlaps.get((n, label), 0)
                distance = float(np.linalg.norm(centre - old_centres[n] - shift))
                allowed = max_distance_px
                if allowed is None:
                    allowed = (3 / (4 * np.pi) * float(old_sizes[n])) ** (1 / 3)
                if overlap:
                    covers[n, label] = overlap / min(old_sizes[n], sizes[label])
                    cost = 1 - overlap / (old_sizes[n] + sizes[label] - overlap)
                elif distance <= allowed:
                    cost = 1 + distance / max(allowed, 1e-9)
                else:
                    continue
                # at equal fit one that was there just before is the likelier
                costs[n, label] = cost + 0.01 * (t - 1 - seen)
    return costs, covers


def _assign(costs: dict[tuple[int, int], float]) -> dict[int, int]:
    """Return the label now of each number before, with the least cost in all."""
    if not costs:
        return {}
    numbers = sorted({n for n, _ in costs})
    labels = sorted({i for _, i in costs})
    table = np.full((len(numbers), len(labels)), _NEVER)
    for (n, label), cost in costs.items():
        table[numbers.index(n), labels.index(label)] = cost
    rows, columns = linear_sum_assignment(table)
    return {
        numbers[r]: labels[c] for r, c in zip(rows, columns, strict=True) if table[r, c] < _NEVER
    }


def _events(
    t: int,
    numbers: np.ndarray,
    matches: dict[int, int],
    covers: dict[tuple[int, int], float],
    last_seen: dict[int, int],
    present: list[int],
) -> list[Event]:
    result = []
    known = set(matches.values())
    for n, seen in last_seen.items():
        if seen != t - 1:
            if n in matches:
                result.append(_event(t, "returned", n))
            continue
        if n not in matches:
            into = _covering({i: c for (m, i), c in covers.items() if m == n and i in known})
            event = "merged" if into else "lost"
            result.append(_event(t, event, n, int(numbers[into]) if into else 0))
    for label in present:
        if label not in known:
            sources = {m: c for (m, i), c in covers.items() if i == label and m in matches}
            source = _covering(sources)
            event = "split" if source else "appeared"
            result.append(_event(t, event, int(numbers[label]), source))
    return result


def _covering(parts: dict[int, float]) -> int:
    """Return which covers most, 0 if it is less than half."""
    best = max(parts, key=lambda k: parts[k], default=0)
    return best if best and parts[best] >= _MOST_OF else 0


def _event(time: int, event: str, label: int, other: int = 0) -> Event:
    return {"time": time, "event": event, "label": label, "other": other}


def _centres(labels: np.ndarray, sampling: np.ndarray) -> dict[int, np.ndarray]:
    present = [int(i) for i in np.unique(labels) if i]
    found = ndimage.center_of_mass(labels > 0, labels, present)
    return {n: np.array(c) * sampling for n, c in zip(present, found, strict=True)}


def _overlaps(
    before: np.ndarray, after: np.ndarray, shift: np.ndarray
) -> dict[tuple[int, int], int]:
    """Return how many voxels each pair shares when `before` is moved by whole voxels."""
    edges = list(zip(shift, before.shape, strict=True))
    a = before[tuple(slice(max(0, -s), min(n, n - s)) for s, n in edges)]
    b = after[tuple(slice(max(0, s), min(n, n + s)) for s, n in edges)]
    both = (a > 0) & (b > 0)
    base = int(after.max()) + 1
    codes, counts = np.unique(a[both].astype(np.int64) * base + b[both], return_counts=True)
    return {(int(c // base), int(c % base)): int(n) for c, n in zip(codes, counts, strict=True)}
