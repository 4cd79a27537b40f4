"""The simulated experiment is what it says it is."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.errors import Cancelled, DataError, ParameterError
from napari_tomo4d.progress import Progress
from napari_tomo4d.reconstruct import Projector
from napari_tomo4d.simulate import detect, neck_growth, pink_noise
from napari_tomo4d.two_spheres import two_sphere_curve

SMALL = {"n_times": 2, "shape": (48, 64, 64), "max_tilt_deg": 40, "tilt_step_deg": 10}


@pytest.fixture(scope="module")
def default():
    return t4.simulate.sintering()


def test_two_sphere_model_has_its_published_values():
    x = np.array([0.2, 0.4, 0.6, 0.8, 0.9, 1.0])
    expected = [0.98993, 0.95886, 0.90370, 0.81667, 0.75488, 0.66667]
    np.testing.assert_allclose(two_sphere_curve(x), expected, atol=1e-5)
    assert two_sphere_curve(0.0) == pytest.approx(1)


def test_necks_grow_by_the_stated_law():
    times = np.linspace(0, 100, 11)
    x, rate = neck_growth(times, 0.3, 0.8, 6)
    np.testing.assert_allclose(x**6, 0.3**6 + rate * times, rtol=1e-12)
    assert (x[0], x[-1]) == (pytest.approx(0.3), pytest.approx(0.8))


def test_default_experiment(default):
    experiment, truth = default
    assert len(experiment) == 6
    assert experiment[0].images.shape == (41, 128, 128)
    np.testing.assert_allclose(experiment[0].angles_deg, np.arange(-40, 41, 2))
    assert experiment.temperatures_c.tolist() == [350] * 6
    assert experiment.times_s[-1] == 3600
    assert truth.electrons_per_pixel == pytest.approx(6.24, abs=0.01)
    assert experiment[0].dose_e_per_nm2 == pytest.approx(
        41 * truth.electrons_per_pixel / experiment[0].pixel_size_nm ** 2
    )
    assert len(truth.pairs) == 6 * len(truth.scenes[0].pairs)


def test_the_table_is_the_model_at_every_time(default):
    _, truth = default
    pairs = truth.pairs
    np.testing.assert_allclose(
        pairs.distance_ratio, two_sphere_curve(pairs.neck_ratio.to_numpy()), rtol=1e-9
    )
    np.testing.assert_allclose(
        pairs.distance_nm**2, pairs.distance_xy_nm**2 + pairs.distance_z_nm**2, rtol=1e-9
    )
    for _, one in pairs.groupby(["a", "b"]):
        assert np.all(np.diff(one.neck_radius_nm) > 0)
        assert np.all(np.diff(one.distance_nm) < 0)
        assert np.all(np.diff(one.aspect_ratio) > 0)


def test_volume_is_kept_while_necks_grow(default):
    _, truth = default
    masses = [v.data.sum(dtype=float) for v in truth.volumes]
    np.testing.assert_allclose(masses, masses[0], rtol=1e-3)
    scene = truth.scenes[0]
    size = truth.volumes[0].pixel_size_nm
    expected = (4 / 3 * np.pi * scene.radii_nm**3).sum() / size**3
    assert masses[0] == pytest.approx(expected, rel=0.01)


def test_labels_part_particles_at_their_necks(default):
    _, truth = default
    scene, labels = truth.scenes[-1], truth.labels[-1]
    assert set(np.unique(labels.data)) == set(range(len(scene.radii_nm) + 1))
    sizes = np.bincount(labels.data.ravel())[1:]
    expected = 4 / 3 * np.pi * (scene.radii_nm / labels.pixel_size_nm) ** 3
    np.testing.assert_allclose(sizes, expected, rtol=0.05)
    # the neck is as wide as the table says: voxels cut by the plane halfway between two centres
    a, b = scene.pairs[0]
    middle = (scene.centres_nm[a] + scene.centres_nm[b]) / 2 / labels.pixel_size_nm
    axis = scene.centres_nm[b] - scene.centres_nm[a]
    axis /= np.linalg.norm(axis)
    points = (
        np.argwhere(np.isin(labels.data, (a + 1, b + 1))) - (np.array(labels.data.shape) - 1) / 2
    )
    along = (points - middle) @ axis
    area = (np.abs(along) < 1).sum() / 2
    radius_px = scene.neck_radii_nm[0] / labels.pixel_size_nm
    assert np.sqrt(area / np.pi) == pytest.approx(radius_px, rel=0.06)


@pytest.mark.parametrize("tilt_axis", ["y", "x"])
@pytest.mark.parametrize("shape", [(64, 96, 72), (61, 75, 90)])
def test_projections_are_line_integrals_of_the_volume(shape, tilt_axis):
    experiment, truth = t4.simulate.sintering(
        1, shape, pixel_size_nm=9, tilt_axis=tilt_axis, axis_shift_px=3.5, tilt_step_deg=20
    )
    volume = truth.volumes[0]
    series = experiment[0]
    projector = Projector(
        volume.data.shape, series.angles_deg, tilt_axis=tilt_axis, axis_shift_px=3.5
    )
    per_px = 0.5 * truth.electrons_per_pixel * 9 / 150
    background = 0.02 * truth.electrons_per_pixel
    for i, expected in enumerate(projector.forward(volume.data)):
        got = (truth.clean_image(0, i) - background) / per_px
        # voxels know the surface to a fraction of their edge, particles are 17 of them wide
        assert np.linalg.norm(got - expected) < 0.03 * np.linalg.norm(expected)


def test_drift_moves_the_content_by_what_the_truth_says():
    still = t4.simulate.sintering(**SMALL)[1]
    _, moved = t4.simulate.sintering(**SMALL, drift_px=1, frames_per_tilt=2)
    assert moved.shifts_px.shape == (2, 9, 2, 2)
    assert moved.shifts_px[:, :, 0].std() == pytest.approx(1, rel=0.4)
    y, x = np.mgrid[:64, :64]
    for time, tilt, frame in ((0, 0, 0), (1, 4, 1)):
        before = still.clean_image(time, tilt)
        after = moved.clean_image(time, tilt, frame)
        got = [
            (after * axis).sum() / after.sum() - (before * axis).sum() / before.sum()
            for axis in (y, x)
        ]
        # the uniform background holds the centre of mass back
        weight = 1 - before.min() * before.size / before.sum()
        np.testing.assert_allclose(got, weight * moved.shifts_px[time, tilt, frame], atol=0.05)


def test_drift_within_a_scan_shears_the_image():
    _, truth = t4.simulate.sintering(**SMALL, scan_drift_px=(0.0, 6.0))
    _, still = t4.simulate.sintering(**SMALL)
    straight, sheared = still.clean_image(0, 4), truth.clean_image(0, 4)
    x = np.arange(64)
    rows = np.flatnonzero(straight.sum(axis=1) > straight.sum(axis=1).min() + 10)
    moved = []
    for row in rows:
        a, b = (i[row] - i.min() for i in (straight, sheared))
        moved.append((b * x).sum() / b.sum() - (a * x).sum() / a.sum())
    np.testing.assert_allclose(moved, 6 * (rows / 64 - 0.5), atol=0.1)


def test_rotation_of_the_axis_turns_the_path_of_a_particle():
    _, straight = t4.simulate.sintering(**SMALL)
    _, turned = t4.simulate.sintering(**SMALL, axis_rotation_deg=10)
    y, x = np.mgrid[:64, :64] - 31.5

    def path(truth):
        """Mean position of all mass over the tilts."""
        points = []
        for tilt in range(9):
            image = truth.clean_image(0, tilt)
            image = image - image.min()
            points.append([(image * y).sum() / image.sum(), (image * x).sum() / image.sum()])
        return np.array(points)

    # all particles move across the axis: along x, or along x turned by the axis' angle
    steps = np.diff(path(turned), axis=0)
    direction = np.rad2deg(np.arctan2(-steps.sum(axis=0)[0], steps.sum(axis=0)[1]))
    assert np.abs(np.diff(path(straight)[:, 0])).max() < 0.05
    assert direction % 180 == pytest.approx(10, abs=1)


def test_counting_noise_is_poisson_and_scan_noise_is_pink():
    rng = np.random.default_rng(0)
    counts = detect(np.full((400, 400), 3.0), 0.0, rng)
    assert counts.mean() == pytest.approx(3, rel=0.01)
    assert counts.var() == pytest.approx(3, rel=0.02)
    noise = pink_noise((512, 512), rng)
    assert noise.std() == pytest.approx(1)
    power = (np.abs(np.fft.rfft(noise, axis=1)) ** 2).mean(axis=0)
    k = np.arange(8, 200)
    slope = np.polyfit(np.log(k), np.log(power[k]), 1)[0]
    assert slope == pytest.approx(-1, abs=0.1)


def test_images_do_not_depend_on_how_they_are_computed():
    eager, _ = t4.simulate.sintering(**SMALL, seed=4, lazy=False, frames_per_tilt=2)
    lazy, _ = t4.simulate.sintering(**SMALL, seed=4, lazy=True, frames_per_tilt=2)
    assert not isinstance(lazy[1].images, np.ndarray)
    np.testing.assert_array_equal(np.asarray(lazy[1].images), eager[1].images)
    other, _ = t4.simulate.sintering(**SMALL, seed=5)
    assert not np.array_equal(other[1].images, eager[1].images[:, 0])


def test_the_published_size_is_made_tile_by_tile(tmp_path):
    experiment, truth = t4.simulate.sintering(18, (512, 1024, 1024))
    assert experiment[17].images.shape == (41, 1024, 1024)
    assert experiment[17].images.chunksize == (1, 1024, 1024)
    assert experiment[0].pixel_size_nm == pytest.approx(1.04)
    assert experiment[0].dose_e_per_nm2 == pytest.approx(250, rel=0.06)
    image = experiment[17].image(20)
    clean = truth.clean_image(17, 20)
    assert image.sum() == pytest.approx(clean.sum(), rel=0.01)
    assert clean.max() < truth.electrons_per_pixel


def test_bad_parameters_and_cancel():
    with pytest.raises(DataError, match="do not fit into 8 x 8 x 8 nm"):
        t4.simulate.sintering(1, (8, 8, 8), pixel_size_nm=1)
    with pytest.raises(ParameterError, match="n_times is 0"):
        t4.simulate.sintering(0)
    with pytest.raises(ParameterError, match="step is larger"):
        t4.simulate.sintering(1, max_tilt_deg=5, tilt_step_deg=20)
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        t4.simulate.sintering(**SMALL, progress=progress)
