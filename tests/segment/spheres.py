"""Particles of known shape, as masks and grey values."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_tomo4d.two_spheres import two_sphere_curve


def ball(shape, centre, radius):
    """Density of a sphere: 1 inside, 0.5 minus the distance at the surface."""
    z, y, x = np.ogrid[tuple(slice(n) for n in shape)]
    distance = np.sqrt((z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2)
    return np.clip(radius - distance + 0.5, 0, 1).astype(np.float32)


def balls(shape, *spheres):
    """Density of several spheres (z, y, x, radius)."""
    return np.max([ball(shape, s[:3], s[3]) for s in spheres], axis=0)


def sintered_pair(x, radius, rng, noise=0.0):
    """Two spheres with a neck of r_n / r0 = x in a random direction: mask, side of the neck."""
    distance = 2 * radius * two_sphere_curve(x)
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    n = int(np.ceil(2 * (2 * radius + 5)))
    centre = (n - 1) / 2 + rng.uniform(-0.5, 0.5, 3)
    grid = np.stack(np.mgrid[:n, :n, :n], -1) - centre
    along = grid @ direction
    aside = np.sqrt(np.maximum((grid**2).sum(-1) - along**2, 0))
    inside = radius - np.sqrt((np.abs(along) - distance / 2) ** 2 + aside**2)
    neck = np.minimum(x * radius - aside, distance / 2 - np.abs(along))
    density = np.clip(np.maximum(inside, neck) + 0.5, 0, 1)
    if noise:
        density = ndimage.gaussian_filter(density, 1) + noise * rng.normal(size=density.shape)
    return density > 0.5, along > 0
