"""Simulated experiments of which every true value is known."""

from napari_tomo4d.simulate.microscope import detect, pink_noise
from napari_tomo4d.simulate.neck_growth import neck_growth
from napari_tomo4d.simulate.sintering import SinteringTruth, sintering

__all__ = [
    "SinteringTruth",
    "detect",
    "neck_growth",
    "pink_noise",
    "sintering",
]
