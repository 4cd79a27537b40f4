"""Numbers from labelled volumes: particles, necks, sintering over time."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from napari_tomo4d.measure.necks.contacts import coordination, find_pairs
from napari_tomo4d.measure.necks.follow import follow_pairs
from napari_tomo4d.measure.necks.growth import (
    MECHANISMS,
    ArrheniusFit,
    GrowthFit,
    compare_mechanisms,
    correlations,
    fit_arrhenius,
    fit_growth,
)
from napari_tomo4d.measure.necks.growth_of_pairs import growth_of_pairs, growth_table
from napari_tomo4d.measure.necks.growth_sentences import growth_sentences
from napari_tomo4d.measure.necks.neck import neck
from napari_tomo4d.measure.necks.neck_values import Neck, Section
from napari_tomo4d.measure.necks.pairs_step import measure_pairs
from napari_tomo4d.measure.necks.uncertainty import repeat_errors, surface_uncertainty
from napari_tomo4d.measure.particles.particles_step import measure_particles
from napari_tomo4d.measure.particles.shapes import particle_table, totals
from napari_tomo4d.measure.tables import headers, read_table, write_table
from napari_tomo4d.two_spheres import (
    two_sphere_curve,
    two_sphere_curve_as_measured,
    two_sphere_neck,
)

if TYPE_CHECKING:
    from napari_tomo4d.measure.report.figures import (
        growth_figure,
        model_plot,
        over_time,
        save_figures,
        totals_figure,
    )
    from napari_tomo4d.measure.report.report import write_report

# these draw, and drawing takes half a second to load
_LATER = {
    "growth_figure": "report.figures",
    "model_plot": "report.figures",
    "over_time": "report.figures",
    "save_figures": "report.figures",
    "totals_figure": "report.figures",
    "write_report": "report.report",
}

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
    "growth_figure",
    "growth_of_pairs",
    "growth_sentences",
    "growth_table",
    "headers",
    "measure_pairs",
    "measure_particles",
    "model_plot",
    "neck",
    "over_time",
    "particle_table",
    "read_table",
    "repeat_errors",
    "save_figures",
    "surface_uncertainty",
    "totals",
    "totals_figure",
    "two_sphere_curve",
    "two_sphere_curve_as_measured",
    "two_sphere_neck",
    "write_report",
    "write_table",
]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
