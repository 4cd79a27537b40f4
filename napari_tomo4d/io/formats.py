"""The one table of formats that can be read or written: a line each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_tomo4d.boundary import reading
from napari_tomo4d.data import AnyData, TiltSeries
from napari_tomo4d.errors import ReadError
from napari_tomo4d.io.imod import rawtlt_text
from napari_tomo4d.io.matlab import read_matlab
from napari_tomo4d.io.microscopes import read_microscope
from napari_tomo4d.io.mrc import read_mrc
from napari_tomo4d.io.mrc_writer import is_ours, write_mrc
from napari_tomo4d.io.numpy_files import read_numpy
from napari_tomo4d.io.raw import Raw
from napari_tomo4d.io.sidecars import beside, is_about_another
from napari_tomo4d.io.tiff import read_tiff, write_ome_tiff
from napari_tomo4d.io.zarr_store import read_zarr, write_zarr
from napari_tomo4d.progress import Progress

Writer = Callable[[Any, Path, Progress], None]


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
    writer : callable, optional
        ``writer(item, path, progress)`` writes a tilt series, a volume or labels.
    written : str
        Extension to write, as a person is told it.
    also_written : tuple of str
        Other extensions that will do.
    whole : bool
        Whether time series and several frames per tilt can be written.
    beside : callable, optional
        ``beside(item, path)`` returns the paths and contents of what else belongs to a file.
    ours : callable, optional
        ``ours(path)`` tells whether this program wrote a file.
    """

    name: str
    suffixes: tuple[str, ...]
    reader: Callable[[Path, bool | None], Raw]
    writer: Writer | None = None
    written: str = ""
    also_written: tuple[str, ...] = ()
    whole: bool = False
    beside: Callable[[Any, Path], dict[Path, bytes]] | None = None
    ours: Callable[[Path], bool] | None = None

    def read(self, path: Path, lazy: bool | None) -> Raw:
        """Read a file or folder; whatever is wrong with it is a `ReadError` of one sentence."""
        if not (path.is_file() or path.is_dir()):
            raise ReadError(f"{path} is no file but a device or a pipe; give the name of a file.")
        with reading(path, self.name, advice="check the file and its extension"):
            return self.reader(path, lazy)

    @property
    def write_suffixes(self) -> tuple[str, ...]:
        """Extensions that can be written, as `Path.suffix` has them."""
        return (Path(f"a{self.written}").suffix, *self.also_written) if self.writer else ()


def _angles_beside(item: AnyData, path: Path) -> dict[Path, bytes]:
    if not isinstance(item, TiltSeries):
        return {}
    content = rawtlt_text(item.angles_deg).encode()
    table, of_this = path.with_suffix(".rawtlt"), path.with_name(f"{path.name}.rawtlt")
    there = beside(path, table.name)
    # a table that may be about another series of the same name is left as it is
    ours = is_ours(path) and not is_about_another(table, path)
    foreign = there is not None and not ours and there.read_bytes() != content
    return {of_this if foreign or beside(path, of_this.name) else table: content}


MRC_SUFFIXES = (".mrc", ".mrcs", ".ali", ".rec", ".st", ".map")

FORMATS = [
    Format(
        "MRC (IMOD, SerialEM, FEI)",
        MRC_SUFFIXES,
        read_mrc,
        write_mrc,
        ".mrc",
        (".rec", ".st", ".ali"),
        beside=_angles_beside,
        ours=is_ours,
    ),
    Format("DigitalMicrograph", (".dm3", ".dm4"), read_microscope),
    Format("TIA", (".emi", ".ser"), read_microscope),
    Format("EMD (Velox, NCEM)", (".emd",), read_microscope),
    Format("HyperSpy", (".hspy",), read_microscope),
    Format("TIFF", (".tif", ".tiff"), read_tiff, write_ome_tiff, ".ome.tif", (".tiff",)),
    Format("MATLAB", (".mat",), read_matlab),
    Format("NumPy", (".npy", ".npz"), read_numpy),
    Format("OME-Zarr", (".zarr",), read_zarr, write_zarr, ".ome.zarr", whole=True),
]
"""Formats in the order in which a person is told them."""


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


def writable() -> list[Format]:
    """Return the formats that can be written, those that hold everything first."""
    return sorted((f for f in FORMATS if f.writer is not None), key=lambda f: not f.whole)


def known_suffixes() -> str:
    """Return all extensions as one text."""
    return ", ".join(s for f in FORMATS for s in f.suffixes)
