"""How exactly the tilt axis is found: many simulated series, and the needle.

Run it as ``python -m tests.benchmarks.axis``; ``--seeds N`` sets how many series, and
``--only NAME`` runs one of dose, axes, projected, needle.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import napari_tomo4d as t4
from napari_tomo4d.align.alignment import apply_file
from napari_tomo4d.align.tilt_axis import tilt_axis
from napari_tomo4d.simulate import detect

ROOT = Path(__file__).resolve().parents[2]


def report(title: str, errors: list[np.ndarray], claimed: list[np.ndarray], start: float) -> None:
    """Print mean, RMS and worst errors of shift and rotation."""
    e, c = np.array(errors), np.array(claimed)
    absolute, rms = np.abs(e), np.sqrt((e**2).mean(axis=0))
    real = np.sqrt(((e / c) ** 2).mean(axis=0))
    print(f"\n{title}: {len(e)} series, {(time.perf_counter() - start) / len(e):.1f} s each")
    for k, what in enumerate(("shift (px)", "rotation (deg)")):
        print(
            f"  {what:15} mean error {absolute[:, k].mean():.3f}  RMS {rms[k]:.3f}  worst "
            f"{absolute[:, k].max():.3f}  bias {e[:, k].mean():+.3f}  "
            f"real over claimed error {real[k]:.2f}",
            flush=True,
        )


def sintering_dose(seeds: int, limit: float, axis: str, shape: tuple[int, int, int]) -> None:
    """Print errors at the paper's dose, each with another axis."""
    errors, claimed, start = [], [], time.perf_counter()
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        truth = rng.uniform(-4, 4), rng.uniform(-3, 3)
        experiment, _ = t4.simulate.sintering(
            n_times=1,
            seed=seed,
            shape=shape,
            max_tilt_deg=limit,
            tilt_axis=axis,
            axis_shift_px=truth[0],
            axis_rotation_deg=truth[1],
        )
        _measure(experiment[0], truth, errors, claimed)
    report(f"sintering, +-{limit:g} deg, axis {axis}, {shape}", errors, claimed, start)


def many_axes(seeds: int, axes: int) -> None:
    """Print errors for samples whose axis is turned from -12 to 12 degrees."""
    errors, claimed, start = [], [], time.perf_counter()
    for seed in range(seeds):
        for rotation in np.linspace(-12, 12, axes):
            truth = 0.0, float(rotation)
            experiment, _ = t4.simulate.sintering(
                n_times=1, seed=seed, axis_rotation_deg=truth[1], max_tilt_deg=70
            )
            _measure(experiment[0], truth, errors, claimed)
    report(f"axes from -12 to 12 deg, +-70 deg, {seeds} samples", errors, claimed, start)


def projected(seeds: int) -> None:
    """Print errors for truth volumes projected by `Projector`, with the microscope's noise."""
    from napari_tomo4d.reconstruct import Projector

    errors, claimed, start = [], [], time.perf_counter()
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        truth = rng.uniform(-4, 4), rng.uniform(-3, 3)
        experiment, known = t4.simulate.sintering(n_times=1, seed=seed, shape=(96, 121, 128))
        projector = Projector(
            (96, 121, 128),
            experiment[0].angles_deg,
            axis_shift_px=truth[0],
            rotation_deg=truth[1],
            device="cpu",
        )
        clean = 0.125 + 0.172 * projector.forward(known.volumes[0].data)
        images = np.stack([detect(np.maximum(i, 0), 0.2, rng) for i in clean])
        _measure(experiment[0].replace(images=images), truth, errors, claimed)
    report("truth volumes through Projector, 121 x 128", errors, claimed, start)


def _measure(
    series: t4.TiltSeries,
    truth: tuple[float, float],
    errors: list[np.ndarray],
    claimed: list[np.ndarray],
) -> None:
    found = tilt_axis(series)
    errors.append(np.array([found.shift_px - truth[0], found.rotation_deg - truth[1]]))
    claimed.append(np.array([found.shift_uncertainty_px, found.rotation_uncertainty_deg]))


def needle_axes() -> Iterator[str]:
    """Yield a line for each table of shifts and each method."""
    folder = Path(os.environ.get("TOMO4D_DATA", ROOT.parent / "shared" / "data")) / "needle"
    series = t4.read(folder / "HAADF.mrc", tilt_axis="x")
    for table in ("PC", "StackReg"):
        aligned = apply_file(series, str(folder / f"needle_shifts_{table}.csv"))
        for method in ("centre-of-mass", "automatic"):
            found = tilt_axis(aligned, method)
            yield (
                f"  {table:9} {method:15} shift {found.shift_px:+.2f} +- "
                f"{found.shift_uncertainty_px:.2f} px, rotation {found.rotation_deg:+.2f} +- "
                f"{found.rotation_uncertainty_deg:.2f} deg ({found.method})"
            )


def main() -> None:
    """Run all measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", choices=("dose", "axes", "projected", "needle"))
    options = parser.parse_args()
    warnings.simplefilter("always")
    if options.only in (None, "needle"):
        print("needle (published: the turn that puts it upright is -2.7 +- 0.5 deg)")
        for line in needle_axes():
            print(line, flush=True)
    if options.only in (None, "dose"):
        sintering_dose(options.seeds, 40, "y", (96, 128, 128))
        sintering_dose(options.seeds, 70, "y", (96, 128, 128))
        sintering_dose(options.seeds, 40, "x", (96, 121, 133))
        sintering_dose(options.seeds, 40, "y", (96, 133, 121))
        sintering_dose(options.seeds, 70, "x", (96, 121, 133))
    if options.only in (None, "projected"):
        projected(options.seeds)
    if options.only in (None, "axes"):
        many_axes(max(1, options.seeds // 7), max(3, options.seeds * 6 // 5))


if __name__ == "__main__":
    main()
