"""The Particles panel by hand: separated, followed, corrected, measured and saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from by_hand import click, type_into, wait_idle
from mouse import canvas, line, move, on_canvas, press
from mouse import drag as drag_on_canvas
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QFileDialog, QLineEdit, QMessageBox, QSlider

import napari_tomo4d as t4
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.panels.particles.canvas_clicks import RING_LAYER
from napari_tomo4d.gui.panels.particles.correction_tools import DELETE, MERGE, NUMBER, SPLIT
from napari_tomo4d.gui.panels.particles.panel import ParticlesPanel
from napari_tomo4d.gui.widgets.messages import NO_MASK
from napari_tomo4d.measure import measure_particles, particle_table, read_table
from napari_tomo4d.pipeline import read_recipe
from napari_tomo4d.provenance import Provenance

PIXEL = 2.0
SHAPE = (40, 64, 96)
# centre (z, y, x) and radius in voxels: two that touch, and three that do not
PAIR = ((20, 24, 20, 10), (20, 24, 37, 9))
ALONE = ((20, 46, 62, 8), (20, 18, 72, 7))
LATE = (26, 48, 84, 6)


def ball(centre_and_radius):
    z, y, x, radius = centre_and_radius
    grid = np.indices(SHAPE)
    return sum((g - c) ** 2 for g, c in zip(grid, (z, y, x), strict=True)) <= radius**2


@pytest.fixture(scope="module")
def mask():
    """Spheres at three times: one comes at the second, one is gone at the third."""
    made = Provenance("segment.clean_mask", inputs=(Provenance("read", {"path": "a.mrc"}),))
    items = []
    for there in ((*PAIR, *ALONE), (*PAIR, *ALONE, LATE), (*PAIR, ALONE[0], LATE)):
        data = np.any([ball(s) for s in there], axis=0).astype(np.int32)
        items.append(t4.Labels(data, PIXEL, "spheres mask", provenance=made))
    return t4.TimeSeries(items, [0, 600, 1200], [350, 350, 350], "spheres mask", made)


@pytest.fixture
def empty(qtbot, dock):
    """The panel in front, without data."""
    result = dock(ParticlesPanel)
    qtbot.waitUntil(lambda: not result.visibleRegion().isEmpty())
    return result


@pytest.fixture
def panel(qtbot, empty, mask):
    empty.session.add(mask)
    wait(qtbot, empty)
    return empty


@pytest.fixture
def found(qtbot, panel):
    """The panel after a run."""
    click(qtbot, panel.run_bar.run_button)
    wait_idle(qtbot, panel)
    wait(qtbot, panel)
    # the table below makes the canvas smaller
    qtbot.wait(150)
    panel.viewer.reset_view()
    panel.viewer.dims.set_current_step(0, 0)
    panel.viewer.dims.set_current_step(1, 20)
    wait(qtbot, panel)
    return panel


def wait(qtbot, panel):
    qtbot.wait(20)
    qtbot.waitUntil(lambda: not panel.busy, timeout=60000)


def place(panel, y, x):
    return on_canvas(panel.viewer, panel.particles.layer, y, x)


def click_voxel(qtbot, panel, y, x):
    press(qtbot, place(panel, y, x))
    wait(qtbot, panel)


def drag(qtbot, panel, start, end):
    drag_on_canvas(qtbot, line(panel.viewer, panel.particles.layer, start, end))
    wait(qtbot, panel)


def corrections(panel):
    """Return what was corrected by hand, in words."""
    return [str(edit) for edit in panel.particles.layer.data.edits]


def use(qtbot, panel, tool):
    panel.scroll_area.ensureWidgetVisible(panel.tools)
    click(qtbot, panel.tools.tools[tool])


def now(panel):
    """Return the numbers (z, y, x) at the time shown."""
    return np.asarray(item_of(panel.particles.layer)[panel.model.time].data)


def number_at(panel, sphere):
    return int(now(panel)[sphere[:3]])


def click_row(qtbot, view, row, column=1):
    index = view.rows.index(row, column)
    view.scrollTo(index)
    where = view.visualRect(index).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=where)


def test_without_a_mask_it_says_what_to_do(empty, picture):
    assert empty.hint.text() == NO_MASK
    assert empty.run_bar.run_button.toolTip() == empty.hint.text()
    assert not any(b.isEnabled() for b in empty.tools.tools.values())
    assert empty.tools.text.text().startswith("No labelled particles yet")
    picture("p0-empty")


def test_the_count_follows_the_slider(qtbot, panel, viewer, picture):
    box = panel.separate_box
    picture("p1-mask")
    assert box.count.text().startswith("About 4 particles at 0 min, 350 °C; fewer above 0.")
    # the neck of two touching spheres: where they meet, from their radii and distance
    (_, _, x1, r1), (_, _, x2, r2) = PAIR
    d = x2 - x1
    neck = np.sqrt(r1**2 - ((d**2 + r1**2 - r2**2) / (2 * d)) ** 2)
    said = float(box.count.text().rstrip(".").rpartition(" ")[2])
    # voxels, and the blur before necks are looked for, make it wider by a voxel or so
    assert said == pytest.approx(1 - neck / r2, abs=1.5 / r2)
    typed = box.neck_depth.findChild(QLineEdit)
    type_into(qtbot, typed, 0.85)
    assert box.neck_depth.value() == 0.85
    assert box.count.text().startswith("About 3 particles") and "more from" in box.count.text()
    # a click left of the handle moves it a page down
    handle = box.neck_depth.findChild(QSlider)
    left = QPoint(4, handle.height() // 2)
    for _ in range(20):
        qtbot.mouseClick(handle, Qt.MouseButton.LeftButton, pos=left)
    assert box.neck_depth.value() < 0.1 and box.count.text().startswith("About 4 particles")
    viewer.dims.set_current_step(0, 1)
    # what is known is of the time before
    before = box.count.text()
    box.neck_depth.setValue(0.85)
    assert box.count.text() == before
    box.neck_depth.setValue(0.05)
    wait(qtbot, panel)
    assert box.count.text().startswith("About 5 particles at 10 min, 350 °C")


def test_run_follows_them_and_lists_events(qtbot, found, viewer, mask, picture):
    picture("p2-found")
    status = found.run_bar.status.text()
    assert "4 particles at 0 min, 350 °C, 4 particles at 20 min, 350 °C" in status
    assert "1 appeared, 1 lost" in status
    labels = item_of(viewer.layers["spheres particles"])
    assert [p.step for p in labels.provenance.chain()][-2:] == [
        "segment.separate_particles",
        "segment.follow_particles",
    ]
    for t in range(3):
        np.testing.assert_array_equal(labels[t].data > 0, mask[t].data > 0)
    for sphere in (*PAIR, ALONE[0]):
        assert len({int(one.data[sphere[:3]]) for one in labels}) == 1
    # ready to part the same mask again
    assert found.picker.currentText() == "spheres mask"

    tables = found.tables
    assert tables.tabs.tabText(1) == "Events (2)"
    tables.tabs.setCurrentIndex(1)
    frame = tables.events.rows.frame
    assert frame["event"].tolist() == ["appeared", "lost"]
    assert frame["time of change"].tolist() == ["10 min, 350 °C", "20 min, 350 °C"]
    click_row(qtbot, tables.events, 0)
    wait(qtbot, found)
    assert tuple(viewer.dims.current_step[:2]) == (1, LATE[0])
    assert found.model.selected == number_at(found, LATE)
    centre = np.array(viewer.scene.camera.center)[-2:] / PIXEL
    np.testing.assert_allclose(centre, LATE[1:3], atol=0.6)
    picture("p3-event")
    # what is lost is shown where it was, at the time when it is gone
    click_row(qtbot, tables.events, 1)
    wait(qtbot, found)
    assert tuple(viewer.dims.current_step[:2]) == (2, ALONE[1][0])
    centre = np.array(viewer.scene.camera.center)[-2:] / PIXEL
    np.testing.assert_allclose(centre, ALONE[1][1:3], atol=0.6)


def test_a_run_leaves_the_mask_and_the_ticks_as_they_are(qtbot, panel, viewer):
    panel.follow_box.setChecked(False)
    click(qtbot, panel.run_bar.run_button)
    wait_idle(qtbot, panel)
    assert panel.picker.currentText() == "spheres mask"
    assert panel.separate_box.isChecked() and not panel.follow_box.isChecked()
    assert panel.particles.currentText() == "spheres particles"
    wait(qtbot, panel)


def test_table_and_canvas_are_linked(qtbot, found, viewer, picture):
    view = found.tables.particles
    expected = particle_table(item_of(found.particles.layer)[0])
    pd.testing.assert_frame_equal(view.rows.frame, expected)
    headers = [view.rows.headerData(i, Qt.Orientation.Horizontal) for i in range(7)]
    assert headers[:4] == [
        "particle",
        "volume (nm³)",
        "equivalent diameter (nm)",
        "surface (nm²)",
    ]
    shown = view.rows.data(view.rows.index(0, 2))
    # a sphere of radius 10 voxels of 2 nm, in three digits
    assert float(shown) == pytest.approx(2 * PAIR[0][3] * PIXEL, rel=0.03)

    # each row shows the colour that its particle has on the canvas
    for row, label in enumerate(expected["label"]):
        swatch = view.rows.data(view.rows.index(row, 0), Qt.ItemDataRole.DecorationRole)
        assert swatch == QColor.fromRgbF(*map(float, found.particles.layer.get_color(label)))

    click_voxel(qtbot, found, *ALONE[1][1:3])
    label = number_at(found, ALONE[1])
    assert int(view.row["label"]) == found.model.selected == label
    assert RING_LAYER in viewer.layers
    np.testing.assert_allclose(viewer.layers[RING_LAYER].data[0], ALONE[1][:3], atol=0.1)
    picture("p4-clicked")
    click_voxel(qtbot, found, 2, 2)
    assert view.row is None and RING_LAYER not in viewer.layers

    viewer.dims.set_current_step(1, 3)
    row = int(np.flatnonzero(expected["label"] == number_at(found, ALONE[0]))[0])
    click_row(qtbot, view, row)
    wait(qtbot, found)
    assert viewer.dims.current_step[1] == ALONE[0][0]
    assert found.model.selected == number_at(found, ALONE[0])
    # at another time it is still the same particle
    viewer.dims.set_current_step(0, 2)
    wait(qtbot, found)
    assert found.tables.title.text() == "4 particles at 20 min, 350 °C"
    assert int(view.row["label"]) == number_at(found, ALONE[0])
    # sorted by a click on a header
    header = view.horizontalHeader()
    place = QPoint(header.sectionViewportPosition(2) + 10, header.height() // 2)
    qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert view.rows.frame["equivalent_diameter_nm"].is_monotonic_increasing
    picture("p5-sorted")


def test_a_click_in_3d_finds_the_particle(qtbot, found, viewer, picture):
    caption = viewer.canvas.overlays.text
    assert caption.visible
    viewer.dims.ndisplay = 3
    assert not caption.visible
    viewer.reset_view()
    wait(qtbot, found)
    click_row(qtbot, found.tables.particles, 0)
    wait(qtbot, found)
    chosen = found.model.selected
    np.testing.assert_allclose(
        np.array(viewer.scene.camera.center) / PIXEL,
        viewer.layers[RING_LAYER].data[0],
        atol=0.6,
    )
    click_voxel(qtbot, found, 0, 0)
    # the camera looks at the centre of the chosen one
    middle = canvas().rect().center()
    move(middle, Qt.MouseButton.NoButton)
    qtbot.mouseClick(canvas(), Qt.MouseButton.LeftButton, pos=middle)
    wait(qtbot, found)
    assert found.model.selected == chosen
    picture("p6-3d")


def test_corrections_by_hand(qtbot, found, viewer, picture):
    source = found.particles.layer
    before = [np.array(one.data) for one in item_of(source)]
    a, b = (number_at(found, s) for s in PAIR)
    assert a != b
    assert not found.tools.undo_button.isEnabled()

    use(qtbot, found, MERGE)
    picture("p7-merge")
    click_voxel(qtbot, found, *PAIR[1][1:3])
    assert found.tools.text.text() == f"Click the particle that becomes part of {b}."
    click_voxel(qtbot, found, *PAIR[0][1:3])
    assert found.particles.layer is source
    np.testing.assert_array_equal(now(found) == b, np.isin(before[0], (a, b)))
    # other times are as they were
    np.testing.assert_array_equal(item_of(source)[1].data, before[1])
    assert len(found.tables.particles.rows.frame) == 3
    picture("p8-merged")

    # cut along the neck, by a drag
    use(qtbot, found, SPLIT)
    (_, y, x1, r1), (_, _, x2, r2) = PAIR
    d = x2 - x1
    cut = x1 + (d**2 + r1**2 - r2**2) / (2 * d)
    drag(qtbot, found, (y - 12, cut), (y + 12, cut))
    assert len(found.tables.particles.rows.frame) == 4
    new = {number_at(found, s) for s in PAIR} - {b}
    # a number that no particle has at any time
    assert new == {1 + max(old.max() for old in before)}
    parts = [now(found) == number_at(found, s) for s in PAIR]
    grid = np.indices(SHAPE)[2]
    both = np.isin(before[0], (a, b))
    assert (parts[0] == (both & (grid < cut))).mean() > 0.999
    assert (parts[1] == (both & (grid > cut))).mean() > 0.999
    picture("p9-split")
    # and by two clicks, across one that was whole
    click_voxel(qtbot, found, ALONE[0][1] - 9, ALONE[0][2])
    assert found.tools.text.text() == "Click the second point of the cut."
    click_voxel(qtbot, found, ALONE[0][1] + 9, ALONE[0][2])
    assert len(found.tables.particles.rows.frame) == 5
    qtbot.keyClick(found.tools.undo_button, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    wait(qtbot, found)
    assert len(found.tables.particles.rows.frame) == 4

    use(qtbot, found, DELETE)
    click_voxel(qtbot, found, *ALONE[1][1:3])
    assert number_at(found, ALONE[1]) == 0
    words = corrections(found)
    assert words[0] == f"particle {a} merged into {b}"
    assert words[1].startswith(f"particle {b} split along (")
    assert words[2] == f"particle {before[0][ALONE[1][:3]]} deleted"
    assert found.tools.undo_button.toolTip() == f"Undo: 0 min, 350 °C: {words[2]}"
    # all undone, by the button; one step again, by keys on the canvas
    for _ in range(3):
        click(qtbot, found.tools.undo_button)
        wait(qtbot, found)
    for one, old in zip(item_of(source), before, strict=True):
        np.testing.assert_array_equal(one.data, old)
    np.testing.assert_array_equal(np.asarray(source.data[0]), before[0])
    assert corrections(found) == []
    assert not found.tools.undo_button.isEnabled()
    canvas().setFocus()
    shift = Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(canvas(), Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | shift)
    wait(qtbot, found)
    assert number_at(found, PAIR[0]) == b
    assert len(corrections(found)) == 1
    picture("p10-redone")


def test_a_cut_in_3d_goes_along_the_view(qtbot, found, viewer, picture):
    viewer.dims.ndisplay = 3
    viewer.reset_view()
    wait(qtbot, found)
    z, y, x, radius = ALONE[0]
    label = number_at(found, ALONE[0])
    whole = now(found) == label
    use(qtbot, found, SPLIT)
    drag(qtbot, found, (y - radius - 2, x + 0.5), (y + radius + 2, x + 0.5))
    picture("p13-cut-in-3d")
    right = whole & (np.indices(SHAPE)[2] > x + 0.5)
    assert (now(found)[right] != label).mean() > 0.9
    assert (now(found)[whole & ~right] == label).mean() > 0.9
    # a plane along z: the same in each slice
    sides = (now(found) == label) & whole
    columns = [set(np.unique(np.argwhere(sides[k])[:, 1])) for k in (z - 4, z, z + 4)]
    assert max(columns[0]) == max(columns[1]) == max(columns[2])


def test_a_recipe_holds_what_was_corrected_by_hand(qtbot, found, viewer, tmp_path, monkeypatch):
    viewer.dims.set_current_step(0, 1)
    viewer.dims.set_current_step(1, LATE[0])
    wait(qtbot, found)
    use(qtbot, found, DELETE)
    click_voxel(qtbot, found, *LATE[1:3])
    # its coming was no event, as it was none
    assert found.tables.events.rows.frame["event"].tolist() == ["lost"]
    target = str(tmp_path / "r.toml")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (target, ""))
    viewer.layers.selection.active = found.particles.layer
    click(qtbot, found.recipe.save_button)
    assert found.run_bar.status.text().startswith("Saved the 4 steps to")
    steps = [name for name, _ in read_recipe(target).steps]
    assert steps == [
        "segment.clean_mask",
        "segment.separate_particles",
        "segment.follow_particles",
        "segment.correct",
    ]


def test_a_number_is_changed_now_and_later(qtbot, found, viewer, picture):
    before = [np.array(one.data) for one in item_of(found.particles.layer)]
    viewer.dims.set_current_step(0, 1)
    wait(qtbot, found)
    old, other = number_at(found, ALONE[0]), number_at(found, PAIR[0])
    use(qtbot, found, NUMBER)
    type_into(qtbot, found.tools.number, other)
    assert found.tools.text.text() == f"Click the particle that becomes number {other}."
    picture("p11-number")
    click_voxel(qtbot, found, *ALONE[0][1:3])
    after = [one.data for one in item_of(found.particles.layer)]
    np.testing.assert_array_equal(after[0], before[0])
    for t in (1, 2):
        # both change places
        np.testing.assert_array_equal(after[t] == other, before[t] == old)
        np.testing.assert_array_equal(after[t] == old, before[t] == other)
    assert corrections(found) == [f"particle {old} became {other}, also at later times"]
    # this time only, and a number that is free
    found.tools.onward.click()
    type_into(qtbot, found.tools.number, 77)
    click_voxel(qtbot, found, *ALONE[0][1:3])
    assert number_at(found, ALONE[0]) == 77
    assert 77 not in item_of(found.particles.layer)[2].data


def test_what_is_wrong_is_one_sentence(qtbot, found, viewer):
    use(qtbot, found, MERGE)
    click_voxel(qtbot, found, 2, 2)
    assert found.tools.text.text() == "There is no particle here; click inside one."
    click_voxel(qtbot, found, *ALONE[0][1:3])
    click_voxel(qtbot, found, *ALONE[0][1:3])
    label = number_at(found, ALONE[0])
    assert found.tools.text.text().startswith(f"Particle {label} can't be merged with itself")
    use(qtbot, found, SPLIT)
    drag(qtbot, found, (4, 4), (8, 4))
    assert found.tools.text.text().startswith("The line misses all particles")
    qtbot.keyClick(found.tools.tools[SPLIT], Qt.Key.Key_Escape)
    assert found.tools.tool == ""
    assert corrections(found) == []


def test_the_table_is_saved_with_units(qtbot, found, tmp_path, monkeypatch):
    path = tmp_path / "spheres"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    click(qtbot, found.tables.save_button)
    wait(qtbot, found)
    table = pd.read_csv(f"{path}.csv")
    assert found.run_bar.status.text() == f"Saved 13 rows to {path}.csv."
    assert table.columns[:6].tolist() == [
        "time point",
        "time (s)",
        "temperature (degC)",
        "particle",
        "volume (nm3)",
        "equivalent diameter (nm)",
    ]
    assert table["time (s)"].value_counts().to_dict() == {0: 4, 600: 5, 1200: 4}
    assert sorted(set(table["time point"])) == [1, 2, 3]
    # the same as the step gives, to the last digit
    expected = measure_particles(item_of(found.particles.layer)).frame
    pd.testing.assert_frame_equal(read_table(f"{path}.csv"), expected, check_dtype=False)
    # somebody's file of that name stays, unless it may be replaced
    mine = Path(f"{path}.csv")
    mine.write_text("mine")
    no = QMessageBox.StandardButton.No
    monkeypatch.setattr(QMessageBox, "question", lambda *_: no)
    click(qtbot, found.tables.save_button)
    wait(qtbot, found)
    assert mine.read_text() == "mine"


def test_one_time_without_a_pixel_size(qtbot, empty, picture):
    data = np.zeros(SHAPE, np.int32)
    data[ball(ALONE[0])] = 3
    empty.session.add(t4.Labels(data, name="one"))
    wait(qtbot, empty)
    assert not empty.follow_box.isEnabled()
    # these are particles already
    assert not empty.separate_box.isChecked()
    assert empty.run_bar.run_button.toolTip().startswith("Tick what is to be done")
    view = empty.tables.particles
    assert view.rows.headerData(2, Qt.Orientation.Horizontal) == "equivalent diameter (px)"
    assert float(view.rows.data(view.rows.index(0, 2))) == pytest.approx(16, rel=0.02)
    assert "no pixel size is known" in empty.tables.title.text()
    picture("p12-no-size")
    # a correction is what this panel has made
    assert not empty.recipe.save_button.isEnabled()
    empty.viewer.dims.set_current_step(0, ALONE[0][0])
    use(qtbot, empty, DELETE)
    click_voxel(qtbot, empty, *ALONE[0][1:3])
    assert empty.recipe.save_button.isEnabled()


def test_the_form_is_filled_in_again(qtbot, found, viewer):
    type_into(qtbot, found.separate_box.neck_depth.findChild(QLineEdit), 0.5)
    viewer.layers.selection.active = viewer.layers["spheres particles"]
    click(qtbot, found.recipe.refill_button)
    assert found.separate_box.neck_depth.value() == 0.08
    viewer.layers.selection.active = viewer.layers["spheres mask"]
    assert not found.recipe.refill_button.isEnabled()


def test_the_table_is_emptied_with_its_layer(qtbot, found, viewer):
    assert len(found.tables.particles.rows.frame) == 4
    viewer.layers.remove("spheres particles")
    wait(qtbot, found)
    assert len(found.tables.particles.rows.frame) == 0
    assert found.tables.title.text() == "" and found.tables.tabs.tabText(1) == "Events (0)"
    assert not found.tools.undo_button.isEnabled()
