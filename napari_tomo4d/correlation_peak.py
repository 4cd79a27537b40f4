"""How far images are apart: the window before a correlation, its peak, and all pairs together."""

from __future__ import annotations

import numpy as np
from scipy import fft

_ROUNDS = 20


def taper(shape: tuple[int, ...], edge: float = 0.1) -> np.ndarray:
    """Return a window that falls from 1 to 0 over the outer part of each side.

    Parameters
    ----------
    shape : tuple of int
    edge : float
        Part of the length over which it falls, at each end.

    Returns
    -------
    array of that shape, float32
    """
    window = np.ones(())
    for n in shape:
        from_edge = np.minimum(np.arange(n) + 1, np.arange(n, 0, -1)) / (n + 1)
        side = np.sin(np.pi / 2 * np.minimum(from_edge / edge, 1)) ** 2
        window = np.multiply.outer(window, side)
    return window.astype(np.float32)


def peak(correlation: np.ndarray, within: float | None = None) -> tuple[np.ndarray, float]:
    """Find the maximum of a circular correlation, to a fraction of a pixel.

    Parameters
    ----------
    correlation : array (y, x) or (y,)
        With the origin at index 0.
    within : float, optional
        Look only at shifts of up to this many pixels along each axis.

    Returns
    -------
    shift : array (dimensions,)
        Of the maximum in pixels, by a parabola through three points along each axis.
    value : float
        The maximum on the grid.
    """
    shape = np.array(correlation.shape)
    searched = correlation
    if within is not None:
        near = np.ones((), bool)
        for n in shape:
            near = np.logical_and.outer(near, np.abs(fft.fftfreq(n, 1 / n)) <= within)
        searched = np.where(near, correlation, -np.inf)
    index = np.array(np.unravel_index(np.argmax(searched), correlation.shape))
    value = float(correlation[tuple(index)])
    shift = np.where(index > (shape - 1) // 2, index - shape, index).astype(float)
    for axis, step in enumerate(np.eye(len(shape), dtype=int)):
        before = correlation[tuple((index - step) % shape)]
        after = correlation[tuple((index + step) % shape)]
        bend = before - 2 * value + after
        if bend < 0:
            shift[axis] += np.clip((before - after) / (2 * bend), -0.5, 0.5)
    return shift, value


def shifts_of_pairs(
    n: int, pair: np.ndarray, step: np.ndarray, match: np.ndarray, least_px: float
) -> tuple[np.ndarray, np.ndarray]:
    """Solve differences between images for the shift of each, so that wrong pairs do no harm.

    Parameters
    ----------
    n : int
        Number of images.
    pair : int array (pair, 2)
        The two images of each pair.
    step : array (pair, 2)
        Shift (y, x) of the second of a pair minus that of the first, in pixels.
    match : array (pair,)
        How much each pair counts, 0 or more.
    least_px : float
        What is off by less counts as off by so much.

    Returns
    -------
    shifts : array (n, 2)
        Up to a shift that all share.
    off : array (pair,)
        How far each pair is from agreeing with them, in pixels.

    Notes
    -----
    Least absolute deviations, by least squares that are weighted again and again.
    """
    design = np.zeros((len(pair), n))
    design[np.arange(len(pair)), pair[:, 1]] = 1
    design[np.arange(len(pair)), pair[:, 0]] = -1
    weight, shifts, off = match, np.zeros((n, 2)), np.zeros(len(pair))
    for _ in range(_ROUNDS):
        root = np.sqrt(weight)[:, None]
        shifts = np.linalg.lstsq(design * root, step * root, rcond=1e-8)[0]
        off = np.linalg.norm(design @ shifts - step, axis=1)
        weight = match / np.maximum(off, least_px)
    return shifts, off
