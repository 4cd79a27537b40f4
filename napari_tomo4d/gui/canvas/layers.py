"""Data objects as napari layers, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import dask.array as da
import numpy as np

from napari_tomo4d.checks import Pixels
from napari_tomo4d.contrast import grey_levels
from napari_tomo4d.data import (
    AnyData,
    AnyLabels,
    Data,
    Labels,
    TiltSeries,
    Volume,
    at_time,
    is_series,
    times_of,
)
from napari_tomo4d.gui.canvas.label_stack import LabelStack
from napari_tomo4d.immutable import frozen
from napari_tomo4d.voxels import edges_of

if TYPE_CHECKING:
    from napari.layers import Layer


ITEM_KEY = "napari_tomo4d"
"""Layer metadata under which the data object itself is kept; it is immutable."""

LayerData = tuple[Any, dict[str, Any], str]


def item_of(layer: Layer) -> Any | None:
    """Return the data object a layer shows, or None for a layer from elsewhere."""
    stack = label_stack_of(layer)
    return layer.metadata.get(ITEM_KEY) if stack is None else stack.item


def label_stack_of(layer: Layer | None) -> LabelStack | None:
    """Return the voxels of a layer of our labels, which can be changed; None for any other."""
    # a plugin is given stand-ins of layers, and of what they hold
    layer = getattr(layer, "__wrapped__", layer)
    data = getattr(layer, "data", None)
    return data if isinstance(data, LabelStack) else None


def shape_of(item: AnyData) -> tuple[int, ...]:
    """Return the shape of the array that a layer of a data object shows."""
    shapes = [
        (len(one), *one.image_shape) if isinstance(one, TiltSeries) else tuple(one.data.shape)
        for one in times_of(item)
    ]
    volume = (max(s[0] for s in shapes), *shapes[0][1:])
    return (len(shapes), *volume) if is_series(item) else volume


def to_layers(item: AnyData, name: str | None = None) -> list[LayerData]:
    """Return napari layer data for a tilt series, volume, labels or a time series of them.

    Every layer has a physical scale along all axes, in nanometres where it is known: napari
    shows no units at all if one layer lacks them. The true angles and times are
    shown as text, see `caption`.
    """
    first = at_time(item, 0)
    size = first.pixel_size_nm
    data: Pixels | LabelStack
    if isinstance(first, Labels):
        data = LabelStack(cast("AnyLabels", item))
    else:
        parts = [_pixels(one) for one in times_of(item)]
        data = _stack(parts) if is_series(item) else parts[0]
    axes: tuple[str, ...] = ("tilt", "y", "x") if isinstance(first, TiltSeries) else ("z", "y", "x")
    if is_series(item):
        axes = ("time", *axes)
    scale = list(edges_of(size)) if size else [1.0] * 3
    origin = first.metadata.get("origin_px", (0, 0))
    translate = [0.0, *(o * s for o, s in zip(origin, scale[1:], strict=True))]
    if is_series(item):
        # the same for all layers, so that one slider position is one time
        scale, translate = [1.0, *scale], [0.0, *translate]
    options: dict[str, Any] = {
        "name": name or item.name,
        "scale": scale,
        "translate": translate,
        "units": ("nm" if size else "pixel",) * len(axes),
        "axis_labels": axes,
        "metadata": {ITEM_KEY: item},
    }
    if isinstance(first, Labels):
        return [(data, options, "labels")]
    options["contrast_limits"] = _contrast(data)
    if isinstance(first, Volume):
        options |= {"colormap": "gray", "rendering": "attenuated_mip"}
        options["attenuation"] = 0.02
    return [(data, options, "image")]


def caption(item: AnyData, step: tuple[int, ...]) -> str:
    """Return what to write beside the picture at one slider position.

    Parameters
    ----------
    item : data object
    step : tuple of int
        Slider positions of the layer's axes, first axis first.
    """
    parts = []
    if is_series(item):
        time = min(step[0], len(item) - 1)
        parts.append(item.label(time))
        item, step = item[time], step[1:]
    if isinstance(item, TiltSeries):
        tilt = min(step[0], len(item) - 1)
        parts.append(f"tilt {item.angles_deg[tilt]:+.1f}°")
        if item.frames_per_tilt[tilt] > 1:
            parts.append(f"mean of {item.frames_per_tilt[tilt]} frames")
    return ", ".join(parts)


def _pixels(item: Data) -> Pixels:
    if not isinstance(item, TiltSeries):
        return item.data
    images = item.images
    if isinstance(images, tuple):
        return _stack([_frozen(f.mean(axis=0)) for f in images])
    return _frozen(images.mean(axis=1)) if images.ndim == 4 else images


def _frozen(images: Pixels) -> Pixels:
    return frozen(images) if isinstance(images, np.ndarray) else images


def _stack(parts: list[Pixels]) -> Pixels:
    """Stack arrays lazily; shorter ones are filled up with zeros along their first axis."""
    longest = max(len(p) for p in parts)
    if all(p.ndim == 2 for p in parts) and all(isinstance(p, np.ndarray) for p in parts):
        return frozen(np.stack(parts))
    padded = []
    for part in parts:
        lazy = (
            part
            if isinstance(part, da.Array)
            else da.from_array(part, chunks=(1, *part.shape[1:]), name=False)
        )
        missing = longest - len(part)
        if missing:
            lazy = da.pad(lazy, ((0, missing), *((0, 0),) * (part.ndim - 1)))
        padded.append(lazy)
    return da.stack(padded)


def _contrast(data: Pixels) -> tuple[float, float]:
    """Limits from a few images: napari would read all of a lazy series for this."""
    picks = np.unique(np.linspace(0, len(data) - 1, 5).astype(int))
    samples = []
    for i in picks:
        part = data[i]
        while part.ndim > 2:
            part = part[len(part) // 2]
        samples.append(np.asarray(part))
    return grey_levels(np.concatenate([s.ravel() for s in samples]))
