"""Simulated experiments of which every true value is known."""

from napari_tomo4d.simulate.microscope import detect, pink_noise
from napari_tomo4d.simulate.sintering import SinteringTruth, sintering
from napari_tomo4d.simulate.two_spheres import neck_growth, two_sphere_distance

__all__ = [
    "SinteringTruth",
    "detect",
    "neck_growth",
    "pink_noise",
    "sintering",
    "two_sphere_distance",
]
