"""Projector kernels and reconstruction algorithms."""

from napari_tomo4d.reconstruct.cgls import cgls
from napari_tomo4d.reconstruct.cost import Estimate, estimate, ray_sums_per_second
from napari_tomo4d.reconstruct.dart import dart
from napari_tomo4d.reconstruct.geometry import fullest_slices, make_projector, slices_of
from napari_tomo4d.reconstruct.iser import iser
from napari_tomo4d.reconstruct.joint_4d import joint_4d
from napari_tomo4d.reconstruct.preview import SlicePreview
from napari_tomo4d.reconstruct.projector import Projector
from napari_tomo4d.reconstruct.sirt import os_sart, sirt
from napari_tomo4d.reconstruct.tv import tv
from napari_tomo4d.reconstruct.wbp import wbp

__all__ = [
    "Estimate",
    "Projector",
    "SlicePreview",
    "cgls",
    "dart",
    "estimate",
    "fullest_slices",
    "iser",
    "joint_4d",
    "make_projector",
    "os_sart",
    "ray_sums_per_second",
    "sirt",
    "slices_of",
    "tv",
    "wbp",
]
