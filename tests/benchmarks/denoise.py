"""Denoising: every engine against the truth and the package, tuning, real frames, necks.

Run with ``python -m tests.benchmarks.denoise [--only engines|tuning|real|necks]``.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

import napari_tomo4d as t4
from napari_tomo4d.denoise import (
    ENGINES,
    KINDS,
    STRENGTHS,
    Comparison,
    CountingNoise,
    NoiseModel,
    Tuning,
    comparisons_of,
    counting_noise,
    diagnose,
    fast_bm3d,
    measured_noise,
    measured_noise_of,
    psnr,
    search,
    stabilise,
    tune,
)
from tests.benchmarks.quality import neck_errors, sintering_sample

DATA = Path(os.environ.get("TOMO4D_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
REPEATS = 3


def spheres(n: int, seed: int = 0) -> np.ndarray:
    """Return 25 projected spheres, (n, n), 0 to 1."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:n, :n]
    image = np.zeros((n, n))
    for _ in range(25):
        cy, cx = rng.uniform(0.1 * n, 0.9 * n, 2)
        r = rng.uniform(0.03, 0.1) * n
        image += np.sqrt(np.maximum(r * r - (y - cy) ** 2 - (x - cx) ** 2, 0)) / r
    return (image / image.max()).astype(np.float32)


def timed(function: Callable[..., np.ndarray], *arguments: object) -> tuple[np.ndarray, float]:
    """Return the result and the median time in seconds."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        result = function(*arguments)
        times.append(time.perf_counter() - start)
    return result, float(np.median(times))


def engines() -> None:
    """Time and PSNR of every engine on the same images, in one run."""
    fast_bm3d(np.random.default_rng(0).random((64, 64)), NoiseModel())
    print("\nEngines: PSNR in dB (time in s); noise variance 0.02, signal 0 to 1")
    print(f"{'case':22s}" + "".join(f"{name:>20s}" for name in ENGINES))
    for n in (512, 1024):
        clean = spheres(n)
        for kind, rated in (("white", 1), ("g1", 1), ("g2", 1), ("g4", 1), ("g4", 2.25)):
            noise = NoiseModel(kind, 0.02)
            noisy = clean + noise.sample(clean.shape)
            row = f"{n} {kind} x {rated:g} ({psnr(noisy, clean, peak=1):.1f})"
            cells = []
            for engine in ENGINES.values():
                result, seconds = timed(engine, noisy, noise.scaled(rated))
                cells.append(f"{psnr(result, clean, peak=1):.2f} ({seconds:.2f})")
            print(f"{row:22s}" + "".join(f"{c:>20s}" for c in cells), flush=True)


def tuning() -> None:
    """Pink noise on 1024 x 1024: the search against the full grid, wrong models."""
    clean = spheres(1024)
    noisy = clean + NoiseModel("g4", 0.02).sample(clean.shape)
    for method in ("fast bm3d", "bm3d"):
        start = time.perf_counter()
        result = tune(noisy, clean, method=method)
        seconds = time.perf_counter() - start
        crops = int((result.table.region == "crop").sum())
        print(
            f"\nTuning {method}, pink noise, 1024 x 1024: {result.evaluations} evaluations ", end=""
        )
        print(f"({crops} of them on a crop of 1/16), {seconds:.0f} s")
        strength = result.best.variance / 0.02
        print(f"  found {result.best.kind} x {strength:.2f}: {psnr(result.denoised, clean):.2f} dB")
        grid = Tuning([Comparison.of(noisy, clean)], method=method)
        start = time.perf_counter()
        scores = {(k, s): grid.evaluate(k, s)["psnr_db"] for k in KINDS for s in STRENGTHS}
        seconds = time.perf_counter() - start
        best = max(scores, key=lambda key: scores[key])
        print(f"  full grid: {len(scores)} evaluations, {seconds:.0f} s, best {best[0]} x ", end="")
        print(f"{best[1]:.2f}: {scores[best]:.2f} dB")
        for kind in KINDS:
            own = {s: scores[kind, s] for s in STRENGTHS}
            top = max(own, key=lambda s: own[s])
            print(f"    {kind:6s} x 1: {own[1.0]:.2f} dB, best {own[top]:.2f} dB at x {top:.2f}")


def real() -> None:
    """Real frames: ABF movie, liquid cell; counted electrons of a multislice simulation."""
    abf = DATA / "abf_frames" / "stem_abf_data_imagestack.hspy"
    if abf.exists():
        from rsciio import hspy

        frames = hspy.file_reader(str(abf))[0]["data"].astype(np.float32)
        peak, reference = float(np.ptp(frames)), frames[1:].mean(axis=0)
        measured = measured_noise(frames)
        print(f"\nABF movie. {diagnose(measured, frames.shape[1:]).advice}")
        variance = float(np.mean((frames[0] - reference) ** 2))
        print(f"  raw {psnr(frames[0], reference, peak=peak):.2f} dB (peak: range of the movie)")
        for name in ("bm3d", "fast bm3d"):
            row = []
            for kind in ("white", "g4", "measured"):
                spectrum = measured.spectrum if kind == "measured" else None
                best = max(
                    (
                        psnr(
                            ENGINES[name](frames[0], NoiseModel(kind, variance * s, spectrum)),
                            reference,
                            peak=peak,
                        ),
                        s,
                    )
                    for s in (0.5, 1, 2, 4)
                )
                row.append(f"{kind} {best[0]:.2f} dB (x {best[1]:g})")
            print(f"  {name}: " + ", ".join(row))
            print(
                "  "
                + tune(frames[0], frames[1:], ("white", "g4"), measured, method=name).explanation
            )
    _liquid_cell(DATA / "nanoparticles_n6" / "N6_liquid_sample_stack.mat")
    _counts(DATA / "asi_208")


def _liquid_cell(path: Path) -> None:
    if not path.exists():
        return
    series = t4.read(path)
    measured = measured_noise_of(series)
    print(f"\nN6, leave one frame out. {diagnose(measured, series.image_shape).advice}")
    trial = Tuning(comparisons_of(series, 24), measured)
    trial.add_plain()
    for kind in ("white", "g2", "g4", "measured"):
        for strength in (0.4444, 1.0, 2.25):
            trial.evaluate(kind, strength)
    table = trial.table
    for kind in ("none", "gaussian", "white", "g2", "g4", "measured"):
        rows = table[table.kind == kind].sort_values("psnr_db")
        top = rows.iloc[-1]
        print(f"  {kind:9s} {top.strength:5.2f}: {top.psnr_db:.2f} dB, FRC {top.frc:.4f} ", end="")
        print(f"(best FRC {rows.frc.max():.4f})")


def _counts(folder: Path) -> None:
    if not folder.exists():
        return
    from scipy.io import loadmat

    few, many = (
        np.moveaxis(loadmat(folder / name)["Trunc_projections_forBM3D"], 2, 0).astype(np.float32)
        for name in ("aSi2_1p6e4.mat", "aSi2_1p6e5.mat")
    )
    reference = (many - 1) / 10 + 1
    pairs = [
        Comparison(a, b, float(many.mean() / 100), None)
        for a, b in zip(few, reference, strict=True)
    ]
    print("\nasi_208 at 1.6e4 against 1.6e5, mean of 60 projections")
    for name in ("bm3d", "fast bm3d"):
        for label, counting in (("plain", None), ("Anscombe", CountingNoise(1.0))):
            trial = Tuning(pairs, method=name, counting=counting)
            best = max((trial.evaluate("white", s)["psnr_db"], s) for s in (0.6667, 1.0, 1.5, 2.25))
            print(f"  {name} {label}: {best[0]:.2f} dB (x {best[1]:.2f})")


def necks(n_times: int = 6, seeds: tuple[int, ...] = (0, 1)) -> None:
    """Neck radius after reconstruction, from images denoised in three ways."""
    print("\nSintering sample at 6 e/px, +-40 degrees: RMS error of the neck radius (px)")
    errors: dict[tuple[str, str], list[np.ndarray]] = {}
    for seed in seeds:
        _, truth = sintering_sample(seed, n_times)
        raw, _ = t4.simulate.sintering(n_times=n_times, seed=seed)
        still, _ = t4.simulate.sintering(n_times=1, seed=seed, frames_per_tilt=16, tilt_step_deg=20)
        frames = still[0].frames(2)
        counting = counting_noise(frames)
        even = np.array([stabilise(f, counting) for f in frames])
        trial = Tuning(
            [Comparison.of(frames[0], frames[1:])], measured_noise(even), counting=counting
        )
        best = search(trial).best
        white = NoiseModel("white", float(frames.var(axis=0, ddof=1).mean()))
        print(
            f"  seed {seed}: tuned {best.kind} x {best.variance:.2f} on evened counts", flush=True
        )
        ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
            "none": lambda image: image,
            "white BM3D": lambda image, w=white: fast_bm3d(image, w),
            "tuned BM3D": lambda image, t=trial, b=best: t.apply(image, b),
        }
        for way, denoised in ways.items():
            series = [
                t4.preprocess.subtract_background(
                    s.replace(images=np.stack([denoised(i) for i in s.load()])), 50
                )
                for s in raw
            ]
            size = series[0].pixel_size_nm
            for name, method in (
                ("WBP", lambda s: t4.reconstruct.wbp(s, thickness=96)),
                ("SIRT", lambda s: t4.reconstruct.sirt(s, thickness=96)),
                ("TV", lambda s: t4.reconstruct.tv(s, thickness=96)),
            ):
                volumes = [method(s).data for s in series]
                errors.setdefault((way, name), []).append(neck_errors(volumes, truth, size))
    for (way, name), parts in errors.items():
        all_of_them = np.concatenate(parts)
        rms, bias = np.sqrt(np.mean(all_of_them**2)), all_of_them.mean()
        print(f"  {way:11s} {name:5s} {rms:.2f} (mean {bias:+.2f}), {len(all_of_them)} necks")


def main() -> None:
    """Print everything, or one part."""
    parts = {"engines": engines, "tuning": tuning, "real": real, "necks": necks}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=list(parts))
    chosen = parser.parse_args().only
    warnings.simplefilter("ignore")
    for name, part in parts.items():
        if chosen in (None, name):
            part()


if __name__ == "__main__":
    main()
