"""Noise models, denoisers, and their tuning against frame averages."""

from napari_tomo4d.denoise.anscombe import stabilise, unstabilise
from napari_tomo4d.denoise.blind import estimate_variance, tune_blind
from napari_tomo4d.denoise.bm3d_multiscale import fast_bm3d
from napari_tomo4d.denoise.engines import (
    ENGINES,
    METHODS,
    PROFILES,
    bm3d,
    bm4d,
    denoise_image,
    denoiser,
    nonlocal_means,
    total_variation,
    wavelet,
    wiener,
)
from napari_tomo4d.denoise.measure_noise import (
    CountingNoise,
    Diagnosis,
    counting_noise,
    diagnose,
    measured_noise,
    measured_noise_of,
    noise_spectrum,
)
from napari_tomo4d.denoise.noise_model import KINDS, NoiseModel
from napari_tomo4d.denoise.scores import (
    fourier_ring_correlation,
    frc_score,
    psnr,
    ring_weights,
    ssim,
)
from napari_tomo4d.denoise.series import denoise_series
from napari_tomo4d.denoise.tune import (
    STRENGTHS,
    Comparison,
    TuneResult,
    Tuning,
    comparisons_of,
    search,
    tilts_with_frames,
    tune,
    tune_series,
)

__all__ = [
    "ENGINES",
    "KINDS",
    "METHODS",
    "PROFILES",
    "STRENGTHS",
    "Comparison",
    "CountingNoise",
    "Diagnosis",
    "NoiseModel",
    "TuneResult",
    "Tuning",
    "bm3d",
    "bm4d",
    "comparisons_of",
    "counting_noise",
    "denoise_image",
    "denoise_series",
    "denoiser",
    "diagnose",
    "estimate_variance",
    "fast_bm3d",
    "fourier_ring_correlation",
    "frc_score",
    "measured_noise",
    "measured_noise_of",
    "noise_spectrum",
    "nonlocal_means",
    "psnr",
    "ring_weights",
    "search",
    "ssim",
    "stabilise",
    "tilts_with_frames",
    "total_variation",
    "tune",
    "tune_blind",
    "tune_series",
    "unstabilise",
    "wavelet",
    "wiener",
]
