"""The Tilt axis panel by hand: place slices, drag, type, nudge, suggest, accept."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from by_hand import click, press, type_into, wait_idle
from mouse import canvas, drag, line, on_canvas
from mouse import press as mouse_press
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QComboBox
from scipy import ndimage
from skimage.feature import peak_local_max

import napari_tomo4d as t4
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.panels.load.panel import LoadPanel
from napari_tomo4d.gui.panels.tilt_axis.axis_line import AXIS_LAYER, SLICES_LAYER
from napari_tomo4d.gui.panels.tilt_axis.panel import TiltAxisPanel
from napari_tomo4d.pipeline import read_recipe, recipe_from, run_step, run_steps, write_recipe
from napari_tomo4d.reconstruct.preview import SlicePreview, without_background

SHIFT, ROTATION = 4.0, 1.5


@functools.cache
def sintered(axis="y", n_times=1):
    experiment, _ = t4.simulate.sintering(
        n_times=n_times,
        shape=(64, 96, 96),
        seed=4,
        max_tilt_deg=70,
        tilt_step_deg=4,
        probe_current_pa=20,
        axis_shift_px=SHIFT,
        axis_rotation_deg=ROTATION,
        tilt_axis=axis,
    )
    return experiment


@pytest.fixture(scope="module")
def series():
    return sintered()[0]


@pytest.fixture
def empty(qtbot, dock):
    """The panel in front, without data."""
    result = dock(TiltAxisPanel)
    qtbot.waitUntil(lambda: result.in_front, timeout=20000)
    return result


def show(qtbot, panel, item, name=None):
    """Add a series and wait until its slices are seen."""
    layer = panel.session.add(item, name)
    wait_slices(qtbot, panel)
    # the canvas has its last size only after the dock below has found its own
    wait_still(qtbot, lambda: canvas().size())
    panel.viewer.reset_view()
    return layer


def wait_still(qtbot, measured):
    """Wait until something stays the same for a few rounds of events."""
    last, same = [None], [0]

    def still():
        now = measured()
        same[0] = same[0] + 1 if now == last[0] else 0
        last[0] = now
        return same[0] > 5

    qtbot.waitUntil(still, timeout=20000)


@pytest.fixture
def panel(qtbot, empty, series):
    show(qtbot, empty, series, "sample")
    return empty


def wait_slices(qtbot, panel):
    qtbot.waitUntil(lambda: panel.view.slices is not None and not panel.busy, timeout=60000)


def click_left(qtbot, box):
    """Click a check box where its mark is."""
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))


def spots(series, n=3):
    """Return the brightest pixels (y, x) of the middle tilt in bands along the axis."""
    image = series.image(len(series) // 2)
    bands = np.array_split(np.arange(image.shape[0 if series.tilt_axis == "y" else 1]), n)
    found = []
    for band in bands:
        part = image[band] if series.tilt_axis == "y" else image[:, band]
        y, x = np.unravel_index(np.argmax(part), part.shape)
        found.append((y + band[0], x) if series.tilt_axis == "y" else (y, x + band[0]))
    return found


def test_without_a_series_it_says_what_to_do(qtbot, empty, picture):
    picture("x0-empty")
    assert empty.hint.text().startswith("No tilt series yet")
    assert not empty.run_bar.run_button.isEnabled()
    assert empty.run_bar.run_button.toolTip() == empty.hint.text()
    assert empty.axis_box.toolTip() == empty.hint.text()


def test_place_move_suggest_accept(qtbot, panel, viewer, series, picture, tmp_path):
    layer = viewer.layers["sample"]
    assert {AXIS_LAYER, SLICES_LAYER} <= {x.name for x in viewer.layers}
    assert viewer.layers.selection.active is layer
    assert not panel.run_bar.run_button.isEnabled()
    assert "centre and upright already" in panel.run_bar.run_button.toolTip()
    picture("x1-start")

    # three clicks on particles place the three slices
    click(qtbot, panel.slices_box.place_button)
    assert panel.slices_box.place_button.text() == "Click on the image: slice 1 is next"
    chosen = spots(series)
    for y, x in chosen:
        mouse_press(qtbot, on_canvas(viewer, layer, y, x))
    for spin, (y, _) in zip(panel.slices_box.positions, chosen, strict=True):
        assert spin.value() == pytest.approx(y, abs=1)
    assert panel.slices_box.place_button.text() == "Click on the image: slice 1 is next"
    click(qtbot, panel.slices_box.place_button)
    wait_slices(qtbot, panel)
    np.testing.assert_allclose(viewer.layers[SLICES_LAYER].data, chosen, atol=0.6)
    picture("x2-placed")

    # a typed shift shows in the slices at once
    before = panel.view.slices.sections.copy()
    type_into(qtbot, panel.axis_box.shift, 3)
    wait_slices(qtbot, panel)
    assert np.abs(panel.view.slices.sections - before).max() > 0.1 * np.ptp(before)
    size = series.pixel_size_nm
    assert panel.axis_box.shift_nm.text() == f"= {3 * size:.2f} nm"
    start, direction = viewer.layers[AXIS_LAYER].data[0]
    np.testing.assert_allclose([start[1], direction[1]], [47.5 + 3, 0], atol=1e-9)
    thickness = panel.slices_box.thickness.value()
    headless = SlicePreview(without_background(series), thickness).slices(
        panel.view.slices.positions, 3.0, 0.0
    )
    np.testing.assert_allclose(panel.view.slices.sections, headless, atol=1e-4)

    # keys nudge it once an image of the dock was clicked
    qtbot.mouseClick(panel.view.boxes[1].viewport(), Qt.MouseButton.LeftButton)
    assert panel.window().focusWidget() is panel.view
    tilt = viewer.dims.current_step[0]
    for key, modifier in (
        (Qt.Key.Key_Right, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier),
        (Qt.Key.Key_Up, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier),
    ):
        qtbot.keyClick(panel.view, key, modifier)
    assert panel.place.shift_px == pytest.approx(3.4)
    assert panel.place.rotation_deg == pytest.approx(0.08)
    assert viewer.dims.current_step[0] == tilt
    wait_slices(qtbot, panel)
    picture("x3-nudged")

    press(qtbot, panel, "Suggest")
    assert not panel.axis_box.suggest_button.isEnabled()
    wait_idle(qtbot, panel)
    wait_slices(qtbot, panel)
    picture("x4-suggested")
    assert panel.place.shift_px == pytest.approx(SHIFT, abs=0.5)
    assert panel.place.rotation_deg == pytest.approx(ROTATION, abs=0.5)
    assert "±" in panel.run_bar.status.text() and "nm" in panel.run_bar.status.text()
    assert panel.view.curves.isVisible()
    assert panel.view.shift_plot.optimum.value() == pytest.approx(SHIFT, abs=0.5)
    found = t4.align.tilt_axis(series)
    assert panel.found.shift_px == pytest.approx(found.shift_px)

    # a click into a curve goes there, Reset back to where it was
    plot = panel.view.shift_plot
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(30, 60))
    assert panel.place.shift_px < SHIFT - 1
    press(qtbot, panel, "Reset")
    assert (panel.place.shift_px, panel.place.rotation_deg) == (0, 0)
    panel.set_axis(found.shift_px, found.rotation_deg)

    given = {"shift_px": panel.place.shift_px, "rotation_deg": panel.place.rotation_deg}
    press(qtbot, panel, "Accept")
    wait_idle(qtbot, panel)
    wait_slices(qtbot, panel)
    picture("x5-accepted")
    result = item_of(viewer.layers["sample axis"])
    assert "Next: Reconstruct." in panel.run_bar.status.text()
    again = run_step("align.apply_axis", series, given)
    np.testing.assert_array_equal(result.images, again.images)
    path = tmp_path / "recipe.toml"
    write_recipe(recipe_from(result.provenance), path)
    name, parameters = read_recipe(path).steps[-1]
    assert name == "align.apply_axis"
    assert parameters == pytest.approx(given)

    # the result is looked at, its axis in the centre; the old one is remembered
    assert panel.picker.layer.name == "sample axis"
    assert panel.place.shift_px == 0
    panel.picker.choose(layer)
    assert panel.place.shift_px == given["shift_px"]
    assert layer.visible and not viewer.layers["sample axis"].visible
    panel.picker.choose(viewer.layers["sample axis"])
    viewer.layers.selection.active = viewer.layers["sample axis"]
    press(qtbot, panel, "Parameters of layer")
    assert panel.place.shift_px == given["shift_px"]


@pytest.mark.parametrize("axis", ["y", "x"])
def test_the_line_is_dragged_and_turned(qtbot, empty, viewer, axis, picture):
    panel, series = empty, sintered(axis)[0]
    layer = show(qtbot, panel, series, "sample")
    centre = np.array(viewer.scene.camera.center)

    def yx(along, across):
        return (along, across) if axis == "y" else (across, along)

    middle = (96 - 1) / 2
    drag(qtbot, line(viewer, layer, yx(30, middle), yx(33, middle + 6)))
    assert panel.place.shift_px == pytest.approx(6, abs=0.4)
    assert panel.place.rotation_deg == 0
    wait_slices(qtbot, panel)
    end = yx(2, middle + panel.place.shift_px)
    drag(qtbot, line(viewer, layer, end, yx(2, middle + 6 - 4)))
    turned = np.rad2deg(np.arctan2(4, middle - 2))
    assert panel.place.rotation_deg == pytest.approx(turned, abs=0.6)
    assert panel.place.shift_px == pytest.approx(6, abs=0.4)
    # arrow keys now move the axis on
    assert panel.window().focusWidget() is panel.view
    # the camera stayed where it was, and moves again elsewhere
    np.testing.assert_allclose(viewer.scene.camera.center, centre)
    assert viewer.scene.camera.mouse_pan
    wait_slices(qtbot, panel)
    picture(f"x6-dragged-{axis}")
    drag(qtbot, line(viewer, layer, yx(20, 10), yx(40, 20)))
    assert not np.allclose(viewer.scene.camera.center, centre)

    panel.set_axis(SHIFT, ROTATION)
    press(qtbot, panel, "Accept")
    wait_idle(qtbot, panel)
    upright = item_of(viewer.layers["sample axis"])
    left = t4.align.tilt_axis(upright, "centre-of-mass")
    assert left.shift_px == pytest.approx(0, abs=0.4)
    assert left.rotation_deg == pytest.approx(0, abs=0.5)


def test_the_other_direction_is_tried_and_kept(qtbot, empty, viewer, picture, tmp_path):
    """A series whose axis is along x, but whose file was read as if it were along y."""
    panel, truth = empty, sintered("x")[0]
    t4.write(truth, tmp_path / "sample.mrc")
    read = t4.read(tmp_path / "sample.mrc", tilt_axis="y")
    layer = show(qtbot, panel, read, "sample")
    direction = panel.axis_box.direction
    assert isinstance(direction, QComboBox) and direction.currentText() == "vertical (y)"
    direction.setFocus()
    qtbot.keyClick(direction, Qt.Key.Key_Down)
    wait_slices(qtbot, panel)
    assert direction.currentText() == "horizontal (x)"
    start, along = viewer.layers[AXIS_LAYER].data[0]
    np.testing.assert_allclose([start[0], along[0]], [47.5, 0], atol=1e-9)
    thickness = panel.slices_box.thickness_px
    headless = SlicePreview(without_background(truth), thickness).slices(
        panel.view.slices.positions, 0.0, 0.0
    )
    np.testing.assert_allclose(panel.view.slices.sections, headless, atol=1e-4)
    picture("x6b-other-direction")
    # another direction alone can be accepted, and so can the axis that is found with it
    assert panel.run_bar.run_button.isEnabled()
    press(qtbot, panel, "Suggest")
    wait_idle(qtbot, panel)
    assert panel.place.shift_px == pytest.approx(SHIFT, abs=0.5)
    steps = panel.place.steps(read)
    assert [name for name, _ in steps] == ["align.set_tilt_axis", "align.apply_axis"]
    press(qtbot, panel, "Accept")
    wait_idle(qtbot, panel)
    result = item_of(viewer.layers["sample axis"])
    assert result.tilt_axis == "x"
    np.testing.assert_array_equal(result.images, run_steps(read, steps).images)
    path = tmp_path / "recipe.toml"
    write_recipe(recipe_from(result.provenance), path)
    assert [name for name, _ in read_recipe(path).steps[-2:]] == [name for name, _ in steps]
    # Reset goes back to the direction of the file
    panel.picker.choose(layer)
    press(qtbot, panel, "Reset")
    wait_slices(qtbot, panel)
    assert (panel.place.direction, panel.place.shift_px) == ("y", 0)


def test_time_series_are_moved_together(qtbot, empty, viewer, picture):
    panel = empty
    times = sintered(n_times=2)
    show(qtbot, panel, times, "sample")
    assert panel.time.isVisible()
    assert panel.series is times[0]
    panel.time.setCurrentIndex(1)
    viewer.dims.set_current_step(0, 1)
    wait_slices(qtbot, panel)
    assert panel.series is times[1]
    assert panel.view.slices.request.series is times[1]
    type_into(qtbot, panel.axis_box.shift, SHIFT)
    wait_slices(qtbot, panel)
    picture("x7-times")
    press(qtbot, panel, "Accept")
    wait_idle(qtbot, panel)
    moved = item_of(viewer.layers["sample axis"])
    for one, was in zip(moved, times, strict=True):
        again = run_step("align.apply_axis", was, {"shift_px": SHIFT, "rotation_deg": 0.0})
        np.testing.assert_array_equal(one.images, again.images)


def test_cancel_changes_nothing(qtbot, panel, viewer):
    n_layers = len(viewer.layers)
    press(qtbot, panel, "Suggest")
    press(qtbot, panel, "Cancel")
    wait_idle(qtbot, panel)
    assert panel.run_bar.status.text() == "Cancelled; nothing was changed."
    assert panel.axis_box.suggest_button.isEnabled()
    assert (panel.place.shift_px, len(viewer.layers)) == (0, n_layers)


def test_too_few_tilts_and_frames_are_one_sentence(qtbot, empty, series, picture):
    panel = empty

    def part(stop):
        return series.replace(images=series.images[:stop], angles_deg=series.angles_deg[:stop])

    panel.session.add(part(1), "one tilt")
    said = "This series has a single tilt, which does not show where the axis is."
    assert panel.hint.text() == panel.axis_box.suggest_button.toolTip() == said
    assert (
        not panel.axis_box.suggest_button.isEnabled() and not panel.run_bar.run_button.isEnabled()
    )
    # what was seen belongs to another one
    assert panel.view.slices is None and all(box.image is None for box in panel.view.boxes)
    picture("x8-one-tilt")
    panel.session.add(part(3), "three tilts")
    wait_slices(qtbot, panel)
    press(qtbot, panel, "Suggest")
    wait_idle(qtbot, panel)
    assert panel.run_bar.status.text().startswith("Error: The tilt axis can't be found from 3")
    picture("x9-three-tilts")
    framed = np.stack([series.images] * 2, axis=1)
    panel.session.add(series.replace(images=framed), "frames")
    assert "average them in the Clean panel first" in panel.hint.text()


def test_what_is_drawn_goes_when_another_panel_comes_to_the_front(qtbot, panel, dock, viewer):
    assert AXIS_LAYER in viewer.layers
    listening = len(viewer.mouse_drag_callbacks)
    dock(LoadPanel)
    qtbot.waitUntil(lambda: AXIS_LAYER not in viewer.layers)
    assert [x.name for x in viewer.layers] == ["sample"]
    assert not panel.view.isVisible()
    assert len(viewer.mouse_drag_callbacks) == listening - 1
    panel.bring_to_front()
    qtbot.waitUntil(lambda: AXIS_LAYER in viewer.layers)
    qtbot.waitUntil(panel.view.isVisible)


def test_only_the_newest_request_is_answered(qtbot, panel, viewer):
    """Many changes at once: no queue builds up, and the last one is what is shown."""
    n = len(panel.clock.times_ms)
    for k in range(50):
        panel.set_axis(k / 10, 0)
    wait_slices(qtbot, panel)
    assert len(panel.clock.times_ms) - n < 10
    assert panel.view.slices.request.shift_px == pytest.approx(4.9)
    start, _ = viewer.layers[AXIS_LAYER].data[0]
    assert start[1] == pytest.approx(47.5 + 4.9)
    assert panel.view.speed.text().startswith("Shown in ")


def test_frames_while_the_axis_moves(qtbot, empty, record_property):
    """Large images are looked at coarsely while the axis moves, and finely when it rests."""
    y, x = np.mgrid[:512, :1024]
    angles = np.linspace(-60, 60, 41)
    across = 511.5 + 120 * np.cos(np.deg2rad(angles)) + 60 * np.sin(np.deg2rad(angles))
    images = np.stack([np.exp(-((y - 250) ** 2 + (x - u) ** 2) / 400) for u in across])
    panel = empty
    show(qtbot, panel, t4.TiltSeries(images.astype(np.float32), angles, 0.5), "large")
    assert panel.view.slices.factor == 1
    shape = panel.view.slices.shown.shape
    seen = panel.view.boxes[1].range_shown()
    del panel.clock.times_ms[:]
    factors = []
    for k in range(1, 21):
        panel.set_axis(k / 4, 0)
        qtbot.waitUntil(lambda k=k: panel.view.slices.request.shift_px == k / 4)
        factors.append(panel.view.slices.factor)
        qtbot.waitUntil(lambda: not panel.clock.busy)
    assert set(factors) == {2}
    report(panel, record_property, "1024 x 512, 41 tilts")
    wait_slices(qtbot, panel)
    assert panel.view.slices.factor == 1
    assert panel.view.slices.shown.shape == shape
    np.testing.assert_allclose(panel.view.boxes[1].range_shown(), seen, atol=6)


def report(panel, record_property, name):
    """Print how long it took from changes of the axis to slices on the screen."""
    times = panel.clock.times_ms
    median, slow = np.percentile(times, (50, 90))
    print(f"{name}: {len(times)} frames, median {median:.1f} ms, 90 % within {slow:.1f} ms")
    record_property("frame_times_ms", [round(t, 1) for t in times])


@pytest.mark.slow  # a session by hand goes through the same data
def test_real_data(qtbot, empty, viewer, reference_data, picture, record_property):
    """Nanoparticles in liquid: moving the axis by 5 px shows at once."""
    path = reference_data("nanoparticles_n6", "N6_liquid_sample_stack.mat")
    with pytest.warns(t4.errors.Tomo4DWarning):
        framed = t4.read(path)
    series = run_step("preprocess.average_frames", framed, {})
    panel = empty
    layer = show(qtbot, panel, series, "N6")
    click(qtbot, panel.slices_box.place_button)
    image = ndimage.gaussian_filter(series.image(len(series) // 2), 3)
    for y, x in peak_local_max(image, min_distance=12, num_peaks=3):
        mouse_press(qtbot, on_canvas(viewer, layer, y, x))
    click(qtbot, panel.slices_box.place_button)
    wait_slices(qtbot, panel)
    picture("y1-particles")
    press(qtbot, panel, "Suggest")
    wait_idle(qtbot, panel)
    wait_slices(qtbot, panel)
    picture("y2-suggested")
    found = panel.place.shift_px
    type_into(qtbot, panel.axis_box.shift, found + 5)
    wait_slices(qtbot, panel)
    picture("y3-arcs")
    panel.slices_box.kind.setCurrentIndex(1)
    wait_slices(qtbot, panel)
    picture("y4-arcs-plain")
    panel.slices_box.kind.setCurrentIndex(0)
    click_left(qtbot, panel.slices_box.bright)
    wait_slices(qtbot, panel)
    picture("y4b-arcs-brightened")
    click_left(qtbot, panel.slices_box.bright)
    panel.slices_box.kind.setCurrentIndex(0)
    del panel.clock.times_ms[:]
    panel.view.setFocus()
    for _ in range(10):
        qtbot.keyClick(panel.view, Qt.Key.Key_Left)
        wait_slices(qtbot, panel)
    assert panel.place.shift_px == pytest.approx(found, abs=0.02)
    report(panel, record_property, "N6, 46 tilts")
    press(qtbot, panel, "Accept")
    wait_idle(qtbot, panel)
    wait_slices(qtbot, panel)
    picture("y5-accepted")
    assert "Next: Reconstruct." in panel.run_bar.status.text()
