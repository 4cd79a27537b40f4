import numpy as np
import pytest
from scipy import ndimage

from napari_tomo4d.data import Labels
from napari_tomo4d.errors import DataError
from napari_tomo4d.measure import coordination, particle_table


def ellipsoid(shape, centre, axes, spacing=(1, 1, 1)):
    grid = np.stack(np.indices(shape), -1) * np.array(spacing)
    return (((grid - np.array(centre)) / np.array(axes)) ** 2).sum(-1) < 1


def test_spheres_and_ellipsoids_have_their_sizes():
    labels = np.zeros((60, 60, 120), np.int32)
    labels[ellipsoid(labels.shape, (30, 30, 30), (18, 18, 18))] = 3
    labels[ellipsoid(labels.shape, (30, 30, 85), (10, 16, 24))] = 7
    table = particle_table(labels, 2.0).set_index("label")
    ball, egg = table.loc[3], table.loc[7]
    assert ball.volume_nm3 == pytest.approx(4 / 3 * np.pi * 36**3, rel=0.006)
    assert ball.equivalent_diameter_nm == pytest.approx(72, rel=0.002)
    assert ball.surface_nm2 == pytest.approx(4 * np.pi * 36**2, rel=0.01)
    assert ball.sphericity == pytest.approx(1, abs=0.01)
    assert (ball.z_nm, ball.y_nm, ball.x_nm) == pytest.approx((60, 60, 60), abs=0.02)
    assert tuple(egg[["axis_1_nm", "axis_2_nm", "axis_3_nm"]]) == pytest.approx(
        (96, 64, 40), rel=0.01
    )
    assert egg.sphericity < 0.95
    assert not table.at_border.any() and (table.coordination == 0).all()


def test_contacts_and_borders():
    labels = np.zeros((20, 20, 30), np.int32)
    labels[5:10, 5:10, 0:5], labels[5:10, 5:10, 5:10], labels[10:15, 10:15, 10:15] = 1, 2, 3
    labels[5:10, 5:10, 20:25] = 4
    assert coordination(labels) == {1: 1, 2: 2, 3: 1, 4: 0}
    table = particle_table(labels, 1.0)
    assert table.coordination.tolist() == [1, 2, 1, 0]
    assert table.at_border.tolist() == [True, False, False, False]
    with pytest.raises(DataError, match="no particles"):
        particle_table(Labels(np.zeros((4, 4, 4), np.int32), 1.0))


def test_a_sphere_and_regions_of_known_size(reference_data):
    from skimage.io import imread

    ball = (imread(reference_data("porous", "100_sphere_r40.tif")) >= 128).astype(np.int32)
    row = particle_table(ball, 1.0).iloc[0]
    assert row.equivalent_diameter_nm == pytest.approx(79.97, abs=0.005)
    assert row.surface_nm2 == pytest.approx(4 * np.pi * 40**2, rel=0.015)
    regions = imread(reference_data("porous", "partitioned_regions.tif"))[:50, :50, :50]
    table = particle_table(regions.astype(np.int32), 1.0)
    assert table.volume_nm3.head(5).astype(int).tolist() == [1540, 2648, 2206, 1320, 1210]
    label = int(table.label[0])
    expected = ndimage.center_of_mass(regions == label)
    assert tuple(table.loc[0, ["z_nm", "y_nm", "x_nm"]]) == pytest.approx(expected)
