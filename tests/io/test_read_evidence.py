"""What is believed of a file, of what lies beside it and of the user, and what is told of it."""

from __future__ import annotations

import json
import os
import warnings

import mrcfile
import numpy as np
import pytest
import scipy.io
import tifffile
import zarr
from rsciio import hspy

import napari_tomo4d as t4
from napari_tomo4d.errors import DataError, MissingAnglesError, ReadError, Tomo4DWarning
from napari_tomo4d.io import describe
from napari_tomo4d.io.mrc_writer import is_ours

STACK = np.random.default_rng(0).integers(0, 99, (5, 8, 9)).astype(np.int16)
ANGLES = [-20.0, -10.0, 0.0, 10.0, 20.0]


def quietly(path, **given):
    """Return what a path holds, and all that is told about it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        item = t4.read(path, **given)
    return item, " ".join(str(w.message) for w in caught if w.category is Tomo4DWarning)


def write_mrc(path, data=STACK, volume=False, angles=None, angstrom=20):
    with mrcfile.new(path, data, overwrite=True) as mrc:
        (mrc.set_volume if volume else mrc.set_image_stack)()
        mrc.voxel_size = angstrom
    if angles is not None:
        path.with_suffix(".rawtlt").write_text("".join(f"{a}\n" for a in angles))
    return path


# -- angles ------------------------------------------------------------------------------------


def write_hspy(path, tilt_axis, metadata=None):
    space = {"scale": 0.5, "offset": 0.0, "units": "nm", "navigate": False}
    axes = [
        {"size": 5, "index_in_array": 0, "navigate": True, **tilt_axis},
        {"size": 8, "index_in_array": 1, "name": "y", **space},
        {"size": 9, "index_in_array": 2, "name": "x", **space},
    ]
    signal = {
        "data": STACK,
        "axes": [{"_type": "UniformDataAxis", "is_binned": False, **a} for a in axes],
        "metadata": {"Signal": {"signal_type": ""}, "General": {"title": "a"}, **(metadata or {})},
        "original_metadata": {},
        "package_info": {"package": "hyperspy", "package_version": "2.0"},
        "attributes": {"_lazy": False, "ragged": False},
        "tmp_parameters": {},
        "learning_results": {},
        "models": {},
    }
    hspy.file_writer(str(path), signal)
    return path


@pytest.mark.parametrize("unit", ["degrees", "deg", "°"])
def test_the_unit_tells_the_axis_of_the_tilts(tmp_path, unit):
    axis = {"scale": 10.0, "offset": -20.0, "units": unit, "name": "Projections"}
    series = t4.read(write_hspy(tmp_path / "a.hspy", axis), tilt_axis="x")
    np.testing.assert_allclose(series.angles_deg, ANGLES)
    np.testing.assert_array_equal(series.images, STACK)
    assert series.pixel_size_nm == pytest.approx(0.5)


def test_an_axis_named_tilt_without_a_unit_is_in_degrees_and_told(tmp_path):
    axis = {"scale": 10.0, "offset": -20.0, "units": "", "name": "tilt"}
    series, said = quietly(write_hspy(tmp_path / "a.hspy", axis))
    assert series.angles_deg.tolist() == ANGLES
    assert "has no unit; degrees were assumed" in said
    for unit in ("mrad", "eV"):
        with pytest.raises(ReadError):
            t4.read(write_hspy(tmp_path / f"{unit}.hspy", {**axis, "units": unit}))


def test_tilts_of_etspy_and_stacks_without_any(tmp_path):
    axis = {"scale": 1.0, "offset": 0.0, "units": "s", "name": "time"}
    stack = write_hspy(tmp_path / "a.hspy", axis)
    with pytest.raises(MissingAnglesError, match="does not say at which tilt angles its 5"):
        t4.read(stack)
    tilts = {"Tomography": {"tilts": [-3.0, -1.0, 0.5, 2.0, 7.0]}}
    series = t4.read(write_hspy(tmp_path / "b.hspy", axis, tilts), tilt_axis="x")
    assert series.angles_deg.tolist() == [-3, -1, 0.5, 2, 7]


def test_a_full_turn(tmp_path):
    path = write_mrc(tmp_path / "a.mrc", angles=[0, 90, 180, 270, 360])
    series, said = quietly(path)
    assert series.angles_deg.tolist() == [0, 90, 180, -90, 0]
    assert "turned back by 360" in said
    given, _ = quietly(path, start_deg=0, step_deg=60)
    assert given.angles_deg.tolist() == [0, 60, 120, 180, -120]
    with pytest.raises(ReadError, match="holds 400, which is no tilt angle"):
        t4.read(path, [0, 100, 200, 300, 400])


def test_radians_are_doubted(tmp_path):
    path = write_mrc(tmp_path / "a.mrc", angles=np.round(np.deg2rad([-60, -30, 0, 30, 60]), 4))
    assert "if they are radians" in quietly(path)[1]


def test_a_counter_alone_is_no_table_of_angles(tmp_path):
    path = write_mrc(tmp_path / "a.mrc", angles=[1, 2, 3, 4, 5])
    with pytest.raises(MissingAnglesError, match="counts from 1 to 5 and says no tilt angles"):
        t4.read(path)
    whole = write_mrc(tmp_path / "b.mrc", angles=[1.0, 2.0, 3.0, 4.0, 5.0])
    assert quietly(whole)[0].angles_deg.tolist() == [1, 2, 3, 4, 5]


def test_columns_in_question_are_named(tmp_path):
    path = write_mrc(tmp_path / "a.mrc")
    table = tmp_path / "t.csv"
    table.write_text("".join(f"{a},{-a}\n" for a in ANGLES))
    with pytest.raises(ReadError, match="may be column 1 or column 2; head the right one"):
        t4.read(path, table)
    table.write_text("image number,tilt angle,dose\n3,0,9\n1,-20,8\n2,-10,7\n5,20,6\n4,10,5\n")
    assert quietly(path, angles_deg=table)[0].angles_deg.tolist() == ANGLES


def test_headers_that_say_one_angle_for_all_files_are_not_believed(tmp_path):
    for image, angle in zip(STACK, ANGLES, strict=True):
        path = tmp_path / f"t_{angle:+.1f}.mrc"
        write_mrc(path, image[None])
        path.with_name(f"{path.name}.mdoc").write_text("[ZValue = 0]\nTiltAngle = 0.0\n")
    series, said = quietly(tmp_path)
    assert series.angles_deg.tolist() == ANGLES
    assert "say 0 degrees, so this was not believed" in said


def test_angles_in_one_line(tmp_path):
    path = write_mrc(tmp_path / "a.mrc", angles=[])
    path.with_suffix(".rawtlt").write_text(" ".join(map(str, ANGLES)))
    assert quietly(path)[0].angles_deg.tolist() == ANGLES


def test_an_axis_of_zeros_is_not_believed(tmp_path):
    axis = {"scale": 0.0, "offset": 0.0, "units": "deg", "name": "tilt"}
    path = write_hspy(tmp_path / "a.hspy", axis)
    with (
        pytest.warns(Tomo4DWarning, match="0 degrees for all 5 images; it was not believed"),
        pytest.raises(MissingAnglesError),
    ):
        t4.read(path)


def test_doses_in_names_are_no_angles(tmp_path):
    for i, image in enumerate(STACK):
        tifffile.imwrite(tmp_path / f"t_{i}_dose_{3.5 * i}.tif", image)
    with pytest.raises(MissingAnglesError):
        t4.read(tmp_path)


# -- what lies beside --------------------------------------------------------------------------


def test_sidecars_that_differ_the_newer_is_taken_and_told(tmp_path):
    path = write_mrc(tmp_path / "a.mrc", angles=ANGLES)
    text = "".join(f"[ZValue = {i}]\nTiltAngle = {a + 2}\n" for i, a in enumerate(ANGLES))
    mdoc = tmp_path / "a.mrc.mdoc"
    mdoc.write_text(text)
    now = path.stat().st_mtime
    os.utime(mdoc, (now - 100, now - 100))
    series, said = quietly(path)
    assert series.angles_deg.tolist() == ANGLES
    assert "differ by up to 2 degrees; those of a.rawtlt were taken" in said
    os.utime(mdoc, (now + 100, now + 100))
    assert quietly(path)[0].angles_deg.tolist() == [a + 2 for a in ANGLES]


def test_a_header_newer_than_the_mdoc_is_taken_and_told(tmp_path):
    path = tmp_path / "a.mrc"
    write_mrc(path)
    with mrcfile.open(path, "r+", permissive=True) as mrc:
        # SerialEM's extended header: 2 bytes per image, hundredths of a degree
        mrc.set_extended_header(np.array([100 * a for a in ANGLES], "i2").view("V2"))
        mrc.header.exttyp = b"SERI"
        extra = bytearray(mrc.header.extra2.tobytes())
        extra[16:20] = np.array([2, 1], "<i2").tobytes()
        mrc.header.extra2 = np.frombuffer(bytes(extra), mrc.header.extra2.dtype)
    mdoc = tmp_path / "a.mrc.mdoc"
    text = "".join(f"[ZValue = {i}]\nTiltAngle = {a + 2}\n" for i, a in enumerate(ANGLES))
    mdoc.write_text(text)
    series, said = quietly(path)
    assert series.angles_deg.tolist() == [a + 2 for a in ANGLES]
    assert "differ by up to 2 degrees; those of the .mdoc were taken" in said
    old = path.stat().st_mtime - 600
    os.utime(mdoc, (old, old))
    series, said = quietly(path)
    assert series.angles_deg.tolist() == ANGLES
    assert "those of the header were taken" in said


def test_a_stale_sidecar_is_doubted(tmp_path):
    path = write_mrc(tmp_path / "a.mrc", angles=ANGLES)
    assert "older than" not in quietly(path)[1]
    old = path.stat().st_mtime - 5 * 86400
    os.utime(tmp_path / "a.rawtlt", (old, old))
    assert "a.rawtlt is 5 days older than a.mrc" in quietly(path)[1]


def test_a_series_and_its_volume_side_by_side(tmp_path):
    series = t4.TiltSeries(STACK, ANGLES, 2.0)
    t4.write(series, tmp_path / "tomo.st")
    # as many slices as tilts
    t4.write(t4.Volume(STACK[:, :4], 2.0), tmp_path / "tomo.mrc")
    write_mrc(tmp_path / "tomo.rec", STACK, volume=True)
    assert isinstance(t4.read(tmp_path / "tomo.mrc"), t4.Volume)
    assert isinstance(t4.read(tmp_path / "tomo.rec"), t4.Volume)
    assert t4.read(tmp_path / "tomo.st").angles_deg.tolist() == ANGLES
    whole, said = quietly(tmp_path)
    np.testing.assert_array_equal(whole.images, STACK)
    assert "tomo.mrc, tomo.rec were not read" in said


def test_a_foreign_volume_beside_a_series_of_the_same_name(tmp_path):
    write_mrc(tmp_path / "a.st", angles=ANGLES)
    write_mrc(tmp_path / "a.mrc", STACK, volume=True)
    assert isinstance(t4.read(tmp_path / "a.mrc"), t4.Volume)


def test_a_volume_written_over_a_series_is_a_volume(tmp_path):
    path = tmp_path / "a.mrc"
    t4.write(t4.TiltSeries(STACK, ANGLES, 2.0), path)
    t4.write(t4.Volume(STACK, 2.0), path, overwrite=True)
    assert isinstance(t4.read(path), t4.Volume)


def test_mrc_of_ours_keeps_kind_and_tilt_axis(tmp_path):
    series = t4.TiltSeries(STACK, ANGLES, 2.0, "x", axis_shift_px=-1.25)
    t4.write(series, tmp_path / "a.mrc")
    again = t4.read(tmp_path / "a.mrc")
    assert (again.tilt_axis, again.axis_shift_px) == ("x", -1.25)
    labels = t4.Labels(STACK % 3, 2.0)
    t4.write(labels, tmp_path / "l.mrc")
    np.testing.assert_array_equal(t4.read(tmp_path / "l.mrc").data, labels.data)
    assert isinstance(t4.read(tmp_path / "l.mrc"), t4.Labels)


def test_our_label_in_what_another_program_made_of_it_says_nothing(tmp_path):
    t4.write(t4.TiltSeries(STACK, ANGLES, 2.0, "x"), tmp_path / "a.mrc")
    assert is_ours(tmp_path / "a.mrc")
    (tmp_path / "a.mrc").rename(tmp_path / "a.rec")
    with mrcfile.open(tmp_path / "a.rec", "r+") as mrc:
        mrc.add_label("TILT: Tomographic reconstruction")
    assert isinstance(t4.read(tmp_path / "a.rec"), t4.Volume)
    assert not is_ours(tmp_path / "a.rec")


# -- scale and kind ----------------------------------------------------------------------------


def test_units_and_sizes_that_can_not_be_true_are_told(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK, imagej=True, resolution=(2, 2), metadata={"unit": "furlong"})
    series, said = quietly(path, angles_deg=ANGLES)
    assert series.pixel_size_nm is None
    assert "0.5 'furlong', which is no unit of length" in said
    tiny = write_mrc(tmp_path / "b.mrc", angles=ANGLES, angstrom=1e-7)
    series, said = quietly(tiny)
    assert series.pixel_size_nm is None
    assert "1e-08 nm (MRC header), which can't be true" in said
    with pytest.raises(DataError, match="has to be positive"):
        t4.read(write_mrc(tmp_path / "v.mrc", volume=True), pixel_size_nm=0)


def test_texts_in_place_of_numbers_are_told(tmp_path):
    content = {"data": STACK.transpose(1, 2, 0), "angles": ANGLES, "pix_sz": "2 nm"}
    scipy.io.savemat(tmp_path / "a.mat", content)
    series, said = quietly(tmp_path / "a.mat")
    assert series.pixel_size_nm is None
    assert "pix_sz is not of numbers and was not used" in said
    np.savez(tmp_path / "a.npz", images=STACK, angles_deg=["a"] * 5)
    with pytest.raises(ReadError, match="angles_deg has to be of numbers"):
        t4.read(tmp_path / "a.npz")


def test_kind_is_what_the_user_says(tmp_path):
    t4.write(t4.Volume(STACK % 3, 2.0), tmp_path / "v.ome.zarr")
    labels = t4.read(tmp_path / "v.ome.zarr", kind="labels")
    assert isinstance(labels, t4.Labels)
    assert labels.pixel_size_nm == 2
    np.testing.assert_array_equal(labels.data, STACK % 3)


def test_what_is_given_for_a_file_of_ours_is_told_as_given(tmp_path):
    t4.write(t4.TiltSeries(STACK, ANGLES, 2.0), tmp_path / "a.ome.zarr")
    given = {"pixel_size_nm": 3.0, "tilt_axis": "x", "start_deg": 0, "step_deg": 2}
    text = describe(tmp_path / "a.ome.zarr", **given)
    assert text["pixel size"] == "3 nm (given)"
    assert text["angles"] == "0 to 8° (given)"
    assert text["tilt axis"] == "along x (given)"


def test_one_slice_and_foreign_descriptions_in_ome_tiff(tmp_path):
    one = t4.TiltSeries(STACK[:1], [3.0], 2.0)
    t4.write(one, tmp_path / "one.ome.tif")
    again = t4.read(tmp_path / "one.ome.tif")
    assert again.images.shape == (1, 8, 9)
    assert again.angles_deg.tolist() == [3]
    for text in (json.dumps({"kind": "lens", "f": 3}), "{not json"):
        metadata = {"axes": "ZYX", "Description": text}
        tifffile.imwrite(tmp_path / "b.ome.tif", STACK, metadata=metadata)
        assert t4.read(tmp_path / "b.ome.tif", ANGLES, tilt_axis="y").images.shape == (5, 8, 9)


def test_foreign_zarr_of_one_image(tmp_path):
    group = zarr.create_group(store=str(tmp_path / "a.zarr"), zarr_format=3)
    group.create_array("0", data=STACK[0])
    axes = [{"name": n, "type": "space", "unit": "micrometer"} for n in "yx"]
    scale = [{"type": "scale", "scale": [0.002, 0.002]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    series, _ = quietly(tmp_path / "a.zarr")
    np.testing.assert_array_equal(series.images, STACK[:1])
    assert series.pixel_size_nm == pytest.approx(2)


def test_largest_of_several_series_in_a_tiff_is_told(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK, photometric="minisblack")
    tifffile.imwrite(path, STACK[0, :4, :4], append=True)
    series, said = quietly(path, angles_deg=ANGLES)
    np.testing.assert_array_equal(series.images, STACK)
    assert "holds 2 series of images; the largest was read" in said


# -- times -------------------------------------------------------------------------------------


def test_temperatures_follow_the_paths_that_are_given(tmp_path):
    paths = [write_mrc(tmp_path / f"r_{m}min.mrc", angles=ANGLES) for m in (20, 0, 10)]
    series, _ = quietly(paths, temperatures_c=[300, 100, 200])
    assert series.times_s.tolist() == [0, 600, 1200]
    assert series.temperatures_c.tolist() == [100, 200, 300]


def test_hidden_folders_and_question_marks(tmp_path):
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints" / "a.txt").touch()
    for seconds in (0, 60):
        (tmp_path / f"heat_{seconds}s").mkdir()
        write_mrc(tmp_path / f"heat_{seconds}s" / "a?.mrc", angles=ANGLES)
    series, _ = quietly(tmp_path)
    assert series.times_s.tolist() == [0, 60]
    one, _ = quietly(tmp_path / "heat_0s" / "a?.mrc")
    assert one.angles_deg.tolist() == ANGLES


def test_information_says_where_each_number_comes_from(reference_data):
    folder = reference_data("formats")
    for path in sorted(folder.iterdir()):
        text = describe(path)
        assert text["angles"].endswith(")") or text["angles"].startswith("not in the file"), path
        assert text["tilt axis"].endswith(")"), path
        assert text["pixel size"].endswith(")") or text["pixel size"] == "unknown", path
