"""From projections to necks with default parameters, on simulated and on real data."""

import numpy as np
import pytest
from n6 import N6_PUBLISHED, distances

import napari_tomo4d as t4
from napari_tomo4d import measure, reconstruct, segment
from napari_tomo4d.errors import Tomo4DWarning


def labelled(volumes):
    """Segment with defaults."""
    masks = segment.threshold_volumes(volumes)
    parts = [segment.separate_particles(segment.clean_mask(m)) for m in masks]
    return segment.follow_particles(masks.with_items(parts))


def same_names(labels, truth, thickness):
    """Return the number of each true particle at every time, (time, particle)."""
    names = []
    for t, item in enumerate(labels):
        margin = (len(item.data) - thickness) // 2
        true = np.pad(truth.labels[t].data, ((margin, margin), (0, 0), (0, 0)))
        counts = [np.bincount(item.data[true == n]) for n in range(1, true.max() + 1)]
        names.append([int(np.argmax([0, *c[1:]])) for c in counts])
    return np.array(names)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "every_weight",
    [
        False,
        # to look for the weight at each time, as a user's run does, is most of the work
        pytest.param(True, marks=pytest.mark.slow),
    ],
)
def test_sintering_at_the_dose_and_wedge_of_the_paper(every_weight):
    experiment, truth = t4.simulate.sintering(n_times=4, many_body=True)
    first = reconstruct.tv(experiment[0])
    weight = None if every_weight else first.metadata["chosen"]["weight"]
    later = [reconstruct.tv(s, weight=weight) for s in experiment[1:]]
    volumes = experiment.with_items([first, *later])
    labels = labelled(volumes)
    names = same_names(labels, truth, 96)
    assert (names == names[0]).all() and len(set(names[0])) == len(names[0])

    surface = [measure.surface_uncertainty(v, i) for v, i in zip(volumes, labels, strict=True)]
    table = measure.follow_pairs(labels, surface_uncertainty_nm=surface)
    true = truth.pairs.copy()
    renamed = np.sort(names[0][true[["a", "b"]].to_numpy() - 1], axis=1)
    true["a"], true["b"] = renamed.T
    both = true.merge(table, on=["time", "a", "b"], suffixes=("_true", ""))
    assert len(both) == len(true) == len(table)

    pixel = experiment.pixel_size_nm
    limits = {"neck_radius_nm": 1.0, "neck_radius_3d_nm": 1.0, "distance_nm": 0.5, "radius_nm": 0.5}
    for column, limit in limits.items():
        reference = column.replace("_3d", "") + "_true"
        error = (both[column] - both[reference]) / pixel
        assert np.sqrt(np.mean(error**2)) < limit
        # what is stated is about what is wrong, elongation by the wedge included
        ratio = error * pixel / both[f"{column}_error"]
        assert 0.4 < np.sqrt(np.mean(ratio**2)) < 2.5

    verdicts = measure.correlations(table)
    designed = true[true.many_body][["a", "b"]].drop_duplicates().iloc[0].tolist()
    for row in verdicts.itertuples():
        broken = [row.a, row.b] == designed
        assert row.verdict == ("breaks the rule" if broken else "as expected")


def test_gold_particles_in_a_liquid_do_not_change_between_two_frames(reference_data):
    with pytest.warns(Tomo4DWarning):
        both = t4.read(
            reference_data("nanoparticles_n6", "N6_liquid_sample_stack.mat"), tilt_axis="y"
        )
    keep = [i for i, n in enumerate(both.frames_per_tilt) if n >= 2]
    volumes = []
    for frame in (0, 1):
        images = np.stack([both.frames(i)[frame] for i in keep])
        series = t4.TiltSeries(images, both.angles_deg[keep], both.pixel_size_nm)
        series = t4.preprocess.crop(series, 70, 186, 70, 186)
        series = t4.preprocess.subtract_background(series, 70)
        volumes.append(reconstruct.sirt(series, 60))
    labels = labelled(t4.TimeSeries(volumes, [0.0, 1.0]))
    assert [len(np.unique(i.data)) - 1 for i in labels] == [6, 6]
    surface = [measure.surface_uncertainty(v, i) for v, i in zip(volumes, labels, strict=True)]
    pairs = [(a, b) for a in range(1, 7) for b in range(a + 1, 7)]
    table = measure.follow_pairs(labels, pairs=pairs, surface_uncertainty_nm=surface)
    first, second = (table[table.time == t].reset_index() for t in (0, 1))
    for column in ("distance_nm", "radius_nm"):
        change = second[column] - first[column]
        stated = np.hypot(first[f"{column}_error"], second[f"{column}_error"])
        # nothing beyond what is stated, of which two standard deviations are common
        assert np.abs(change / stated).max() < 2
        assert np.sqrt(np.mean((change / stated) ** 2)) < 1
    published = np.sort(distances(N6_PUBLISHED))
    found = np.sort(first.distance_nm / both.pixel_size_nm)
    assert np.abs(found - published).max() < 1.5
