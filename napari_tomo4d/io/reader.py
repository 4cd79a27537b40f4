"""Read a tilt series, a time series or a volume from files of any known format."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_tomo4d.boundary import reading
from napari_tomo4d.checks import Pixels, require_memory
from napari_tomo4d.content import Json
from napari_tomo4d.data import (
    AnyData,
    Labels,
    TiltSeries,
    TimeSeries,
    Volume,
    is_series,
    kind_of,
)
from napari_tomo4d.errors import DataError, ReadError
from napari_tomo4d.immutable import frozen
from napari_tomo4d.io.angle_tables import AngleTable
from napari_tomo4d.io.assemble import angles_of_files, commonest, group_frames, join
from napari_tomo4d.io.formats import MRC_SUFFIXES, format_of, known_suffixes
from napari_tomo4d.io.gather import is_pattern, matching, readable_in, without_results
from napari_tomo4d.io.header import KINDS, item_from
from napari_tomo4d.io.names import times_from_names
from napari_tomo4d.io.raw import AXIS_ANGLE, Raw
from napari_tomo4d.io.sidecars import is_about_another, stem_of, tables_of
from napari_tomo4d.io.trust import Tables, within_half_turn
from napari_tomo4d.io.units import can_be_true
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.provenance import Provenance, collect_warnings, jsonable, software_version, warn
from napari_tomo4d.seals import stamped
from napari_tomo4d.voxels import edges_of, size_text
from napari_tomo4d.whole_files import tidy

_SOURCES = {
    "pixel_size_nm": "pixel_size_from",
    "tilt_axis": "tilt_axis_from",
    "angles_deg": "angles_from",
}
Paths = str | Path | Sequence[str | Path]


def read(
    path: Paths,
    angles_deg: Sequence[float] | np.ndarray | str | Path | None = None,
    pixel_size_nm: float | Sequence[float] | None = None,
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
        Tilt angles in degrees. If None they come from the .mdoc, the header, a .rawtlt or
        .tlt beside the file, or the file names, in this order.
    pixel_size_nm : float, or three (z, y, x) for voxels that are not cubic, optional
        Overrides the file's.
    tilt_axis : {"y", "x"}, optional
        Image axis which the tilt axis is parallel to; overrides the file's. "y" is assumed,
        with a warning, where nobody says.
    start_deg, step_deg : float, optional
        Angles at even steps, instead of `angles_deg`.
    times_s, temperatures_c : sequence of float, optional
        Of each time point of a time series. Temperatures are in the order of the times, or of
        the paths where these are given one by one.
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
        self._tables = Tables()

    # -- which files -----------------------------------------------------------------------

    def read(self, path: Paths) -> AnyData:
        # what a process was moving when it was killed is put in its place first
        for folder in {Path(p).parent for p in ([path] if isinstance(path, (str, Path)) else path)}:
            tidy(folder)
        if isinstance(path, (str, Path)):
            if is_pattern(str(path)):
                return self._time_series(*matching(str(path)))
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
        if len(paths) == 1:
            return self._one(paths[0])
        return self._several(paths, paths[0].parent, in_order=True)

    def _folder(self, folder: Path) -> AnyData:
        tidy(folder)
        files, folders = readable_in(folder)
        if not files:
            return self._time_series(folders)
        if len(files) > 1 and self.given["kind"] is None:
            files = without_results(files, folder, self._is_volume)
        return self._one(files[0]) if len(files) == 1 else self._several(files, folder)

    def _is_volume(self, path: Path) -> bool:
        """Return whether a file holds a volume or labels; looks only into what may say so."""
        if path.suffix.lower() not in (*MRC_SUFFIXES, ".zarr", ".tif", ".tiff"):
            return False
        try:
            raw = self._raw(path, lazy=True)
        except ReadError:
            return False  # the error is told when it is read
        header = raw.metadata.get("napari_tomo4d")
        if header is not None:
            return header.get("kind") in ("volume", "labels")
        if raw.item is not None:
            return kind_of(raw.item) is not TiltSeries
        return self._kind(raw, path) in ("volume", "labels")

    def _several(self, files: list[Path], folder: Path, in_order: bool = False) -> AnyData:
        """One file per tilt, or one per time point: the number of angles in each tells."""
        if any(p.is_dir() for p in files):
            return self._time_series(files, in_order=in_order)
        first = self._raw(files[0])
        many_tilts = first.item is not None or (
            first.data.ndim == 3
            and len(first.data) > 1
            and (first.angles_deg is None or np.ptp(first.angles_deg) > 0.05)
        )
        if many_tilts:
            return self._time_series(files, in_order=in_order)
        return self._one_file_per_tilt(files, folder)

    def _time_series(
        self, paths: list[Path], times: list[float] | None = None, *, in_order: bool = False
    ) -> TimeSeries[TiltSeries]:
        """Read one item per path, in the order of the times in their names.

        `in_order`: the user gave the paths one by one, and temperatures in the same order.
        """
        times_s, temperatures = self.given["times_s"], self.given["temperatures_c"]
        if times_s is None:
            times_s = times
            if times is None and (found := times_from_names(paths)) is not None:
                times_s = found
                warn("The times were taken from the names of the files, in seconds.")
            if times_s is not None:
                order = np.argsort(times_s)
                paths = [paths[i] for i in order]
                times_s = [times_s[i] for i in order]
                if in_order and temperatures is not None and len(temperatures) == len(order):
                    temperatures = [temperatures[i] for i in order]
        items: list[Any] = []
        for p in paths:
            item = self._folder(p) if p.is_dir() and format_of(p) is None else self._one(p)
            if is_series(item):
                raise ReadError(f"{p} holds several time points itself; open it on its own.")
            items.append(item)
        name = paths[0].parent.name or "time series"
        return TimeSeries(items, times_s, temperatures, name)

    # -- one data object -------------------------------------------------------------------

    def _raw(self, path: Path, lazy: bool | None = None) -> Raw:
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
            raw = form.read(path, self.lazy if lazy is None else lazy)
            return dataclasses.replace(raw, data=frozen(raw.data))
        except ReadError:
            raise
        except OSError as error:
            raise ReadError(f"{path} can't be read: {error.strerror or error}.") from error

    def _one(self, path: Path) -> AnyData:
        raw = self._raw(path)
        header = raw.metadata.get("napari_tomo4d")
        if header is not None:
            with reading(path, "a file of this program"):
                raw.item = item_from(header, raw.data, str(path))
        try:
            if raw.item is not None:
                if not self._is_another_kind(raw.item):
                    return self._override(raw.item)
                raw = _without_item(raw)
            kind = self._kind(raw, path)
            for note in raw.notes:
                warn(note)
            if kind in ("volume", "labels"):
                return self._volume(raw, kind, path)
            return self._tilt_series(raw, path, stem_of(path))
        except DataError as error:
            raise DataError(f"{path}: {error}") from error

    def _is_another_kind(self, item: AnyData) -> bool:
        """Return whether the user says that a file of our own holds another kind of data."""
        kind = self.given["kind"]
        return kind is not None and not is_series(item) and not isinstance(item, KINDS[kind])

    def _kind(self, raw: Raw, path: Path) -> str | None:
        if self.given["kind"] is not None:
            return str(self.given["kind"])
        given = self.given["angles_deg"] is not None or self.given["start_deg"] is not None
        if raw.kind != "volume" or given:
            return "tilt series" if given else raw.kind
        if raw.kind_is_sure:
            return "volume"
        # many programs mark any stack as a volume; angles tell better
        tables = [t for t in tables_of(path) if not is_about_another(t, path)]
        return "tilt series" if raw.angles_deg is not None or tables else "volume"

    def _volume(self, raw: Raw, kind: str, path: Path) -> Volume | Labels:
        size, metadata = self._size(raw, path, volume=True)
        name, data = stem_of(path), _in_memory(raw.data)
        if kind == "volume":
            return Volume(data, size, name=name, metadata=metadata)
        if raw.metadata.get("signed_bytes") and data.min() < 0:
            warn(f"Labels in {path.name} count from -128, as IMOD's signed bytes; 128 was added.")
            data = frozen(data.astype(np.int32) + 128)
        return Labels(_whole_numbers(data), size, name=name, metadata=metadata)

    def _size(self, raw: Raw, path: Path, volume: bool) -> tuple[Any, Json]:
        """Return the size of pixels or voxels in nm, and metadata that say where it comes from."""
        size, source = self.given["pixel_size_nm"], "given"
        if size is None:
            # the distance of the images of a tilt series means nothing
            size = raw.voxel_size_nm() if volume else raw.pixel_size_nm
            source = raw.pixel_size_from
            if size is not None and not all(map(can_be_true, edges_of(size))):
                warn(
                    f"{path.name} says pixels of {size_text(size)} ({source}), which can't be "
                    "true; the size is unknown."
                )
                size = None
            elif not raw.ours:
                _tell_of_edges(raw, path, volume)
        return size, raw.metadata if size is None else {**raw.metadata, "pixel_size_from": source}

    def _override(self, item: AnyData) -> AnyData:
        """Apply what the user gave to a complete object from a file of our own."""
        if is_series(item):
            times = self.given["times_s"] if self.given["times_s"] is not None else item.times_s
            celsius = self.given["temperatures_c"]
            celsius = item.temperatures_c if celsius is None else celsius
            items = [self._override(i) for i in item]
            return TimeSeries(items, times, celsius, item.name, item.provenance)
        changes: Parameters = {}
        for name in ("pixel_size_nm", "tilt_axis"):
            if self.given[name] is not None and hasattr(item, name):
                changes[name] = self.given[name]
        found = self._given_angles(len(item)) if isinstance(item, TiltSeries) else None
        if found is not None:
            changes["angles_deg"] = within_half_turn(found.angles_deg)
        if not changes:
            return item
        sources = {_SOURCES[name]: "given" for name in changes}
        one: Any = item
        changed: AnyData = dataclasses.replace(one, **changes, metadata={**one.metadata, **sources})
        return changed

    def _one_file_per_tilt(self, files: list[Path], folder: Path) -> TiltSeries:
        raws = [self._raw(p) for p in files]
        stacks = [r.data if r.data.ndim == 3 else r.data[None] for r in raws]
        shapes = {s.shape[1:] for s in stacks}
        if len(shapes) > 1:
            raise ReadError(
                f"The images in {folder} differ in size ({', '.join(map(str, sorted(shapes)))}); "
                "all images of a tilt series must be equal."
            )
        first = raws[0]
        axis = {k: v for k, v in first.metadata.items() if k == AXIS_ANGLE}
        raw = Raw(stacks, tilt_axis=first.tilt_axis, tilt_axis_from=first.tilt_axis_from)
        raw.metadata.update(axis)
        common = commonest(raws, files)
        raw.set_edges(
            0.0, common.height_nm or 0.0, common.pixel_size_nm or 0.0, common.pixel_size_from
        )
        for note in dict.fromkeys(n for r in raws for n in r.notes):
            warn(note)
        if self._given_angles(len(files)) is None:
            raw.angles_deg, raw.angles_from = angles_of_files(raws, files, folder)
        return self._tilt_series(raw, folder, folder.name)

    def _tilt_series(self, raw: Raw, path: Path, name: str) -> TiltSeries:
        stacks = raw.data if isinstance(raw.data, list) else None
        images = raw.data if stacks is not None or raw.data.ndim == 3 else raw.data[None]
        n = len(images)
        given = self._given_angles(n)
        angles, source = self._tables.angles(raw, path, n, given)
        axis: Any = self.given["tilt_axis"]
        axis_from = "given"
        if axis is None:
            axis, axis_from = raw.tilt_axis, raw.tilt_axis_from or "file header"
        if axis is None:
            axis, axis_from = "y", "assumed"
            warn(
                "The file does not say which image axis the tilt axis is parallel to; y "
                "(vertical) was assumed. If slices look like noise, try x (horizontal)."
            )
        if stacks is not None:
            order = np.argsort(angles, kind="stable")
            parts = [stacks[i] for i in order]
            images, angles = join(parts), angles[order]
        else:
            images, angles = group_frames(images, angles)
        size, metadata = self._size(raw, path, volume=False)
        metadata = {**metadata, "angles_from": source, "tilt_axis_from": axis_from}
        return TiltSeries(images, angles, size, axis, raw.axis_shift_px, None, name, metadata)

    def _given_angles(self, n: int) -> AngleTable | None:
        if self.given["start_deg"] is not None:
            return AngleTable(self.given["start_deg"] + self.given["step_deg"] * np.arange(n))
        angles = self.given["angles_deg"]
        if isinstance(angles, (str, Path)):
            return self._tables.read(Path(angles))
        return None if angles is None else AngleTable(np.asarray(angles, dtype=float))


def _tell_of_edges(raw: Raw, path: Path, volume: bool) -> None:
    """Warn of voxels that are not cubic and of pixels that are not square."""
    size = raw.voxel_size_nm()
    if volume and isinstance(size, tuple):
        warn(f"Voxels of {path.name} are not cubic: {size_text(size)}.")
    elif not volume and not raw.is_square():
        warn(
            f"Pixels of {path.name} are not square ({raw.height_nm:g} x {raw.pixel_size_nm:g} nm, "
            "y x x); the width was used."
        )


def _without_item(raw: Raw) -> Raw:
    """Return the pixels of an object of our own, to be taken as another kind of data."""
    item: Any = raw.item
    if isinstance(item, TiltSeries) and item.has_frames:
        raise ReadError(f"{item.name} has several frames per tilt; it can only be a tilt series.")
    data = item.images if isinstance(item, TiltSeries) else item.data
    metadata = {k: v for k, v in dict(item.metadata).items() if not k.endswith("_from")}
    source = item.metadata.get("pixel_size_from", "file header")
    raw = Raw(data, metadata=metadata, ours=True)
    raw.set_edges(*edges_of(item.pixel_size_nm or 0.0), source)
    return raw


def _whole_numbers(data: np.ndarray) -> np.ndarray:
    """Return labels that were stored as floating point, as in MRC, as whole numbers again."""
    if data.dtype.kind == "f" and np.array_equal(data, np.rint(data)):
        return frozen(data.astype(np.int32))
    return data


def _in_memory(data: Pixels) -> Pixels:
    if not isinstance(data, np.ndarray):
        require_memory(4 * data.size, "This volume would")
    return frozen(np.asarray(data))
