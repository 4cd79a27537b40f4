"""Measuring particles as a step of a recipe."""

from __future__ import annotations

import math

import pandas as pd

from napari_tomo4d.data import AnyLabels, Labels, Table, times_of
from napari_tomo4d.errors import DataError
from napari_tomo4d.measure.particles.shapes import particles_of_times
from napari_tomo4d.progress import Progress
from napari_tomo4d.registry import step


@step(
    "measure.measure_particles", title="Measure particles", takes=Labels, gives=Table, together=True
)
def measure_particles(labels: AnyLabels, *, progress: Progress | None = None) -> Table:
    """Measure every particle at every time.

    Parameters
    ----------
    labels : Labels, or TimeSeries of Labels
    progress : Progress, optional

    Returns
    -------
    Table
        Columns ``time`` (from 0), ``time_s`` and ``temperature_c`` (NaN if unknown) and those of
        `particle_table`; no rows of times without particles.

    Raises
    ------
    DataError
        If there is no particle at any time.
    """
    times, temperatures = (getattr(labels, n, None) for n in ("times_s", "temperatures_c"))
    parts = []
    for i, part in particles_of_times(times_of(labels), progress):
        part.insert(0, "time", i)
        part.insert(1, "time_s", math.nan if times is None else float(times[i]))
        warm = math.nan if temperatures is None else float(temperatures[i])
        part.insert(2, "temperature_c", warm)
        parts.append(part)
    if not parts:
        raise DataError("There are no particles at any time: separate them first.")
    return Table(pd.concat(parts, ignore_index=True), f"{labels.name} particles")
