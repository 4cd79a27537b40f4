"""The same objects on other grids measure the same in nanometres."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from sintered import digitised_pair

from napari_tomo4d import Labels, TimeSeries, Volume
from napari_tomo4d.errors import DataError
from napari_tomo4d.measure import (
    find_pairs,
    follow_pairs,
    measure_particles,
    neck,
    surface_uncertainty,
    totals,
    two_sphere_curve,
    two_sphere_curve_as_measured,
    write_report,
)
from napari_tomo4d.measure.necks.section_image import section_image

CUBES = (1.0, 1.0, 1.0)
OTHERS = [(2.0, 1.0, 1.0), (1.0, 1.5, 3.0)]
SPACINGS = [CUBES, *OTHERS]
DIRECTION = (0.5, 1.0, -0.6)
_FIELD_NM = (60.0, 66.0, 90.0)


@functools.cache
def measured(spacing, x=0.6):
    return neck(pair(spacing, x), 1, 2)


def pair(spacing, x=0.6, radius=20, direction=DIRECTION, offset=(0.2, -0.3, 0.1)):
    return Labels(digitised_pair(x, radius, direction, spacing, offset)[0], spacing)


def grid(spacing):
    """Positions (nm) of voxel centres in a field of one size."""
    sides = [np.arange(0, n, s) for n, s in zip(_FIELD_NM, spacing, strict=True)]
    return np.stack(np.meshgrid(*sides, indexing="ij"), -1)


def egg_and_ball(spacing):
    """Labels of an ellipsoid of half axes 12, 16 and 24 nm, and a ball of 15 nm beside it."""
    points = grid(spacing)
    egg = (((points - [30.2, 33.1, 27.4]) / [12, 16, 24]) ** 2).sum(-1) < 1
    ball = ((points - [28.7, 30.3, 70.6]) ** 2).sum(-1) < 15**2
    return Labels(egg + 2 * ball, spacing)


@pytest.mark.parametrize("x", [0.4, 0.6])
def test_necks(x):
    s, d = np.sqrt(1 - x**2), two_sphere_curve(x)
    between_centres = 40 * (d - (x**2 * (d**2 - s**2) / 2 - x**4 / 4) * 3 / 4)
    ratios = two_sphere_curve_as_measured(x)
    cubic = measured(CUBES, x)
    for spacing in SPACINGS:
        found = measured(spacing, x)
        # to the truth: 1 % of a radius, a tenth of a nanometre between centres
        assert found.neck_radius_3d_nm == pytest.approx(20 * x, rel=0.01)
        assert found.distance_3d_nm == pytest.approx(between_centres, abs=0.1)
        assert (found.neck_ratio, found.distance_ratio) == pytest.approx(ratios, rel=0.02)
        assert found.aspect_ratio == pytest.approx(2 / (1 + d), rel=0.035)
        # and to what is measured on cubic voxels
        for name in ("neck_radius_nm", "neck_radius_3d_nm", "distance_nm", "distance_3d_nm"):
            assert getattr(found, name) == pytest.approx(getattr(cubic, name), rel=0.01)
        # where a voxel in the plane of the neck belongs is a matter of rounding
        assert found.volumes_nm3 == pytest.approx(cubic.volumes_nm3, rel=0.1)
        assert sum(found.volumes_nm3) == pytest.approx(sum(cubic.volumes_nm3), rel=0.005)
        assert not found.flags


@pytest.mark.parametrize("spacing", SPACINGS)
def test_a_neck_of_few_voxels_is_right_within_a_fifth_of_the_longest_edge(spacing):
    found = neck(pair(spacing, 0.2, 15), 1, 2)
    assert found.neck_radius_3d_nm == pytest.approx(3, abs=0.2 * max(spacing))
    assert found.errors["neck_radius_3d_nm"] > 0.3 * max(spacing) / 3


@pytest.mark.parametrize("spacing", SPACINGS)
def test_particles(spacing):
    labels = egg_and_ball(spacing)
    table = measure_particles(labels).frame.set_index("label")
    egg, ball = table.loc[1], table.loc[2]
    assert egg.volume_nm3 == pytest.approx(4 / 3 * np.pi * 12 * 16 * 24, rel=0.006)
    assert ball.equivalent_diameter_nm == pytest.approx(30, rel=0.003)
    assert ball.surface_nm2 == pytest.approx(4 * np.pi * 15**2, rel=0.02)
    assert ball.sphericity == pytest.approx(1, abs=0.02)
    axes = tuple(egg[["axis_1_nm", "axis_2_nm", "axis_3_nm"]])
    assert axes == pytest.approx((48, 32, 24), rel=0.01)
    assert (egg.z_nm, egg.y_nm, egg.x_nm) == pytest.approx((30.2, 33.1, 27.4), abs=0.05)
    assert (ball.z_nm, ball.y_nm, ball.x_nm) == pytest.approx((28.7, 30.3, 70.6), abs=0.05)
    row = totals(labels).iloc[0]
    assert row.volume_nm3 == pytest.approx(table.volume_nm3.sum())
    assert row.surface_nm2 == pytest.approx(table.surface_nm2.sum(), rel=0.02)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_gaps_are_those_between_surfaces(axis, spacing):
    along = grid(spacing)[..., axis] / spacing[axis]
    # five voxels are missing between the two
    data = np.where(along < 6, 1, np.where((along >= 11) & (along < 16), 2, 0))
    labels, gap = Labels(data, spacing), 5 * spacing[axis]
    assert neck(labels, 1, 2).gap_nm == pytest.approx(gap)
    assert len(find_pairs(labels, max_gap_nm=0.98 * gap)) == 0
    assert len(find_pairs(labels, max_gap_nm=gap)) == 1


@pytest.mark.parametrize("spacing", OTHERS)
def test_the_section_has_the_right_shape(spacing):
    extent = (-45, -25, 90, 50)
    pictures = []
    for one in (spacing, CUBES):
        labels = pair(one)
        section = measured(one, 0.6).section
        pictures.append(section_image(section, labels, 1, 2, extent_nm=extent, step_nm=0.5).image)
    assert (pictures[0] == pictures[1]).mean() > 0.95


def test_the_surface_is_known_as_well_on_any_grid():
    found = []
    for spacing in SPACINGS:
        points = grid(spacing)
        depth = 15 - np.sqrt(((points - [28, 30, 40]) ** 2).sum(-1))
        # an edge 4 nm wide, and noise
        noise = 0.2 * np.random.default_rng(0).normal(size=depth.shape)
        volume = Volume(np.clip(depth / 4 + 0.5, 0, 1) + noise, spacing)
        found.append(surface_uncertainty(volume, Labels((depth > 0).astype(int), spacing)))
    units = np.cbrt([np.prod(s) for s in SPACINGS])
    noise_alone = np.sqrt(np.square(found) - np.square(0.5 * units))
    assert noise_alone[1:] == pytest.approx(noise_alone[0], rel=0.25)


def test_a_series_and_its_report_say_the_voxel_size(tmp_path):
    spacing = (2.0, 1.0, 1.0)
    labels = pair(spacing, 0.5, 12)
    series = TimeSeries([labels, labels], [0.0, 60.0])
    assert series.pixel_size_nm == spacing
    table = follow_pairs(series.first(1))
    assert table.neck_radius_3d_nm.tolist() == pytest.approx([6], rel=0.03)
    text = write_report(tmp_path / "r.html", labels, table).read_text()
    assert "voxels of 2 x 1 x 1 nm (z, y, x)" in text


def test_a_voxel_has_one_edge_or_three():
    data = np.ones((2, 3, 4), int)
    assert Labels(data, (2.0, 2.0, 2.0)).pixel_size_nm == 2.0
    labels = Labels(data, [3, 2, 1])
    assert labels.pixel_size_nm == labels.voxel_size_nm == (3.0, 2.0, 1.0)
    assert Labels(data, 2).voxel_size_nm == (2.0, 2.0, 2.0) and Labels(data).voxel_size_nm is None
    assert np.prod(labels.sampling) == pytest.approx(1) and Labels(data, 2).sampling == CUBES
    assert repr(labels).endswith("2 x 3 x 4 (z, y, x), 3 x 2 x 1 nm (z, y, x)>")
    for wrong in ((1.0, 2.0), (1.0, 0.0, 1.0), "wide", [1.0, "y", 2.0]):
        with pytest.raises(DataError, match="voxel size"):
            Labels(data, wrong)
