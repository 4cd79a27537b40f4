"""What every iterative algorithm promises: limits, support, weights, stopping, seeds."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.errors import Cancelled, DataError, ParameterError
from napari_tomo4d.progress import Progress
from napari_tomo4d.reconstruct import Projector

R = t4.reconstruct
SHAPE = (32, 12, 36)
ANGLES = np.arange(-70, 71, 5.0)


def joint(series, iterations=10, **options):
    one = {k: options.pop(k) for k in ("initial", "tilt_weights") if k in options}
    both = {k: [v, v] for k, v in one.items()}
    return R.joint_4d(t4.TimeSeries([series, series]), iterations, 0.002, **both, **options)[0]


def tv(series, iterations=10, **options):
    return R.tv(series, iterations, 0.002, **options)


def fista(series, iterations=10, **options):
    return R.tv(series, iterations, 0.002, solver="fista", **options)


def cgls(series, iterations=10, **options):
    return R.cgls(series, iterations, **({"non_negative": True} | options))


ALGORITHMS = [R.sirt, R.os_sart, cgls, tv, fista, R.iser, joint]
every = pytest.mark.parametrize("method", ALGORITHMS, ids=lambda f: f.__name__)


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    truth = np.zeros(SHAPE, np.float32)
    truth[10:20, 3:9, 12:24] = 1
    images = Projector(SHAPE, ANGLES).forward(truth)
    images += rng.normal(0, 0.3, images.shape).astype(np.float32)
    return truth, t4.TiltSeries(images, ANGLES, 1.0)


@every
def test_limits_of_density_hold(method, problem):
    _, series = problem
    volume = method(series, 10, thickness=32, maximum=0.7).data
    assert volume.min() >= 0
    assert volume.max() == pytest.approx(0.7, abs=1e-6)


@every
def test_nothing_is_outside_the_support(method, problem):
    truth, series = problem
    support = np.zeros(SHAPE, bool)
    support[8:22, 2:10, 10:26] = True
    inside = method(series, 10, thickness=32, support=support)
    assert not inside.data[~support].any()
    free = method(series, 10, thickness=32)
    assert np.linalg.norm(inside.data - truth) < np.linalg.norm(free.data - truth)
    given_as_volume = method(series, 10, thickness=32, support=t4.Volume(support, 1.0))
    np.testing.assert_array_equal(given_as_volume.data, inside.data)


@every
def test_a_tilt_of_weight_zero_does_not_count(method, problem):
    _, series = problem
    spoilt = series.images.copy()
    spoilt[7] = 50
    weights = np.ones(len(ANGLES))
    weights[7] = 0
    options = {"thickness": 32, "tilt_weights": weights}
    if method is R.iser:
        options["noise"] = 0.3
    clean = method(series, 10, **options)
    got = method(series.replace(images=spoilt), 10, **options)
    np.testing.assert_allclose(got.data, clean.data, atol=1e-4 * clean.data.max())
    np.testing.assert_allclose(got.residuals, clean.residuals, rtol=1e-4)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        (R.wbp, {}),
        (R.sirt, {"iterations": None}),
        (R.tv, {"iterations": 10, "choose_weight_by": "discrepancy"}),
        (R.iser, {"iterations": 10}),
    ],
)
def test_a_tilt_of_weight_zero_is_as_good_as_left_out(method, options, problem):
    _, series = problem
    spoilt = series.images.copy()
    spoilt[7] = 50 * np.random.default_rng(1).random(spoilt[7].shape)
    weights = np.ones(len(ANGLES))
    weights[7] = 0
    got = method(series.replace(images=spoilt), tilt_weights=weights, **options)
    others = t4.TiltSeries(np.delete(series.images, 7, axis=0), np.delete(ANGLES, 7), 1.0)
    left = method(others, **options)
    np.testing.assert_array_equal(got.data, left.data)


@every
def test_starting_from_the_truth_starts_with_a_small_residual(method, problem):
    truth, series = problem
    options = {"noise": 0.3} if method is R.iser else {}
    cold = method(series, 1, thickness=32, **options).residuals[0]
    warm = method(series, 1, thickness=32, initial=t4.Volume(truth, 1.0), **options).residuals[0]
    assert warm < 0.5 * cold


@every
def test_residuals_belong_to_the_volume_and_fall(method, problem):
    _, series = problem
    volume = method(series, 15, thickness=32)
    error = Projector(SHAPE, ANGLES).forward(volume.data) - series.images
    expected = np.linalg.norm(error) / np.linalg.norm(series.images)
    assert volume.residuals[-1] == pytest.approx(expected, rel=1e-4)
    assert volume.residuals[-1] < 0.5 * volume.residuals[0] or volume.residuals[-1] < 0.2


@every
def test_the_same_run_gives_the_same_volume(method, problem):
    _, series = problem
    before = series.images.copy()
    first, second = (method(series, 5, thickness=32).data for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(series.images, before)


def test_seeds_matter_only_where_there_is_chance(problem):
    _, series = problem
    one, other = (R.os_sart(series, 3, thickness=32, seed=s).data for s in (1, 2))
    assert not np.array_equal(one, other)
    one, other, again = (R.dart(series, 2, thickness=32, seed=s).data for s in (1, 2, 1))
    np.testing.assert_array_equal(one, again)


@every
def test_finish_now_keeps_the_iteration_it_is_in(method, problem):
    _, series = problem

    class Impatient(Progress):
        def show(self, done, total, message, preview):
            if preview is not None and done == 3:
                assert preview().section.shape == SHAPE[1:]
                self.finish()

    early = method(series, 50, thickness=32, progress=Impatient())
    assert len(early.residuals) == 3
    np.testing.assert_allclose(
        early.data, method(series, 3, thickness=32).data, atol=1e-5 * early.data.max()
    )


@every
def test_the_stop_rule_ends_a_run_that_no_longer_improves(method, problem):
    _, series = problem
    stopped = method(series, 300, thickness=32, min_improvement=1e-3)
    assert 2 <= len(stopped.residuals) < 200


@pytest.mark.parametrize("method", [*ALGORITHMS, R.dart, R.wbp], ids=lambda f: f.__name__)
def test_cancel_comes_through_within_half_a_second(method):
    images = np.random.default_rng(0).random((41, 128, 256), dtype=np.float32)
    series = t4.TiltSeries(images, np.linspace(-40, 40, 41), 1.0)
    asked = []

    class Cancelling(Progress):
        """Cancels half a second after the work has begun: kernels are compiled by then."""

        def show(self, done, total, message, preview):
            if not asked:
                asked.append(None)
                threading.Timer(0.5, self.ask).start()

        def ask(self):
            asked[0] = time.perf_counter()
            self.cancel()

    def seconds_to_cancel():
        asked.clear()
        progress = Cancelling()
        if method is R.wbp:
            asked.append(None)
            progress.ask()
        options = {} if method is R.wbp else {"iterations": 1000}
        with pytest.raises(Cancelled):
            method(series, thickness=256, progress=progress, **options)
        return time.perf_counter() - asked[0]

    # the machine may be at other things for a moment, but not each time
    assert any(seconds_to_cancel() < 0.5 for _ in range(4))


def test_dart_gives_only_the_densities(problem):
    truth, series = problem
    volume = R.dart(series, 5, (1.0,), thickness=32)
    assert set(np.unique(volume.data)) == {0.0, 1.0}
    inside = volume.data > 0.5
    assert 2 * (inside & (truth > 0)).sum() / (inside.sum() + truth.sum()) > 0.97
    found = R.dart(series, 5, thickness=32)
    assert found.metadata["chosen"]["densities"][0] == pytest.approx(1, abs=0.05)
    assert "density" in " ".join(found.provenance.notes)


def test_dart_finds_two_densities():
    truth = np.zeros(SHAPE, np.float32)
    truth[8:22, 2:10, 6:16] = 1
    truth[10:20, 3:9, 20:30] = 2
    series = t4.TiltSeries(Projector(SHAPE, ANGLES).forward(truth), ANGLES, 1.0)
    volume = R.dart(series, 10, n_densities=2, thickness=32)
    np.testing.assert_allclose(volume.metadata["chosen"]["densities"], [1, 2], rtol=0.08)
    assert np.mean(np.abs(volume.data - truth) > 0.2) < 0.02


def test_bad_input_is_explained(problem):
    _, series = problem
    with pytest.raises(DataError, match="support has shape"):
        R.sirt(series, 1, thickness=32, support=np.ones((2, 2, 2)))
    other = t4.Volume(np.ones(SHAPE), (2.0, 1.0, 1.0))
    for given in ({"support": other}, {"initial": other}):
        with pytest.raises(DataError, match=r"voxels of 2 x 1 x 1 nm .*pixels of 1 nm"):
            R.sirt(series, 1, thickness=32, **given)
    with pytest.raises(DataError, match="support is empty"):
        R.sirt(series, 1, thickness=32, support=np.zeros(SHAPE))
    with pytest.raises(DataError, match="29 tilts but 3 weights"):
        R.sirt(series, 1, tilt_weights=[1, 1, 1])
    with pytest.raises(DataError, match="0 or more"):
        R.sirt(series, 1, tilt_weights=-np.ones(29))
    with pytest.raises(DataError, match="leaves nothing"):
        R.sirt(series, 1, maximum=0)
    with pytest.raises(ParameterError, match="increase"):
        R.dart(series, 1, (2.0, 1.0))
    small = series.replace(images=series.images[:, :6])
    with pytest.raises(DataError, match="differ in size"):
        R.joint_4d(t4.TimeSeries([series, small]), 1)
    with pytest.raises(DataError, match="2 time points but 1 volumes"):
        R.joint_4d(t4.TimeSeries([series, series]), 1, 0.01, initial=[t4.Volume(np.ones(SHAPE))])
    with pytest.raises(DataError, match="too few to leave some out"):
        R.sirt(t4.TiltSeries(series.images[:4], ANGLES[:4], 1.0), None)


def test_times_may_have_different_tilts(problem):
    truth, series = problem
    fewer = t4.TiltSeries(series.images[::2], ANGLES[::2], 1.0)
    result = R.joint_4d(t4.TimeSeries([series, fewer], [0, 10]), 60, thickness=32)
    assert result.times_s.tolist() == [0, 10]
    for volume in result:
        assert np.corrcoef(volume.data.ravel(), truth.ravel())[0, 1] > 0.95
        assert volume.provenance.step == "reconstruct.joint_4d"
