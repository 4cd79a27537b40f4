"""The panels, one file each, in the order of the work."""

from napari_tomo4d.gui.panels.load import LoadPanel
from napari_tomo4d.gui.panels.reconstruct import ReconstructPanel

PANELS = (LoadPanel, ReconstructPanel)

__all__ = ["PANELS", "LoadPanel", "ReconstructPanel"]
