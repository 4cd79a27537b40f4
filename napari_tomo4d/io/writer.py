"""Write data objects so that nothing half written is ever left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_tomo4d.data import TiltSeries, TimeSeries
from napari_tomo4d.errors import WriteError
from napari_tomo4d.io.header import KINDS, header_of
from napari_tomo4d.io.imod import write_rawtlt
from napari_tomo4d.io.mrc import write_mrc
from napari_tomo4d.io.tiff import write_ome_tiff
from napari_tomo4d.io.zarr_store import write_zarr
from napari_tomo4d.progress import Progress
from napari_tomo4d.whole_files import check_free, replacing

_ZARR, _MRC, _TIFF = (".zarr",), (".mrc", ".rec", ".st", ".ali"), (".tif", ".tiff")


def write(
    item: Any, path: str | Path, *, overwrite: bool = False, progress: Progress | None = None
) -> Path:
    """Write a tilt series, a time series, a volume or labels.

    Parameters
    ----------
    item : TiltSeries, TimeSeries, Volume or Labels
        Lazy images are computed and written a few at a time.
    path : str or Path
        ``.ome.zarr`` keeps everything; ``.mrc`` and ``.ome.tif`` are for other programs
        (MRC gets the angles as ``.rawtlt`` beside it). Time series and frames need Zarr.
    overwrite : bool
        Replace what is there; it is removed only after the new one is complete.
    progress : Progress, optional

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    WriteError
        If the target exists, can't be written or does not suit the data.
    """
    path = check_target(path, overwrite=overwrite)
    progress = progress or Progress()
    if not isinstance(item, tuple(KINDS.values())):
        raise WriteError(f"A {type(item).__name__} can't be written as a data file.")
    suffix = path.suffix.lower()
    frames = isinstance(item, TiltSeries) and item.has_frames
    if suffix not in _ZARR and (isinstance(item, TimeSeries) or frames):
        what = "several frames per tilt" if frames else "several time points"
        raise WriteError(f"{path} can't hold {what}; write {path.stem}.ome.zarr instead.")
    with replacing(path) as temporary:
        if suffix in _ZARR:
            write_zarr(item, temporary, progress)
        else:
            _write_plain(item, temporary, suffix)
    if suffix in _MRC and isinstance(item, TiltSeries):
        write_rawtlt(item.angles_deg, path.with_suffix(".rawtlt"))
    return path


def check_target(
    path: str | Path,
    *,
    overwrite: bool = False,
    suffixes: tuple[str, ...] = (*_ZARR, *_MRC, *_TIFF),
    advice: str = ".ome.zarr, .mrc or .ome.tif",
) -> Path:
    """Return the path if something can be written there, before any work is done.

    Parameters
    ----------
    path : str or Path
    overwrite : bool
    suffixes : tuple of str
        Extensions that will do.
    advice : str
        How to name those to a person.

    Raises
    ------
    WriteError
        If the extension is unknown, the folder is missing or read-only, or the target
        exists and may not be replaced.
    """
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        raise WriteError(f"{path} has an extension that can't be written; use {advice}.")
    return check_free(path, overwrite=overwrite)


def _write_plain(item: Any, path: Path, suffix: str) -> None:
    volume = not isinstance(item, TiltSeries)
    data = item.data if volume else item.images
    if suffix in _MRC:
        write_mrc(data, path, item.pixel_size_nm, volume)
    else:
        write_ome_tiff(np.asanyarray(data), path, item.pixel_size_nm, header_of(item), volume)
