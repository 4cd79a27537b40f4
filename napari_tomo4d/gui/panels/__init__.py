"""The panels, one file each, in the order of the work."""

from napari_tomo4d.gui.panels.clean import CleanPanel
from napari_tomo4d.gui.panels.denoise import DenoisePanel
from napari_tomo4d.gui.panels.load import LoadPanel
from napari_tomo4d.gui.panels.reconstruct import ReconstructPanel

PANELS = (LoadPanel, CleanPanel, DenoisePanel, ReconstructPanel)

__all__ = ["PANELS", "CleanPanel", "DenoisePanel", "LoadPanel", "ReconstructPanel"]
