"""Noise models, denoisers, and their tuning against frame averages."""

from napari_tomo4d.denoise.anscombe import stabilise, unstabilise
from napari_tomo4d.denoise.engines import ENGINES, PROFILES, bm3d, wiener
from napari_tomo4d.denoise.measure_noise import (
    CountingNoise,
    Diagnosis,
    counting_noise,
    diagnose,
    measured_noise,
)
from napari_tomo4d.denoise.noise_model import KINDS, NoiseModel
from napari_tomo4d.denoise.scores import fourier_ring_correlation, frc_score, psnr, ssim
from napari_tomo4d.denoise.series import denoise_series
from napari_tomo4d.denoise.tune import TuneResult, tune

__all__ = [
    "ENGINES",
    "KINDS",
    "PROFILES",
    "CountingNoise",
    "Diagnosis",
    "NoiseModel",
    "TuneResult",
    "bm3d",
    "counting_noise",
    "denoise_series",
    "diagnose",
    "fourier_ring_correlation",
    "frc_score",
    "measured_noise",
    "psnr",
    "ssim",
    "stabilise",
    "tune",
    "unstabilise",
    "wiener",
]
