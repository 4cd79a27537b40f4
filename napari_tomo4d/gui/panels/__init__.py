"""The panels, one file each, in the order of the work."""

from napari_tomo4d.gui.panels.align import AlignPanel
from napari_tomo4d.gui.panels.clean import CleanPanel
from napari_tomo4d.gui.panels.denoise import DenoisePanel
from napari_tomo4d.gui.panels.load import LoadPanel
from napari_tomo4d.gui.panels.reconstruct import ReconstructPanel
from napari_tomo4d.gui.panels.tilt_axis import TiltAxisPanel

PANELS = (LoadPanel, CleanPanel, DenoisePanel, AlignPanel, TiltAxisPanel, ReconstructPanel)

__all__ = [
    "PANELS",
    "AlignPanel",
    "CleanPanel",
    "DenoisePanel",
    "LoadPanel",
    "ReconstructPanel",
    "TiltAxisPanel",
]
