"""What a microscope's file says of the rotation of the tilt axis."""

from __future__ import annotations

from typing import Any

from napari_tomo4d.data import TiltSeries

_KEY = "tilt_axis_angle_deg"


def said_rotation(series: TiltSeries) -> float | None:
    """Return the rotation of the tilt axis by its file in degrees, None where it says none.

    The file counts from the vertical, counter-clockwise with the first row at the bottom, so from
    +y to -x of the array. The result is as in `TiltAxis`: from the image axis
    `series.tilt_axis`, positive towards the other one.
    """
    angle: Any = series.metadata.get(_KEY)
    if not isinstance(angle, (int, float)):
        return None
    turned = -angle if series.tilt_axis == "y" else angle + 90
    return float((turned + 90) % 180 - 90)


def put_on_axis(moved: TiltSeries) -> TiltSeries:
    """Return images that were put on their tilt axis, which then is no longer where it was."""
    metadata = {k: v for k, v in moved.metadata.items() if k != _KEY}
    return moved.replace(axis_shift_px=0.0, metadata=metadata)
