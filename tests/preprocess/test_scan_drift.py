"""Drift between and within frames is found at low dose and undone."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.errors import Cancelled, DataError, Tomo4DWarning
from napari_tomo4d.preprocess.scan_drift import (
    FrameDrift,
    frame_drift,
    register_frames,
    straighten,
    undo_scan_drift,
)
from napari_tomo4d.progress import Progress

SHAPE = (128, 128)
N_FRAMES = 8


def particles(rng, n=8):
    """Spheres: (y, x, radius)."""
    return np.column_stack(
        [rng.uniform(13, 115, n), rng.uniform(13, 115, n), rng.uniform(9, 16, n)]
    )


def scanned(spheres, velocity, times, shape=SHAPE):
    """Frames (frame, y, x) of moving spheres, 6 in the particles on average.

    Frame k starts at times[k]; each row is displaced as far as the drift has got by then. A
    pixel is the mean of 2 x 2 rays through the spheres.
    """
    frames = np.zeros((len(times), *shape))
    y, x = np.indices(shape)
    for k, time in enumerate(times):
        moved_y, moved_x = (v * (time + y / shape[0]) for v in velocity)
        for oy in (-0.25, 0.25):
            for ox in (-0.25, 0.25):
                for cy, cx, radius in spheres:
                    off = (y + oy - moved_y - cy) ** 2 + (x + ox - moved_x - cx) ** 2
                    frames[k] += 2 * np.sqrt(np.maximum(radius**2 - off, 0))
    return frames * 6 / frames[frames > 0].mean()


def example(seed, flyback=0.0):
    """Frames with counting noise and without, the velocity, and the shifts that undo it."""
    rng = np.random.default_rng(seed)
    spheres = particles(rng)
    angle = rng.uniform(0, 2 * np.pi)
    velocity = rng.uniform(0.7, 2) * np.array([np.sin(angle), np.cos(angle)])
    times = (np.arange(N_FRAMES) - N_FRAMES / 2) * (1 + flyback)
    clean = scanned(spheres, velocity, times)
    # a row that is scanned later has moved further: shifts in the frames differ from the drift
    stretch = 1 / (1 - velocity[0] / SHAPE[0])
    per_frame = (1 + flyback) * np.array(
        [velocity[0] * stretch, velocity[1] * (1 + velocity[0] * stretch / SHAPE[0])]
    )
    shifts = -per_frame * (np.arange(N_FRAMES) - (N_FRAMES - 1) / 2)[:, None]
    return rng.poisson(clean + 0.1).astype(np.float32), clean, velocity, shifts


def test_shifts_and_velocity_at_six_electrons_per_pixel():
    rms, relative = [], []
    for seed in range(8):
        frames, _, velocity, shifts = example(seed)
        drift = frame_drift(frames)
        assert drift.registered.all()
        rms.append(np.sqrt(np.mean((drift.shifts_px - shifts) ** 2)))
        off = np.linalg.norm(drift.velocity_px - velocity)
        relative.append(off / np.linalg.norm(velocity))
    assert np.mean(rms) < 0.1
    assert max(rms) < 0.15
    assert np.mean(relative) < 0.02
    assert max(relative) < 0.1


def test_flyback_moves_the_content_between_frames_only():
    frames, _, velocity, shifts = example(1, flyback=0.5)
    drift = frame_drift(frames, flyback=0.5)
    np.testing.assert_allclose(drift.velocity_px, velocity, atol=0.05)
    np.testing.assert_allclose(drift.shifts_px, shifts, atol=0.2)


def test_random_walk_of_a_simulated_experiment_with_scan_noise():
    experiment, truth = t4.simulate.sintering(
        1, (48, 128, 128), frames_per_tilt=6, drift_px=4, tilt_step_deg=20, probe_current_pa=2
    )
    found = np.array([register_frames(experiment[0].frames(i)) for i in range(5)])
    expected = -(truth.shifts_px[0] - truth.shifts_px[0].mean(axis=1, keepdims=True))
    np.testing.assert_allclose(found.mean(axis=1), 0, atol=1e-9)
    assert np.sqrt(np.mean((found - expected) ** 2)) < 0.15


def test_frames_come_out_still_and_straight():
    frames, clean, velocity, shifts = example(3)
    still = scanned(particles(np.random.default_rng(3)), (0, 0), [0])[0]
    exact = straighten(clean, FrameDrift(shifts, velocity, np.ones(N_FRAMES, bool)))
    inside = (slice(16, -16), slice(16, -16))
    # all frames the same to the accuracy of interpolating edges of spheres
    assert exact.std(axis=0)[inside].max() < 0.25
    found = undo_scan_drift(t4.TiltSeries(frames[None], [0]))
    assert found.images.shape == (1, *frames.shape)
    assert found.images.dtype == np.float32
    np.testing.assert_allclose(found.metadata["scan_drift_px"], [velocity], atol=0.1)
    np.testing.assert_allclose(found.metadata["frame_shifts_px"], [shifts], atol=0.3)
    assert found.provenance.step == "preprocess.undo_scan_drift"
    # compared with the still image, the lower half has moved as far as the upper one
    corrected = found.images[0].mean(axis=0)
    shear = half_shift(corrected, still) / (velocity / 2)
    before = half_shift(clean[4], still) / (velocity / 2)
    np.testing.assert_allclose(before, 1, atol=0.25)
    np.testing.assert_allclose(shear, 0, atol=0.2)


def half_shift(image, still):
    """Further movement of the lower half than of the upper half."""
    halves = [register_frames([still[part], image[part]]) for part in (np.s_[:64], np.s_[64:])]
    upper, lower = (h[0] - h[1] for h in halves)
    return lower - upper


def test_intensities_are_not_scaled():
    drift = FrameDrift(np.zeros((2, 2)), np.array([6.0, 3.0]), np.ones(2, bool))
    frames = np.full((2, 32, 32), 7.0)
    np.testing.assert_allclose(straighten(frames, drift), 7, rtol=1e-5)
    with pytest.raises(DataError, match="3 frames but 2 shifts"):
        straighten(np.ones((3, 32, 32)), drift)


def test_wrong_frames_are_marked_and_follow_the_others():
    frames, _, velocity, shifts = example(2)
    frames = frames.copy()
    frames[2] = 0
    frames[5] = np.random.default_rng(0).poisson(3, SHAPE)
    found = register_frames(frames)
    bad = np.isin(np.arange(N_FRAMES), [2, 5])
    assert np.isnan(found[bad]).all()
    assert np.isfinite(found[~bad]).all()
    with pytest.warns(Tomo4DWarning, match="Frame [36] at 10 deg could not be registered"):
        moved = undo_scan_drift(t4.TiltSeries(frames[None], [10]))
    assert len(moved.provenance.warnings) == 2
    got = np.array(moved.metadata["frame_shifts_px"][0])
    np.testing.assert_allclose(got - got[0], shifts - shifts[0], atol=0.5)
    np.testing.assert_allclose(moved.metadata["scan_drift_px"], [velocity], atol=0.15)


def test_a_jump_beyond_a_quarter_of_the_image_is_not_believed():
    rng = np.random.default_rng(0)
    field = scanned(particles(rng), (0, 0), [0], (128, 256))[0]
    field[:, 128:] = field[:, :128][:, ::-1]
    frames = np.stack([field[:, 64:192], field[:, 65:193], field[:, 64:192], field[:, 114:242]])
    found = register_frames(rng.poisson(frames))
    assert np.isnan(found[3]).all()
    np.testing.assert_allclose(found[1] - found[0], [0, 1], atol=0.2)


def test_tilts_that_can_not_be_corrected_are_left_with_a_warning():
    frames, *_ = example(0)
    noise = np.random.default_rng(0).poisson(3, (3, *SHAPE)).astype(np.float32)
    series = t4.TiltSeries([frames[:1], frames, noise], [-5, 0, 5])
    with pytest.warns(Tomo4DWarning) as caught:
        got = undo_scan_drift(series)
    texts = [str(w.message) for w in caught]
    assert any("tilt at -5 deg has one frame" in t for t in texts)
    assert any("frames at 5 deg were left as they are" in t for t in texts)
    np.testing.assert_array_equal(got.images[0], frames[:1])
    np.testing.assert_array_equal(got.images[2], noise)
    assert got.metadata["scan_drift_px"][0] is None
    assert got.frames_per_tilt == (1, 8, 3)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (np.ones((1, 32, 32)), "at least two frames"),
        (np.ones((32, 32)), "axes \\(frame, y, x\\)"),
        ([np.ones((32, 32)), np.ones((32, 30))], "differ in size"),
        (np.ones((4, 32, 32)), "any contrast"),
        (np.ones((4, 1, 32)), "1 x 32 pixels are too small"),
        (np.full((4, 32, 32), np.nan), "NaN"),
    ],
)
def test_bad_frames_are_refused_in_a_sentence(frames, message):
    for function in (register_frames, frame_drift):
        with pytest.raises(DataError, match=message):
            function(frames)


def test_series_without_frames_or_contrast_is_refused():
    with pytest.raises(DataError, match="one frame per tilt"):
        undo_scan_drift(t4.TiltSeries(np.ones((3, 16, 16)), [0, 1, 2]))
    with (
        pytest.warns(Tomo4DWarning, match="left as they are"),
        pytest.raises(DataError, match="could not be registered at any tilt"),
    ):
        undo_scan_drift(t4.TiltSeries(np.ones((1, 2, 16, 16)), [0]))


def test_cancel():
    progress = Progress()
    progress.cancel()
    frames = np.random.default_rng(0).random((1, 3, 16, 16))
    with pytest.raises(Cancelled):
        undo_scan_drift(t4.TiltSeries(frames, [0]), progress=progress)
    with pytest.raises(Cancelled):
        register_frames(frames[0], progress=progress)
