"""Microscope files: DM3/DM4, EMI/SER, Velox' EMD, HSPY as RosettaSciIO parses them, NCEM's EMD."""

from __future__ import annotations

import contextlib
import glob
import importlib
import logging
from pathlib import Path
from typing import Any

import numpy as np

from napari_tomo4d.content import Json
from napari_tomo4d.errors import ReadError
from napari_tomo4d.io.dm import check_dm
from napari_tomo4d.io.hdf5 import check_hdf5
from napari_tomo4d.io.ncem import is_ncem, read_ncem
from napari_tomo4d.io.raw import Raw, guarded, use_lazy
from napari_tomo4d.io.ser import check_ser
from napari_tomo4d.io.units import degrees_per, has_unit, to_nm

_PLUGINS = {
    ".dm3": "digitalmicrograph",
    ".dm4": "digitalmicrograph",
    ".emi": "tia",
    ".ser": "tia",
    ".emd": "emd",
    ".hspy": "hspy",
}
_TILT = ("tilt", "angle", "alpha", "theta", "projection")
_SPECTRA = ("ev", "kev", "energy loss", "energy", "wavelength")
_SPECTRAL_SIGNALS = ("EELS", "EDS", "CL", "Luminescence")


def read_microscope(path: Path, lazy: bool | None = None) -> Raw:
    """Read the largest image or stack of a microscope's file."""
    suffix = path.suffix.lower()
    if suffix in (".emd", ".hspy"):
        check_hdf5(path)
    elif suffix in (".dm3", ".dm4"):
        check_dm(path)
    elif suffix == ".ser":
        check_ser(path)
    elif suffix == ".emi":
        for beside in path.parent.glob(f"{glob.escape(path.stem)}_[0-9].ser"):
            check_ser(beside)
    as_lazy = use_lazy(lazy, path.stat().st_size)
    signals = _signals(path, as_lazy)
    images = [s for s in signals if s["data"].ndim in (2, 3) and not _spectral(s)]
    if not images:
        _refuse(signals, path)
    signal = max(images, key=lambda s: s["data"].size)
    if np.dtype(signal["data"].dtype).kind == "c":
        raise ReadError(f"{path} holds complex values, as of a Fourier transform; expected images.")
    if np.dtype(signal["data"].dtype).kind == "V":
        raise ReadError(f"{path} holds coloured images; expected grey ones, so convert it first.")
    data = signal["data"] if as_lazy else np.asarray(signal["data"])
    data, axes = _tilts_first(data, [_with_values(a) for a in signal["axes"]])
    raw = Raw(data if isinstance(data, np.ndarray) else guarded(data, path))
    if len(images) > 1:
        raw.notes.append(f"{path.name} holds {len(images)} data sets; the largest was read.")
    _add_pixel_size(raw, axes)
    _add_angles(raw, signal, axes)
    return raw


def _signals(path: Path, lazy: bool) -> list[Json]:
    log = logging.getLogger("rsciio")
    level = log.level
    # it warns of fields it leaves out; what is needed of them is checked here
    log.setLevel(logging.ERROR)
    try:
        if path.suffix.lower() == ".emd" and is_ncem(path):
            return read_ncem(path, lazy)
        plugin = importlib.import_module(f"rsciio.{_PLUGINS[path.suffix.lower()]}")
        signals: list[Json] = plugin.file_reader(str(path), lazy=lazy)
        return signals
    finally:
        log.setLevel(level)


def _spectral(signal: Json) -> bool:
    """Return whether one axis of a signal is of energies or wavelengths."""
    kind = f"{signal['metadata'].get('Signal', {}).get('signal_type') or ''}"
    axes = [(f"{a.get('units')}".lower(), f"{a.get('name')}".lower()) for a in signal["axes"]]
    energies = any(unit in _SPECTRA or name in _SPECTRA for unit, name in axes)
    return energies or (len(axes) == 3 and kind.startswith(_SPECTRAL_SIGNALS))


def _refuse(signals: list[Json], path: Path) -> None:
    spectra = [s for s in signals if _spectral(s)]
    if spectra:
        shape = " x ".join(str(n) for n in spectra[0]["data"].shape)
        raise ReadError(
            f"{path} holds spectra ({shape} values, of them one axis of energies) and no image; "
            "expected images or a tilt series."
        )
    shapes = ", ".join(" x ".join(map(str, s["data"].shape)) for s in signals)
    raise ReadError(
        f"{path} holds no image and no stack of images{f', only {shapes}' if shapes else ''}."
    )


def _with_values(axis: Json) -> Json:
    """Return an axis with all its values, which may be stored or be even steps."""
    if "values" in axis:
        return axis
    stored = axis.get("axis")
    n = int(axis["size"]) if "size" in axis else len(stored)  # type: ignore[arg-type]
    if stored is None:
        values = float(axis.get("offset", 0)) + float(axis.get("scale", 1)) * np.arange(n)
    else:
        values = np.asarray(stored, float)
    return {**axis, "size": n, "values": values}


def _is_tilt(axis: Json) -> bool:
    """Return whether an axis is that of the tilts: by its unit, or by its name and values."""
    per_unit = degrees_per(axis.get("units"))
    named = any(word in f"{axis.get('name')}".lower() for word in _TILT)
    if not has_unit(axis.get("units")):
        values = axis["values"]
        counts = np.array_equal(values, np.arange(len(values)) + values[0])
        return bool(named and not counts and np.ptp(values) > 5 and np.abs(values).max() <= 180)
    # milliradians are angles of scattering
    return per_unit == 1.0 or (per_unit is not None and per_unit > 1.0 and named)


def _tilts_first(data: Any, axes: list[Json]) -> tuple[Any, list[Json]]:
    """Return images (tilt, y, x), wherever the file has the axis of the tilts."""
    order = list(range(len(axes)))
    if len(axes) == 3:
        tilt = next((k for k in order if _is_tilt(axes[k])), None)
        names = [f"{a.get('name')}".lower().removeprefix("r_") for a in axes]
        if tilt is not None:
            order = [tilt, *(k for k in order if k != tilt)]
        elif "navigate" not in axes[0] and names[:2] == ["x", "y"]:
            # prismatic writes (x, y, depth)
            order = [2, 1, 0]
        if [names[k] for k in order[1:]] == ["x", "y"]:
            order = [order[0], order[2], order[1]]
    if order == list(range(len(axes))):
        return data, axes
    return data.transpose(order), [axes[k] for k in order]


def _step(axis: Json) -> float:
    values = axis["values"]
    if len(values) < 2:
        return float(abs(axis.get("scale", 0)))
    return float(abs(values[-1] - values[0]) / (len(values) - 1))


def _add_pixel_size(raw: Raw, axes: list[Json]) -> None:
    y, x = axes[-2:]
    raw.set_size(_step(x), _step(y), (x.get("units"), y.get("units")), "file header")
    if len(axes) == 3:
        raw.depth_nm = to_nm(_step(axes[0]), axes[0].get("units"))


def _add_angles(raw: Raw, signal: Json, axes: list[Json]) -> None:
    if raw.data.ndim == 3:
        angles, source = _tomography_tilts(signal, axes[0]["size"]), "file's table of tilts"
        if angles is None and _is_tilt(axes[0]):
            unit = degrees_per(axes[0].get("units"))
            if unit is None:
                raw.notes.append("The axis of the tilts has no unit; degrees were assumed.")
            angles, source = np.asarray(axes[0]["values"]) * (unit or 1.0), "file header"
    else:
        angle, source = _stage_angle(signal), "file header"
        angles = None if angle is None else np.array([angle])
    if angles is not None and np.isfinite(angles).all():
        raw.angles_deg, raw.angles_from = angles, source


def _tomography_tilts(signal: Json, n: int) -> np.ndarray | None:
    """Return the list of tilts that ETSpy keeps beside its stacks."""
    tilts = (signal["metadata"].get("Tomography") or {}).get("tilts")
    if tilts is None or isinstance(tilts, (str, dict)):
        return None
    with contextlib.suppress(TypeError, ValueError):
        values = np.ravel(np.asarray(tilts, float))
        return values if len(values) == n else None
    return None


def _stage_angle(signal: Json) -> float | None:
    """Return the stage's alpha tilt in degrees, through the parser's own table of tags."""
    original = signal.get("original_metadata", {})
    for source, target in signal.get("mapping", {}).items():
        destination, convert = target
        if not str(destination).endswith("Stage.tilt_alpha"):
            continue
        value: Any = original
        for key in source.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            with contextlib.suppress(TypeError, ValueError, KeyError):
                return float(value if convert is None else convert(value))
    stage = signal.get("metadata", {}).get("Acquisition_instrument", {}).get("TEM", {})
    angle = stage.get("Stage", {}).get("tilt_alpha")
    return None if angle is None else float(angle)
