"""Shifts between frames of one field of view, at low dose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike
from scipy import fft, ndimage

from napari_tomo4d.correlation_peak import peak, shifts_of_pairs, taper
from napari_tomo4d.errors import DataError
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress

Smoothing = Annotated[
    float,
    Param(
        "Gaussian blur before the frames are compared; more for noisier frames.",
        unit="px",
        minimum=0,
        maximum=20,
        step=0.5,
        advanced=True,
    ),
]
"""Parameter of every step that registers frames."""

_SMALLEST = 8
EDGE = 0.25
"""Part of each side over which frames fade out."""

# pairs further apart add time but hardly any accuracy
_REACH = 8
_ROUNDS = 5


def register_frames(
    frames: ArrayLike, smoothing_px: float = 2.0, *, progress: Progress | None = None
) -> np.ndarray:
    """Find the shifts that bring the frames of one field of view onto each other.

    Parameters
    ----------
    frames : array (frame, y, x)
        Two or more frames, any unit.
    smoothing_px : float
        Standard deviation in pixels of the blur used for finding the shifts only.
    progress : Progress, optional

    Returns
    -------
    array (frame, 2)
        Shift (dy, dx) in pixels to add to each frame's content; the mean is zero. A row of
        NaN marks a frame whose shift is not to be believed: it has no contrast, agrees
        with no other frame more than noise does, or would move by more than a quarter of the image.

    Raises
    ------
    DataError
        If there are fewer than two frames, or fewer than two with any contrast, or they are
        smaller than 8 pixels, differ in size or hold NaN.

    Notes
    -----
    Frames are band-passed and tapered. First, the cross-correlations of all pairs up to eight
    frames apart give differences of shifts, solved for the shifts by least absolute
    deviations, so that some wrong pairs do no harm (least squares over all pairs: Savitzky
    et al. 2018, Ultramicroscopy 191, 56). Then each frame is registered against the mean of
    all the others, repeatedly, which makes use of all electrons at once.
    """
    progress = progress or Progress()
    stack = check_frames(frames)
    usable = np.ptp(stack, axis=(1, 2)) > 0
    if usable.sum() < 2:
        raise DataError(
            "Fewer than two of the frames have any contrast, so there is nothing to register; "
            "check that the right images were read."
        )
    bands = _band_pass(stack, smoothing_px)
    progress.report(1, _ROUNDS + 2, "Registering frames")
    shifts, believed = _from_pairs(bands, usable, _chance(stack.shape[1:], smoothing_px))
    progress.report(2, _ROUNDS + 2, "Registering frames")
    if believed.sum() > 1:
        shifts[believed] = _refine(bands[believed], shifts[believed], smoothing_px, progress)
    shifts[~believed] = np.nan
    off = np.abs(shifts - np.nanmedian(shifts, axis=0)).max(axis=1)
    shifts[off > min(stack.shape[1:]) / 4] = np.nan
    result: np.ndarray = shifts - np.nanmean(shifts, axis=0)
    return result


def check_frames(frames: ArrayLike) -> np.ndarray:
    """Return frames as a float32 array, or say what is wrong with them.

    Parameters
    ----------
    frames : array (frame, y, x), or sequence of arrays (y, x)

    Returns
    -------
    array (frame, y, x), float32

    Raises
    ------
    DataError
        If they are not at least two images of one size, of 8 x 8 pixels or more, all finite.
    """
    if isinstance(frames, Sequence) and len({np.shape(f) for f in frames}) > 1:
        raise DataError("The frames differ in size; all must be equal to be compared.")
    stack = np.asarray(frames, dtype=np.float32)
    if stack.ndim != 3:
        raise DataError(f"Frames need the axes (frame, y, x); these have {stack.ndim} dimensions.")
    if len(stack) < 2:
        raise DataError("Finding drift needs at least two frames; there is only one.")
    if min(stack.shape[1:]) < _SMALLEST:
        y, x = stack.shape[1:]
        raise DataError(
            f"Frames of {y} x {x} pixels are too small to be compared; "
            f"at least {_SMALLEST} x {_SMALLEST} are needed."
        )
    if not np.isfinite(stack.sum(dtype=np.float64)):
        raise DataError("The frames hold NaN or infinite values; replace them before going on.")
    return stack


def _band_pass(stack: np.ndarray, smoothing_px: float) -> np.ndarray:
    # what is wider than this is background; its slope would be cut by the taper
    wide = max(4 * smoothing_px, min(stack.shape[1:]) / 8)
    bands = np.empty_like(stack)
    for i, frame in enumerate(stack):
        smooth = ndimage.gaussian_filter(frame, smoothing_px, mode="nearest")
        bands[i] = smooth - ndimage.gaussian_filter(frame, wide, mode="nearest")
    return bands


def _spectra(bands: np.ndarray) -> np.ndarray:
    window = taper(bands.shape[1:], EDGE)
    parts = (b - np.average(b, weights=window) for b in bands)
    return np.stack([fft.rfft2(p * window) for p in parts])


def _chance(shape: tuple[int, ...], smoothing_px: float) -> float:
    """Return the normalised correlation that frames of nothing but noise may reach."""
    window = taper(shape, EDGE)
    # independent values that are left of blurred white noise
    n = max(8.0, window.sum() ** 2 / (window**2).sum() / (1 + 8 * np.pi * smoothing_px**2))
    # the largest of so many, three per value as the peak is found between them; simulated
    # noise stays below 0.65 of this bound
    return 0.7 * float(np.sqrt(2 * np.log(3 * n) / n))


def _from_pairs(
    bands: np.ndarray, usable: np.ndarray, chance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return shifts (frame, 2), and which frames agree with others better than by chance."""
    n, shape = len(bands), bands.shape[1:]
    limit = min(shape) / 4
    spectra = _spectra(bands)
    energy = np.array([(fft.irfft2(s, shape) ** 2).sum() for s in spectra])
    pairs, steps, matches = [], [], []
    for i in range(n):
        for j in range(i + 1, min(n, i + 1 + _REACH)):
            if usable[i] and usable[j]:
                correlation = fft.irfft2(spectra[i] * spectra[j].conj(), shape)
                step, value = peak(correlation)
                pairs.append((i, j))
                steps.append(step)
                matches.append(max(value, 0) / np.sqrt(energy[i] * energy[j]))
    pair, step, match = np.array(pairs), np.array(steps), np.array(matches)
    match[(np.abs(step).max(axis=1) > limit) | (match < chance)] = 0
    shifts, _ = shifts_of_pairs(n, pair, step, match, 0.2)
    expected = shifts[pair[:, 1]] - shifts[pair[:, 0]]
    agrees = np.where(np.abs(expected - step).max(axis=1) < 3, match, 0)
    # pairs that ought to be too far apart say nothing against a frame
    counted = np.abs(expected).max(axis=1) <= limit
    strength = np.zeros(n)
    for k in range(n):
        own = counted & (pair == k).any(axis=1)
        strength[k] = agrees[own].mean() if own.any() else 0
    believed = usable & (strength > np.median(strength[usable]) / 4)
    # something has to stay in place
    believed[np.argmax(np.where(usable, strength, -1))] = True
    return shifts, believed


def _refine(
    bands: np.ndarray, shifts: np.ndarray, smoothing_px: float, progress: Progress
) -> np.ndarray:
    """Register each frame against the mean of the others until nothing moves."""
    n, shape = len(bands), bands.shape[1:]
    shifts = shifts - shifts.mean(axis=0)
    within = max(3.0, 2 * smoothing_px)
    for i in range(_ROUNDS):
        moved = [
            ndimage.shift(b, s, order=1, mode="nearest") for b, s in zip(bands, shifts, strict=True)
        ]
        spectra = _spectra(np.stack(moved))
        total = spectra.sum(axis=0)
        steps = np.zeros_like(shifts)
        for k in range(n):
            correlation = fft.irfft2((total - spectra[k]) * spectra[k].conj(), shape)
            steps[k] = peak(correlation, within)[0]
        # the mean of the others is off the mean of all by the frame's own share
        steps *= (n - 1) / n
        shifts = shifts + steps - steps.mean(axis=0)
        progress.report(i + 3, _ROUNDS + 2, "Registering frames")
        if np.abs(steps).max() < 0.005:
            break
    return shifts
