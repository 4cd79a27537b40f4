"""What flows between the stages: tilt series, time series, volumes and labels.

All are immutable and check themselves when they are made. Arrays may be NumPy arrays or
lazy Dask arrays; `TiltSeries.load` turns the lazy ones into memory.

No object shares memory with somebody who can write to it: its NumPy arrays are read-only, and
copies of those given where these could be written to. An array just made is handed over without
a copy by `frozen`; memory-mapped files are shared if they are mapped read-only. Of a Dask array
only the recipe is kept: what it computes from, such as an array given to
``dask.array.from_array``, has to stay as it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeGuard, TypeVar, overload

import numpy as np

from napari_tomo4d.checks import (
    Pixels,
    check_images,
    check_labels,
    check_values,
    check_volume,
    kept,
    numbers,
    one_number,
    pixel_size,
    positive,
    require_memory,
    stack_frames,
)
from napari_tomo4d.errors import DataError
from napari_tomo4d.immutable import Immutable, ReadOnlyDict, frozen, read_only, read_only_dict
from napari_tomo4d.provenance import Provenance
from napari_tomo4d.quantities import time_names
from napari_tomo4d.voxels import Voxels, VoxelSize, as_voxel_size

if TYPE_CHECKING:
    import pandas as pd

TiltAxis = Literal["y", "x"]


@dataclass(frozen=True, eq=False)
class TiltSeries(Immutable):
    """Images of one object at several tilt angles.

    Parameters
    ----------
    images : array (tilt, y, x) or (tilt, frame, y, x), or sequence of arrays (frame, y, x)
        Counts or intensities, any real dtype. The sequence form is for a number of frames
        that differs from tilt to tilt. NumPy or Dask.
    angles_deg : sequence of float, length tilt
        Stage tilt of each image in degrees, in any order, within -180..180.
    pixel_size_nm : float, optional
        Edge of a square pixel; None if unknown.
    tilt_axis : {"y", "x"}
        Image axis which the tilt axis is parallel to.
    axis_shift_px : float
        Position of the tilt axis relative to the image centre ``(n - 1) / 2``, across the axis.
    dose_e_per_nm2 : float, optional
        Electrons per square nanometre of the whole series.
    name : str
        Shown to the user.
    metadata : dict
        What else a file said; JSON values only.
    provenance : Provenance, optional
        How the series was made.

    Raises
    ------
    DataError
        If shapes, number of angles, values or units do not make sense.
    """

    images: Pixels
    angles_deg: np.ndarray
    pixel_size_nm: float | None = None
    tilt_axis: TiltAxis = "y"
    axis_shift_px: float = 0.0
    dose_e_per_nm2: float | None = None
    name: str = "tilt series"
    metadata: Mapping[str, Any] = field(default_factory=ReadOnlyDict)
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        images = self.images
        if isinstance(images, (list, tuple)):
            images = stack_frames(images)
        elif not hasattr(images, "ndim") or not hasattr(images, "dtype"):
            images = np.asarray(images)
        images = tuple(map(kept, images)) if isinstance(images, tuple) else kept(images)
        check_images(images)
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "metadata", read_only_dict(self.metadata))
        angles = numbers(self.angles_deg, "The tilt angles")
        if angles.ndim != 1 or len(angles) != len(images):
            raise DataError(
                f"There are {len(images)} tilt images but {angles.size} tilt angles; "
                "give one angle in degrees for each tilt."
            )
        if np.any(np.abs(angles) > 180):
            raise DataError(
                f"The tilt angle {angles[np.argmax(np.abs(angles))]:g} is outside -180 to 180 "
                "degrees; check the unit of the angles."
            )
        object.__setattr__(self, "angles_deg", angles)
        object.__setattr__(self, "pixel_size_nm", pixel_size(self.pixel_size_nm))
        object.__setattr__(self, "dose_e_per_nm2", positive(self.dose_e_per_nm2, "dose", "e/nm2"))
        shift = one_number(self.axis_shift_px, "The position of the tilt axis")
        object.__setattr__(self, "axis_shift_px", shift)
        if self.tilt_axis not in ("y", "x"):
            raise DataError(f"tilt_axis is {self.tilt_axis!r}; it has to be 'y' or 'x'.")

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        y, x = self.image_shape
        counts = sorted(set(self.frames_per_tilt))
        frames = f", {counts[0]} to {counts[-1]} frames" if counts[0] != counts[-1] else ""
        if self.has_frames and not frames:
            frames = f", {counts[0]} frames"
        size = "unknown pixel size" if self.pixel_size_nm is None else f"{self.pixel_size_nm:g} nm"
        low, high = self.angles_deg.min(), self.angles_deg.max()
        return (
            f"<TiltSeries {self.name!r}: {len(self)} tilts{frames} of {y} x {x}, "
            f"{low:g} to {high:g} deg, {size}, axis along {self.tilt_axis}>"
        )

    @property
    def has_frames(self) -> bool:
        """Whether each tilt holds several frames instead of one image."""
        return isinstance(self.images, tuple) or self.images.ndim == 4

    @property
    def frames_per_tilt(self) -> tuple[int, ...]:
        """Number of frames of each tilt."""
        if isinstance(self.images, tuple):
            return tuple(len(f) for f in self.images)
        return (self.images.shape[1] if self.images.ndim == 4 else 1,) * len(self.images)

    @property
    def image_shape(self) -> tuple[int, int]:
        """Size (y, x) of one image in pixels."""
        shape = (self.images[0] if isinstance(self.images, tuple) else self.images).shape
        return int(shape[-2]), int(shape[-1])

    @property
    def dtype(self) -> np.dtype:
        """Data type of the images as stored; one that holds those of all tilts."""
        parts = self.images if isinstance(self.images, tuple) else (self.images,)
        return np.result_type(*(part.dtype for part in parts))

    def frames(self, tilt: int) -> np.ndarray:
        """Return the frames (frame, y, x) of one tilt in memory as float32, read-only.

        Raises
        ------
        DataError
            If there are NaN or infinite values.
        """
        part = self.images[tilt]
        part = part if part.ndim == 3 else part[None]
        result = read_only(np.asarray(part, dtype=np.float32))
        if not np.isfinite(result.sum(dtype=np.float64)):
            raise DataError(
                f"The image at {self.angles_deg[tilt]:g} deg of {self.name!r} holds NaN or "
                "infinite values; replace them before going on."
            )
        return result

    def image(self, tilt: int) -> np.ndarray:
        """Return the image (y, x) of one tilt as float32, read-only.

        Raises
        ------
        DataError
            If the series has several frames per tilt.
        """
        self.require_single_images()
        result: np.ndarray = self.frames(tilt)[0]
        return result

    def require_single_images(self) -> None:
        """Raise `DataError` if there are several frames per tilt."""
        if max(self.frames_per_tilt) > 1:
            low, high = min(self.frames_per_tilt), max(self.frames_per_tilt)
            count = f"{low}" if low == high else f"{low} to {high}"
            raise DataError(
                f"{self.name!r} has {count} frames per tilt; average the frames first "
                "(preprocess.average_frames)."
            )

    def load(self) -> np.ndarray:
        """Return all images (tilt, y, x) in memory as float32, read-only and checked for NaN.

        Raises
        ------
        DataError
            If there are several frames per tilt or values are not finite.
        NotEnoughMemoryError
            If they would not fit.
        """
        self.require_single_images()
        if isinstance(self.images, np.ndarray) and self.images.dtype == np.float32:
            return self.images.reshape(len(self), *self.image_shape)
        require_memory(4 * len(self) * self.image_shape[0] * self.image_shape[1], "These images")
        return frozen(np.stack([self.image(i) for i in range(len(self))]))

    def replace(self, **changes: Any) -> TiltSeries:
        """Return a copy with some fields changed; everything is checked again."""
        return dataclasses.replace(self, **changes)

    def with_frames(self, parts: Sequence[np.ndarray], **changes: Any) -> TiltSeries:
        """Return a copy with other frames (frame, y, x) of each tilt, stored as they were here.

        One array for all tilts where each has equally many, and no axis for frames where
        there was none.
        """
        images: Pixels = tuple(parts)
        if not self.has_frames:
            images = frozen(np.concatenate(parts))
        elif len({len(p) for p in parts}) == 1:
            images = frozen(np.stack(parts))
        return self.replace(images=images, **changes)


@dataclass(frozen=True, eq=False, repr=False)
class Volume(Voxels):
    """A reconstructed volume.

    Parameters
    ----------
    data : array (z, y, x)
        Density per voxel; kept as float32.
    pixel_size_nm : float or (z, y, x), optional
        Edge of a cubic voxel, or the edges of one that is not; None if unknown. Code that
        measures takes `voxel_size_nm`, which always has three.
    residuals : sequence of float
        Relative residual ||A v - b|| / ||b|| after each iteration; empty for direct methods.
    name, metadata, provenance
        As in `TiltSeries`.
    """

    data: np.ndarray
    pixel_size_nm: VoxelSize | None = None
    residuals: np.ndarray = field(default_factory=lambda: np.empty(0))
    name: str = "volume"
    metadata: Mapping[str, Any] = field(default_factory=ReadOnlyDict)
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        data = self.data if hasattr(self.data, "ndim") else np.asarray(self.data)
        check_volume(data)
        check_values(data, "The voxels")
        object.__setattr__(self, "data", kept(data, np.float32))
        object.__setattr__(self, "metadata", read_only_dict(self.metadata))
        object.__setattr__(self, "residuals", numbers(self.residuals, "The residuals"))
        object.__setattr__(self, "pixel_size_nm", as_voxel_size(self.pixel_size_nm))


@dataclass(frozen=True, eq=False, repr=False)
class Labels(Voxels):
    """Particles or pores as numbered voxels; 0 is background.

    Parameters
    ----------
    data : integer array (z, y, x)
        Label of each voxel, not negative; kept as int32.
    pixel_size_nm, name, metadata, provenance
        As in `Volume`.
    """

    data: np.ndarray
    pixel_size_nm: VoxelSize | None = None
    name: str = "labels"
    metadata: Mapping[str, Any] = field(default_factory=ReadOnlyDict)
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        data = self.data if hasattr(self.data, "ndim") else np.asarray(self.data)
        check_volume(data)
        check_labels(data)
        object.__setattr__(self, "data", kept(data, np.int32))
        object.__setattr__(self, "metadata", read_only_dict(self.metadata))
        object.__setattr__(self, "pixel_size_nm", as_voxel_size(self.pixel_size_nm))


class _Copied:
    """A field that holds a copy of the table it is given, and gives out copies."""

    @overload
    def __get__(self, table: None, owner: type) -> _Copied: ...
    @overload
    def __get__(self, table: object, owner: type) -> pd.DataFrame: ...
    def __get__(self, table: object | None, owner: type) -> pd.DataFrame | _Copied:
        if table is None:  # the class is asked whether the field has a default
            raise AttributeError
        return table.__dict__["_frame"].copy()

    def __set__(self, table: object, frame: pd.DataFrame) -> None:
        table.__dict__["_frame"] = frame.copy()


@dataclass(frozen=True, eq=False)
class Table(Immutable):
    """Measured values, a row each.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns carry their unit: ``neck_radius_nm``. Each look at it gives a new copy.
    name, metadata, provenance
        As in `TiltSeries`.
    """

    frame: _Copied = _Copied()
    name: str = "table"
    metadata: Mapping[str, Any] = field(default_factory=ReadOnlyDict)
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "metadata", read_only_dict(self.metadata))

    def __repr__(self) -> str:
        frame = self.frame
        return f"<Table {self.name!r}: {len(frame)} rows, {len(frame.columns)} columns>"


Data = TiltSeries | Volume | Labels
"""What may be there at one time, or at several in a `TimeSeries`."""

Item = TypeVar("Item", TiltSeries, Volume, Labels)
Other = TypeVar("Other", TiltSeries, Volume, Labels)


@dataclass(frozen=True, eq=False)
class TimeSeries(Immutable, Sequence[Item], Generic[Item]):
    """The same sample at several times: tilt series, or what was made from them.

    Parameters
    ----------
    series : sequence of TiltSeries, of Volume or of Labels
        One item per time point, all of one kind; tilts may differ between times.
    times_s : sequence of float, optional
        Time of each item in seconds, increasing.
    temperatures_c : sequence of float, optional
        Temperature of each item in degrees Celsius.
    name, provenance
        As in `TiltSeries`.
    """

    series: Sequence[Item]
    times_s: np.ndarray | None = None
    temperatures_c: np.ndarray | None = None
    name: str = "time series"
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        items = tuple(self.series)
        if not items:
            raise DataError("A time series needs at least one time point.")
        kinds = {type(i) for i in items}
        if len(kinds) > 1 or not isinstance(items[0], (TiltSeries, Volume, Labels)):
            raise DataError(
                "A time series holds either tilt series, volumes or labels; got "
                f"{', '.join(sorted(k.__name__ for k in kinds))}."
            )
        object.__setattr__(self, "series", items)
        for key, what in (("times_s", "times"), ("temperatures_c", "temperatures")):
            values = getattr(self, key)
            if values is None:
                continue
            values = numbers(values, f"The {what}")
            if values.shape != (len(items),):
                raise DataError(
                    f"There are {len(items)} time points but {values.size} {what}; give one each."
                )
            object.__setattr__(self, key, values)
        if self.times_s is not None and np.any(np.diff(self.times_s) <= 0):
            raise DataError("The times have to increase from one time point to the next.")

    def __len__(self) -> int:
        return len(self.series)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        return self.series[index]

    def __iter__(self) -> Iterator[Item]:
        return iter(self.series)

    def __repr__(self) -> str:
        kind = type(self.series[0]).__name__
        return f"<TimeSeries {self.name!r}: {len(self)} time points of {kind}>"

    @property
    def pixel_size_nm(self) -> VoxelSize | None:
        """Common size of pixels or voxels, or None if unknown or different between times."""
        sizes = {s.pixel_size_nm for s in self.series}
        return sizes.pop() if len(sizes) == 1 else None

    def with_items(self, items: Sequence[Other], name: str | None = None) -> TimeSeries[Other]:
        """Return the same times and temperatures with other items, one per time."""
        return TimeSeries(items, self.times_s, self.temperatures_c, name or self.name)

    def first(self, n: int) -> TimeSeries[Item]:
        """Return the first `n` time points."""
        times = None if self.times_s is None else self.times_s[:n]
        temperatures = None if self.temperatures_c is None else self.temperatures_c[:n]
        return dataclasses.replace(
            self, series=self.series[:n], times_s=times, temperatures_c=temperatures
        )

    def label(self, index: int) -> str:
        """Return a short name of one time point, such as ``"10 min, 350 °C"``."""
        parts = []
        if self.times_s is not None or self.temperatures_c is None:
            parts.append(time_names(self.times_s, len(self))[index])
        if self.temperatures_c is not None:
            parts.append(f"{self.temperatures_c[index]:g} °C")
        return ", ".join(parts)


AnyTiltSeries = TiltSeries | TimeSeries[TiltSeries]
AnyVolume = Volume | TimeSeries[Volume]
AnyLabels = Labels | TimeSeries[Labels]
AnyTimeSeries = TimeSeries[Any]
AnyData = Data | AnyTimeSeries
"""What a step may work on: one data object, or one for each of several times."""


@overload
def is_series(item: Item | TimeSeries[Item]) -> TypeGuard[TimeSeries[Item]]: ...
@overload
def is_series(item: object) -> TypeGuard[AnyTimeSeries]: ...
def is_series(item: object) -> bool:
    """Return whether there may be several times; a time series of one time counts."""
    return isinstance(item, TimeSeries)


@overload
def times_of(item: Item | TimeSeries[Item]) -> tuple[Item, ...]: ...
@overload
def times_of(item: AnyData) -> tuple[Data, ...]: ...
def times_of(item: AnyData) -> tuple[Data, ...]:
    """Return what there is at each time, in order; one thing where there is no series."""
    return tuple(item) if isinstance(item, TimeSeries) else (item,)


@overload
def at_time(item: Item | TimeSeries[Item], t: int) -> Item: ...
@overload
def at_time(item: AnyData, t: int) -> Data: ...
def at_time(item: AnyData, t: int) -> Data:
    """Return what there is at one time, counted from 0; of no series, the thing itself."""
    return item[t] if isinstance(item, TimeSeries) else item


def kind_of(item: AnyData) -> type[Data]:
    """Return the class of what there is at each time."""
    return type(at_time(item, 0))


def times_s_of(item: AnyData) -> np.ndarray | None:
    """Return the time of each time point in seconds, None where that is not known."""
    return item.times_s if isinstance(item, TimeSeries) else None


def name_of_time(item: AnyData, t: int) -> str:
    """Return a short name of a time, see `TimeSeries.label`; empty where there is no series."""
    return item.label(t) if isinstance(item, TimeSeries) else ""


def like(item: AnyData, items: Sequence[Other]) -> Other | TimeSeries[Other]:
    """Return things made of each time of an item as what the item is: a series, or the only one.

    Parameters
    ----------
    item : TiltSeries, Volume or Labels, or a TimeSeries of them
        Its times and temperatures are kept.
    items : sequence
        One for each time.
    """
    if isinstance(item, TimeSeries):
        return item.with_items(items)
    (one,) = items
    return one
