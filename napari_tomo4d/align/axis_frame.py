"""Where a tilt axis, and slices across it, lie in the images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class AxisFrame:
    """Coordinates in an image: (y, x), and (along, across) its tilt axis.

    "Along" is the coordinate of the image axis to which the tilt axis is nearly parallel; both
    are in pixels from the centre of the first pixel.

    Parameters
    ----------
    image_shape : tuple of int (y, x)
    tilt_axis : {"y", "x"}
        Image axis which the tilt axis is parallel to.
    """

    image_shape: tuple[int, int]
    tilt_axis: str

    @property
    def size(self) -> tuple[int, int]:
        """Number of pixels (along, across)."""
        n_y, n_x = self.image_shape
        return (n_y, n_x) if self.tilt_axis == "y" else (n_x, n_y)

    @property
    def centre_px(self) -> tuple[float, float]:
        """Centre of the image (along, across)."""
        along, across = self.size
        return (along - 1) / 2, (across - 1) / 2

    def swap(self, one: float, other: float) -> tuple[float, float]:
        """Turn (along, across) into (y, x), or back."""
        return (one, other) if self.tilt_axis == "y" else (other, one)

    def axis_line(self, shift_px: float, rotation_deg: float) -> np.ndarray:
        """Return both ends (y, x) of a tilt axis, as long as the image, in pixels.

        Parameters
        ----------
        shift_px : float
            Position of the axis across, from the image centre.
        rotation_deg : float
            Angle from the image axis to the tilt axis, positive towards the other image axis.
        """
        slope = np.tan(np.deg2rad(rotation_deg))
        reach = self.size[0] / 2
        along, across = self.centre_px
        ends = [self.swap(along + t, across + shift_px + t * slope) for t in (-reach, reach)]
        return np.array(ends)

    def slice_line(self, point_px: tuple[float, float], rotation_deg: float) -> np.ndarray:
        """Return both ends (y, x) of the line in which a slice across the axis cuts the image.

        Parameters
        ----------
        point_px : (along, across)
            Which the slice goes through.
        rotation_deg : float
            Of the tilt axis.
        """
        slope = np.tan(np.deg2rad(rotation_deg))
        along, across = point_px
        ends = (-0.5, self.size[1] - 0.5)
        return np.array([self.swap(along - (c - across) * slope, c) for c in ends])

    def slice_position_px(
        self, point_px: tuple[float, float], shift_px: float, rotation_deg: float
    ) -> float:
        """Return which slice across a tilt axis goes through a point.

        Parameters
        ----------
        point_px : tuple of float
            (along, across) the image axis `tilt_axis`, in pixels from the first one.
        shift_px, rotation_deg : float
            Of the tilt axis, as in `TiltAxis`.

        Returns
        -------
        float
            In pixels from the first slice, within the image.
        """
        position = self._turned(point_px, shift_px, rotation_deg)[0]
        return float(np.clip(position, 0, self.size[0] - 1))

    def upright(
        self, point_px: tuple[float, float], shift_px: float, rotation_deg: float
    ) -> tuple[float, float]:
        """Return where a point is once the axis is centred and parallel to `tilt_axis`.

        Parameters
        ----------
        point_px, shift_px, rotation_deg
            As in `slice_position_px`.

        Returns
        -------
        tuple of float
            (along, across) in pixels.
        """
        turned = self._turned(point_px, shift_px, rotation_deg)
        return self.slice_position_px(point_px, shift_px, rotation_deg), turned[1]

    def _turned(
        self, point_px: tuple[float, float], shift_px: float, rotation_deg: float
    ) -> tuple[float, float]:
        angle = np.deg2rad(rotation_deg)
        along, across = self.centre_px
        v, u = point_px[0] - along, point_px[1] - across - shift_px
        return (
            float(v * np.cos(angle) + u * np.sin(angle) + along),
            float(u * np.cos(angle) - v * np.sin(angle) + across),
        )

    def distance_px(
        self, point_px: tuple[float, float], shift_px: float, rotation_deg: float
    ) -> float:
        """Return the distance in pixels from a point to a tilt axis, as in `slice_position_px`."""
        return abs(self._turned(point_px, shift_px, rotation_deg)[1] - self.centre_px[1])
