"""Microscope files that RosettaSciIO parses: DM3/DM4, EMI/SER, EMD, HSPY."""

from __future__ import annotations

import contextlib
import glob
import importlib
import logging
from pathlib import Path
from typing import Any

import numpy as np

from napari_tomo4d.checks import Pixels
from napari_tomo4d.content import Json
from napari_tomo4d.errors import ReadError
from napari_tomo4d.io.hdf5 import check_hdf5
from napari_tomo4d.io.raw import Raw, to_nm, use_lazy
from napari_tomo4d.io.ser import check_ser

_PLUGINS = {
    ".dm3": "digitalmicrograph",
    ".dm4": "digitalmicrograph",
    ".emi": "tia",
    ".ser": "tia",
    ".emd": "emd",
    ".hspy": "hspy",
}


def read_microscope(path: Path, lazy: bool | None = None) -> Raw:
    """Read the first image or stack of a microscope's file."""
    suffix = path.suffix.lower()
    if suffix in (".emd", ".hspy"):
        check_hdf5(path)
    elif suffix == ".ser":
        check_ser(path)
    elif suffix == ".emi":
        for beside in path.parent.glob(f"{glob.escape(path.stem)}_[0-9].ser"):
            check_ser(beside)
    plugin = importlib.import_module(f"rsciio.{_PLUGINS[suffix]}")
    as_lazy = use_lazy(lazy, path.stat().st_size)
    log = logging.getLogger("rsciio")
    level = log.level
    # it warns of fields it leaves out; what is needed of them is checked here
    log.setLevel(logging.ERROR)
    try:
        signals = plugin.file_reader(str(path), lazy=as_lazy)
    finally:
        log.setLevel(level)
    images = [s for s in signals if s["data"].ndim in (2, 3)]
    if not images:
        raise ReadError(f"{path} holds no image and no stack of images.")
    signal = max(images, key=lambda s: s["data"].size)
    raw = Raw(signal["data"] if as_lazy else np.asarray(signal["data"]))
    if len(images) > 1:
        raw.notes.append(f"{path.name} holds {len(images)} data sets; the largest was read.")
    axes = signal["axes"]
    _add_pixel_size(raw, axes[-2:])
    angles = _angles(signal, axes, raw.data)
    if angles is not None:
        raw.angles_deg, raw.angles_from = angles, "file header"
    return raw


def _add_pixel_size(raw: Raw, axes: list[Json]) -> None:
    found = [to_nm(float(abs(a["scale"])), a.get("units")) for a in axes]
    sizes = [s for s in found if s is not None]
    if len(sizes) < len(axes):
        units = {a.get("units") for a in axes} - {None, ""}
        if units:
            raw.notes.append(f"The pixels are in {units.pop()}, not a length; size unknown.")
        return
    raw.pixel_size_nm, raw.pixel_size_from = sizes[1], "file header"
    if not np.isclose(sizes[0], sizes[1], rtol=1e-3):
        raw.notes.append(
            f"Pixels are not square ({sizes[0]:g} x {sizes[1]:g} nm); the width was used."
        )


def _angles(signal: Json, axes: list[Json], data: Pixels) -> np.ndarray | None:
    if data.ndim == 3:
        axis = axes[0]
        name = f"{axis.get('name')}".lower()
        if any(word in name for word in ("tilt", "angle", "alpha")):
            factor = {"deg": 1, "degree": 1, "degrees": 1, "°": 1, "rad": 180 / np.pi}.get(
                f"{axis.get('units')}".lower()
            )
            if factor is not None:
                result: np.ndarray | None = (
                    axis["offset"] + axis["scale"] * np.arange(axis["size"])
                ) * factor
                return result
        return None
    angle = _stage_angle(signal)
    return None if angle is None else np.array([angle])


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
