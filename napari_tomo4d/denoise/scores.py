"""How near a denoised image is to a reference that has a little noise itself."""

from __future__ import annotations

import numpy as np
from skimage.metrics import structural_similarity

from napari_tomo4d.denoise.measure_noise import radial_mean


def psnr(
    image: np.ndarray,
    reference: np.ndarray,
    reference_variance: float = 0.0,
    peak: float | None = None,
) -> float:
    """Return the peak signal-to-noise ratio in dB.

    Parameters
    ----------
    image, reference : array (y, x)
    reference_variance : float
        Variance of the reference's own noise, which is taken off the squared error.
    peak : float, optional
        Signal that the noise is compared with; the reference's range if None.
    """
    error = np.mean(np.square(np.asarray(image, np.float64) - reference)) - reference_variance
    peak = float(np.ptp(reference)) if peak is None else peak
    return float(10 * np.log10(peak**2 / max(error, 1e-12 * peak**2)))


def ssim(image: np.ndarray, reference: np.ndarray) -> float:
    """Return the structural similarity (Wang et al. 2004), 1 for equal images."""
    window = min(7, min(image.shape) - 1 + min(image.shape) % 2)
    return float(
        structural_similarity(
            np.asarray(image, np.float64),
            np.asarray(reference, np.float64),
            win_size=window,
            data_range=float(np.ptp(reference)) or 1.0,
        )
    )


def fourier_ring_correlation(
    image: np.ndarray, reference: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return ring frequencies in cycles per pixel and the correlation of two images on each."""
    window = np.outer(np.hanning(image.shape[0]), np.hanning(image.shape[1]))
    a, b = (np.fft.fft2((i - i.mean()) * window) for i in (image, reference))
    frequency, cross = radial_mean((a * b.conj()).real)
    energy = radial_mean(np.abs(a) ** 2)[1] * radial_mean(np.abs(b) ** 2)[1]
    return frequency, cross / np.sqrt(np.maximum(energy, 1e-300))


def frc_score(image: np.ndarray, reference: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return the mean Fourier ring correlation.

    Unlike the PSNR it does not reward blurring: weakening a frequency leaves its
    correlation as it is.

    Parameters
    ----------
    image, reference : array (y, x)
    weights : array (ring,), optional
        How much each ring counts, see `ring_weights`; up to half the sampling frequency, all
        equally, if None.
    """
    correlation = fourier_ring_correlation(image, reference)[1]
    return float(np.average(correlation, weights=weights))


def ring_weights(noisy: np.ndarray, reference: np.ndarray) -> np.ndarray | None:
    """Return how much of each ring an image shares with its reference before denoising.

    Rings in which both are nothing but noise then do not count. None if there is no ring
    they share.
    """
    weights = np.clip(fourier_ring_correlation(noisy, reference)[1], 0, 1)
    return weights if weights.sum() > 0 else None
