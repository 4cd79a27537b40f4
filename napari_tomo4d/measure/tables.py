"""Tables of measurements as files: headings with units for people, every digit kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_tomo4d.boundary import reading
from napari_tomo4d.errors import DataError
from napari_tomo4d.measure.necks.follow import VALUES
from napari_tomo4d.whole_files import write_whole

_HEADINGS = {
    # pairs over time
    "pair": "pair",
    # of the volume; files count from 1, as people do, tables from 0
    "time": "time point",
    "time_s": "time (s)",
    "temperature_c": "temperature (°C)",
    "a": "particle a",
    "b": "particle b",
    "neck_radius_nm": "neck radius (nm)",
    "distance_nm": "distance (nm)",
    "distance_xy_nm": "distance across beam (nm)",
    "distance_z_nm": "distance along beam (nm)",
    "radius_nm": "particle radius (nm)",
    "neck_ratio": "r_n/r",
    "distance_ratio": "d/2r",
    "aspect_ratio": "H/W",
    "neck_radius_3d_nm": "neck radius 3D (nm)",
    "distance_3d_nm": "distance 3D (nm)",
    "neck_area_nm2": "neck area (nm²)",
    "contact_area_nm2": "contact area (nm²)",
    "neck_curvature_per_nm": "neck curvature (1/nm)",
    "dihedral_deg": "dihedral angle (°)",
    "gap_nm": "gap (nm)",
    "radius_a_nm": "radius of a (nm)",
    "radius_b_nm": "radius of b (nm)",
    "volume_a_nm3": "volume of a (nm³)",
    "volume_b_nm3": "volume of b (nm³)",
    "remarks": "remarks",
    # particles of one time
    "label": "particle",
    "volume_nm3": "volume (nm³)",
    "equivalent_diameter_nm": "equivalent diameter (nm)",
    "surface_nm2": "surface (nm²)",
    "sphericity": "sphericity",
    "axis_1_nm": "long axis (nm)",
    "axis_2_nm": "middle axis (nm)",
    "axis_3_nm": "short axis (nm)",
    "z_nm": "z (nm)",
    "y_nm": "y (nm)",
    "x_nm": "x (nm)",
    "coordination": "particles in contact",
    "at_border": "at border",
    # totals
    "particles": "number of particles",
    "necks": "number of necks",
    # correlations
    "times": "number of times",
    "r": "correlation r",
    "p_value": "p value",
    "neck_change": "change of r_n/r",
    "distance_change": "change of d/2r",
    "expected_change": "expected change of d/2r",
    "verdict": "verdict",
    # growth laws
    "exponent": "exponent n",
    "exponent_low": "n, lower limit",
    "exponent_high": "n, upper limit",
    "rate_per_s": "rate B (1/s)",
    "rate_low_per_s": "B, lower limit (1/s)",
    "rate_high_per_s": "B, upper limit (1/s)",
    "start": "r_n/r at the first time",
    "rms": "RMS of residuals",
    "mechanism": "mechanism",
    "weight": "Akaike weight of the likeliest",
    "aicc": "Akaike criterion (AICc)",
    # what happened to particles
    "event": "event",
    "other": "other particle",
}
# what earlier versions wrote; their time index counted from 0
_TIME_FROM_0 = "time index"
_FORMER = {
    _TIME_FROM_0: "time",
    "number": "label",
    "diameter (nm)": "equivalent_diameter_nm",
    "axis 1 (nm)": "axis_1_nm",
    "axis 2 (nm)": "axis_2_nm",
    "axis 3 (nm)": "axis_3_nm",
    "coordination": "coordination",
    "volume (nm^3)": "volume_nm3",
    "surface (nm^2)": "surface_nm2",
}
_TEXTS = ("pair", "remarks", "verdict", "mechanism", "event")
# many programs take a CSV for ASCII or Latin and would garble these
_PLAIN = str.maketrans({"²": "2", "³": "3", "°": "deg"})


def headers() -> dict[str, str]:
    """Return the heading for people of every column, with its unit.

    Returns
    -------
    dict
        Such as ``"neck_radius_nm": "neck radius (nm)"``, for the tables of `follow_pairs`,
        `particle_table`, `totals`, `correlations` and `growth_table`, and for events.
    """
    result = dict(_HEADINGS)
    for name in VALUES:
        text, bracket, unit = _HEADINGS[name].partition(" (")
        result[f"{name}_error"] = f"{text} uncertainty{bracket}{unit}"
    return result


def write_table(table: pd.DataFrame, path: str | Path, overwrite: bool = False) -> Path:
    """Write a table as CSV (UTF-8, comma, decimal point).

    Parameters
    ----------
    table : pandas.DataFrame
        From `follow_pairs`, `particle_table`, `totals`, `correlations` or `growth_table`; other
        columns keep their names.
    path : str or Path
    overwrite : bool
        Replace a file that exists.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    DataError
        If this is not a table, or two columns would get the same heading.
    WriteError
        If it can't be written or is in the way; nothing is left half written.

    Notes
    -----
    Numbers are written with as many digits as it takes to read back the same number; what is
    missing is an empty cell. Time points are counted from 1 in the file, from 0 in the table.
    """
    return write_whole(csv_text(table).encode("utf-8"), path, overwrite=overwrite)


def csv_text(table: pd.DataFrame) -> str:
    """Return what `write_table` writes."""
    if not isinstance(table, pd.DataFrame):
        raise DataError(f"A table was expected to write, not a {type(table).__name__}.")
    known = headers()
    names = [known.get(str(c), str(c)).translate(_PLAIN) for c in table.columns]
    if len(set(names)) < len(names):
        twice = sorted({n for n in names if names.count(n) > 1})
        raise DataError(f"Two columns of the table have the same heading, {twice[0]!r}.")
    if "time" in table:
        table = table.assign(time=table.time + 1)
    return str(table.set_axis(names, axis=1).to_csv(index=False, lineterminator="\n"))


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table that `write_table` wrote.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    pandas.DataFrame
        With the program's own names of columns, and exactly the numbers that were written.

    Raises
    ------
    ReadError
        If the file is missing or not such a table.
    """
    with reading(path, "a table"):
        # an empty remark is an empty text, an empty number is missing
        cells = pd.read_csv(path, encoding="utf-8-sig", dtype=str, keep_default_na=False)
        own = {text.translate(_PLAIN): name for name, text in headers().items()}
        own |= {text: name for name, text in headers().items()} | _FORMER
        columns = {own.get(c, c): _values(own.get(c, c), cells[c]) for c in cells.columns}
        table = pd.DataFrame(columns, columns=list(columns))
        if "time" in table and _TIME_FROM_0 not in cells:
            table["time"] -= 1
        return table


def _values(name: str, cells: pd.Series) -> Any:
    """Turn the text of a column into what it was: whole numbers, numbers, yes and no, or text."""
    texts = cells.tolist()
    if name in _TEXTS or not texts:
        return cells
    if set(texts) <= {"True", "False"}:
        return np.array([t == "True" for t in texts])
    for kind in (int, float):
        try:
            return np.array([kind(t) if t or kind is int else np.nan for t in texts])
        except ValueError:
            continue
    return cells
