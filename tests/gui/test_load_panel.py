"""The Load panel by hand: choose, correct, load; what can't be read; the sample."""

from __future__ import annotations

import numpy as np
import pytest
from by_hand import button, press, type_into, wait_idle
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.panels.load.panel import LoadPanel


@pytest.fixture
def load(dock):
    return dock(LoadPanel)


@pytest.fixture
def stack(tmp_path):
    """A file of five images that says nothing about them."""
    path = tmp_path / "stack.npy"
    np.save(path, np.random.default_rng(0).random((5, 20, 30), dtype=np.float32))
    return path


def choose(qtbot, load, monkeypatch, *paths):
    """Choose files in the dialog, and wait until they were looked into."""
    names = [str(p) for p in paths]
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_, **__: (names, ""))
    press(qtbot, load, "Files")
    wait_idle(qtbot, load)


def texts(table, column):
    return [table.item(row, column).text() for row in range(table.rowCount())]


def test_missing_angles_are_asked_for(qtbot, load, stack, viewer, monkeypatch, picture):
    assert load.run_bar.run_button.toolTip() == "Choose files or a folder first."
    choose(qtbot, load, monkeypatch, stack)
    assert load.geometry_box.start.isVisible()
    picture("l1-missing-angles")
    type_into(qtbot, load.geometry_box.start, -10)
    type_into(qtbot, load.geometry_box.step, 5)
    wait_idle(qtbot, load)
    type_into(qtbot, load.geometry_box.pixel_size, 1.5)
    wait_idle(qtbot, load)
    # the table shows them, and one of them is corrected by hand
    assert texts(load.tables_box.tilts, 0) == ["-10", "-5", "0", "5", "10"]
    load.tables_box.tilts.item(2, 0).setText("0.5")
    wait_idle(qtbot, load)
    type_into(qtbot, load.dose_box.current, 10)
    picture("l2-corrected")
    press(qtbot, load, "Load into viewer")
    wait_idle(qtbot, load)
    assert load.run_bar.status.text().startswith("Loaded “stack”. Next: Clean.")
    series = item_of(viewer.layers["stack"])
    assert series.angles_deg.tolist() == [-10, -5, 0.5, 5, 10]
    assert series.pixel_size_nm == 1.5
    assert viewer.layers["stack"].scale.tolist() == [1.5] * 3
    # all that was typed is in what a recipe repeats
    read, dose = series.provenance.chain()
    assert read.parameters["angles_deg"] == [-10, -5, 0.5, 5, 10]
    assert read.parameters["pixel_size_nm"] == 1.5
    assert (dose.step, dose.parameters["probe_current_pa"]) == ("preprocess.set_dose", 10)


def test_after_a_file_that_can_not_be_read_nothing_of_the_last_one_is_left(
    qtbot, load, stack, tmp_path, viewer, monkeypatch, picture
):
    choose(qtbot, load, monkeypatch, stack)
    type_into(qtbot, load.geometry_box.start, -10)
    wait_idle(qtbot, load)
    assert button(load, "Load into viewer").isEnabled()
    notes = tmp_path / "notes.mrc"
    notes.write_text("Monday: aligned the column.\n" * 100)
    choose(qtbot, load, monkeypatch, notes)
    said = "notes.mrc is not an MRC file; check the file or its extension."
    assert load.run_bar.status.text().startswith("Error: ")
    assert load.run_bar.status.text().endswith(said)
    assert load.summary.text().startswith("notes.mrc\n") and said in load.summary.text()
    assert "stack" not in load.summary.text()
    assert load.tables_box.tilts.rowCount() == 0
    assert not button(load, "Load into viewer").isEnabled()
    assert button(load, "Load into viewer").toolTip().endswith(said)
    assert len(viewer.layers) == 0
    picture("l3-bad-file")
    # a file that can be read is loaded again
    choose(qtbot, load, monkeypatch, stack)
    type_into(qtbot, load.geometry_box.start, -10)
    wait_idle(qtbot, load)
    assert button(load, "Load into viewer").isEnabled()


def test_what_was_said_of_the_last_files_is_not_said_of_the_next(
    qtbot, load, stack, tmp_path, monkeypatch
):
    choose(qtbot, load, monkeypatch, stack)
    type_into(qtbot, load.geometry_box.start, -10)
    type_into(qtbot, load.geometry_box.step, 5)
    type_into(qtbot, load.dose_box.current, 10)
    wait_idle(qtbot, load)
    # a dose can't be computed yet, and that is said before loading
    assert load.run_bar.run_button.toolTip().startswith("The dose needs a pixel size: give it")
    load.average.setChecked(False)
    other = tmp_path / "other.npy"
    other.write_bytes(stack.read_bytes())
    choose(qtbot, load, monkeypatch, other)
    wait_idle(qtbot, load)
    assert texts(load.tables_box.tilts, 0) == ["-40", "-38", "-36", "-34", "-32"]
    assert load.dose_box.given is None and load.average.isChecked()
    assert load.run_bar.run_button.isEnabled()


def test_times_and_temperatures_are_typed_one_by_one(qtbot, load, tmp_path, viewer, monkeypatch):
    files = [tmp_path / f"{k}.npz" for k in range(3)]
    for path in files:
        images = np.random.default_rng(0).random((3, 20, 30), dtype=np.float32)
        np.savez(path, images=images, angles_deg=[-9, 0, 9], pixel_size_nm=1.0)
    choose(qtbot, load, monkeypatch, *files)
    table = load.tables_box.times
    assert texts(table, 0) == ["", "", ""]
    for row, seconds in enumerate((0, 60)):
        table.item(row, 0).setText(str(seconds))
        wait_idle(qtbot, load)
        said = f"Every time point needs a time in seconds; {2 - row} of 3 have none."
        assert load.run_bar.status.text() == load.run_bar.run_button.toolTip() == said
    # something else is given meanwhile
    type_into(qtbot, load.geometry_box.pixel_size, 1.5)
    wait_idle(qtbot, load)
    assert texts(table, 0) == ["0", "60", ""]
    table.item(2, 0).setText("120")
    wait_idle(qtbot, load)
    table.item(0, 1).setText("20")
    assert load.run_bar.status.text().startswith("Every time point needs a temperature in °C; 2")
    for row in (1, 2):
        table.item(row, 1).setText("350")
    wait_idle(qtbot, load)
    assert texts(table, 0) == ["0", "60", "120"] and texts(table, 1) == ["20", "350", "350"]
    press(qtbot, load, "Load into viewer")
    wait_idle(qtbot, load)
    loaded = item_of(viewer.layers[0])
    assert loaded.times_s.tolist() == [0, 60, 120]
    assert loaded.temperatures_c.tolist() == [20, 350, 350]
    assert loaded[0].pixel_size_nm == 1.5


def test_an_angle_that_is_no_number_is_asked_for_again(qtbot, load, stack, monkeypatch):
    choose(qtbot, load, monkeypatch, stack)
    type_into(qtbot, load.geometry_box.start, -10)
    wait_idle(qtbot, load)
    load.tables_box.tilts.item(1, 0).setText("ten")
    assert load.run_bar.status.text() == "Every tilt needs an angle in degrees."


def test_the_sample_says_that_it_is_loaded_already(qtbot, load, viewer, picture):
    press(qtbot, load, "Sample")
    wait_idle(qtbot, load)
    assert [layer.name for layer in viewer.layers] == ["sintering"]
    assert load.tables_box.times.rowCount() == 6
    assert texts(load.tables_box.times, 0)[-1] == "3600"
    picture("l4-sample")
    run = button(load, "Load into viewer")
    assert not run.isEnabled()
    assert run.toolTip().startswith("The sample has been loaded already.")
    # so nothing can be corrected that would change nothing
    assert not load.geometry_box.isEnabled()
    for table in (load.tables_box.tilts, load.tables_box.times):
        assert not table.item(0, 0).flags() & Qt.ItemFlag.ItemIsEditable
