"""Something new is one function and one line, and then it is everywhere."""

from __future__ import annotations

import sys
import textwrap

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d import cli, denoise, io, segment
from napari_tomo4d.errors import WriteError
from napari_tomo4d.pipeline import STEPS, Recipe, get_step, run_recipe, run_step, steps_of
from napari_tomo4d.reconstruct import estimate

MODULE = '''
"""One of each kind."""

from typing import Annotated

import numpy as np

from napari_tomo4d.data import Labels, TiltSeries, Volume
from napari_tomo4d.denoise import denoiser
from napari_tomo4d.io.formats import FORMATS, Format
from napari_tomo4d.io.raw import Raw
from napari_tomo4d.parameters import Param
from napari_tomo4d.registry import Cost, step
from napari_tomo4d.segment import threshold_method


@step("preprocess.brighten", title="Brighten", takes=TiltSeries, gives=TiltSeries)
def brighten(
    series: TiltSeries, by: Annotated[float, Param("What is added.", minimum=0)] = 1.0
) -> TiltSeries:
    """Add to all grey values."""
    return series.replace(images=series.load() + np.float32(by))


@step("reconstruct.mean", title="Mean", takes=TiltSeries, gives=Volume, cost=Cost(1, 1, 1))
def mean(
    series: TiltSeries,
    iterations: Annotated[int, Param("How often.", minimum=1)] = 3,
    thickness: Annotated[int | None, Param("Along the beam.", minimum=1)] = None,
) -> Volume:
    """Smear the mean image along the beam."""
    depth = thickness or series.image_shape[1]
    return Volume(np.repeat(series.load().mean(0)[None], depth, 0) / iterations)


@step("segment.largest", title="Largest number", takes=Labels, gives=Labels)
def largest(labels: Labels) -> Labels:
    """Keep the particle of the largest number."""
    data = np.asarray(labels.data)
    return Labels(np.where(data == data.max(), data, 0), labels.pixel_size_nm)


@threshold_method("middle", title="Middle of the range", help="Halfway between the ends.")
def middle(arrays):
    return [float(np.mean([(a.min() + a.max()) / 2 for a in arrays]))]


@denoiser("halve")
def halve(image, noise):
    return image / 2


def write(item, path, progress):
    with path.open("wb") as file:
        np.save(file, item.data)


def read(path, lazy):
    return Raw(np.load(path), kind="volume", pixel_size_nm=2.0)


FORMATS.append(
    Format(
        "Plain", (".plain",), read, write, ".plain"
    )
)
'''


@pytest.fixture
def added(tmp_path, monkeypatch):
    """A module of somebody else, imported, and forgotten again."""
    (tmp_path / "one_of_each.py").write_text(textwrap.dedent(MODULE))
    monkeypatch.syspath_prepend(tmp_path)
    tables = (STEPS, segment.THRESHOLDS, denoise.ENGINES)
    before = [dict(t) for t in tables]
    formats = list(io.FORMATS)
    import one_of_each

    yield one_of_each
    for table, old in zip(tables, before, strict=True):
        table.clear()
        table.update(old)
    io.FORMATS[:] = formats
    del sys.modules["one_of_each"]


def test_new_steps_are_in_registry_recipe_command_line_and_estimate(added, capsys, tmp_path):
    assert "reconstruct.mean" in [s.name for s in steps_of("reconstruct")]
    given = {"simulate": "sintering", "n_times": 2, "shape": [16, 24, 24], "tilt_step_deg": 20.0}
    steps = (
        ("preprocess.brighten", {"by": 2.0}),
        ("denoise.denoise_series", {"method": "halve", "sigma": 1.0}),
        ("reconstruct.mean", {"iterations": 2}),
        ("segment.threshold_volumes", {"method": "middle", "smoothing_px": 0.0}),
        ("segment.largest", {}),
    )
    labels = run_recipe(Recipe(given, steps))
    experiment, _ = t4.simulate.sintering(2, (16, 24, 24), tilt_step_deg=20)
    means = [(s.images + np.float32(2)).mean(0) / 2 / 2 for s in experiment]
    level = np.mean([(m.min() + m.max()) / 2 for m in means])
    for mean, one in zip(means, labels, strict=True):
        assert (one.data[0] != (mean > level)).mean() < 0.01
    assert labels.provenance.chain()[2].parameters["method"] == "halve"

    assert cli.main(["steps"]) == 0
    told = capsys.readouterr().out
    assert "preprocess.brighten" in told and "Smear the mean image along the beam." in told
    assert cli.main(["steps", "preprocess.brighten"]) == 0
    assert "What is added. At least 0." in capsys.readouterr().out
    assert cli.main(["steps", "segment.threshold_volumes"]) == 0
    assert "middle" in capsys.readouterr().out
    assert cli.main(["steps", "denoise.denoise_series"]) == 0
    assert "halve" in capsys.readouterr().out

    cost = get_step("reconstruct.mean").cost
    assert estimate(cost, 10, (100, 100)).memory_bytes == 4 * (100**3 + 10 * 100**2)


def test_a_new_format_is_read_and_written(added, tmp_path):
    volume = t4.Volume(np.arange(24.0).reshape(2, 3, 4), 2.0)
    path = t4.write(volume, tmp_path / "v.plain")
    assert io.is_readable(path)
    np.testing.assert_array_equal(t4.read(path, kind="volume").data, volume.data)
    with pytest.raises(WriteError, match=r"or \.plain"):
        t4.write(volume, tmp_path / "v.unknown")


def test_a_new_threshold_works_from_python_too(added):
    z = np.linspace(0, 1, 8, dtype=np.float32)[:, None, None] * np.ones((1, 8, 8), np.float32)
    mask = run_step(
        "segment.threshold_volumes", t4.Volume(z), {"method": "middle", "smoothing_px": 0.0}
    )
    assert mask.data[-1].all() and not mask.data[0].any()
