"""Distortion of scans is found from scans at a right angle or from a lattice, and undone."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from scipy import ndimage

import napari_tomo4d as t4
from napari_tomo4d.errors import Cancelled, DataError, ReadError, Tomo4DWarning, WriteError
from napari_tomo4d.preprocess.distortion import (
    CorrectionMap,
    affine_from_orthogonal,
    correct_distortion,
    map_from_lattice,
    nonrigid_from_orthogonal,
)
from napari_tomo4d.progress import Progress

N = 160
TIME = (np.arange(N) - (N - 1) / 2) / N


def specimen(rng):
    """Gaussian blobs: (y, x, width, height)."""
    n = 70
    place = rng.uniform(-0.15 * N, 1.15 * N, (2, n))
    return np.column_stack([*place, rng.uniform(2.5, 8, n), rng.uniform(0.3, 1, n)])


def scan(blobs, lines, rotation=0, rng=None):
    """Image as recorded, its lines displaced by (dy, dx) along the axes of the specimen.

    The specimen is a formula, so nothing is interpolated. Noise: 40 electrons at the top of a
    blob, 2 of background.
    """
    row, column = np.indices((N, N)) - (N - 1) / 2
    y, x = {0: (row, column), 90: (column, -row), -90: (-column, row)}[rotation]
    image = np.zeros((N, N))
    for cy, cx, width, height in blobs:
        off_y = y + (N - 1) / 2 - lines[:, :1] - cy
        off_x = x + (N - 1) / 2 - lines[:, 1:] - cx
        image += height * np.exp(-(off_y**2 + off_x**2) / (2 * width**2))
    return image if rng is None else rng.poisson(40 * image + 2).astype(np.float32)


def shaky(rng, rms_px=2.5, lines=14):
    """Random smooth displacement (line, 2) of the scan lines."""
    long = rng.standard_normal((3 * N, 2))
    walk = ndimage.gaussian_filter1d(long, lines, axis=0)[N : 2 * N]
    walk -= walk.mean(axis=0)
    return rms_px * walk / np.sqrt(np.mean(walk**2))


def residual(correction, lines):
    """RMS in pixels of what is left of a distortion of rows, apart from one shift."""
    row, column = np.indices((N, N)) + correction.displacement_px
    numbers = np.arange(N)
    left = np.stack(
        [p - np.interp(row, numbers, d) for p, d in zip((row, column), lines.T, strict=True)]
    )
    left -= np.indices((N, N))
    left = left[:, (row >= 0) & (row <= N - 1) & (column >= 0) & (column <= N - 1)]
    return np.sqrt(np.mean((left - left.mean(axis=1, keepdims=True)) ** 2))


def test_orientation_of_the_second_scan_is_as_described():
    blobs = specimen(np.random.default_rng(0))
    still = np.zeros((N, 2))
    first = scan(blobs, still)
    np.testing.assert_allclose(scan(blobs, still, 90), np.rot90(first))
    np.testing.assert_allclose(scan(blobs, still, -90), np.rot90(first, -1))


def test_affine_part_is_found_within_0_2_percent():
    worst = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        blobs, rotation = specimen(rng), 90 if seed % 2 else -90
        drift, shift = rng.uniform(-0.06, 0.06, 2) * N, rng.uniform(-4, 4, 2)
        first = scan(blobs, np.outer(TIME, drift), 0, rng)
        second = scan(blobs, np.outer(TIME, drift) + shift, rotation, rng)
        found = affine_from_orthogonal(first, second, rotation)
        stretch = 1 / (1 - drift[0] / N)
        true = [[stretch, 0], [drift[1] / N * stretch, 1]]
        worst.append(np.abs(found.map_0.affine - true).max())
        np.testing.assert_allclose(found.drift_px, drift, atol=0.3)
        assert found.correlation > 0.97
    assert np.mean(worst) < 0.001
    assert max(worst) < 0.002


def test_both_scans_are_brought_onto_the_specimen():
    rng = np.random.default_rng(0)
    blobs, drift = specimen(rng), np.array([6.0, -7.0])
    first, second = (scan(blobs, np.outer(TIME, drift), r) for r in (0, 90))
    still = scan(blobs, np.zeros((N, 2)))
    found = affine_from_orthogonal(first, second)
    inside = (slice(8, -8), slice(8, -8))
    assert np.abs(first - still)[inside].max() > 0.2
    for correction, image in ((found.map_0, first), (found.map_90, second)):
        np.testing.assert_allclose(correction.apply(image)[inside], still[inside], atol=0.005)
    np.testing.assert_allclose(found.combine(first, second)[inside], still[inside], atol=0.005)
    # 90 degrees of rotation are part of the second map
    np.testing.assert_allclose(found.map_90.affine, [[0, -1], [1, 0]], atol=0.06)


@pytest.mark.parametrize("rotation", [90, -90])
def test_displaced_scan_lines_are_found_within_0_3_px(rotation):
    left = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        blobs, drift = specimen(rng), rng.uniform(-0.03, 0.03, 2) * N
        lines = [np.outer(TIME, drift) + shaky(rng) for _ in range(2)]
        first = scan(blobs, lines[0], 0, rng)
        second = scan(blobs, lines[1] + [1, -2], rotation, rng)
        found = nonrigid_from_orthogonal(first, second, rotation)
        left.append(residual(found.map_0, lines[0]))
        assert residual(CorrectionMap(np.zeros((2, N, N))), lines[0]) > 2
        np.testing.assert_allclose(found.lines_0.mean(axis=0), 0, atol=1e-6)
        off = found.lines_90 - lines[1]
        assert np.sqrt(np.mean((off - off.mean(axis=0))[8:-8] ** 2)) < 0.4
    assert np.mean(left) < 0.25
    assert max(left) < 0.3


@pytest.mark.parametrize(("angle", "ratio"), [(90, 1), (70.53, 1), (90, 1.414)])
def test_distortion_of_a_lattice_is_measured(angle, ratio):
    left = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        spacing, turn = rng.uniform(7, 12), rng.uniform(0, np.pi)
        powers = [(i, j) for i in range(4) for j in range(4 - i) if i + j > 0]
        factors = rng.normal(0, [2 if sum(p) == 1 else 0.8 for p in powers], (2, len(powers)))

        def distort(p, powers=powers, factors=factors):
            y, x = p / (N / 2) - 1
            return np.tensordot(factors, [y**i * x**j for i, j in powers], axes=1)

        def ideal(recorded, distort=distort):
            place = recorded
            for _ in range(50):
                place = recorded - distort(place)
            return place

        grid = np.indices((N, N)).astype(float)
        first, second = (
            np.exp(1j * turn) / spacing * np.array([1, ratio * np.exp(1j * np.deg2rad(angle))])
        )
        y, x = ideal(grid)
        waves = sum(1 + np.cos(2 * np.pi * (g.imag * y + g.real * x)) for g in (first, second))
        found = map_from_lattice(rng.poisson(6 * waves + 5), angle, ratio)
        # scale, rotation and position of the lattice are free
        got = ideal(grid + found.displacement_px)
        wanted, here = (p[1].ravel() + 1j * p[0].ravel() for p in (got, grid))
        free = np.column_stack([here, np.ones(N * N)])
        fit = np.linalg.lstsq(free, wanted, rcond=None)[0]
        left.append(np.sqrt(np.mean(np.abs(wanted - free @ fit) ** 2) / 2))
        assert abs(fit[0] - 1) < 0.06
        assert found.metadata["method"] == "lattice"
        assert 0.9 < min(found.metadata["spacings_px"]) / (spacing / ratio) < 1.1
    assert np.mean(left) < 0.1
    assert max(left) < 0.15


def test_map_is_stored_and_read_again(tmp_path):
    shape = (40, 50)
    correction = CorrectionMap.from_affine(
        [[1.02, 0.01], [-0.03, 0.98]], shape, (1, -2), {"method": "test"}
    )
    np.testing.assert_allclose(CorrectionMap(correction.displacement_px).affine, correction.affine)
    path = tmp_path / "scan.map"
    correction.save(path)
    again = CorrectionMap.load(path)
    np.testing.assert_array_equal(again.displacement_px, correction.displacement_px)
    np.testing.assert_array_equal(again.affine, correction.affine)
    assert again.metadata == {"method": "test"}
    assert again.shape == shape
    with np.load(path, allow_pickle=False) as file:
        assert json.loads(str(file["header"]))["schema_version"] == 1
    with pytest.raises(WriteError, match="does not exist; create it first"):
        correction.save(tmp_path / "missing" / "scan.npz")


def test_files_that_are_no_maps_are_refused(tmp_path):
    path = tmp_path / "map.npz"
    with pytest.raises(ReadError, match="There is no correction map"):
        CorrectionMap.load(path)
    for content in (b"", b"text", pickle.dumps({"a": 1})):
        path.write_bytes(content)
        with pytest.raises(ReadError, match="can't be read as a correction map"):
            CorrectionMap.load(path)
    np.save(tmp_path / "array.npy", np.ones(3))
    with pytest.raises(ReadError, match="can't be read as a correction map"):
        CorrectionMap.load(tmp_path / "array.npy")
    np.savez(path, other=np.ones(3))
    with pytest.raises(ReadError, match="can't be read as a correction map"):
        CorrectionMap.load(path)
    header = json.dumps({"schema_version": 2})
    np.savez(path, header=header, displacement_px=np.zeros((2, 4, 4)), affine=np.eye(2))
    with pytest.raises(ReadError, match="newer version"):
        CorrectionMap.load(path)


def test_stored_map_corrects_images_and_frames(tmp_path):
    # content of the recorded image lies 2 pixels further down and 3 further left
    path = str(tmp_path / "map.npz")
    CorrectionMap.from_affine(np.eye(2), (32, 40), (2, -3)).save(path)
    images = np.random.default_rng(0).random((3, 4, 32, 40), dtype=np.float32)
    frames = correct_distortion(t4.TiltSeries(images, [0, 1, 2]), path)
    np.testing.assert_allclose(
        frames.images[..., :-2, 3:], images[..., 2:, :-3], rtol=1e-4, atol=1e-5
    )
    assert frames.images.shape == images.shape
    single = correct_distortion(t4.TiltSeries(images[:, 0], [0, 1, 2]), path)
    np.testing.assert_array_equal(single.images, frames.images[:, 0])
    ragged = correct_distortion(t4.TiltSeries([images[0, :2], images[1, :3]], [0, 1]), path)
    np.testing.assert_array_equal(ragged.images[1], frames.images[1, :3])
    assert frames.provenance.step == "preprocess.correct_distortion"
    assert frames.provenance.parameters == {"path": path}
    # a magnified image keeps its grey values
    CorrectionMap.from_affine(np.eye(2) * 0.8, (32, 40)).save(path)
    even = correct_distortion(t4.TiltSeries(np.full((2, 32, 40), 5.0), [0, 1]), path)
    np.testing.assert_allclose(even.images, 5, rtol=1e-5)
    with pytest.raises(DataError, match="for images of 32 x 40 pixels, but these have 16 x 20"):
        correct_distortion(t4.TiltSeries(np.ones((2, 16, 20)), [0, 1]), path)


GOOD = np.random.default_rng(0).random((48, 48))


@pytest.mark.parametrize(
    ("first", "second", "rotation", "message"),
    [
        (GOOD, GOOD[:40], 90, "Two square images of one size"),
        (GOOD[:1], GOOD[:1], 90, "Two square images of one size"),
        (GOOD, GOOD * 0, 90, "second image is constant"),
        (GOOD * np.nan, GOOD, 90, "first image holds NaN"),
        (GOOD, GOOD, 45, "differ by 45 degrees; only 90 and -90"),
    ],
)
def test_bad_pairs_are_refused_in_a_sentence(first, second, rotation, message):
    for function in (affine_from_orthogonal, nonrigid_from_orthogonal):
        with pytest.raises(DataError, match=message):
            function(first, second, rotation)


def test_scans_of_different_fields_give_a_warning():
    one, other = np.random.default_rng(1).random((2, 128, 128))
    with pytest.warns(Tomo4DWarning, match="hardly agree"):
        affine_from_orthogonal(one, other, max_drift=0.02)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (GOOD[:1], "at least 32 pixels"),
        (GOOD * 0, "constant"),
        (GOOD * np.nan, "NaN"),
        (GOOD, "No two Bragg spots"),
    ],
)
def test_bad_lattices_are_refused_in_a_sentence(image, message):
    with pytest.raises(DataError, match=message):
        map_from_lattice(image)


def test_bad_settings_and_maps_are_refused():
    with pytest.raises(DataError, match="order of the distortion is 4"):
        map_from_lattice(GOOD, order=4)
    with pytest.raises(DataError, match="angle of 0 degrees"):
        map_from_lattice(GOOD, 0)
    with pytest.raises(DataError, match="Knots have to be"):
        nonrigid_from_orthogonal(GOOD, GOOD, knot_lines=0)
    with pytest.raises(DataError, match="largest drift is 2 of the image edge"):
        affine_from_orthogonal(GOOD, GOOD, max_drift=2)
    with pytest.raises(DataError, match="array \\(2, y, x\\)"):
        CorrectionMap(np.ones((3, 4, 4)))
    with pytest.raises(DataError, match="NaN"):
        CorrectionMap(np.full((2, 4, 4), np.nan))
    with pytest.raises(DataError, match="2 x 2 finite"):
        CorrectionMap(np.zeros((2, 4, 4)), np.eye(3))


def test_cancel(tmp_path):
    progress = Progress()
    progress.cancel()
    path = str(tmp_path / "map.npz")
    CorrectionMap(np.zeros((2, 48, 48))).save(path)
    with pytest.raises(Cancelled):
        correct_distortion(t4.TiltSeries(GOOD[None], [0]), path, progress=progress)
    with pytest.raises(Cancelled):
        nonrigid_from_orthogonal(GOOD, GOOD, progress=progress)
    with pytest.raises(Cancelled):
        map_from_lattice(GOOD, progress=progress)
