"""Read a tilt series, a time series or a volume from files of any known format."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_tomo4d.boundary import reading
from napari_tomo4d.checks import Pixels, require_memory
from napari_tomo4d.data import AnyData, Labels, TiltSeries, TimeSeries, Volume, is_series
from napari_tomo4d.errors import DataError, MissingAnglesError, ReadError
from napari_tomo4d.immutable import frozen
from napari_tomo4d.io.formats import format_of, known_suffixes
from napari_tomo4d.io.header import item_from
from napari_tomo4d.io.imod import read_angles
from napari_tomo4d.io.names import angles_from_names, natural_key, times_from_names
from napari_tomo4d.io.raw import Raw
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.provenance import Provenance, collect_warnings, jsonable, software_version, warn
from napari_tomo4d.seals import stamped

Paths = str | Path | Sequence[str | Path]


def read(
    path: Paths,
    angles_deg: Sequence[float] | np.ndarray | str | Path | None = None,
    pixel_size_nm: float | None = None,
    tilt_axis: str | None = None,
    *,
    start_deg: float | None = None,
    step_deg: float | None = None,
    times_s: Sequence[float] | None = None,
    temperatures_c: Sequence[float] | None = None,
    kind: str | None = None,
    lazy: bool | None = None,
) -> Any:
    """Read a tilt series, a time series, a volume or labels.

    Parameters
    ----------
    path : str, Path or list of those
        A file; a folder with one file per tilt, or one file or folder per time point; a
        pattern such as ``"run_*.mrc"`` or ``"run_{time}s.mrc"`` for a time series.
    angles_deg : sequence of float, or path of a table, optional
        Tilt angles in degrees. If None they come from the header, a sidecar (.rawtlt,
        .tlt, .mdoc), or the file names, in this order.
    pixel_size_nm : float, optional
        Overrides the file's.
    tilt_axis : {"y", "x"}, optional
        Image axis which the tilt axis is parallel to; overrides the file's. "y" is assumed,
        with a warning, where nobody says.
    start_deg, step_deg : float, optional
        Angles at even steps, instead of `angles_deg`.
    times_s, temperatures_c : sequence of float, optional
        Of each time point of a time series.
    kind : {"tilt series", "volume", "labels"}, optional
        What a stack is where the file does not say.
    lazy : bool, optional
        Read images only when they are used; by default above 512 MB.

    Returns
    -------
    TiltSeries, TimeSeries, Volume or Labels
        With provenance. Images that follow each other at the same angle become frames of
        one tilt. ``metadata`` says where angles and pixel size come from.

    Raises
    ------
    ReadError
        If a file is missing, damaged, of an unknown format or without angles.
    DataError
        If numbers do not fit together.
    """
    given = {
        "path": path,
        "angles_deg": angles_deg,
        "start_deg": start_deg,
        "step_deg": step_deg,
        "pixel_size_nm": pixel_size_nm,
        "tilt_axis": tilt_axis,
        "times_s": times_s,
        "temperatures_c": temperatures_c,
        "kind": kind,
    }
    if kind not in (None, "tilt series", "volume", "labels"):
        raise ReadError(f"kind is {kind!r}; it has to be 'tilt series', 'volume' or 'labels'.")
    if (start_deg is None) != (step_deg is None):
        raise ReadError("Give both start_deg and step_deg, or neither.")
    if angles_deg is not None and start_deg is not None:
        raise ReadError("Give the angles either as angles_deg or as start_deg and step_deg.")
    with collect_warnings() as warnings:
        item = _Reader(given, lazy).read(path)
    # a recipe may be written elsewhere
    absolute = {**given, "path": _absolute(path), "angles_deg": _absolute(angles_deg)}
    provenance = Provenance(
        "read",
        {k: jsonable(v) for k, v in absolute.items() if v is not None},
        () if item.provenance is None else (item.provenance,),
        tuple(warnings),
        software_version(),
    )
    return stamped(item, provenance)


def _absolute(value: Any) -> Any:
    """Return paths as seen from anywhere, and anything else as it is."""
    if isinstance(value, (str, Path)):
        return os.path.abspath(value)
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], (str, Path)):
        return [_absolute(v) for v in value]
    return value


class _Reader:
    """One call of `read`: what the user gave, applied to every file."""

    def __init__(self, given: Parameters, lazy: bool | None) -> None:
        self.given, self.lazy = given, lazy

    # -- which files -----------------------------------------------------------------------

    def read(self, path: Paths) -> AnyData:
        if isinstance(path, (str, Path)):
            text = str(path)
            if "{time}" in text or "*" in text or "?" in text:
                return self._time_series(*_matching(text))
            path = Path(path)
            if not path.exists():
                raise ReadError(f"{path} does not exist; check the name and the folder.")
            if path.is_dir() and format_of(path) is None:
                return self._folder(path)
            return self._one(path)
        paths = [Path(p) for p in path]
        for p in paths:
            if not p.exists():
                raise ReadError(f"{p} does not exist; check the name and the folder.")
        if not paths:
            raise ReadError("No file was given to read.")
        return self._one(paths[0]) if len(paths) == 1 else self._several(paths, paths[0].parent)

    def _folder(self, folder: Path) -> AnyData:
        content = sorted(folder.iterdir(), key=natural_key)
        files = [p for p in content if format_of(p) and not p.name.startswith(".")]
        # of an EMI and its SER files one is enough
        emi = {p.stem for p in files if p.suffix.lower() == ".emi"}
        files = [
            p
            for p in files
            if p.suffix.lower() != ".ser" or re.sub(r"_\d+$", "", p.stem) not in emi
        ]
        folders = [p for p in content if p.is_dir() and p not in files and any(p.iterdir())]
        if not files and not folders:
            raise ReadError(f"{folder} holds no file that can be read ({known_suffixes()}).")
        if not files:
            return self._time_series(folders)
        return self._one(files[0]) if len(files) == 1 else self._several(files, folder)

    def _several(self, files: list[Path], folder: Path) -> AnyData:
        """One file per tilt, or one per time point: the number of angles in each tells."""
        if any(p.is_dir() for p in files):
            return self._time_series(files)
        first = self._raw(files[0])
        many_tilts = first.item is not None or (
            first.data.ndim == 3
            and len(first.data) > 1
            and (first.angles_deg is None or np.ptp(first.angles_deg) > 0.05)
        )
        if many_tilts:
            return self._time_series(files)
        return self._one_file_per_tilt(files, folder)

    def _time_series(
        self, paths: list[Path], times: list[float] | None = None
    ) -> TimeSeries[TiltSeries]:
        times_s = self.given["times_s"]
        if times_s is None:
            times_s = times
            if times is None and (found := times_from_names(paths)) is not None:
                times_s = found
                warn("The times were taken from the names of the files, in seconds.")
            if times_s is not None:
                order = np.argsort(times_s)
                paths = [paths[i] for i in order]
                times_s = [times_s[i] for i in order]
        items: list[Any] = []
        for p in paths:
            item = self._folder(p) if p.is_dir() and format_of(p) is None else self._one(p)
            if is_series(item):
                raise ReadError(f"{p} holds several time points itself; open it on its own.")
            items.append(item)
        name = paths[0].parent.name or "time series"
        return TimeSeries(items, times_s, self.given["temperatures_c"], name)

    # -- one data object -------------------------------------------------------------------

    def _raw(self, path: Path) -> Raw:
        form = format_of(path)
        if form is None:
            raise ReadError(
                f"{path} has an extension that is not known; known are {known_suffixes()}."
            )
        try:
            if not os.access(path, os.R_OK):
                raise ReadError(f"{path} may not be read; check its permissions.")
            if path.is_file() and path.stat().st_size == 0:
                raise ReadError(f"{path} is empty; copy it again.")
            raw = form.read(path, self.lazy)
            return dataclasses.replace(raw, data=frozen(raw.data))
        except ReadError:
            raise
        except OSError as error:
            raise ReadError(f"{path} can't be read: {error.strerror or error}.") from error

    def _one(self, path: Path) -> AnyData:
        raw = self._raw(path)
        for note in raw.notes:
            warn(note)
        header = raw.metadata.get("napari_tomo4d")
        if header is not None:
            with reading(path, "a file of this program"):
                raw.item = item_from(header, raw.data, str(path))
        name = re.sub(r"\.ome$", "", path.stem)
        try:
            if raw.item is not None:
                return self._override(raw.item)
            kind = self.given["kind"] or raw.kind
            if kind == "volume" and self.given["kind"] is None and self._has_angles(raw, path):
                # many programs mark any stack as a volume; angles tell better
                kind = "tilt series"
            size = self.given["pixel_size_nm"] or raw.pixel_size_nm
            if kind == "volume":
                return Volume(_in_memory(raw.data), size, name=name, metadata=raw.metadata)
            if kind == "labels":
                data = _whole_numbers(_in_memory(raw.data))
                return Labels(data, size, name=name, metadata=raw.metadata)
            return self._tilt_series(raw, path, name)
        except DataError as error:
            raise DataError(f"{path}: {error}") from error

    def _override(self, item: AnyData) -> AnyData:
        """Apply what the user gave to a complete object from a file of our own."""
        if is_series(item):
            times = self.given["times_s"] if self.given["times_s"] is not None else item.times_s
            celsius = self.given["temperatures_c"]
            celsius = item.temperatures_c if celsius is None else celsius
            items = [self._override(i) for i in item]
            return TimeSeries(items, times, celsius, item.name, item.provenance)
        changes: Parameters = {}
        if self.given["pixel_size_nm"] is not None:
            changes["pixel_size_nm"] = self.given["pixel_size_nm"]
        if isinstance(item, TiltSeries):
            angles = self._given_angles(len(item))
            if angles is not None:
                changes["angles_deg"] = angles
            if self.given["tilt_axis"] is not None:
                changes["tilt_axis"] = self.given["tilt_axis"]
        return dataclasses.replace(item, **changes) if changes else item

    def _one_file_per_tilt(self, files: list[Path], folder: Path) -> TiltSeries:
        raws = [self._raw(p) for p in files]
        stacks = [r.data if r.data.ndim == 3 else r.data[None] for r in raws]
        shapes = {s.shape[1:] for s in stacks}
        if len(shapes) > 1:
            raise ReadError(
                f"The images in {folder} differ in size ({', '.join(map(str, sorted(shapes)))}); "
                "all images of a tilt series must be equal."
            )
        raw = Raw(stacks, pixel_size_nm=raws[0].pixel_size_nm, tilt_axis=raws[0].tilt_axis)
        raw.pixel_size_from = raws[0].pixel_size_from
        for note in dict.fromkeys(n for r in raws for n in r.notes):
            warn(note)
        if all(r.angles_deg is not None for r in raws):
            raw.angles_deg = np.array([r.angles_deg[0] for r in raws])  # type: ignore[index]
            raw.angles_from = raws[0].angles_from
        elif self._given_angles(len(files)) is None:
            raw.angles_deg = angles_from_names(files)
            raw.angles_from = "file names"
            if raw.angles_deg is not None:
                warn("The tilt angles were taken from the names of the files.")
        return self._tilt_series(raw, folder, folder.name)

    def _tilt_series(self, raw: Raw, path: Path, name: str) -> TiltSeries:
        stacks = raw.data if isinstance(raw.data, list) else None
        images = raw.data if stacks is not None or raw.data.ndim == 3 else raw.data[None]
        angles, source = self._angles(raw, path, len(images))
        axis: Any = self.given["tilt_axis"] or raw.tilt_axis
        if axis is None:
            axis = "y"
            warn(
                "The file does not say which image axis the tilt axis is parallel to; y "
                "(vertical) was assumed. If slices look like noise, try x (horizontal)."
            )
        if stacks is not None:
            order = np.argsort(angles, kind="stable")
            parts = [stacks[i] for i in order]
            images, angles = _join(parts), angles[order]
        else:
            images, angles = _group_frames(images, angles)
        size, size_from = self.given["pixel_size_nm"], "given"
        if size is None:
            size, size_from = raw.pixel_size_nm, raw.pixel_size_from
        metadata = {**raw.metadata, "angles_from": source}
        if size is not None:
            metadata["pixel_size_from"] = size_from
        return TiltSeries(images, angles, size, axis, name=name, metadata=metadata)

    def _given_angles(self, n: int) -> np.ndarray | None:
        if self.given["start_deg"] is not None:
            result: np.ndarray | None = self.given["start_deg"] + self.given[
                "step_deg"
            ] * np.arange(n)
            return result
        angles = self.given["angles_deg"]
        if isinstance(angles, (str, Path)):
            return read_angles(angles)
        return None if angles is None else np.asarray(angles, dtype=float)

    def _has_angles(self, raw: Raw, path: Path) -> bool:
        given = self.given["angles_deg"] is not None or self.given["start_deg"] is not None
        return given or raw.angles_deg is not None or _sidecar(path) is not None

    def _angles(self, raw: Raw, path: Path, n: int) -> tuple[np.ndarray, str]:
        angles, source = self._given_angles(n), "given"
        if angles is None and raw.angles_deg is not None:
            angles, source = raw.angles_deg, raw.angles_from
        sidecar = _sidecar(path)
        if angles is None and sidecar is not None:
            angles, source = read_angles(sidecar), sidecar.name
        if angles is None and n == 1 and not isinstance(raw.data, list):
            warn("A single image without a tilt angle was taken to be at 0 degrees.")
            angles, source = np.zeros(1), "assumed"
        if angles is None:
            raise MissingAnglesError(
                f"{path} does not say at which tilt angles its {n} images were taken; give "
                "angles_deg (a list or a .rawtlt file), or start_deg and step_deg.",
                n,
            )
        if len(angles) != n:
            raise ReadError(
                f"{path} has {n} images but there are {len(angles)} tilt angles ({source}); "
                "give one angle in degrees per image."
            )
        return np.asarray(angles, dtype=float), source


def _sidecar(path: Path) -> Path | None:
    """Return IMOD's table of angles beside a file, if there is one."""
    candidates = (path.with_suffix(s) for s in (".rawtlt", ".tlt"))
    return next((c for c in candidates if c.exists()), None)


def _matching(pattern: str) -> tuple[list[Path], list[float] | None]:
    """Return the files of a pattern and the times in their names."""
    import glob

    paths = [Path(p) for p in glob.glob(pattern.replace("{time}", "*"))]
    if not paths:
        raise ReadError(f"No file matches {pattern}.")
    paths.sort(key=natural_key)
    if "{time}" not in pattern:
        return paths, None
    head, tail = (
        re.escape(Path(p).name if i == 0 else p) for i, p in enumerate(pattern.split("{time}", 1))
    )
    matches = [re.fullmatch(rf"{head}([-+.\d]+){tail}".replace(r"\*", ".*"), p.name) for p in paths]
    kept = [(p, float(m[1])) for p, m in zip(paths, matches, strict=True) if m]
    if not kept:
        raise ReadError(f"No file that matches {pattern} has a number in place of {{time}}.")
    return [p for p, _ in kept], [t for _, t in kept]


def _whole_numbers(data: np.ndarray) -> np.ndarray:
    """Return labels that were stored as floating point, as in MRC, as whole numbers again."""
    if data.dtype.kind == "f" and np.array_equal(data, np.rint(data)):
        return frozen(data.astype(np.int32))
    return data


def _in_memory(data: Pixels) -> Pixels:
    if not isinstance(data, np.ndarray):
        require_memory(4 * data.size, "This volume would")
    return frozen(np.asarray(data))


def _join(parts: list[Pixels]) -> Pixels:
    """Join one stack of frames per tilt; a plain series if each has one frame."""
    if any(len(p) > 1 for p in parts):
        if len({len(p) for p in parts}) > 1:
            return parts
        return frozen(_module(parts[0]).stack(parts))
    return frozen(_module(parts[0]).concatenate(parts))


def _group_frames(images: Pixels, angles: np.ndarray) -> tuple[Pixels, np.ndarray]:
    """Make frames of images that follow each other at the same angle."""
    starts = np.flatnonzero(np.diff(angles, prepend=np.inf))
    if len(starts) == len(angles):
        return images, angles
    warn("Images that follow each other at the same angle were taken as frames of one tilt.")
    stops = [*starts[1:], len(angles)]
    return _join([images[a:b] for a, b in zip(starts, stops, strict=True)]), angles[starts]


def _module(array: Pixels) -> Any:
    if isinstance(array, np.ndarray):
        return np
    import dask.array as da

    return da
