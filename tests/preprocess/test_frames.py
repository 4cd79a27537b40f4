"""Frames are registered and averaged; regions and bins keep the geometry."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.errors import Cancelled, DataError, Tomo4DWarning
from napari_tomo4d.progress import Progress


def test_drift_between_frames_is_found_and_undone():
    experiment, truth = t4.simulate.sintering(
        1, (48, 128, 128), frames_per_tilt=4, drift_px=4, tilt_step_deg=20, probe_current_pa=8
    )
    averaged = t4.preprocess.average_frames(experiment[0])
    assert averaged.frames_per_tilt == (1,) * 5
    found = np.array(averaged.metadata["frame_shifts_px"])
    # content moved by `shifts` comes back by minus that, up to the mean of each tilt
    expected = -(truth.shifts_px[0] - truth.shifts_px[0].mean(axis=1, keepdims=True))
    assert np.sqrt(np.mean((found - expected) ** 2)) < 0.2
    # and the average is sharper than without
    plain = t4.preprocess.average_frames(experiment[0], register=False)
    assert averaged.images.std() > plain.images.std()


def test_frames_are_aligned_onto_the_first_which_stays():
    experiment, truth = t4.simulate.sintering(
        1, (48, 128, 128), frames_per_tilt=4, drift_px=4, tilt_step_deg=40, probe_current_pa=8
    )
    series = experiment[0]
    aligned = t4.preprocess.align_frames(series)
    assert aligned.frames_per_tilt == series.frames_per_tilt
    np.testing.assert_array_equal(aligned.images[:, 0], series.images[:, 0])
    # what is left between frames is noise
    for i in range(len(series)):
        before, after = (s.frames(i) for s in (series, aligned))
        assert np.square(after[1:] - after[0]).mean() < np.square(before[1:] - before[0]).mean()
    assert np.abs(truth.shifts_px).max() > 1


def test_average_of_frames_that_do_not_move_is_their_mean():
    rng = np.random.default_rng(0)
    parts = [rng.random((n, 40, 50), dtype=np.float32) for n in (1, 3, 2)]
    series = t4.TiltSeries(parts, [0, 10, 20])
    got = t4.preprocess.average_frames(series, register=False)
    for image, frames in zip(got.images, parts, strict=True):
        np.testing.assert_allclose(image, frames.mean(axis=0), rtol=1e-6)


def test_averaging_means_of_frames_counts_all_that_were_recorded():
    frames = np.random.default_rng(0).random((2, 8, 6, 5), dtype=np.float32)
    once = t4.preprocess.average_frames(t4.TiltSeries(frames, [0, 10], 1.0), register=False)
    twice = t4.preprocess.average_frames(once, register=False)
    assert twice.metadata["frames_averaged"] == [8, 8]
    dosed = [t4.preprocess.set_dose(s, 1, 1000).dose_e_per_nm2 for s in (once, twice)]
    assert dosed[1] == dosed[0]


def test_metadata_of_tilts_without_the_frame_go_with_them():
    parts = [np.ones((n, 4, 5), np.float32) for n in (1, 2, 2)]
    metadata = {"dose_e_per_nm2_per_tilt": [1.0, 2.0, 3.0]}
    series = t4.TiltSeries(parts, [0, 10, 20], metadata=metadata)
    with pytest.warns(Tomo4DWarning, match="left out: 0 deg"):
        second = t4.preprocess.select_frame(series, 2)
    assert second.metadata["dose_e_per_nm2_per_tilt"] == [2.0, 3.0]


def test_one_frame_can_be_taken_and_missing_ones_are_named():
    parts = [np.full((n, 4, 5), n, np.float32) + np.arange(n)[:, None, None] for n in (1, 3, 2)]
    series = t4.TiltSeries(parts, [0, 10, 20])
    assert t4.preprocess.select_frame(series, 1).images[:, 0, 0].tolist() == [1, 3, 2]
    with pytest.warns(Tomo4DWarning, match="without frame 2 were left out: 0 deg"):
        second = t4.preprocess.select_frame(series, 2)
    assert second.images[:, 0, 0].tolist() == [4, 3]
    assert second.angles_deg.tolist() == [10, 20]
    assert second.provenance.warnings == ("Tilts without frame 2 were left out: 0 deg.",)
    with pytest.raises(DataError, match="has 4 frames; the most is 3"):
        t4.preprocess.select_frame(series, 4)


@pytest.mark.parametrize("tilt_axis", ["y", "x"])
def test_crop_and_bin_keep_the_axis_in_the_sample(tilt_axis):
    angles = np.arange(-90, 90, 3.0)
    volume = np.zeros((64, 64, 64), np.float32)
    volume[28:40, 20:32, 26:42] = 1
    projector = t4.reconstruct.Projector(volume.shape, angles, tilt_axis=tilt_axis)
    series = t4.TiltSeries(projector.forward(volume), angles, 1.0, tilt_axis)
    region = t4.preprocess.crop(series, 8, 50, 10, 60)
    assert region.metadata["origin_px"] == [8, 10]
    part = t4.reconstruct.sirt(region, 60, thickness=64).data
    assert np.corrcoef(part.ravel(), volume[:, 8:50, 10:60].ravel())[0, 1] > 0.95
    binned = t4.preprocess.bin(region, 2)
    assert binned.pixel_size_nm == 2
    assert binned.metadata["origin_px"] == [4.25, 5.25]
    small = t4.reconstruct.sirt(binned, 60, thickness=32).data
    expected = volume[:, 8:50, 10:60].reshape(32, 2, 21, 2, 25, 2).mean(axis=(1, 3, 5))
    # a projection of twice the pixel counts half as many pixels along the ray
    assert np.corrcoef(small.ravel(), expected.ravel())[0, 1] > 0.95


def test_bin_is_the_mean_and_says_what_it_cuts():
    images = np.arange(2 * 5 * 7, dtype=np.float32).reshape(2, 5, 7)
    with pytest.warns(Tomo4DWarning, match="cut off 1 rows and 1 columns"):
        got = t4.preprocess.bin(t4.TiltSeries(images, [0, 1]), 2)
    np.testing.assert_allclose(got.images[0, 0, 0], images[0, :2, :2].mean())
    assert got.axis_shift_px == 0.25
    with pytest.raises(DataError, match="5 x 7 pixels can't be binned by 8"):
        t4.preprocess.bin(t4.TiltSeries(images, [0, 1]), 8)


def test_crop_outside_is_refused():
    series = t4.TiltSeries(np.ones((2, 5, 7)), [0, 1])
    with pytest.raises(DataError, match="3 to 9 along y is not within the images"):
        t4.preprocess.crop(series, 3, 9)


def test_background_percentile():
    rng = np.random.default_rng(0)
    images = rng.normal(100, 1, (3, 50, 50)).astype(np.float32)
    images[:, 20:30, 20:30] += 50
    got = t4.preprocess.subtract_background(t4.TiltSeries(images, [0, 1, 2]), 50, clip=False)
    assert np.median(got.images) == pytest.approx(0, abs=0.01)
    assert got.images[:, 20:30, 20:30].mean() == pytest.approx(50, abs=0.2)
    clipped = t4.preprocess.subtract_background(t4.TiltSeries(images, [0, 1, 2]), 50)
    assert clipped.images.min() == 0
    assert clipped.metadata["background"] == pytest.approx([100] * 3, abs=0.1)


@pytest.mark.parametrize("name", ["average_frames", "bin", "subtract_background"])
def test_cancel(name):
    progress = Progress()
    progress.cancel()
    series = t4.TiltSeries(np.ones((2, 8, 8)), [0, 1])
    with pytest.raises(Cancelled):
        getattr(t4.preprocess, name)(series, progress=progress)
