"""Six electrons per pixel and tilts to +-40 degrees: what regularisation is for."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.quality import neck_errors, quality, sintering_sample

import napari_tomo4d as t4
from napari_tomo4d.reconstruct.automatic import noise_level

R = t4.reconstruct


@pytest.fixture(scope="module")
def sample():
    experiment, truth = sintering_sample(n_times=3)
    return experiment, truth, [np.asarray(v.data) for v in truth.volumes]


@pytest.fixture(scope="module")
def separate(sample):
    experiment, _, truths = sample
    depth = len(truths[0])
    middle = R.tv(experiment[1], thickness=depth)
    # all times have the same dose; looking for the weight is most of the work
    weight = middle.metadata["chosen"]["weight"]
    first, last = (R.tv(experiment[t], weight=weight, thickness=depth) for t in (0, 2))
    return [first, middle, last]


def mean(volumes, truths):
    found = [quality(v.data, t) for v, t in zip(volumes, truths, strict=True)]
    return np.mean([q.nrmse for q in found]), np.mean([q.elongation for q in found])


def check_that_all_beat_sirt(experiment, truths, tv):
    depth = len(truths[0])
    sirt = mean([R.sirt(s, None, thickness=depth) for s in experiment], truths)
    iser = mean([R.iser(s, 100, thickness=depth) for s in experiment], truths)
    for better in (mean(tv, truths), iser):
        assert better[0] < 0.5 * sirt[0]
        assert 1 < better[1] < 1 + 0.5 * (sirt[1] - 1)


def test_tv_and_iser_beat_sirt_in_error_and_elongation(sample, separate):
    experiment, _, truths = sample
    check_that_all_beat_sirt([experiment[1]], [truths[1]], [separate[1]])


@pytest.mark.slow  # the same at two more times takes minutes
def test_tv_and_iser_beat_sirt_at_every_time(sample, separate):
    experiment, _, truths = sample
    check_that_all_beat_sirt(list(experiment), truths, separate)


@pytest.mark.parametrize(
    "weight",
    [
        0.032,
        # to find it from the images takes minutes
        pytest.param(None, marks=pytest.mark.slow),
    ],
)
def test_joint_4d_beats_separate_tv_and_smears_no_neck(sample, separate, weight):
    experiment, truth, truths = sample
    joint = R.joint_4d(experiment, weight=weight, thickness=len(truths[0]))
    assert mean(joint, truths)[0] < 0.97 * mean(separate, truths)[0]
    pixel = experiment.pixel_size_nm
    errors = [
        np.sqrt(np.mean(neck_errors([v.data for v in volumes], truth, pixel) ** 2))
        for volumes in (joint, separate)
    ]
    assert errors[0] <= errors[1] < 1.5


def test_the_neck_ruler_reads_the_truth(sample):
    experiment, truth, truths = sample
    assert np.abs(neck_errors(truths, truth, experiment.pixel_size_nm)).max() < 0.5


def test_the_weight_that_is_chosen_is_near_the_best(sample, separate):
    experiment, _, truths = sample
    chosen = separate[1].metadata["chosen"]["weight"]
    errors = {
        w: quality(R.tv(experiment[1], weight=w, thickness=len(truths[1])).data, truths[1]).nrmse
        for w in (chosen / 4, chosen, chosen * 4)
    }
    assert errors[chosen] == min(errors.values())
    assert "weight" in separate[1].provenance.notes[0]


@pytest.mark.slow  # looks for the weight once more
def test_the_noise_level_leads_to_a_weight_that_is_about_as_good(sample, separate):
    experiment, _, truths = sample
    chosen = quality(separate[1].data, truths[1]).nrmse
    by_noise = R.tv(experiment[1], thickness=len(truths[1]), choose_weight_by="discrepancy")
    assert quality(by_noise.data, truths[1]).nrmse < 1.3 * chosen


def test_the_number_of_iterations_that_is_chosen_is_near_the_best(sample):
    experiment, _, truths = sample
    chosen = R.sirt(experiment[0], None, thickness=len(truths[0]))
    n = len(chosen.residuals)
    assert f"{n} iterations were chosen" in chosen.provenance.notes[0]
    errors = [
        quality(R.sirt(experiment[0], k, thickness=len(truths[0])).data, truths[0]).nrmse
        for k in (max(1, n // 3), n * 3)
    ]
    assert quality(chosen.data, truths[0]).nrmse < min(errors)


def test_noise_is_measured_where_there_are_particles():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:96, :96]
    smooth = 20 + 15 * np.sin(y / 15) * np.cos(x / 12)
    images = np.repeat(smooth[None], 9, axis=0)
    white = images + rng.normal(0, 2.5, images.shape)
    series = t4.TiltSeries(white.astype(np.float32), np.arange(-40, 41, 10), 1.0)
    assert noise_level(series) == pytest.approx(2.5, rel=0.03)
    counts = t4.TiltSeries(rng.poisson(images).astype(np.float32), series.angles_deg, 1.0)
    assert noise_level(counts) == pytest.approx(np.sqrt(images.mean()), rel=0.1)


def test_both_solvers_of_tv_reach_the_same_volume(sample):
    experiment, _, truths = sample
    part = R.slices_of(experiment[0], 57, 60)
    options = {"weight": 0.03, "thickness": len(truths[0])}
    slow = R.tv(part, 300, solver="fista", **options).data
    fast = R.tv(part, 600, **options).data
    assert np.linalg.norm(slow - fast) < 0.1 * np.linalg.norm(fast)
