import numpy as np
import pytest
from sintered import digitised_pair

from napari_tomo4d.data import Labels
from napari_tomo4d.errors import DataError, ParameterError
from napari_tomo4d.measure import neck, two_sphere_curve, two_sphere_curve_as_measured


def directions(count, seed=1):
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=3), rng.uniform(-0.5, 0.5, 3)) for _ in range(count)]


def centre_of_mass_distance(x, radius):
    """What the halves of the model have, cut at the middle of the neck."""
    s, d = np.sqrt(1 - x**2), two_sphere_curve(x)
    return 2 * radius * (d - (x**2 * (d**2 - s**2) / 2 - x**4 / 4) * 3 / 4)


@pytest.mark.parametrize(
    ("radius", "x", "limit"),
    # at x = 0.2 and 15 voxels the neck is 0.3 voxels long: a dozen voxels decide its radius
    [(15, 0.2, 0.09), (15, 0.4, 0.02), (15, 0.9, 0.02), (30, 0.2, 0.02), (30, 0.6, 0.01)],
)
def test_two_spheres_in_any_direction(radius, x, limit):
    errors = []
    neck_ratio, distance_ratio = two_sphere_curve_as_measured(x)
    for direction, offset in directions(10):
        labels, _ = digitised_pair(x, radius, direction, offset=offset)
        found = neck(labels, 1, 2, 2.0)
        errors.append(found.neck_radius_3d_nm / (2 * x * radius) - 1)
        assert found.distance_3d_nm / 2 == pytest.approx(
            centre_of_mass_distance(x, radius), abs=0.1
        )
        assert found.neck_ratio == pytest.approx(neck_ratio, rel=max(0.03, limit))
        assert found.distance_ratio == pytest.approx(distance_ratio, rel=0.01)
        assert found.aspect_ratio == pytest.approx(2 / (1 + two_sphere_curve(x)), rel=0.02)
        assert np.hypot(found.distance_xy_nm, found.distance_z_nm) == pytest.approx(
            found.distance_nm
        )
        assert not found.flags
    assert abs(np.mean(errors)) < 0.02
    assert np.abs(errors).max() < limit


def test_the_neck_is_not_where_the_labels_meet():
    # a watershed's border may be off by many degrees
    labels, distance = digitised_pair(0.5, 20, (0.3, 1, 0.4))
    straight = neck(labels, 1, 2, 1.0)
    points = np.argwhere(labels > 0) - (np.array(labels.shape) - 1) / 2
    tilted = np.array([0.6, 1.0, 0.1])
    labels[labels > 0] = np.where(points @ tilted < 0, 1, 2)
    found = neck(labels, 1, 2, 1.0)
    assert found.neck_radius_3d_nm == pytest.approx(straight.neck_radius_3d_nm, rel=0.01)
    assert found.distance_3d_nm == pytest.approx(distance, abs=0.15)


def test_section_is_drawn_where_the_neck_is():
    labels, distance = digitised_pair(0.6, 20, (0.4, 1, -0.5))
    found = neck(labels, 1, 2, 1.5)
    section = found.section
    middle = (np.array(labels.shape) - 1) / 2 * 1.5
    np.testing.assert_allclose(section.origin_nm, middle, atol=0.6)
    axis = np.array([0.4, 1, -0.5]) / np.linalg.norm([0.4, 1, -0.5])
    assert abs(section.axes[0] @ axis) > 0.9999
    # across the beam, which runs along z
    assert section.axes[1][0] == pytest.approx(0, abs=1e-9)
    ends = section.neck_line_nm
    assert np.linalg.norm(ends[1] - ends[0]) / 2 == pytest.approx(found.neck_radius_nm)
    np.testing.assert_allclose(
        np.linalg.norm(section.centres_nm - middle, axis=1), 1.5 * distance / 2, atol=0.3
    )
    ring = np.linalg.norm(section.neck_outline_nm - section.origin_nm, axis=1)
    np.testing.assert_allclose(ring, 1.5 * 12, rtol=0.04)


def test_longest_section_of_a_flat_neck():
    # two boxes joined by a plate that stands along the beam
    labels = np.zeros((40, 30, 60), np.int32)
    labels[8:32, 5:25, 5:25] = 1
    labels[8:32, 5:25, 35:55] = 2
    labels[10:30, 11:19, 25:30] = 1
    labels[10:30, 11:19, 30:35] = 2
    flat = neck(labels, 1, 2, 1.0)
    longest = neck(labels, 1, 2, 1.0, section="longest")
    assert flat.neck_radius_nm == pytest.approx(4, abs=0.5)
    assert longest.neck_radius_nm == pytest.approx(10.5, abs=1)
    assert flat.neck_area_nm2 == pytest.approx(160, rel=0.08)
    assert flat.contact_area_nm2 == 160
    # each half of the plate moves the centre of its box towards the other
    assert flat.distance_nm == pytest.approx(28.08, abs=0.2)


def test_other_particles_are_trimmed_at_their_necks():
    pair, distance = digitised_pair(0.5, 12, (0, 0, 1))
    alone = neck(pair, 1, 2, 1.0)
    chain = np.zeros((*pair.shape[:2], pair.shape[2] + 24), np.int32)
    chain[:, :, : pair.shape[2]] = pair
    shift = round(distance)
    third = np.where(pair == 2, 3, 0)
    moved = np.roll(np.pad(third, ((0, 0), (0, 0), (0, 24))), shift, axis=2)
    joint = (pair.shape[2] - 1) / 2 + distance
    chain = np.where((chain == 0) & (moved > 0), 3, chain)
    # the label of the middle particle spills over its neck to the third
    x = np.arange(chain.shape[2])
    chain[(chain == 3) & (np.abs(x - joint) < 2)] = 2
    found = neck(chain, 1, 2, 1.0)
    assert found.neck_radius_nm == pytest.approx(alone.neck_radius_nm, rel=0.02)
    assert found.radii_nm[0] == pytest.approx(alone.radii_nm[0], rel=0.02)
    assert found.distance_nm == pytest.approx(alone.distance_nm, rel=0.04)


def test_a_particle_in_the_way_is_flagged():
    labels, _ = digitised_pair(0.4, 15, (0, 0, 1))
    middle = (np.array(labels.shape) - 1) / 2
    z, _, x = (np.indices(labels.shape).T - middle).T
    labels[(np.abs(x) < 5) & (z > 2) & (z < 14) & (labels == 0)] = 3
    found = neck(labels, 1, 2, 1.0)
    assert any("covered by particle 3" in f for f in found.flags)


def test_particles_apart_say_so():
    labels = np.zeros((20, 20, 40), np.int32)
    labels[5:15, 5:15, 5:15] = 1
    labels[5:15, 5:15, 20:30] = 2
    found = neck(labels, 1, 2, 2.0)
    assert found.neck_radius_nm == 0
    assert found.gap_nm == pytest.approx(10)
    assert found.distance_nm == pytest.approx(30)
    assert "do not touch" in found.flags[-1]
    assert found.section is None


def test_a_particle_at_the_border_is_flagged():
    labels, _ = digitised_pair(0.5, 12, (0, 0, 1))
    found = neck(labels[:, :, 6:], 1, 2, 1.0)
    assert "particle 1 touches the border of the volume" in found.flags


def test_errors_follow_surface_and_voxel_size():
    labels, _ = digitised_pair(0.5, 15, (0.2, 1, 0.1))
    small = neck(labels, 1, 2, 1.0, surface_uncertainty_nm=0.1)
    large = neck(labels, 1, 2, 1.0, surface_uncertainty_nm=1.0)
    scaled = neck(labels, 1, 2, 1.0, surface_uncertainty_nm=0.1, pixel_size_uncertainty=0.1)
    assert large.errors["neck_radius_nm"] == pytest.approx(1.0, rel=0.01)
    assert large.errors["distance_nm"] > 4 * small.errors["distance_nm"]
    assert scaled.errors["distance_nm"] == pytest.approx(0.1 * scaled.distance_nm, rel=0.02)
    for part in ("distance_xy_nm", "distance_z_nm", "distance_3d_nm"):
        own = np.hypot(small.errors[part], 0.1 * getattr(scaled, part))
        assert scaled.errors[part] == pytest.approx(own)
    # what the voxel size does to both cancels in their ratio
    assert scaled.errors["neck_ratio"] == pytest.approx(small.errors["neck_ratio"])


@pytest.mark.parametrize(
    ("a", "b", "sentence"),
    [(1, 1, "two different"), (1, 9, "no particle 9"), (0, 1, "numbers start at 1")],
)
def test_pairs_that_are_none_are_refused(a, b, sentence):
    labels, _ = digitised_pair(0.5, 8, (0, 0, 1))
    with pytest.raises(DataError, match=sentence):
        neck(labels, a, b, 1.0)


def test_the_voxel_size_is_needed_and_may_come_with_the_labels():
    labels, _ = digitised_pair(0.5, 8, (0, 0, 1))
    for size in (None, 0.0, -1.0, (1.0, 2.0)):
        with pytest.raises(ParameterError, match="voxel size|pixel_size_nm"):
            neck(labels, 1, 2, size)
    with pytest.raises(ParameterError, match="section"):
        neck(labels, 1, 2, 1.0, section="widest")
    given = neck(labels, 1, 2, 3.0)
    carried = neck(Labels(labels, 3.0), 1, 2)
    assert carried.neck_radius_nm == given.neck_radius_nm
