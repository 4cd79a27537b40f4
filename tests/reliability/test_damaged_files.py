"""Damaged files are refused in one sentence, or open with values that can be true."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from mutate import make_files, run
from opening import Child, kind_and_file

import napari_tomo4d as t4
from napari_tomo4d.errors import (
    DataError,
    MissingAnglesError,
    ReadError,
    Tomo4DError,
    Tomo4DWarning,
    readable,
)

IMAGES = np.random.default_rng(0).random((5, 12, 16), dtype=np.float32)
ANGLES = np.array([-60.0, -30, 0, 30, 60])


@pytest.fixture(scope="module")
def child():
    result = Child()
    yield result
    result.close()


def test_smallest_file_of_each_fault(reference_data, child):
    folders = [f for f in sorted(reference_data("fuzz_cases").iterdir()) if f.is_dir()]
    assert len(folders) > 20
    faults = {}
    for folder in folders:
        kind, name = kind_and_file(folder)
        if fault := child.open(kind, folder, name):
            faults[folder.name] = fault
    assert not faults


@pytest.mark.filterwarnings("ignore::napari_tomo4d.errors.Tomo4DWarning")
def test_files_damaged_at_random(tmp_path, child):
    files = make_files(tmp_path)
    assert len(files) >= 25
    faults, refused = [], 0
    for kind, (whole, name) in files.items():
        assert (
            child.open("data" if kind.startswith(("mrc", "tif", "mat5")) else kind, whole, name)
            == ""
        ), kind
        assert not child.said or kind == "recipe", (kind, child.said)
        found, n = run(child, kind, whole, name, range(3))
        faults += found
        refused += n
    assert not faults
    assert refused > len(files)


def test_an_error_is_one_short_line():
    text = str(Tomo4DError("The file\nholds \x00" + "x" * 10**6 + " at the end."))
    assert text.startswith("The file holds xxx")
    assert text.endswith("at the end.")
    assert len(text) < 600 and text.isprintable()
    sent = pickle.loads(pickle.dumps(MissingAnglesError("No angles.", 5, "all equal")))
    assert (str(sent), sent.n_images, sent.doubt) == ("No angles.", 5, "all equal")
    assert readable("as it is: µ, Å, 3 × 4.") == "as it is: µ, Å, 3 × 4."


def test_what_lies_in_other_files_is_not_shown(tmp_path):
    secret = tmp_path / "secret.bin"
    IMAGES.tofile(secret)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["stack"] = IMAGES
    for name in ("a.mat", "a.emd", "a.hspy"):
        path = tmp_path / name
        for way in ("raw", "link", "virtual"):
            with h5py.File(path, "w") as file:
                file["angles"] = ANGLES
                if way == "raw":
                    external = [(str(secret), 0, IMAGES.nbytes)]
                    file.create_dataset("stack", IMAGES.shape, "f4", external=external)
                elif way == "link":
                    file["stack"] = h5py.ExternalLink("other.h5", "stack")
                else:
                    layout = h5py.VirtualLayout(IMAGES.shape, "f4")
                    layout[:] = h5py.VirtualSource("other.h5", "stack", IMAGES.shape)
                    file.create_virtual_dataset("stack", layout)
            with pytest.raises(ReadError, match="from another file, which is not followed"):
                t4.read(path, ANGLES)


def test_objects_that_could_run_code_are_not_read_nor_advised(tmp_path):
    objects = np.array([{"a": 1}], dtype=object)
    np.save(tmp_path / "a.npy", objects)
    np.savez(tmp_path / "a.npz", images=objects)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(IMAGES))
    for name, words in (("a.npy", "Python objects"), ("a.npz", "Python objects"), ("b.npy", "no")):
        with pytest.raises(ReadError, match=words) as caught:
            t4.read(tmp_path / name, ANGLES)
        assert "pickle" not in str(caught.value)


def test_no_memory_is_taken_for_what_a_file_cannot_hold(tmp_path):
    """Each header promises 4 TB; taking them would end in an error of another kind."""
    huge = (10**6, 1000, 1000)
    header = {"descr": "<f4", "fortran_order": False, "shape": huge}
    with open(tmp_path / "a.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.write(tmp_path / "a.npy", "images.npy")
    for name in ("a.mat", "a.emd", "a.hspy"):
        with h5py.File(tmp_path / name, "w") as file:
            file.create_dataset("stack", huge, "f4", chunks=(1, 10, 10))
    for name in ("a.npy", "a.npz", "a.mat", "a.emd", "a.hspy"):
        with pytest.raises(ReadError, match="its header promises 4000000000000 bytes"):
            t4.read(tmp_path / name, ANGLES)


@pytest.mark.parametrize("packed", [False, True])
def test_matlab_files_before_7_3_hold_what_scipy_finds(tmp_path, packed):
    struct = {"images": IMAGES.transpose(1, 2, 0), "angles": ANGLES, "note": "gold", "n": 3}
    cells = np.empty(2, object)
    cells[:] = ["a", ANGLES]
    stored = {
        "data": struct,
        "cells": cells,
        "small": np.int8([[1, 2], [3, -4]]),
        "yes": np.array([True, False]),
        "turned": ANGLES + 1j,
    }
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, stored, do_compression=packed)
    ours = _matlab(path)
    theirs = scipy.io.loadmat(path, simplify_cells=True)
    for key in ("images", "angles", "n"):
        np.testing.assert_array_equal(ours["data"][key], theirs["data"][key])
    assert ours["data"]["note"] == "gold"
    assert ours["cells"][0] == "a"
    np.testing.assert_array_equal(ours["cells"][1], ANGLES)
    for key in ("small", "yes", "turned"):
        np.testing.assert_array_equal(ours[key], theirs[key])
        assert ours[key].dtype.kind == stored[key].dtype.kind
    scipy.io.savemat(path, {"angles": ANGLES}, format="4")
    np.testing.assert_array_equal(_matlab(path)["angles"], ANGLES)


def _matlab(path: Path):
    from napari_tomo4d.io.matlab import matlab_variables

    return matlab_variables(path)


def test_a_pixel_of_an_impossible_size_is_not_believed(tmp_path):
    path = tmp_path / "a.npz"
    for size in (1.6e-11, 1e300, -1.0, np.nan):
        np.savez(path, images=IMAGES, angles_deg=ANGLES, pixel_size_nm=size)
        with pytest.warns(Tomo4DWarning, match="can't be true; the size is unknown"):
            assert t4.read(path, tilt_axis="y").pixel_size_nm is None
        for maker in (t4.TiltSeries(IMAGES, ANGLES).replace, _volume):
            with pytest.raises(DataError, match="size is .* nm"):
                maker(pixel_size_nm=size)


def _volume(pixel_size_nm):
    return t4.Volume(IMAGES, pixel_size_nm)


def test_images_that_are_damaged_are_told_when_they_are_used(tmp_path):
    path = tmp_path / "a.emd"
    with h5py.File(path, "w") as file:
        group = file.create_group("data/tomogram")
        group.attrs["emd_group_type"] = 1
        stack = group.create_dataset("data", data=IMAGES, chunks=(1, 12, 16), compression="gzip")
        for k, n in enumerate(IMAGES.shape):
            group[f"dim{k + 1}"] = np.arange(float(n))
        place = stack.id.get_chunk_info(3).byte_offset
    with open(path, "r+b") as changed:
        changed.seek(place + 10)
        changed.write(b"\0" * 40)
    series = t4.read(path, ANGLES, tilt_axis="y", lazy=True)
    with pytest.raises(ReadError, match="a.emd can't be read as images"):
        series.load()
    zarr = t4.write(t4.TiltSeries(IMAGES, ANGLES), tmp_path / "a.ome.zarr")
    (zarr / "0" / "c" / "3" / "0" / "0").write_bytes(b"damaged")
    with pytest.raises(ReadError, match="a part of it is damaged"):
        t4.read(zarr, lazy=True).load()


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.mrc")
    with pytest.raises(ReadError, match="a device or a pipe"):
        t4.read(tmp_path / "a.mrc")


def test_learned_and_measured_files_hold_what_can_be(tmp_path):
    path = tmp_path / "a.npz"
    for spectrum in (np.full((8, 8), np.nan), np.full((8, 8), -1.0), np.zeros((8, 8))):
        arrays = {"schema_version": 1, "kind": "measured", "variance": 1.0, "spectrum": spectrum}
        np.savez(path, **arrays)
        with pytest.raises(ReadError, match="powers that can't be"):
            t4.denoise.NoiseModel.load(path)
    volume = t4.Volume(np.random.default_rng(0).random((6, 8, 10)), 0.5)
    strokes = np.arange(480).reshape(6, 8, 10) % 3
    t4.segment.PixelClassifier.train(volume, strokes, n_trees=2, scales_px=(1.0,)).save(path)
    with np.load(path) as file:
        arrays = dict(file)
    for changed in (
        {"share": -arrays["share"]},
        {"description": np.array(str(arrays["description"]).replace('"scale": 0', '"scale": -0'))},
    ):
        np.savez(path, **{**arrays, **changed})
        with pytest.raises(ReadError, match="damaged|impossible"):
            t4.segment.PixelClassifier.load(path)
