"""Finding the noise model and strength that bring an image nearest to a reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from napari_tomo4d.denoise.engines import PROFILES, bm3d
from napari_tomo4d.denoise.noise_model import KINDS, NoiseModel
from napari_tomo4d.denoise.scores import frc_score, psnr, ssim
from napari_tomo4d.errors import DataError, ParameterError
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import warn

_CROP = 256
_COARSE = (0.25, 1.0, 4.0)
"""Variances tried first, relative to that of the difference from the reference."""

_GAUSSIANS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
_NO_WORSE_DB = 0.1


@dataclass(frozen=True)
class TuneResult:
    """What came of tuning.

    Parameters
    ----------
    best : NoiseModel
    profile : str
        Profile of BM3D the best was found with.
    table : pandas.DataFrame
        A row per evaluation: ``kind``, ``strength`` (relative variance), ``variance``, ``profile``,
        ``region`` ("crop" or "whole"), ``psnr_db``, ``ssim``, ``frc``.
    denoised : array (y, x)
        The image denoised with the best.
    raw_psnr_db, gaussian_psnr_db : float
        Of the image itself, and of the image after the best Gaussian blur.
    """

    best: NoiseModel
    profile: str
    table: pd.DataFrame
    denoised: np.ndarray
    raw_psnr_db: float
    gaussian_psnr_db: float


def tune(
    noisy: np.ndarray,
    reference: np.ndarray,
    kinds: Sequence[str] = KINDS,
    measured: NoiseModel | None = None,
    profile: str = "lc",
    progress: Progress | None = None,
) -> TuneResult:
    """Tune BM3D against a mean of other frames of the same field.

    Parameters
    ----------
    noisy : array (y, x)
        One frame, which must not be in the reference.
    reference : array (y, x) or (frame, y, x)
        The other frames, aligned: their own noise is then taken off the error; or their mean.
    kinds : sequence of str
        Noise models to try.
    measured : NoiseModel, optional
        A measured spectrum to try as well.
    profile : str
        Of BM3D.
    progress : Progress, optional

    Returns
    -------
    TuneResult

    Notes
    -----
    Every kind is tried at three strengths on a crop, the two best kinds at finer strengths,
    and the best three of all on the whole image, by PSNR. Warns if a Gaussian blur does as
    well, or if blur is what the PSNR rewards.
    """
    progress = progress or Progress()
    noisy = np.asarray(noisy, np.float32)
    frames = np.asarray(reference, np.float32)
    if frames.ndim not in (2, 3) or frames.shape[-2:] != noisy.shape:
        raise DataError(
            f"The reference has shape {frames.shape}, the image {noisy.shape}; give frames of the "
            "same field, aligned with it."
        )
    if profile not in PROFILES:
        raise ParameterError(
            f"There is no profile {profile!r}; choose one of {', '.join(PROFILES)}."
        )
    own = 0.0
    if frames.ndim == 3:
        if any(np.array_equal(noisy, frame) for frame in frames):
            raise DataError("The image is among the reference frames; leave it out of them.")
        own = float(frames.var(axis=0, ddof=1).mean() / len(frames)) if len(frames) > 1 else 0.0
        frames = frames.mean(axis=0)
    if np.ptp(frames) == 0:
        raise DataError("The reference is constant, so nothing can be compared with it.")
    variance = float(np.mean(np.square(noisy - frames))) - own
    if variance <= 0:
        raise DataError("The image is as near to the reference as noise allows; nothing to tune.")

    models = {kind: NoiseModel(kind, variance) for kind in kinds}
    if measured is not None:
        models["measured"] = NoiseModel("measured", variance, measured.spectrum)
    rows: list[dict[str, object]] = []
    regions = {"crop": _busiest_crop(frames), "whole": np.s_[:, :]}
    steps = len(models) * len(_COARSE) + 8 + 3

    def score(kind: str, strength: float, region: str) -> float:
        for row in rows:
            if (row["kind"], row["strength"], row["region"]) == (kind, strength, region):
                return float(row["psnr_db"])  # type: ignore[arg-type]
        part = regions[region]
        progress.report(min(len(rows), steps - 1), steps, f"BM3D: {kind}, strength {strength:.3g}")
        model = models[kind].resized(noisy[part].shape).scaled(strength)
        result = bm3d(noisy[part], model, profile)
        rows.append(
            {
                "kind": kind,
                "strength": strength,
                "variance": model.variance,
                "profile": profile,
                "region": region,
                "psnr_db": psnr(result, frames[part], own),
                "ssim": ssim(result, frames[part]),
                "frc": frc_score(result, frames[part]),
            }
        )
        if region == "whole":
            results[kind, strength] = result
        return float(rows[-1]["psnr_db"])  # type: ignore[arg-type]

    results: dict[tuple[str, float], np.ndarray] = {}
    best_of: dict[str, tuple[float, float]] = {}
    for kind in models:
        best_of[kind] = max((score(kind, s, "crop"), s) for s in _COARSE)
    leaders = sorted(models, key=lambda k: -best_of[k][0])[:2]
    for factor in (2.0, 2.0**0.5):
        for kind in leaders:
            middle = best_of[kind][1]
            tried = [
                (score(kind, s, "crop"), s) for s in (middle / factor, middle, middle * factor)
            ]
            best_of[kind] = max(tried)
    finalists = sorted(models, key=lambda k: -best_of[k][0])[:3]
    whole = {k: score(k, best_of[k][1], "whole") for k in finalists}
    kind = max(whole, key=lambda k: whole[k])
    strength = best_of[kind][1]
    raw = psnr(noisy, frames, own)
    gaussian = max(psnr(_blurred(noisy, s), frames, own) for s in _GAUSSIANS)
    if gaussian > whole[kind] - _NO_WORSE_DB:
        warn(
            f"A plain Gaussian blur does as well ({gaussian:.2f} dB) as the best BM3D "
            f"({whole[kind]:.2f} dB): compare the Fourier ring correlations, too."
        )
    return TuneResult(
        models[kind].scaled(strength),
        profile,
        pd.DataFrame(rows),
        results[kind, strength],
        raw,
        gaussian,
    )


def _blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    from scipy import ndimage

    return ndimage.gaussian_filter(image, sigma)


def _busiest_crop(reference: np.ndarray) -> tuple[slice, slice]:
    """Return the square of the reference in which there is most to see."""
    from scipy import ndimage

    size = [min(_CROP, n) for n in reference.shape]
    detail = np.abs(ndimage.gaussian_filter(reference, 1) - ndimage.gaussian_filter(reference, 4))
    total = np.pad(detail.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    h, w = size
    sums = total[h:, w:] - total[:-h, w:] - total[h:, :-w] + total[:-h, :-w]
    y, x = np.unravel_index(np.argmax(sums), sums.shape)
    return np.s_[y : y + h, x : x + w]
