"""Shifts that align the images of a tilt series, and how they are applied and stored."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from napari_tomo4d.align import exchange
from napari_tomo4d.align.axis_said import put_on_axis
from napari_tomo4d.align.transforms import (
    Alignment,
    TiltAxis,
    apply_transforms,
    image_transforms,
)
from napari_tomo4d.boundary import reading
from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import ReadError
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import warn
from napari_tomo4d.registry import step
from napari_tomo4d.text_files import read_text


def apply(
    series: TiltSeries,
    alignment: Alignment | None,
    axis: TiltAxis | None = None,
    *,
    progress: Progress | None = None,
) -> TiltSeries:
    """Move every image by its alignment and put it upright on the tilt axis, in one step.

    Parameters
    ----------
    series : TiltSeries
        One image per tilt.
    alignment : Alignment, optional
        One shift per tilt, and where it has them a rotation and magnification; none if None.
    axis : TiltAxis, optional
        Position and rotation of the tilt axis in the shifted images, counted from the image
        centre and not from the series' own axis position; left as it is if None.
    progress : Progress, optional

    Returns
    -------
    TiltSeries
        Float32 images of the same size. Whole pixels are moved without interpolation,
        all else once by cubic splines; what enters at an edge repeats the edge. With an
        axis, that lies in the centre (`axis_shift_px` 0) and parallel to the image axis
        `tilt_axis`.

    Raises
    ------
    DataError
        If the number of shifts is not that of the tilts.
    """
    transforms = image_transforms(alignment, axis, len(series), series.tilt_axis)
    moved = apply_transforms(series, transforms, progress=progress)
    return moved if axis is None else put_on_axis(moved)


@step("align.apply_axis", title="Set the tilt axis", takes=TiltSeries, gives=TiltSeries)
def apply_axis(
    series: TiltSeries,
    shift_px: Annotated[
        float,
        Param(
            "Position of the tilt axis from the image centre.",
            unit="px",
            minimum=-4096,
            maximum=4096,
            step=0.25,
        ),
    ] = 0.0,
    rotation_deg: Annotated[
        float,
        Param(
            "Angle from the image axis to the tilt axis, positive towards the other image axis.",
            unit="°",
            minimum=-45,
            maximum=45,
            step=0.1,
        ),
    ] = 0.0,
    *,
    progress: Progress | None = None,
) -> TiltSeries:
    """Centre the tilt axis and turn it parallel to its image axis.

    Parameters
    ----------
    series : TiltSeries
        One image per tilt.
    shift_px : float
        Position of the axis relative to the image centre, across the axis.
    rotation_deg : float
        As in `TiltAxis`.
    progress : Progress, optional

    Returns
    -------
    TiltSeries
        With `axis_shift_px` 0.
    """
    return apply(series, None, TiltAxis(shift_px, rotation_deg), progress=progress)


@step(
    "align.set_tilt_axis",
    title="Set the direction of the tilt axis",
    takes=TiltSeries,
    gives=TiltSeries,
)
def set_tilt_axis(
    series: TiltSeries,
    direction: Annotated[
        str, Param("Image axis which the tilt axis is parallel to.", choices=("y", "x"))
    ],
) -> TiltSeries:
    """Say which image axis the tilt axis is parallel to; the images stay as they are.

    Parameters
    ----------
    series : TiltSeries
    direction : {"y", "x"}
        The vertical or the horizontal image axis.

    Returns
    -------
    TiltSeries
        Where the direction is another one than before, its axis is in the image centre
        (`axis_shift_px` 0): a position across the other axis says nothing about this one.
    """
    if direction == series.tilt_axis:
        return series.replace()
    return series.replace(tilt_axis=direction, axis_shift_px=0.0)


@step("align.apply_file", title="Apply a stored alignment", takes=TiltSeries, gives=TiltSeries)
def apply_file(
    series: TiltSeries,
    path: Annotated[
        str,
        Param("CSV or JSON file with the shifts (dy, dx) of each tilt, or IMOD's .xf.", file=True),
    ],
    *,
    progress: Progress | None = None,
) -> TiltSeries:
    """Move every image by an alignment that was stored in a file.

    Parameters
    ----------
    series : TiltSeries
        One image per tilt.
    path : str
        See `read_alignment`; JSON may hold the tilt axis too. A ``.xf`` holds the
        transforms of IMOD.
    progress : Progress, optional

    Returns
    -------
    TiltSeries

    Raises
    ------
    DataError
        If the file says what it was made for, and these images differ from that.
    """
    ending = Path(path).suffix.lower()
    if ending == ".xf":
        return exchange.apply_stored(series, exchange.read_xf(path), progress=progress)
    if ending == ".json":
        return exchange.apply_stored(series, exchange.read_json(path), progress=progress)
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
    with reading(path, "an alignment (shifts dy, dx in pixels for each tilt)"):
        if path.suffix.lower() == ".json":
            return exchange.read_json(path).alignment
        return Alignment(np.array(_shift_columns(read_text(path), path)))


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
            raise ReadError(f"{path} has no columns named dy and dx, in pixels.")
        warn(f"{path.name} does not name its columns; they were taken as dy, dx.")
        columns = [0, 1]
    return [[float(r[c]) for c in columns] for r in rows]


def _is_number(text: Any) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def write_alignment(
    alignment: Alignment,
    path: str | Path,
    series: TiltSeries | None = None,
    axis: TiltAxis | None = None,
) -> None:
    """Store an alignment that `apply_file` applies again exactly.

    Parameters
    ----------
    alignment : Alignment
    path : str or Path
        JSON, which `read_alignment` reads too; or IMOD's ``.xf``, one transform per image, with
        the tilt angles of `series` in a ``.tlt`` beside it.
    series : TiltSeries, optional
        What it was made for. Its tilt angles, image size and tilt axis are stored in JSON, and
        `apply_file` compares them.
    axis : TiltAxis, optional
        Where the images are centred and turned too, as `apply` does.

    Raises
    ------
    DataError
        If the series has another number of tilts.
    """
    stored = exchange.StoredAlignment(alignment, axis)
    if series is not None:
        stored = exchange.StoredAlignment.of(series, alignment, axis)
    path = Path(path)
    if path.suffix.lower() != ".xf":
        exchange.write_json(stored, path)
        return
    angles = None if series is None else series.angles_deg
    exchange.write_xf(stored.transforms(stored.tilt_axis or "y"), path, angles)
