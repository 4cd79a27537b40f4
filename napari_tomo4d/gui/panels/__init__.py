"""The panels, one file each, in the order of the work."""

from napari_tomo4d.gui.panels.align.panel import AlignPanel
from napari_tomo4d.gui.panels.clean.panel import CleanPanel
from napari_tomo4d.gui.panels.denoise.panel import DenoisePanel
from napari_tomo4d.gui.panels.load.panel import LoadPanel
from napari_tomo4d.gui.panels.pairs.panel import PairsPanel
from napari_tomo4d.gui.panels.particles.panel import ParticlesPanel
from napari_tomo4d.gui.panels.reconstruct.panel import ReconstructPanel
from napari_tomo4d.gui.panels.segment.panel import SegmentPanel
from napari_tomo4d.gui.panels.tilt_axis.panel import TiltAxisPanel

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
