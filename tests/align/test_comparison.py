"""Pictures to judge an alignment by, and the mean that follows a few changed shifts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import napari_tomo4d as t4
from napari_tomo4d.align import apply
from napari_tomo4d.align.comparison import compare_images, neighbour
from napari_tomo4d.align.mean_of_aligned import MeanOfAligned
from napari_tomo4d.align.transforms import Alignment
from napari_tomo4d.contrast import grey_levels
from napari_tomo4d.progress import Progress

ANGLES = np.array([-20.0, -10.0, 0.0, 10.0, 20.0])


@pytest.fixture(scope="module")
def series():
    """A blob that jumps about by known shifts."""
    y, x = np.mgrid[:40, :50]
    blob = np.exp(-((y - 20) ** 2 + (x - 25) ** 2) / 50)
    jumps = np.array([(0, 0), (3, -2), (0, 0), (-4, 1), (2, 2)])
    images = np.stack([ndimage.shift(blob, j, order=1) for j in jumps]).astype(np.float32)
    return t4.TiltSeries(images, ANGLES, 1.0), -jumps.astype(float)


def test_the_neighbour_is_the_next_in_angle_towards_zero():
    good = np.zeros(5, bool)
    assert [neighbour(ANGLES, good, k) for k in (0, 1, 3, 4)] == [1, 2, 2, 3]
    # one that is no measure is passed over, unless there is no other
    assert neighbour(ANGLES, np.array([False, True, False, False, False]), 0) == 2
    assert neighbour(ANGLES, np.ones(5, bool), 0) == 1


def test_images_that_lie_on_each_other_are_alike(series):
    images, shifts = series
    right = compare_images(images, shifts, (3, 2))
    wrong = compare_images(images, np.zeros((5, 2)), (3, 2))
    assert right.correlation > 0.999 > wrong.correlation
    assert np.abs(right.difference).max() < 0.05 < np.abs(wrong.difference).max()
    fields = np.unique(right.checkerboard - right.reference)
    assert len(fields) > 1 and (right.checkerboard == right.reference).any()


def test_the_mean_follows_changed_shifts(series):
    images, shifts = series
    mean, everything = MeanOfAligned(), np.zeros(5, bool)
    for moved, left_out in (
        (shifts, everything),
        (np.add(shifts, (0, 1)), everything),
        (shifts, np.array([False, True, False, False, True])),
        (shifts, everything),
    ):
        found = mean.update(images, moved, left_out, Progress())
        aligned = apply(images, Alignment(moved)).images[~left_out]
        np.testing.assert_allclose(found, aligned.mean(axis=0), atol=1e-5)


def test_grey_levels_pass_over_what_is_no_number():
    ramp = np.arange(1001, dtype=float)
    low, high = grey_levels(ramp)
    assert (low, high) == (5, 998)
    ramp[::10] = np.nan
    assert grey_levels(ramp) == pytest.approx((5, 998), abs=10)


def test_grey_levels_are_never_the_same():
    assert grey_levels(np.full((4, 4), 7.0)) == (7, 8)
    assert grey_levels(np.full((4, 4), np.nan)) == (0, 1)
    # a few bright pixels on nothing are still seen
    image = np.zeros((100, 100))
    image[3, 4] = 9
    assert grey_levels(image) == (0, 9)


def test_grey_levels_of_a_large_image_are_quick_and_nearly_the_same():
    image = np.random.default_rng(0).normal(100, 10, (3000, 2000))
    low, high = np.percentile(image, (0.5, 99.8))
    assert grey_levels(image) == pytest.approx((low, high), abs=0.5)
