"""The surface is found where it is, however little of the volume is particle."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from spheres import ball, balls

import napari_tomo4d as t4
from napari_tomo4d import Labels, TimeSeries, Volume
from napari_tomo4d.errors import DataError, ParameterError, Tomo4DWarning
from napari_tomo4d.progress import Progress
from napari_tomo4d.segment import (
    half_density,
    hysteresis,
    multi_otsu,
    otsu,
    threshold,
    threshold_noise,
    threshold_volumes,
)


def dice(a, b):
    return 2 * np.sum(a & b) / (a.sum() + b.sum())


def noisy_ball(level=2.0, background=1.0, noise=0.05, seed=0, n=48, radius=9, blur=1.5):
    rng = np.random.default_rng(seed)
    sharp = ball((n, n, n), (n / 2, n / 2 - 1, n / 2 + 0.3), radius)
    density = ndimage.gaussian_filter(sharp, blur)
    values = background + (level - background) * density + noise * rng.normal(size=density.shape)
    return Volume(values, 0.5), sharp


def test_half_density_is_halfway_and_gives_the_true_size_of_a_blurred_sphere():
    volume, sharp = noisy_ball()
    mask = half_density(volume, smoothing_px=0)
    assert mask.metadata["level"] == pytest.approx(1.5, abs=0.01)
    # a blurred sphere crosses half density sigma^2 / r inside of its surface
    true = 4 / 3 * np.pi * (9 - 1.5**2 / 9) ** 3
    assert mask.data.sum() == pytest.approx(true, rel=0.02)
    # which alone leaves 0.957
    assert dice(mask.data > 0, sharp > 0.5) > 0.95
    assert mask.pixel_size_nm == 0.5


def test_otsu_is_too_low_where_particles_are_few_and_half_density_is_not():
    volume, _ = noisy_ball(noise=0.01)
    few, many = otsu(volume), otsu(Volume(volume.data[14:34, 13:33, 14:34]))
    assert few.metadata["level"] < 1.46 < many.metadata["level"]
    for part in (volume, Volume(volume.data[14:34, 13:33, 14:34])):
        assert half_density(part, 0).metadata["level"] == pytest.approx(1.5, abs=0.02)


def test_otsu_is_the_exhaustive_maximum_of_the_variance_between_classes():
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(0, 1, 3000), rng.normal(6, 1.5, 1000)])
    volume = Volume(values.reshape(10, 20, 20))

    def between(level):
        high = values > level
        return high.mean() * (1 - high.mean()) * (values[high].mean() - values[~high].mean()) ** 2

    best = max(between(v) for v in np.linspace(values.min(), values.max(), 2000)[1:-1])
    assert between(otsu(volume).metadata["level"]) == pytest.approx(best, rel=1e-3)


def test_multi_otsu_tells_three_densities_apart():
    rng = np.random.default_rng(1)
    truth = np.zeros((30, 30, 30), int)
    truth[5:15, 5:25, 5:25], truth[18:27, 5:25, 5:25] = 1, 2
    found = multi_otsu(Volume(truth * 3.0 + rng.normal(0, 0.3, truth.shape)), 3)
    np.testing.assert_array_equal(found.data, truth)
    low, high = found.metadata["level"]
    assert 1 < low < 2 and 4 < high < 5
    with pytest.raises(ParameterError, match="between 2 and 5"):
        multi_otsu(Volume(rng.random((4, 4, 4))), 9)


def test_level_and_hysteresis_by_hand():
    data = np.zeros((3, 3, 9), np.float32)
    data[1, 1] = [0, 1, 2, 1, 0, 1, 1, 1, 0]
    assert threshold(Volume(data), 1.5).data.sum() == 1
    # a voxel of the level itself is no brighter than it, whatever its last digits
    edge = np.full((2, 2, 2), 0.1, np.float32)
    edge[0, 0, 0] = 1
    assert hysteresis(Volume(edge), 0.1, 0.1).data.sum() == 1
    kept = hysteresis(Volume(data), 0.5, 1.5)
    assert np.flatnonzero(kept.data[1, 1]).tolist() == [1, 2, 3]
    with pytest.raises(ParameterError, match="at least the level"):
        hysteresis(Volume(data), 1.5, 0.5)
    with pytest.raises(ParameterError, match="needs a level"):
        threshold_volumes(Volume(data), "level")


@pytest.mark.parametrize("method", ["half-density", "otsu", "multi-otsu", "level"])
def test_a_blank_volume_is_an_error_that_says_so(method):
    with pytest.raises(DataError, match="All voxels of 'blank' are 3"):
        threshold_volumes(Volume(np.full((4, 5, 6), 3.0), name="blank"), method, level=1.0)


def test_blur_is_as_little_as_the_noise_allows():
    clean, noisy = noisy_ball(noise=0.05)[0], noisy_ball(noise=0.5)[0]
    assert half_density(clean).metadata["smoothing_px"] == 0
    mask = threshold_volumes(noisy)
    assert 0.7 <= mask.metadata["smoothing_px"] <= 1.5
    assert any("blurred by" in n for n in mask.provenance.notes)
    truth = ball((48, 48, 48), (24, 23, 24.3), 9) > 0.5
    # both blurs move the surface by 0.36 voxels, which alone leaves 0.94
    assert dice(mask.data > 0, truth) > 0.89
    assert dice(threshold_volumes(noisy, smoothing_px=0).data > 0, truth) < 0.7


def test_noise_without_particles_gives_a_warning():
    noise = Volume(np.random.default_rng(0).normal(size=(40, 40, 40)))
    with pytest.warns(Tomo4DWarning, match="noise in the volume reaches the threshold"):
        threshold_volumes(noise)


def test_all_times_share_a_level_or_have_their_own():
    first, second = noisy_ball(2.0)[0], noisy_ball(3.0, seed=1)[0]
    times = TimeSeries([first, second], times_s=[0, 60])
    shared = threshold_volumes(times)
    assert isinstance(shared[0], Labels) and shared.times_s.tolist() == [0, 60]
    assert shared[0].metadata["level"] == shared[1].metadata["level"]
    assert 1.5 < shared[0].metadata["level"] < 2.0
    own = threshold_volumes(times, one_level=False)
    assert [m.metadata["level"] for m in own] == pytest.approx([1.5, 2.0], abs=0.02)
    assert own.provenance.step == "segment.threshold_volumes"
    assert sum(n.startswith("Threshold:") for n in own.provenance.notes) == 2


def test_a_cancelled_threshold_stops():
    progress = Progress()
    progress.cancel()
    with pytest.raises(t4.errors.Cancelled):
        threshold_volumes(noisy_ball()[0], progress=progress)


def test_the_level_may_shift_by_the_noise_at_the_surface():
    rng = np.random.default_rng(0)
    n = 60
    where = ball((n, n, n), (30, 30, 30), 16) > 0.5
    values = np.where(where, 10 + rng.normal(0, 0.8, where.shape), rng.normal(0, 0.6, where.shape))
    volume = Volume(values)
    mask = threshold(volume, 5.0)
    low, high = threshold_noise(volume, mask)
    expected = np.sqrt((0.8**2 + 0.6**2) / 2)
    assert (5 - low, high - 5) == pytest.approx((expected, expected), rel=0.05)
    low, high = threshold_noise(volume, Labels(mask.data))
    assert (low + high) / 2 == pytest.approx(5, abs=0.05)
    with pytest.raises(DataError, match="empty or full"):
        threshold_noise(volume, Labels(np.zeros((n, n, n), int)))
    with pytest.raises(DataError, match="have to be equal"):
        threshold_noise(volume, Labels(mask.data[1:]))


def test_volumes_of_both_levels_bracket_the_true_volume():
    for seed in range(3):
        sharp = balls((64, 64, 64), (20, 22, 30, 12), (46, 40, 32, 9))
        density = ndimage.gaussian_filter(sharp, 1)
        noise = np.random.default_rng(seed).normal(0, 0.1, sharp.shape)
        volume = Volume(density + noise)
        mask = threshold_volumes(volume, smoothing_px=0)
        low, high = threshold_noise(volume, mask)
        assert (volume.data > high).sum() < sharp.sum() < (volume.data > low).sum()


def test_input_is_left_alone_and_tilt_series_are_refused():
    volume, _ = noisy_ball()
    before = volume.data.copy()
    threshold_volumes(volume, smoothing_px=1.0)
    np.testing.assert_array_equal(volume.data, before)
    series = t4.TiltSeries(np.ones((2, 4, 4)), [0, 1])
    with pytest.raises(DataError, match="reconstruct the tilt series first"):
        threshold_volumes(TimeSeries([series]))
