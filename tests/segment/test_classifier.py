"""A pixel classifier learns what a threshold can't tell, and is the same everywhere."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import ndimage
from spheres import ball

from napari_tomo4d import Volume
from napari_tomo4d.errors import Cancelled, DataError, ReadError
from napari_tomo4d.progress import Progress
from napari_tomo4d.segment import PixelClassifier, classify_voxels
from napari_tomo4d.segment.features import feature_names, features
from napari_tomo4d.segment.forest import Forest

SHAPE = (40, 44, 48)


def textures(seed=0):
    """A smooth ball in a rough surrounding of the same mean grey value."""
    rng = np.random.default_rng(seed)
    inside = ball(SHAPE, (20, 22, 24), 13) > 0.5
    rough = rng.normal(0, 1, SHAPE)
    smooth = ndimage.gaussian_filter(rng.normal(0, 1, SHAPE), 2) * 4
    return Volume(10 + np.where(inside, smooth, rough), 0.5), inside


def brush(inside):
    """Strokes across three sections: 1 outside, 2 inside."""
    strokes = np.zeros(SHAPE, int)
    strokes[12:32:8] = np.where(inside[12:32:8], 2, 1)
    rows = np.arange(SHAPE[1]) % 5 < 2
    strokes[:, ~rows] = 0
    return strokes


@pytest.fixture(scope="module")
def trained():
    volume, inside = textures()
    return PixelClassifier.train(volume, brush(inside), n_trees=20)


def test_it_tells_textures_apart_that_no_threshold_can(trained):
    volume, inside = textures(seed=1)
    found = trained.predict(volume)
    assert set(np.unique(found.data)) == {0, 1} and found.pixel_size_nm == 0.5
    assert 2 * (inside & (found.data > 0)).sum() / (inside.sum() + found.data.sum()) > 0.85
    best = max(np.mean((volume.data > v) == inside) for v in np.linspace(7, 13, 61))
    assert np.mean((found.data > 0) == inside) > 0.96 > 0.93 > best


@pytest.mark.parametrize("tile", [16, 33, 200])
def test_tiles_do_not_show(trained, tile):
    volume, _ = textures(seed=2)
    whole = trained.predict(volume, tile=64)
    np.testing.assert_array_equal(trained.predict(volume, tile=tile).data, whole.data)


def test_features_are_those_of_a_paraboloid():
    z, y, x = np.mgrid[-20:21, -20:21, -20:21].astype(np.float32)
    found = features(0.5 * (3 * z**2 + 2 * y**2 + x**2) + 4 * y, (1.5,))
    at = dict(zip(feature_names((1.5,)), found[:, 20, 20, 20], strict=True))
    assert at["gradient 1.5 px"] == pytest.approx(1.5 * 4, rel=1e-3)
    assert at["laplacian 1.5 px"] == pytest.approx(1.5**2 * 6, rel=0.01)
    curved = [at[f"curvature {i} 1.5 px"] / 1.5**2 for i in (1, 2, 3)]
    assert curved == pytest.approx([1, 2, 3], rel=0.01)
    assert at["mean 1.5 px"] == pytest.approx(0.5 * 6 * 1.5**2, rel=0.01)


def test_its_trees_predict_what_the_library_does():
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.default_rng(0)
    samples = rng.normal(size=(400, 5)).astype(np.float32)
    classes = (samples[:, 0] + samples[:, 1] ** 2 > 0.5).astype(int)
    peer = RandomForestClassifier(
        15, min_samples_leaf=2, class_weight="balanced", random_state=4
    ).fit(samples, classes)
    own = Forest.grow(samples, classes, 15, 4)
    new = rng.normal(size=(1000, 5)).astype(np.float32)
    np.testing.assert_allclose(own.predict(new.T).T, peer.predict_proba(new), atol=1e-5)


def test_equal_seeds_give_equal_trees_and_a_file_keeps_them(trained, tmp_path):
    volume, inside = textures()
    again = PixelClassifier.train(volume, brush(inside), n_trees=20)
    path = tmp_path / "particles.npz"
    trained.save(path)
    loaded = PixelClassifier.load(path)
    for name, values in trained.forest.arrays().items():
        np.testing.assert_array_equal(again.forest.arrays()[name], values)
        np.testing.assert_array_equal(loaded.forest.arrays()[name], values)
    other = PixelClassifier.train(volume, brush(inside), n_trees=20, seed=1)
    assert not np.array_equal(other.forest.threshold, trained.forest.threshold)
    part = Volume(volume.data[:12, :20, :20])
    step = classify_voxels(part, str(path))
    np.testing.assert_array_equal(step.data, trained.predict(part).data)
    assert step.provenance.parameters == {"classifier": str(path)}
    assert [p.name for p in tmp_path.iterdir()] == ["particles.npz"]


def test_damaged_or_foreign_files_are_refused(trained, tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(ReadError, match="can't be read"):
        PixelClassifier.load(path)
    path.write_bytes(b"not an archive")
    with pytest.raises(ReadError, match="can't be read as a pixel classifier"):
        PixelClassifier.load(path)
    np.savez(path, a=np.array([{"x": 1}], dtype=object))
    with pytest.raises(ReadError, match="holds Python objects"):
        PixelClassifier.load(path)
    trained.save(path)
    with np.load(path) as file:
        arrays = dict(file)
    for name, value in (("left", 10**6), ("left", 0), ("feature", 99), ("starts", -1)):
        bad = {n: a.copy() for n, a in arrays.items()}
        bad[name][0] = value
        np.savez(path, **bad)
        with pytest.raises(ReadError, match="can't be read as a pixel classifier"):
            PixelClassifier.load(path)
    said = json.loads(str(arrays["description"]))
    arrays["description"] = np.array(json.dumps({**said, "version": 99}))
    np.savez(path, **arrays)
    with pytest.raises(ReadError, match="of this version"):
        PixelClassifier.load(path)


def test_strokes_that_teach_nothing_are_refused_and_runs_can_be_cancelled(trained):
    volume, inside = textures()
    with pytest.raises(DataError, match="so far there is only 1"):
        PixelClassifier.train(volume, np.minimum(brush(inside), 1))
    with pytest.raises(DataError, match="so far there is nothing"):
        PixelClassifier.train(volume, np.zeros(SHAPE, int))
    with pytest.raises(DataError, match="have to be equal"):
        PixelClassifier.train(volume, np.ones((3, 3, 3), int))

    class Impatient(Progress):
        def show(self, done, total, message, preview):
            if done >= 2:
                self.cancel()

    with pytest.raises(Cancelled):
        trained.predict(volume, tile=10, progress=Impatient())
