"""Numbers from labelled volumes: particles, necks, sintering over time."""

from napari_tomo4d.measure.contacts import coordination, find_pairs
from napari_tomo4d.measure.follow import follow_pairs
from napari_tomo4d.measure.growth import (
    MECHANISMS,
    ArrheniusFit,
    GrowthFit,
    compare_mechanisms,
    correlations,
    fit_arrhenius,
    fit_growth,
)
from napari_tomo4d.measure.neck import Neck, Section, neck
from napari_tomo4d.measure.particles import particles, totals
from napari_tomo4d.measure.steps import measure_pairs, measure_particles
from napari_tomo4d.measure.tables import headers, read_table, write_table
from napari_tomo4d.measure.uncertainty import repeat_errors, surface_uncertainty
from napari_tomo4d.two_spheres import (
    two_sphere_curve,
    two_sphere_curve_as_measured,
    two_sphere_neck,
)

__all__ = [
    "MECHANISMS",
    "ArrheniusFit",
    "GrowthFit",
    "Neck",
    "Section",
    "compare_mechanisms",
    "coordination",
    "correlations",
    "find_pairs",
    "fit_arrhenius",
    "fit_growth",
    "follow_pairs",
    "headers",
    "measure_pairs",
    "measure_particles",
    "neck",
    "particles",
    "read_table",
    "repeat_errors",
    "surface_uncertainty",
    "totals",
    "two_sphere_curve",
    "two_sphere_curve_as_measured",
    "two_sphere_neck",
    "write_table",
]
