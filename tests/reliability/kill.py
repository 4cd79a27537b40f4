"""Kill the program while it writes, and look at what is left.

``python tests/reliability/kill.py --count 20`` kills every writer so many times at random moments
while it replaces a file again and again. Right is: under its name there is always something that
can be read and is one of the versions written, nothing else is there after the next start, and
nothing that stood beside it is lost.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

SHAPE = (24, 48, 48)


def _volume(version: int):
    import napari_tomo4d as t4

    return t4.Volume(np.full(SHAPE, version, np.float32), 0.5)


def _series(version: int):
    import napari_tomo4d as t4

    # angles tell the version too: a file and its sidecar have to be of one
    angles = np.linspace(-60, 60 - version % 10, SHAPE[0])
    return t4.TiltSeries(np.full(SHAPE, version, np.float32), angles, 0.5, "y")


def _write(item: Callable, path: Path, version: int) -> None:
    import napari_tomo4d as t4

    t4.write(item(version), path, overwrite=True)


def _noise(path: Path, version: int) -> None:
    import napari_tomo4d as t4

    spectrum = np.random.default_rng(version).random((200, 200)) + 1
    t4.denoise.NoiseModel("measured", float(version + 1), spectrum).save(path)


def _map(path: Path, version: int) -> None:
    import napari_tomo4d as t4

    displacement = np.random.default_rng(version).normal(size=(2, 150, 150))
    t4.preprocess.CorrectionMap(displacement, np.eye(2), {"version": version}).save(path)


def _classifier(path: Path, version: int) -> None:
    import napari_tomo4d as t4

    volume = t4.Volume(np.random.default_rng(0).random((8, 8, 8)), 0.5)
    strokes = np.arange(512).reshape(8, 8, 8) % 3
    t4.segment.PixelClassifier.train(volume, strokes, n_trees=20, seed=version).save(path)


def _table(path: Path, version: int) -> None:
    import pandas as pd

    from napari_tomo4d.measure.tables import write_table

    table = pd.DataFrame({"label": np.arange(5000), "volume_nm3": np.full(5000, float(version))})
    write_table(table, path, overwrite=True)


def _json(path: Path, version: int) -> None:
    import napari_tomo4d as t4

    t4.align.write_alignment(t4.align.Alignment(np.full((500, 2), version)), path)


def _recipe(path: Path, version: int) -> None:
    from napari_tomo4d.pipeline.recipe import Recipe, write_recipe

    recipe = Recipe({"path": "x.mrc", "angles_deg": [float(version)] * 2000}, folder=path.parent)
    write_recipe(recipe, path)


WRITERS: dict[str, Callable[[Path, int], None]] = {
    "a.ome.zarr": lambda p, v: _write(_volume, p, v),
    "a.mrc": lambda p, v: _write(_series, p, v),
    "v.rec": lambda p, v: _write(_volume, p, v),
    "a.ome.tif": lambda p, v: _write(_volume, p, v),
    "noise.npz": _noise,
    "map.npz": _map,
    "classifier.npz": _classifier,
    "table.csv": _table,
    "shifts.json": _json,
    "recipe.toml": _recipe,
}
"""Every kind of file the program writes: ``write(path, version)`` replaces one."""


def check(path: Path) -> None:
    """Read a file and assert that it is of one version and whole."""
    import napari_tomo4d as t4
    from napari_tomo4d.align import read_alignment
    from napari_tomo4d.measure.tables import read_table
    from napari_tomo4d.pipeline.recipe import read_recipe

    if path.name == "noise.npz":
        t4.denoise.NoiseModel.load(path)
    elif path.name == "map.npz":
        t4.preprocess.CorrectionMap.load(path)
    elif path.name == "classifier.npz":
        t4.segment.PixelClassifier.load(path)
    elif path.name == "table.csv":
        assert np.ptp(read_table(path).volume_nm3) == 0
    elif path.name == "shifts.json":
        assert np.ptp(read_alignment(path).shifts_px) == 0
    elif path.name == "recipe.toml":
        assert len(set(read_recipe(path).input["angles_deg"])) == 1
    else:
        item = t4.read(path, tilt_axis="y")
        pixels = np.asarray(item.images if path.name == "a.mrc" else item.data)
        assert np.ptp(pixels) == 0, "versions are mixed"
        if path.name == "a.mrc":
            expected = np.linspace(-60, 60 - int(pixels.flat[0]) % 10, len(item))
            assert np.allclose(item.angles_deg, expected, atol=1e-3), "angles of another version"


def killed_while_writing(name: str, folder: Path, seed: int) -> str:
    """Kill a process that replaces a file again and again; return what is wrong then, or ''."""
    folder.mkdir()
    (folder / "beside.txt").write_text("not ours")
    path = folder / name
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", __file__, "--write", str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    with process.stdout:
        started = json.loads(process.stdout.readline() or "null")
        time.sleep(float(np.random.default_rng(seed).uniform(0, 0.15)))
        process.send_signal(signal.SIGKILL)
        process.wait()
    if started != "started":
        return f"{name}: the writer did not start"
    try:
        check(path)
    except Exception as error:
        return f"{name}: {type(error).__name__}: {error}"
    WRITERS[name](path, 3)
    check(path)
    left = sorted(p.name for p in folder.iterdir())
    beside = [path.with_suffix(".rawtlt").name] if name == "a.mrc" else []
    expected = sorted([name, "beside.txt", *beside])
    return "" if left == expected else f"{name}: {left} is left"


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20, help="kills of each writer")
    parser.add_argument("--first", type=int, default=0, help="number of the first moment")
    parser.add_argument("--writer", action="append", choices=list(WRITERS), help="only this one")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.write is not None:
        WRITERS[options.write.name](options.write, 0)
        print(json.dumps("started"), flush=True)
        version = 1
        while True:
            WRITERS[options.write.name](options.write, version)
            version += 1
    for name in options.writer or WRITERS:
        with tempfile.TemporaryDirectory() as scratch:
            seeds = range(options.first, options.first + options.count)
            wrong = [killed_while_writing(name, Path(scratch, str(i)), i) for i in seeds]
        faults = [w for w in wrong if w]
        print(f"{name}: {options.count} kills, {len(faults)} with damage", *faults, sep="\n  ")


if __name__ == "__main__":
    main()
