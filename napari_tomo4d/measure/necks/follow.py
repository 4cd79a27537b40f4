"""Pairs of particles over time, as one table."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from napari_tomo4d.data import Labels, times_s_of
from napari_tomo4d.errors import DataError, ParameterError
from napari_tomo4d.measure.inputs import LabelVolume, VoxelSize
from napari_tomo4d.measure.necks.contacts import PairKey, pairs_of_times
from napari_tomo4d.measure.necks.neck import neck
from napari_tomo4d.measure.necks.neck_values import Neck
from napari_tomo4d.progress import Progress
from napari_tomo4d.quantities import Row

VALUES = (
    "neck_radius_nm",
    "distance_nm",
    "distance_xy_nm",
    "distance_z_nm",
    "radius_nm",
    "neck_ratio",
    "distance_ratio",
    "aspect_ratio",
    "neck_radius_3d_nm",
    "distance_3d_nm",
    "neck_area_nm2",
)
"""Values with an uncertainty; its column ends in ``_error``."""

_MORE = ("contact_area_nm2", "neck_curvature_per_nm", "dihedral_deg", "gap_nm")
_COLUMNS = [
    *("pair", "time", "time_s", "temperature_c", "a", "b"),
    *VALUES,
    *_MORE,
    *("radius_a_nm", "radius_b_nm", "volume_a_nm3", "volume_b_nm3"),
    *(f"{name}_error" for name in VALUES),
    "remarks",
]


def follow_pairs(
    label_volumes: Iterable[LabelVolume],
    times_s: Sequence[float] | None = None,
    pixel_size_nm: VoxelSize = None,
    *,
    pairs: Sequence[PairKey] | None = None,
    leave_out: Collection[tuple[int, int, int]] = (),
    max_gap_nm: float = 0.0,
    section: str = "across-beam",
    surface_uncertainty_nm: float | Sequence[float | None] | None = None,
    pixel_size_uncertainty: float = 0.0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Measure pairs of particles at every time.

    Parameters
    ----------
    label_volumes : TimeSeries of Labels, or sequence of Labels or integer arrays (z, y, x)
        One per time; a particle has the same number at all times (see `segment.follow_particles`).
    times_s : sequence of float, optional
        Time of each volume in seconds; by default those of the time series. Need not be sorted.
    pixel_size_nm : float or three floats (z, y, x), optional
        Voxel size; by default that of the labels.
    pairs : sequence of (a, b), optional
        By default every pair in contact at any time.
    leave_out : collection of (a, b, time)
        Rows that are not measured; a pair without any keeps its name, P2 say, for itself.
    max_gap_nm : float
        For the search of pairs: largest gap that still counts as contact.
    section : {"across-beam", "longest"}
    surface_uncertainty_nm : float or one per time, optional
    pixel_size_uncertainty : float
        All as in `neck`.
    progress : Progress, optional

    Returns
    -------
    pandas.DataFrame
        A row per pair and time, in the order of pairs and of time: ``pair`` (P1, P2, ...),
        ``time`` (number of the volume, from 0), ``time_s`` (NaN if not known), ``temperature_c``,
        ``a``, ``b``, the values of
        `Neck`, their uncertainties ``..._error``, and ``remarks`` (text, empty if nothing is
        doubtful). Where a particle is lost, values are NaN and a flag says so.

    Raises
    ------
    DataError
        If there are no volumes, no pairs, or times that don't fit or repeat.
    """
    items = list(label_volumes)
    if not items:
        raise DataError("There are no labelled volumes to measure.")
    times = _times(label_volumes, times_s, len(items))
    temperatures = getattr(label_volumes, "temperatures_c", None)
    surfaces = _one_each(surface_uncertainty_nm, len(items))
    wanted = _wanted(items, pairs, pixel_size_nm, max_gap_nm)
    left_out = {(min(a, b), max(a, b), t) for a, b, t in leave_out}
    places = [
        (i, a, b, int(t))
        for i, (a, b) in enumerate(wanted)
        for t in np.argsort(times, kind="stable")
        if (min(a, b), max(a, b), int(t)) not in left_out
    ]
    progress = progress or Progress()
    rows = []
    for done, (i, a, b, t) in enumerate(places):
        progress.report(done, len(places), f"Measuring pair {a}, {b}")
        start = row_start(f"P{i + 1}", a, b, t, times, temperatures)
        lost = [n for n in (a, b) if not np.any(_array(items[t]) == n)]
        if lost:
            rows.append({**start, "remarks": _lost_text(lost)})
            continue
        try:
            found = neck(
                items[t],
                a,
                b,
                pixel_size_nm,
                section=section,
                surface_uncertainty_nm=surfaces[t],
                pixel_size_uncertainty=pixel_size_uncertainty,
            )
        except DataError as error:
            rows.append({**start, "remarks": str(error)})
            continue
        rows.append({**start, **row_of(found)})
    progress.report(1, 1)
    return as_frame(rows)


def row_start(
    name: str,
    a: int,
    b: int,
    time: int,
    times_s: np.ndarray | None = None,
    temperatures_c: np.ndarray | None = None,
) -> Row:
    """Return the columns of a row that say which pair and time it is of.

    Parameters
    ----------
    name : str
        Of the pair, such as P1.
    a, b : int
        Its particles.
    time : int
        Number of the volume, from 0.
    times_s, temperatures_c : array (time,), optional
        Of all volumes; NaN is written where not known.
    """
    return {
        "pair": name,
        "time": time,
        "time_s": math.nan if times_s is None else float(times_s[time]),
        "temperature_c": math.nan if temperatures_c is None else float(temperatures_c[time]),
        "a": a,
        "b": b,
    }


def as_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Return rows as the table that `follow_pairs` gives."""
    return pd.DataFrame(rows, columns=_COLUMNS)


def row_of(found: Neck) -> Row:
    """Return the values of a neck, their errors and its flags as columns of the table."""
    row: Row = {name: getattr(found, name) for name in (*VALUES, *_MORE)}
    row |= {"radius_a_nm": found.radii_nm[0], "radius_b_nm": found.radii_nm[1]}
    row |= {"volume_a_nm3": found.volumes_nm3[0], "volume_b_nm3": found.volumes_nm3[1]}
    row |= {f"{name}_error": found.errors.get(name, np.nan) for name in VALUES}
    row["remarks"] = "; ".join(found.flags)
    return row


def _array(item: LabelVolume) -> np.ndarray:
    return np.asarray(item.data if isinstance(item, Labels) else item)


def _lost_text(lost: list[int]) -> str:
    if len(lost) == 1:
        return f"particle {lost[0]} does not exist at this time"
    return f"particles {lost[0]} and {lost[1]} do not exist at this time"


def _times(volumes: Any, given: Any, count: int) -> np.ndarray:
    if given is None:
        given = times_s_of(volumes)
    if given is None:
        return np.full(count, np.nan)
    times: np.ndarray = np.asarray(given, dtype=np.float64)
    if times.shape != (count,) or not np.isfinite(times).all():
        raise DataError(f"There are {count} volumes but {times.size} usable times; give one each.")
    if len(np.unique(times)) < count:
        raise DataError("Two volumes have the same time; each needs a time of its own.")
    return times


def _one_each(value: Any, count: int) -> list[float | None]:
    if value is None or np.ndim(value) == 0:
        return [value] * count
    values = list(value)
    if len(values) != count:
        raise ParameterError(
            f"There are {count} volumes but {len(values)} surface uncertainties; give one each."
        )
    return values


def _wanted(
    items: list[LabelVolume], pairs: Sequence[PairKey] | None, size: VoxelSize, gap: float
) -> list[tuple[int, int]]:
    if pairs is not None:
        chosen = [(int(a), int(b)) for a, b in pairs]
        for a, b in chosen:
            if a == b:
                raise DataError(f"A pair needs two different particles; both are {a}.")
        if not chosen:
            raise DataError("No pairs were given to measure.")
        return chosen
    found = pairs_of_times(items, size, gap)
    if not found:
        raise DataError(
            "No particles touch at any time; allow a larger gap, or check their separation."
        )
    return found
