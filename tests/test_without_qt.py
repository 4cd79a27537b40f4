"""What works where no binding of Qt is installed, and what is said of the rest."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.pipeline import recipe_from, run_step, write_recipe

WITHOUT_QT = """
import sys

class NoQt:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("PyQt5", "PyQt6", "PySide2", "PySide6"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NoQt())
from napari_tomo4d.cli import main
sys.exit(main(sys.argv[1:]))
"""


def run(*words):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_QT, *words], capture_output=True, text=True, timeout=240
    )


@pytest.mark.parametrize("command", ["open", "demo"])
def test_the_application_says_what_it_needs(command):
    done = run(command)
    assert done.returncode == 1
    assert done.stderr == (
        'napari-tomo4d: The application needs Qt: pip install "napari-tomo4d[all]" installs '
        "everything.\n"
    )


def test_recipes_and_the_list_of_steps_need_no_qt(tmp_path):
    images = np.random.default_rng(0).random((3, 8, 9), dtype=np.float32)
    np.savez(tmp_path / "a.npz", images=images, angles_deg=[-9, 0, 9], pixel_size_nm=1.0)
    series = t4.read(tmp_path / "a.npz", tilt_axis="y")
    cropped = run_step("preprocess.crop", series, {"y_stop": 4})
    recipe = tmp_path / "r.toml"
    write_recipe(recipe_from(cropped.provenance, str(tmp_path / "out.ome.zarr")), recipe)
    done = run("run", str(recipe))
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(t4.read(tmp_path / "out.ome.zarr").images, cropped.images)
    assert "reconstruct.sirt" in run("steps").stdout
