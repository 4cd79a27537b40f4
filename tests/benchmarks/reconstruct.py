"""Speed of the reconstruction engine against ASTRA, and quality of every algorithm.

Run it as ``python -m tests.benchmarks.reconstruct``; ``--quick`` leaves out the largest
size and the long runs. Each time is the median of five, both programs in the same run on the
same numbers of slices, tilts and pixels.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

import napari_tomo4d as t4
from napari_tomo4d.parallel import usable_threads
from napari_tomo4d.progress import Progress
from napari_tomo4d.reconstruct import Projector, SlicePreview

from .machine import bytes_per_second, multiply_adds_per_second
from .quality import neck_errors, quality, sintering_sample

R = t4.reconstruct
THREADS = usable_threads()
REPEATS = 5


def median_ms(work: Callable[[], object]) -> float:
    """Return the median time of a call in milliseconds, after one to warm up."""
    work()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))


def table(title: str, heads: list[str], rows: list[list[str]]) -> None:
    """Print a table."""
    print(f"\n{title}")
    widths = [max(len(r[i]) for r in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, ["-" * w for w in widths], *rows]:
        print("  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)), flush=True)


class _Clock(Progress):
    """Notes when iterations end."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def show(self, *_: object) -> None:
        self.times.append(time.perf_counter())


def engine_ms(n: int, n_tilts: int, threads: int) -> dict[str, float]:
    """Return our times per slice for projection, back-projection and an iteration of SIRT."""
    angles = np.linspace(-40, 40, n_tilts)
    n_slices = 64 * threads
    projector = Projector((n, n_slices, n), angles, threads=threads, device="cpu")
    volume, images = projector.new_volume(), projector.new_images()
    volume[...] = 1
    forward = median_ms(lambda: projector.project(volume, images)) / n_slices
    backward = median_ms(lambda: projector.add_backprojection(images, volume)) / n_slices
    stack = np.ones((n_tilts, n_slices, n), np.float32)
    clock = _Clock()
    # as many threads as there are processors this process may use
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    if allowed and threads == 1:
        os.sched_setaffinity(0, {min(allowed)})
    R.sirt(t4.TiltSeries(stack, angles, 1.0), REPEATS + 1, progress=clock)
    if allowed and threads == 1:
        os.sched_setaffinity(0, allowed)
    sirt = 1e3 * float(np.median(np.diff(clock.times))) / n_slices
    return {"FP": forward, "BP": backward, "SIRT": sirt}


def astra_ms(n: int, n_tilts: int) -> dict[str, float]:
    """Return ASTRA's times per slice for the same."""
    from .astra_peer import AstraSlice

    peer = AstraSlice(n, np.linspace(-40, 40, n_tilts))
    forward, backward = median_ms(lambda: peer.run("FP")), median_ms(lambda: peer.run("BP"))
    sirt = median_ms(lambda: peer.run("SIRT", 2)) / 2
    peer.close()
    return {"FP": forward, "BP": backward, "SIRT": sirt}


def speed(sizes: list[int]) -> None:
    """Compare times per slice with ASTRA's."""
    peak, bandwidth = multiply_adds_per_second(), bytes_per_second()
    print(
        f"one thread's peak: {peak / 1e9:.1f} G multiply-adds/s, {bandwidth / 1e9:.1f} GB/s copied"
    )
    rows = []
    for n in sizes:
        for n_tilts in (41, 91):
            theirs = astra_ms(n, n_tilts)
            for threads in dict.fromkeys((1, THREADS)):
                ours = engine_ms(n, n_tilts, threads)
                sums = 4 * n * n * n_tilts / (ours["SIRT"] * 1e-3) / threads
                traffic = 12 * n * n / (ours["SIRT"] * 1e-3) / threads
                rows.append(
                    [f"{n}", f"{n_tilts}", f"{threads}"]
                    + [f"{ours[k]:.3f}" for k in ("FP", "BP", "SIRT")]
                    + [f"{theirs[k]:.1f}" for k in ("FP", "BP", "SIRT")]
                    + [f"{theirs[k] / ours[k]:.0f}x" for k in ("FP", "BP", "SIRT")]
                    + [f"{sums / peak:.2f}", f"{traffic / bandwidth:.2f}"]
                )
    heads = ["size", "tilts", "threads", "FP ms", "BP ms", "SIRT ms", "ASTRA FP", "BP", "SIRT"]
    heads += ["FP", "BP", "SIRT", "of peak", "of copy"]
    table("Time per slice (and iteration)", heads, rows)


def preview() -> None:
    """Time three slices of 1024 x 512 from 41 tilts for a new axis."""
    images = np.random.default_rng(0).random((41, 1024, 1024), dtype=np.float32)
    slices = SlicePreview(t4.TiltSeries(images, np.linspace(-40, 40, 41), 1.0), 512)
    shift = iter(np.linspace(-5, 5, 100))
    straight = median_ms(lambda: slices.slices([100, 500, 900], next(shift)))
    turned = median_ms(lambda: slices.slices([100, 500, 900], next(shift), 1.5))
    print(
        f"\nPreview, 3 slices of 1024 x 512 from 41 tilts: {straight:.1f} ms, "
        f"with a turned axis {turned:.1f} ms"
    )


def algorithms(**common: object) -> dict[str, Callable[[t4.TiltSeries], t4.Volume]]:
    """Return every algorithm with its default parameters but for the geometry."""
    return {
        "WBP": lambda s: R.wbp(s, **common),
        "WBP SIRT-like": lambda s: R.wbp(s, filter="sirt-like", **common),
        "SIRT": lambda s: R.sirt(s, None, **common),
        "OS-SART": lambda s: R.os_sart(s, None, **common),
        "CGLS": lambda s: R.cgls(s, None, **common),
        "TV": lambda s: R.tv(s, **common),
        "TV FISTA": lambda s: R.tv(s, solver="fista", **common),
        "ISER": lambda s: R.iser(s, 100, **common),
        "DART": lambda s: R.dart(s, **common),
    }


def sintering() -> None:
    """Quality on the simulated experiment, at every time point."""
    experiment, truth = sintering_sample()
    truths = [np.asarray(v.data) for v in truth.volumes]
    pixel = experiment.pixel_size_nm
    assert pixel is not None
    rows = []

    def add(name: str, volumes: list[np.ndarray], seconds: float) -> None:
        found = [quality(v, t) for v, t in zip(volumes, truths, strict=True)]
        necks = neck_errors(volumes, truth, pixel)
        rows.append(
            [name]
            + [f"{np.mean([getattr(q, k) for q in found]):.4f}" for k in found[0].__annotations__]
            + [f"{np.sqrt(np.mean(necks**2)):.2f}", f"{seconds:.1f}"]
        )

    for name, run in algorithms(thickness=truths[0].shape[0]).items():
        start = time.perf_counter()
        volumes = [run(series).data for series in experiment]
        add(name, volumes, time.perf_counter() - start)
    start = time.perf_counter()
    joint = R.joint_4d(experiment, thickness=truths[0].shape[0])
    add("Joint 4D", [v.data for v in joint], time.perf_counter() - start)
    heads = ["", "correlation", "NRMSE", "elongation", "Dice", "neck RMS px", "s"]
    table("Sintering, 6 times, 6 e/px, +-40 deg (mean)", heads, rows)


def reference(folder: Path) -> None:
    """Quality on reference data, if there is any."""
    glass, vesicle = folder / "metallic_glass", folder / "vesicle"
    for title, series, truth, common in (
        (
            "metallic_glass",
            lambda: t4.read(
                glass / "sample_projections_amorphous.mat",
                angles_deg=glass / "sample_angles_amorphous.mat",
                tilt_axis="x",
                pixel_size_nm=0.0347,
            ),
            lambda: t4.read(glass / "ground_truth_amorphous_vol.mat", kind="volume").data,
            {"thickness": 65, "axis_shift_px": 0.5},
        ),
        (
            "vesicle",
            lambda: t4.read(
                next(vesicle.glob("*proj*")),
                angles_deg=next(vesicle.glob("*angles*")),
                tilt_axis="x",
                pixel_size_nm=1.0,
            ),
            lambda: t4.read(next(vesicle.glob("*model*")), kind="volume").data,
            {"thickness": 61, "axis_shift_px": 0.5},
        ),
    ):
        if not (folder / title).is_dir():
            print(f"\n{title}: there is no such reference data")
            continue
        wanted = truth()
        rows = []
        for name, run in algorithms(**common).items():
            start = time.perf_counter()
            # the files tilt the other way, and have their centre at voxel n // 2
            got = run(series()).data[::-1][: len(wanted)]
            found = quality(got, wanted)
            seconds = time.perf_counter() - start
            rows.append([name, f"{found.correlation:.4f}", f"{found.nrmse:.4f}", f"{seconds:.1f}"])
        table(title, ["", "correlation", "NRMSE", "s"], rows)


def whole() -> None:
    """Time a whole reconstruction: 512^3, 41 tilts, SIRT 100 iterations; and peak memory."""
    stack = np.random.default_rng(0).random((41, 512, 512), dtype=np.float32)
    start = time.perf_counter()
    R.sirt(t4.TiltSeries(stack, np.linspace(-40, 40, 41), 1.0), 100)
    seconds = time.perf_counter() - start
    theirs = astra_ms(512, 41)["SIRT"] * 1e-3 * 512 * 100
    print(
        f"\n512^3, 41 tilts, SIRT 100 iterations: {seconds:.0f} s on {THREADS} threads; "
        f"ASTRA needs {theirs / 60:.0f} min, {theirs / seconds:.0f} times as long"
    )


def main() -> int:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="leave out what takes minutes")
    parser.add_argument("--only", choices=["speed", "preview", "quality", "whole"])
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.only in (None, "speed"):
        speed([256, 512] if options.quick else [256, 512, 1024])
    if options.only in (None, "preview"):
        preview()
    if options.only in (None, "whole") and not options.quick:
        whole()
    if options.only in (None, "quality"):
        sintering()
        root = Path(__file__).resolve().parents[2]
        reference(Path(os.environ.get("TOMO4D_DATA", root.parent / "shared" / "data")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
