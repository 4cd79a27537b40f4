"""TIFF images and stacks, and OME-TIFF in both directions."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_tomo4d.boundary import require_size
from napari_tomo4d.content import Json
from napari_tomo4d.data import Labels, TiltSeries, Volume
from napari_tomo4d.errors import ReadError
from napari_tomo4d.io.header import KINDS, header_of
from napari_tomo4d.io.raw import Raw, lazy_images, use_lazy
from napari_tomo4d.io.units import to_nm
from napari_tomo4d.progress import Progress
from napari_tomo4d.voxels import edges_of

# pixels larger than this come from a printer's setting of dots per inch
_PRINTED_NM = 10_000.0


def read_tiff(path: Path, lazy: bool | None = None) -> Raw:
    """Read a TIFF image or stack with its OME, ImageJ or resolution pixel size."""
    with tifffile.TiffFile(path) as tif:
        raw = Raw()
        _add_pixel_size(raw, tif)
        parts = _parts(tif, raw, path)
        shape = _shape(parts, raw, path)
        dtype = parts[0].dtype.newbyteorder("=")
        n_bytes = prod(shape) * dtype.itemsize
        # pages beside it may be in other files
        if not any(p.is_multifile for p in parts):
            packed = any(p.keyframe.compression != 1 for p in parts)
            require_size(path, n_bytes, path.stat().st_size, packed=packed)
        if len(shape) == 3 and use_lazy(lazy, n_bytes):
            raw.data = lazy_images(path, shape, dtype, _loader(path, tif, parts, shape))
        else:
            data = [p.asarray().reshape(-1, *shape[-2:]) for p in parts]
            joined = data[0] if len(data) == 1 else np.concatenate(data)
            raw.data = joined.reshape(shape)
    return raw


def _parts(tif: tifffile.TiffFile, raw: Raw, path: Path) -> list[Any]:
    """Return the series to read: one, or all where images were appended one by one."""
    found = list(tif.series)
    if not found:
        raise ReadError(f"{path} holds no image.")
    alike = [s for s in found if s.shape == found[0].shape and s.dtype == found[0].dtype]
    if len(alike) == len(found) and not tif.is_ome:
        return found
    largest = max(found, key=lambda s: s.size)
    if len(found) > 1:
        raw.notes.append(f"{path.name} holds {len(found)} series of images; {_series(largest)}.")
    return [largest]


def _series(series: Any) -> str:
    shape = " x ".join(map(str, series.shape))
    return f"the largest was read ({shape})"


def _shape(parts: list[Any], raw: Raw, path: Path) -> tuple[int, ...]:
    """Return the shape (y, x) or (image, y, x) of what will be read."""
    first = parts[0]
    page = first.keyframe
    if page.photometric in (2, 5, 6, 8) or first.axes.endswith("S"):
        raise ReadError(
            f"{path} holds coloured images ({page.samplesperpixel} values per pixel); expected "
            "grey ones, so convert it first."
        )
    if first.dtype.kind == "c":
        raise ReadError(f"{path} holds complex values; expected grey images.")
    if page.photometric == 3:
        raw.notes.append(f"The colours of {path.name} were left out: its values were read as grey.")
    if raw.metadata.get("napari_tomo4d") is not None:
        # written with all axes, but readers drop those of length one
        return (first.size // prod(first.shape[-2:]), *first.shape[-2:])
    shape = tuple(n for n in first.shape if n > 1)
    shape = first.shape[-2:] if len(shape) < 2 else shape
    if len(shape) == 2 and len(parts) > 1:
        shape = (len(parts), *shape)
    elif len(parts) > 1:
        shape = (len(parts) * shape[0], *shape[1:])
    if len(shape) not in (2, 3) or first.dtype.kind not in "biuf":
        raise ReadError(
            f"{path} holds an array of shape {first.shape}; expected grey images "
            "(y, x) or a stack (image, y, x)."
        )
    return shape


def _loader(path: Path, tif: tifffile.TiffFile, parts: list[Any], shape: tuple[int, ...]) -> Any:
    """Return a function that reads some images, wherever the file keeps them."""
    image = shape[1:]
    first = parts[0]
    index = next(i for i, series in enumerate(tif.series) if series is first)
    offset = first.dataoffset
    dtype = first.dtype.newbyteorder(tif.byteorder)
    one_directory = len(parts) == 1 and offset is not None
    separate = len(parts) == shape[0]

    def load(start: int, stop: int) -> np.ndarray:
        pixels = int(np.prod(image))
        if one_directory:
            place = offset + start * pixels * dtype.itemsize
            data = np.fromfile(path, dtype, (stop - start) * pixels, offset=place)
        else:
            with tifffile.TiffFile(path) as again:
                if separate:
                    data = np.stack([again.series[i].asarray() for i in range(start, stop)])
                elif len(parts) > 1:
                    data = np.concatenate([s.asarray().reshape(-1, *image) for s in again.series])
                    data = data[start:stop]
                else:
                    series = again.series[index]
                    if len(series.pages) == shape[0]:
                        data = again.asarray(key=range(start, stop), series=index)
                    else:
                        data = series.asarray().reshape(shape)[start:stop]
        return data.reshape(stop - start, *image).astype(dtype.newbyteorder("="), copy=False)

    return load


def _add_pixel_size(raw: Raw, tif: tifffile.TiffFile) -> None:
    if tif.ome_metadata:
        _add_ome(raw, tif.ome_metadata)
        return
    tags: Any = tif.pages[0].tags  # type: ignore[union-attr]
    sizes = []
    imagej = tif.imagej_metadata
    unit: Any = (imagej or {}).get("unit")
    if unit is None:
        if imagej:
            return
        tag = tags.get("ResolutionUnit")
        unit = {2: "inch", 3: "cm"}.get(int(tag.value)) if tag is not None else None
    for name in ("YResolution", "XResolution"):
        resolution = tags.get(name)
        if resolution is None or not resolution.value[0]:
            return
        sizes.append(resolution.value[1] / resolution.value[0])
    raw.set_size(sizes[1], sizes[0], (unit, unit), "TIFF header", _imagej_depth(imagej, unit))
    if not imagej and raw.pixel_size_nm is not None and raw.pixel_size_nm > _PRINTED_NM:
        # 72 or 96 dots per inch is a printer's setting, not a microscope's
        raw.pixel_size_nm, raw.pixel_size_from = None, ""
        raw.notes.clear()


def _imagej_depth(imagej: Json | None, unit: object) -> float:
    """Return the distance of ImageJ's slices in nm, 0 if it does not say."""
    spacing = (imagej or {}).get("spacing")
    return to_nm(spacing, unit) or 0.0 if isinstance(spacing, (int, float)) else 0.0


def _add_ome(raw: Raw, xml: str) -> None:
    for element in ET.fromstring(xml).iter():
        tag = element.tag.rpartition("}")[2]
        if tag == "Pixels" and "PhysicalSizeX" in element.attrib and raw.pixel_size_nm is None:
            sizes = {a: float(element.attrib.get(f"PhysicalSize{a}", 0)) for a in "XYZ"}
            units = {a: element.attrib.get(f"PhysicalSize{a}Unit", "µm") for a in "XYZ"}
            x, y = sizes["X"], sizes["Y"] or sizes["X"]
            unit_y = units["Y"] if sizes["Y"] else units["X"]
            depth = to_nm(sizes["Z"], units["Z"]) or 0.0
            raw.set_size(x, y, (units["X"], unit_y), "OME header", depth)
        elif tag == "Description":
            header = _our_header(element.text or "")
            if header is not None:
                raw.metadata["napari_tomo4d"] = header


def _our_header(text: str) -> Json | None:
    """Return the header that this program writes, and None for any other description."""
    if not text.startswith("{"):
        return None
    try:
        header = json.loads(text)
    except ValueError:
        return None
    ours = isinstance(header, dict) and "schema_version" in header and header.get("kind") in KINDS
    return header if ours else None


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
