"""Real files of many microscopes open with the right angles and sizes."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.errors import MissingAnglesError, ReadError, Tomo4DWarning
from napari_tomo4d.io import describe, read_angles

AXIS_ASSUMED = "does not say which image axis"


def test_fei_mrc_with_extended_header(reference_data):
    with pytest.warns(Tomo4DWarning, match=AXIS_ASSUMED):
        series = t4.read(reference_data("needle", "HAADF.mrc"))
    assert series.images.shape == (77, 256, 256)
    np.testing.assert_allclose(series.angles_deg, np.arange(-76, 77, 2))
    assert series.pixel_size_nm == 3.36
    assert series.metadata["angles_from"] == "FEI extended header"
    np.testing.assert_allclose(
        read_angles(reference_data("needle", "HAADF.rawtlt")), series.angles_deg
    )
    assert series.provenance.warnings
    assert series.provenance.step == "read"


def test_newer_fei_mrc_of_a_single_image(reference_data):
    series = t4.read(reference_data("formats", "HAADFscan.mrc"), tilt_axis="y")
    assert series.images.shape == (1, 16, 16)
    assert series.pixel_size_nm == pytest.approx(5.679131, rel=1e-6)
    assert series.angles_deg[0] == pytest.approx(0.008116, abs=1e-5)


def test_serialem_frames_with_their_mdoc(reference_data):
    series = t4.read(reference_data("formats", "serialem_frames"))
    np.testing.assert_allclose(series.angles_deg, [-5.00151, -0.000488, 5.00054])
    assert series.frames_per_tilt == (2, 2, 2)
    assert series.image_shape == (1024, 1024)
    assert series.pixel_size_nm == pytest.approx(0.788)
    # "Tilt axis angle = -90.0"
    assert series.tilt_axis == "x"


def test_one_dm3_per_tilt(reference_data):
    series = t4.read(reference_data("formats", "dm3_one_file_per_tilt"), tilt_axis="y")
    np.testing.assert_allclose(series.angles_deg, [-72, -69, -66], atol=0.01)
    assert series.images.shape == (3, 128, 128)
    assert series.pixel_size_nm == pytest.approx(19.1087, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "shape", "pixel_size_nm"),
    [
        ("test_STEM_image.dm3", (1, 68, 68), 0.248538),
        ("test-1.dm4", (1, 2, 2), None),
        ("128x128_TEM_acquire-sum1.emi", (1, 128, 128), 21.479318),
        ("128x128_TEM_acquire-sum1_1.ser", (1, 128, 128), 21.479318),
        ("test_stackbuilder_imagestack.dm3", (3, 2, 16), 59.982903),
        ("64x64x5_TEM_preview.emi", (5, 64, 64), 6.281834),
        ("64x64x5_TEM_preview_1.ser", (5, 64, 64), 6.281834),
        ("Si100_3D.emd", (37, 22, 22), 0.25),
        ("example_signal.emd", (3, 3, 3), None),
        ("fei_example_tem_stack.emd", (2, 3, 3), 0.00817288),
    ],
)
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.filterwarnings("ignore::napari_tomo4d.errors.Tomo4DWarning")
def test_microscope_files(reference_data, name, shape, pixel_size_nm, lazy):
    series = t4.read(reference_data("formats", name), start_deg=-10, step_deg=2, lazy=lazy)
    assert series.images.shape == shape
    np.testing.assert_allclose(series.angles_deg, -10 + 2.0 * np.arange(shape[0]))
    assert series.pixel_size_nm == (pixel_size_nm and pytest.approx(pixel_size_nm, rel=1e-5))
    assert np.isfinite(series.load()).all()


def test_angle_of_a_single_dm3_image(reference_data):
    series = t4.read(reference_data("formats", "test_STEM_image.dm3"), tilt_axis="y")
    assert series.angles_deg[0] == pytest.approx(24.95, abs=0.01)


def test_stacks_without_angles_say_how_to_give_them(reference_data):
    path = reference_data("formats", "test_stackbuilder_imagestack.dm3")
    with pytest.raises(MissingAnglesError, match="angles its 3 images were taken; give") as error:
        t4.read(path)
    assert error.value.n_images == 3
    assert describe(path)["angles"].startswith("not in the file")


def test_velox_emd_values(reference_data):
    path = reference_data("formats", "fei_example_tem_stack.emd")
    series = t4.read(path, angles_deg=[0, 1], tilt_axis="y")
    assert series.images[0].tolist() != series.images[1].tolist()


def test_hyperspy_movie_is_a_tilt_with_frames(reference_data):
    path = reference_data("abf_frames", "stem_abf_data_imagestack.hspy")
    with pytest.warns(Tomo4DWarning, match="taken as frames"):
        series = t4.read(path, angles_deg=[0] * 5, tilt_axis="y")
    assert series.frames_per_tilt == (5,)
    assert series.image_shape == (512, 512)
    assert series.pixel_size_nm == pytest.approx(0.0092, rel=1e-3)


def test_n6_matlab_structure_with_ragged_frames(reference_data):
    path = reference_data("nanoparticles_n6", "N6_liquid_sample_stack.mat")
    with pytest.warns(Tomo4DWarning) as caught:
        series = t4.read(path)
    said = " ".join(str(w.message) for w in caught)
    for part in ("pixel size was taken to be in nanometres", "frames of one tilt", AXIS_ASSUMED):
        assert part in said
    assert len(series) == 46
    np.testing.assert_allclose(series.angles_deg, np.arange(-46, 45, 2))
    assert sum(series.frames_per_tilt) == 116
    assert set(series.frames_per_tilt) == {1, 2, 3, 4}
    assert series.pixel_size_nm == 0.26


@pytest.mark.parametrize(
    ("folder", "name", "table", "n", "size", "low", "high"),
    [
        (
            "metallic_glass",
            "sample_projections_amorphous",
            "sample_angles_amorphous",
            41,
            64,
            -70,
            70,
        ),
        ("vesicle", "projections", "angles", 61, 60, 0, 180),
        ("fept_multislice", "projections_FePt", "angles", 37, 68, -90, 90),
        ("fept_multislice", "projections_FePt_mw", "angles_mw", 21, 68, -50, 50),
        ("asi_208", "aSi2_1p6e4", "Si_Angle", 60, 128, 0, 177),
    ],
)
def test_matlab_projections_with_a_table_of_euler_angles(
    reference_data, folder, name, table, n, size, low, high
):
    path = reference_data(folder, f"{name}.mat")
    series = t4.read(path, angles_deg=reference_data(folder, f"{table}.mat"), tilt_axis="x")
    assert series.images.shape == (n, size, size)
    assert (series.angles_deg.min(), series.angles_deg.max()) == (low, high)


def test_three_varying_euler_angles_are_no_tilt_series(reference_data):
    with pytest.raises(ReadError, match="three Euler angles per image"):
        t4.read(
            reference_data("ta_film", "Projections_area22.mat"),
            angles_deg=reference_data("ta_film", "angles.mat"),
        )


def test_tiff_volume(reference_data):
    volume = t4.read(reference_data("porous", "100_fiberform.tif"), kind="volume")
    assert volume.data.shape == (100, 100, 100)
    solid = ((volume.data >= 90) & (volume.data <= 255)).mean()
    assert solid == pytest.approx(0.16714, abs=1e-5)


def test_description_without_loading(reference_data):
    text = describe(reference_data("needle", "HAADF.mrc"))
    assert text["kind"] == "tilt series of 77 tilts"
    assert text["angles"] == "-76 to 76° (FEI extended header)"
    assert text["pixel size"] == "3.36 nm (FEI extended header)"
