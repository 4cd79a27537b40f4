"""Shifts between tilts are found by every method, and bad input is found and said."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io
from moving_sample import turned_series
from scipy import ndimage

import napari_tomo4d as t4
from napari_tomo4d.align.alignment import Alignment, apply
from napari_tomo4d.align.neighbours import NEIGHBOUR_METHODS
from napari_tomo4d.align.translations import METHODS, align_series, translations
from napari_tomo4d.errors import Cancelled, DataError, ParameterError, Tomo4DWarning
from napari_tomo4d.parameters import parameters_of
from napari_tomo4d.progress import Progress


def test_an_image_goes_where_its_reliable_neighbours_in_angle_have_it():
    between = t4.align.shift_between_neighbours
    angles, shifts = np.array([0.0, 4, 1, 2]), np.array([[0.0, 0], [4, 8], [9, 9], [7, 7]])
    np.testing.assert_allclose(between(shifts, angles, 2), (3.5, 3.5))
    unreliable = np.array([False, False, False, True])
    np.testing.assert_allclose(between(shifts, angles, 2, unreliable), (1, 2))
    # where none is reliable, all others count
    np.testing.assert_allclose(between(shifts, angles, 2, np.ones(4, bool)), (3.5, 3.5))
    np.testing.assert_allclose(between(shifts[:1], angles[:1], 0), shifts[0])


def low_dose(tilt_axis="y", max_tilt_deg=40.0, seed=0, axis_shift_px=0.0, drift_px=2.0):
    """Return a small series at the paper's dose and the shifts that undo its drift."""
    shape = (48, 89, 74) if tilt_axis == "y" else (48, 74, 89)
    experiment, truth = t4.simulate.sintering(
        n_times=1,
        shape=shape,
        seed=seed,
        max_tilt_deg=max_tilt_deg,
        tilt_step_deg=max_tilt_deg / 10,
        drift_px=drift_px,
        tilt_axis=tilt_axis,
        axis_shift_px=axis_shift_px,
    )
    return experiment[0], -truth.shifts_px[0, :, 0]


def left_over(found, wanted, series, used=None, free_axis=True):
    """Return the RMS error along and across the axis after a move of the object."""
    used = np.ones(len(series), bool) if used is None else used
    off = (found.shifts_px - wanted)[used]
    along, across = off.T if series.tilt_axis == "y" else off.T[::-1]
    t = np.deg2rad(series.angles_deg)[used]
    waves = np.stack([np.cos(t), np.sin(t), np.ones_like(t)], axis=1)[:, : 2 + free_axis]
    across = across - waves @ np.linalg.lstsq(waves, across, rcond=1e-10)[0]
    return along.std(), np.sqrt((across**2).mean())


def with_noise(series, bad, seed=0):
    images = series.load().copy()
    rng = np.random.default_rng(seed)
    for k in bad:
        images[k] = rng.poisson(images[k].mean(), images[k].shape)
    return series.replace(images=images)


def texture(shape, seed=0):
    """Return blobs on a dark background that fade out towards the edges."""
    rng = np.random.default_rng(seed)
    window = np.outer(*(np.hanning(n) for n in shape))
    blobs = ndimage.gaussian_filter(rng.random(shape) * window, 2.5)
    return (1000 * np.clip(blobs - blobs.mean(), 0, None)).astype(np.float32)


LIMITS = {
    "mutual-information": (0.6, 0.6),
    "phase-correlation": (0.6, 0.6),
    "cross-correlation": (0.6, 0.6),
    "centre-of-mass": (1.2, 1.2),
    "common-line": (0.4, 0.9),
    "reprojection": (0.3, 0.3),
}


@pytest.mark.parametrize("tilt_axis", ["y", "x"])
@pytest.mark.parametrize("method", METHODS)
def test_drift_at_low_dose_is_found(method, tilt_axis):
    series, wanted = low_dose(tilt_axis)
    found = translations(series, method)
    along, across = left_over(found, wanted, series)
    assert along < LIMITS[method][0] and across < LIMITS[method][1]
    assert not found.suspect.any()
    assert found.quality.min() > 0.5 and found.quality.max() <= 1
    assert found.mass_kept.min() >= 0.99 and found.mass_kept.max() <= 1
    if method in NEIGHBOUR_METHODS:
        middle = np.argmin(np.abs(series.angles_deg))
        along_axis = 0 if tilt_axis == "y" else 1
        assert found.shifts_px[middle, 1 - along_axis] == 0


def test_wide_tilts_and_the_position_of_the_axis():
    series, wanted = low_dose("x", 70.0, seed=1, axis_shift_px=2.0)
    found = translations(series.replace(axis_shift_px=2.0), "reprojection")
    # "free_axis" is off: the axis has to come out where it is
    along, across = left_over(found, wanted, series, free_axis=False)
    assert along < 0.3 and across < 0.3


@pytest.mark.parametrize("method", ["cross-correlation", "common-line", "reprojection"])
@pytest.mark.parametrize("bad", [[0], [10, 11], [20]])
def test_images_of_noise_are_found_and_do_no_harm(method, bad):
    series, wanted = low_dose(seed=2)
    used = np.ones(len(series), bool)
    used[bad] = False
    with pytest.warns(Tomo4DWarning, match="Nothing in the neighbours matches the image"):
        found = translations(with_noise(series, bad), method)
    np.testing.assert_array_equal(found.suspect, ~used)
    along, across = left_over(found, wanted, series, used)
    assert along < LIMITS[method][0] and across < LIMITS[method][1]
    if bad == [10, 11]:
        between = np.sort(found.shifts_px[[9, 12]], axis=0)
        assert (found.shifts_px[bad] >= between[0] - 1e-9).all()
        assert (found.shifts_px[bad] <= between[1] + 1e-9).all()


@pytest.mark.parametrize("method", [*NEIGHBOUR_METHODS, "common-line"])
def test_jumps_of_forty_pixels(method):
    image = np.zeros((150, 171), np.float32)
    image[52:98, 62:108] = texture((46, 46))
    wanted = np.array([(0, 0), (40, -5.25), (0.5, 35), (0, 0), (-38, 2), (33.5, 39), (2, -40)])
    images = np.stack([ndimage.shift(image, -s, order=3) for s in wanted])
    # hardly tilted, so that shifts are all there is
    series = t4.TiltSeries(images, np.linspace(-0.3, 0.3, 7))
    found = translations(series, method)
    off = found.shifts_px - wanted
    assert np.abs(off - off.mean(axis=0)).max() < 0.15


def test_order_of_the_angles_does_not_matter():
    series, _ = low_dose()
    shuffled = np.random.default_rng(0).permutation(len(series))
    other = t4.TiltSeries(series.load()[shuffled], series.angles_deg[shuffled])
    with pytest.warns(Tomo4DWarning, match="angles are not in order"):
        found = translations(other, "common-line")
    expected = translations(series, "common-line")
    np.testing.assert_allclose(found.shifts_px, expected.shifts_px[shuffled], atol=1e-9)
    np.testing.assert_allclose(found.quality, expected.quality[shuffled], atol=1e-9)


def test_odd_angles_are_said():
    series, _ = low_dose()
    repeated = np.r_[series.angles_deg[:-1], series.angles_deg[-2]]
    with pytest.warns(Tomo4DWarning, match=r"the same tilt angle \(36 deg\)"):
        translations(series.replace(angles_deg=repeated), "common-line")
    with pytest.warns(Tomo4DWarning) as said:
        translations(series.replace(angles_deg=np.abs(series.angles_deg)), "common-line")
    assert any("sign of half of them was lost" in str(w.message) for w in said)


def test_what_cannot_be_aligned_is_refused():
    series, _ = low_dose()
    with pytest.raises(DataError, match="at least two tilts"):
        translations(t4.TiltSeries(series.images[:1], [0]))
    with pytest.raises(DataError, match="nothing to align"):
        translations(series.replace(images=np.zeros_like(series.images)))
    with pytest.raises(DataError, match="too small"):
        translations(series.replace(images=series.images[:, :10]))
    with pytest.raises(ParameterError, match="choose one of 'mutual-information'"):
        translations(series, "magic")
    # a window that runs along a long strip: no frame holds what all of them show
    strip = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(40, 400)), 2)
    chase = np.stack([strip[:, 10 * i : 10 * i + 64] for i in range(21)])
    with pytest.raises(DataError, match="out of the frame"):
        translations(t4.TiltSeries(chase, np.arange(-10, 11)), "cross-correlation")


def test_blank_images_and_noise_alone_are_said():
    series, wanted = low_dose()
    images = series.load().copy()
    images[4] = 7
    with pytest.warns(Tomo4DWarning, match="nothing in the image at -24 deg"):
        found = translations(series.replace(images=images), "reprojection")
    assert found.suspect.tolist() == [k == 4 for k in range(21)]
    assert max(left_over(found, wanted, series, ~found.suspect)) < 0.3
    noise = np.random.default_rng(0).poisson(1, series.images.shape)
    with pytest.warns(Tomo4DWarning) as said:
        translations(series.replace(images=noise), "common-line")
    assert any("no better than noise does" in str(w.message) for w in said)


def test_an_object_that_leaves_the_field_is_said():
    sample = np.zeros((60, 120), np.float32)
    sample[20:40, 55:75] = texture((20, 20))
    starts = [30, 30, 30, 30, 30, 30, 30, 30, 63]
    images = np.stack([sample[:, a : a + 56] for a in starts])
    series = t4.TiltSeries(images, np.arange(-4.0, 5))
    with pytest.warns(Tomo4DWarning, match="had left the field in the image at 4 deg.*left edge"):
        translations(series, "cross-correlation")
    # something at the side that the middle tilt does not show
    sample[20:40, 20:27] = 5
    starts = [15, 15, 15, 15, 30, 15, 15, 15, 15]
    images = np.stack([sample[:, a : a + 60] for a in starts])
    for axis, edge in (("y", "left"), ("x", "top")):
        turned = images if axis == "y" else images.swapaxes(1, 2)
        series = t4.TiltSeries(turned, np.arange(-4.0, 5), tilt_axis=axis)
        match = f"% of the mass out of the frame in 8 images .* {edge} edge"
        with pytest.warns(Tomo4DWarning, match=match):
            found = translations(series, "cross-correlation")
        assert found.mass_kept[4] == 1 and found.mass_kept[:4].max() < 0.99


def test_stretching_helps_a_flat_sample():
    angles = np.arange(-60.0, 61, 6)
    # more on one side, so that foreshortening looks like a shift
    flat = texture((80, 120)) * np.linspace(0, 2, 120, dtype=np.float32)
    images = []
    for cosine in np.cos(np.deg2rad(angles)):
        offset = (0, 59.5 * (1 - 1 / cosine))
        images.append(ndimage.affine_transform(flat, (1, 1 / cosine), offset))
    series = t4.TiltSeries(np.stack(images), angles)
    plain, stretched = (
        np.abs(translations(series, "cross-correlation", cos_stretch=c).shifts_px[:, 1]).max()
        for c in (False, True)
    )
    assert stretched < 0.5
    assert plain > 3 * stretched


def test_the_search_is_repeatable():
    series, _ = low_dose()
    part = series.replace(images=series.images[8:13], angles_deg=series.angles_deg[8:13])
    a, b = (translations(part, "mutual-information", seed=3).shifts_px for _ in range(2))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.filterwarnings("ignore::napari_tomo4d.errors.Tomo4DWarning")
def test_few_tilts_are_enough(method, n):
    series, wanted = low_dose()
    part = series.replace(images=series.images[10 : 10 + n], angles_deg=series.angles_deg[10:][:n])
    found = translations(part, method)
    assert np.abs(np.diff(found.shifts_px - wanted[10 : 10 + n], axis=0)).max() < 4


def test_the_step_applies_what_was_found_once():
    series, _ = low_dose()
    before = series.load().copy()
    aligned = align_series(series, "common-line", smoothing_px=1.5)
    found = translations(series, "common-line", smoothing_px=1.5)
    np.testing.assert_array_equal(aligned.images, apply(series, found).images)
    np.testing.assert_array_equal(series.images, before)
    stored = aligned.metadata["alignment"]
    np.testing.assert_allclose(stored["shifts_px"], found.shifts_px, atol=1e-4)
    assert stored["suspect"] == [False] * 21 and len(stored["quality"]) == 21
    assert aligned.provenance.step == "align.align_series"
    assert aligned.provenance.parameters["smoothing_px"] == 1.5
    assert parameters_of(align_series) == parameters_of(translations)


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


def test_small_rotations_and_magnifications_are_found():
    series, turns, scales = turned_series(0, 1.0, 0.01)
    aligned = align_series(series, "reprojection", rotation_and_magnification=True)
    found = aligned.metadata["alignment"]
    # 0.3 degrees and 0.5 % move the rim of the field by a third of a pixel
    assert rms(turns) > 0.5 and rms(found["rotations_deg"] - turns) < 0.3
    assert rms(np.log(scales)) > 0.005 and rms(np.log(found["magnifications"] / scales)) < 0.004
    assert np.mean(found["rotations_deg"]) == pytest.approx(0, abs=1e-5)
    assert np.exp(np.mean(np.log(found["magnifications"]))) == pytest.approx(1, abs=1e-6)
    alignment = Alignment(found["shifts_px"], found["rotations_deg"], found["magnifications"])
    once = apply(series, alignment).images
    np.testing.assert_allclose(once, aligned.images, atol=0.01)


def test_data_that_need_no_rotation_are_left_alone():
    series, _, _ = turned_series(2, 0.0, 0.0)
    plain = translations(series, "reprojection")
    assert plain.rotations_deg is None and plain.magnifications is None
    found = translations(series, "reprojection", rotation_and_magnification=True)
    # what is left moves the rim of the field by less than shifts are known
    assert rms(found.rotations_deg) < 0.15 and rms(np.log(found.magnifications)) < 0.002
    assert rms(found.shifts_px - plain.shifts_px) < 0.2


def test_rotations_of_an_axis_along_x_have_the_other_sense():
    series, _ = low_dose()
    turned = t4.TiltSeries(series.images.swapaxes(1, 2), series.angles_deg, tilt_axis="x")
    a, b = (
        translations(s, "common-line", rotation_and_magnification=True) for s in (series, turned)
    )
    assert rms(a.rotations_deg) > 0.01
    np.testing.assert_allclose(a.rotations_deg, -b.rotations_deg, atol=1e-9)
    np.testing.assert_allclose(a.magnifications, b.magnifications, atol=1e-9)
    np.testing.assert_allclose(a.shifts_px, b.shifts_px[:, ::-1], atol=1e-9)


def test_reprojection_can_be_finished_and_cancelled():
    series, wanted = low_dose()
    progress = Progress()
    progress.finish()
    found = translations(series, "reprojection", progress=progress)
    assert max(left_over(found, wanted, series)) < 0.6
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        translations(series, "reprojection", progress=progress)


@pytest.mark.filterwarnings("ignore::napari_tomo4d.errors.Tomo4DWarning")
@pytest.mark.parametrize("method", METHODS)
def test_needle_against_published_shifts(method, reference_data):
    series = t4.read(reference_data("needle", "HAADF.mrc"), tilt_axis="x")
    path = reference_data("needle", "needle_shifts_StackReg.csv")
    stored = t4.align.read_alignment(path).shifts_px
    # some take long
    parts = {"mutual-information": 9, "phase-correlation": 31, "reprojection": 31}
    if method in parts:
        kept = slice(38 - parts[method] // 2, 39 + parts[method] // 2)
        series = series.replace(images=series.images[kept], angles_deg=series.angles_deg[kept])
        stored = stored[kept]
    found = translations(series, method)
    off = np.diff(found.shifts_px - stored, axis=0)
    assert not found.suspect.any()
    assert found.mass_kept.min() >= 0.99
    if method != "centre-of-mass":
        # the shaft is cut by the frame, which moves its centre of mass
        assert np.sqrt((off**2).mean(axis=0)).max() < 0.5


@pytest.mark.parametrize(("method", "limit"), [("centre-of-mass", 1.0), ("reprojection", 0.5)])
def test_fept_against_true_shifts(method, limit, reference_data):
    path = reference_data("fept_multislice", "projections_FePt_misaligned.mat")
    table = np.loadtxt(path.with_name("true_misalignment_shifts_px.csv"), delimiter=",")
    images = np.moveaxis(scipy.io.loadmat(path)["misaligned_pj"], 2, 0)
    series = t4.TiltSeries(images, table[:, 0], tilt_axis="x", axis_shift_px=33.7 - 33.5)
    found = translations(series, method)
    assert max(left_over(found, -table[:, 1:], series)) < limit
    assert found.mass_kept.min() >= 0.99
