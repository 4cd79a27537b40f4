"""Distortion of a scan measured on the image of a perfect crystal."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import fft, ndimage
from skimage.restoration import unwrap_phase

from napari_tomo4d.errors import DataError
from napari_tomo4d.preprocess.warp import CorrectionMap
from napari_tomo4d.progress import Progress

_CANDIDATES = 12
_TOLERANCE = 0.15
_SMALLEST = 32
_POINTS = 250


def map_from_lattice(
    image: ArrayLike,
    angle_deg: float = 90.0,
    ratio: float = 1.0,
    order: int = 3,
    *,
    progress: Progress | None = None,
) -> CorrectionMap:
    """Measure the distortion of a scan on the image of a known perfect lattice.

    Parameters
    ----------
    image : array (y, x)
        Image of one crystal that fills the field, of 32 x 32 pixels or more, any unit.
    angle_deg : float
        Angle between the normals of the two strongest sets of lattice planes, degrees: 90
        for a square lattice, 70.53 for {111} planes of Si along [110].
    ratio : float
        Spacing of one set of planes over that of the other: 1 for both examples. Which of
        the two is the wider is found from the image.
    order : int
        Highest order of the polynomial in y and x that describes the distortion, 1 to 3.
    progress : Progress, optional

    Returns
    -------
    CorrectionMap
        For images of the same size and scan setting. The ideal lattice is known up to scale,
        rotation and position; the nearest to the measured one is taken, and the centre of the
        image stays where it is. ``metadata["spacings_px"]`` are the two ideal spacings.

    Raises
    ------
    DataError
        If the image is not usable or such a lattice is not seen in it.

    Notes
    -----
    Geometric phase analysis (Hytch, Snoeck & Kilaas 1998, Ultramicroscopy 74, 131): two
    Bragg spots, each cut out by a Gaussian mask whose standard deviation is a fifth of the
    smaller spot distance, give two phase images, and those the place of every point in the
    ideal lattice. The difference is fitted by a polynomial, leaving out the edges, where the
    mask mixes opposite sides.
    """
    image = _checked(image)
    if order not in (1, 2, 3):
        raise DataError(f"The order of the distortion is {order}; it has to be 1, 2 or 3.")
    if not (10 <= angle_deg <= 170 and 0.1 <= ratio <= 10):
        raise DataError(
            f"A lattice with an angle of {angle_deg:g} degrees and a ratio of spacings of "
            f"{ratio:g} can't be measured; give 10 to 170 degrees and 0.1 to 10."
        )
    progress = progress or Progress()
    progress.report(0, 4, "Finding Bragg spots")
    # reciprocal lengths go with the inverse of the spacings
    shapes = [
        np.array([1.0, r * np.exp(1j * s * np.deg2rad(angle_deg))])
        for r in {ratio, 1 / ratio}
        for s in (1, -1)
    ]
    spots, ideal = _bragg_spots(image, shapes)
    progress.report(1, 4, "Measuring phases")
    turns, weight = [], np.ones(image.shape)
    for i, spot in enumerate(spots):
        phase, amplitude = _phase(image, spot, np.linalg.norm(spots, axis=1).min() / 5)
        turns.append(phase)
        weight *= amplitude / amplitude.max()
        progress.report(2 + i, 4, "Measuring phases")
    positions, vectors = _positions(np.array(turns), weight, ideal)
    found = _polynomial_map(positions, weight, image.shape, order)
    spacings = (1 / np.linalg.norm(vectors, axis=1)).tolist()
    progress.report(4, 4, "Measuring phases")
    metadata = {
        "method": "lattice",
        "angle_deg": float(angle_deg),
        "ratio": float(ratio),
        "order": int(order),
        "spacings_px": spacings,
    }
    return CorrectionMap(found.displacement_px, found.affine, metadata)


def _checked(given: ArrayLike) -> np.ndarray:
    image: np.ndarray = np.asarray(given, dtype=np.float64)
    if image.ndim != 2 or min(image.shape) < _SMALLEST:
        raise DataError(
            f"A lattice image needs two axes (y, x) of at least {_SMALLEST} pixels; this has "
            f"shape {image.shape}."
        )
    if not np.isfinite(image.sum()):
        raise DataError("The lattice image holds NaN or infinite values; take another one.")
    if np.ptp(image) == 0:
        raise DataError("The lattice image is constant, so there are no Bragg spots in it.")
    return image


def _bragg_spots(image: np.ndarray, shapes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return two spots (2, 2) in cycles per pixel (y, x), and their ideal as complex numbers."""
    spots, powers = _peaks(image)
    best: tuple[float, Any, Any] = (0.0, None, None)
    for i, j in itertools.combinations(range(len(spots)), 2):
        pair = spots[[i, j]]
        measured = pair[:, 1] + 1j * pair[:, 0]
        # a spot and its opposite are the same planes
        for sign, shape in itertools.product((1, -1), shapes):
            signed = measured * [1, sign]
            misfit = np.abs(signed - _similar(shape, signed)).max() / np.abs(signed).mean()
            # prefer strong spots, and among equal ones the better fit
            score = min(powers[i], powers[j]) * (1 - misfit / _TOLERANCE)
            if misfit < _TOLERANCE and score > best[0]:
                best = (score, pair * [[1], [sign]], shape)
    if best[1] is None:
        raise DataError(
            "No two Bragg spots fit to this lattice; check the angle and the ratio, and that one "
            "crystal fills the image."
        )
    return best[1], best[2]


def _similar(ideal: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Turn and scale `ideal` (complex) to be nearest to `measured`."""
    result: np.ndarray = ideal * (ideal.conj() @ measured) / (ideal.conj() @ ideal).real
    return result


def _peaks(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the strongest peaks (n, 2) of one half of the power spectrum, and their power."""
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in image.shape))
    flat = image - ndimage.gaussian_filter(image, min(image.shape) / 16, mode="nearest")
    power = np.abs(fft.rfft2(flat * window)) ** 2
    fy, fx = fft.fftfreq(image.shape[0])[:, None], fft.rfftfreq(image.shape[1])[None]
    # fewer than five planes across the image do not show any distortion
    power[np.hypot(fy, fx) < 5 / min(image.shape)] = 0
    power[:, 0][fy[:, 0] < 0] = 0
    smooth = ndimage.gaussian_filter(power, 1, mode="wrap")
    tops = (smooth == ndimage.maximum_filter(smooth, 5)) & (smooth > 20 * np.median(smooth))
    index = np.argwhere(tops)
    order = np.argsort(smooth[tops])[::-1][:_CANDIDATES]
    chosen = index[order]
    spots = np.column_stack([fy[chosen[:, 0], 0], fx[0, chosen[:, 1]]])
    return spots, smooth[tops][order]


def _phase(image: np.ndarray, spot: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the phase of one set of planes in turns, and its amplitude, zero at the edges."""
    fy, fx = fft.fftfreq(image.shape[0])[:, None], fft.fftfreq(image.shape[1])[None]
    mask = np.exp(-((fy - spot[0]) ** 2 + (fx - spot[1]) ** 2) / (2 * width**2))
    part = fft.ifft2(fft.fft2(image - image.mean()) * mask)
    y, x = np.ogrid[: image.shape[0], : image.shape[1]]
    carrier = spot[0] * y + spot[1] * x
    phase = unwrap_phase(np.angle(part * np.exp(-2j * np.pi * carrier))) / (2 * np.pi)
    amplitude = np.abs(part)
    # the mask mixes opposite edges over a few of its widths in real space
    edge = min(int(np.ceil(3 / (2 * np.pi * width))), min(image.shape) // 4)
    inside = np.zeros(image.shape)
    inside[edge:-edge, edge:-edge] = 1
    return phase + carrier, amplitude * inside


def _positions(
    turns: np.ndarray, weight: np.ndarray, ideal: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where each pixel lies (2, y, x) from the centre, and the ideal vectors (2, 2)."""
    shape = weight.shape
    y, x = (np.arange(n) - (n - 1) / 2 for n in shape)
    plane = np.stack(np.broadcast_arrays(y[:, None], x[None], 1.0), axis=-1).reshape(-1, 3)
    root = np.sqrt(weight).reshape(-1, 1)
    fit = np.linalg.lstsq(plane * root, turns.reshape(2, -1).T * root, rcond=None)[0]
    nearest = _similar(ideal, fit[1] + 1j * fit[0])
    vectors = np.column_stack([nearest.imag, nearest.real])
    from_centre = turns - fit[2][:, None, None]
    return np.tensordot(np.linalg.inv(vectors), from_centre, axes=1), vectors


def _polynomial_map(
    positions: np.ndarray, weight: np.ndarray, shape: tuple[int, ...], order: int
) -> CorrectionMap:
    """Fit recorded minus ideal coordinates by a polynomial of the ideal ones."""
    half = (np.array(shape) - 1) / 2
    step = tuple(slice(None, None, max(1, n // _POINTS)) for n in shape)
    pixels = np.indices(shape) - half[:, None, None]
    difference = (pixels - positions)[(slice(None), *step)].reshape(2, -1)
    powers = [(i, j) for i in range(order + 1) for j in range(order + 1 - i)]
    at = (positions / half[:, None, None])[(slice(None), *step)].reshape(2, -1)
    design = np.stack([at[0] ** i * at[1] ** j for i, j in powers], axis=1)
    root = np.sqrt(weight[step]).reshape(-1, 1)
    fit = np.linalg.lstsq(design * root, difference.T * root, rcond=None)[0]
    # the position of the ideal lattice is free: the centre stays in place
    fit[powers.index((0, 0))] = 0
    grid = pixels / half[:, None, None]
    terms = np.stack([grid[0] ** i * grid[1] ** j for i, j in powers])
    slopes = fit[[powers.index((1, 0)), powers.index((0, 1))]].T / half
    return CorrectionMap(np.tensordot(fit.T, terms, axes=1), np.eye(2) + slopes)
