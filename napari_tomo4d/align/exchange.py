"""Alignments in files: JSON with everything, and IMOD's .xf and .tlt.

IMOD's transforms
-----------------
A line of a ``.xf`` file is ``A11 A12 A21 A22 DX DY``. A point (X, Y) from the centre of the
image goes to ``X' = A11 X + A12 Y + DX``, ``Y' = A21 X + A22 Y + DY`` (IMOD, man page xfmodel;
centre (n - 1) / 2 as here). IMOD shows Y upwards, and the first row of a file at the
bottom. Here that row is the first row of the array, so Y is the row and nothing is
turned over: a rotation that IMOD calls counter-clockwise on its screen (positive, A21 > 0) goes
from +x towards +y of the array. IMOD's `tilt` expects the axis along Y; an alignment of a series
whose axis is along x keeps it along x, and needs a further turn by 90 degrees there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_tomo4d.align.axis_said import put_on_axis
from napari_tomo4d.align.transforms import (
    Alignment,
    ImageTransforms,
    TiltAxis,
    apply_transforms,
    image_transforms,
)
from napari_tomo4d.boundary import reading
from napari_tomo4d.content import Json
from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import DataError, ReadError, WriteError, readable
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import warn
from napari_tomo4d.text_files import read_text
from napari_tomo4d.whole_files import replacing_together, write_whole

SCHEMA_VERSION = 2
"""Since 2 there are rotations and magnifications; without them, files are of version 1."""

_SAME_ANGLE_DEG = 0.1


@dataclass(frozen=True, eq=False)
class StoredAlignment:
    """An alignment, and what it was made for.

    Parameters
    ----------
    alignment : Alignment
    axis : TiltAxis, optional
    image_shape : tuple (y, x), optional
        Size of the images in pixels; not compared where None.
    tilt_axis : {"y", "x"}, optional
    angles_deg : array (tilt,), optional
        Tilt angles of the images; not compared where None.
    """

    alignment: Alignment
    axis: TiltAxis | None = None
    image_shape: tuple[int, int] | None = None
    tilt_axis: str | None = None
    angles_deg: np.ndarray | None = None

    @classmethod
    def of(
        cls, series: TiltSeries, alignment: Alignment | None, axis: TiltAxis | None = None
    ) -> StoredAlignment:
        """Return an alignment together with the size, axis and angles of its series.

        Parameters
        ----------
        series : TiltSeries
        alignment : Alignment, optional
            No shifts if None.
        axis : TiltAxis, optional

        Raises
        ------
        DataError
            If there are not as many shifts as tilts.
        """
        alignment = alignment or Alignment(np.zeros((len(series), 2)))
        stored = cls(alignment, axis, series.image_shape, series.tilt_axis, series.angles_deg)
        stored.check(series)
        return stored

    def check(self, series: TiltSeries) -> None:
        """Raise `DataError` if a series is not like the one this was made for.

        Tilt angles that are slightly off are only warned of, as they may have been refined.
        """
        count = len(self.alignment.shifts_px)
        if count != len(series):
            raise DataError(f"The alignment has {count} shifts but the series {len(series)} tilts.")
        if self.image_shape not in (None, series.image_shape):
            assert self.image_shape is not None
            raise DataError(
                f"The alignment was made on images of {self.image_shape[0]} x "
                f"{self.image_shape[1]} px, but these have {series.image_shape[0]} x "
                f"{series.image_shape[1]}; crop and bin both in the same way."
            )
        if self.tilt_axis not in (None, series.tilt_axis):
            raise DataError(
                f"The alignment was made for a tilt axis along {self.tilt_axis}, but that of this "
                f"series is along {series.tilt_axis}."
            )
        if self.angles_deg is not None:
            _compare_angles(np.asarray(self.angles_deg, np.float64), series.angles_deg)

    def transforms(self, tilt_axis: str) -> ImageTransforms:
        """Return the movement of each image for a tilt axis along ``"y"`` or ``"x"``."""
        return image_transforms(self.alignment, self.axis, len(self.alignment.shifts_px), tilt_axis)


def _compare_angles(stored_deg: np.ndarray, angles_deg: np.ndarray) -> None:
    if stored_deg.shape != angles_deg.shape:
        raise DataError(
            f"The alignment holds {len(stored_deg)} tilt angles but {len(angles_deg)} shifts."
        )
    off = np.abs(stored_deg - angles_deg)
    if off.max(initial=0) <= _SAME_ANGLE_DEG:
        return
    nearest = np.abs(stored_deg[:, None] - angles_deg).min(axis=0)
    other = off > nearest + _SAME_ANGLE_DEG
    if other.any():
        k = int(np.argmax(other))
        raise DataError(
            f"The alignment was made for other tilts or another order of them: image {k + 1} was "
            f"tilted by {stored_deg[k]:g} deg there, but by {angles_deg[k]:g} deg here; put the "
            "images in the same order, or correct the tilt angles."
        )
    warn(
        f"The tilt angles differ by up to {off.max():.2f} deg from those that the alignment was "
        "made for; check that it belongs to these images."
    )


def apply_stored(
    series: TiltSeries,
    stored: StoredAlignment | ImageTransforms,
    *,
    progress: Progress | None = None,
) -> TiltSeries:
    """Apply a stored alignment to the series it was made on, another channel or time point.

    Parameters
    ----------
    series : TiltSeries
    stored : StoredAlignment or ImageTransforms
        From `read_json` or `read_xf`.
    progress : Progress, optional

    Raises
    ------
    DataError
        If number or order of tilts, size of the images or tilt axis differ.
    """
    if isinstance(stored, ImageTransforms):
        return apply_transforms(series, stored, progress=progress)
    stored.check(series)
    moved = apply_transforms(series, stored.transforms(series.tilt_axis), progress=progress)
    return moved if stored.axis is None else put_on_axis(moved)


def write_json(stored: StoredAlignment, path: str | Path) -> None:
    """Store an alignment as JSON that `read_json` reads back exactly."""
    content: Json = {
        "schema_version": 1,
        "shifts_px": stored.alignment.shifts_px.tolist(),
    }
    for name in _TURNED:
        if (values := getattr(stored.alignment, name)) is not None:
            # a program that knows shifts only has to refuse the file
            content["schema_version"] = SCHEMA_VERSION
            content[name] = values.tolist()
    if stored.image_shape is not None:
        content["image_shape"] = list(stored.image_shape)
    if stored.tilt_axis is not None:
        content["tilt_axis"] = stored.tilt_axis
    if stored.angles_deg is not None:
        content["angles_deg"] = np.asarray(stored.angles_deg).tolist()
    if stored.axis is not None:
        axis = {name: getattr(stored.axis, name) for name in _AXIS_NUMBERS}
        # JSON knows no NaN: an unknown uncertainty is left out
        content["axis"] = {k: float(v) for k, v in axis.items() if np.isfinite(v)}
        content["axis"]["method"] = stored.axis.method
    _write(path, json.dumps(content, indent=1))


def _axis_of(stored: Json) -> TiltAxis:
    numbers: Json = {name: float(stored[name]) for name in _AXIS_NUMBERS if name in stored}
    return TiltAxis(**numbers, method=readable(str(stored.get("method", "by hand"))))


_TURNED = ("rotations_deg", "magnifications")
_AXIS_NUMBERS = (
    "shift_px",
    "rotation_deg",
    "shift_uncertainty_px",
    "rotation_uncertainty_deg",
)


def read_json(path: str | Path) -> StoredAlignment:
    """Read an alignment from JSON.

    Raises
    ------
    ReadError
        If the file is missing, of a newer schema, or holds no alignment.
    """
    path = Path(path)
    with reading(path, "an alignment (shifts dy, dx in pixels for each tilt)"):
        content = json.loads(read_text(path))
        version = content.get("schema_version", SCHEMA_VERSION)
        if version > SCHEMA_VERSION:
            raise ReadError(
                f"The alignment {path} has schema_version {version}, but this version of the "
                f"program reads up to {SCHEMA_VERSION}; update it."
            )
        axis, shape = content.get("axis"), content.get("image_shape")
        angles = content.get("angles_deg")
        return StoredAlignment(
            Alignment(content["shifts_px"], *(content.get(name) for name in _TURNED)),
            None if axis is None else _axis_of(axis),
            None if shape is None else (int(shape[0]), int(shape[1])),
            content.get("tilt_axis"),
            None if angles is None else np.array(angles, dtype=np.float64),
        )


def write_xf(
    transforms: ImageTransforms, path: str | Path, angles_deg: np.ndarray | None = None
) -> None:
    """Write the transform of each image as IMOD reads it, with every digit.

    With the tilt angles in a ``.tlt`` beside it, if they are given; one that holds others is not
    replaced.

    Raises
    ------
    WriteError
        If it can't be written, or would replace the angles of another series.
    """
    path = Path(path)
    tlt = path.with_suffix(".tlt")
    angles = "" if angles_deg is None else _tlt_text(angles_deg)
    if angles and tlt.exists() and (not tlt.is_file() or tlt.read_bytes() != angles.encode()):
        raise WriteError(
            f"{tlt} exists already with other angles and is not replaced; choose another name for "
            f"{path.name} or move it away."
        )
    lines = []
    for ((a_yy, a_yx), (a_xy, a_xx)), (dy, dx) in zip(
        transforms.matrices.tolist(), transforms.offsets_px.tolist(), strict=True
    ):
        lines.append(" ".join(f"{v!r:>22}" for v in (a_xx, a_xy, a_yx, a_yy, dx, dy)))
    with replacing_together(path, tlt) as (temporary, beside):
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
        if angles:
            beside.write_text(angles, encoding="utf-8")


def read_xf(path: str | Path) -> ImageTransforms:
    """Read IMOD's transform of each image.

    Raises
    ------
    ReadError
        If the file is missing or a line does not hold six numbers.
    """
    rows = _numbers(path, 6, "A11 A12 A21 A22 DX DY")
    matrices = np.empty((len(rows), 2, 2))
    matrices[:, 1, 1], matrices[:, 1, 0] = rows[:, 0], rows[:, 1]
    matrices[:, 0, 1], matrices[:, 0, 0] = rows[:, 2], rows[:, 3]
    with reading(path, "transforms of images (.xf)"):
        return ImageTransforms(matrices, rows[:, [5, 4]])


def write_tlt(angles_deg: np.ndarray, path: str | Path) -> None:
    """Write one tilt angle in degrees per line (``.tlt``) with every digit."""
    _write(path, _tlt_text(angles_deg))


def _tlt_text(angles_deg: np.ndarray) -> str:
    return "".join(f"{v!r}\n" for v in np.asarray(angles_deg, np.float64).tolist())


def _numbers(path: str | Path, count: int, what: str) -> np.ndarray:
    path = Path(path)
    with reading(path, "a table of numbers"):
        rows = [line.split() for line in read_text(path).splitlines() if line.strip()]
        values = np.array(rows, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != count or not np.isfinite(values).all():
        raise ReadError(f"{path} does not hold {what} in each line.")
    return values


def _write(path: str | Path, text: str) -> None:
    write_whole(text.encode("utf-8"), path, overwrite=True)
