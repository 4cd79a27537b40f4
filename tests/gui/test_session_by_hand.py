"""A person's session: real window, real mouse and keys, real data."""

from __future__ import annotations

import numpy as np
from by_hand import click, press, type_into, wait_idle, wait_preview
from n6 import N6_PUBLISHED, distances, n6_centroids

import napari_tomo4d as t4
from napari_tomo4d.cli import main
from napari_tomo4d.gui.canvas.layers import item_of


def test_n6_from_file_to_particles(qtbot, viewer, panels, picture, reference_data, tmp_path):
    path = reference_data("nanoparticles_n6", "N6_liquid_sample_stack.mat")
    load, clean, reconstruct = panels["Load"], panels["Clean"], panels["Reconstruct"]
    picture("1-start")
    assert not load.run_bar.run_button.isEnabled()
    assert load.run_bar.run_button.toolTip() == "Choose files or a folder first."

    load.choose([str(path)])
    wait_idle(qtbot, load)
    assert "46 tilts" in load.summary.text() and "0.26 nm" in load.summary.text()
    assert load.tables_box.tilts.rowCount() == 46
    load.geometry_box.axis.setCurrentIndex(1)
    wait_idle(qtbot, load)
    type_into(qtbot, load.dose_box.current, 2)
    assert load.dose_box.text.text().endswith("\n6.24 electrons per pixel and image")
    picture("2-file-chosen")
    press(qtbot, load, "Load into viewer")
    wait_idle(qtbot, load)
    assert [layer.name for layer in viewer.layers] == ["N6_liquid_sample_stack"]
    series = item_of(viewer.layers[0])
    assert not series.has_frames
    # the dose is a step, and a recipe repeats it
    assert [p.step for p in series.provenance.chain()] == [
        "read",
        "preprocess.set_dose",
        "preprocess.average_frames",
    ]
    assert series.dose_e_per_nm2 > 0
    picture("3-loaded")

    clean.bring_to_front()
    wait_preview(qtbot, clean)
    background = clean.rows["preprocess.subtract_background"]
    clean.scroll_area.ensureWidgetVisible(background.tick)
    click(qtbot, background.tick)
    type_into(qtbot, background.forms[0].field("percentile"), 70)
    wait_preview(qtbot, clean)
    click(qtbot, clean.run_bar.run_button)
    wait_idle(qtbot, clean)

    reconstruct.bring_to_front()
    wait_preview(qtbot, reconstruct)
    assert reconstruct.picker.layer is viewer.layers[-1]
    reconstruct.region.rows.setValue((70, 185))
    reconstruct.region.columns.setValue((70, 185))
    type_into(qtbot, reconstruct.method_box.form.field("iterations"), 60)
    reconstruct.view.slice.setValue(25)
    wait_preview(qtbot, reconstruct)
    assert reconstruct.image.image.shape == (116, 116)
    picture("4-live-slice")
    click(qtbot, reconstruct.run_bar.run_button)
    wait_idle(qtbot, reconstruct)
    volume = item_of(viewer.layers[-1])
    assert volume.residuals[-1] <= 0.2
    assert len(reconstruct.view.curve.values) == 60
    wait_preview(qtbot, reconstruct)
    reconstruct.scroll_area.ensureWidgetVisible(reconstruct.recipe.save_button)
    picture("5-volume-2d")
    viewer.dims.ndisplay = 3
    viewer.scene.camera.angles = (10, 25, 70)
    picture("6-volume-3d")

    # the same numbers as without a window; the panel replaces outliers unless told not to
    quiet = t4.preprocess.remove_outliers(series, threshold=8)
    even = t4.preprocess.subtract_background(quiet, percentile=70)
    again = t4.reconstruct.sirt(t4.preprocess.crop(even, 70, 186, 70, 186), iterations=60)
    np.testing.assert_array_equal(again.data, volume.data)
    found = n6_centroids(volume.data)
    assert len(found) == 6
    assert np.abs(distances(found) - distances(N6_PUBLISHED)).max() <= 1.5

    # and the same again from the command line, by the recipe that the session saves
    recipe = tmp_path / "n6.toml"
    panels["Load"].session.save_recipe(viewer.layers[-1], str(recipe), output="n6.ome.zarr")
    assert main(["run", str(recipe), "--quiet"]) == 0
    np.testing.assert_array_equal(t4.read(tmp_path / "n6.ome.zarr").data, volume.data)
