"""The projector against identities, an exact phantom and another program."""

from __future__ import annotations

import numpy as np
import pytest

from napari_tomo4d.errors import Cancelled, DataError
from napari_tomo4d.progress import Progress
from napari_tomo4d.reconstruct import Projector

SHAPES = [(21, 37, 50), (50, 5, 21), (33, 64, 33), (1, 40, 16)]
ANGLES = np.linspace(-85, 90, 15)


@pytest.mark.parametrize("tilt_axis", ["y", "x"])
@pytest.mark.parametrize("shape", SHAPES)
def test_backward_is_the_transpose_of_forward(shape, tilt_axis):
    rng = np.random.default_rng(1)
    projector = Projector(
        shape,
        ANGLES,
        tilt_axis=tilt_axis,
        axis_shift_px=2.3,
        shifts_px=rng.normal(0, 1, len(ANGLES)),
    )
    volume = rng.random(shape, dtype=np.float32)
    images = rng.random(projector.images_shape, dtype=np.float32)
    left = np.vdot(projector.forward(volume).astype(float), images)
    right = np.vdot(volume.astype(float), projector.backward(images))
    assert left == pytest.approx(right, rel=1e-6)


@pytest.mark.parametrize("tilt_axis", ["y", "x"])
@pytest.mark.parametrize(
    "options",
    [
        {"supersampling": 3},
        {"rotation_deg": -4.0},
        {"rotation_deg": 2.5, "supersampling": 2},
        {"shifts": 2},
    ],
)
def test_every_option_keeps_the_transpose(options, tilt_axis):
    rng = np.random.default_rng(3)
    options = dict(options)
    if options.pop("shifts", None):
        options |= {"shifts_px": rng.normal(0, 2, (len(ANGLES), 2)), "rotation_deg": ANGLES / 40}
    projector = Projector((20, 33, 26), ANGLES, tilt_axis=tilt_axis, axis_shift_px=-1.7, **options)
    volume = rng.random(projector.volume_shape, dtype=np.float32)
    images = rng.random(projector.images_shape, dtype=np.float32)
    left = np.vdot(projector.forward(volume).astype(float), images)
    right = np.vdot(volume.astype(float), projector.backward(images))
    assert left == pytest.approx(right, rel=1e-6)


@pytest.mark.parametrize("tilt_axis", ["y", "x"])
def test_a_turned_and_shifted_camera_sees_what_the_geometry_says(tilt_axis):
    n, rotation, shift = 65, 7.0, np.array([3.0, -5.0])
    z, y, x = np.mgrid[:n, :n, :n] - (n - 1) / 2
    blob = np.array([6.0, 11.0, -13.0])
    volume = np.exp(-((z - blob[0]) ** 2 + (y - blob[1]) ** 2 + (x - blob[2]) ** 2) / 8)
    for angle in (0.0, 35.0):
        image = Projector(
            volume.shape,
            [angle],
            tilt_axis=tilt_axis,
            rotation_deg=rotation,
            shifts_px=[shift],
        ).forward(volume)[0]
        landed = np.array([(image * (g[0])).sum() for g in (y, x)]) / image.sum()
        # aligned: add the shift, then turn the axis back onto the image axis
        along, across = (blob[1], blob[2]) if tilt_axis == "y" else (blob[2], blob[1])
        t, r = np.deg2rad(angle), np.deg2rad(rotation)
        u = across * np.cos(t) + blob[0] * np.sin(t)
        turned = along * np.cos(r) - u * np.sin(r), along * np.sin(r) + u * np.cos(r)
        expected = np.array(turned if tilt_axis == "y" else turned[::-1]) - shift
        np.testing.assert_allclose(landed, expected, atol=0.05)


def test_supersampling_averages_rays_within_a_pixel():
    rng = np.random.default_rng(4)
    volume = rng.random((24, 3, 24), dtype=np.float32)
    parts = [Projector(volume.shape, ANGLES, shifts_px=np.full(15, d)) for d in (-0.25, 0.25)]
    expected = (parts[0].forward(volume) + parts[1].forward(volume)) / 2
    got = Projector(volume.shape, ANGLES, supersampling=2).forward(volume)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_what_is_outside_a_support_is_skipped_and_changes_nothing():
    rng = np.random.default_rng(5)
    projector = Projector((90, 20, 110), ANGLES)
    used = np.zeros((90, 110), np.float32)
    used[31:66, 33:97] = 1
    volume = projector.volume_to_blocks(rng.random(projector.volume_shape, dtype=np.float32))
    volume *= used[:, :, None]
    masks = [used] * len(volume)
    whole, part = projector.new_images(), projector.new_images()
    projector.project(volume, whole)
    projector.project(volume, part, used=masks)
    np.testing.assert_allclose(part, whole, rtol=1e-5, atol=1e-4)
    back = projector.new_volume()
    projector.add_backprojection(whole, back, weights=masks)
    full = projector.new_volume()
    projector.add_backprojection(whole, full)
    np.testing.assert_array_equal(back, full * used[:, :, None])


def gaussians(n: int):
    """Blobs (z, x, width, height) with known projections."""
    return [(-20 / 256 * n, 30 / 256 * n, n / 17, 1.0), (10 / 256 * n, -40 / 256 * n, n / 28, 0.7)]


def test_projections_of_gaussians_are_gaussians():
    n = 128
    z, x = np.mgrid[:n, :n] - (n - 1) / 2
    slice_ = sum(
        h * np.exp(-((x - bx) ** 2 + (z - bz) ** 2) / 2 / w**2) for bz, bx, w, h in gaussians(n)
    )
    volume = np.repeat(slice_[:, None], 3, axis=1)
    got = Projector(volume.shape, ANGLES).forward(volume)[:, 1]
    u = np.arange(n) - (n - 1) / 2
    t = np.deg2rad(ANGLES)[:, None]
    expected = sum(
        h
        * w
        * np.sqrt(2 * np.pi)
        * np.exp(-((u - bx * np.cos(t) - bz * np.sin(t)) ** 2) / 2 / w**2)
        for bz, bx, w, h in gaussians(n)
    )
    assert np.abs(got - expected).max() < 2e-3 * expected.max()


def test_agrees_with_astra():
    astra = pytest.importorskip("astra", reason="ASTRA is installed with the extra test")
    n = 256
    z, x = np.mgrid[:n, :n] - (n - 1) / 2
    phantom = sum(
        h * np.exp(-((x - bx) ** 2 + (z - bz) ** 2) / 2 / w**2) for bz, bx, w, h in gaussians(n)
    ).astype(np.float32)
    got = Projector((n, 1, n), ANGLES).forward(phantom[:, None])[:, 0]
    # ASTRA counts rows upwards, so its angles turn the other way
    geometry = astra.create_proj_geom("parallel", 1.0, n, -np.deg2rad(ANGLES))
    projector = astra.create_projector("linear", geometry, astra.create_vol_geom(n, n))
    _, expected = astra.create_sino(phantom, projector)
    assert np.linalg.norm(got - expected) < 1e-4 * np.linalg.norm(expected)
    assert np.abs(got - expected).max() < 1e-3 * expected.max()


def test_a_voxel_lands_where_the_geometry_says():
    n, shift = 65, 3.0
    for t in (0.0, 30.0, -50.0, 90.0):
        volume = np.zeros((n, 1, n), np.float32)
        z, x = 40, 20
        volume[z, 0, x] = 1
        image = Projector(volume.shape, [t], axis_shift_px=shift).forward(volume)[0, 0]
        centre = (n - 1) / 2 + shift
        c, s = np.cos(np.deg2rad(t)), np.sin(np.deg2rad(t))
        expected = (x - centre) * c + (z - (n - 1) / 2) * s + centre
        landed = (image * np.arange(n)).sum() / image.sum()
        assert landed == pytest.approx(expected, abs=0.3)
    # at 0 degrees image and volume have the same coordinates, wherever the axis is
    image = Projector((n, 1, n), [0.0], axis_shift_px=shift).forward(volume)[0, 0]
    assert image.argmax() == x


def test_mass_is_kept():
    volume = np.zeros((64, 8, 64), np.float32)
    volume[25:40, :, 22:45] = 1
    masses = Projector(volume.shape, np.arange(-90, 90, 7.0)).forward(volume).sum(axis=(1, 2))
    np.testing.assert_allclose(masses, volume.sum(), rtol=5e-3)


def test_result_does_not_depend_on_threads_or_blocks():
    rng = np.random.default_rng(2)
    volume = rng.random((20, 70, 30), dtype=np.float32)
    whole = Projector(volume.shape, ANGLES, threads=2).forward(volume)
    one = Projector(volume.shape, ANGLES, threads=1).forward(volume)
    assert np.abs(whole - one).max() < 1e-6 * whole.max()
    for block in (1, 4, 16, 32, 64):
        other = Projector(volume.shape, ANGLES, block=block).forward(volume)
        assert np.abs(other - whole).max() < 1e-6 * whole.max()
        back = Projector(volume.shape, ANGLES, block=block).backward(whole)
        if block == 1:
            first = back
        assert np.abs(back - first).max() < 1e-6 * first.max()


def test_wrong_shapes_are_refused():
    projector = Projector((4, 5, 6), [0, 10])
    with pytest.raises(DataError, match=r"this projector needs \(4, 5, 6\)"):
        projector.forward(np.zeros((5, 5, 6)))
    with pytest.raises(DataError, match="2 tilts but 3 shifts"):
        Projector((4, 5, 6), [0, 10], shifts_px=[0, 0, 0])


def test_cancel_stops_between_blocks():
    progress = Progress()
    progress.cancel()
    projector = Projector((4, 100, 6), [0, 10])
    with pytest.raises(Cancelled):
        projector.forward(np.zeros((4, 100, 6)), progress)
