"""The tables of the report, rounded for people; every digit is in the files they link to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from napari_tomo4d.measure.necks.growth_sentences import limit_text
from napari_tomo4d.measure.report import html
from napari_tomo4d.measure.tables import csv_text, headers
from napari_tomo4d.quantities import MISSING, number, with_error

_MAIN = (
    "neck_radius_nm",
    "distance_nm",
    "radius_nm",
    "neck_ratio",
    "distance_ratio",
    "aspect_ratio",
)
_MORE = (
    "distance_xy_nm",
    "distance_z_nm",
    "neck_radius_3d_nm",
    "distance_3d_nm",
    "neck_area_nm2",
    "contact_area_nm2",
)
_SHAPES = (
    "neck_curvature_per_nm",
    "dihedral_deg",
    "gap_nm",
    "radius_a_nm",
    "radius_b_nm",
    "volume_a_nm3",
    "volume_b_nm3",
)


def tables_html(table: pd.DataFrame, tables: dict[str, pd.DataFrame], times: list[str]) -> str:
    """Return all tables of the report, each with a link that saves it.

    Parameters
    ----------
    table : pandas.DataFrame
        From `follow_pairs`.
    tables : dict
        ``particles``, ``totals``, ``correlations`` and ``growth``.
    times : list of str
        Name of each time.
    """
    parts = []
    if len(table):
        parts += ["<h3>Pairs</h3>", _pair_rows(table, _MAIN, times, True)]
        parts += ["<h3>Pairs, further values</h3>", _pair_rows(table, _MORE, times, False)]
        parts += ["<h3>Pairs, shapes</h3>", _pair_rows(table, _SHAPES, times, False)]
        parts.append(_saved(table, "pairs"))
    if len(table) and len(times) > 1:
        parts += ["<h3>Neck against distance</h3>", _plain(tables["correlations"], ("verdict",))]
        parts.append(_saved(tables["correlations"], "correlations"))
        parts += ["<h3>Growth laws</h3>", _growth_rows(tables["growth"])]
        parts.append(_saved(tables["growth"], "growth"))
    parts += ["<h3>Totals</h3>", _plain(_timed(tables["totals"], times), ("time",))]
    parts.append(_saved(tables["totals"], "totals"))
    if len(tables["particles"]):
        shown = tables["particles"].assign(
            at_border=np.where(tables["particles"].at_border, "yes", "no")
        )
        parts += ["<h3>Particles</h3>", _plain(_timed(shown, times), ("time", "at_border"))]
        parts.append(_saved(tables["particles"], "particles"))
    return "".join(parts)


def _pair_rows(table: pd.DataFrame, wanted: Any, times: list[str], remarks: bool) -> str:
    known = headers()
    columns = [c for c in wanted if c in table]
    rows = []
    for row in table.itertuples():
        cells = [str(row.pair), f"{row.a}, {row.b}", times[row.time]]
        cells += [with_error(getattr(row, c), getattr(row, f"{c}_error", None)) for c in columns]
        rows.append([*cells, str(row.remarks)] if remarks else cells)
    headings = ["pair", "particles", "time", *(known[c] for c in columns)]
    headings += ["remarks"] if remarks else []
    marked = (table.remarks.astype(str) != "").tolist()
    return html.table(headings, rows, ("pair", "particles", "time", "remarks"), marked)


def _growth_rows(growth: pd.DataFrame) -> str:
    rows = []
    for row in growth.itertuples():
        fitted = np.isfinite(row.exponent)
        span = f"{limit_text(row.exponent_low)} to {limit_text(row.exponent_high)}"
        rates = f"{number(row.rate_low_per_s)} to {number(row.rate_high_per_s)}"
        rows.append(
            [
                str(row.pair),
                number(row.exponent),
                span if fitted else MISSING,
                _mechanism_text(row),
                number(row.rate_per_s),
                rates if fitted else MISSING,
                number(row.start),
                number(row.rms),
                str(row.times) if fitted else MISSING,
                row.remarks,
            ]
        )
    headings = [
        "pair",
        "n",
        "95 % interval",
        "mechanism",
        "B (1/s)",
        "95 % interval of B",
        "r_n/r at the first time",
        "RMS of residuals",
        "times used",
        "remarks",
    ]
    texts = ("pair", "95 % interval", "mechanism", "95 % interval of B", "remarks")
    return html.table(headings, rows, texts)


def _mechanism_text(row: pd.Series) -> str:
    if not np.isfinite(row.weight):
        return MISSING
    return f"{row.mechanism} ({100 * row.weight:.0f} %)" if row.mechanism else "can't be told apart"


def _timed(table: pd.DataFrame, times: list[str]) -> pd.DataFrame:
    """Return a table with the name of the time first, instead of its number."""
    names = [times[t] for t in table.time]
    rest = table.drop(columns=["time", "time_s"], errors="ignore")
    rest.insert(0, "time", names)
    return rest


def _plain(table: pd.DataFrame, texts: tuple[str, ...]) -> str:
    known = {**headers(), "time": "time"}
    as_text = {known[c] for c in (*texts, "pair")}
    rows = [
        [v if isinstance(v, str) else number(float(v)) for v in row]
        for row in table.itertuples(index=False)
    ]
    return html.table([known[c] for c in table.columns], rows, tuple(as_text))


def _saved(table: pd.DataFrame, name: str) -> str:
    return html.download(csv_text(table), f"{name}.csv", f"Save as {name}.csv, with all digits")
