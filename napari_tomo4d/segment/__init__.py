"""Particles in reconstructed volumes: thresholds, labels, and identity through time."""

from napari_tomo4d.segment.classifier import PixelClassifier, classify_voxels
from napari_tomo4d.segment.edits import Delete, Edits, Merge, Paint, Renumber, Split, correct
from napari_tomo4d.segment.follow import EVENTS, follow_particles, particle_events
from napari_tomo4d.segment.morphology import clean_mask
from napari_tomo4d.segment.particles import (
    count_particles,
    separate_particles,
    separation_depths,
)
from napari_tomo4d.segment.preview import GreyLevels, MaskPreview, MaskSettings, noise_change
from napari_tomo4d.segment.resample import resample
from napari_tomo4d.segment.threshold_methods import (
    THRESHOLDS,
    ThresholdMethod,
    threshold_method,
)
from napari_tomo4d.segment.thresholds import (
    half_density,
    hysteresis,
    multi_otsu,
    otsu,
    threshold,
    threshold_noise,
    threshold_volumes,
)

__all__ = [
    "EVENTS",
    "THRESHOLDS",
    "Delete",
    "Edits",
    "GreyLevels",
    "MaskPreview",
    "MaskSettings",
    "Merge",
    "Paint",
    "PixelClassifier",
    "Renumber",
    "Split",
    "ThresholdMethod",
    "classify_voxels",
    "clean_mask",
    "correct",
    "count_particles",
    "follow_particles",
    "half_density",
    "hysteresis",
    "multi_otsu",
    "noise_change",
    "otsu",
    "particle_events",
    "resample",
    "separate_particles",
    "separation_depths",
    "threshold",
    "threshold_method",
    "threshold_noise",
    "threshold_volumes",
]
