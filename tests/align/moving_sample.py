"""Simulated samples that move, turn and swell in the images, and what has to stay still."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

import napari_tomo4d as t4
from napari_tomo4d.simulate import detect, render


def imaged(
    experiment, truth, time=0, *, moved_px=(0, 0, 0), rotations_deg=None, magnifications=None
):
    """Return the tilt series of one time point with the sample moved and the images turned.

    Noise is that of the paper's dose; rotations from +y towards +x.
    """
    series = experiment[time]
    n, shape = len(series), series.image_shape
    rotations = np.deg2rad(np.zeros(n) if rotations_deg is None else rotations_deg)
    scales = np.ones(n) if magnifications is None else magnifications
    angles, drift, still = np.deg2rad(series.angles_deg), truth.shifts_px[time, :, 0], np.zeros(2)

    def lengths(tilt, moved, rotation, scale):
        image = np.empty(shape)
        spheres, ends, radii = truth.scenes[time].in_pixels(series.pixel_size_nm / scale)
        spheres, ends = spheres + np.append(moved, 0) * scale, ends + np.asarray(moved) * scale
        place = (angles[tilt], 0.0, rotation, drift[tilt], still)
        render.path_lengths(image, spheres, ends, radii, *place, 2)
        return image / scale

    # how many electrons a pixel of material scatters, and how many come from nowhere
    plain, clean = lengths(0, (0, 0, 0), 0.0, 1.0), truth.clean_image(time, 0)
    per_px, background = np.polyfit(plain.ravel(), clean.ravel(), 1)
    images = [
        detect(
            background + per_px * lengths(k, moved_px, rotations[k], scales[k]),
            0.2,
            np.random.default_rng([time, k]),
        )
        for k in range(n)
    ]
    return series.replace(images=np.stack(images).astype(np.float32))


def turned_series(seed, rotation_deg, magnification, drift_px=3.0):
    """Return a series, and the rotations (degrees) and magnifications that undo its own.

    Those of the images are uniform between plus and minus `rotation_deg`, and within a factor
    of ``1 +- magnification``. They are returned with the mean 0 and 1, which is free.
    """
    experiment, truth = t4.simulate.sintering(n_times=1, seed=seed, drift_px=drift_px)
    rng = np.random.default_rng([seed, 7])
    turns, logs = rng.uniform(-1, 1, (2, len(experiment[0]))) * [[rotation_deg], [magnification]]
    series = imaged(experiment, truth, rotations_deg=turns, magnifications=np.exp(logs))
    return series, turns - turns.mean(), np.exp(logs.mean() - logs)


def drifting_series(seed, drift_px, shape=(64, 96, 96)):
    """Return the tilt series of a sintering sample moved by `drift_px` (time, 3), and the truth."""
    experiment, truth = t4.simulate.sintering(n_times=len(drift_px), shape=shape, seed=seed)
    return [imaged(experiment, truth, t, moved_px=d) for t, d in enumerate(drift_px)], truth


def centres_of_still_particles(volumes, truth):
    """Return the centres (time, particle, 3) of the particles that touch no other.

    Mass above a third of the particle's median, up to three voxels around where it truly is.
    """
    pairs = truth.pairs[["a", "b"]].to_numpy()
    labels = truth.labels[0].data
    alone = np.setdiff1d(np.unique(labels), np.append(pairs.ravel(), 0))
    others = np.any([np.isin(later.data, pairs) for later in truth.labels], axis=0)
    others = ndimage.binary_dilation(others)
    centres = np.empty((len(volumes), len(alone), 3))
    for i, label in enumerate(alone):
        own = labels == label
        near = ndimage.binary_dilation(own, iterations=3) & ~others
        where = np.nonzero(near)
        for time, volume in enumerate(volumes):
            mass = np.maximum(volume.data[near] - np.median(volume.data[own]) / 3, 0)
            centres[time, i] = [np.average(w, weights=mass) for w in where]
    return centres
