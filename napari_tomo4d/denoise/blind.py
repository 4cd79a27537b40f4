"""Choosing a strength with no reference: from the image alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage

from napari_tomo4d.denoise.engines import denoise_image
from napari_tomo4d.denoise.noise_model import NoiseModel, kind_in_words
from napari_tomo4d.denoise.tune import STRENGTHS, TuneResult, busiest_crop, climb
from napari_tomo4d.errors import DataError
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import warn

_PERIOD = 4
"""Every fourth pixel along y and x is hidden at a time."""

_PHASES = ((0, 0), (2, 1))
_FLOOR = 0.01
"""Lowest relative power that is whitened; what lies below has no noise to speak of."""

_CROP = 384
_START = STRENGTHS.index(1.5)


def estimate_variance(image: np.ndarray, noise: str | NoiseModel = "white") -> float:
    """Estimate the variance of noise of a known kind from the highest frequencies.

    Parameters
    ----------
    image : array (y, x)
    noise : str or NoiseModel
        One of `KINDS`, or a model whose variance does not matter.

    Returns
    -------
    float
        Of a pixel. Right where objects have little power beyond 0.35 cycles per pixel.
    """
    image = np.asarray(image, np.float64)
    shape = (image.shape[0], image.shape[1])
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in shape))
    power = np.abs(np.fft.fft2((image - image.mean()) * window)) ** 2 / np.mean(window**2)
    ky, kx = (np.abs(np.fft.fftfreq(n)) for n in shape)
    unit = NoiseModel(noise) if isinstance(noise, str) else noise.with_variance(1.0)
    expected = unit.resized(shape).psd(shape)
    high = (np.maximum(ky[:, None], kx) > 0.35) & (expected > _FLOOR * expected.mean())
    if not high.any():
        # a pattern without high frequencies: whatever is expected most
        high = expected > np.percentile(expected, 90)
    # the median of an exponential distribution is its mean times the logarithm of 2
    return float(np.median(power[high] / expected[high]) / np.log(2))


def tune_blind(
    noisy: np.ndarray,
    kind: str = "white",
    measured: NoiseModel | None = None,
    profile: str = "lc",
    method: str = "fast bm3d",
    progress: Progress | None = None,
) -> TuneResult:
    """Choose the strength for noise of a given kind from a single image, with no reference.

    Parameters
    ----------
    noisy : array (y, x)
    kind : str
        One of `KINDS`, or "measured". It can't be told from the image which is right.
    measured : NoiseModel, optional
        The spectrum, for "measured".
    profile, method, progress
        As in `tune`.

    Returns
    -------
    TuneResult
        With ``blind`` true. ``psnr_db`` in its table only ranks strengths: the error is that of
        predicting hidden pixels, which have noise themselves.

    Raises
    ------
    DataError
        If this is no image, or one that is constant, not finite or free of noise; or a measured
        spectrum is wanted and not given.
    ParameterError
        If there is no such kind, profile or method.
    Cancelled
        If the user asked to.

    Notes
    -----
    J-invariance (Batson & Royer 2019, ICML): pixels are hidden and predicted from the
    rest by the denoiser; the strength that predicts best is the best one, as long as noise
    is independent between pixels. Correlated noise is not: therefore the image is whitened
    by the spectrum of its kind before pixels are hidden, and compared after whitening.
    """
    progress = progress or Progress()
    image = np.asarray(noisy, np.float32)
    if image.ndim != 2 or not np.isfinite(image).all():
        raise DataError("Blind tuning needs one image (y, x) without NaN or infinite values.")
    if np.ptp(image) == 0:
        raise DataError("The image is constant; there is nothing to tune.")
    if kind == "measured":
        if measured is None:
            raise DataError("A measured spectrum is needed for the kind 'measured'.")
        unit = measured.with_variance(1.0)
        variance = measured.variance
    else:
        unit, variance = NoiseModel(kind), estimate_variance(image, kind)
    if variance <= 0:
        raise DataError("The image has no noise at high frequencies; there is nothing to tune.")
    warn(
        f"Tuned blindly: no reference frames, and noise taken for {kind_in_words(kind)}; the "
        "strength is what predicts hidden pixels best."
    )
    part = image[busiest_crop(ndimage.gaussian_filter(image, 2), _CROP)]
    hidden = _Hidden.of(part, unit)
    losses: dict[float, float] = {}

    def height(index: int) -> float:
        strength = STRENGTHS[index]
        if strength not in losses:
            progress.report(len(losses), 10, f"Hidden pixels: strength {strength:.3g}")
            model = unit.scaled(variance * strength)
            losses[strength] = hidden.loss(model, method, profile)
        return -losses[strength]

    strength = STRENGTHS[climb(height, _START)]
    peak = float(np.percentile(image, 99.9) - np.percentile(image, 0.1))
    least = min(losses.values())
    rows = [
        {
            "kind": kind,
            "strength": s,
            "variance": variance * s,
            "profile": profile,
            "region": "crop",
            "psnr_db": -10 * float(np.log10(loss / peak**2)),
            "ssim": float("nan"),
            "frc": float("nan"),
        }
        for s, loss in sorted(losses.items())
    ]
    best = unit.scaled(variance * strength)
    return TuneResult(
        best,
        method,
        profile,
        pd.DataFrame(rows),
        denoise_image(image, method, best, profile),
        float("nan"),
        float("nan"),
        f"Blind: of {len(losses)} strengths, {strength:.3g} times the variance estimated for "
        f"{kind_in_words(kind)} noise predicts hidden pixels best (error {np.sqrt(least):.4g}, "
        "whitened).",
        blind=True,
    )


@dataclass(frozen=True, eq=False)
class _Hidden:
    """A whitened image with pixels hidden, and what they were."""

    mean: float
    root: np.ndarray
    white: np.ndarray
    masks: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, image: np.ndarray, unit: NoiseModel) -> _Hidden:
        shape = (image.shape[0], image.shape[1])
        psd = unit.resized(shape).psd(shape) / (shape[0] * shape[1])
        root = np.sqrt(np.maximum(psd, _FLOOR))
        mean = float(np.median(image))
        white = np.fft.ifft2(np.fft.fft2(image - mean) / root).real
        rows, columns = np.indices(shape)
        masks = tuple(
            ((rows + y) % _PERIOD == 0) & ((columns + x) % _PERIOD == 0) for y, x in _PHASES
        )
        return cls(mean, root, white, masks)

    def loss(self, model: NoiseModel, method: str, profile: str) -> float:
        """Return the mean squared error of the hidden pixels' prediction, in whitened units."""
        losses = []
        for mask in self.masks:
            weight = ndimage.gaussian_filter((~mask).astype(float), 1)
            around = ndimage.gaussian_filter(np.where(mask, 0.0, self.white), 1) / weight
            filled = self._coloured(np.where(mask, around, self.white))
            result = denoise_image(filled, method, model, profile)
            predicted = np.fft.ifft2(np.fft.fft2(result - self.mean) / self.root).real
            losses.append(np.mean(np.square(predicted - self.white)[mask]))
        return float(np.mean(losses))

    def _coloured(self, white: np.ndarray) -> np.ndarray:
        image = np.fft.ifft2(np.fft.fft2(white) * self.root).real + self.mean
        return image.astype(np.float32)
