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
    pixel_size_from_lattice,
    set_dose,
    set_pixel_size,
)
from napari_tomo4d.preprocess.frames import average_frames, select_frame
from napari_tomo4d.preprocess.intensity import normalise, remove_outliers
from napari_tomo4d.preprocess.region import bin, crop

__all__ = [
    "BACKGROUNDS",
    "PixelSize",
    "average_frames",
    "bin",
    "crop",
    "find_particles",
    "membrane",
    "normalise",
    "pixel_size_from_lattice",
    "plane",
    "remove_outliers",
    "select_frame",
    "set_dose",
    "set_pixel_size",
    "subtract_background",
]
