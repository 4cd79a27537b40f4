"""Alignment of the images of a tilt series."""

from napari_tomo4d.align.alignment import (
    apply,
    apply_axis,
    apply_file,
    read_alignment,
    set_tilt_axis,
    write_alignment,
)
from napari_tomo4d.align.leave_out import leave_out
from napari_tomo4d.align.neighbours import shift_between_neighbours
from napari_tomo4d.align.shift_files import (
    FoundShifts,
    files_of_times,
    path_of_all_times,
    read_shifts,
    shift_files,
    write_shifts,
)
from napari_tomo4d.align.tilt_axis import find_and_apply_axis, tilt_axis
from napari_tomo4d.align.time_registration import (
    TimeRegistration,
    align_times,
    register_volumes,
    shift_volumes,
)
from napari_tomo4d.align.transforms import Alignment, Curve, TiltAxis
from napari_tomo4d.align.translations import METHODS, Translations, align_series, translations

__all__ = [
    "METHODS",
    "Alignment",
    "Curve",
    "FoundShifts",
    "TiltAxis",
    "TimeRegistration",
    "Translations",
    "align_series",
    "align_times",
    "apply",
    "apply_axis",
    "apply_file",
    "files_of_times",
    "find_and_apply_axis",
    "leave_out",
    "path_of_all_times",
    "read_alignment",
    "read_shifts",
    "register_volumes",
    "set_tilt_axis",
    "shift_between_neighbours",
    "shift_files",
    "shift_volumes",
    "tilt_axis",
    "translations",
    "write_alignment",
    "write_shifts",
]
