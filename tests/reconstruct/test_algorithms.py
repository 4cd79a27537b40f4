"""WBP and SIRT on phantoms and reference data with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from n6 import N6_PUBLISHED, distances, n6_centroids

import napari_tomo4d as t4
from napari_tomo4d.errors import Cancelled, DataError, NotEnoughMemoryError, Tomo4DWarning
from napari_tomo4d.progress import Progress
from napari_tomo4d.reconstruct import Projector, estimate
from napari_tomo4d.reconstruct.wbp import angle_weights
from napari_tomo4d.registry import get_step

HALF_TURN = np.arange(-90, 90, 2.0)


def box_series(shape, box, angles, tilt_axis, **geometry):
    volume = np.zeros(shape, np.float32)
    volume[box] = 1
    projector = Projector(shape, angles, tilt_axis=tilt_axis, **geometry)
    return volume, t4.TiltSeries(projector.forward(volume), angles, 1.0, tilt_axis)


def joint_of_two(series, **options):
    return t4.reconstruct.joint_4d(t4.TimeSeries([series, series]), **options)[1]


METHODS = [
    (t4.reconstruct.wbp, {}),
    (t4.reconstruct.wbp, {"filter": "shepp-logan"}),
    (t4.reconstruct.wbp, {"filter": "sirt-like", "sirt_iterations": 100}),
    (t4.reconstruct.sirt, {"iterations": 100}),
    (t4.reconstruct.os_sart, {"iterations": 20}),
    (t4.reconstruct.cgls, {"iterations": 30}),
    (t4.reconstruct.cgls, {"iterations": 30, "non_negative": True}),
    (t4.reconstruct.tv, {"iterations": 60, "weight": 0.002}),
    (t4.reconstruct.tv, {"iterations": 30, "weight": 0.002, "solver": "fista"}),
    (t4.reconstruct.iser, {"iterations": 60}),
    (t4.reconstruct.dart, {"iterations": 5}),
    (joint_of_two, {"iterations": 60, "weight": 0.002}),
]


def boxes():
    """Every method at one shape with both tilt axes; a direct and an iterative one at others."""
    again = pytest.mark.slow(reason="shapes belong to the projector, which has tests of its own")
    for shape in [(40, 71, 52), (64, 40, 64), (63, 33, 75)]:
        for tilt_axis in "yx":
            for i, (method, options) in enumerate(METHODS):
                ordinary = shape[0] == 40 or (i in (0, 3) and tilt_axis == "y")
                words = [*shape, tilt_axis, method.__name__, *options.values()]
                yield pytest.param(
                    method,
                    options,
                    shape,
                    tilt_axis,
                    id="-".join(map(str, words)),
                    marks=() if ordinary else again,
                )


@pytest.mark.parametrize(("method", "options", "shape", "tilt_axis"), list(boxes()))
def test_a_unit_box_comes_back_as_one(method, options, shape, tilt_axis):
    if tilt_axis == "x":
        shape = (shape[0], shape[2], shape[1])
    box = tuple(slice(n // 3, n // 3 + n // 4) for n in shape)
    truth, series = box_series(shape, box, HALF_TURN, tilt_axis)
    volume = method(series, thickness=shape[0], **options)
    assert volume.data.shape == shape
    inner = tuple(slice(s.start + 2, s.stop - 2) for s in box)
    assert volume.data[inner].mean() == pytest.approx(1, abs=0.05)
    # and so does its mass, with the blurred edges
    around = tuple(slice(s.start - 3, s.stop + 3) for s in box)
    assert volume.data[around].sum() == pytest.approx(truth.sum(), rel=0.05)


def test_uneven_angles_count_by_the_gap_they_fill():
    even = angle_weights(np.arange(-40, 41, 2.0))
    np.testing.assert_allclose(even, np.deg2rad(2), rtol=1e-6)
    np.testing.assert_allclose(angle_weights(HALF_TURN).sum(), np.pi, rtol=1e-9)
    dense = np.concatenate([np.arange(-90, 0, 1.0), np.arange(0, 90, 3.0)])
    _truth, series = box_series((64, 8, 64), np.s_[24:40, 2:6, 20:44], dense, "y")
    volume = t4.reconstruct.wbp(series)
    assert volume.data[28:36, 3:5, 24:40].mean() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("tilt_axis", ["y", "x"])
def test_an_axis_off_the_centre_is_honoured(tilt_axis):
    box = np.s_[24:34, 20:30, 12:27] if tilt_axis == "y" else np.s_[24:34, 12:27, 20:30]
    shape = (64, 50, 56) if tilt_axis == "y" else (64, 56, 50)
    truth, series = box_series(shape, box, HALF_TURN, tilt_axis, axis_shift_px=4.5)
    right = t4.reconstruct.sirt(series, 60, thickness=64, axis_shift_px=4.5)
    carried = t4.reconstruct.sirt(series.replace(axis_shift_px=4.5), 60, thickness=64)
    wrong = t4.reconstruct.sirt(series, 60, thickness=64)
    np.testing.assert_array_equal(right.data, carried.data)
    assert np.corrcoef(right.data.ravel(), truth.ravel())[0, 1] > 0.97
    assert np.corrcoef(wrong.data.ravel(), truth.ravel())[0, 1] < 0.8
    assert right.residuals[-1] < 0.3 * wrong.residuals[-1]


def test_residual_is_the_relative_projection_error_and_falls():
    _, series = box_series((32, 8, 32), np.s_[10:20, 2:6, 8:18], np.arange(-60, 61, 4.0), "y")
    volume = t4.reconstruct.sirt(series, 20, non_negative=False)
    error = Projector(volume.data.shape, series.angles_deg).forward(volume.data) - series.images
    expected = np.linalg.norm(error) / np.linalg.norm(series.images)
    assert volume.residuals[-1] == pytest.approx(expected, rel=1e-4)
    assert len(volume.residuals) == 20
    assert np.all(np.diff(volume.residuals) < 0)


def test_a_volume_to_start_from_goes_on_where_it_was():
    _, series = box_series((32, 8, 32), np.s_[10:20, 2:6, 8:18], np.arange(-60, 61, 4.0), "y")
    ten = t4.reconstruct.sirt(series, 10)
    twenty = t4.reconstruct.sirt(series, 10, initial=ten)
    np.testing.assert_allclose(twenty.data, t4.reconstruct.sirt(series, 20).data, atol=1e-5)


def test_stop_rule_finish_now_and_cancel():
    _, series = box_series((32, 8, 32), np.s_[10:20, 2:6, 8:18], np.arange(-60, 61, 4.0), "y")
    stopped = t4.reconstruct.sirt(series, 500, min_improvement=1e-3)
    assert 5 < len(stopped.residuals) < 200

    class Impatient(Progress):
        def show(self, done, total, message, preview):
            if done == 3:
                assert preview().section.shape == (8, 32)
                self.finish()

    early = t4.reconstruct.sirt(series, 50, progress=Impatient())
    assert len(early.residuals) == 3
    np.testing.assert_array_equal(early.data, t4.reconstruct.sirt(series, 3).data)

    progress = Progress()
    progress.cancel()
    for method in (t4.reconstruct.sirt, t4.reconstruct.wbp):
        with pytest.raises(Cancelled):
            method(series, progress=progress)


def test_input_is_not_changed():
    _, series = box_series((32, 8, 32), np.s_[10:20, 2:6, 8:18], np.arange(-60, 61, 4.0), "y")
    before = series.images.copy()
    t4.reconstruct.sirt(series, 2)
    t4.reconstruct.wbp(series)
    np.testing.assert_array_equal(series.images, before)


def test_bad_input_is_explained():
    images = np.ones((3, 8, 8), np.float32)
    with pytest.raises(DataError, match="at least two tilts"):
        t4.reconstruct.sirt(t4.TiltSeries(images[:1], [0]))
    with pytest.raises(DataError, match="nothing to reconstruct in depth"):
        t4.reconstruct.sirt(t4.TiltSeries(images, [5, 5.1, 5.2]))
    with pytest.raises(DataError, match="are zero"):
        t4.reconstruct.sirt(t4.TiltSeries(images * 0, [0, 10, 20]))
    with pytest.raises(DataError, match="axis is 7 px from the image centre, outside"):
        t4.reconstruct.sirt(t4.TiltSeries(images, [0, 10, 20], axis_shift_px=7))
    with pytest.raises(DataError, match="2 frames per tilt; average"):
        t4.reconstruct.sirt(t4.TiltSeries(images[:, None].repeat(2, 1), [0, 10, 20]))
    with pytest.warns(Tomo4DWarning, match="below zero"):
        t4.reconstruct.sirt(t4.TiltSeries(images - 3, [0, 10, 20], 1.0), 1)


def test_a_volume_too_large_for_memory_is_refused_at_once():
    series = t4.TiltSeries(np.ones((3, 4000, 4000), np.uint8), [0, 10, 20], 1.0)
    with pytest.raises(NotEnoughMemoryError, match="4000 x 4000 x 4000 voxels"):
        t4.reconstruct.sirt(series)
    cost = get_step("reconstruct.sirt").cost
    needed = estimate(cost, 3, (4000, 4000)).memory_bytes
    assert needed > 5e11
    # volumes of other times, finished before, are beside it
    kept = estimate(cost, 3, (4000, 4000), kept_times=2).memory_bytes
    assert kept - needed == 2 * 4 * 4000**3


def test_metallic_glass(reference_data):
    projections = reference_data("metallic_glass", "sample_projections_amorphous.mat")
    angles = reference_data("metallic_glass", "sample_angles_amorphous.mat")
    truth_file = reference_data("metallic_glass", "ground_truth_amorphous_vol.mat")
    series = t4.read(projections, angles_deg=angles, tilt_axis="x", pixel_size_nm=0.0347)
    # its centre is voxel n // 2: half a pixel beside ours across the axis, and along the
    # beam a volume of one more voxel has its middle there
    volume = t4.reconstruct.sirt(series, 200, thickness=65, axis_shift_px=0.5)
    truth = t4.read(truth_file, kind="volume").data
    # the file has the images' axes first, ours has the beam first, and it tilts the other way
    got = volume.data[::-1][:64]
    assert np.corrcoef(got.ravel(), truth.ravel())[0, 1] >= 0.970


def n6_series(path, frame=None):
    with pytest.warns(Tomo4DWarning):
        series = t4.read(path, tilt_axis="y")
    if frame is None:
        series = t4.preprocess.average_frames(series, register=False)
    elif frame == 1:
        series = t4.preprocess.select_frame(series, 1)
    else:
        with pytest.warns(Tomo4DWarning, match="-?[0-9]+ deg"):
            series = t4.preprocess.select_frame(series, frame)
    return t4.preprocess.subtract_background(t4.preprocess.crop(series, 70, 186, 70, 186), 70)


def test_n6_has_six_particles_where_they_were_measured(reference_data):
    path = reference_data("nanoparticles_n6", "N6_liquid_sample_stack.mat")
    volume = t4.reconstruct.sirt(n6_series(path), 60)
    assert volume.residuals[-1] <= 0.23
    found = n6_centroids(volume.data)
    assert len(found) == 6
    assert np.abs(distances(found) - distances(N6_PUBLISHED)).max() <= 1.5


def test_n6_is_the_same_from_either_frame(reference_data):
    path = reference_data("nanoparticles_n6", "N6_liquid_sample_stack.mat")
    first, second = (
        n6_centroids(t4.reconstruct.sirt(n6_series(path, frame), 60).data) for frame in (1, 2)
    )
    assert len(first) == len(second) == 6
    assert np.abs(distances(first) - distances(second)).max() <= 1.0
