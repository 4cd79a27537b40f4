"""Particles are found in reconstructions from a missing wedge, simulated and real."""

from __future__ import annotations

import numpy as np
import pytest
from n6 import N6_PUBLISHED, distances
from scipy import ndimage

import napari_tomo4d as t4
from napari_tomo4d import Labels, TimeSeries, Volume
from napari_tomo4d.errors import Tomo4DWarning
from napari_tomo4d.segment import (
    count_particles,
    follow_particles,
    half_density,
    otsu,
    particle_events,
    separate_particles,
    threshold,
    threshold_volumes,
)


def dice(a, b):
    return 2 * np.sum(a & b) / (a.sum() + b.sum())


@pytest.fixture(scope="module")
def experiment():
    return t4.simulate.sintering(n_times=3, shape=(96, 128, 128), seed=0)


def test_sirt_of_a_noisy_experiment_gives_every_particle_its_number(experiment):
    tilts, truth = experiment
    volumes = TimeSeries([t4.reconstruct.sirt(s, 50, thickness=96) for s in tilts])
    masks = threshold_volumes(volumes)
    found = follow_particles(TimeSeries([separate_particles(m) for m in masks]))
    assert len(particle_events(found)) == 0
    names = None
    for t, item in enumerate(found):
        true = truth.labels[t].data
        best = [np.bincount(item.data[true == n]).argmax() for n in range(1, true.max() + 1)]
        names = best if names is None else names
        assert best == names and sorted(best) == list(range(1, true.max() + 1))
        # noise and wedge; Otsu's threshold without blur reaches 0.61
        assert dice(masks[t].data > 0, true > 0) > 0.82


def test_total_variation_at_half_density_is_nearer_to_the_truth_than_at_otsu(experiment):
    tilts, truth = experiment
    volume = t4.reconstruct.tv(tilts[2], weight=0.05, thickness=96)
    true = truth.labels[2].data
    mask, lower = half_density(volume), otsu(volume)
    size = truth.volumes[2].data.sum()
    bias, otsu_bias = mask.data.sum() / size - 1, lower.data.sum() / size - 1
    # +-40 degrees elongate particles along the beam
    assert 0 < bias < 0.15 and bias < otsu_bias
    assert dice(mask.data > 0, true > 0) > max(0.9, dice(lower.data > 0, true > 0))
    found = separate_particles(mask)
    assert found.data.max() == count_particles(mask) == true.max()


def test_six_gold_particles_in_a_liquid_cell(reference_data):
    path = reference_data("nanoparticles_n6", "N6_liquid_sample_stack.mat")
    with pytest.warns(Tomo4DWarning):
        series = t4.read(path, tilt_axis="y")
    series = t4.preprocess.average_frames(series, register=False)
    series = t4.preprocess.crop(series, 70, 186, 70, 186)
    series = t4.preprocess.subtract_background(series, 70)
    volume = t4.reconstruct.sirt(series, 60)
    assert separate_particles(threshold_volumes(volume, "otsu")).data.max() == 6
    found = separate_particles(threshold_volumes(volume))
    assert found.data.max() == 6
    # in each watershed basin, as for the published ones
    centres = ndimage.center_of_mass(volume.data, found.data, range(1, 7))
    centres = np.array(centres)[np.argsort([c[1] for c in centres])]
    assert np.abs(distances(centres) - distances(N6_PUBLISHED)).max() <= 1.5


def test_the_published_diameter_of_a_sphere(reference_data):
    volume = t4.read(reference_data("porous", "100_sphere_r40.tif"), kind="volume")
    volume = Volume(volume.data)
    for mask in (threshold(volume, 127.5), half_density(volume)):
        found = separate_particles(mask)
        assert isinstance(found, Labels) and found.data.max() == 1
        diameter = (6 / np.pi * found.data.sum()) ** (1 / 3)
        assert diameter == pytest.approx(79.97, abs=0.05)
