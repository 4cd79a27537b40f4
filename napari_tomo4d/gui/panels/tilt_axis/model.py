"""The tilt axis and the slices across it, as they are remembered; without any window."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from napari_tomo4d.align import TiltAxis, set_tilt_axis
from napari_tomo4d.align.axis_frame import AxisFrame
from napari_tomo4d.data import AnyData, TiltSeries, is_series
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.quantities import with_error

DIRECTION, AXIS = "align.set_tilt_axis", "align.apply_axis"

Direction = Literal["y", "x"]
Point = tuple[float, float]
"""Along and across the tilt axis, in pixels of the image."""


@dataclass(frozen=True)
class AxisAndSlices:
    """Where the axis and the slices are; every change makes a new one.

    Parameters
    ----------
    direction : {"y", "x"}
        Image axis which the tilt axis is parallel to.
    shift_px : float
        Position of the axis across, from the image centre.
    rotation_deg : float
        Angle from the image axis to the tilt axis.
    points_px : tuple of (along, across)
        One point in each slice.
    thickness_px : int
        Size of the slices along the beam.
    """

    direction: Direction
    shift_px: float
    rotation_deg: float
    points_px: tuple[Point, ...]
    thickness_px: int

    @classmethod
    def of(cls, series: TiltSeries) -> AxisAndSlices:
        """Return where a series says that its axis is, and slices spread along it."""
        along, across = frame_of(series).size
        middle = frame_of(series).centre_px[1] + series.axis_shift_px
        points = tuple((float(round((along - 1) * k / 4)), middle) for k in (1, 2, 3))
        # fills the view, which is wider than high
        thickness = max(1, round(0.65 * across))
        return cls(series.tilt_axis, series.axis_shift_px, 0.0, points, thickness)

    def with_axis(self, shift_px: float, rotation_deg: float) -> AxisAndSlices:
        """Return the same with the axis elsewhere."""
        return dataclasses.replace(self, shift_px=shift_px, rotation_deg=rotation_deg)

    def with_thickness(self, thickness_px: int) -> AxisAndSlices:
        """Return the same with slices of another size along the beam."""
        return dataclasses.replace(self, thickness_px=thickness_px)

    def with_point(self, k: int, point_px: Point) -> AxisAndSlices:
        """Return the same with one slice through another point."""
        points = (*self.points_px[:k], point_px, *self.points_px[k + 1 :])
        return dataclasses.replace(self, points_px=points)

    def with_position(self, k: int, along_px: float) -> AxisAndSlices:
        """Return the same with one slice elsewhere along the axis."""
        return self.with_point(k, (along_px, self.points_px[k][1]))

    def accepted(self, frame: AxisFrame) -> AxisAndSlices:
        """Return the same places once the axis is centred and upright."""
        points = tuple(frame.upright(p, self.shift_px, self.rotation_deg) for p in self.points_px)
        return dataclasses.replace(self, shift_px=0.0, rotation_deg=0.0, points_px=points)

    def steps(self, series: TiltSeries) -> list[tuple[str, Parameters]]:
        """Return the steps that bring the axis of a series here; none if it is here already."""
        steps: list[tuple[str, Parameters]] = []
        if self.direction != series.tilt_axis:
            steps.append((DIRECTION, {"direction": self.direction}))
        if self.shift_px != 0 or self.rotation_deg != 0:
            values = {"shift_px": self.shift_px, "rotation_deg": self.rotation_deg}
            steps.append((AXIS, values))
        return steps


def frame_of(series: TiltSeries) -> AxisFrame:
    """Return the coordinates of a series' images."""
    return AxisFrame(series.image_shape, series.tilt_axis)


def in_direction(series: TiltSeries, direction: Direction) -> TiltSeries:
    """Return a series as it is with the axis in a direction; itself if that is its own."""
    return series if series.tilt_axis == direction else set_tilt_axis(series, direction)


def in_nm(pixels: float, pixel_size_nm: float | None) -> str:
    """Return a distance in nanometres, as text."""
    return f"= {pixels * pixel_size_nm:.2f} nm" if pixel_size_nm else ""


def problem_of(series: TiltSeries) -> str:
    """Return why the axis of a series can't be set, or nothing."""
    if max(series.frames_per_tilt) > 1:
        return "This series has several frames per tilt: average them in the Clean panel first."
    if len(series) < 2:
        return "This series has a single tilt, which does not show where the axis is."
    return ""


def description_of(series: TiltSeries, item: AnyData | None) -> str:
    """Return what a series is, and of how many time points."""
    n_y, n_x = series.image_shape
    text = f"{len(series)} tilts of {n_y} x {n_x} px"
    if is_series(item):
        text += f", {len(item)} time points"
    return text


def titles_of(series: TiltSeries, positions_px: Sequence[float]) -> list[str]:
    """Return where slices are, in pixels and nanometres."""
    size = series.pixel_size_nm
    titles = []
    for k, position in enumerate(positions_px):
        nm = f" ({position * size:.4g} nm)" if size else ""
        titles.append(f"{k + 1}: {series.tilt_axis} = {position:.1f} px{nm}")
    return titles


def found_text(found: TiltAxis, pixel_size_nm: float | None) -> str:
    """Return in words where the axis was found, with uncertainties."""
    shift = with_error(found.shift_px, found.shift_uncertainty_px, "px")
    if pixel_size_nm:
        shift += f" ({found.shift_px * pixel_size_nm:.4g} nm)"
    turn = with_error(found.rotation_deg, found.rotation_uncertainty_deg, "°")
    return f"Axis at {shift}, turned by {turn}, by {found.method}."
