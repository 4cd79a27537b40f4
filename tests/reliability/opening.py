"""Open any file the program reads, in a child process that may crash, hang or run out of memory.

Right is an object with values that can be true, or one readable sentence of the program's own.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import subprocess
import sys
import time
import warnings
from pathlib import Path

SECONDS = 10
BYTES = 1024**3
_TOUCHED = 64 * 1024**2
"""Bytes of lazy images up to which all of them are looked at."""


class Child:
    """A process that opens one file after the other; started again after it ended."""

    def __init__(self):
        self.process = None
        self.said = ""
        """The sentence that refused the last file; empty if it was opened."""

    def open(self, kind: str, folder: Path, name: str) -> str:
        """Return what was wrong, empty if it was right."""
        if self.process is None:
            self._start()
        self.process.stdin.write(f"{json.dumps([kind, str(folder), name])}\n")
        self.process.stdin.flush()
        fault, self.said = self._answer(SECONDS)
        return fault

    def _start(self):
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        environment["OPENBLAS_NUM_THREADS"] = "1"
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
            env=environment,
        )
        ready = self._answer(300)
        if ready[1] != "ready":
            raise RuntimeError(f"the child process did not start: {ready}")

    def _answer(self, seconds: float) -> tuple[str, str]:
        ended = time.monotonic() + seconds
        seen, _, _ = select.select([self.process.stdout], [], [], max(0, ended - time.monotonic()))
        if not seen:
            self.close()
            return f"hang: no answer within {seconds} s", ""
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            self.close()
            return f"crash: the process ended with {code}", ""
        return tuple(json.loads(line))

    def close(self):
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
        self.process = None


def outcome_of(kind: str, folder: Path, name: str) -> tuple[str, str]:
    """Open a file; return what was wrong, empty if it was right, and the sentence that refused."""
    from napari_tomo4d.errors import Tomo4DError

    try:
        _open(kind, folder / name)
    except Tomo4DError as error:
        text, cause = str(error), error
        while cause is not None:
            if type(cause) is MemoryError or "allocate" in str(cause):
                return f"memory: {text}", text
            cause = cause.__cause__
        if len(text) > 600 or not text.isprintable() or len(text.split()) < 4:
            return f"unclear: {text[:300]!r}", text
        if any(w in text for w in ("allow_pickle", "Traceback", "object at 0x")):
            return f"unclear: {text}", text
        return "", text
    except MemoryError as error:
        return f"memory: {error}", ""
    except AssertionError as error:
        return f"nonsense: {error}", ""
    except Exception as error:
        return f"untyped: {type(error).__name__}: {str(error)[:300]}", ""
    return "", ""


def _open(kind: str, path: Path) -> None:
    import numpy as np

    import napari_tomo4d as t4
    from napari_tomo4d import align, denoise, preprocess, segment
    from napari_tomo4d.align import exchange
    from napari_tomo4d.errors import MissingAnglesError
    from napari_tomo4d.measure.tables import read_table
    from napari_tomo4d.pipeline.recipe import read_recipe

    if kind in ("classifier",):
        volume = t4.Volume(np.arange(512, dtype=np.float32).reshape(8, 8, 8))
        labels = segment.PixelClassifier.load(path).predict(volume)
        assert labels.data.shape == (8, 8, 8)
    elif kind == "noise_model":
        model = denoise.NoiseModel.load(path)
        shape = (16, 16) if model.spectrum is None else model.spectrum.shape
        assert np.isfinite(model.psd(shape)).all(), "the power is not finite"
    elif kind == "correction_map":
        assert np.isfinite(preprocess.CorrectionMap.load(path).displacement_px).all()
    elif kind in ("recipe", "content"):
        # the content of a recipe lies in a folder beside it
        read_recipe(path if kind == "recipe" else path.parent.with_suffix(".toml"))
    elif kind == "table":
        read_table(path)
    elif kind in ("alignment_json", "shifts_csv"):
        shifts = align.read_alignment(path).shifts_px
        assert np.abs(shifts).max() < 1e6, f"shifts of {np.abs(shifts).max()} px"
        if kind == "alignment_json":
            exchange.read_json(path)
    elif kind == "xf":
        assert np.isfinite(exchange.read_xf(path).offsets_px).all()
    else:
        given = {}
        if kind in ("csv_angles", "mat_angles"):
            given["angles_deg"], path = path, path.with_name("series.mrc")
        elif kind in ("mdoc", "rawtlt", "tlt"):
            # by the name of a table, and as it is found beside images
            path, table = path.with_name("series.mrc"), path
            with contextlib.suppress(MissingAnglesError):
                _judge(t4.read(path))
            given["angles_deg"] = table
        # images that are read when they are used may be damaged too
        for lazy in (True, None):
            try:
                item = t4.read(path, **given, lazy=lazy)
            except MissingAnglesError as error:
                item = t4.read(path, angles_deg=np.arange(error.n_images) % 180, lazy=lazy)
            _judge(item)


def _judge(item) -> None:
    """Assert that what was read can be true."""
    import numpy as np

    from napari_tomo4d.data import times_of

    for one in times_of(item):
        size = one.pixel_size_nm
        assert size is None or np.all((np.array(size) >= 1e-4) & (np.array(size) <= 1e6)), (
            f"pixels of {size} nm"
        )
        images = one.images if hasattr(one, "images") else one.data
        for part in images if isinstance(images, tuple) else [images]:
            assert max(part.shape) <= 2**20, f"an array of {part.shape}"
            few = part if part.nbytes < _TOUCHED else part[:1, :64, :64]
            np.asarray(few)


def kind_and_file(folder: Path) -> tuple[str, str]:
    """Return the kind of a folder of damaged files, and the file that is damaged."""
    kind = folder.name.split("-")[0]
    names = {
        "alignment_json": "full.json",
        "classifier": "classifier.npz",
        "correction_map": "map.npz",
        "noise_model": "noise.npz",
        "csv_angles": "angles.csv",
        "mat_angles": "angles.mat",
        "mat73": "seven.mat",
        "shifts_csv": "shifts.csv",
        "npy": "stack.npy",
        "mdoc": "series.mdoc",
        "rawtlt": "series.rawtlt",
        "tlt": "series.tlt",
        "recipe": "recipe.toml",
        "xf": "a.xf",
        "zarr": "foreign.zarr",
    }
    # one file, or else the one of the largest name: packed.npz beside tiny.npz is alone
    return kind, names.get(kind) or sorted(p.name for p in folder.iterdir())[0]


def main() -> None:
    """Answer each line of the input by what was wrong with that file."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    warnings.simplefilter("ignore")
    import napari_tomo4d as t4

    # modules that readers import when they are used, and compiled functions, count before
    for name in ("rsciio.digitalmicrograph", "rsciio.tia", "rsciio.emd", "rsciio.hspy", "zarr"):
        __import__(name)
    assert t4.read and t4.segment.otsu
    with contextlib.suppress(Exception):
        _warm_up()
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, used + BYTES))
    print(json.dumps(["", "ready"]), file=answers, flush=True)
    for line in sys.stdin:
        kind, folder, name = json.loads(line)
        print(json.dumps(outcome_of(kind, Path(folder), name)), file=answers, flush=True)


def _warm_up() -> None:
    import tempfile

    import numpy as np

    import napari_tomo4d as t4

    with tempfile.TemporaryDirectory() as folder:
        volume = t4.Volume(np.random.default_rng(0).random((8, 8, 8)), 1.0)
        t4.read(t4.write(volume, Path(folder) / "a.ome.zarr"))
        t4.read(t4.write(volume, Path(folder) / "a.ome.tif"))
        strokes = np.arange(512).reshape(8, 8, 8) % 3
        classifier = t4.segment.PixelClassifier.train(volume, strokes, n_trees=2)
        classifier.predict(volume)


if __name__ == "__main__":
    main()
