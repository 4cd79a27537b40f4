"""What is known about the reference data set N6: six gold particles in a liquid cell."""

from __future__ import annotations

import itertools

import numpy as np

N6_PUBLISHED = np.array(
    [
        (24.2, 69.8, 56.0),
        (25.1, 57.1, 85.9),
        (31.7, 49.0, 55.9),
        (46.8, 70.1, 77.8),
        (55.2, 46.4, 71.5),
        (56.9, 64.2, 47.6),
    ]
)
"""Centres (row, z, column) in pixels, from another program's reconstruction."""


def n6_centroids(volume: np.ndarray) -> np.ndarray:
    """Find the particles of an N6 volume: (row, z, column) each, by row.

    Centre of mass of the density in each watershed basin above Otsu's threshold.
    """
    from scipy import ndimage
    from skimage.feature import peak_local_max
    from skimage.filters import threshold_otsu
    from skimage.segmentation import watershed

    smooth = ndimage.gaussian_filter(volume, 1)
    peaks = peak_local_max(ndimage.gaussian_filter(volume, 2), min_distance=6, threshold_rel=0.25)
    markers = np.zeros(volume.shape, int)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    labels = watershed(-smooth, markers, mask=smooth > threshold_otsu(smooth))
    found = ndimage.center_of_mass(volume, labels, np.arange(1, len(peaks) + 1))
    found = np.array(found)[:, [1, 0, 2]]
    return found[np.argsort(found[:, 0])]


def distances(points: np.ndarray) -> np.ndarray:
    """Return the distance of every pair of points."""
    return np.array([np.linalg.norm(a - b) for a, b in itertools.combinations(points, 2)])
