"""Alignment of the images of a tilt series."""

from napari_tomo4d.align.alignment import (
    Alignment,
    apply,
    apply_axis,
    apply_file,
    read_alignment,
    write_alignment,
)
from napari_tomo4d.align.tilt_axis import find_and_apply_axis, tilt_axis
from napari_tomo4d.align.transforms import TiltAxis
from napari_tomo4d.align.translations import METHODS, Translations, align_series, translations

__all__ = [
    "METHODS",
    "Alignment",
    "TiltAxis",
    "Translations",
    "align_series",
    "apply",
    "apply_axis",
    "apply_file",
    "find_and_apply_axis",
    "read_alignment",
    "tilt_axis",
    "translations",
    "write_alignment",
]
