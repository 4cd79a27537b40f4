"""Frames, region, binning and background of tilt series."""

from napari_tomo4d.preprocess.background import subtract_background
from napari_tomo4d.preprocess.frames import average_frames, select_frame
from napari_tomo4d.preprocess.region import bin, crop

__all__ = ["average_frames", "bin", "crop", "select_frame", "subtract_background"]
