"""4D electron tomography of nanoparticles, from files to figures.

Importing the package is cheap: stages are loaded when they are first used, and neither
Qt nor napari is loaded at all.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from napari_tomo4d.version import __version__

if TYPE_CHECKING:
    from napari_tomo4d import (
        align,
        denoise,
        io,
        measure,
        preprocess,
        reconstruct,
        segment,
        simulate,
    )
    from napari_tomo4d.data import Labels, TiltSeries, TimeSeries, Volume
    from napari_tomo4d.io import read, write
    from napari_tomo4d.pipeline import run_recipe

_MODULES = (
    "align",
    "denoise",
    "io",
    "measure",
    "preprocess",
    "reconstruct",
    "segment",
    "simulate",
)
_NAMES = {
    "TiltSeries": "data",
    "TimeSeries": "data",
    "Volume": "data",
    "Labels": "data",
    "read": "io",
    "write": "io",
    "run_recipe": "pipeline",
}

# written out, as those who check types do not compute it
__all__ = [
    "Labels",
    "TiltSeries",
    "TimeSeries",
    "Volume",
    "__version__",
    "align",
    "denoise",
    "io",
    "measure",
    "preprocess",
    "read",
    "reconstruct",
    "run_recipe",
    "segment",
    "simulate",
    "write",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
