"""The command line as a person uses it."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.cli import main
from napari_tomo4d.errors import Tomo4DWarning
from napari_tomo4d.pipeline import read_recipe

N6_RECIPE = """
[input]
path = "{path}"
tilt_axis = "y"
[[steps]]
step = "preprocess.average_frames"
register = false
[[steps]]
step = "preprocess.crop"
y_start = 70
y_stop = 186
x_start = 70
x_stop = 186
[[steps]]
step = "preprocess.subtract_background"
percentile = 70.0
[[steps]]
step = "reconstruct.sirt"
iterations = 60
[output]
path = "n6.ome.zarr"
"""

NEEDLE_RECIPE = """
[input]
path = "{path}"
tilt_axis = "x"
[[steps]]
step = "align.apply_file"
path = "{shifts}"
[[steps]]
step = "preprocess.subtract_background"
percentile = 20.0
[[steps]]
step = "preprocess.bin"
factor = 2
[[steps]]
step = "reconstruct.sirt"
iterations = 20
thickness = 80
[output]
path = "needle.mrc"
"""


def test_help_and_version(capsys):
    for words in (["--help"], ["run", "--help"], ["--version"]):
        with pytest.raises(SystemExit) as end:
            main(words)
        assert end.value.code == 0
    said = capsys.readouterr().out
    assert "exit codes: 0 done" in said
    assert "--scheduler" in said
    with pytest.raises(SystemExit) as end:
        main(["nonsense"])
    assert end.value.code == 2


def test_steps(capsys):
    assert main(["steps"]) == 0
    assert "reconstruct.sirt" in capsys.readouterr().out
    assert main(["steps", "reconstruct.wbp"]) == 0
    said = capsys.readouterr().out
    assert "filter (default ramp)" in said
    assert "One of ramp, shepp-logan" in said
    assert main(["steps", "magic"]) == 1
    assert "There is no step 'magic'" in capsys.readouterr().err


def test_info(capsys, tmp_path):
    np.savez(tmp_path / "a.npz", images=np.ones((3, 8, 9)), angles_deg=[0, 1, 2], pixel_size_nm=2)
    assert main(["info", str(tmp_path / "a.npz"), str(tmp_path / "b.npz")]) == 1
    said = capsys.readouterr()
    assert "8 x 9 pixels (y, x), float64" in said.out
    assert "2 nm (array pixel_size_nm)" in said.out
    assert "b.npz does not exist" in said.err


def test_errors_are_one_sentence_and_a_code(capsys, tmp_path):
    (tmp_path / "r.toml").write_text("[input]\npath = 'missing.mrc'\n[output]\npath = 'o.mrc'\n")
    assert main(["run", str(tmp_path / "r.toml")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "missing.mrc does not exist" in error
    assert not (tmp_path / "o.mrc").exists()
    (tmp_path / "r.toml").write_text("[input]\npath = 'missing.mrc'\n")
    assert main(["run", str(tmp_path / "r.toml")]) == 1
    assert "does not say where the result goes" in capsys.readouterr().err
    assert main(["open", str(tmp_path / "missing.mrc")]) == 1


def test_report(capsys, tmp_path):
    z, y, x = np.mgrid[:24, :24, :40]
    data = np.zeros(z.shape, np.int32)
    for label, centre in ((1, 12), (2, 27)):
        ball = (z - 12) ** 2 + (y - 12) ** 2 + (x - centre) ** 2 < 9**2
        data[ball & (x < 19.5 if label == 1 else x >= 19.5)] = label
    labels = t4.TimeSeries([t4.Labels(data, 2.5)] * 2, [0.0, 600.0], name="two balls")
    volumes = labels.with_items([t4.Volume((data > 0).astype(np.float32), 2.5)] * 2)
    t4.write(labels, tmp_path / "labels.ome.zarr")
    t4.write(volumes, tmp_path / "volumes.ome.zarr")
    target = tmp_path / "report.html"
    words = ["report", str(tmp_path / "labels.ome.zarr"), "-o", str(target), "--quiet"]
    assert main([*words, "--volumes", str(tmp_path / "volumes.ome.zarr")]) == 0
    assert "2 time points of Labels" in capsys.readouterr().out
    written = target.read_text(encoding="utf-8")
    assert "two balls" in written and "from 0 min to 10 min" in written
    assert "on the volume's grey values" in written
    assert main(words) == 1
    assert "exists already" in capsys.readouterr().err
    assert target.read_text(encoding="utf-8") == written
    assert main([*words, "--overwrite", "--title", "Again"]) == 0
    assert "<h1>Again</h1>" in target.read_text(encoding="utf-8")
    # of other programs' files the voxel size may have to be said
    t4.write(t4.Labels(data), tmp_path / "labels.ome.tif")
    words = ["report", str(tmp_path / "labels.ome.tif"), "-o", str(tmp_path / "m.html"), "--quiet"]
    assert main([*words, "--pixel-size", "4"]) == 0
    assert "voxels of 4 nm" in (tmp_path / "m.html").read_text(encoding="utf-8")
    words = ["report", str(tmp_path / "volumes.ome.zarr"), "-o", str(tmp_path / "v.html")]
    assert main(words) == 1
    assert "A report needs labels" in capsys.readouterr().err
    assert not (tmp_path / "v.html").exists()


def test_a_recipe_may_give_a_report_only(capsys, tmp_path, monkeypatch):
    ball = np.linalg.norm(np.mgrid[:16, :16, :16] - 7.5, axis=0) < 6
    t4.write(t4.Labels(ball, 2.5), tmp_path / "labels.zarr")
    recipe = tmp_path / "r.toml"
    recipe.write_text('[input]\npath = "labels.zarr"\n[output]\nreport = "r.html"\n')
    assert main(["run", str(recipe), "--quiet"]) == 0
    assert f"-> {tmp_path / 'r.html'}" in capsys.readouterr().out

    def interrupted(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_tomo4d.measure.write_report", interrupted)
    words = ["run", str(recipe), "--quiet", "--overwrite"]
    assert main(words) == 130
    assert capsys.readouterr().err == "Cancelled; nothing half written is left.\n"
    out = tmp_path / "out.zarr"
    assert main([*words, "--output", str(out)]) == 130
    assert capsys.readouterr().err == f"The report was cancelled; {out} was written before.\n"
    assert out.exists()


@pytest.mark.slow  # a session by hand runs its recipe from the command line too
def test_n6_from_a_terminal_is_the_same_as_from_python(reference_data, tmp_path):
    path = reference_data("nanoparticles_n6", "N6_liquid_sample_stack.mat")
    recipe = tmp_path / "n6.toml"
    recipe.write_text(N6_RECIPE.format(path=path.as_posix()))
    command = [sys.executable, "-m", "napari_tomo4d.cli", "run", str(recipe)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "relative residual 0.22" in done.stdout
    assert "warning: N6_liquid_sample_stack.mat: its pixel size" in done.stderr
    assert "Traceback" not in done.stderr
    volume = t4.read(tmp_path / "n6.ome.zarr")
    in_memory = dataclasses.replace(read_recipe(recipe), output={})
    with pytest.warns(Tomo4DWarning):
        again = t4.run_recipe(in_memory)
    np.testing.assert_array_equal(volume.data, again.data)
    assert volume.residuals[-1] <= 0.23
    # a second time it is in the way
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 1
    assert "exists already" in done.stderr


def test_needle_from_a_terminal(reference_data, tmp_path, capsys):
    recipe = tmp_path / "needle.toml"
    recipe.write_text(
        NEEDLE_RECIPE.format(
            path=reference_data("needle", "HAADF.mrc").as_posix(),
            shifts=reference_data("needle", "needle_shifts_PC.csv").as_posix(),
        )
    )
    assert main(["run", str(recipe), "--quiet"]) == 0
    assert "80 x 128 x 128 (z, y, x), 6.72 nm" in capsys.readouterr().out
    volume = t4.read(tmp_path / "needle.mrc").data
    # the needle is round about its axis (x): as high as it is wide where it is thickest
    section = volume[:, :, 50:55].mean(axis=2)
    inside = section > 0.5 * section.max()
    height, width = (np.ptp(np.flatnonzero(inside.any(axis=a))) + 1 for a in (1, 0))
    assert height / width == pytest.approx(1, abs=0.15)
