"""Tilts that are not worth keeping."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import DataError
from napari_tomo4d.immutable import frozen
from napari_tomo4d.parameters import Param
from napari_tomo4d.provenance import warn
from napari_tomo4d.registry import step

_PER_TILT = (
    "noise_sigma",
    "frames_averaged",
    "dose_e_per_nm2_per_tilt",
    "frame_shifts_px",
    "scan_drift_px",
    "background",
    "outliers",
    "intensity_factors",
)
"""Metadata with an entry for each tilt."""


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
    keep = np.ones(n, bool)
    if any(not 0 <= t < n for t in tilts):
        raise DataError(f"Tilts are counted from 0 to {n - 1}; {max(tilts)} is not one of them.")
    keep[list(tilts)] = False
    if keep.sum() < 2:
        raise DataError("At least two tilts have to stay; take some in again.")
    names = ", ".join(f"{a:g}" for a in series.angles_deg[~keep])
    warn(f"Left out by hand: the tilt{'s' * (len(tilts) > 1)} at {names} deg.")
    metadata = dict(series.metadata)
    for name in _PER_TILT:
        if name in metadata:
            metadata[name] = _kept(metadata[name], keep)
    if "alignment" in metadata:
        found = metadata["alignment"]
        metadata["alignment"] = {name: _kept(value, keep) for name, value in found.items()}
    images = series.images
    images = tuple(_kept(list(images), keep)) if isinstance(images, tuple) else frozen(images[keep])
    return series.replace(images=images, angles_deg=series.angles_deg[keep], metadata=metadata)


def _kept(values: Any, keep: np.ndarray) -> Any:
    """Return the entries that stay, of a list with one for each tilt."""
    if not isinstance(values, list) or len(values) != len(keep):
        return values
    return [v for v, k in zip(values, keep, strict=True) if k]
