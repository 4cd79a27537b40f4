"""Scan lines of two images whose scan directions are at a right angle.

Both images are in the orientation of the first, so that rows are the scan lines of the first
and columns those of the second. Displacements are (dy, dx) of the content of each line.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import ArrayLike
from scipy import fft, interpolate, ndimage

from napari_tomo4d.correlation_peak import peak, taper
from napari_tomo4d.errors import DataError
from napari_tomo4d.preprocess.registration import EDGE
from napari_tomo4d.progress import Progress

Pair = tuple[np.ndarray, np.ndarray]

_SMALLEST = 32
# the coarse search is done on about this many pixels, in steps of this part of the image
_COARSE_PX = 128
_COARSE_STEP = 0.02
_ROUNDS = 10


def direction_of(rotation_deg: float) -> int:
    """Return -1 if later lines of the second scan lie further towards -x, 1 for +x.

    Parameters
    ----------
    rotation_deg : float
        Rotation of the scan from +x towards +y, degrees.

    Returns
    -------
    int

    Raises
    ------
    DataError
        If it is not a right angle.
    """
    for direction, angle in ((-1, 90), (1, -90)):
        if abs((rotation_deg - angle + 180) % 360 - 180) < 1e-6:
            return direction
    raise DataError(
        f"The scan directions differ by {rotation_deg:g} degrees; only 90 and -90 can be used."
    )


def aligned_pair(image_0: ArrayLike, image_90: ArrayLike, rotation_deg: float) -> Pair:
    """Check two images as recorded and turn the second into the orientation of the first.

    Parameters
    ----------
    image_0, image_90 : array (n, n)
        As recorded, any unit.
    rotation_deg : float
        90 or -90.

    Returns
    -------
    tuple of two arrays (n, n)

    Raises
    ------
    DataError
        If they are not two equal squares of 32 pixels or more, are constant or hold NaN.
    """
    turns = direction_of(rotation_deg)
    images = [np.asarray(i, dtype=np.float64) for i in (image_0, image_90)]
    shape = images[0].shape
    if len(shape) != 2 or len(set(shape)) > 1 or images[1].shape != shape or shape[0] < _SMALLEST:
        raise DataError(
            f"Two square images of one size, at least {_SMALLEST} pixels, are needed; these have "
            f"shapes {shape} and {images[1].shape}."
        )
    for image, which in zip(images, ("first", "second"), strict=True):
        if not np.isfinite(image.sum()):
            raise DataError(f"The {which} image holds NaN or infinite values; replace them first.")
        if np.ptp(image) == 0:
            raise DataError(f"The {which} image is constant, so its distortion can't be seen.")
    return images[0], np.rot90(images[1], turns)


def time_of_lines(n: int) -> np.ndarray:
    """Return the time (n,) of each line from the middle of the scan, in scans."""
    return (np.arange(n) - (n - 1) / 2) / n


def lines_of(coefficients: np.ndarray, basis: np.ndarray) -> Pair:
    """Return displacements (n, 2) of rows and columns in pixels.

    Parameters
    ----------
    coefficients : array (4, k)
        Of dy and dx of the rows, then of dy and dx of the columns.
    basis : array (n, k)
        Functions of the line number.

    Returns
    -------
    tuple of two arrays (n, 2)
    """
    values = basis @ coefficients.T
    return values[:, :2], values[:, 2:]


def sources(lines: Pair) -> list[np.ndarray]:
    """Return the coordinates (2, y, x) in each image for every pixel of the true field."""
    first, second = lines
    turned = _source(second[:, 1], second[:, 0])
    return [_source(first[:, 0], first[:, 1]), turned[::-1].transpose(0, 2, 1)]


def _source(slow: np.ndarray, fast: np.ndarray) -> np.ndarray:
    """Where to take pixels (2, y, x) from, if rows were displaced by slow (y) and fast (x)."""
    n = len(slow)
    # beyond the first and last line it goes on as there
    rows = np.concatenate([[-n], np.arange(n), [2 * n - 1]]).astype(float)
    slow, fast = (
        np.concatenate([[d[0] - n * (d[1] - d[0])], d, [d[-1] + n * (d[-1] - d[-2])]])
        for d in (slow, fast)
    )
    # rows that pass each other have no inverse; the later one counts
    shown = np.maximum.accumulate(rows - slow)
    inner = rows[1:-1]
    y = inner + np.interp(inner, shown, slow)
    x = inner[None] + np.interp(inner, shown, fast)[:, None]
    return np.stack(np.broadcast_arrays(y[:, None], x))


def warped(
    pair: Pair, lines: Pair, blur_px: float = 0.0, order: int = 3
) -> tuple[list[np.ndarray], np.ndarray]:
    """Undo the displacement of the lines of both images.

    Parameters
    ----------
    pair : two arrays (n, n)
    lines : two arrays (n, 2)
    blur_px : float
        Standard deviation of a blur before.
    order : int
        Of the splines.

    Returns
    -------
    images : list of two arrays (n, n)
    known : array (n, n) of bool
        Where both are free of what is not in the images.
    """
    images, known = [], np.ones(pair[0].shape, dtype=bool)
    for image, source in zip(pair, sources(lines), strict=True):
        smooth = ndimage.gaussian_filter(image, blur_px, mode="nearest") if blur_px else image
        images.append(ndimage.map_coordinates(smooth, source, order=order, mode="nearest"))
        known &= ((source >= 0) & (source <= len(image) - 1)).all(axis=0)
    return images, ndimage.binary_erosion(known, iterations=1 + round(2 * blur_px))


def splines(n: int, knot_lines: float) -> np.ndarray:
    """Return cubic B-splines (n, k) of the line number on knots evenly `knot_lines` apart."""
    n_spans = max(1, round((n - 1) / knot_lines))
    spacing = (n - 1) / n_spans
    knots = spacing * np.arange(-3, n_spans + 4)
    at = np.clip(np.arange(n), 0, (n - 1) * (1 - 1e-12))
    result: np.ndarray = interpolate.BSpline.design_matrix(at, knots, 3).toarray()
    return result


def coarse_search(
    pair: Pair, direction: int, max_drift: float, progress: Progress
) -> tuple[float, float, float, float]:
    """Find drift and shift on a grid, by the peak of the normalised cross-correlation.

    Parameters
    ----------
    pair : two arrays (n, n)
    direction : int
        See `direction_of`.
    max_drift : float
        As a part of n.
    progress : Progress

    Returns
    -------
    tuple of float
        Drift (vy, vx) during a scan, and shift (ty, tx) of the second image, in pixels.
    """
    factor = max(1, len(pair[0]) // _COARSE_PX)
    small = tuple(_small(image, factor) for image in pair)
    n = len(small[0])
    window, time = taper((n, n), EDGE), time_of_lines(n)

    def match(drift: np.ndarray) -> tuple[float, np.ndarray]:
        move = np.outer(time, drift * n)
        images, _ = warped((small[0], small[1]), (move, direction * move), order=1)
        first, second = ((i - np.average(i, weights=window)) * window for i in images)
        correlation = fft.irfft2(fft.rfft2(first) * fft.rfft2(second).conj(), (n, n))
        shift, value = peak(correlation, n / 4)
        scale = np.sqrt((first**2).sum() * (second**2).sum())
        return (value / scale if scale else 0.0), -shift

    steps = int(np.ceil(max_drift / _COARSE_STEP - 1e-9))
    best = (-np.inf, np.zeros(2), np.zeros(2))
    step, reach, centre = _COARSE_STEP, steps, np.zeros(2)
    # then finer, around the best
    for level in range(3):
        grid = list(itertools.product(range(-reach, reach + 1), repeat=2))
        for i, offset in enumerate(grid):
            drift = centre + step * np.array(offset)
            value, shift = match(drift)
            if value > best[0]:
                best = (value, drift, shift)
            done = level + (i + 1) / len(grid)
            progress.report(done, 3, "Searching for the drift")
        step, reach, centre = step / 2, 1, best[1]
    vy, vx = best[1] * n * factor
    ty, tx = best[2] * factor
    return float(vy), float(vx), float(ty), float(tx)


def _small(image: np.ndarray, factor: int) -> np.ndarray:
    n = len(image) // factor
    # cut evenly, so that the centre stays the centre
    cut = (len(image) - n * factor) // 2
    part = image[cut : cut + n * factor, cut : cut + n * factor]
    binned = part.reshape(n, factor, n, factor).mean(axis=(1, 3))
    wide = ndimage.gaussian_filter(binned, n / 8, mode="nearest")
    result: np.ndarray = ndimage.gaussian_filter(binned, 1.5, mode="nearest") - wide
    return result


def fit_lines(
    pair: Pair,
    coefficients: np.ndarray,
    basis: np.ndarray,
    blur_px: float,
    free: np.ndarray | None,
    penalty: np.ndarray | None,
    progress: Progress,
) -> np.ndarray:
    """Displace the lines of both images such that these agree, by Gauss-Newton steps.

    Parameters
    ----------
    pair : two arrays (n, n)
    coefficients : array (4, k)
        To start with, see `lines_of`.
    basis : array (n, k)
    blur_px : float
        Standard deviation of the blur of the images that are compared.
    free : array (4 k, m), optional
        Combinations of coefficients that may change; all by default.
    penalty : array (k, k), optional
        Quadratic form of the coefficients of each kind, weighed against the difference of the
        images in units of its own noise.
    progress : Progress

    Returns
    -------
    array (4, k)
    """
    for i in range(_ROUNDS):
        # blurred images hold nothing that linear interpolation would damp
        order = 3 if blur_px < 2 else 1
        images, known = warped(pair, lines_of(coefficients, basis), blur_px, order)
        if known.mean() < 0.05:
            raise DataError(
                "The two scans overlap too little to be compared; take both of the same field."
            )
        matrix, right, variance = _normal_equations(images, known, basis)
        if penalty is not None:
            # blurred noise is alike over this many pixels, which count as one
            area = max(1.0, 4 * np.pi * blur_px**2)
            bending = np.kron(np.eye(4), penalty) * variance * area
            matrix += bending
            right -= bending @ coefficients.ravel()
        if free is not None:
            matrix, right = free.T @ matrix @ free, free.T @ right
        # a shift of both images alike changes nothing: stay with what it is
        matrix[np.diag_indices_from(matrix)] += 1e-7 * np.diag(matrix).mean()
        step = np.linalg.solve(matrix, right)
        step = (step if free is None else free @ step).reshape(coefficients.shape)
        moved = np.abs(basis @ step.T).max()
        # the slope of an image tells no further than its blur
        coefficients = coefficients + step * min(1.0, 2 * blur_px / max(moved, 1e-12))
        progress.report(i + 1, _ROUNDS, "Fitting the scan lines")
        if moved < 0.01:
            break
    return coefficients


def _normal_equations(
    images: list[np.ndarray], known: np.ndarray, basis: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Linearise the difference of both images: matrix (4 k, 4 k), right side (4 k,), variance."""
    scaled = [(i - i[known].mean()) / (i[known].std() or 1.0) for i in images]
    difference = scaled[0] - scaled[1]
    slopes = np.gradient((scaled[0] + scaled[1]) / 2)
    k = basis.shape[1]
    blocks = np.zeros((4, k, 4, k))
    right = np.zeros((4, k))
    for c in range(2):
        pull = known * slopes[c] * difference
        right[c] = -basis.T @ pull.sum(axis=1)
        right[2 + c] = basis.T @ pull.sum(axis=0)
        for d in range(2):
            both = known * slopes[c] * slopes[d]
            blocks[c, :, d] = basis.T @ (both.sum(axis=1)[:, None] * basis)
            blocks[2 + c, :, 2 + d] = basis.T @ (both.sum(axis=0)[:, None] * basis)
            cross = basis.T @ both @ basis
            blocks[c, :, 2 + d] = -cross
            blocks[2 + d, :, c] = -cross.T
    return blocks.reshape(4 * k, 4 * k), right.ravel(), float(difference[known].var())
