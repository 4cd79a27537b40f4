"""The mask previewed of a slice is the mask that the steps make of the volume, voxel by voxel."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.errors import DataError, ParameterError
from napari_tomo4d.pipeline import run_steps
from napari_tomo4d.segment import (
    THRESHOLDS,
    MaskPreview,
    MaskSettings,
    PixelClassifier,
    noise_change,
    threshold_volumes,
)

NOISE = 0.06
SLICES = [(0, 0), (0, 17), (1, 30), (2, 47)]
"""Axis and index, at the edge and inside."""


@pytest.fixture(scope="module")
def volumes():
    """Three times of sintering spheres of density 1, with noise that grows."""
    experiment, truth = t4.simulate.sintering(n_times=3, shape=(40, 48, 48))
    rng = np.random.default_rng(0)
    items = []
    for time, volume in enumerate(truth.volumes[:3], 1):
        noise = rng.normal(0, NOISE * 3 * time, volume.data.shape).astype(np.float32)
        items.append(t4.Volume(volume.data + noise, volume.pixel_size_nm))
    return experiment.with_items(items, name="sintered")


def assert_same_as_the_steps(volumes, settings, classifier=None):
    masks = run_steps(volumes, settings.steps())
    preview = MaskPreview(volumes)
    for time, (axis, index) in zip((0, 1, 2, 1), SLICES, strict=True):
        found = preview.slice(settings, axis, index, time, classifier)
        np.testing.assert_array_equal(found, masks[time].data.take(index, axis))
    return masks


@pytest.mark.parametrize("method", THRESHOLDS)
@pytest.mark.parametrize("one_level", [True, False])
@pytest.mark.parametrize("smoothing_px", [None, 0.0, 1.3])
def test_the_slice_is_that_of_the_step(volumes, method, one_level, smoothing_px):
    by_hand = {"level": 0.45, "seed_level": 0.9} if THRESHOLDS[method].by_hand else {}
    settings = MaskSettings(
        method, **by_hand, smoothing_px=smoothing_px, one_level=one_level, cleaning=None
    )
    masks = assert_same_as_the_steps(volumes, settings)
    assert 0 < (masks[0].data > 0).mean() < 1


def test_seeds_of_a_hysteresis_may_be_far_from_the_slice():
    rod = np.zeros((60, 8, 8), np.float32)
    rod[:, 3:5, 3:5] = 0.5
    rod[-1, 3, 3] = 1
    found = MaskPreview(t4.Volume(rod)).slice(
        MaskSettings("hysteresis", 0.3, 0.9, smoothing_px=0.0, cleaning=None), 0, 0
    )
    assert found.sum() == 4


def test_opening_and_closing_look_as_far_as_they_reach(volumes):
    cleaning = {"opening_px": 2.5, "closing_px": 3, "fill_holes": False, "min_diameter_px": 0}
    assert_same_as_the_steps(volumes, MaskSettings("half-density", cleaning=cleaning))


def test_the_classifier_of_a_file_and_in_memory_agree(volumes, tmp_path):
    strokes = np.zeros(volumes[0].data.shape, int)
    strokes[20] = 1 + (volumes[0].data[20] > 0.5)
    classifier = PixelClassifier.train(volumes[0], strokes, n_trees=10)
    path = str(tmp_path / "c.npz")
    classifier.save(path)
    settings = MaskSettings("classifier", cleaning=None, classifier=path)
    assert_same_as_the_steps(volumes, settings, classifier)
    with pytest.raises(DataError, match="no classifier yet"):
        MaskPreview(volumes).slice(settings, 0, 3)


def test_levels_are_those_noted_with_the_mask_and_are_looked_for_once(volumes):
    preview, settings = MaskPreview(volumes), MaskSettings("multi-otsu", one_level=False)
    assert preview.known(settings, 2) is None
    found = preview.levels(settings, 2)
    mask = threshold_volumes(volumes, "multi-otsu", one_level=False)[2]
    assert list(found.levels) == mask.metadata["level"]
    assert found.smoothing_px == mask.metadata["smoothing_px"]
    assert preview.known(settings, 2) is preview.levels(settings, 2) is found
    assert preview.known(settings, 1) is None
    # all voxels of these small volumes are counted, around two peaks
    assert found.counts.sum() == volumes[2].data.size
    assert found.counts[np.searchsorted(found.edges, 0.0)] > found.counts[-1]


def test_what_is_missing_is_one_sentence(volumes):
    preview = MaskPreview(volumes)
    with pytest.raises(ParameterError, match="needs a level"):
        preview.slice(MaskSettings("level"), 0, 3)
    with pytest.raises(ParameterError, match="at least the level"):
        preview.slice(MaskSettings("hysteresis", 0.5, 0.2), 0, 3)
    blank = MaskPreview(t4.Volume(np.ones((8, 8, 8)), name="blank"))
    with pytest.raises(DataError, match="All voxels of 'blank' are 1"):
        blank.levels(MaskSettings("otsu"))


def test_more_voxels_below_and_fewer_above_the_noise():
    _, truth = t4.simulate.sintering(n_times=1, shape=(64, 96, 96))
    rng = np.random.default_rng(0)
    noise = rng.normal(0, NOISE, truth.volumes[0].data.shape)
    volume = t4.Volume(truth.volumes[0].data + noise, 1.0)
    mask = threshold_volumes(volume, "level", 0.5, smoothing_px=0.0)
    least, most = noise_change(volume, mask, 0.5)
    whole = (volume.data > 0.5).sum()
    # noise of 0.06 on both sides of the surface
    assert least == pytest.approx((volume.data > 0.5 + NOISE).sum() / whole - 1, abs=0.004)
    assert most == pytest.approx((volume.data > 0.5 - NOISE).sum() / whole - 1, abs=0.004)
