"""A tilt series as a microscope records it: frames that drift, on a slope, with wrong pixels."""

from __future__ import annotations

import numpy as np

import napari_tomo4d as t4

SHAPE, ANGLES, N_FRAMES = (96, 96), np.arange(-60, 61, 20.0), 4
VELOCITY = np.array([0.8, -1.1])
"""Drift (y, x) in pixels per frame."""


def frames_of(angle, rng):
    """Spheres that drift while they are scanned, on a slope, with noise and wrong pixels."""
    y, x = np.indices(SHAPE)
    frames = np.zeros((N_FRAMES, *SHAPE), np.float32)
    for k in range(N_FRAMES):
        time = k - (N_FRAMES - 1) / 2 + y / SHAPE[0] - 0.5
        for cy, cx, radius in ((28, -14, 12), (50, 12, 15), (70, -8, 10)):
            centre = (SHAPE[1] - 1) / 2 + cx * np.cos(np.deg2rad(angle))
            off = (y - cy - VELOCITY[0] * time) ** 2 + (x - centre - VELOCITY[1] * time) ** 2
            frames[k] += 2 * np.sqrt(np.maximum(radius**2 - off, 0))
    counts = rng.poisson(frames + 20 + 0.1 * x + 0.05 * y).astype(np.float32)
    counts.ravel()[rng.choice(counts.size, 6 * N_FRAMES, replace=False)] += 500
    return counts


def recorded(seed=0, name="grains"):
    rng = np.random.default_rng(seed)
    images = np.stack([frames_of(angle, rng) for angle in ANGLES])
    return t4.TiltSeries(images, ANGLES, 0.5, name=name)
