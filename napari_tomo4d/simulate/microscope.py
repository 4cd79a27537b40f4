"""Counting noise and scan noise of a HAADF-STEM image."""

from __future__ import annotations

import numpy as np
from scipy import fft


def detect(expected: np.ndarray, scan_noise_e: float, rng: np.random.Generator) -> np.ndarray:
    """Return detected electrons for the expected number in each pixel.

    Parameters
    ----------
    expected : array (y, x)
        Mean number of detected electrons, not negative.
    scan_noise_e : float
        Standard deviation, in electrons, of noise correlated along the fast scan (x).
    rng : numpy Generator

    Returns
    -------
    array (y, x), float32
        Poisson counts plus scan noise.
    """
    image = rng.poisson(expected).astype(np.float32)
    if scan_noise_e > 0:
        image += np.float32(scan_noise_e) * pink_noise(expected.shape, rng)
    return image


def pink_noise(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return noise of unit variance whose power falls as 1/f along the scan.

    The scan is one signal in time, row after row, so rows are correlated too, weakly.
    """
    n = shape[0] * shape[1]
    spectrum = fft.rfft(rng.standard_normal(n, dtype=np.float32))
    frequency = np.arange(1, len(spectrum) + 1)
    # nothing slower than a few rows: such drifts are taken out by the detector
    slowest = max(1.0, shape[0] / 4)
    spectrum /= np.sqrt(np.maximum(frequency, slowest)).astype(np.float32)
    spectrum[0] = 0
    noise = fft.irfft(spectrum, n)
    result: np.ndarray = (noise / noise.std()).reshape(shape).astype(np.float32)
    return result
