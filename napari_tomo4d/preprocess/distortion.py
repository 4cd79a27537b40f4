"""Distortion of a scan: from two scans at a right angle, and its correction by a stored map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike

from napari_tomo4d.checks import require_memory
from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import DataError
from napari_tomo4d.parameters import Param
from napari_tomo4d.preprocess.lattice import map_from_lattice
from napari_tomo4d.preprocess.orthogonal import (
    aligned_pair,
    coarse_search,
    direction_of,
    fit_lines,
    lines_of,
    sources,
    splines,
    time_of_lines,
    warped,
)
from napari_tomo4d.preprocess.warp import CorrectionMap
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import warn
from napari_tomo4d.registry import step

__all__ = [
    "CorrectionMap",
    "ScanDistortion",
    "affine_from_orthogonal",
    "correct_distortion",
    "map_from_lattice",
    "nonrigid_from_orthogonal",
]


@dataclass(frozen=True, eq=False)
class ScanDistortion:
    """What two scans of one field at a right angle tell about the distortion of both.

    Parameters
    ----------
    map_0, map_90 : CorrectionMap
        Bring the first and the second image, both as recorded, onto the same undistorted
        field, in the orientation of the first.
    lines_0, lines_90 : array (line, 2)
        (dy, dx) in pixels, along the axes of the first image, by which the content of each
        scan line was displaced, in the order the lines were recorded.
    drift_px : array (2,)
        (vy, vx): linear drift during one scan.
    correlation : float
        Between the two corrected images, blurred by a pixel; 1 if they are the same.
    """

    map_0: CorrectionMap
    map_90: CorrectionMap
    lines_0: np.ndarray
    lines_90: np.ndarray
    drift_px: np.ndarray
    correlation: float

    def combine(self, image_0: ArrayLike, image_90: ArrayLike) -> np.ndarray:
        """Return the mean (y, x) of both corrected images, as recorded before."""
        result: np.ndarray = (self.map_0.apply(image_0) + self.map_90.apply(image_90)) / 2
        return result


def affine_from_orthogonal(
    image_0: ArrayLike,
    image_90: ArrayLike,
    rotation_deg: float = 90.0,
    max_drift: float = 0.1,
    *,
    progress: Progress | None = None,
) -> ScanDistortion:
    """Find the constant drift that distorts two scans of one field at a right angle.

    Parameters
    ----------
    image_0 : array (y, x)
        Square, its rows scanned along x from the top.
    image_90 : array (line, pixel)
        The same field with the scan turned by `rotation_deg`, as recorded: its rows are scan
        lines too, which run along y of the first image. With +90 they run towards +y, and
        later lines lie further towards -x, so that without any drift ``image_90`` equals
        ``numpy.rot90(image_0)``; with -90 it equals ``numpy.rot90(image_0, -1)``.
    rotation_deg : float
        90 or -90 (or 270), as above.
    max_drift : float
        Largest drift along each axis during one scan, as a part of the image edge, 0 to 0.5.
    progress : Progress, optional

    Returns
    -------
    ScanDistortion
        ``map_0.affine`` and ``map_90.affine`` are 2 x 2 and exact for constant drift.

    Raises
    ------
    DataError
        If the images are not two equal squares of 32 pixels or more, are constant or hold NaN,
        or the rotation is not a right angle.

    Notes
    -----
    Drift of the same velocity shears the two images differently, see Ophus, Ciston & Nelson
    2016 (Ultramicroscopy 162, 1). The drift that makes both agree is searched for on a
    coarse grid by the peak of the normalised cross-correlation, then refined together with
    the shift between the images by least squares of their difference.
    """
    if not 0 <= max_drift <= 0.5:
        raise DataError(
            f"The largest drift is {max_drift:g} of the image edge; it has to be 0 to 0.5."
        )
    progress = progress or Progress()
    pair = aligned_pair(image_0, image_90, rotation_deg)
    start = coarse_search(pair, direction_of(rotation_deg), max_drift, progress.part(0, 2))
    n = pair[0].shape[0]
    basis = np.column_stack([np.ones(n), time_of_lines(n)])
    # drift along y and x, then the shift of the second image along y and x
    free = np.zeros((8, 4))
    free[1, 0] = free[3, 1] = 1
    free[5, 0] = free[7, 1] = direction_of(rotation_deg)
    free[4, 2] = free[6, 3] = 1
    coefficients = (free @ start).reshape(4, 2)
    for i, blur in enumerate((2.0, 1.0)):
        part = progress.part(2 + i, 4)
        coefficients = fit_lines(pair, coefficients, basis, blur, free, None, part)
    lines = lines_of(coefficients, basis)
    return _result(pair, lines, coefficients[:2, 1], rotation_deg)


def nonrigid_from_orthogonal(
    image_0: ArrayLike,
    image_90: ArrayLike,
    rotation_deg: float = 90.0,
    max_drift: float = 0.1,
    knot_lines: float = 8.0,
    bending_px: float = 0.7,
    *,
    progress: Progress | None = None,
) -> ScanDistortion:
    """Find the displacement of every scan line of two scans of one field at a right angle.

    Parameters
    ----------
    image_0, image_90, rotation_deg, max_drift, progress
        As in `affine_from_orthogonal`, which is done first.
    knot_lines : float
        Distance in scan lines between the knots of the cubic splines by which the
        displacement depends on the line; slower changes than this are followed.
    bending_px : float
        How much the displacement at a knot typically differs from the mean of those at the
        two knots beside it, times two (second difference), in pixels. It weighs smoothness
        against the noise of the images; less for steadier scans.

    Returns
    -------
    ScanDistortion
        ``drift_px`` is the linear drift that was found first.

    Raises
    ------
    DataError
        As `affine_from_orthogonal`.

    Notes
    -----
    As in Ophus, Ciston & Nelson 2016 (Ultramicroscopy 162, 1) each scan line has its own
    origin. They alternate between an estimate of the undistorted image and the line origins;
    here the estimate, which is the mean of the two corrected images, is put into the sum of
    squares, leaving that of their difference, and all origins of both scans are solved for
    at once (Gauss-Newton), from blurred to sharp images. A shift common to both images can't
    be known; the first image is displaced by zero on average.
    """
    if not (knot_lines >= 2 and bending_px > 0):
        raise DataError("Knots have to be at least 2 lines apart and the bending positive.")
    progress = progress or Progress()
    first = affine_from_orthogonal(
        image_0, image_90, rotation_deg, max_drift, progress=progress.part(0, 2)
    )
    pair = aligned_pair(image_0, image_90, rotation_deg)
    n = pair[0].shape[0]
    basis = splines(n, knot_lines)
    second = first.lines_90[::-1] if direction_of(rotation_deg) < 0 else first.lines_90
    start = np.column_stack([first.lines_0, second])
    coefficients = np.linalg.lstsq(basis, start, rcond=None)[0].T
    bend = np.diff(np.eye(basis.shape[1]), 2, axis=0)
    penalty = bend.T @ bend / bending_px**2
    for i, blur in enumerate((4.0, 2.0, 1.0)):
        part = progress.part(3 + i, 6)
        coefficients = fit_lines(pair, coefficients, basis, blur, None, penalty, part)
    rows, columns = lines_of(coefficients, basis)
    common = rows.mean(axis=0)
    return _result(pair, (rows - common, columns - common), first.drift_px, rotation_deg)


@step(
    "preprocess.correct_distortion",
    title="Correct scan distortion",
    takes=TiltSeries,
    gives=TiltSeries,
)
def correct_distortion(
    series: TiltSeries,
    path: Annotated[
        str, Param("File with the correction map of this scan setting (.npz).", file=True)
    ],
    *,
    progress: Progress | None = None,
) -> TiltSeries:
    """Correct every image or frame by a stored map of the distortion of the scan.

    Parameters
    ----------
    series : TiltSeries
        Images or frames of the size the map was measured at.
    path : str
        Written by `CorrectionMap.save`.
    progress : Progress, optional

    Returns
    -------
    TiltSeries
        Float32 images or frames, as many as before. Grey values are interpolated (cubic
        splines) and not scaled by the local area, see `CorrectionMap.apply`.

    Raises
    ------
    ReadError
        If the file is missing or no correction map.
    DataError
        If it is for another image size.
    """
    progress = progress or Progress()
    correction = CorrectionMap.load(path)
    correction.check_size(series.image_shape)
    n_frames = sum(series.frames_per_tilt)
    require_memory(4 * n_frames * series.image_shape[0] * series.image_shape[1], "These images")
    parts, done = [], 0
    for i in range(len(series)):
        frames = []
        for frame in series.frames(i):
            progress.report(done, n_frames, "Correcting distortion")
            frames.append(correction.apply(frame))
            done += 1
        parts.append(np.stack(frames))
    progress.report(n_frames, n_frames, "Correcting distortion")
    return series.with_frames(parts)


def _result(
    pair: tuple[np.ndarray, np.ndarray],
    lines: tuple[np.ndarray, np.ndarray],
    drift: np.ndarray,
    rotation_deg: float,
) -> ScanDistortion:
    """Turn the displacements of rows and columns into maps of the images as recorded."""
    n = len(lines[0])
    grid = np.indices((n, n), dtype=float)
    first, second = sources(lines)
    later_left = direction_of(rotation_deg) < 0
    # back from the orientation of the first image to the lines and pixels of the second
    recorded_at = (n - 1 - second[1], second[0]) if later_left else (second[1], n - 1 - second[0])
    images, known = warped(pair, lines, 1.0)
    correlation = float(np.corrcoef(images[0][known], images[1][known])[0, 1])
    if not correlation > 0.2:
        warn(
            f"The two scans hardly agree after the correction (correlation {correlation:.2f}); "
            "check that they show the same field and the sense of the rotation."
        )
    about = {"method": "orthogonal scans", "drift_px": [float(v) for v in drift]}
    return ScanDistortion(
        map_0=CorrectionMap(first - grid, metadata=about),
        map_90=CorrectionMap(np.stack(recorded_at) - grid, metadata=about),
        lines_0=lines[0],
        lines_90=lines[1][::-1] if later_left else lines[1],
        drift_px=np.array(drift, dtype=float),
        correlation=correlation,
    )
