"""Where angles, sizes and times come from, and what happens to bad files."""

from __future__ import annotations

import sys

import h5py
import mrcfile
import numpy as np
import pytest
import scipy.io
import tifffile

import napari_tomo4d as t4
from napari_tomo4d.errors import DataError, NotEnoughMemoryError, ReadError, Tomo4DWarning
from napari_tomo4d.io.names import angles_from_names, times_from_names

STACK = np.random.default_rng(0).integers(0, 99, (5, 8, 9)).astype(np.int16)
ANGLES = [-20.0, -10.0, 0.0, 10.0, 20.0]


@pytest.fixture
def mrc(tmp_path):
    path = tmp_path / "a.mrc"
    mrcfile.write(path, STACK, voxel_size=12.5)
    return path


def test_angles_the_user_gives_come_first(mrc):
    mrc.with_suffix(".rawtlt").write_text("".join(f"{a}\n" for a in ANGLES))
    from_sidecar = t4.read(mrc, tilt_axis="y")
    assert from_sidecar.angles_deg.tolist() == ANGLES
    assert from_sidecar.metadata["angles_from"] == "a.rawtlt"
    assert from_sidecar.pixel_size_nm == 1.25
    given = t4.read(mrc, [1, 2, 3, 4, 5], 7.0, "x")
    assert given.angles_deg.tolist() == [1, 2, 3, 4, 5]
    assert (given.pixel_size_nm, given.tilt_axis) == (7.0, "x")
    assert given.provenance.parameters["angles_deg"] == [1, 2, 3, 4, 5]
    steps = t4.read(mrc, tilt_axis="y", start_deg=-4, step_deg=2)
    assert steps.angles_deg.tolist() == [-4, -2, 0, 2, 4]
    np.testing.assert_array_equal(steps.images, STACK)


def test_tables_of_angles(mrc, tmp_path):
    (tmp_path / "b.csv").write_text(
        "# image,tilt angle\n" + "".join(f"{i},{a}\n" for i, a in enumerate(ANGLES))
    )
    (tmp_path / "c.mdoc").write_text(
        "".join(f"[ZValue = {i}]\nTiltAngle = {a}\n" for i, a in enumerate(ANGLES))
    )
    scipy.io.savemat(tmp_path / "d.mat", {"angles": np.array(ANGLES)})
    for name in ("b.csv", "c.mdoc", "d.mat"):
        series = t4.read(mrc, angles_deg=tmp_path / name, tilt_axis="y")
        assert series.angles_deg.tolist() == ANGLES
    (tmp_path / "e.txt").write_text("no numbers here\n")
    with pytest.raises(ReadError, match=r"e.txt holds no tilt angles"):
        t4.read(mrc, angles_deg=tmp_path / "e.txt")


def test_names():
    from pathlib import Path

    def names(*texts):
        return [Path(f"{t}.tif") for t in texts]

    assert angles_from_names(names("t_-10.5deg", "t_0deg")).tolist() == [-10.5, 0]
    assert angles_from_names(names("tilt-10", "tilt+10")).tolist() == [-10, 10]
    assert angles_from_names(names("a_+02.0_x", "a_-02.0_x")).tolist() == [2, -2]
    assert angles_from_names(names("BF_001", "BF_002")) is None
    assert angles_from_names(names("scan 1", "scan 2")) is None
    assert times_from_names(names("run_600s", "run_0s")) == [600, 0]
    assert times_from_names(names("run1", "run2")) is None
    assert times_from_names(names("r_1h30min", "r_2h", "r_45min")) == [5400, 7200, 2700]
    assert times_from_names(names("Pt_3D_10 s", "Pt_3D_20 s")) == [10, 20]
    assert angles_from_names(names("tilt_001_12.0", "tilt_003_24.0", "tilt_005_0.0"))[0] == 12
    assert angles_from_names(names("tilt_001", "tilt_003", "tilt_007")) is None
    assert angles_from_names(names("scan-10", "scan-20", "scan-25")) is None


def test_folder_of_tiffs_with_angles_in_their_names(tmp_path):
    for image, angle in zip(STACK, ANGLES, strict=True):
        tifffile.imwrite(tmp_path / f"pt_{angle:+.1f}.tif", image)
    with pytest.warns(Tomo4DWarning, match="from the names of the files"):
        series = t4.read(tmp_path, tilt_axis="y")
    assert series.angles_deg.tolist() == ANGLES
    np.testing.assert_array_equal(series.images, STACK)


def test_time_series_from_a_pattern_and_from_folders(tmp_path):
    for seconds in (1200, 0, 60):
        folder = tmp_path / f"heat_{seconds}s"
        folder.mkdir()
        path = folder / "stack.mrc"
        mrcfile.write(path, STACK + np.int16(seconds), voxel_size=10)
        path.with_suffix(".tlt").write_text("\n".join(map(str, ANGLES)))
        mrcfile.write(tmp_path / f"pt_{seconds}.mrc", STACK + np.int16(seconds))
        (tmp_path / f"pt_{seconds}.tlt").write_text("\n".join(map(str, ANGLES)))
    pattern = t4.read(str(tmp_path / "pt_{time}.mrc"), tilt_axis="y", temperatures_c=[350] * 3)
    assert pattern.times_s.tolist() == [0, 60, 1200]
    assert [int(s.images[0, 0, 0] - STACK[0, 0, 0]) for s in pattern] == [0, 60, 1200]
    assert pattern.label(2) == "20 min, 350 °C"
    folders = [tmp_path / f"heat_{s}s" for s in (1200, 0, 60)]
    with pytest.warns(Tomo4DWarning, match="times were taken from the names"):
        from_folders = t4.read(folders, tilt_axis="y")
    assert from_folders.times_s.tolist() == [0, 60, 1200]
    np.testing.assert_array_equal(from_folders[2].images, pattern[2].images)


def test_matlab_7_3_and_npz(tmp_path):
    with h5py.File(tmp_path / "v73.mat", "w") as file:
        # MATLAB's (row, column, image), which HDF5 shows the other way round
        file["data"] = STACK.transpose(1, 2, 0).T
        file["angles"] = np.array(ANGLES)[:, None]
    np.savez(tmp_path / "a.npz", images=STACK, angles_deg=ANGLES, pixel_size_nm=2.0)
    for name in ("v73.mat", "a.npz"):
        series = t4.read(tmp_path / name, tilt_axis="y")
        np.testing.assert_array_equal(series.images, STACK)
        assert series.angles_deg.tolist() == ANGLES


def test_ome_and_imagej_tiff_pixel_sizes(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        STACK,
        metadata={"axes": "ZYX", "PhysicalSizeX": 0.002, "PhysicalSizeXUnit": "µm"},
    )
    tifffile.imwrite(
        tmp_path / "b.tif", STACK, imagej=True, resolution=(0.25, 0.25), metadata={"unit": "nm"}
    )
    tifffile.imwrite(tmp_path / "c.tif", STACK, resolution=(72, 72), resolutionunit="INCH")
    sizes = [
        t4.read(tmp_path / n, ANGLES, tilt_axis="y").pixel_size_nm
        for n in ("a.ome.tif", "b.tif", "c.tif")
    ]
    assert sizes[:2] == [pytest.approx(2), pytest.approx(4)]
    assert sizes[2] is None


# -- bad input ---------------------------------------------------------------------------------


def test_truncated(mrc):
    mrc.write_bytes(mrc.read_bytes()[:-100])
    with pytest.raises(
        ReadError, match=r"a.mrc is truncated: its header promises 5 images of 8 x 9"
    ):
        t4.read(mrc, ANGLES)


def test_text_renamed(tmp_path):
    for suffix, words in (
        (".mrc", "is not an MRC file"),
        (".dm3", "is not a file of DigitalMicrograph"),
        (".tif", "can't be read as TIFF"),
        (".mat", "is not a MATLAB file"),
        (".npy", "no NumPy array"),
        (".emd", r"can't be read as EMD \(Velox, NCEM\)"),
    ):
        path = tmp_path / f"text{suffix}"
        path.write_text("These are my notes of Monday. " * 100)
        with pytest.raises(ReadError, match=words):
            t4.read(path, ANGLES)


def test_empty_missing_unknown(tmp_path):
    (tmp_path / "a.mrc").touch()
    (tmp_path / "a.xyz").write_text("1")
    (tmp_path / "folder").mkdir()
    for name, words in (
        ("a.mrc", "is empty"),
        ("b.mrc", "does not exist"),
        ("a.xyz", "extension that is not known"),
        ("folder", "holds no file that can be read"),
        ("*.dm4", "No file matches"),
    ):
        with pytest.raises(ReadError, match=words):
            t4.read(tmp_path / name)


def test_wrong_number_of_angles(mrc):
    with pytest.raises(ReadError, match=r"5 images but there are 3 tilt angles \(given\)"):
        t4.read(mrc, [1, 2, 3])
    mrc.with_suffix(".tlt").write_text("1\n2\n")
    with pytest.raises(ReadError, match=r"there are 2 tilt angles \(a.tlt\)"):
        t4.read(mrc)
    with pytest.raises(ReadError, match="both start_deg and step_deg"):
        t4.read(mrc, start_deg=3)


def test_nan(tmp_path):
    stack = STACK.astype(np.float32)
    stack[2, 3, 4] = np.nan
    np.save(tmp_path / "a.npy", stack)
    with pytest.raises(DataError, match=r"a.npy: The images hold NaN"):
        t4.read(tmp_path / "a.npy", ANGLES, tilt_axis="y")
    lazy = t4.read(tmp_path / "a.npy", ANGLES, tilt_axis="y", lazy=True)
    with pytest.raises(DataError, match="image at 0 deg"):
        lazy.load()


def test_images_of_different_size(tmp_path):
    tifffile.imwrite(tmp_path / "t_-1deg.tif", STACK[0])
    tifffile.imwrite(tmp_path / "t_+1deg.tif", STACK[0][:-1])
    with pytest.raises(ReadError, match="differ in size"):
        t4.read(tmp_path)


def test_no_permission(mrc, monkeypatch):
    # the superuser may read all files, so the system's answer is made up
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(ReadError, match=r"a.mrc may not be read; check its permissions"):
        t4.read(mrc, ANGLES)


def test_a_file_that_vanishes_while_it_is_read(mrc):
    series = t4.read(mrc, ANGLES, tilt_axis="y", lazy=True)
    assert not isinstance(series.images, np.ndarray)
    np.testing.assert_array_equal(series.image(1), STACK[1])
    mrc.unlink()
    with pytest.raises(ReadError, match=r"of .*a.mrc can't be read any more; was the file moved"):
        series.load()


@pytest.mark.timeout(60)
@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system with sparse files")
def test_a_huge_file_opens_at_once_and_is_refused_before_it_fills_the_memory(tmp_path):
    path = tmp_path / "huge.mrc"
    mrcfile.write(path, np.zeros((1, 2048, 2048), np.float32))
    n = 40000
    with mrcfile.open(path, "r+", permissive=True) as file:
        file.header.nz = n
    with open(path, "r+b") as file:
        file.truncate(1024 + n * 2048 * 2048 * 4)
    series = t4.read(path, start_deg=0, step_deg=0.001, tilt_axis="y")
    assert series.image(n // 2).shape == (2048, 2048)
    with pytest.raises(NotEnoughMemoryError, match=r"need 671.1 GB, but only .* choose a smaller"):
        series.load()
