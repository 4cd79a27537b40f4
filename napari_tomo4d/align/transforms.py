"""How images are moved and turned to lie upright on their tilt axis."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import DataError
from napari_tomo4d.immutable import frozen
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import note

LARGEST_SHIFT_PX = 2**20
"""As wide as an image can be."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """Shifts between the images of a tilt series, and small rotations and magnifications.

    Parameters
    ----------
    shifts_px : array (tilt, 2)
        (dy, dx) in pixels to add to each image's content to align it, after it was turned and
        magnified.
    rotations_deg : array (tilt,), optional
        Angle by which to turn each image about its centre, from +x towards +y; 0 if None.
    magnifications : array (tilt,), optional
        Factor by which to magnify each image about its centre; 1 if None.
    """

    shifts_px: np.ndarray
    rotations_deg: np.ndarray | None = None
    magnifications: np.ndarray | None = None

    def __post_init__(self) -> None:
        shifts = np.array(self.shifts_px, dtype=np.float64)
        if shifts.ndim != 2 or shifts.shape[1] != 2 or not np.isfinite(shifts).all():
            raise DataError("An alignment needs two finite numbers (dy, dx) in pixels per tilt.")
        if np.abs(shifts).max(initial=0) > LARGEST_SHIFT_PX:
            raise DataError(f"An alignment moves images by more than {LARGEST_SHIFT_PX} pixels.")
        for name in ("rotations_deg", "magnifications"):
            if getattr(self, name) is not None:
                values = np.array(getattr(self, name), dtype=np.float64)
                if values.shape != shifts.shape[:1] or not np.isfinite(values).all():
                    raise DataError(f"The {name} of an alignment need one finite number per tilt.")
                values.setflags(write=False)
                object.__setattr__(self, name, values)
        factors = self.magnifications
        if factors is not None and not ((factors > 0.01) & (factors < 100)).all():
            raise DataError("The magnifications of an alignment are between 0.01 and 100.")
        shifts.setflags(write=False)
        object.__setattr__(self, "shifts_px", shifts)

    def matrices(self) -> np.ndarray:
        """Return what turns and magnifies points (y, x), (tilt, 2, 2)."""
        n = len(self.shifts_px)
        if self.rotations_deg is None and self.magnifications is None:
            return np.tile(np.eye(2), (n, 1, 1))
        turns = np.zeros(n) if self.rotations_deg is None else np.deg2rad(self.rotations_deg)
        scales = np.ones(n) if self.magnifications is None else self.magnifications
        return rotation_matrices(turns, scales)


@dataclass(frozen=True, eq=False)
class Curve:
    """A metric over one parameter of the tilt axis, to be plotted.

    Parameters
    ----------
    positions : array (n,)
        Pixels or degrees.
    values : array (n,)
        Larger is better.
    """

    positions: np.ndarray = field(default_factory=lambda: np.empty(0))
    values: np.ndarray = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True, eq=False)
class TiltAxis:
    """Where the tilt axis is in aligned images.

    Parameters
    ----------
    shift_px : float
        Position of the axis in the middle row (or column), across the axis, relative to the
        image centre ``(n - 1) / 2``.
    rotation_deg : float
        Angle from the image axis `TiltSeries.tilt_axis` to the tilt axis, positive towards the
        other image axis; the same as `rotation_deg` of `Projector`.
    shift_uncertainty_px, rotation_uncertainty_deg : float
        Standard errors; NaN if they are not known.
    curve_shift, curve_rotation : Curve
        The metric against position (pixels) and rotation (degrees).
    method : str
    """

    shift_px: float
    rotation_deg: float = 0.0
    shift_uncertainty_px: float = float("nan")
    rotation_uncertainty_deg: float = float("nan")
    curve_shift: Curve = field(default_factory=Curve)
    curve_rotation: Curve = field(default_factory=Curve)
    method: str = "by hand"

    def __post_init__(self) -> None:
        if not np.isfinite([self.shift_px, self.rotation_deg]).all():
            raise DataError("The tilt axis needs a finite shift in pixels and rotation in degrees.")
        if abs(self.shift_px) > LARGEST_SHIFT_PX or abs(self.rotation_deg) > 360:
            raise DataError(
                f"A tilt axis at {self.shift_px:g} px, turned by {self.rotation_deg:g} deg, can't "
                "be true."
            )


@dataclass(frozen=True, eq=False)
class ImageTransforms:
    """What moves each image onto its aligned place.

    A point ``p`` = (y, x) from the image centre goes to ``matrix @ p + offset``.

    Parameters
    ----------
    matrices : array (tilt, 2, 2)
    offsets_px : array (tilt, 2)
        (dy, dx) in pixels.
    """

    matrices: np.ndarray
    offsets_px: np.ndarray

    def __post_init__(self) -> None:
        matrices = np.array(self.matrices, dtype=np.float64)
        offsets = np.array(self.offsets_px, dtype=np.float64)
        n = len(offsets)
        if matrices.shape != (n, 2, 2) or offsets.shape != (n, 2):
            raise DataError("Transforms need a 2 x 2 matrix and an offset (dy, dx) per tilt.")
        if not (np.isfinite(matrices).all() and np.isfinite(offsets).all()):
            raise DataError("The transforms of the images hold NaN or infinite values.")
        if np.abs(np.linalg.det(matrices)).min(initial=1) < 1e-6:
            raise DataError("The transform of an image squeezes it to nothing.")
        object.__setattr__(self, "matrices", matrices)
        object.__setattr__(self, "offsets_px", offsets)


def image_transforms(
    alignment: Alignment | None, axis: TiltAxis | None, n_tilts: int, tilt_axis: str
) -> ImageTransforms:
    """Return what aligns images, then centres their tilt axis and turns it upright.

    Parameters
    ----------
    alignment : Alignment, optional
        No shifts if None.
    axis : TiltAxis, optional
        Left where it is if None.
    n_tilts : int
    tilt_axis : {"y", "x"}
        The image axis that the tilt axis will be parallel to.
    """
    alignment = alignment or Alignment(np.zeros((n_tilts, 2)))
    matrices, offsets = alignment.matrices(), alignment.shifts_px
    if axis is None:
        return ImageTransforms(matrices, offsets)
    angle = np.deg2rad(axis.rotation_deg)
    cosine, sine = np.cos(angle), np.sin(angle)
    # along = across_image * sine + along_image * cosine, across likewise; see `Projector`
    if tilt_axis == "y":
        matrix = np.array([[cosine, sine], [-sine, cosine]])
        position = np.array([0.0, axis.shift_px])
    else:
        matrix = np.array([[cosine, -sine], [sine, cosine]])
        position = np.array([axis.shift_px, 0.0])
    return ImageTransforms(matrix @ matrices, (offsets - position) @ matrix.T)


def rotation_matrices(turns_rad: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Return what turns points (y, x) from +x towards +y and magnifies them, (tilt, 2, 2).

    Parameters
    ----------
    turns_rad : array (tilt,)
        In radians.
    scales : array (tilt,)
    """
    cosines, sines = np.cos(turns_rad), np.sin(turns_rad)
    rows = np.array([[cosines, sines], [-sines, cosines]])
    result: np.ndarray = np.moveaxis(rows, 2, 0) * np.asarray(scales)[:, None, None]
    return result


def apply_transforms(
    series: TiltSeries, transforms: ImageTransforms, *, progress: Progress | None = None
) -> TiltSeries:
    """Move every image by its transform, interpolating once.

    Parameters
    ----------
    series : TiltSeries
        One image per tilt.
    transforms : ImageTransforms
        One per tilt.
    progress : Progress, optional

    Returns
    -------
    TiltSeries
        Float32 images of the same size. Whole pixels are moved without interpolation,
        all else by cubic splines; what enters at an edge repeats the edge.

    Raises
    ------
    DataError
        If the number of transforms is not that of the tilts, or an image leaves its frame.
    """
    progress = progress or Progress()
    offsets = transforms.offsets_px
    if len(offsets) != len(series):
        raise DataError(
            f"The alignment has {len(offsets)} shifts but the series {len(series)} tilts."
        )
    largest = np.abs(offsets).max(axis=0)
    if np.any(largest >= series.image_shape):
        raise DataError(
            f"A shift of {largest.max():g} px moves an image out of its frame of "
            f"{series.image_shape[0]} x {series.image_shape[1]} px."
        )
    images = np.empty((len(series), *series.image_shape), np.float32)
    lost, whole = 0.0, 0.0
    for i in range(len(series)):
        image, matrix, offset = series.image(i), transforms.matrices[i], offsets[i]
        images[i] = moved(image, matrix, offset)
        mass = np.maximum(image - np.median(image), 0)
        whole += float(mass.sum(dtype=np.float64))
        lost += float(mass[_leaves(image.shape, matrix, offset)].sum(dtype=np.float64))
        progress.report(i + 1, len(series), "Applying the alignment")
    if lost > 0.01 * whole:
        note(f"{100 * lost / whole:.1f} % of the intensity moved out of the images.")
    return series.replace(images=frozen(images))


def moved(image: np.ndarray, matrix: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Return an image (y, x) whose points went to ``matrix @ p + offset`` from its centre."""
    if np.array_equal(matrix, np.eye(2)):
        # float32 tables of shifts hold whole pixels only to about 1e-5
        nearest = np.round(offset)
        shift = np.where(np.abs(offset - nearest) < 1e-4, nearest, offset)
        order = 0 if np.all(shift == nearest) else 3
        result: np.ndarray = ndimage.shift(image, shift, order=order, mode="nearest")
        return result
    back = np.linalg.inv(matrix)
    centre = (np.array(image.shape) - 1) / 2
    start = centre - back @ (centre + offset)
    result = ndimage.affine_transform(image, back, start, order=3, mode="nearest")
    return result


def _leaves(shape: tuple[int, ...], matrix: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Return which pixels (y, x) end outside the frame."""
    centre = (np.array(shape) - 1) / 2
    y, x = np.ogrid[: shape[0], : shape[1]]
    outside = np.zeros(shape, bool)
    for row, size, shift in zip(matrix, centre, offset, strict=True):
        outside |= np.abs(row[0] * (y - centre[0]) + row[1] * (x - centre[1]) + shift) > size + 0.5
    return outside
