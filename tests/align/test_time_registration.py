"""Time points are put on the first by what does not change."""

from __future__ import annotations

import numpy as np
import pytest
from moving_sample import centres_of_still_particles, drifting_series
from scipy import ndimage

import napari_tomo4d as t4
from napari_tomo4d.align.time_registration import register_volumes, shift_volumes
from napari_tomo4d.errors import DataError
from napari_tomo4d.pipeline import run_step


def test_still_particles_stay_while_others_sinter():
    _, truth = t4.simulate.sintering(n_times=6, shape=(60, 72, 80), seed=3, lazy=True)
    rng = np.random.default_rng(0)
    drift = np.vstack([np.zeros(3), rng.uniform(-4, 4, (5, 3))])
    volumes = []
    for moved, volume in zip(drift, truth.volumes, strict=True):
        data = ndimage.shift(volume.data, moved, order=3)
        volumes.append(t4.Volume(data + rng.normal(0, 0.15, data.shape), 1.0))
    found = register_volumes(t4.TimeSeries(volumes))
    assert np.linalg.norm(found.shifts_px + drift, axis=1).max() < 0.3


@pytest.mark.parametrize(
    "seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)]
)
def test_single_particles_stay_in_reconstructions_at_low_dose(seed):
    rng = np.random.default_rng(seed)
    drift = np.vstack([np.zeros(3), rng.uniform(-3, 3, (5, 3))])
    series, truth = drifting_series(seed, drift)
    volumes = [t4.reconstruct.sirt(s, iterations=20, thickness=64) for s in series]
    found = register_volumes(volumes)
    assert np.linalg.norm(found.shifts_px + drift, axis=1).max() < 0.3
    centres = centres_of_still_particles(shift_volumes(volumes, found), truth)
    assert centres.shape[1] >= 2
    # the first volume is as noisy as the others
    assert np.linalg.norm(centres - centres.mean(axis=0), axis=2).max() < 0.3


def test_a_particle_that_walks_away_does_not_pull_the_others():
    def scene(walk):
        z, y, x = np.mgrid[:32, :48, :48]
        spheres = [(16, 10, 10, 6), (16, 12, 36, 6), (14, 36, 12, 5), (16, 34 + walk, 34, 8)]
        return sum(
            np.clip(r + 0.5 - np.sqrt((z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2), 0, 1)
            for a, b, c, r in spheres
        )

    volumes = [t4.Volume(scene(0)), t4.Volume(1.2 * scene(3.0))]
    found = register_volumes(volumes)
    assert np.abs(found.shifts_px).max() < 0.1
    assert found.particles[1] == 4


def test_whole_voxels_are_moved_without_interpolation():
    data = np.random.default_rng(0).random((6, 7, 8)).astype(np.float32)
    series = t4.TimeSeries([t4.Volume(data), t4.Volume(data)], times_s=[0, 5])
    moved = shift_volumes(series, np.array([(0, 0, 0), (1, -2, 0)]))
    np.testing.assert_array_equal(moved[0].data, data)
    np.testing.assert_array_equal(moved[1].data[1:, :-2], data[:-1, 2:])
    assert moved.times_s.tolist() == [0, 5]
    with pytest.raises(DataError, match="need as many finite shifts"):
        shift_volumes(series, np.zeros((3, 3)))


def test_the_step_moves_all_times_and_says_by_how_much():
    z, y, x = np.mgrid[:20, :24, :28]
    ball = np.clip(6.5 - np.sqrt((z - 9) ** 2 + (y - 11) ** 2 + (x - 12) ** 2), 0, 1)
    volumes = t4.TimeSeries([t4.Volume(ball), t4.Volume(np.roll(ball, (1, 2), (1, 2)))])
    done = run_step("align.align_times", volumes, {})
    np.testing.assert_allclose(done[1].data, done[0].data, atol=0.1)
    assert done[1].metadata["time_shift_px"] == pytest.approx([0, -1, -2], abs=0.1)
    assert done.provenance.step == "align.align_times"
    # a level that all voxels share moves nothing, whatever the smoothing
    raised = volumes.with_items([t4.Volume(v.data + 100) for v in volumes])
    sharp = run_step("align.align_times", raised, {"smoothing_px": 0})
    assert sharp[1].metadata["time_shift_px"] == pytest.approx([0, -1, -2], abs=0.1)
    with pytest.raises(DataError, match="several time points"):
        run_step("align.align_times", volumes[0], {})


def test_what_can_not_be_registered():
    volume = t4.Volume(np.random.default_rng(0).random((6, 7, 8)))
    with pytest.raises(DataError, match="at least two volumes"):
        register_volumes([volume])
    with pytest.raises(DataError, match="differ in shape"):
        register_volumes([volume, t4.Volume(volume.data[1:])])
    with pytest.raises(DataError, match="time point 2 is empty"):
        register_volumes([volume, t4.Volume(np.zeros((6, 7, 8)))])
    with pytest.raises(DataError, match="differ in voxel size"):
        register_volumes([volume, t4.Volume(volume.data, 2.0)])
