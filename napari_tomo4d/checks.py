"""What makes sense as images, voxels and numbers, and whether memory is left for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_tomo4d.errors import DataError, NotEnoughMemoryError
from napari_tomo4d.immutable import frozen, is_frozen, private

Pixels = Any
"""An array of NumPy, or of dask where it is read when used: dask has no type hints."""

_LARGE = 100_000_000
"""Bytes."""
_LARGEST_LABEL = int(np.iinfo(np.int32).max)


def stack_frames(frames: Sequence[Pixels]) -> Pixels:
    """Return a tuple of frame stacks, or one array where all have equally many."""
    parts = tuple(f if hasattr(f, "ndim") else np.asarray(f) for f in frames)
    if not parts:
        raise DataError("There are no images in this tilt series.")
    if all(p.ndim == 2 for p in parts):
        if len({p.shape for p in parts}) > 1:
            raise DataError("The images of this tilt series differ in size; all must be equal.")
        return frozen(np.stack(parts))
    if any(p.ndim != 3 for p in parts):
        raise DataError("Every tilt needs a stack of frames (frame, y, x).")
    if len({p.shape[1:] for p in parts}) > 1:
        raise DataError("The frames of this tilt series differ in size; all must be equal.")
    return parts


def check_images(images: Pixels) -> None:
    """Raise `DataError` unless images have the axes and values of a tilt series."""
    parts = images if isinstance(images, tuple) else (images,)
    for part in parts:
        wanted = (3,) if isinstance(images, tuple) else (3, 4)
        if part.ndim not in wanted:
            raise DataError(
                f"Images have {part.ndim} dimensions; expected (tilt, y, x) or (tilt, frame, y, x)."
            )
        if 0 in part.shape:
            raise DataError(f"Images of shape {tuple(part.shape)} are empty.")
        check_values(part, "The images")


def check_values(array: Pixels, what: str) -> None:
    """Raise `DataError` unless an array is real and, when in memory, finite."""
    kind = np.dtype(array.dtype).kind
    if kind not in "biuf":
        raise DataError(f"{what} are of type {array.dtype}; expected real numbers.")
    if kind == "f" and isinstance(array, np.ndarray):
        for part in array:
            if not np.isfinite(np.sum(part, dtype=np.float64)):
                raise DataError(
                    f"{what} hold NaN or infinite values; replace them before going on."
                )


def numbers(values: Any, what: str) -> np.ndarray:
    """Return finite numbers as a float64 array that can't be changed."""
    if values is None:
        raise DataError(f"{what} are missing.")
    try:
        result = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} are not numbers.") from error
    if not np.isfinite(result).all():
        raise DataError(f"{what} hold NaN or infinite values.")
    return private(frozen(result))


SMALLEST_NM, LARGEST_NM = 1e-4, 1e6
"""Sizes of pixels that can be true."""


def one_number(value: Any, what: str) -> float:
    """Return a finite number."""
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} is {value!r}; it has to be one number.") from error
    if not np.isfinite(number):
        raise DataError(f"{what} is {number:g}; it has to be a finite number.")
    return number


def positive(value: Any, what: str, unit: str) -> float | None:
    """Return a positive number, or None for None."""
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise DataError(f"The {what} is {value!r}, which is not a number in {unit}.") from error
    if not (np.isfinite(number) and number > 0):
        raise DataError(
            f"The {what} is {number:g} {unit}; it has to be positive, or None if unknown."
        )
    return number


def pixel_size(value: Any, what: str = "pixel size") -> float | None:
    """Return the size of a pixel in nm if it can be true, or None for None.

    Raises
    ------
    DataError
        If it is no number, or smaller than a nucleus or larger than any specimen.
    """
    size = positive(value, what, "nm")
    if size is not None and not SMALLEST_NM <= size <= LARGEST_NM:
        raise DataError(
            f"The {what} is {size:g} nm, which can't be true; it is between {SMALLEST_NM:g} and "
            f"{LARGEST_NM:g} nm, so give the right one."
        )
    return size


def require_memory(n_bytes: float, what: str) -> None:
    """Raise `NotEnoughMemoryError` if `n_bytes` more would not fit into memory."""
    import psutil

    available = psutil.virtual_memory().available
    if n_bytes > 0.9 * available:
        raise NotEnoughMemoryError(
            f"{what} need {n_bytes / 1e9:.1f} GB, but only {available / 1e9:.1f} GB of memory are "
            "free; choose a smaller region, a larger binning or fewer images."
        )


def kept(array: Pixels, dtype: type | None = None) -> Pixels:
    """Return an array of a type that nobody can change; one that is read when used stays lazy."""
    if dtype is not None and array.dtype != dtype:
        array = frozen(array.astype(dtype))
    if not isinstance(array, np.ndarray):
        return array
    # free memory is worth a question only where it may run out
    if array.nbytes > _LARGE and not is_frozen(array):
        require_memory(array.nbytes, "A copy of this array would")
    return private(array)


def check_labels(data: Pixels) -> None:
    """Raise `DataError` unless an array holds whole numbers that can be labels."""
    if np.dtype(data.dtype).kind not in "biu":
        raise DataError(f"Labels are of type {data.dtype}; expected whole numbers.")
    if not isinstance(data, np.ndarray):
        return
    if data.min() < 0:
        raise DataError("Labels hold negative numbers; background is 0, particles count up.")
    if data.max() > _LARGEST_LABEL:
        raise DataError(
            f"Labels hold the number {data.max()}, and can hold {_LARGEST_LABEL} at most; number "
            "the particles from 1."
        )


def check_volume(data: Pixels) -> None:
    """Raise `DataError` unless an array has three axes and voxels."""
    if data.ndim != 3 or 0 in data.shape:
        raise DataError(f"A volume needs three axes (z, y, x); this has shape {tuple(data.shape)}.")
