"""Where the tilt axis and the slices across it are, and how the panel shows numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from napari_tomo4d.align import TiltAxis
from napari_tomo4d.data import TiltSeries, TimeSeries
from napari_tomo4d.gui.canvas.layer_picker import NO_SERIES
from napari_tomo4d.gui.panels.tilt_axis.axis_line import AxisFrame
from napari_tomo4d.measure.quantities import with_error


@dataclasses.dataclass
class Place:
    """Where the axis and the slices are, remembered for each series."""

    shift: float
    rotation: float
    points: list[tuple[float, float]]
    thickness: int


def start_place(series: TiltSeries) -> Place:
    """Return where the axis and slices are at first."""
    frame = AxisFrame(series.image_shape, series.tilt_axis)
    along, across = frame.size
    shift = series.axis_shift_px
    middle = frame.middle[1] + shift
    points = [(float(round((along - 1) * k / 4)), middle) for k in (1, 2, 3)]
    # fills the view, which is wider than high
    return Place(shift, 0.0, points, max(1, round(0.65 * across)))


def upright(frame: AxisFrame, point: tuple[float, float], place: Place) -> tuple[float, float]:
    """Return where a point (along, across) is once the axis is centred and upright."""
    along, across = frame.middle
    angle = math.radians(place.rotation)
    u, v = point[1] - across - place.shift, point[0] - along
    turned = u * math.cos(angle) - v * math.sin(angle) + across
    return frame.position(point, place.shift, place.rotation), turned


def in_nm(pixels: float, size: float | None) -> str:
    """Return a distance in nanometres, as text."""
    return f"= {pixels * size:.2f} nm" if size else ""


def problem_of(series: TiltSeries | None) -> str:
    """Return why the axis of a series can't be set, or nothing."""
    if series is None:
        return NO_SERIES
    if max(series.frames_per_tilt) > 1:
        return "This series has several frames per tilt: average them in the Clean panel first."
    if len(series) < 2:
        return "This series has a single tilt, which does not show where the axis is."
    return ""


def description_of(series: TiltSeries, item: Any) -> str:
    """Return what a series is, and of how many time points."""
    n_y, n_x = series.image_shape
    side = "y (vertical)" if series.tilt_axis == "y" else "x (horizontal)"
    text = f"{len(series)} tilts of {n_y} x {n_x} px, axis along {side}"
    if isinstance(item, TimeSeries):
        text += f", {len(item)} time points"
    return text


def titles_of(series: TiltSeries, positions: Sequence[float]) -> list[str]:
    """Return where slices are, in pixels and nanometres."""
    size = series.pixel_size_nm
    titles = []
    for k, position in enumerate(positions):
        nm = f" ({position * size:.4g} nm)" if size else ""
        titles.append(f"{k + 1}: {series.tilt_axis} = {position:.1f} px{nm}")
    return titles


def found_text(found: TiltAxis, size: float | None) -> str:
    """Return in words where the axis was found, with uncertainties."""
    shift = with_error(found.shift_px, found.shift_uncertainty_px, "px")
    if size:
        shift += f" ({found.shift_px * size:.4g} nm)"
    turn = with_error(found.rotation_deg, found.rotation_uncertainty_deg, "°")
    return f"Axis at {shift}, turned by {turn}, by {found.method}."
