"""The picture of a section shows what lies in it."""

from __future__ import annotations

import numpy as np
import pytest
from test_pairs_step import three_balls

import napari_tomo4d as t4
from napari_tomo4d.measure import neck
from napari_tomo4d.measure.necks.section_image import (
    BACKGROUND,
    FIRST,
    OTHER,
    SECOND,
    section_image,
)


@pytest.fixture(scope="module")
def labels():
    return three_balls()


def at(picture, along, up):
    """Return the value at a place in nm from the neck."""
    left, top, width, height = picture.extent_nm
    rows, columns = picture.image.shape
    column, row = int((along - left) / width * columns), int((up - top) / height * rows)
    return picture.image[row, column]


def test_labels_are_shown_by_what_they_are_to_the_pair(labels):
    section = neck(labels, 1, 2).section
    picture = section_image(section, labels, 1, 2, extent_nm=(-60, -40, 160, 80), step_nm=0.5)
    assert not picture.grey and picture.image.shape == (160, 320)
    # centres lie 18 nm on either side of the neck; the third ball 54 nm away
    assert at(picture, -18, 0) == FIRST and at(picture, 18, 0) == SECOND
    assert at(picture, 54, 0) == OTHER and at(picture, 0, 35) == BACKGROUND
    np.testing.assert_allclose(picture.centres[:, 0], [-18, 18], atol=1)
    assert np.diff(picture.neck_line[:, 1])[0] == pytest.approx(
        2 * neck(labels, 1, 2).neck_radius_nm
    )


def test_grey_values_are_those_of_the_volume_and_unknown_outside(labels):
    x = np.broadcast_to(np.arange(72, dtype=np.float32), labels.data.shape)
    section = neck(labels, 1, 2).section
    picture = section_image(section, labels, 1, 2, t4.Volume(x, 2.0))
    assert picture.grey
    # the volume rises along the pair by one per voxel of 2 nm
    middle = picture.image[picture.image.shape[0] // 2]
    left, _, width, _ = picture.extent_nm
    sites = left + (np.arange(len(middle)) + 0.5) * width / len(middle)
    good = np.isfinite(middle)
    np.testing.assert_allclose(middle[good], (section.origin_nm[2] + sites[good]) / 2, atol=0.05)
    wide = section_image(section, labels, 1, 2, t4.Volume(x, 2.0), extent_nm=(-200, -9, 400, 18))
    assert np.isnan(wide.image[:, 0]).all()
