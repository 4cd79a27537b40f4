"""Write data objects so that nothing half written is ever left behind."""

from __future__ import annotations

from pathlib import Path

from napari_tomo4d.data import AnyData, TiltSeries, is_series
from napari_tomo4d.errors import WriteError
from napari_tomo4d.io.formats import format_of, writable
from napari_tomo4d.io.header import KINDS
from napari_tomo4d.progress import Progress
from napari_tomo4d.whole_files import check_free, replacing_together


def write(
    item: AnyData, path: str | Path, *, overwrite: bool = False, progress: Progress | None = None
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
        Replace what is there, once the new one is complete: any file of that name, a folder only
        if this program wrote all in it, a ``.rawtlt`` only beside an MRC file of this program.
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
    target = next(f for f in writable() if path.suffix.lower() in f.write_suffixes)
    frames = isinstance(item, TiltSeries) and item.has_frames
    if not target.whole and (is_series(item) or frames):
        what = "several frames per tilt" if frames else "several time points"
        raise WriteError(f"{path} can't hold {what}; write {path.stem}.ome.zarr instead.")
    assert target.writer is not None
    beside = {} if target.beside is None else target.beside(item, path)
    for sidecar, content in beside.items():
        _check_sidecar(sidecar, content, path, overwrite=overwrite)
    with replacing_together(path, *beside) as (temporary, *others):
        target.writer(item, temporary, progress)
        for other, content in zip(others, beside.values(), strict=True):
            other.write_bytes(content)
    return path


def _check_sidecar(sidecar: Path, content: bytes, path: Path, *, overwrite: bool) -> None:
    """Raise `WriteError` if a file beside one to write would be lost.

    It is replaced only together with a file that this program wrote.
    """
    if not sidecar.exists() or (sidecar.is_file() and sidecar.read_bytes() == content):
        return
    target = format_of(path)
    if not (overwrite and target is not None and target.ours is not None and target.ours(path)):
        raise WriteError(
            f"{sidecar} exists already and is not replaced, as it may belong to another file than "
            f"{path.name}; choose another name or move it away."
        )


def check_target(
    path: str | Path,
    *,
    overwrite: bool = False,
    suffixes: tuple[str, ...] = (),
    advice: str = "",
) -> Path:
    """Return the path if something can be written there, before any work is done.

    Parameters
    ----------
    path : str or Path
    overwrite : bool
    suffixes : tuple of str
        Extensions that will do; by default those of all formats that can be written.
    advice : str
        How to name those to a person.

    Raises
    ------
    WriteError
        If the extension is unknown, the folder is missing or read-only, or the target
        exists and may not be replaced.
    """
    path = Path(path)
    if not suffixes:
        suffixes = tuple(s for f in writable() for s in f.write_suffixes)
        *first, last = [f.written for f in writable()]
        advice = f"{', '.join(first)} or {last}"
    if path.suffix.lower() not in suffixes:
        raise WriteError(f"{path} has an extension that can't be written; use {advice}.")
    return check_free(path, overwrite=overwrite)
