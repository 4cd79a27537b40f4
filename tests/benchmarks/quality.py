"""How good a volume is, against the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

import napari_tomo4d as t4


@dataclass(frozen=True)
class Quality:
    """Figures of merit of a volume.

    Parameters
    ----------
    correlation : float
    nrmse : float
        Norm of the difference over the norm of the truth, at the best common scale.
    elongation : float
        How much longer along the beam than across particles are, relative to the truth.
    dice : float
        Overlap of voxels above Otsu's threshold with the particles.
    """

    correlation: float
    nrmse: float
    elongation: float
    dice: float


def quality(volume: np.ndarray, truth: np.ndarray) -> Quality:
    """Compare a volume with the truth, (z, y, x) both."""
    got, wanted = volume.ravel().astype(float), truth.ravel().astype(float)
    scale = got @ wanted / max(got @ got, 1e-30)
    inside, particles = volume > threshold_otsu(volume), truth > truth.max() / 2
    return Quality(
        float(np.corrcoef(got, wanted)[0, 1]),
        float(np.linalg.norm(scale * got - wanted) / np.linalg.norm(wanted)),
        elongation(inside, particles),
        float(2 * (inside & particles).sum() / (inside.sum() + particles.sum())),
    )


def elongation(mask: np.ndarray, particles: np.ndarray, margin: int = 8) -> float:
    """Return the mean ratio of extent along z to that along x, over the ratio of the truth."""
    labels, count = ndimage.label(particles)
    ratios = []
    for k in range(1, count + 1):
        own = labels == k
        if own.sum() < 200:
            continue
        others = ndimage.binary_dilation((labels > 0) & ~own, iterations=2)
        around = ndimage.binary_dilation(own, iterations=margin) & ~others
        ratios.append(_extent_ratio(mask & around) / _extent_ratio(own))
    return float(np.mean(ratios)) if ratios else float("nan")


def _extent_ratio(mask: np.ndarray) -> float:
    z, _, x = np.nonzero(mask)
    return float(z.std() / x.std()) if len(z) > 10 else float("nan")


def sintering_sample(seed: int = 0, n_times: int = 6):
    """Return the simulated experiment at the paper's dose, wedge +-40 degrees, and the truth.

    The background is subtracted.
    """
    experiment, truth = t4.simulate.sintering(n_times=n_times, seed=seed)
    dark = [t4.preprocess.subtract_background(series, 50) for series in experiment]
    return experiment.with_items(dark), truth


def neck_errors(volumes: list[np.ndarray], truth, pixel_size_nm: float) -> np.ndarray:
    """Return measured minus true neck radius in pixels, of all pairs at all times.

    The radius is that of a circle with the area of the smallest section, between the
    particles' true centres, of what is above Otsu's threshold.
    """
    errors = []
    for volume, scene in zip(volumes, truth.scenes, strict=True):
        centre = (np.array(volume.shape) - 1) / 2
        centres = scene.centres_nm / pixel_size_nm + centre
        threshold = threshold_otsu(volume)
        for (a, b), radius_nm in zip(scene.pairs, scene.neck_radii_nm, strict=True):
            found = _neck_radius(volume, centres[a], centres[b], threshold)
            errors.append(found - radius_nm / pixel_size_nm)
    return np.array(errors)


def _neck_radius(volume: np.ndarray, a: np.ndarray, b: np.ndarray, threshold: float) -> float:
    axis = (b - a) / np.linalg.norm(b - a)
    other = np.eye(3)[np.argmin(np.abs(axis))]
    u = np.cross(axis, other)
    u /= np.linalg.norm(u)
    v = np.cross(axis, u)
    grid = np.arange(-16, 16.1, 0.5)
    plane = u[:, None, None] * grid[:, None] + v[:, None, None] * grid
    areas = []
    for part in np.linspace(0.25, 0.75, 21):
        points = (a + part * (b - a))[:, None, None] + plane
        labels, _ = ndimage.label(ndimage.map_coordinates(volume, points, order=1) > threshold)
        middle = labels[len(grid) // 2, len(grid) // 2]
        areas.append(0.25 * (labels == middle).sum() if middle else 0.0)
    return float(np.sqrt(min(areas) / np.pi))
