"""Shifts that align the images of a tilt series, and how they are applied and stored."""

from __future__ import annotations

import csv
import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from scipy import ndimage

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import DataError, ReadError
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import recorded, warn


@dataclass(frozen=True, eq=False)
class Alignment:
    """Shifts between the images of a tilt series.

    Parameters
    ----------
    shifts_px : array (tilt, 2)
        (dy, dx) in pixels to add to each image's content to align it.
    """

    shifts_px: np.ndarray

    def __post_init__(self) -> None:
        shifts = np.array(self.shifts_px, dtype=np.float64)
        if shifts.ndim != 2 or shifts.shape[1] != 2 or not np.isfinite(shifts).all():
            raise DataError("An alignment needs two finite numbers (dy, dx) in pixels per tilt.")
        shifts.setflags(write=False)
        object.__setattr__(self, "shifts_px", shifts)


def apply(
    series: TiltSeries, alignment: Alignment, *, progress: Progress | None = None
) -> TiltSeries:
    """Shift every image by its alignment, interpolating once.

    Parameters
    ----------
    series : TiltSeries
        One image per tilt.
    alignment : Alignment
        One shift per tilt.
    progress : Progress, optional

    Returns
    -------
    TiltSeries
        Float32 images of the same size. Whole pixels are moved without interpolation,
        fractions by cubic splines; what enters at an edge repeats the edge.

    Raises
    ------
    DataError
        If the number of shifts is not that of the tilts.
    """
    progress = progress or Progress()
    shifts = alignment.shifts_px
    if len(shifts) != len(series):
        raise DataError(
            f"The alignment has {len(shifts)} shifts but the series {len(series)} tilts."
        )
    largest = np.abs(shifts).max(axis=0)
    if np.any(largest >= series.image_shape):
        raise DataError(
            f"A shift of {largest.max():g} px moves an image out of its frame of "
            f"{series.image_shape[0]} x {series.image_shape[1]} px."
        )
    images = np.empty((len(series), *series.image_shape), np.float32)
    for i in range(len(series)):
        # float32 tables of shifts hold whole pixels only to about 1e-5
        shift = np.where(
            np.abs(shifts[i] - np.round(shifts[i])) < 1e-4, np.round(shifts[i]), shifts[i]
        )
        order = 0 if np.all(shift == np.round(shift)) else 3
        images[i] = ndimage.shift(series.image(i), shift, order=order, mode="nearest")
        progress.report(i + 1, len(series), "Applying the alignment")
    return dataclasses.replace(series, images=images)


@recorded("align.apply")
def apply_file(
    series: TiltSeries,
    path: Annotated[str, Param("CSV or JSON file with the shifts (dy, dx) of each tilt.")],
    *,
    progress: Progress | None = None,
) -> TiltSeries:
    """Shift every image by an alignment that was stored in a file.

    Parameters
    ----------
    series : TiltSeries
        One image per tilt.
    path : str
        See `read_alignment`.
    progress : Progress, optional

    Returns
    -------
    TiltSeries
    """
    return apply(series, read_alignment(path), progress=progress)


def read_alignment(path: str | Path) -> Alignment:
    """Read the shifts of each tilt.

    Parameters
    ----------
    path : str or Path
        JSON with ``shifts_px``, or a table (CSV) with a header that names the columns of
        dy and dx (``dy``, ``shift_y_px``, ...) or with just the two columns dy, dx.

    Raises
    ------
    ReadError
        If the file is missing or not such a table.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"The alignment {path} can't be read: {error}.") from error
    try:
        if path.suffix.lower() == ".json":
            return Alignment(json.loads(text)["shifts_px"])
        return Alignment(np.array(_shift_columns(text, path)))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ReadError(
            f"The alignment {path} does not hold shifts dy, dx in pixels for each tilt: {error}."
        ) from error


def _shift_columns(text: str, path: Path) -> list[list[float]]:
    rows = [[c.strip() for c in r] for r in csv.reader(text.splitlines()) if r]
    header: list[str] = []
    if rows and not _is_number(rows[0][0]):
        header = [c.lstrip("# ").lower() for c in rows.pop(0)]
    columns = []
    for axis in "yx":
        named = [i for i, c in enumerate(header) if c.startswith((f"d{axis}", f"shift_{axis}"))]
        columns.append(named[0] if named else -1)
    if -1 in columns:
        if len(rows[0]) != 2:
            raise ValueError("no columns named dy and dx")
        warn(f"{path.name} does not name its columns; they were taken as dy, dx.")
        columns = [0, 1]
    return [[float(r[c]) for c in columns] for r in rows]


def _is_number(text: Any) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def write_alignment(alignment: Alignment, path: str | Path) -> None:
    """Store an alignment as JSON that `read_alignment` reads back exactly."""
    text = json.dumps({"schema_version": 1, "shifts_px": alignment.shifts_px.tolist()}, indent=1)
    path = Path(path)
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
