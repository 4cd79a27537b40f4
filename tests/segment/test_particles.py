"""Particles are parted at necks, and only there."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import ndimage
from spheres import ball, balls, sintered_pair

import napari_tomo4d as t4
from napari_tomo4d import Labels
from napari_tomo4d.errors import Cancelled, Tomo4DWarning
from napari_tomo4d.progress import Progress
from napari_tomo4d.segment import count_particles, separate_particles, separation_depths


def part_right(labels, mask, side):
    """Share of the mask that is on its side of the neck."""
    one = ((labels == 1) & side & mask).sum() + ((labels == 2) & ~side & mask).sum()
    return max(one, mask.sum() - one) / mask.sum()


@pytest.mark.parametrize("noise", [0.0, 0.2])
@pytest.mark.parametrize(("radius", "trials"), [(8, 4), (15, 3), (30, 1)])
@pytest.mark.parametrize("x", [0.2, 0.4, 0.6, 0.8])
def test_two_spheres_are_parted_at_their_neck(x, radius, trials, noise):
    rng = np.random.default_rng([int(10 * x), radius])
    for _ in range(trials):
        mask, side = sintered_pair(x, radius, rng, noise)
        found = separate_particles(Labels(mask.astype(int)))
        assert found.data.max() == 2
        # half a voxel along the whole neck
        allowed = max(0.5 * np.pi * (x * radius) ** 2 / mask.sum(), 0.005)
        assert part_right(found.data, mask & (found.data > 0), side) > 1 - allowed
        assert count_particles(Labels(mask.astype(int))) == 2


@pytest.mark.parametrize("noise", [0.0, 0.2, 0.3])
@pytest.mark.parametrize("radius", [8, 15, 30])
def test_one_rough_sphere_stays_one(radius, noise):
    n = 2 * radius + 11
    for seed in range(4 if radius < 30 else 1):
        rng = np.random.default_rng(seed)
        sharp = ball((n, n, n), (n - 1) / 2 + rng.uniform(-0.5, 0.5, 3), radius)
        rough = ndimage.gaussian_filter(sharp, 1) + noise * rng.normal(size=sharp.shape)
        found = separate_particles(Labels((rough > 0.5).astype(int)))
        assert found.data.max() == 1
        assert (found.data > 0)[sharp > 0.5].mean() > 0.8


def test_neck_depth_decides_and_means_what_it_says():
    # r_n / r0 = 0.6, so that the neck is 0.4 narrower than the spheres
    mask, _ = sintered_pair(0.6, 20, np.random.default_rng(0))
    labels = Labels(mask.astype(int))
    assert separation_depths(labels)[:2] == pytest.approx([1, 0.4], abs=0.04)
    assert separate_particles(labels, neck_depth=0.35).data.max() == 2
    assert separate_particles(labels, neck_depth=0.45).data.max() == 1


def test_particles_of_unequal_size_and_chains():
    density = balls((40, 60, 90), (20, 30, 22, 16), (20, 30, 42, 8), (20, 30, 70, 12))
    mask = density > 0.5
    found = separate_particles(Labels(mask.astype(int)))
    assert found.data.max() == 3
    assert [int(found.data[20, 30, x]) for x in (22, 70, 42)] == [1, 2, 3]
    sizes = np.bincount(found.data.ravel())[1:]
    assert (np.diff(sizes) < 0).all()
    np.testing.assert_array_equal(found.data > 0, mask)
    # two spheres meet in the plane of equal power
    plane = (20**2 + 16**2 - 8**2) / (2 * 20)
    edge = 22 + plane
    one = np.flatnonzero(found.data[20, 30, :50] == 1).max() + 0.5
    assert one == pytest.approx(edge, abs=1)


def test_specks_are_left_out_and_said():
    density = balls((30, 30, 50), (15, 15, 14, 9), (15, 15, 35, 1.8))
    mask = Labels((density > 0.5).astype(int))
    found = separate_particles(mask)
    assert found.data.max() == 1
    assert "1 pieces smaller than" in found.provenance.notes[0]
    assert separate_particles(mask, min_diameter_px=1).data.max() == 2


def test_holes_and_single_voxels_do_not_part():
    mask = ball((40, 40, 40), (20, 20, 20), 14) > 0.5
    rng = np.random.default_rng(0)
    mask &= rng.random(mask.shape) > 0.02
    mask[20:23, 20:23, 20:23] = False
    found = separate_particles(Labels(mask.astype(int)))
    assert found.data.max() == 1
    np.testing.assert_array_equal(found.data > 0, mask)


def test_particles_cut_by_the_edge_are_found():
    density = balls((20, 40, 40), (0, 12, 12, 11), (0, 12, 32, 11))
    found = separate_particles(Labels((density > 0.5).astype(int)))
    assert found.data.max() == 2


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_particle_of_the_simulated_experiment_is_found(seed):
    _, truth = t4.simulate.sintering(n_times=3, shape=(96, 128, 128), seed=seed, lazy=True)
    for true in truth.labels:
        found = separate_particles(Labels(true.data > 0))
        assert found.data.max() == true.data.max()
        for label in range(1, true.data.max() + 1):
            own = true.data == label
            same = found.data == np.bincount(found.data[own]).argmax()
            assert 2 * (own & same).sum() / (own.sum() + same.sum()) > 0.985


def test_an_empty_mask_is_a_warning_and_a_run_can_be_cancelled():
    with pytest.warns(Tomo4DWarning, match="no particles in this mask"):
        assert separate_particles(Labels(np.zeros((5, 6, 7), int))).data.max() == 0
    assert count_particles(Labels(np.zeros((5, 6, 7), int))) == 0
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        separate_particles(Labels(np.ones((9, 9, 9), int)), progress=progress)


def test_counting_is_quick_enough_for_a_slider():
    quarter = balls((96, 96, 192), (40, 40, 30, 20), (40, 40, 66, 20), (40, 40, 140, 20))
    mask = Labels((np.tile(quarter, (2, 2, 1)) > 0.5).astype(int))
    count_particles(mask)
    start = time.perf_counter()
    depths = separation_depths(mask)
    assert time.perf_counter() - start < 1.0
    # 36 apart at radius 20: the neck has a radius of 8.7
    assert (depths >= 0.08).sum() == 12 and (depths >= 0.7).sum() == 8
