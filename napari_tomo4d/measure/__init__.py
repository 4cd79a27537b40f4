"""Numbers from labelled volumes: particles, necks, sintering over time."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from napari_tomo4d.measure.figures import (
        growth_figure,
        model_plot,
        over_time,
        save_figures,
        totals_figure,
    )
    from napari_tomo4d.measure.report import write_report
    from napari_tomo4d.measure.report_growth import growth_table

# these draw, and drawing takes half a second to load
_LATER = {
    "growth_figure": "figures",
    "growth_table": "report_growth",
    "model_plot": "figures",
    "over_time": "figures",
    "save_figures": "figures",
    "totals_figure": "figures",
    "write_report": "report",
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
    "growth_table",
    "headers",
    "measure_pairs",
    "measure_particles",
    "model_plot",
    "neck",
    "over_time",
    "particles",
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
