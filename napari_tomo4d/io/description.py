"""What is in a file, in a few lines, without loading its images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_tomo4d.data import AnyData, TiltSeries, is_series, times_of
from napari_tomo4d.errors import MissingAnglesError
from napari_tomo4d.io.raw import AXIS_ANGLE
from napari_tomo4d.io.reader import read
from napari_tomo4d.provenance import warnings_only_kept
from napari_tomo4d.quantities import time_names
from napari_tomo4d.voxels import size_text


def describe(path: str | Path, **given: Any) -> dict[str, str | list[str]]:
    """Return what a file or folder holds, as texts for a person.

    Parameters
    ----------
    path : str or Path
    **given
        As for `read`.

    Returns
    -------
    dict
        Title to text, or to a list of texts.
    """
    with warnings_only_kept():
        try:
            return describe_item(read(path, lazy=True, **given))
        except MissingAnglesError as error:
            # the images can still be described; only the angles are made up for it
            item = read(path, lazy=True, angles_deg=np.arange(error.n_images) % 180, **given)
            doubt = error.doubt
    text = {**describe_item(item), "angles": "not in the file; give them when opening it"}
    if doubt:
        text["warnings"] = [doubt, *text.get("warnings", [])]
    return text


def describe_item(item: AnyData) -> dict[str, str | list[str]]:
    """Return what a data object holds, as texts for a person."""
    result: dict[str, str | list[str]] = {}
    times = times_of(item)
    first = times[0]
    if is_series(item):
        result["time points"] = f"{len(item)}"
        if item.times_s is not None:
            names = time_names(item.times_s, len(item))
            result["times"] = f"{names[0]} to {names[-1]}"
        if item.temperatures_c is not None:
            low, high = item.temperatures_c.min(), item.temperatures_c.max()
            result["temperature"] = f"{low:g} °C" if low == high else f"{low:g} to {high:g} °C"
    if isinstance(first, TiltSeries):
        result |= _describe_series(first)
        n_bytes = sum(first.frames_per_tilt) * first.dtype.itemsize
        n_bytes *= first.image_shape[0] * first.image_shape[1]
    else:
        shape = " x ".join(map(str, first.data.shape))
        result["kind"] = f"{type(first).__name__.lower()} of {shape} voxels (z, y, x)"
        n_bytes = first.data.nbytes
    size = first.pixel_size_nm
    source = first.metadata.get("pixel_size_from")
    text = "unknown" if size is None else size_text(size) + (f" ({source})" if source else "")
    result["pixel size"] = text
    result["in memory"] = _amount(n_bytes * len(times))
    if item.provenance is not None and item.provenance.all_warnings():
        result["warnings"] = item.provenance.all_warnings()
    return result


def _amount(n_bytes: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} GB"


def _describe_series(series: TiltSeries) -> dict[str, str | list[str]]:
    n_y, n_x = series.image_shape
    low, high = series.angles_deg.min(), series.angles_deg.max()
    source = series.metadata.get("angles_from")
    frames = series.frames_per_tilt
    result: dict[str, str | list[str]] = {
        "kind": f"tilt series of {len(series)} tilts",
        "images": f"{n_y} x {n_x} pixels (y, x), {series.dtype}",
        "angles": f"{low:g} to {high:g}°" + (f" ({source})" if source else ""),
        "tilt axis": _axis(series),
    }
    if max(frames) > 1:
        same = min(frames) == max(frames)
        result["frames"] = f"{frames[0] if same else f'{min(frames)} to {max(frames)}'} per tilt"
    return result


def _axis(series: TiltSeries) -> str:
    source = series.metadata.get("tilt_axis_from")
    angle = series.metadata.get(AXIS_ANGLE)
    turned = "" if angle is None else f", {angle:g}° from the vertical"
    return f"along {series.tilt_axis}{turned}" + (f" ({source})" if source else "")
