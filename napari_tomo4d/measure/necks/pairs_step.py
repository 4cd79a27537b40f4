"""Measuring pairs as a step of a recipe, with the uncertainties that the volumes tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from napari_tomo4d.data import (
    AnyLabels,
    AnyVolume,
    Labels,
    Table,
    Volume,
    is_series,
    times_of,
)
from napari_tomo4d.errors import DataError
from napari_tomo4d.measure.necks.follow import as_frame, follow_pairs
from napari_tomo4d.measure.necks.neck import SECTIONS
from napari_tomo4d.measure.necks.uncertainty import Surfaces
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import warn
from napari_tomo4d.quantities import Row
from napari_tomo4d.registry import provenance_as_by, step

FROM_VOLUME, FROM_VOXELS = "volume", "voxels"


@step(
    "measure.measure_pairs",
    title="Measure pairs",
    takes=Labels,
    gives=Table,
    together=True,
    also={"volumes": Volume},
)
def measure_pairs(
    labels: AnyLabels,
    max_gap_nm: Annotated[
        float, Param("Particles this close are pairs too; 0: contact only.", unit="nm", minimum=0)
    ] = 0.0,
    section: Annotated[
        str, Param("Where the width of a neck is taken.", choices=SECTIONS)
    ] = "across-beam",
    surface_uncertainty_nm: Annotated[
        float | None,
        Param("Of the position of the surface; empty: see surface_from.", unit="nm", minimum=0),
    ] = None,
    pixel_size_uncertainty: Annotated[
        float, Param("Relative, of the voxel size.", minimum=0, maximum=1, step=0.01)
    ] = 0.0,
    pairs: Annotated[
        tuple[tuple[int, int], ...] | None,
        Param("Pairs of particles to measure; empty: all that touch.", empty="all that touch"),
    ] = None,
    leave_out: Annotated[
        tuple[tuple[int, int, int], ...],
        Param("Rows to leave out: two particles and the time, from 0.", advanced=True),
    ] = (),
    surface_from: Annotated[
        str,
        Param(
            "What tells how well the surface is known: the noise of the volume, or half a voxel.",
            choices=(FROM_VOLUME, FROM_VOXELS),
        ),
    ] = FROM_VOLUME,
    *,
    volumes: AnyVolume | None = None,
    progress: Progress | None = None,
) -> Table:
    """Measure pairs of particles at every time.

    Parameters
    ----------
    labels : Labels, or TimeSeries of Labels
        A particle has the same number at all times.
    max_gap_nm, section, pixel_size_uncertainty, pairs, leave_out
        As in `follow_pairs`.
    surface_uncertainty_nm : float, optional
        In nm, the same at all times; by default what `surface_from` says.
    surface_from : {"volume", "voxels"}
        The uncertainty of the surface at each time: from the noise of the volume, see
        `surface_uncertainty`, where there are volumes; or half a voxel.
    volumes : Volume, or TimeSeries of Volume, optional
        What the labels were made from, of the same shape and number of times.
    progress : Progress, optional

    Returns
    -------
    Table
        See `follow_pairs`.

    Raises
    ------
    DataError
        If no particles touch, or volumes do not fit the labels.
    """
    progress = progress or Progress()
    items = times_of(labels)
    surfaces: float | list[float | None] | None = surface_uncertainty_nm
    if surfaces is None and volumes is not None and surface_from == FROM_VOLUME:
        known = Surfaces(items, _fitting(times_of(volumes), items))
        surfaces = known.all(progress.part(0, 2))
        if known.note:
            warn(known.note)
    found = follow_pairs(
        labels if is_series(labels) else items,
        pairs=pairs,
        leave_out=leave_out,
        max_gap_nm=max_gap_nm,
        section=section,
        surface_uncertainty_nm=surfaces,
        pixel_size_uncertainty=pixel_size_uncertainty,
        progress=progress.part(1, 2),
    )
    return Table(found, table_name(labels))


def table_name(labels: AnyLabels) -> str:
    """Return the name of the table of pairs of these labels."""
    return f"{labels.name} pairs"


def _fitting(volumes: Sequence[Volume], labels: Sequence[Labels]) -> Sequence[Volume]:
    shapes = [[tuple(one.data.shape) for one in many] for many in (volumes, labels)]
    if shapes[0] != shapes[1]:
        raise DataError(
            "The volumes differ from the labels in shape or number of times; give the volumes "
            "that were segmented, or none."
        )
    return volumes


def table_of_rows(
    rows: Sequence[Row],
    labels: AnyLabels,
    volumes: AnyVolume | None,
    **parameters: object,
) -> Table:
    """Return rows that were measured one by one as the step gives them with these parameters.

    Parameters
    ----------
    rows : sequence of dict
        Of pairs in the order of ``parameters["pairs"]``, each in the order of time.
    labels, volumes, **parameters
        What `measure_pairs` would be given for the same rows.

    Returns
    -------
    Table
        Its provenance names the step, so that a recipe measures the same again.
    """
    provenance = provenance_as_by("measure.measure_pairs", labels, volumes=volumes, **parameters)
    return Table(as_frame(rows), table_name(labels), provenance=provenance)
