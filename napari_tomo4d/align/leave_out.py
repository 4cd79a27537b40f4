"""Tilts that are not worth keeping."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import DataError
from napari_tomo4d.parameters import Param
from napari_tomo4d.provenance import warn
from napari_tomo4d.registry import step
from napari_tomo4d.tilts import of_tilts


@step("align.leave_out", title="Leave tilts out", takes=TiltSeries, gives=TiltSeries)
def leave_out(
    series: TiltSeries,
    tilts: Annotated[
        tuple[int, ...], Param("Numbers of the tilts that are left out, counted from 0.")
    ],
) -> TiltSeries:
    """Leave tilts out of a series.

    Parameters
    ----------
    series : TiltSeries
    tilts : sequence of int
        Counted from 0, in the order of the series.

    Returns
    -------
    TiltSeries

    Raises
    ------
    DataError
        If fewer than two tilts are left, or there is no tilt of such a number.
    """
    n = len(series)
    unknown = [t for t in tilts if not 0 <= t < n]
    if unknown:
        raise DataError(f"Tilts are counted from 0 to {n - 1}; {unknown[0]} is not one of them.")
    keep = np.ones(n, bool)
    keep[list(tilts)] = False
    if keep.sum() < 2:
        raise DataError("At least two tilts have to stay; take some in again.")
    left_out = series.angles_deg[~keep]
    names = ", ".join(f"{a:g}" for a in left_out)
    warn(f"Left out by hand: the tilt{'s' * (len(left_out) > 1)} at {names} deg.")
    return of_tilts(series, keep)
