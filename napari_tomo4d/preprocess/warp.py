"""Correction maps: where in a recorded image each pixel of the corrected one lies."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

from napari_tomo4d.array_files import read_arrays, write_arrays
from napari_tomo4d.boundary import reading
from napari_tomo4d.checks import check_values
from napari_tomo4d.content import Json
from napari_tomo4d.errors import DataError, ReadError, WriteError

SCHEMA_VERSION = 1


@dataclass(frozen=True, eq=False)
class CorrectionMap:
    """Distortion of a scan, as a displacement of every pixel.

    Parameters
    ----------
    displacement_px : array (2, y, x)
        What to add to the coordinates (y, x) of a pixel of the corrected image to get the
        coordinates in the recorded image where its value is taken from, in pixels.
    affine : array (2, 2), optional
        Linear part A in (y, x) order: ``source - c = A (output - c)`` plus a shift, with c the
        centre ``(n - 1) / 2``. By default fitted to the displacement.
    metadata : dict
        How it was measured; JSON values only.

    Raises
    ------
    DataError
        If the displacement is not an array (2, y, x) of finite numbers.
    """

    displacement_px: np.ndarray
    affine: np.ndarray | None = None
    metadata: Json = field(default_factory=dict)

    def __post_init__(self) -> None:
        displacement = np.asarray(self.displacement_px)
        if displacement.ndim != 3 or displacement.shape[0] != 2 or min(displacement.shape) < 2:
            raise DataError(
                f"A correction map needs an array (2, y, x); this has shape {displacement.shape}."
            )
        check_values(displacement, "The displacements of the correction map")
        far = 10 * max(displacement.shape)
        if np.abs(displacement).max() > far:
            raise DataError(
                f"The correction map moves pixels by more than {far} px, ten times the image."
            )
        displacement = displacement.astype(np.float32)
        affine = fitted_affine(displacement) if self.affine is None else np.array(self.affine)
        if affine.shape != (2, 2) or not np.isfinite(affine).all():
            raise DataError("The affine part of a correction map has to be 2 x 2 finite numbers.")
        object.__setattr__(self, "displacement_px", displacement)
        object.__setattr__(self, "affine", affine.astype(np.float64))

    @classmethod
    def from_affine(
        cls,
        affine: ArrayLike,
        shape: tuple[int, int],
        shift_px: ArrayLike = (0.0, 0.0),
        metadata: Json | None = None,
    ) -> CorrectionMap:
        """Return the map of a linear distortion about the image centre.

        Parameters
        ----------
        affine : array (2, 2)
            As in the class.
        shape : tuple (y, x)
        shift_px : pair of float
            Source coordinates minus output coordinates at the centre, in pixels.
        metadata : dict, optional
        """
        affine = np.asarray(affine, dtype=float)
        centred = _centred(shape)
        moved = np.tensordot(affine - np.eye(2), centred, axes=1)
        displacement = moved + np.reshape(shift_px, (2, 1, 1))
        return cls(displacement, affine, metadata or {})

    @property
    def shape(self) -> tuple[int, int]:
        """Size (y, x) of the images it belongs to."""
        y, x = self.displacement_px.shape[1:]
        return int(y), int(x)

    def apply(self, image: ArrayLike) -> np.ndarray:
        """Return the corrected image.

        Parameters
        ----------
        image : array (y, x)
            Of the size of the map, any unit.

        Returns
        -------
        array (y, x), float32
            Cubic spline interpolation; outside the recorded image its edge is continued. Values
            are not multiplied by the local area: each pixel holds what the beam gave in one
            dwell time, a density at a point, which stays the same wherever that point was.

        Raises
        ------
        DataError
            If the image has another size or NaN.
        """
        image = np.asarray(image)
        self.check_size(image.shape)
        check_values(image, "The image")
        grid = np.indices(self.shape, dtype=np.float32)
        source = grid + self.displacement_px
        result: np.ndarray = ndimage.map_coordinates(
            image.astype(np.float32, copy=False), source, order=3, mode="nearest"
        )
        return result

    def check_size(self, shape: tuple[int, ...]) -> None:
        """Raise `DataError` unless images of this shape belong to the map."""
        if tuple(shape) != self.shape:
            got = " x ".join(map(str, shape))
            raise DataError(
                f"The correction map is for images of {self.shape[0]} x {self.shape[1]} pixels, "
                f"but these have {got}; measure a map at this size and scan setting."
            )

    def save(self, path: str | Path) -> None:
        """Write the map as an ``.npz`` file of arrays and JSON text.

        Parameters
        ----------
        path : str or Path
            Written over if it exists.

        Raises
        ------
        WriteError
            If it can't be written.
        """
        head = {"schema_version": SCHEMA_VERSION, "kind": "scan distortion", "unit": "px"}
        try:
            text = json.dumps({**head, "metadata": self.metadata})
        except (TypeError, ValueError) as error:
            raise WriteError(
                f"The correction map {path} can't be written: its metadata are no JSON."
            ) from error
        arrays = {
            "header": np.array(text),
            "displacement_px": self.displacement_px,
            "affine": np.asarray(self.affine),
        }
        write_arrays(arrays, path)

    @classmethod
    def load(cls, path: str | Path) -> CorrectionMap:
        """Read what `save` wrote.

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        CorrectionMap

        Raises
        ------
        ReadError
            If the file is missing, damaged, not a correction map, or of a newer version.
        """
        if not Path(path).is_file():
            raise ReadError(f"There is no correction map {path}; check the name and folder.")
        with reading(path, "a correction map", advice="measure and save it again"):
            stored = read_arrays(path)
            head = json.loads(str(stored["header"]))
            version = int(head["schema_version"])
            if version > SCHEMA_VERSION:
                raise ReadError(
                    f"{path} was written by a newer version (schema {version}, this program knows "
                    f"up to {SCHEMA_VERSION}); update the program."
                )
            metadata = dict(head.get("metadata", {}))
            return cls(stored["displacement_px"], stored["affine"], metadata)


def fitted_affine(displacement: np.ndarray) -> np.ndarray:
    """Return the linear part (2, 2) of a displacement (2, y, x), by least squares."""
    centred = _centred(displacement.shape[1:])
    # on a full grid about its centre, y, x and 1 are orthogonal
    slopes = [
        [float((d * c).sum(dtype=np.float64) / (c * c).sum()) for c in centred]
        for d in displacement
    ]
    result: np.ndarray = np.eye(2) + np.array(slopes)
    return result


def _centred(shape: tuple[int, ...]) -> np.ndarray:
    middle = (np.array(shape).reshape(-1, 1, 1) - 1) / 2
    return np.indices(shape) - middle
