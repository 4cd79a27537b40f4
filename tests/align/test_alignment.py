"""Stored alignments are read, applied and written."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import napari_tomo4d as t4
from napari_tomo4d.errors import DataError, ReadError, Tomo4DWarning


def blobs(shape=(40, 50)):
    rng = np.random.default_rng(0)
    return ndimage.gaussian_filter(rng.random(shape), 3).astype(np.float32)


def test_shifts_are_added_to_the_content():
    image = blobs()
    series = t4.TiltSeries(np.stack([image] * 3), [0, 1, 2])
    shifts = [(0, 0), (3, -2), (0.5, 1.25)]
    got = t4.align.apply(series, t4.align.Alignment(shifts)).images
    np.testing.assert_array_equal(got[0], image)
    np.testing.assert_array_equal(got[1][3:, :-2], image[:-3, 2:])
    back = ndimage.shift(got[2], (-0.5, -1.25), order=3)
    np.testing.assert_allclose(back[5:-5, 5:-5], image[5:-5, 5:-5], atol=1e-3)


@pytest.mark.parametrize("tilt_axis", ["y", "x"])
def test_turned_magnified_shifted_and_set_on_the_axis(tilt_axis):
    """A point goes from p to m R p + s, and from there with the axis as without rotations."""
    image = np.zeros((61, 71), np.float32)
    image[30 + 10, 35 - 15] = 1
    image = ndimage.gaussian_filter(image, 1.5)
    turned = t4.align.Alignment([(1.5, -2.25)], [20.0], [1.2])
    series = t4.TiltSeries(image[None], [0.0], tilt_axis=tilt_axis)
    angle = np.deg2rad(20)
    down = 1.2 * (10 * np.cos(angle) - 15 * np.sin(angle)) + 1.5
    right = 1.2 * (-15 * np.cos(angle) - 10 * np.sin(angle)) - 2.25
    axis = t4.align.TiltAxis(2.5, -8.0)
    got = t4.align.apply(series, turned, axis)
    # the same point, only shifted to that place before
    beside = t4.align.Alignment([(down - 10, right + 15)])
    wanted = t4.align.apply(series, beside, axis)
    centre = np.array(ndimage.center_of_mass(t4.align.apply(series, turned).images[0]))
    np.testing.assert_allclose(centre - (30, 35), (down, right), atol=0.02)
    np.testing.assert_allclose(
        ndimage.center_of_mass(got.images[0]), ndimage.center_of_mass(wanted.images[0]), atol=0.02
    )


def test_files(tmp_path):
    path = tmp_path / "a.csv"
    for text in (
        "# tilt_deg,shift_y_px(up),shift_x_px(right)\n1,2.5,-3\n2,0,1\n",
        "dy,dx\n2.5,-3\n0,1\n",
        "dx,dy\n-3,2.5\n1,0\n",
    ):
        path.write_text(text)
        assert t4.align.read_alignment(path).shifts_px.tolist() == [[2.5, -3], [0, 1]]
    path.write_text("2.5,-3\n0,1\n")
    with pytest.warns(Tomo4DWarning, match="taken as dy, dx"):
        alignment = t4.align.read_alignment(path)
    t4.align.write_alignment(alignment, tmp_path / "a.json")
    again = t4.align.read_alignment(tmp_path / "a.json")
    np.testing.assert_array_equal(again.shifts_px, alignment.shifts_px)
    path.write_text("tilt,a,b\n1,2,3\n")
    with pytest.raises(ReadError, match="no columns named dy and dx"):
        t4.align.read_alignment(path)
    with pytest.raises(ReadError, match="can't be read"):
        t4.align.read_alignment(tmp_path / "missing.csv")


def test_what_does_not_fit_is_refused():
    series = t4.TiltSeries(np.stack([blobs()] * 2), [0, 1])
    with pytest.raises(DataError, match="3 shifts but the series 2 tilts"):
        t4.align.apply(series, t4.align.Alignment(np.zeros((3, 2))))
    with pytest.raises(DataError, match="45 px moves an image out of its frame"):
        t4.align.apply(series, t4.align.Alignment([(0, 0), (45, 0)]))
    with pytest.raises(DataError, match="two finite numbers"):
        t4.align.Alignment([(0, np.nan)])
    with pytest.raises(DataError, match="rotations_deg of an alignment need one finite number"):
        t4.align.Alignment([(0, 0)], [1, 2])
    with pytest.raises(DataError, match="between 0.01 and 100"):
        t4.align.Alignment([(0, 0)], None, [0])


def test_needle_is_still_after_its_published_shifts(reference_data):
    series = t4.read(reference_data("needle", "HAADF.mrc"), tilt_axis="x")
    shifts = str(reference_data("needle", "needle_shifts_PC.csv"))
    aligned = t4.align.apply_file(series, shifts)

    def wobble(images):
        """Spread in pixels of the needle's centre across the tilt axis (y)."""
        rows = (images.astype(float) - np.median(images)).clip(0).sum(axis=2)
        centres = (rows * np.arange(256)).sum(axis=1) / rows.sum(axis=1)
        return np.diff(centres).std()

    assert wobble(aligned.images) < 0.2 * wobble(series.images)
