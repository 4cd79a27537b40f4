"""How far two images are apart: normalised cross-correlation and phase correlation."""

from __future__ import annotations

import numpy as np
from scipy import fft

from napari_tomo4d.correlation_peak import peak, taper

_PADDING = 1.6
_OVERLAP = 0.35


class Correlator:
    """Normalised cross-correlation of images of one size, at shifts of any length.

    Parameters
    ----------
    shape : tuple (y, x)
    edge : float
        Part of each side over which images fade out.
    reach_px : int, optional
        Largest shift that is looked for; by default 0.6 of the image.

    Notes
    -----
    At each shift only the overlap of the two images counts, in the product and in the
    normalisation (Padfield 2012, IEEE Trans. Image Process. 21, 2706; images have zero mean
    after the band-pass). Shifts that leave less than a third of the area are not considered.
    """

    def __init__(
        self, shape: tuple[int, ...], edge: float = 0.1, reach_px: int | None = None
    ) -> None:
        self._padded = tuple(
            fft.next_fast_len(n + (int((_PADDING - 1) * n) if reach_px is None else reach_px), True)
            for n in shape
        )
        self.window = taper(shape, edge)
        self._mask = self._spectrum(self.window)
        overlap = self._correlate(self._mask, self._mask)
        self._enough = overlap > _OVERLAP * overlap.max()

    def spectra(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what `match` needs of a band-passed image (y, x)."""
        return self._spectrum(image * self.window), self._spectrum(image**2 * self.window)

    def match(
        self,
        fixed: tuple[np.ndarray, np.ndarray],
        moving: tuple[np.ndarray, np.ndarray],
        within: float | None = None,
    ) -> tuple[np.ndarray, float]:
        """Return the shift (dy, dx) to add to `moving`, and the correlation there, -1..1.

        Parameters
        ----------
        fixed, moving : tuple
            From `spectra`.
        within : float, optional
            Largest shift in pixels along each axis.
        """
        product = self._correlate(fixed[0], moving[0])
        energy = self._correlate(fixed[1], self._mask) * self._correlate(self._mask, moving[1])
        floor = 1e-6 * max(float(energy.max()), 1e-30)
        value = product / np.sqrt(np.maximum(energy, floor))
        value = np.where(self._enough, value, -1.0)
        return peak(value, within)

    def _spectrum(self, image: np.ndarray) -> np.ndarray:
        result: np.ndarray = fft.rfft2(image, self._padded)
        return result

    def _correlate(self, fixed: np.ndarray, moving: np.ndarray) -> np.ndarray:
        result: np.ndarray = fft.irfft2(fixed * moving.conj(), self._padded)
        return result


def phase_correlation(
    fixed: np.ndarray, moving: np.ndarray, smoothing_px: float, within: float | None = None
) -> np.ndarray:
    """Return the shift (dy, dx) to add to `moving`, from the phases of its spectrum alone.

    Parameters
    ----------
    fixed, moving : array (y, x)
        Band-passed images.
    smoothing_px : float
        Standard deviation in pixels of the peak that a pure shift gives: frequencies above
        its inverse count little, as they hold mostly noise.
    within : float, optional
        Largest shift in pixels along each axis.

    Returns
    -------
    array (2,)

    Notes
    -----
    Kuglin & Hines 1975, with a Gaussian weight and a parabola through the peak.
    """
    window = taper(fixed.shape, 0.25)
    cross = fft.rfft2(fixed * window) * fft.rfft2(moving * window).conj()
    size = np.abs(cross)
    # amplitudes far below the rest have no phase to speak of
    cross /= size + 1e-3 * size.max()
    squared = np.add.outer(fft.fftfreq(fixed.shape[0]) ** 2, fft.rfftfreq(fixed.shape[1]) ** 2)
    cross *= np.exp(-2 * (np.pi * smoothing_px) ** 2 * squared)
    return peak(fft.irfft2(cross, fixed.shape), within)[0]
