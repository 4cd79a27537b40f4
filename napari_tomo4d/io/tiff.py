"""TIFF images and stacks, and OME-TIFF in both directions."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_tomo4d.content import Json
from napari_tomo4d.data import Labels, TiltSeries, Volume
from napari_tomo4d.errors import ReadError
from napari_tomo4d.io.header import header_of
from napari_tomo4d.io.raw import Raw, lazy_images, to_nm, use_lazy
from napari_tomo4d.progress import Progress
from napari_tomo4d.voxels import edges_of


def read_tiff(path: Path, lazy: bool | None = None) -> Raw:
    """Read a TIFF image or stack with its OME, ImageJ or resolution pixel size."""
    try:
        with tifffile.TiffFile(path) as tif:
            series = tif.series[0]
            shape = tuple(n for n in series.shape if n > 1)
            shape = series.shape[-2:] if len(shape) < 2 else shape
            if len(shape) not in (2, 3) or series.dtype.kind not in "biuf":
                raise ReadError(
                    f"{path} holds an array of shape {series.shape}; expected grey images "
                    "(y, x) or a stack (image, y, x)."
                )
            raw = Raw()
            _add_pixel_size(raw, tif)
            if len(shape) == 3 and use_lazy(lazy, series.nbytes):

                def load(first: int, stop: int) -> np.ndarray:
                    with tifffile.TiffFile(path) as again:
                        return again.asarray(key=range(first, stop)).reshape(-1, *shape[1:])

                raw.data = lazy_images(path, shape, series.dtype, load)
            else:
                raw.data = series.asarray().reshape(shape)
    except ReadError:
        raise
    except Exception as error:
        # a damaged file can fail anywhere in the parser
        raise ReadError(f"{path} can't be read as a TIFF file: {error}.") from error
    return raw


def _add_pixel_size(raw: Raw, tif: tifffile.TiffFile) -> None:
    if tif.ome_metadata:
        _add_ome(raw, tif.ome_metadata)
        return
    page: Any = tif.pages[0]
    resolution = page.tags.get("XResolution")
    if resolution is None or not resolution.value[0]:
        return
    per_pixel = resolution.value[1] / resolution.value[0]
    unit = (tif.imagej_metadata or {}).get("unit")
    if unit is None and not tif.imagej_metadata:
        # 72 or 96 dots per inch is a printer's setting, not a microscope's
        return
    raw.pixel_size_nm = to_nm(per_pixel, unit.replace("\\u00B5", "µ") if unit else None)
    if raw.pixel_size_nm is not None:
        raw.pixel_size_from = "TIFF header"


def _add_ome(raw: Raw, xml: str) -> None:
    for element in ET.fromstring(xml).iter():
        tag = element.tag.rpartition("}")[2]
        if tag == "Pixels" and "PhysicalSizeX" in element.attrib:
            unit = element.attrib.get("PhysicalSizeXUnit", "µm")
            raw.pixel_size_nm = to_nm(float(element.attrib["PhysicalSizeX"]), unit)
            raw.pixel_size_from = "OME header"
        elif tag == "Description" and (element.text or "").startswith("{"):
            raw.metadata["napari_tomo4d"] = json.loads(element.text or "{}")


def write_ome_tiff(item: TiltSeries | Volume | Labels, path: Path, _: Progress) -> None:
    """Write images or a volume plane by plane as OME-TIFF; all else goes to the description."""
    volume = not isinstance(item, TiltSeries)
    data = item.images if isinstance(item, TiltSeries) else item.data
    metadata: Json = {
        "axes": "ZYX" if volume else "TYX",
        "Description": json.dumps(header_of(item)),
    }
    if item.pixel_size_nm is not None:
        for axis, edge in zip("ZYX", edges_of(item.pixel_size_nm), strict=True):
            if volume or axis != "Z":
                metadata[f"PhysicalSize{axis}"] = edge
                metadata[f"PhysicalSize{axis}Unit"] = "nm"
    planes = (np.asarray(data[i]) for i in range(data.shape[0]))
    with tifffile.TiffWriter(path, bigtiff=True, ome=True) as tif:
        tif.write(planes, shape=data.shape, dtype=data.dtype, metadata=metadata)
