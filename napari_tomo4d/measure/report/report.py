"""One file that says what a sample did: numbers, pictures, figures, and where they came from."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_tomo4d.data import (
    AnyLabels,
    AnyVolume,
    Labels,
    Volume,
    is_series,
    times_of,
    times_s_of,
)
from napari_tomo4d.errors import DataError
from napari_tomo4d.measure.necks.contacts import pairs_of_times
from napari_tomo4d.measure.necks.follow import follow_pairs
from napari_tomo4d.measure.necks.growth import correlations
from napari_tomo4d.measure.necks.growth_of_pairs import Growth, as_table, growth_of_pairs
from napari_tomo4d.measure.necks.uncertainty import Surfaces
from napari_tomo4d.measure.particles.shapes import particles_of_times, totals
from napari_tomo4d.measure.report import html
from napari_tomo4d.measure.report.figures import all_figures, image_of
from napari_tomo4d.measure.report.pictures import draw_pair, pair_views
from napari_tomo4d.measure.report.tables import tables_html
from napari_tomo4d.measure.report.text import summary
from napari_tomo4d.measure.tables import headers
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import Provenance, jsonable, software_version
from napari_tomo4d.quantities import MISSING, time_names, with_error
from napari_tomo4d.whole_files import check_free, write_whole

_NEEDED = (
    *("pair", "time", "time_s", "a", "b"),
    *("neck_ratio", "distance_ratio", "aspect_ratio", "remarks"),
)
_CAPTIONS = {
    "neck_over_time": "Neck radius over particle radius. Bars: standard uncertainty.",
    "distance_over_time": "Distance over particle diameter. Bars: standard uncertainty.",
    "model": "Neck against distance beside the model of two equal spheres at constant volume: "
    "dashed as defined, with the radius of the spheres at the beginning; solid as this protocol "
    "measures such spheres. Colour: height over width of the particles.",
    "growth": "Growth of the necks with the fitted laws; n with its 95 % confidence interval.",
    "totals": "Surface of all particles without their contacts, number of necks and of particles.",
}
_LONG_TEXT = 2000


def write_report(
    path: str | Path,
    labels: AnyLabels,
    table: pd.DataFrame | None = None,
    *,
    volumes: AnyVolume | None = None,
    section: str = "across-beam",
    title: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Write a report of particles and necks as one HTML file that needs nothing else.

    Parameters
    ----------
    path : str or Path
        Of the file, such as ``report.html``.
    labels : Labels or TimeSeries of Labels
        With a voxel size; a particle has the same number at all times.
    table : pandas.DataFrame, optional
        From `follow_pairs` of these labels; measured here by default.
    volumes : Volume or TimeSeries of Volume, optional
        What was segmented, one per labels and of their shape: the pictures show its grey values,
        and pairs measured here get the uncertainty of the surface from its noise.
    section : {"across-beam", "longest"}
        As in `neck`; for a table that is given, as it was measured.
    title : str, optional
    overwrite : bool
        Replace a file that exists.
    progress : Progress, optional

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    DataError
        If these are no labels, or table or volumes don't belong to them.
    ParameterError
        If the voxel size is not known.
    WriteError
        If the file exists or can't be written; nothing is left half written.
    Cancelled
        If the user asked to; nothing is written.

    Notes
    -----
    Pairs, if measured here, are all that touch at any time. The file holds every table as CSV
    with all digits, too.
    """
    path = check_free(path, overwrite=overwrite)
    progress = progress or Progress()
    items = _items(labels, Labels, "labels")
    shown = None if volumes is None else _volumes(volumes, items)
    known = times_s_of(labels)
    surfaces = Surfaces(items, shown) if table is None else None
    table = _table(labels, items, table, section, surfaces, progress.part(0, 3))
    times = time_names(_times(table, known, len(items)), len(items))
    growth = growth_of_pairs(table) if len(table) else None
    tables = _tables(labels, items, table, growth, progress.part(1, 3))
    pictures = _pictures(table, items, shown, section, times, progress.part(2, 3))
    name = labels.name
    temperatures = labels.temperatures_c if is_series(labels) else None
    said = summary(
        name,
        times,
        temperatures,
        labels.pixel_size_nm,
        tables["totals"],
        table,
        tables["correlations"],
        growth,
    )
    of_pairs = surfaces if len(table) else None
    known_nm = [] if of_pairs is None else [s for s in of_pairs.all() if s is not None]
    if of_pairs is not None and of_pairs.note:
        said.append(of_pairs.note)
    if known_nm:
        low, high = (f"{f(known_nm):.2g}" for f in (min, max))
        span = low if low == high else f"{low} to {high}"
        said.append(
            f"From the noise of the volumes, surfaces are known to {span} nm; that is part of the "
            "uncertainties."
        )
    sections = [
        ("Summary", html.bullets(said)),
        ("Figures", _figures(table, tables["totals"], growth)),
        ("Pairs over time", pictures),
        ("Tables", tables_html(table, tables, times)),
        ("What happened to the particles", _events(items, times)),
        ("How this was made", _provenance(items[0].provenance)),
    ]
    now = datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z").strip()
    heading = title or f"Sintering report: {name}"
    text = html.page(heading, f"{software_version()}, {now}", sections)
    progress.report(1, 1, "Writing the report")
    return write_whole(text.encode("utf-8"), path, overwrite=overwrite)


def _items(data: Any, kind: type, what: str) -> list[Any]:
    items = list(times_of(data))
    if not isinstance(items[0], kind):
        raise DataError(f"A report needs {what}, of one or several times; segment the data first.")
    return items


def _volumes(volumes: Any, labels: list[Labels]) -> list[Volume]:
    items = _items(volumes, Volume, "volumes to show")
    if len(items) != len(labels):
        raise DataError(
            f"There are labels of {len(labels)} times but volumes of {len(items)}; give one each."
        )
    for volume, label in zip(items, labels, strict=True):
        if volume.data.shape != label.data.shape:
            raise DataError(
                f"A volume has shape {volume.data.shape} but its labels {label.data.shape}; give "
                "the volumes that were segmented."
            )
    return items


def _table(
    labels: AnyLabels,
    items: list[Labels],
    table: pd.DataFrame | None,
    section: str,
    surfaces: Surfaces | None,
    progress: Progress,
) -> pd.DataFrame:
    if table is None:
        wanted = pairs_of_times(items)
        if not wanted:
            return pd.DataFrame(columns=list(_NEEDED))
        return follow_pairs(
            labels if is_series(labels) else items,
            pairs=wanted,
            section=section,
            surface_uncertainty_nm=None if surfaces is None else surfaces.all(progress.part(0, 2)),
            progress=progress.part(1, 2),
        )
    missing = [c for c in _NEEDED if c not in table]
    if missing:
        name = headers()[missing[0]]
        raise DataError(f"The table has no column {name!r}; give one of pairs over time.")
    outside = table.time[(table.time < 0) | (table.time >= len(items))]
    if len(outside):
        raise DataError(
            f"The table has a time point {outside.iloc[0] + 1} but there are labels of "
            f"{len(items)} times; give the labels it was measured on."
        )
    progress.report(1, 1)
    return table


def _times(table: pd.DataFrame, given: np.ndarray | None, count: int) -> np.ndarray | None:
    """Return the times of the labels, else those of the table."""
    if given is not None or not len(table):
        return given
    times = np.full(count, np.nan)
    times[table.time.to_numpy(int)] = table.time_s.to_numpy(np.float64)
    return times


def _tables(
    labels: AnyLabels,
    items: list[Labels],
    table: pd.DataFrame,
    growth: Growth | None,
    progress: Progress,
) -> dict[str, pd.DataFrame]:
    parts = [part.assign(time=i) for i, part in particles_of_times(items, progress)]
    every = totals(labels)
    if len(table) and not np.isfinite(every.time_s).any():
        every["time_s"] = every.time.map(table.groupby("time").time_s.first()).astype(float)
    empty = pd.DataFrame()
    return {
        "particles": pd.concat(parts, ignore_index=True) if parts else empty,
        "totals": every,
        "correlations": correlations(table) if len(table) else empty,
        "growth": empty if growth is None else as_table(growth),
    }


def _figures(table: pd.DataFrame, every: pd.DataFrame, growth: Growth | None) -> str:
    figures = all_figures(table, every, growth)
    return "".join(
        html.picture(image_of(f, "svg"), "image/svg+xml", _CAPTIONS[name], _CAPTIONS[name])
        for name, f in figures.items()
    )


def _pictures(
    table: pd.DataFrame,
    items: list[Labels],
    volumes: list[Volume] | None,
    section: str,
    times: list[str],
    progress: Progress,
) -> str:
    if not len(table):
        return ""
    views = {}
    for t, item in enumerate(items):
        progress.report(t, len(items), "Drawing pairs")
        rows = table[table.time == t]
        chosen = [(int(a), int(b)) for a, b in zip(rows.a, rows.b, strict=True)]
        found = pair_views(item, chosen, None if volumes is None else volumes[t], section)
        views.update({(p, t): v for p, v in zip(rows.pair, found, strict=True)})
    ground = "the volume's grey values" if volumes is not None else "the labels"
    way = "the longest direction of the neck" if section == "longest" else "across the beam"
    parts = [
        f'<p class="quiet">Sections through both centres and {way}, on {ground}. '
        "Blue and green: projected outlines of the two particles; orange: neck; "
        "crosses: centres. All pictures of a pair have one scale.</p>"
    ]
    for pair, rows in table.groupby("pair", sort=False):
        drawn = [v for (p, _), v in views.items() if p == pair and v is not None]
        reach = max((v.reach_nm for v in drawn), default=1.0)
        first = rows.iloc[0]
        parts.append(f"<h3>{html.escape(f'{pair}: particles {first.a} and {first.b}')}</h3>")
        parts.append('<div class="row">')
        for row in rows.itertuples():
            view = views[(pair, row.time)]
            caption = _caption(row, times[row.time])
            if view is None:
                parts.append(html.no_picture(caption))
            else:
                text = f"{pair} at {times[row.time]}"
                parts.append(html.picture(draw_pair(view, reach), "image/png", text, caption))
        parts.append("</div>")
    return "".join(parts)


def _caption(row: pd.Series, time: str) -> str:
    values = []
    for name, symbol in (("neck_radius_nm", "r_n"), ("distance_nm", "d")):
        value = getattr(row, name, float("nan"))
        error = getattr(row, f"{name}_error", None)
        values.append(f"{symbol} = {with_error(value, error, 'nm')}")
    return "; ".join([f"{time}: {', '.join(values)}", *([row.remarks] if row.remarks else [])])


def _events(items: list[Labels], times: list[str]) -> str:
    if not any("events" in item.metadata for item in items):
        return ""
    rows = [
        [
            times[e["time"]] if 0 <= e["time"] < len(times) else str(e["time"]),
            str(e["event"]),
            str(e["label"]),
            str(e.get("other") or MISSING),
        ]
        for item in items
        for e in item.metadata.get("events", ())
    ]
    if not rows:
        return "<p>No particle appeared, was lost, split or merged.</p>"
    known = headers()
    headings = ["time", *(known[c] for c in ("event", "label", "other"))]
    return html.table(headings, rows, ("time", "event"))


def _provenance(last: Provenance | None) -> str:
    if last is None:
        return f"<p>The labels don't say how they were made. Report: {software_version()}.</p>"
    parts = []
    for i, step in enumerate(last.chain(), 1):
        parts.append(f"<h3>{i}. {html.escape(step.step)}</h3>")
        rows = [[name, _value(v)] for name, v in step.parameters.items()]
        if rows:
            parts.append(html.table(["parameter", "value"], rows, ("parameter", "value")))
        said = [*step.notes, *(f"Warning: {w}" for w in step.warnings)]
        parts.append(html.bullets(said) if said else "")
        if step.software:
            parts.append(f'<p class="quiet">{html.escape(step.software)}</p>')
    return "".join(parts)


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(jsonable(value), ensure_ascii=False)
    if len(text) > _LONG_TEXT:
        return f"{text[:_LONG_TEXT]} ... ({len(text)} characters in all)"
    return text
