"""Shifts of time points in files: one file for all of them, or one for each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_tomo4d.align import exchange
from napari_tomo4d.align.alignment import read_alignment
from napari_tomo4d.align.transforms import Alignment, TiltAxis
from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import ReadError
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.provenance import collect_warnings
from napari_tomo4d.registry import get_step

TIME = "{time}"
"""Stands in a path for the number of the time point, counted from 1."""


@dataclass(frozen=True, eq=False)
class FoundShifts:
    """Shifts of one or more time points, and how far they can be trusted.

    Parameters
    ----------
    shifts_px : tuple of array (tilt, 2)
        (dy, dx) of each time point in pixels; one for all time points if from one file.
    quality, mass_kept : tuple of array (tilt,)
        As `Translations` has them, 0 to 1; NaN where not known.
    suspect : tuple of array (tilt,), bool
        Images that match no neighbour.
    parameters : dict, optional
        Of the step that found them.
    path : str, optional
        Of the file they were read from.
    axes : tuple of TiltAxis or None
        What else each file applies; empty if found by a step.
    messages : tuple of str
        Warnings and notes.
    """

    shifts_px: tuple[np.ndarray, ...]
    quality: tuple[np.ndarray, ...]
    mass_kept: tuple[np.ndarray, ...]
    suspect: tuple[np.ndarray, ...]
    parameters: Parameters | None = None
    path: str | None = None
    axes: tuple[TiltAxis | None, ...] = ()
    messages: tuple[str, ...] = ()


def files_of_times(path: str, n_times: int) -> list[str]:
    """Return the files that a path stands for: one for each time point if it holds ``{time}``."""
    if TIME not in path:
        return [path]
    return [path.replace(TIME, str(k + 1)) for k in range(n_times)]


def path_of_all_times(path: str, n_times: int) -> str:
    """Return the path with ``{time}`` for all time points, if a path is that of one of them.

    `write_shifts` names the files ``..._time1.json``, ``..._time2.json`` and so on; the path
    is returned as it is unless all of them exist.
    """
    general = re.sub(r"_time\d+\.json$", f"_time{TIME}.json", path)
    if n_times > 1 and all(Path(p).exists() for p in files_of_times(general, n_times)):
        return general
    return path


def read_shifts(path: str, times: Sequence[TiltSeries]) -> FoundShifts:
    """Read shifts, for every time point the same or each from a file of its own.

    Parameters
    ----------
    path : str
        JSON, CSV or IMOD's ``.xf``. With ``{time}`` in it, the files of all time points, see
        `files_of_times`.
    times : sequence of TiltSeries
        What the shifts are for.

    Raises
    ------
    ReadError
        If a file holds none.
    DataError
        If they do not fit the images.
    """
    if TIME not in path:
        return _read_one(path, times)
    files = files_of_times(path, len(times))
    each = [_read_one(file, [one]) for file, one in zip(files, times, strict=True)]

    def all_of(name: str) -> tuple[Any, ...]:
        return tuple(getattr(one, name)[0] for one in each)

    return FoundShifts(
        all_of("shifts_px"),
        all_of("quality"),
        all_of("mass_kept"),
        all_of("suspect"),
        None,
        path,
        axes=all_of("axes"),
        messages=tuple(m for one in each for m in one.messages),
    )


def _read_one(path: str, times: Sequence[TiltSeries]) -> FoundShifts:
    axis = None
    messages: list[str] = []
    ending = Path(path).suffix.lower()
    if ending == ".json":
        stored = exchange.read_json(path)
        axis = stored.axis
    elif ending == ".xf":
        transforms = exchange.read_xf(path)
        if not np.allclose(transforms.matrices, np.eye(2), atol=1e-6):
            raise ReadError(
                f"{Path(path).name} turns or stretches images, which can't be shown here; the "
                f"step {get_step('align.apply_file').title!r} of a recipe applies it."
            )
        stored = exchange.StoredAlignment(Alignment(transforms.offsets_px))
    else:
        with collect_warnings() as messages:
            stored = exchange.StoredAlignment(read_alignment(path))
    for series in times:
        stored.check(series)
    shifts = stored.alignment.shifts_px
    unknown = np.full(len(shifts), np.nan)
    none = np.zeros(len(shifts), bool)
    notes = tuple(f"Note: {w}" for w in messages)
    return FoundShifts((shifts,), (unknown,), (unknown,), (none,), None, path, (axis,), notes)


def shift_files(path: str, count: int) -> list[str]:
    """Return the files that `write_shifts` writes for so many shifts."""
    return files_of_times(_path_of(path, count), count)


def _path_of(path: str, count: int) -> str:
    if count == 1:
        return path
    return f"{re.sub(r'_time[0-9]+$', '', path.removesuffix('.json'))}_time{TIME}.json"


def write_shifts(
    path: str,
    times: Sequence[TiltSeries],
    shifts_px: Sequence[np.ndarray],
    axes: Sequence[TiltAxis | None] = (),
) -> str:
    """Write shifts, and the tilt axes that belong to them, as JSON.

    Parameters
    ----------
    path : str
        Ends in ``.json``. With several shifts there is a file for each, whose name ends in
        ``_time1.json`` and so on.
    times : sequence of TiltSeries
        Tilt angles, image size and direction of the tilt axis are stored too, and compared when
        the file is applied.
    shifts_px : sequence of array (tilt, 2)
        (dy, dx) in pixels; one for all time points, or one for each.
    axes : sequence of TiltAxis or None
        As many as shifts, or none at all.

    Returns
    -------
    str
        What to give `read_shifts` or the step ``align.apply_file``; with several shifts it holds
        ``{time}``.

    Raises
    ------
    WriteError
        If a file can't be written.
    DataError
        If shifts do not fit the images.
    """
    path = _path_of(path, len(shifts_px))
    files = files_of_times(path, len(shifts_px))
    axes = axes or (None,) * len(files)
    for file, series, shifts, axis in zip(files, times, shifts_px, axes, strict=False):
        exchange.write_json(exchange.StoredAlignment.of(series, Alignment(shifts), axis), file)
    return path
