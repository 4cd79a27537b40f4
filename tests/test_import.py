"""Importing the package is cheap and brings no window system."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources

import pytest


def run(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return result.stdout


def test_import_loads_neither_qt_nor_napari_nor_numba():
    heavy = ["qtpy", "PyQt5", "PyQt6", "napari", "magicgui", "numba", "dask", "scipy", "skimage"]
    code = f"import sys, napari_tomo4d; print([m for m in {heavy} if m in sys.modules])"
    assert run(code).strip() == "[]"


def test_the_science_needs_no_window_system():
    code = (
        "import sys, napari_tomo4d as t4\n"
        "t4.reconstruct.sirt, t4.io.read, t4.run_recipe, t4.simulate.sintering\n"
        "print([m for m in ('qtpy', 'PyQt5', 'PyQt6', 'napari', 'magicgui') if m in sys.modules])"
    )
    assert run(code).strip() == "[]"


def test_public_names_are_there():
    import napari_tomo4d as t4

    for name in t4.__all__:
        assert getattr(t4, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = t4.nonsense


def test_the_package_says_that_it_is_typed():
    assert resources.files("napari_tomo4d").joinpath("py.typed").is_file()
