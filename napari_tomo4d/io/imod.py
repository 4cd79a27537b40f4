"""IMOD's table of tilt angles, as this program writes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_tomo4d.whole_files import write_whole


def write_rawtlt(angles_deg: np.ndarray, path: str | Path) -> None:
    """Write one angle per line, as IMOD reads it."""
    text = "".join(f"{a:10.4f}\n" for a in angles_deg)
    write_whole(text.encode("ascii"), path, overwrite=True)
