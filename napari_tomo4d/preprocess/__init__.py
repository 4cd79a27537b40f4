"""Frames, outliers, region, binning, background, brightness and calibration of tilt series."""

from napari_tomo4d.preprocess.background import (
    BACKGROUNDS,
    find_particles,
    membrane,
    plane,
    subtract_background,
)
from napari_tomo4d.preprocess.calibration import (
    PixelSize,
    dose_per_tilt,
    pixel_size_from_lattice,
    set_dose,
    set_pixel_size,
)
from napari_tomo4d.preprocess.distortion import (
    CorrectionMap,
    ScanDistortion,
    affine_from_orthogonal,
    correct_distortion,
    map_from_lattice,
    nonrigid_from_orthogonal,
)
from napari_tomo4d.preprocess.frames import align_frames, average_frames, select_frame
from napari_tomo4d.preprocess.intensity import normalise, remove_outliers
from napari_tomo4d.preprocess.region import bin, crop
from napari_tomo4d.preprocess.scan_drift import (
    FrameDrift,
    frame_drift,
    register_frames,
    straighten,
    undo_scan_drift,
)

__all__ = [
    "BACKGROUNDS",
    "CorrectionMap",
    "FrameDrift",
    "PixelSize",
    "ScanDistortion",
    "affine_from_orthogonal",
    "align_frames",
    "average_frames",
    "bin",
    "correct_distortion",
    "crop",
    "dose_per_tilt",
    "find_particles",
    "frame_drift",
    "map_from_lattice",
    "membrane",
    "nonrigid_from_orthogonal",
    "normalise",
    "pixel_size_from_lattice",
    "plane",
    "register_frames",
    "remove_outliers",
    "select_frame",
    "set_dose",
    "set_pixel_size",
    "straighten",
    "subtract_background",
    "undo_scan_drift",
]
