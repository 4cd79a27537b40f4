"""Measuring as steps of a recipe: labelled particles in, a table out."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pandas as pd

from napari_tomo4d.data import Labels, Table, TimeSeries, is_series, times_of, times_s_of
from napari_tomo4d.measure.necks.follow import follow_pairs
from napari_tomo4d.measure.necks.neck import SECTIONS
from napari_tomo4d.measure.particles.shapes import particle_table
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress
from napari_tomo4d.registry import step


@step("measure.measure_pairs", title="Measure pairs", takes=Labels, gives=Table, together=True)
def measure_pairs(
    labels: Labels | TimeSeries[Labels],
    max_gap_nm: Annotated[
        float, Param("Particles this close are pairs too; 0: contact only.", unit="nm", minimum=0)
    ] = 0.0,
    section: Annotated[
        str, Param("Where the width of a neck is taken.", choices=SECTIONS)
    ] = "across-beam",
    surface_uncertainty_nm: Annotated[
        float | None,
        Param("Of the position of the surface; empty: half a voxel.", unit="nm", minimum=0),
    ] = None,
    pixel_size_uncertainty: Annotated[
        float, Param("Relative, of the voxel size.", minimum=0, maximum=1, step=0.01)
    ] = 0.0,
    *,
    progress: Progress | None = None,
) -> Table:
    """Measure every pair of particles at every time.

    Parameters
    ----------
    labels : Labels, or TimeSeries of Labels
        A particle has the same number at all times.
    max_gap_nm, section, surface_uncertainty_nm, pixel_size_uncertainty
        As in `follow_pairs`.
    progress : Progress, optional

    Returns
    -------
    Table
        See `follow_pairs`.
    """
    found = follow_pairs(
        labels if is_series(labels) else [labels],
        max_gap_nm=max_gap_nm,
        section=section,
        surface_uncertainty_nm=surface_uncertainty_nm,
        pixel_size_uncertainty=pixel_size_uncertainty,
        progress=progress,
    )
    return Table(found, f"{labels.name} pairs")


@step(
    "measure.measure_particles", title="Measure particles", takes=Labels, gives=Table, together=True
)
def measure_particles(
    labels: Labels | TimeSeries[Labels], *, progress: Progress | None = None
) -> Table:
    """Measure every particle at every time.

    Parameters
    ----------
    labels : Labels, or TimeSeries of Labels
    progress : Progress, optional

    Returns
    -------
    Table
        Columns ``time``, ``time_s`` (NaN if unknown) and those of `particles`. A time without
        particles has no rows.

    Raises
    ------
    DataError
        If there are no particles at any time.
    """
    progress = progress or Progress()
    items, times = times_of(labels), times_s_of(labels)
    there = [bool((np.asarray(item.data) > 0).any()) for item in items]
    parts = []
    for i, item in enumerate(items):
        progress.report(i, len(items), "Measuring particles")
        if any(there) and not there[i]:
            continue
        part = particle_table(item)
        part.insert(0, "time", i)
        part.insert(1, "time_s", float("nan") if times is None else float(times[i]))
        parts.append(part)
    return Table(pd.concat(parts, ignore_index=True), f"{labels.name} particles")
