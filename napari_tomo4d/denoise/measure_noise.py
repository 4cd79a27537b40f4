"""Noise measured from frames of the same field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.denoise.noise_model import KINDS, NoiseModel, kind_in_words
from napari_tomo4d.errors import DataError

_FAIR_MISFIT_DB = 3.0
"""RMS difference between spectra up to which a model describes noise fairly."""

_SMOOTHING = 1.5
"""Frequencies over which a measured spectrum is averaged, as a standard deviation."""


def measured_noise(frames: np.ndarray) -> NoiseModel:
    """Measure the noise spectrum from differences of frames of the same field.

    Parameters
    ----------
    frames : array (frame, y, x)
        At least two, aligned with each other.

    Returns
    -------
    NoiseModel
        Of kind "measured", with the variance of a single frame.

    Raises
    ------
    DataError
        If there are fewer than two frames.
    """
    frames = np.asarray(frames, dtype=np.float64)
    if frames.ndim != 3 or len(frames) < 2:
        raise DataError("At least two frames of the same field are needed to measure noise.")
    # what changes from the mean of all is noise; the mean itself holds 1 / n of it
    n = len(frames)
    return noise_spectrum((frames - frames.mean(axis=0)) * np.sqrt(n / (n - 1)))


def measured_noise_of(series: TiltSeries) -> NoiseModel:
    """Measure the noise spectrum of a single frame from all tilts that have several.

    Parameters
    ----------
    series : TiltSeries
        With aligned frames.

    Returns
    -------
    NoiseModel
        Mean over the tilts, of kind "measured".
    """
    tilts = [i for i, n in enumerate(series.frames_per_tilt) if n > 1]
    if not tilts:
        raise DataError(
            f"{series.name!r} has one frame per tilt; noise is measured from differences of frames."
        )
    models = [measured_noise(series.frames(i)) for i in tilts]
    spectra = [m.spectrum for m in models if m.spectrum is not None]
    variance = float(np.mean([m.variance for m in models]))
    return NoiseModel("measured", variance, np.mean(spectra, axis=0))


def noise_spectrum(noise: np.ndarray) -> NoiseModel:
    """Return the model "measured" of noise that is there by itself, (y, x) or (image, y, x)."""
    noise = np.asarray(noise, dtype=np.float64)
    noise = noise - noise.mean(axis=(-2, -1), keepdims=True)
    power = np.abs(np.fft.fft2(noise)) ** 2
    if power.ndim == 3:
        power = power.mean(axis=0)
    power[0, 0] = (power[0, 1] + power[1, 0] + power[0, -1] + power[-1, 0]) / 4
    smooth = ndimage.gaussian_filter(power, _SMOOTHING, mode="wrap")
    return NoiseModel("measured", float(noise.var()), smooth)


@dataclass(frozen=True)
class Diagnosis:
    """Which model fits measured noise.

    Parameters
    ----------
    kind : str
        The best of `KINDS`.
    misfit : dict
        RMS difference of the radial spectra's logarithms in dB, for each kind.
    frequency, measured, modelled : arrays
        Radial mean spectra, frequency in cycles per pixel, power relative to white noise.
    slope : float
        Exponent of the power against frequency: 0 is white, -1 is pink.
    fits : bool
        Whether the best kind is a fair description; otherwise use the measured spectrum.
    """

    kind: str
    misfit: dict[str, float]
    frequency: np.ndarray
    measured: np.ndarray
    modelled: np.ndarray
    slope: float
    fits: bool

    @property
    def advice(self) -> str:
        """One sentence on what to do."""
        misfit, name = self.misfit[self.kind], kind_in_words(self.kind)
        if self.fits:
            return f"The noise looks like {name} (misfit {misfit:.1f} dB)."
        return (
            f"No model fits: the nearest, {name}, is {misfit:.0f} dB off; use the measured "
            "spectrum."
        )


def diagnose(noise: NoiseModel, shape: tuple[int, int]) -> Diagnosis:
    """Compare measured noise with every model by spectra along x, along y and over rings."""
    power = noise.psd(shape) / (noise.variance * shape[0] * shape[1])
    frequency, measured = radial_mean(power)
    misfit = {}
    for kind in KINDS:
        model = NoiseModel(kind).psd(shape) / (shape[0] * shape[1])
        difference = ndimage.gaussian_filter(
            np.log10(power + 1e-6) - np.log10(model + 1e-6), 2, mode="wrap"
        )
        misfit[kind] = float(10 * np.sqrt(np.mean(np.square(difference))))
    best = min(misfit, key=lambda k: misfit[k])
    modelled = radial_mean(NoiseModel(best).psd(shape) / (shape[0] * shape[1]))[1]
    middle = (frequency > 0.01) & (frequency < 0.4)
    slope = float(np.polyfit(np.log(frequency[middle]), np.log(measured[middle]), 1)[0])
    fits = misfit[best] < _FAIR_MISFIT_DB
    return Diagnosis(best, misfit, frequency, measured, modelled, slope, fits)


def radial_mean(power: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ring frequencies in cycles per pixel, up to 0.5, and the mean power of each."""
    ky, kx = (np.fft.fftfreq(n) for n in power.shape)
    radius = np.hypot(ky[:, None], kx)
    n_rings = max(4, min(power.shape) // 2)
    ring = np.minimum((radius * 2 * n_rings).astype(int), n_rings)
    counts = np.bincount(ring.ravel(), minlength=n_rings + 1)[:n_rings]
    sums = np.bincount(ring.ravel(), power.ravel(), minlength=n_rings + 1)[:n_rings]
    kept = counts > 0
    centres = (np.arange(n_rings) + 0.5) / (2 * n_rings)
    return centres[kept], sums[kept] / counts[kept]


@dataclass(frozen=True)
class CountingNoise:
    """Noise that grows with intensity: ``variance = gain (value - offset) + read^2``.

    Parameters
    ----------
    gain : float
        Image units per electron.
    offset : float
        Value of a pixel without electrons.
    read : float
        Standard deviation of the noise that is there without electrons.
    """

    gain: float
    offset: float = 0.0
    read: float = 0.0


def counting_noise(frames: np.ndarray, offset: float | None = None) -> CountingNoise:
    """Measure gain and read noise from frames of the same field.

    Parameters
    ----------
    frames : array (frame, y, x)
        At least two, aligned.
    offset : float, optional
        Value without electrons, if it is known: variance alone can't tell it from read noise.
        Zero if None.

    Returns
    -------
    CountingNoise
        Straight line through the variance against the mean of groups of equal brightness.

    Raises
    ------
    DataError
        If there are fewer than two frames, they are constant, or their noise does not grow with
        brightness.
    """
    frames = np.asarray(frames, dtype=np.float64)
    if frames.ndim != 3 or len(frames) < 2:
        raise DataError("At least two frames of the same field are needed to measure noise.")
    mean = frames.mean(axis=0)
    variance = frames.var(axis=0, ddof=1)
    # brightness from a smoothed mean, so that groups are not chosen by the noise
    order = np.argsort(ndimage.uniform_filter(mean, 5).ravel())
    groups = np.array_split(order, min(50, max(2, order.size // 100)))
    x = np.array([mean.ravel()[g].mean() for g in groups])
    y = np.array([variance.ravel()[g].mean() for g in groups])
    if np.ptp(x) < 1e-9 * max(abs(x).max(), 1e-30):
        raise DataError("The frames are constant; gain can't be told from read noise.")
    # the variance of a variance goes with its square
    gain, constant = np.polyfit(x, y, 1, w=1 / np.maximum(y, 1e-3 * y.max()))
    if gain <= 0:
        raise DataError("The noise does not grow with brightness; this is not counting noise.")
    zero = 0.0 if offset is None else offset
    return CountingNoise(float(gain), zero, float(np.sqrt(max(0.0, constant + gain * zero))))
