"""Small files beside images that say more about them, and to which images they belong."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path

from napari_tomo4d.provenance import warn

_TABLES = (".rawtlt", ".tlt")
# S.ali is made from one of these
_RAW = (".st", ".mrc", ".mrcs", ".tif", ".tiff")
_STALE_S = 3600.0


def beside(path: Path, name: str) -> Path | None:
    """Return a file of this name in the folder of `path`, in upper or lower case."""
    exact = path.with_name(name)
    if exact.exists():
        return exact
    try:
        changed = path.parent.stat().st_mtime_ns
        there = _names(str(path.parent), changed).get(name.lower())
    except OSError:
        return None
    return None if there is None else path.with_name(there)


@functools.lru_cache(maxsize=4)
def _names(folder: str, changed: int) -> dict[str, str]:
    """Return the names in a folder by their lower case; each file of thousands asks for them."""
    return {name.lower(): name for name in sorted(os.listdir(folder), reverse=True)}


def stem_of(path: Path) -> str:
    """Return the name of a file without its extension; ``.ome.tif`` is one extension."""
    if path.suffix.lower() not in (".tif", ".tiff", ".zarr"):
        return path.stem
    return re.sub(r"\.ome$", "", path.stem, flags=re.IGNORECASE)


def mdoc_of(path: Path) -> Path | None:
    """Return SerialEM's text that belongs to a file."""
    names = [f"{path.name}.mdoc"]
    # S.mdoc is about the raw series S, not about what was made from it
    if path.suffix.lower() in (".mrc", ".mrcs", ".st", ".tif", ".tiff"):
        names.append(f"{stem_of(path)}.mdoc")
    return next((found for name in names if (found := beside(path, name))), None)


def tables_of(path: Path) -> list[Path]:
    """Return the tables of tilt angles that may belong to a file, the likeliest first.

    A table with the whole name of the file, such as ``S.ali.rawtlt``, is about nothing else.
    ``S.tlt`` holds refined angles, which are about the aligned series ``S.ali`` before all;
    of a raw series ``S.rawtlt`` comes first.
    """
    aligned = path.suffix.lower() == ".ali"
    suffixes = _TABLES[::-1] if aligned else _TABLES
    names = [f"{path.name}{s}" for s in suffixes]
    names += [f"{stem_of(path)}{s}" for s in suffixes]
    return [found for name in names if (found := beside(path, name))]


def tables_in(folder: Path) -> list[Path]:
    """Return the tables of a folder with one file per tilt: the only one in it, or beside it."""
    inside = sorted(p for p in folder.iterdir() if p.suffix.lower() in _TABLES)
    return inside if len(inside) == 1 else tables_of(folder)


def is_about_another(table: Path, path: Path) -> bool:
    """Return whether a table may belong to another raw series of the same name in the folder."""
    if table.name.lower().startswith(path.name.lower()):
        return False
    others = (beside(path, stem_of(path) + s) for s in _RAW if s != path.suffix.lower())
    return any(o is not None and o.is_file() for o in others)


def age_s(sidecar: Path, path: Path) -> float:
    """Return by how many seconds a file beside images is older than these."""
    try:
        return path.stat().st_mtime - sidecar.stat().st_mtime
    except OSError:
        return 0.0


def doubt_if_stale(sidecar: Path, path: Path) -> None:
    """Warn if images were written long after the text beside them."""
    age = age_s(sidecar, path)
    if age > _STALE_S and path.suffix.lower() != ".ali":
        text = f"{age / 86400:.0f} days" if age > 2 * 86400 else f"{age / 3600:.0f} h"
        warn(
            f"{sidecar.name} is {text} older than {path.name}; if that was written again since, "
            "its tilt angles may have changed."
        )
