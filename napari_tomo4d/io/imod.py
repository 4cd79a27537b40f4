"""IMOD's table of tilt angles, as this program writes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_tomo4d.whole_files import write_whole


def rawtlt_text(angles_deg: np.ndarray) -> str:
    """Return one angle per line, as IMOD reads it."""
    return "".join(f"{a:10.4f}\n" for a in angles_deg)


def write_rawtlt(angles_deg: np.ndarray, path: str | Path, *, overwrite: bool = False) -> None:
    """Write one angle per line, as IMOD reads it.

    Raises
    ------
    WriteError
        If it can't be written, or exists and may not be replaced.
    """
    write_whole(rawtlt_text(angles_deg).encode(), path, overwrite=overwrite)
