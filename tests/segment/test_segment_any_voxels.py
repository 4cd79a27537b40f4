"""Particles are found alike on grids of other voxels, and volumes can be made cubic."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import napari_tomo4d as t4
from napari_tomo4d import Labels, TimeSeries, Volume
from napari_tomo4d.align import align_times
from napari_tomo4d.errors import DataError
from napari_tomo4d.pipeline import Recipe, run_recipe
from napari_tomo4d.segment import (
    PixelClassifier,
    clean_mask,
    follow_particles,
    resample,
    separate_particles,
)
from napari_tomo4d.segment.features import features
from napari_tomo4d.two_spheres import two_sphere_curve

CUBES = (1.0, 1.0, 1.0)
SPACINGS = [CUBES, (2.0, 1.0, 1.0), (1.0, 1.5, 3.0)]


def grid(spacing, field_nm=(48.0, 48.0, 72.0)):
    sides = [np.arange(0, n, s) for n, s in zip(field_nm, spacing, strict=True)]
    return np.stack(np.meshgrid(*sides, indexing="ij"), -1)


def ball(points, centre, radius):
    return ((points - np.array(centre)) ** 2).sum(-1) < radius**2


def volume_nm3(data, spacing):
    return np.count_nonzero(data) * np.prod(spacing)


def blurred(spacing, shift=(0.0, 0.0, 0.0), noise=0.0):
    """Volume of two balls with edges 4 nm wide, given at the voxels' centres."""
    points = grid(spacing) - np.array(shift)
    depths = [
        r - np.sqrt(((points - c) ** 2).sum(-1))
        for c, r in (((22, 22, 20), 12), ((26, 24, 50), 10))
    ]
    density = np.clip(np.max(depths, axis=0) / 4 + 0.5, 0, 1)
    return Volume(density + noise * np.random.default_rng(0).normal(size=density.shape), spacing)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("x", [0.3, 0.7])
def test_two_spheres_are_parted_at_their_neck(x, spacing):
    half = 15 * float(two_sphere_curve(x))
    axis = np.array([0.5, 1, -0.6]) / np.linalg.norm([0.5, 1, -0.6])
    points = grid(spacing, (58.0, 66.0, 62.0)) - np.array([28.7, 32.8, 30.6])
    along = points @ axis
    aside = np.sqrt(np.maximum((points**2).sum(-1) - along**2, 0))
    mask = ball(points, half * axis, 15) | ball(points, -half * axis, 15)
    mask |= (np.abs(along) < half) & (aside < 15 * x)
    found = separate_particles(Labels(mask.astype(int), spacing))
    assert found.data.max() == 2 and found.pixel_size_nm == Labels(mask, spacing).pixel_size_nm
    one = np.count_nonzero(mask & ((found.data == 1) == (along > 0)))
    assert max(one, mask.sum() - one) / mask.sum() > 0.992


@pytest.mark.parametrize("spacing", SPACINGS)
def test_balls_that_open_and_close_are_balls(spacing):
    points = grid(spacing)
    unit = np.cbrt(np.prod(spacing))
    rod = (np.abs(points[..., 0] - 24) < 3.5) & (np.abs(points[..., 1] - 24) < 3.5)
    mask = ball(points, (24, 24, 36), 14) | rod
    opened = clean_mask(Labels(mask.astype(int), spacing), opening_px=6 / unit)
    assert volume_nm3(opened.data, spacing) == pytest.approx(4 / 3 * np.pi * 14**3, rel=0.06)
    reach = np.abs(points[opened.data > 0] - [24, 24, 36]).max(axis=0)
    # the rod is gone, and the ball ends within a voxel of where it was
    assert (np.abs(reach - 14) <= spacing).all()
    pierced = mask & ~ball(points, (24, 24, 36), 3)
    closed = clean_mask(
        Labels(pierced.astype(int), spacing), closing_px=4.5 / unit, fill_holes=False
    )
    assert closed.data[ball(points, (24, 24, 36), 3)].all()


@pytest.mark.parametrize("spacing", SPACINGS)
def test_thresholds_and_classifiers_find_the_same_volume(spacing):
    volume = blurred(spacing, noise=0.1)
    expected = 4 / 3 * np.pi * (12**3 + 10**3)
    mask = t4.segment.threshold_volumes(volume)
    assert volume_nm3(mask.data, spacing) == pytest.approx(expected, rel=0.01)
    assert mask.voxel_size_nm == spacing
    strokes = np.zeros(volume.data.shape, int)
    points = grid(spacing)
    strokes[ball(points, (22, 22, 20), 5)], strokes[ball(points, (8, 40, 60), 5)] = 2, 1
    found = PixelClassifier.train(volume, strokes, n_trees=10).predict(volume)
    assert found.pixel_size_nm == volume.pixel_size_nm
    assert volume_nm3(found.data, spacing) == pytest.approx(expected, rel=0.4)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_features_are_slopes_by_length(spacing):
    sampling = Volume(np.ones((2, 2, 2)), spacing).sampling
    z, y, x = np.moveaxis(np.indices((21, 21, 21)).T.T - 10, 0, 0) * np.reshape(
        sampling, (3, 1, 1, 1)
    )
    found = features(
        (0.5 * (3 * z**2 + 2 * y**2 + x**2) + 4 * y).astype(np.float32), (1.5,), sampling
    )
    middle = found[:, 10, 10, 10]
    # scales multiply derivatives; the truncated Gaussian of few voxels costs some per cent
    assert middle[2] == pytest.approx(1.5 * 4, rel=0.05)
    assert middle[4:] / 1.5**2 == pytest.approx([1, 2, 3], rel=0.12)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_particles_are_followed_and_samples_put_back(spacing):
    # the sample moves by whole voxels of all grids
    shifts = [(0.0, 0.0, 0.0), (2.0, -3.0, 6.0)]
    volumes = TimeSeries([blurred(spacing, s) for s in shifts], [0.0, 60.0])
    moved = align_times(volumes)
    given = np.array(moved[1].metadata["time_shift_px"]) * spacing
    assert given == pytest.approx(-np.array(shifts[1]), abs=0.1)
    labels = [ndimage.label(v.data > 0.5)[0] for v in volumes]
    other = np.array([0, 2, 1])[labels[1]]
    series = TimeSeries([Labels(labels[0], spacing), Labels(other, spacing)], [0.0, 60.0])
    unit = np.cbrt(np.prod(spacing))
    found = follow_particles(series, max_shift_px=8 / unit)
    np.testing.assert_array_equal(found[1].data, labels[1])
    mixed = TimeSeries([Labels(labels[0], spacing), Labels(other, 9.0)], [0.0, 60.0])
    with pytest.raises(DataError, match="voxel size"):
        follow_particles(mixed)
    with pytest.raises(DataError, match="voxel size"):
        align_times(TimeSeries([volumes[0], Volume(volumes[1].data, 9.0)]))


@pytest.mark.parametrize("spacing", SPACINGS[1:])
def test_volumes_are_made_cubic(spacing):
    volume = blurred(spacing)
    found = resample(volume)
    expected = blurred(CUBES)
    assert found.pixel_size_nm == 1.0
    assert np.abs(np.subtract(found.data.shape, expected.data.shape)).max() <= 3
    common = tuple(
        slice(0, min(a, b)) for a, b in zip(found.data.shape, expected.data.shape, strict=True)
    )
    # positions in nm stay: the same edges, 4 nm wide, at the same places
    assert np.abs(found.data[common] - expected.data[common]).max() < 0.12
    assert found.provenance.step == "segment.resample"
    larger = resample(volume, edge_nm=3.0)
    assert larger.pixel_size_nm == 3.0
    assert larger.data.sum() * 27 == pytest.approx(expected.data.sum(), rel=0.03)


def test_resampling_keeps_places_and_refuses_what_it_can_not_do():
    volume = Volume(np.ones((4, 6, 8)), (2.0, 1.0, 1.5), metadata={"origin_px": [3, 4]})
    found = resample(volume)
    assert found.data.shape == (7, 6, 11) and found.metadata["origin_px"] == [3.0, 6.0]
    same = Volume(np.ones((4, 6, 8)), 2.0)
    assert resample(same).data.shape == (4, 6, 8)
    with pytest.raises(DataError, match="not known"):
        resample(Volume(np.ones((4, 6, 8))))
    with pytest.raises(DataError, match="smaller edge"):
        resample(volume, edge_nm=50)


def test_a_recipe_makes_voxels_cubic(tmp_path):
    t4.write(blurred((2.0, 1.0, 1.0)), tmp_path / "v.ome.zarr")
    steps = (("segment.resample", {}), ("segment.threshold_volumes", {"method": "otsu"}))
    recipe = Recipe({"path": str(tmp_path / "v.ome.zarr")}, steps)
    assert run_recipe(recipe).pixel_size_nm == 1.0
