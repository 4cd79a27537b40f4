"""Files keep the size of voxels along each axis, and those of other programs are read with it."""

from __future__ import annotations

import mrcfile
import numpy as np
import pytest
import tifffile
import zarr

import napari_tomo4d as t4
from napari_tomo4d.cli import main
from napari_tomo4d.errors import DataError
from napari_tomo4d.io import describe

SPACINGS = [(2.0, 1.0, 1.0), (1.0, 1.5, 3.0)]
DATA = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("suffix", [".ome.zarr", ".ome.tiff", ".mrc"])
@pytest.mark.parametrize("kind", [t4.Volume, t4.Labels])
def test_what_is_written_is_read_again(kind, suffix, spacing, tmp_path):
    item = kind(DATA.astype(int) if kind is t4.Labels else DATA, spacing)
    again = t4.read(t4.write(item, tmp_path / f"a{suffix}"))
    assert type(again) is kind
    assert again.voxel_size_nm == pytest.approx(spacing, rel=1e-6)
    np.testing.assert_array_equal(again.data, item.data)


def by_tifffile(path, z, y, x):
    sizes = {
        f"PhysicalSize{a}{u}": v
        for a, e in zip("ZYX", (z, y, x), strict=True)
        for u, v in (("", e / 1000), ("Unit", "µm"))
    }
    tifffile.imwrite(path, DATA, ome=True, metadata={"axes": "ZYX", **sizes})


def by_imagej(path, z, y, x):
    tifffile.imwrite(
        path,
        DATA,
        imagej=True,
        resolution=(1 / x, 1 / y),
        metadata={"axes": "ZYX", "spacing": z, "unit": "nm"},
    )


def by_mrcfile(path, z, y, x):
    with mrcfile.new(path) as mrc:
        mrc.set_data(DATA)
        mrc.set_volume()
        mrc.voxel_size = (10 * x, 10 * y, 10 * z)


def by_zarr(path, z, y, x):
    group = zarr.create_group(str(path), zarr_format=3)
    array = group.create_array("0", shape=DATA.shape, dtype=DATA.dtype)
    array[...] = DATA
    axes = [{"name": a, "type": "space", "unit": "nanometer"} for a in "zyx"]
    scale = [{"type": "scale", "scale": [z, y, x]}]
    dataset = {"path": "0", "coordinateTransformations": scale}
    multiscale = {"axes": axes, "datasets": [dataset]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}


def by_numpy(path, z, y, x):
    np.savez(path, images=DATA, pixel_size_nm=np.array([z, y, x]))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.ome.tif", by_tifffile),
        ("a.tif", by_imagej),
        ("a.mrc", by_mrcfile),
        ("a.ome.zarr", by_zarr),
        ("a.npz", by_numpy),
    ],
)
def test_files_of_other_programs(name, write, spacing, tmp_path):
    write(tmp_path / name, *spacing)
    found = t4.read(tmp_path / name, kind="volume")
    assert found.voxel_size_nm == pytest.approx(spacing, rel=1e-5)
    edges = " x ".join(f"{e:g}" for e in spacing)
    said = describe(tmp_path / name, kind="volume")
    assert any(f"{edges} nm (z, y, x)" in text for text in said.values())


@pytest.mark.filterwarnings("ignore")
def test_three_edges_may_be_given(tmp_path):
    np.save(tmp_path / "a.npy", DATA)
    given = (2.0, 1.0, 1.0)
    found = t4.read(tmp_path / "a.npy", pixel_size_nm=given, kind="volume")
    assert found.pixel_size_nm == given
    assert found.provenance.parameters["pixel_size_nm"] == [2.0, 1.0, 1.0]
    path = t4.write(t4.Volume(DATA, 3.0), tmp_path / "b.ome.zarr")
    assert t4.read(path, pixel_size_nm=given).pixel_size_nm == given
    with pytest.raises(DataError, match="pixel size"):
        t4.read(tmp_path / "a.npy", angles_deg=range(4), pixel_size_nm=given, tilt_axis="y")


def test_a_report_takes_three_edges(tmp_path, capsys):
    z, y, x = np.ogrid[:12, :20, :36]
    ball = [((z - 6) * 2) ** 2 + (y - 10) ** 2 + (x - c) ** 2 < 8.5**2 for c in (9.5, 25.5)]
    np.save(tmp_path / "l.npy", ball[0] + 2 * (ball[1] & ~ball[0]))
    out = str(tmp_path / "r.html")
    labels = str(tmp_path / "l.npy")
    assert main(["report", labels, "-o", out, "--pixel-size", "2,1,1", "--quiet"]) == 0
    assert "2 x 1 x 1 nm (z, y, x)" in capsys.readouterr().out
    for wrong in ("2,1", "2,one,1", "0"):
        with pytest.raises(SystemExit):
            main(["report", labels, "-o", out, "--pixel-size", wrong])
        assert "--pixel-size" in capsys.readouterr().err
