"""What is written comes back; what fails leaves nothing behind."""

from __future__ import annotations

import dask.array as da
import mrcfile
import numpy as np
import pytest
import tifffile
import zarr

import napari_tomo4d as t4
from napari_tomo4d.errors import Cancelled, DataError, ReadError, WriteError
from napari_tomo4d.io import read_angles
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import Provenance
from napari_tomo4d.seals import fingerprint

RNG = np.random.default_rng(0)
STACK = RNG.random((4, 6, 7), dtype=np.float32)
VOXELS = RNG.random((5, 6, 7), dtype=np.float32)
MADE = Provenance("reconstruct.sirt", {"iterations": 3}, (Provenance("read", {"path": "x"}),))


def series(images=STACK, **changes):
    options = {
        "pixel_size_nm": 0.5,
        "tilt_axis": "x",
        "axis_shift_px": 1.5,
        "dose_e_per_nm2": 250.0,
        "name": "gold",
        "metadata": {"angles_from": "given"},
        "provenance": MADE,
    }
    return t4.TiltSeries(images, [-10, 0, 10, 20.5], **{**options, **changes})


def assert_same(a, b):
    assert type(a) is type(b)
    for name in a.__dataclass_fields__:
        left, right = getattr(a, name), getattr(b, name)
        if name == "provenance":
            # reading adds itself; what was before is its input
            continue
        if name == "series":
            for one, other in zip(left, right, strict=True):
                assert_same(one, other)
        elif isinstance(left, tuple):
            for one, other in zip(left, right, strict=True):
                np.testing.assert_array_equal(one, other)
        elif isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right)
        else:
            assert left == right, name


ITEMS = {
    "series": series(),
    "integers": series((STACK * 1000).astype(np.uint16)),
    "frames": series(np.stack([STACK, STACK + 1], axis=1)),
    "ragged": series([STACK[:1], STACK[:3], STACK[:2], STACK]),
    "volume": t4.Volume(VOXELS, 0.5, [0.5, 0.25], "v", {"origin_px": [1, 2]}, MADE),
    "labels": t4.Labels((VOXELS * 5).astype(int), 0.5, "l", provenance=MADE),
    "times": t4.TimeSeries([series(), series(STACK + 1)], [0, 60], [350, 360], "t", MADE),
    "volumes": t4.TimeSeries([t4.Volume(VOXELS, 0.5)] * 2, [0, 60], name="v4"),
    "unknown scale": series(pixel_size_nm=None),
}


@pytest.mark.parametrize("lazy", [None, True])
@pytest.mark.parametrize("name", ITEMS)
def test_zarr_keeps_everything(tmp_path, name, lazy):
    item = ITEMS[name]
    path = t4.write(item, tmp_path / "a.ome.zarr")
    again = t4.read(path, lazy=lazy)
    if lazy and name != "times" and hasattr(again, "images"):
        images = again.images
        assert not isinstance(images[0] if isinstance(images, tuple) else images, np.ndarray)
        again = again.replace(
            images=[np.asarray(f) for f in images]
            if isinstance(images, tuple)
            else np.asarray(images)
        )
    assert_same(item, again) if not lazy or name not in ("times", "volumes") else None
    if item.provenance is not None:
        assert again.provenance.inputs[0] == item.provenance
    assert [p.name for p in tmp_path.iterdir()] == ["a.ome.zarr"]


def test_zarr_is_ome_for_other_programs(tmp_path):
    path = t4.write(ITEMS["volume"], tmp_path / "a.ome.zarr")
    ome = zarr.open_group(str(path), mode="r").attrs["ome"]
    multiscale = ome["multiscales"][0]
    assert ome["version"] == "0.5"
    assert [a["name"] for a in multiscale["axes"]] == ["z", "y", "x"]
    assert {a["unit"] for a in multiscale["axes"]} == {"nanometer"}
    scale = multiscale["datasets"][0]["coordinateTransformations"][0]["scale"]
    assert scale == [0.5, 0.5, 0.5]


def test_mrc_with_its_angles(tmp_path):
    path = t4.write(series(), tmp_path / "a.mrc")
    with mrcfile.open(path) as file:
        assert float(file.voxel_size.x) == pytest.approx(5.0)
        np.testing.assert_array_equal(file.data, STACK)
        assert file.is_image_stack()
    np.testing.assert_allclose(read_angles(tmp_path / "a.rawtlt"), [-10, 0, 10, 20.5])
    again = t4.read(path, tilt_axis="x")
    np.testing.assert_array_equal(again.images, STACK)
    assert again.pixel_size_nm == pytest.approx(0.5)
    volume = t4.read(t4.write(ITEMS["volume"], tmp_path / "v.mrc"))
    np.testing.assert_array_equal(volume.data, VOXELS)
    assert isinstance(volume, t4.Volume)


@pytest.mark.parametrize("name", ["series", "integers", "volume", "labels"])
def test_ome_tiff_keeps_everything(tmp_path, name):
    path = t4.write(ITEMS[name], tmp_path / "a.ome.tif")
    assert_same(ITEMS[name], t4.read(path))
    with tifffile.TiffFile(path) as tif:
        assert tif.is_ome
        assert 'PhysicalSizeX="0.5"' in tif.ome_metadata


def test_lazy_images_are_written_a_few_at_a_time(tmp_path):
    most = [0]
    alive = [0]

    def make(block_info=None):
        alive[0] += 1
        most[0] = max(most[0], alive[0])
        return np.ones((1, 64, 64), np.float32)

    images = da.map_blocks(
        make, chunks=((1,) * 50, 64, 64), dtype=np.float32, meta=np.empty((0, 0, 0), np.float32)
    )

    class Counting(Progress):
        def show(self, done, total, message, preview):
            alive[0] = 0

    item = t4.TiltSeries(images, np.arange(50.0), 1.0)
    path = t4.write(item, tmp_path / "a.zarr", progress=Counting())
    assert most[0] == 1
    assert t4.read(path).images.sum() == 50 * 64 * 64


class Failing(Progress):
    def show(self, done, total, message, preview):
        if done >= 2:
            raise OSError(28, "No space left on device")


class Cancelling(Progress):
    def show(self, done, total, message, preview):
        self.cancel()


@pytest.mark.parametrize(
    ("progress", "error", "words"),
    [
        (Failing, WriteError, "could not be written: No space left"),
        (Cancelling, Cancelled, "cancelled"),
    ],
)
def test_a_failed_write_leaves_what_was_there(tmp_path, progress, error, words):
    path = t4.write(series(), tmp_path / "a.zarr")
    with pytest.raises(error, match=words):
        t4.write(series(STACK * 2), path, overwrite=True, progress=progress())
    np.testing.assert_array_equal(t4.read(path).images, STACK)
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]
    with pytest.raises(error):
        t4.write(series(), tmp_path / "b.zarr", progress=progress())
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]


def test_targets_are_checked_before_work(tmp_path):
    path = t4.write(series(), tmp_path / "a.mrc")
    for target, words in (
        (path, "exists already"),
        (tmp_path / "a.xyz", "extension that can't be written"),
        (tmp_path / "no" / "a.mrc", "does not exist; create it"),
    ):
        with pytest.raises(WriteError, match=words):
            t4.write(series(), target)
    with pytest.raises(WriteError, match=r"can't hold several time points; write b.ome.zarr"):
        t4.write(ITEMS["times"], tmp_path / "b.mrc")
    with pytest.raises(WriteError, match="can't hold several frames"):
        t4.write(ITEMS["ragged"], tmp_path / "b.ome.tif")
    t4.write(series(STACK * 3), path, overwrite=True)
    np.testing.assert_allclose(t4.read(path, tilt_axis="y").images, STACK * 3)


def test_read_only_folder(tmp_path, monkeypatch):
    # the superuser may write anywhere, so the system's answer is made up
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(WriteError, match="is read-only; choose another one"):
        t4.write(series(), tmp_path / "a.mrc")
    assert list(tmp_path.iterdir()) == []


def test_labels_survive_mrc_which_has_no_such_type(tmp_path):
    labels = t4.Labels(np.arange(24).reshape(2, 3, 4) * 4000, 0.5)
    t4.write(labels, tmp_path / "l.mrc")
    again = t4.read(tmp_path / "l.mrc", kind="labels")
    np.testing.assert_array_equal(again.data, labels.data)
    t4.write(t4.Volume(np.full((2, 3, 4), 0.5), 0.5), tmp_path / "v.mrc")
    with pytest.raises(DataError, match="whole numbers"):
        t4.read(tmp_path / "v.mrc", kind="labels")


def test_lazy_voxels_are_those_that_were_opened(tmp_path):
    path = tmp_path / "v.zarr"
    t4.write(t4.Volume(np.ones((4, 5, 6))), path)
    old = t4.read(path, lazy=True)
    assert np.all(np.asarray(old.data) == 1)
    t4.write(t4.Volume(np.full((4, 5, 6), 2.0)), path, overwrite=True)
    with pytest.raises(ReadError, match="written anew since it was opened"):
        np.asarray(old.data)
    new = t4.read(path, lazy=True)
    assert np.all(np.asarray(new.data) == 2)
    assert fingerprint(new) != fingerprint(old)


def test_frames_of_several_types_are_stored_in_one_that_holds_all(tmp_path):
    frames = [np.full((1, 4, 4), 7, np.uint8), np.full((2, 4, 4), 300, np.uint16)]
    series = t4.TiltSeries(frames, [0, 10])
    assert series.dtype == np.uint16
    t4.write(series, tmp_path / "s.zarr")
    again = t4.read(tmp_path / "s.zarr")
    assert [again.frames(i).max() for i in range(2)] == [7, 300]
