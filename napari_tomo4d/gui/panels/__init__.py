"""The panels, one file each, in the order of the work."""

from napari_tomo4d.gui.panels.align import AlignPanel
from napari_tomo4d.gui.panels.clean import CleanPanel
from napari_tomo4d.gui.panels.denoise import DenoisePanel
from napari_tomo4d.gui.panels.load import LoadPanel
from napari_tomo4d.gui.panels.pairs import PairsPanel
from napari_tomo4d.gui.panels.particles import ParticlesPanel
from napari_tomo4d.gui.panels.reconstruct import ReconstructPanel
from napari_tomo4d.gui.panels.segment import SegmentPanel
from napari_tomo4d.gui.panels.tilt_axis import TiltAxisPanel

PANELS = (
    LoadPanel,
    CleanPanel,
    DenoisePanel,
    AlignPanel,
    TiltAxisPanel,
    ReconstructPanel,
    SegmentPanel,
    ParticlesPanel,
    PairsPanel,
)

__all__ = [
    "PANELS",
    "AlignPanel",
    "CleanPanel",
    "DenoisePanel",
    "LoadPanel",
    "PairsPanel",
    "ParticlesPanel",
    "ReconstructPanel",
    "SegmentPanel",
    "TiltAxisPanel",
]
