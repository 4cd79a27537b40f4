"""How exactly necks and distances are measured: digitised models, and whole experiments.

Run it as ``python -m tests.benchmarks.sintering``; ``--seeds N`` sets how many experiments, and
``--only NAME`` runs one of models, experiment, speed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np

import napari_tomo4d as t4
from napari_tomo4d import measure, reconstruct, segment
from napari_tomo4d.two_spheres import two_sphere_curve_as_measured
from tests.sintered import digitised_pair


def models(spacing: Sequence[float] = (1.0, 1.0, 1.0)) -> None:
    """Print errors of two-sphere models, ten directions each."""
    print(f"\ndigitised spheres, voxels {tuple(spacing)}, 10 directions: mean (worst)")
    print("  r    x    neck radius 3D %    distance 3D voxel    r_n/r %    d/2r %")
    rng = np.random.default_rng(1)
    for radius in (15, 30):
        for x in (0.2, 0.3, 0.4, 0.6, 0.8, 0.9):
            errors = []
            for _ in range(10):
                direction, offset = rng.normal(size=3), rng.uniform(-0.5, 0.5, 3)
                labels, distance = digitised_pair(x, radius, direction, spacing, offset)
                found = measure.neck(labels, 1, 2, spacing)
                ratios = np.array([found.neck_ratio, found.distance_ratio])
                expected = np.array(two_sphere_curve_as_measured(x))
                errors.append(
                    [
                        100 * (found.neck_radius_3d_nm / (x * radius) - 1),
                        found.distance_3d_nm - distance,
                        *(100 * (ratios / expected - 1)),
                    ]
                )
            mean, worst = np.mean(errors, axis=0), np.abs(errors).max(axis=0)
            text = "    ".join(f"{m:+.2f} ({w:.2f})" for m, w in zip(mean, worst, strict=True))
            print(f"  {radius}  {x:.1f}  {text}", flush=True)


def experiment(seed: int, algorithm: str = "tv") -> None:
    """Print errors of a whole experiment with default parameters, in pixels."""
    start = time.perf_counter()
    series, truth = t4.simulate.sintering(seed=seed, many_body=True)
    volumes = series.with_items([getattr(reconstruct, algorithm)(s) for s in series])
    masks = segment.threshold_volumes(volumes)
    labels = segment.follow_particles(
        masks.with_items([segment.separate_particles(segment.clean_mask(m)) for m in masks])
    )
    names = []
    for t, item in enumerate(labels):
        margin = (len(item.data) - len(truth.labels[t].data)) // 2
        true = np.pad(truth.labels[t].data, ((margin, margin), (0, 0), (0, 0)))
        counts = [np.bincount(item.data[true == n]) for n in range(1, true.max() + 1)]
        names.append([int(np.argmax([0, *c[1:]])) for c in counts])
    names = np.array(names)
    right = (names == names[0]).all() and len(set(names[0])) == len(names[0])
    surface = [measure.surface_uncertainty(v, i) for v, i in zip(volumes, labels, strict=True)]
    table = measure.follow_pairs(labels, surface_uncertainty_nm=surface)
    true = truth.pairs.copy()
    true["a"], true["b"] = np.sort(names[0][true[["a", "b"]].to_numpy() - 1], axis=1).T
    both = true.merge(table, on=["time", "a", "b"], suffixes=("_true", ""))
    verdicts = measure.correlations(table).merge(
        true[["a", "b", "many_body"]].drop_duplicates(), on=["a", "b"], how="left"
    )
    as_designed = (verdicts.verdict == "breaks the rule") == verdicts.many_body.fillna(False)
    print(
        f"\nexperiment {seed}, {algorithm}: identities {'right' if right else 'WRONG'}, "
        f"{len(both)} of {len(true)} pairs found, {len(table) - len(both)} more; verdicts as "
        f"designed {as_designed.sum()} of {len(verdicts)}; {time.perf_counter() - start:.0f} s"
    )
    for column in ("neck_radius_nm", "neck_radius_3d_nm", "distance_nm", "radius_nm"):
        reference = column.replace("_3d", "") + "_true"
        error = (both[column] - both[reference]) / series.pixel_size_nm
        claimed = both[f"{column}_error"] / series.pixel_size_nm
        print(
            f"  {column:18} RMS {np.sqrt(np.mean(error**2)):.2f} px, bias {error.mean():+.2f}, "
            f"worst {np.abs(error).max():.2f}; real over stated error "
            f"{np.sqrt(np.mean((error / claimed) ** 2)):.2f}",
            flush=True,
        )


def speed() -> None:
    """Print how long one pair takes in 256^3, and labels of 512^3."""
    pair, _ = digitised_pair(0.5, 45, (0.3, 0.5, 1))
    labels = np.zeros((256, 256, 256), np.int32)
    z, y, x = pair.shape
    labels[20 : 20 + z, 20 : 20 + y, 20 : 20 + x] = pair
    measure.neck(pair, 1, 2, 1.0)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        measure.neck(labels, 1, 2, 1.0)
        times.append(time.perf_counter() - start)
    print(f"\none pair, r = 45 px, in 256^3: median {np.median(times):.2f} s")
    rng = np.random.default_rng(0)
    mask = np.zeros((512, 512, 512), np.uint8)
    cell = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), -1).reshape(-1, 3)
    grid = np.indices((90, 90, 90)) - 44.5
    ball = (grid**2).sum(axis=0)
    for place in rng.permutation(cell)[:50]:
        start_at = place * 128 + rng.integers(0, 38, 3)
        part = mask[tuple(slice(s, s + 90) for s in start_at)]
        part |= (ball < rng.uniform(25, 44) ** 2).astype(np.uint8)
    segment.separate_particles(t4.Labels(mask[:64, :64, :64], 1.0))
    start = time.perf_counter()
    found = segment.separate_particles(t4.Labels(mask, 1.0))
    print(f"512^3 with 50 particles: {found.data.max()} found, {time.perf_counter() - start:.1f} s")


def main() -> None:
    """Run all measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=("models", "experiment", "speed"))
    options = parser.parse_args()
    if options.only in (None, "models"):
        models()
        models((2.0, 1.0, 1.0))
    if options.only in (None, "experiment"):
        for seed in range(options.seeds):
            experiment(seed)
    if options.only in (None, "speed"):
        speed()


if __name__ == "__main__":
    main()
