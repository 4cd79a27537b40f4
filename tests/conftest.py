"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def reference_data():
    """Return a function that gives the path of a reference data set, or skips the test."""
    folder = Path(os.environ.get("TOMO4D_DATA", ROOT.parent / "shared" / "data"))

    def path(*parts: str) -> Path:
        result = folder.joinpath(*parts)
        if not result.exists():
            pytest.skip(
                f"the reference data {'/'.join(parts)} is not here; "
                "set TOMO4D_DATA to the folder that holds it"
            )
        return result

    return path


@pytest.fixture(scope="session")
def n6_centroids():
    """Return a function that finds the particles of an N6 volume: (row, z, column) each.

    Centre of mass of the density in each watershed basin above Otsu's threshold.
    """
    from scipy import ndimage
    from skimage.feature import peak_local_max
    from skimage.filters import threshold_otsu
    from skimage.segmentation import watershed

    def centroids(volume: np.ndarray) -> np.ndarray:
        smooth = ndimage.gaussian_filter(volume, 1)
        peaks = peak_local_max(
            ndimage.gaussian_filter(volume, 2), min_distance=6, threshold_rel=0.25
        )
        markers = np.zeros(volume.shape, int)
        markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
        labels = watershed(-smooth, markers, mask=smooth > threshold_otsu(smooth))
        found = ndimage.center_of_mass(volume, labels, np.arange(1, len(peaks) + 1))
        found = np.array(found)[:, [1, 0, 2]]
        return found[np.argsort(found[:, 0])]

    return centroids
