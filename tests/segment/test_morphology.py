"""Masks are mended by balls of the stated radius, and by sizes of the stated diameter."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import ball as voxel_ball
from spheres import ball, balls

from napari_tomo4d import Labels
from napari_tomo4d.errors import Tomo4DWarning
from napari_tomo4d.segment import clean_mask
from napari_tomo4d.segment.distance import squared_distance


@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_distances_are_exact(share):
    mask = np.random.default_rng(0).random((31, 24, 40)) < share
    exact = np.round(ndimage.distance_transform_edt(mask) ** 2)
    np.testing.assert_array_equal(squared_distance(mask), exact)


def test_distance_does_not_end_at_the_edge_of_the_volume():
    mask = np.ones((3, 3, 9), bool)
    mask[:, :, 0] = False
    assert squared_distance(mask)[1, 1].tolist() == [i**2 for i in range(9)]
    assert squared_distance(np.ones((2, 2, 2), bool)).min() == 2**30


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_opening_and_closing_are_those_by_a_ball_of_voxels(radius):
    rng = np.random.default_rng(radius)
    mask = np.zeros((36, 36, 36), bool)
    mask[8:28, 8:28, 8:28] = ndimage.gaussian_filter(rng.random((20, 20, 20)), 2.5) > 0.495
    only = {"fill_holes": False, "min_diameter_px": 0}
    opened = clean_mask(Labels(mask.astype(int)), opening_px=radius, **only)
    np.testing.assert_array_equal(opened.data, ndimage.binary_opening(mask, voxel_ball(radius)))
    closed = clean_mask(Labels(mask.astype(int)), closing_px=radius, **only)
    np.testing.assert_array_equal(closed.data, ndimage.binary_closing(mask, voxel_ball(radius)))


def test_holes_are_filled_in_3d_only():
    mask = ball((30, 30, 30), (14, 14, 14), 11) > 0.5
    holed = mask.copy()
    holed[14:16, 14:16, 14:16] = False
    holed[9, 14, 14] = False
    tunnel = holed.copy()
    tunnel[20, 14, :] = False
    filled = clean_mask(Labels(tunnel.astype(int)))
    assert (mask & (filled.data == 0)).sum() == (mask & ~tunnel).sum() - 9
    # a hole of 1 voxel has a diameter of 1.24, one of 8 voxels 2.48
    small = clean_mask(Labels(holed.astype(int)), max_hole_px=2.0)
    assert small.data[9, 14, 14] == 1 and small.data[14, 14, 14] == 0


def test_specks_go_by_equivalent_diameter():
    density = balls((30, 30, 60), (15, 15, 14, 6), (15, 15, 30, 3.0), (15, 15, 45, 2.0))
    mask = Labels((density > 0.5).astype(int))
    kept = clean_mask(mask, min_diameter_px=5.0)
    assert ndimage.label(kept.data)[1] == 2
    assert kept.data[15, 15, 45] == 0 and kept.data[15, 15, 30] == 1
    assert kept.provenance.step == "segment.clean_mask"
    with pytest.warns(Tomo4DWarning, match="Nothing is left"):
        clean_mask(mask, min_diameter_px=30)
