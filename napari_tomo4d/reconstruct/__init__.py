"""Projector kernels and reconstruction algorithms."""

from napari_tomo4d.reconstruct.projector import Projector
from napari_tomo4d.reconstruct.setup import Cost, estimate, make_projector, ray_sums_per_second
from napari_tomo4d.reconstruct.sirt import sirt
from napari_tomo4d.reconstruct.wbp import wbp

__all__ = ["Cost", "Projector", "estimate", "make_projector", "ray_sums_per_second", "sirt", "wbp"]
