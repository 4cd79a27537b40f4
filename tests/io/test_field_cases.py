"""Odd but real ways in which data arrive are read right, or refused with the true reason."""

from __future__ import annotations

import shutil
import warnings

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.align import exchange
from napari_tomo4d.errors import MissingAnglesError, ReadError, Tomo4DWarning
from napari_tomo4d.io import describe

A = [-60.5, -40.5, -20.5, 0.0, 20.5, 40.5, 60.5]


@pytest.fixture
def case(reference_data, tmp_path):
    """Return a function that copies a field case to where it may be changed."""

    def copy(*parts):
        source = reference_data("field_cases", *parts)
        target = tmp_path / source.name
        if source.is_dir():
            shutil.copytree(source, target)
            return target
        for one in source.parent.glob(f"{source.stem}*"):
            shutil.copy(one, tmp_path)
        return target

    return copy


def quietly(path, **given):
    """Return what a path holds, and all that is told about it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        item = t4.read(path, **given)
    return item, " ".join(str(w.message) for w in caught if w.category is Tomo4DWarning)


def is_a(series):
    """Check that the images are in the order of their angles."""
    assert isinstance(series, t4.TiltSeries)
    assert series.angles_deg.tolist() == A
    assert series.images.shape == (7, 24, 32)
    assert [int(i.min()) for i in series.images] == [10 + k for k in range(7)]
    return True


@pytest.mark.parametrize(
    ("file", "table", "told"),
    [
        ("decimal_comma/series.mrc", None, "decimal commas: -60,50"),
        ("semicolons/series.mrc", "semicolons/angles.csv", ""),
        ("counter_and_angle/series.mrc", None, "no heading; its column 2 was taken"),
        ("tilt_and_angle/series.mrc", "tilt_and_angle/angles.csv", ""),
        ("upper_case/SERIES.MRC", None, ""),
    ],
)
def test_tables_of_angles(reference_data, file, table, told):
    folder = reference_data("field_cases", "angle_tables")
    angles = None if table is None else folder / table
    series, said = quietly(folder / file, angles_deg=angles)
    assert is_a(series)
    assert told in said


def test_the_column_that_was_taken_is_told(reference_data):
    folder = reference_data("field_cases", "angle_tables", "semicolons")
    given = {"angles_deg": folder / "angles.csv", "tilt_axis": "y"}
    assert describe(folder / "series.mrc", **given)["angles"] == (
        "-60.5 to 60.5° (given, column 'angle')"
    )


def test_a_table_of_zeros_is_not_believed(reference_data):
    path = reference_data("field_cases", "angle_tables", "all_zero", "series.mrc")
    with pytest.raises(MissingAnglesError, match="says 0 degrees for all 7 images") as error:
        t4.read(path)
    assert error.value.n_images == 7
    assert "0 degrees for all 7" in describe(path)["warnings"][0]


def test_serialem_sections_by_their_number(reference_data):
    assert is_a(quietly(reference_data("field_cases", "serialem", "not_in_order.mrc"))[0])


def test_serialem_text_that_is_cut_off(reference_data):
    path = reference_data("field_cases", "serialem", "cut_off.mrc")
    with (
        pytest.warns(Tomo4DWarning, match="no tilt angle in section 6"),
        pytest.raises(MissingAnglesError, match="7 images"),
    ):
        t4.read(path)


def test_serialem_axis_angle_is_kept(reference_data):
    path = reference_data("field_cases", "serialem", "axis_angle.mrc")
    series = t4.read(path)
    assert is_a(series)
    assert series.tilt_axis == "y"
    assert series.metadata["tilt_axis_angle_deg"] == 12.5
    assert describe(path)["tilt axis"] == ("along y, 12.5° from the vertical (axis_angle.mrc.mdoc)")


def test_serialem_header_of_before_2014(reference_data):
    series = t4.read(reference_data("field_cases", "serialem", "old_extended_header.mrc"))
    assert is_a(series)
    assert series.tilt_axis == "x"
    assert series.pixel_size_nm == 1


def test_a_series_saved_over_has_its_new_angles(case):
    path = case("serialem", "saved_over.mrc")
    old, _ = quietly(path)
    new = old.replace(angles_deg=old.angles_deg + 2.5)
    t4.write(new, path, overwrite=True)
    assert t4.read(path).angles_deg.tolist() == [a + 2.5 for a in A]


def test_bytes_above_127_in_the_header_are_unsigned(reference_data):
    path = reference_data("field_cases", "mrc", "unsigned_bytes.mrc")
    series, said = quietly(path, angles_deg=A)
    assert (series.images.min(), series.images.max()) == (20, 232)
    assert "signed" not in said


def test_signed_bytes_of_imod_are_labels(reference_data):
    path = reference_data("field_cases", "mrc", "imod_signed_mask.mrc")
    labels, said = quietly(path, kind="labels")
    assert np.unique(labels.data).tolist() == [0, 1]
    assert (labels.data == 1).sum() == 75
    assert "128 was added" in said


def test_one_angstrom_is_a_size(reference_data, tmp_path):
    volume, said = quietly(reference_data("field_cases", "mrc", "one_angstrom.mrc"))
    assert volume.pixel_size_nm == pytest.approx(0.1)
    assert "1 angstrom per pixel" in said
    t4.write(volume, tmp_path / "ours.mrc")
    assert t4.read(tmp_path / "ours.mrc").pixel_size_nm == pytest.approx(0.1)


def test_flat_voxels_are_told(reference_data):
    volume, said = quietly(reference_data("field_cases", "mrc", "flat_voxels.mrc"))
    assert volume.voxel_size_nm == (0.2, 1, 1)
    assert "not cubic: 0.2 x 1 x 1 nm" in said


def test_a_file_of_another_magnification_is_named(reference_data):
    series, said = quietly(reference_data("field_cases", "mrc", "one_other_magnification"))
    assert is_a(series)
    assert series.pixel_size_nm == 1
    assert "t_+0.0.mrc has pixels of 2 nm" in said


def test_imod_folder(case):
    folder = case("imod_folder")
    series, _ = quietly(folder / "BB.st")
    assert is_a(series)
    t4.write(series.replace(images=series.images[1:6], angles_deg=A[1:6]), folder / "BB.ali")
    assert is_a(quietly(folder / "BB.st")[0])
    assert quietly(folder / "BB.ali")[0].angles_deg.tolist() == A[1:6]
    volume = t4.read(folder / "BB.rec")
    assert isinstance(volume, t4.Volume)
    assert volume.data.shape == (20, 24, 32)
    assert volume.pixel_size_nm == 1
    whole, said = quietly(folder)
    assert is_a(whole)
    assert "BB.ali, BB.rec were not read" in said
    shifts = exchange.read_xf(folder / "BB.xf").offsets_px
    assert shifts.tolist() == [[-1.5, 2.5]] * 7


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("name", ["pages_one_by_one", "imagej_one_directory"])
def test_tiff_stacks(reference_data, name, lazy):
    path = reference_data("field_cases", "tiff", f"{name}.tif")
    series = t4.read(path, A, tilt_axis="y", lazy=lazy)
    assert isinstance(series.images, np.ndarray) is not lazy
    loaded = series.load()
    assert is_a(series.replace(images=loaded))
    # the blob walks one column per image
    assert [int(i.max(axis=0).argmax()) for i in loaded] == list(range(13, 20))


@pytest.mark.parametrize(
    ("name", "size", "told"),
    [
        ("imagej_angstrom", 0.05, ""),
        ("imagej_microns", 500, ""),
        ("imagej_not_square", 0.5, "not square"),
    ],
)
def test_tiff_sizes(reference_data, name, size, told):
    path = reference_data("field_cases", "tiff", f"{name}.tif")
    series, said = quietly(path, angles_deg=A)
    assert series.pixel_size_nm == pytest.approx(size)
    assert told in said


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("tiff/colour.tif", "holds coloured images"),
        ("mrc/complex.mrc", r"complex values \(mode 4\)"),
        ("EELS_SI.dm4", r"holds spectra \(2048"),
    ],
)
def test_what_is_no_grey_image_is_refused(reference_data, path, words):
    with pytest.raises(ReadError, match=words):
        t4.read(reference_data("field_cases", path), start_deg=0, step_deg=1)


@pytest.mark.parametrize(
    "name", ["no_plus_sign", "no_plus_sign_and_time", "tilt_counter_angle", "angle_in_brackets"]
)
def test_angles_in_names(reference_data, name):
    series, said = quietly(reference_data("field_cases", "names", name))
    assert series.angles_deg.tolist() == [-24, -12, 0, 12, 24]
    assert series.images[:, 0, 0].tolist() == [4, 2, 0, 1, 3]
    assert "taken from the names" in said


def test_a_pattern_in_a_folder_with_brackets(reference_data):
    folder = reference_data("field_cases", "names", "[2024] Pt")
    series, _ = quietly(f"{folder}/run_{{time}}s.mrc")
    assert series.times_s.tolist() == [0, 600]
    assert all(is_a(s) for s in series)


def test_times_in_minutes_and_hours(reference_data):
    series, _ = quietly(reference_data("field_cases", "names", "minutes_and_hours"))
    assert series.times_s.tolist() == [600, 1200, 3600]


@pytest.mark.parametrize("lazy", [False, True])
def test_emd_of_tomviz(reference_data, lazy):
    path = reference_data("field_cases", "emd", "tilt_first.emd")
    series, _ = quietly(path, lazy=lazy)
    assert is_a(series.replace(images=series.load()))
    assert series.pixel_size_nm == pytest.approx(0.36, rel=1e-6)
