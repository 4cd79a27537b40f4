"""The one table of formats that can be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from napari_tomo4d.io.matlab import read_matlab
from napari_tomo4d.io.microscopes import read_microscope
from napari_tomo4d.io.mrc import read_mrc
from napari_tomo4d.io.numpy_files import read_numpy
from napari_tomo4d.io.raw import Raw
from napari_tomo4d.io.tiff import read_tiff
from napari_tomo4d.io.zarr_store import read_zarr


@dataclass(frozen=True)
class Format:
    """One family of files.

    Parameters
    ----------
    name : str
        For a person.
    suffixes : tuple of str
        Lower case, with the dot.
    reader : callable
        ``reader(path, lazy)`` returns a `Raw`.
    """

    name: str
    suffixes: tuple[str, ...]
    reader: Callable[[Path, bool | None], Raw]


FORMATS = (
    Format("MRC (IMOD, SerialEM, FEI)", (".mrc", ".mrcs", ".ali", ".rec", ".st", ".map"), read_mrc),
    Format("DigitalMicrograph", (".dm3", ".dm4"), read_microscope),
    Format("TIA", (".emi", ".ser"), read_microscope),
    Format("EMD (Velox, NCEM)", (".emd",), read_microscope),
    Format("HyperSpy", (".hspy",), read_microscope),
    Format("TIFF", (".tif", ".tiff"), read_tiff),
    Format("MATLAB", (".mat",), read_matlab),
    Format("NumPy", (".npy", ".npz"), read_numpy),
    Format("OME-Zarr", (".zarr",), read_zarr),
)


def format_of(path: Path) -> Format | None:
    """Return the format of a file by its extension, or None."""
    suffix = path.suffix.lower()
    return next((f for f in FORMATS if suffix in f.suffixes), None)


def is_readable(path: str | Path) -> bool:
    """Return whether a path looks like something `read` can open; reads no file."""
    path = Path(path)
    if format_of(path) is not None:
        return True
    return path.is_dir() and any(format_of(p) or p.is_dir() for p in path.iterdir())


def known_suffixes() -> str:
    """Return all extensions as one text."""
    return ", ".join(s for f in FORMATS for s in f.suffixes)
