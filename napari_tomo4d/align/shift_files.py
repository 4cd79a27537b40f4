"""Shifts in files: one for all time points, or one for each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_tomo4d.align import Alignment, exchange, read_alignment
from napari_tomo4d.align.transforms import TiltAxis
from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import DataError, ReadError
from napari_tomo4d.provenance import collecting

APPLY = "align.apply_file"
_TIME = "{time}"
"""Stands in a path for the number of the time point, counted from 1."""


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
    axes : tuple of TiltAxis or None
        What else each file applies; empty if found here.
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
    axes: tuple[TiltAxis | None, ...] = ()
    result: Any = None
    said: tuple[str, ...] = ()


def files_of(path: str, n_times: int) -> list[str]:
    """Return the files that a path stands for: one for each time point if it holds ``{time}``."""
    if _TIME not in path:
        return [path]
    return [path.replace(_TIME, str(k + 1)) for k in range(n_times)]


def name_of(path: str) -> str:
    """Return the name of a file, as it is said to a person."""
    return Path(path).name.replace(_TIME, "*")


def told_of(path: str) -> str:
    """Return where shifts were saved, in words."""
    return f"{name_of(path)}, one for each time point" if _TIME in path else path


def with_all_times(path: str, n_times: int) -> str:
    """Return the path of the files of all time points, if a path is one of such."""
    general = re.sub(r"_time\d+\.json$", f"_time{_TIME}.json", path)
    if n_times > 1 and all(Path(p).exists() for p in files_of(general, n_times)):
        return general
    return path


def load(path: str, times: Sequence[TiltSeries]) -> Origin:
    """Read shifts, for every time point the same or each from a file of its own.

    Parameters
    ----------
    path : str
        See `files_of`.
    times : sequence of TiltSeries
        What the shifts are for.

    Raises
    ------
    ReadError
        If a file holds none.
    DataError
        If they do not fit the images.
    """
    if _TIME not in path:
        return _load_one(path, times)
    files = files_of(path, len(times))
    each = [_load_one(file, [one]) for file, one in zip(files, times, strict=True)]

    def all_of(name: str) -> tuple[Any, ...]:
        return tuple(getattr(one, name)[0] for one in each)

    return Origin(
        all_of("shifts_px"),
        all_of("quality"),
        all_of("mass_kept"),
        all_of("suspect"),
        None,
        path,
        axes=tuple(one.axes[0] for one in each),
        said=tuple(s for one in each for s in one.said),
    )


def _load_one(path: str, times: Sequence[TiltSeries]) -> Origin:
    """Read the shifts of one file, and check them against series.

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
    return Origin((shifts,), (unknown,), (unknown,), (none,), None, str(path), (axis,), said=notes)


def save(
    path: str,
    times: Sequence[TiltSeries],
    shifts_px: Sequence[np.ndarray],
    axes: Sequence[TiltAxis | None],
) -> str:
    """Write shifts, and the axes that came with them, as JSON.

    Parameters
    ----------
    path : str
        Ends in ``.json``.
    times : sequence of TiltSeries
    shifts_px : sequence of array (tilt, 2)
        One for all time points, or one for each.
    axes : sequence of TiltAxis or None
        As many as shifts.

    Returns
    -------
    str
        What was written, see `files_of`.
    """
    if len(shifts_px) > 1:
        path = f"{re.sub(r'_time[0-9]+$', '', path.removesuffix('.json'))}_time{_TIME}.json"
    files = files_of(path, len(shifts_px))
    for file, series, shifts, axis in zip(files, times, shifts_px, axes, strict=False):
        try:
            exchange.write_json(exchange.StoredAlignment.of(series, Alignment(shifts), axis), file)
        except OSError as error:
            raise DataError(f"The alignment can't be written to {file}: {error}.") from error
    return path
