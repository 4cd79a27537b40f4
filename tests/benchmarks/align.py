"""Errors and times of every way to find shifts: ``python -m tests.benchmarks.align [seeds]``.

Errors are root mean squares in pixels along and across the tilt axis, and the worst of all
tilts. Against a known truth they are what is left after a move of the object, which aligns as
well: a constant along the axis, ``a cos t + b sin t`` and a constant across it; "axis" is
without that last constant, so that the position of the tilt axis counts too. Against stored
shifts they are differences from one tilt to the next.

Two tables follow: rotations and magnifications that were found where there are some and where
there are none, and how still particles stay that do not move while others sinter, after
registration in time and, for comparison, with the shifts as they truly are.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io

import napari_tomo4d as t4
from napari_tomo4d.align.translations import METHODS, translations
from napari_tomo4d.parallel import usable_threads
from napari_tomo4d.provenance import collect_warnings, warnings_only_kept
from tests.align.moving_sample import centres_of_still_particles, drifting_series, turned_series

DATA = Path(os.environ.get("TOMO4D_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


@dataclass(frozen=True)
class Left:
    """What an alignment leaves, in pixels."""

    along: float
    across: float
    axis: float
    worst: float


def errors(shifts_px, truth_px, angles_deg, tilt_axis: str, used=None) -> Left:
    """Compare shifts (tilt, 2) with the true ones, both (dy, dx) to add to the content."""
    used = np.ones(len(angles_deg), bool) if used is None else used
    off = np.asarray(shifts_px - truth_px)[used]
    along, across = off.T if tilt_axis == "y" else off.T[::-1]
    t = np.deg2rad(angles_deg)[used]
    waves = np.stack([np.cos(t), np.sin(t), np.ones_like(t)], axis=1)
    along = along - along.mean()
    rest, with_axis = (
        across - w @ np.linalg.lstsq(w, across, rcond=1e-10)[0] for w in (waves, waves[:, :2])
    )
    return Left(rms(along), rms(rest), rms(with_axis), max(np.abs(along).max(), np.abs(rest).max()))


def rms(values) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def steps(shifts_px, stored_px, tilt_axis: str) -> Left:
    """Compare the differences of successive shifts with those of stored ones."""
    off = np.diff(shifts_px - stored_px, axis=0)
    along, across = off.T if tilt_axis == "y" else off.T[::-1]
    return Left(rms(along), rms(across), float("nan"), float(np.abs(off).max()))


def timed(series, method: str, **options):
    """Return the shifts, how long they took, and the warnings, which are not shown."""
    start = time.perf_counter()
    with warnings_only_kept(), collect_warnings() as messages:
        found = translations(series, method, **options)
    return found, time.perf_counter() - start, messages


def row(name: str, method: str, left: Left, least_mass: float, seconds: float, rest: str = ""):
    print(
        f"{name:37s} {method:19s} {left.along:6.3f} {left.across:7.3f} {left.axis:6.3f} "
        f"{left.worst:6.2f} {100 * least_mass:7.2f} {seconds:7.1f}  {rest}",
        flush=True,
    )


def needle() -> None:
    path = DATA / "needle" / "HAADF.mrc"
    if not path.exists():
        print("needle: the data is not here")
        return
    series = t4.read(path, tilt_axis="x")
    stored = {
        name: t4.align.read_alignment(path.with_name(f"needle_shifts_{name}.csv")).shifts_px
        for name in ("PC", "StackReg")
    }
    for method in METHODS:
        found, seconds, _ = timed(series, method)
        for name, shifts in stored.items():
            left = steps(found.shifts_px, shifts, "x")
            row(f"needle, steps of {name}", method, left, found.mass_kept.min(), seconds)


def fept() -> None:
    folder = DATA / "fept_multislice"
    if not folder.exists():
        print("fept_multislice: the data is not here")
        return
    stack = scipy.io.loadmat(folder / "projections_FePt_misaligned.mat")["misaligned_pj"]
    table = np.loadtxt(folder / "true_misalignment_shifts_px.csv", delimiter=",")
    images = np.moveaxis(stack, 2, 0).astype(np.float32)
    # its rotation centre is at 33.7
    series = t4.TiltSeries(
        images, table[:, 0], tilt_axis="x", axis_shift_px=33.7 - (images.shape[1] - 1) / 2
    )
    for method in METHODS:
        found, seconds, _ = timed(series, method)
        left = errors(found.shifts_px, -table[:, 1:], table[:, 0], "x")
        row("fept_multislice", method, left, found.mass_kept.min(), seconds)


KINDS = {
    "40 deg": {},
    "70 deg": {"max_tilt_deg": 70.0},
    "40 deg, axis x, 101 x 131": {"tilt_axis": "x", "shape": (96, 101, 131)},
    "70 deg, axis y, 131 x 97": {"max_tilt_deg": 70.0, "shape": (96, 131, 97)},
    "40 deg, one of noise": {},
}


def sintering(method: str, kind: str, seeds: int) -> None:
    """One time point at 6 electrons per pixel, 3 px RMS of drift between tilts."""
    left, masses, seconds, found_bad = [], [], [], 0
    for seed in range(seeds):
        options = {"n_times": 1, "drift_px": 3.0, "seed": seed} | KINDS[kind]
        experiment, truth = t4.simulate.sintering(**options)
        series = experiment[0]
        used = np.ones(len(series), bool)
        if "noise" in kind:
            rng = np.random.default_rng(seed)
            bad = int(rng.integers(len(series)))
            images = series.load().copy()
            images[bad] = rng.poisson(images[bad].mean(), images[bad].shape)
            series, used[bad] = series.replace(images=images), False
        found, took, _ = timed(series, method)
        found_bad += bool((found.suspect == ~used).all())
        true = -truth.shifts_px[0, :, 0]
        left.append(errors(found.shifts_px, true, series.angles_deg, series.tilt_axis, used))
        masses.append(found.mass_kept[used].min())
        seconds.append(took)
    mean, most = (
        Left(*(f([getattr(v, n) for v in left]) for n in ("along", "across", "axis", "worst")))
        for f in (np.mean, np.max)
    )
    rest = f"bad images right in {found_bad} of {seeds}"
    row(f"{kind}, mean", method, mean, np.mean(masses), np.mean(seconds), rest)
    row(f"{kind}, worst seed", method, most, np.min(masses), np.max(seconds))


def turned(seeds: int) -> None:
    """Print the errors of small rotations and magnifications at 6 electrons per pixel."""
    print("\nrotation_and_magnification: RMS there is, and RMS of the error")
    for rotation, magnification in ((1.0, 0.01), (0.0, 0.0)):
        for seed in range(seeds):
            series, turns, scales = turned_series(seed, rotation, magnification)
            found, seconds, _ = timed(series, "reprojection", rotation_and_magnification=True)
            off = np.log(found.magnifications / scales)
            print(
                f"seed {seed}: rotation {rms(turns):.3f} deg, error "
                f"{rms(found.rotations_deg - turns):.3f}; magnification "
                f"{100 * rms(np.log(scales)):.3f} %, error {100 * rms(off):.3f}; {seconds:.1f} s",
                flush=True,
            )


def over_time(seeds: int) -> None:
    """Print how far single particles seem to move in reconstructions of six times."""
    print("\ntimes registered in reconstructions: worst of six times, in voxels")
    print("still particles: from their mean place, and from where they were first")
    print(f"{'':15s}{'registration':>14s}{'registered':>18s}{'true shifts':>18s}{'s':>8s}")
    ways = {
        "sirt": lambda s: t4.reconstruct.sirt(s, iterations=20, thickness=64),
        "tv": lambda s: t4.reconstruct.tv(s, iterations=30, thickness=64),
    }
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        drift = np.vstack([np.zeros(3), rng.uniform(-3, 3, (5, 3))])
        series, truth = drifting_series(seed, drift)
        for name, reconstruct in ways.items():
            with warnings_only_kept():
                volumes = [reconstruct(s) for s in series]
            start = time.perf_counter()
            found = t4.align.register_volumes(volumes)
            seconds = time.perf_counter() - start
            error = np.linalg.norm(found.shifts_px + drift, axis=1).max()
            line = f"seed {seed}, {name:5s} {error:15.3f}"
            for shifts in (found.shifts_px, -drift):
                moved = t4.align.shift_volumes(volumes, shifts)
                centres = centres_of_still_particles(moved, truth)
                for place in (centres.mean(axis=0), centres[0]):
                    line += f"{np.linalg.norm(centres - place, axis=2).max():9.3f}"
            print(f"{line} {seconds:7.1f}", flush=True)


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print(f"{platform.machine()}, {usable_threads()} processors")
    print(f"{'data':37s} {'method':19s} along  across   axis  worst  mass %       s")
    needle()
    fept()
    for kind in KINDS:
        for method in METHODS:
            # its random search takes long, and gives what the cross-correlation does
            slow = method == "mutual-information"
            sintering(method, kind, 1 if slow else seeds)
    turned(seeds)
    over_time(seeds)


if __name__ == "__main__":
    main()
