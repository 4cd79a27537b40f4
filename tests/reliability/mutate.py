"""Damage files of every kind that is read, and look at what opening them does.

``python tests/reliability/mutate.py --count 2000`` opens so many damaged files of each kind, each
within 10 s and 1 GB, and prints what was wrong: a crash, a hang, an error that is not the
program's own, one that can't be read, too much memory, or values that can't be true. The files
are made from what the program writes and, where ``TOMO4D_DATA`` names the reference data, from
small files of microscopes. A number of a file (``--kind mrc --first 17 --count 1 --keep DIR``)
makes the same file again.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import os
import queue
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from opening import Child

_FORMATS = {
    "dm3": "test_STEM_image.dm3",
    "dm4": "test-1.dm4",
    "ser": "128x128_TEM_acquire-sum1_1.ser",
    "emd_velox": "fei_example_tem_stack.emd",
    "emd_ncem": "Si100_3D.emd",
    "emd_signal": "example_signal.emd",
    "fei_mrc": "HAADFscan.mrc",
}
_WORDS = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\0\0\xc0\x7f", b"9" * 6)
"""Largest and smallest whole numbers, and NaN."""

_MOST_BYTES = 3_000_000


def make_files(folder: Path) -> dict[str, tuple[Path, str]]:
    """Write a whole file of every kind; return the folder and the file to damage of each."""
    import h5py
    import mrcfile
    import scipy.io
    import zarr

    import napari_tomo4d as t4
    from napari_tomo4d.align import exchange
    from napari_tomo4d.io import write_rawtlt
    from napari_tomo4d.measure.tables import write_table
    from napari_tomo4d.pipeline.recipe import recipe_from, write_recipe

    rng = np.random.default_rng(0)
    images = rng.random((5, 12, 16), dtype=np.float32)
    angles = np.array([-60.0, -30, 0, 30, 60])
    series = t4.TiltSeries(images, angles, 0.5, "y")
    volume = t4.Volume(rng.random((6, 8, 10), dtype=np.float32), 0.5)
    labels = t4.Labels(np.arange(480).reshape(6, 8, 10) % 3, 0.5)
    result: dict[str, tuple[Path, str]] = {}

    def place(kind: str, name: str) -> Path:
        result[kind] = (folder / kind, name)
        (folder / kind).mkdir()
        return folder / kind / name

    def beside(kind: str, name: str) -> Path:
        path = place(kind, name)
        # as another program writes it, whose angles are in a table beside it
        with mrcfile.new(path.with_name("series.mrc"), images) as file:
            file.set_image_stack()
            file.voxel_size = 5.0
        return path

    t4.write(series, place("mrc", "a.mrc"))
    t4.write(volume, place("mrc_volume", "v.mrc"))
    t4.write(volume, place("tif", "v.ome.tif"))
    t4.write(labels, place("tif_labels", "l.ome.tif"))
    t4.write(series, place("zarr", "a.ome.zarr"))
    t4.write(t4.TimeSeries([volume] * 2, [0, 60]), place("zarr_times", "a.ome.zarr"))
    # as another program writes it: only OME's own description
    foreign = zarr.open_group(str(place("zarr_foreign", "f.zarr")), mode="w", zarr_format=2)
    foreign.create_array("0", data=volume.data, chunks=(3, 8, 10))
    axes = [{"name": a, "type": "space", "unit": "nanometer"} for a in "zyx"]
    scale = [{"type": "scale", "scale": [0.5, 0.5, 0.5]}]
    dataset = {"path": "0", "coordinateTransformations": scale}
    foreign.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [dataset]}]
    np.save(place("npy", "stack.npy"), images)
    np.savez(place("npz", "a.npz"), images=images, angles_deg=angles, pixel_size_nm=0.5)
    np.savez_compressed(place("npz_packed", "a.npz"), images=images, angles_deg=angles)
    stack = {"stack": images.transpose(1, 2, 0), "angles": angles, "pix_sz": 0.5}
    scipy.io.savemat(place("mat5", "a.mat"), stack)
    nested = {"data": {**stack, "note": "gold", "cell": np.array(["a", 2], dtype=object)}}
    scipy.io.savemat(place("mat5_packed", "a.mat"), nested, do_compression=True)
    with h5py.File(place("mat73", "seven.mat"), "w") as file:
        file["stack"], file["angles"], file["pix_sz"] = images, angles, 0.5
    scipy.io.savemat(beside("mat_angles", "angles.mat"), {"angles": angles})
    write_rawtlt(angles, beside("rawtlt", "series.rawtlt"))
    exchange.write_tlt(angles, beside("tlt", "series.tlt"))
    beside("csv_angles", "angles.csv").write_text(
        "image,angle\n" + "".join(f"{i},{a}\n" for i, a in enumerate(angles))
    )
    beside("mdoc", "series.mdoc").write_text(
        "PixelSpacing = 5\n\n[T = Tilt axis angle = 85.0, binning = 1]\n\n"
        + "".join(f"[ZValue = {i}]\nTiltAngle = {a}\n\n" for i, a in enumerate(angles))
    )
    alignment = t4.align.Alignment(rng.normal(size=(5, 2)))
    axis = t4.align.TiltAxis(1.5, 0.5)
    t4.align.write_alignment(alignment, place("alignment_json", "full.json"), series, axis)
    t4.align.write_alignment(alignment, place("xf", "a.xf"))
    place("shifts_csv", "shifts.csv").write_text(
        "dy,dx\n" + "".join(f"{y},{x}\n" for y, x in alignment.shifts_px)
    )
    spectrum = rng.random((12, 16))
    t4.denoise.NoiseModel("measured", 2.0, spectrum).save(place("noise_model", "noise.npz"))
    t4.preprocess.CorrectionMap(rng.normal(size=(2, 12, 16))).save(
        place("correction_map", "map.npz")
    )
    strokes = np.arange(480).reshape(6, 8, 10) % 3
    classifier = t4.segment.PixelClassifier.train(volume, strokes, n_trees=2, scales_px=(1.0,))
    classifier.save(place("classifier", "classifier.npz"))
    path = place("recipe", "recipe.toml")
    made = t4.segment.threshold_volumes(t4.read(t4.write(volume, path.with_name("v.ome.tif"))))
    write_recipe(recipe_from(made), path)
    # an array beside a recipe
    path = place("content", "recipe.toml")
    measured = t4.read(t4.write(series, path.with_name("a.ome.zarr")))
    support = np.ones((16, 12, 16), bool)
    write_recipe(recipe_from(t4.reconstruct.sirt(measured, 1, support=support)), path)
    stored = next(path.with_suffix(".data").iterdir())
    result["content"] = (path.parent, f"recipe.data/{stored.name}")
    import pandas as pd

    table = pd.DataFrame({"label": [1, 2], "volume_nm3": [3.5, 4.25], "radius_nm": [1.0, 2.0]})
    write_table(table, place("table", "t.csv"))
    data = os.environ.get("TOMO4D_DATA")
    for kind, name in _FORMATS.items():
        source = Path(data or "/nowhere", "formats", name)
        if source.exists() and source.stat().st_size <= _MOST_BYTES:
            shutil.copyfile(source, place(kind, source.name))
    source = Path(data or "/nowhere", "formats", "128x128_TEM_acquire-sum1.emi")
    if source.exists():
        path = place("emi", source.name)
        for one in (source, source.with_name(f"{source.stem}_1.ser")):
            shutil.copyfile(one, path.with_name(one.name))
    source = Path(data or "/nowhere", "cu_nanoparticle", "example_Cu_nanoparticle_sim.hspy")
    if source.exists():
        shutil.copyfile(source, place("hspy", source.name))
    return result


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a content with bytes flipped, cut out, put in, or mixed up."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        # heads hold what a parser trusts, so they are hit more often
        reach = len(data) if rng.random() < 0.5 else min(len(data), 1500)
        at = int(rng.integers(0, max(1, reach)))
        how = rng.integers(0, 7)
        if how == 0:
            data[at : at + 1] = bytes([int(rng.integers(256))])
        elif how == 1 and data:
            data[at % len(data)] ^= 1 << int(rng.integers(8))
        elif how == 2:
            del data[at : at + int(2 ** rng.uniform(0, 10))]
        elif how == 3:
            data[at:at] = rng.bytes(int(2 ** rng.uniform(0, 8)))
        elif how == 4:
            other = int(rng.integers(0, max(1, len(data))))
            n = int(2 ** rng.uniform(0, 8))
            data[at : at + n] = data[other : other + n]
        elif how == 5:
            value = _WORDS[int(rng.integers(len(_WORDS)))]
            data[at : at + len(value)] = value
        else:
            del data[at:]
            if rng.random() < 0.7:
                data += content[at + 1 :] if at % 2 else content[: len(content) - at]
    return bytes(data)


def damage(source: Path, target: Path, seed: int) -> None:
    """Copy a file or folder and damage it, or one file in it."""
    rng = np.random.default_rng(seed)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
        files = sorted(p for p in target.rglob("*") if p.is_file())
        one = files[int(rng.integers(len(files)))]
    else:
        one = target
        shutil.copyfile(source, target)
    one.write_bytes(mutated(one.read_bytes(), rng))


def run(
    child: Child, kind: str, whole: Path, name: str, seeds: range, keep: Path | None = None
) -> tuple[list[str], int]:
    """Open damaged files of one kind; return a line for each fault, and how many were refused."""
    faults, refused = [], 0
    base = kind if kind in _KINDS_BY_NAME else "data"
    with tempfile.TemporaryDirectory() as scratch:
        for seed in seeds:
            folder = Path(scratch, f"{kind}-{seed}")
            shutil.copytree(whole, folder)
            target = folder / name
            (shutil.rmtree if target.is_dir() else Path.unlink)(target)
            damage(whole / name, target, seed)
            if fault := child.open(base, folder, name):
                faults.append(f"{kind} {seed}: {fault}")
            refused += bool(child.said)
            if keep is not None:
                shutil.copytree(folder, keep / folder.name, dirs_exist_ok=True)
            shutil.rmtree(folder)
    return faults, refused


_KINDS_BY_NAME = (
    *("classifier", "noise_model", "correction_map", "recipe", "table", "alignment_json"),
    *("content", "shifts_csv", "xf", "csv_angles", "mat_angles", "mdoc", "rawtlt", "tlt"),
)
"""Kinds that have a door of their own; all others are opened as data."""


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="files of each kind")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--kind", action="append", help="only this kind")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--minutes", type=float, default=1e9, help="start nothing after these")
    parser.add_argument("--keep", type=Path, help="folder for the damaged files")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        files = make_files(Path(scratch))
        kinds = options.kind or list(files)
        seeds = range(options.first, options.first + options.count)
        blocks = [(k, seeds[i : i + 100]) for i in range(0, len(seeds), 100) for k in kinds]

        children: queue.SimpleQueue[Child] = queue.SimpleQueue()
        for _ in range(options.workers):
            children.put(Child())

        def one(block: tuple[str, range]) -> tuple[str, int, list[str], int]:
            kind, part = block
            if time.monotonic() - started > 60 * options.minutes:
                return kind, 0, [], 0
            child = children.get()
            try:
                return kind, len(part), *run(child, kind, *files[kind], part, options.keep)
            finally:
                children.put(child)

        refused: collections.Counter[str] = collections.Counter()
        opened: collections.Counter[str] = collections.Counter()
        wrong: collections.Counter[str] = collections.Counter()
        with concurrent.futures.ThreadPoolExecutor(options.workers) as pool:
            for kind, n, faults, n_refused in pool.map(one, blocks):
                opened[kind] += n
                refused[kind] += n_refused
                wrong[kind] += len(faults)
                for fault in faults:
                    print(fault, flush=True)
        for kind in kinds:
            print(
                f"{kind}: {opened[kind]} files, {refused[kind]} refused, {wrong[kind]} with faults"
            )
        while not children.empty():
            children.get().close()
        print(f"{sum(opened.values())} files in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
