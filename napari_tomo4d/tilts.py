"""Some tilts of a series, with everything that belongs to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_tomo4d.content import Json
from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import DataError
from napari_tomo4d.immutable import frozen

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


def of_tilts(series: TiltSeries, keep: np.ndarray) -> TiltSeries:
    """Return a series of some of the tilts.

    Parameters
    ----------
    series : TiltSeries
        Images that were not read stay so.
    keep : bool array (tilt,)
    """
    images = series.images
    return series.replace(
        images=tuple(_kept(list(images), keep))
        if isinstance(images, tuple)
        else frozen(images[keep]),
        angles_deg=series.angles_deg[keep],
        metadata=metadata_of_tilts(series.metadata, keep),
    )


def metadata_of_tilts(metadata: Mapping[str, Any], keep: np.ndarray) -> Json:
    """Return the metadata of a series of some of the tilts.

    Parameters
    ----------
    metadata : dict
        Of the whole series.
    keep : bool array (tilt,)
    """
    result = dict(metadata)
    for name in _PER_TILT:
        if name in result:
            result[name] = _kept(result[name], keep)
    if "alignment" in result:
        result["alignment"] = {k: _kept(v, keep) for k, v in result["alignment"].items()}
    return result


def frames_recorded(series: TiltSeries) -> tuple[int, ...]:
    """Return how many recorded frames each tilt holds: those of a mean count each.

    Raises
    ------
    DataError
        If the metadata are those of another number of tilts.
    """
    averaged = series.metadata.get("frames_averaged", [1] * len(series))
    if len(averaged) != len(series):
        raise DataError(
            f"{series.name!r} says how many frames were averaged for {len(averaged)} tilts, but "
            f"has {len(series)}; leave tilts out by the step Leave tilts out, which keeps both "
            "together."
        )
    return tuple(n * int(m) for n, m in zip(series.frames_per_tilt, averaged, strict=True))


def _kept(values: Any, keep: np.ndarray) -> Any:
    """Return the entries that stay, of a list with one for each tilt."""
    if not isinstance(values, list) or len(values) != len(keep):
        return values
    return [v for v, k in zip(values, keep, strict=True) if k]
