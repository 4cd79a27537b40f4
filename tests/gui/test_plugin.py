"""What napari itself finds: reader, writer, samples and widgets."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.gui.canvas.layers import item_of, to_layers
from napari_tomo4d.gui.plugin import get_reader, write_layer

RNG = np.random.default_rng(0)


def test_dropping_a_file_on_the_viewer_opens_it(viewer, tmp_path):
    np.savez(tmp_path / "a.npz", images=RNG.random((3, 8, 9)), angles_deg=[-9, 0, 9])
    with pytest.warns(UserWarning, match="y .vertical. was assumed"):
        viewer.open(str(tmp_path / "a.npz"), plugin="napari-tomo4d")
    assert item_of(viewer.layers[0]).angles_deg.tolist() == [-9, 0, 9]
    assert get_reader(str(tmp_path / "a.xyz")) is None


def test_dropping_a_bad_file_says_one_sentence(viewer, tmp_path):
    from napari.utils.notifications import notification_manager

    np.save(tmp_path / "a.npy", RNG.random((3, 8, 9)))
    (tmp_path / "b.mrc").write_text("notes" * 1000)
    for name, words in (("a.npy", "tilt angles its 3 images"), ("b.mrc", "not an MRC file")):
        viewer.open(str(tmp_path / name), plugin="napari-tomo4d")
        assert words in notification_manager.records[-1].message
    assert len(viewer.layers) == 0


def test_sample_is_in_the_menu(viewer):
    viewer.open_sample("napari-tomo4d", "sintering")
    layer = viewer.layers[0]
    assert layer.data.shape == (6, 41, 128, 128)
    assert [str(u) for u in layer.units] == ["nanometer"] * 4
    assert layer.axis_labels == ("time", "tilt", "y", "x")


def test_layers_are_saved_with_all_they_carry(viewer, tmp_path):
    volume = t4.Volume(RNG.random((4, 5, 6)), 0.5, [0.5, 0.1])
    viewer.add_image(to_layers(volume)[0][0], **to_layers(volume)[0][1])
    viewer.layers[0].save(str(tmp_path / "v.ome.zarr"), plugin="napari-tomo4d")
    again = t4.read(tmp_path / "v.ome.zarr")
    np.testing.assert_array_equal(again.data, volume.data)
    assert again.residuals.tolist() == [0.5, 0.1]
    labels = viewer.add_labels(np.ones((4, 5, 6), int), scale=(2,) * 3, units=("nm",) * 3)
    data, attributes, _ = labels.as_layer_data_tuple()
    write_layer(str(tmp_path / "l.ome.zarr"), data, attributes)
    written = t4.read(tmp_path / "l.ome.zarr")
    assert isinstance(written, t4.Labels) and written.pixel_size_nm == 2
    image = viewer.add_image(np.ones((4, 5, 6), int), scale=(2,) * 3, units=("nm",) * 3)
    write_layer(str(tmp_path / "i.ome.zarr"), *image.as_layer_data_tuple()[:2])
    assert isinstance(t4.read(tmp_path / "i.ome.zarr"), t4.Volume)


def test_frames_and_unequal_time_points_can_be_looked_at():
    ragged = t4.TiltSeries([np.full((n, 4, 5), n, float) for n in (1, 3)], [0, 1], 1.0)
    data, options, kind = to_layers(ragged)[0]
    assert (data.shape, kind) == ((2, 4, 5), "image")
    short = t4.TiltSeries(np.ones((2, 4, 5)), [0, 1], 1.0)
    long = t4.TiltSeries(np.ones((3, 4, 5)), [0, 1, 2], 1.0)
    data, options, _ = to_layers(t4.TimeSeries([short, long]))[0]
    assert data.shape == (2, 3, 4, 5)
    assert np.asarray(data).sum() == 100
    assert options["units"] == ("nm",) * 4


def test_no_scale_is_not_shown_as_nanometres():
    _, options, _ = to_layers(t4.Volume(np.ones((2, 2, 2))))[0]
    assert options["units"] == ("pixel",) * 3


def test_every_axis_has_its_scale(tmp_path):
    item = t4.Labels(np.ones((4, 5, 6), int), (2.0, 1.0, 1.5))
    data, options, _ = to_layers(t4.TimeSeries([item, item]))[0]
    assert (data.shape, options["scale"]) == ((2, 4, 5, 6), [1.0, 2.0, 1.0, 1.5])
    foreign = {"scale": (20.0, 10.0, 15.0), "units": ("angstrom",) * 3}
    write_layer(str(tmp_path / "l.ome.zarr"), np.ones((4, 5, 6), int), foreign)
    assert t4.read(tmp_path / "l.ome.zarr").pixel_size_nm == (2.0, 1.0, 1.5)
