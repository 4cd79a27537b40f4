"""Figures of sintering, ready to print: values over time, the model, totals, growth laws."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from napari_tomo4d.errors import DataError, ParameterError, WriteError
from napari_tomo4d.measure.necks.growth import correlations
from napari_tomo4d.measure.necks.growth_of_pairs import Growth, growth_of_pairs
from napari_tomo4d.measure.necks.growth_sentences import exponent_text
from napari_tomo4d.measure.report.style import (
    WARNING_COLOUR,
    add_legend,
    errors_of,
    finish_axes,
    new_figure,
    plain_log_ticks,
    style_of,
    whole_ticks,
)
from napari_tomo4d.measure.tables import headers
from napari_tomo4d.quantities import time_axis, time_unit
from napari_tomo4d.two_spheres import two_sphere_curve, two_sphere_curve_as_measured
from napari_tomo4d.whole_files import check_free, write_whole

_DPI = 300
_BAR = {"markersize": 5, "capsize": 2, "elinewidth": 0.8, "linewidth": 1.0}
_SYMBOLS = {"neck_ratio": "$r_n/r$", "distance_ratio": "$d/2r$", "aspect_ratio": "$H/W$"}


def over_time(table: pd.DataFrame, value: str = "neck_ratio") -> Figure:
    """Draw one value of all pairs against time.

    Parameters
    ----------
    table : pandas.DataFrame
        From `follow_pairs`.
    value : str
        A column, such as ``"neck_ratio"``, ``"distance_ratio"`` or ``"neck_radius_nm"``.

    Returns
    -------
    matplotlib.figure.Figure
        Error bars are standard uncertainties; hollow symbols have a remark in the table. Time is
        in s, min or h, whichever suits its span.

    Raises
    ------
    DataError
        If the table has no rows or no numbers in this column.
    ParameterError
        If there is no such column.

    Notes
    -----
    As in Nanoscale 2023, 15, 10133, Figs. 7 and 8.
    """
    if value not in table or table[value].dtype.kind not in "iuf":
        name = headers().get(value, value)
        raise ParameterError(f"The table has no column of numbers {name!r} to draw.")
    _require(table, value)
    figure = new_figure()
    axes: Any = figure.subplots()
    all_times, label = time_axis(table.time_s, table.time)
    handles: list[Any] = []
    names: list[str] = []
    doubtful = False
    for i, (pair, part) in enumerate(table.groupby("pair", sort=False)):
        times = all_times[table.pair.to_numpy() == pair]
        values = part[value].to_numpy(np.float64)
        errors, style = errors_of(part, value), style_of(i)
        handles.append(axes.errorbar(times, values, errors, **style, **_BAR))
        names.append(str(pair))
        hollow = part.remarks.astype(str).str.len().to_numpy() > 0
        doubtful |= bool((hollow & np.isfinite(values)).any())
        _hollow(axes, times[hollow], values[hollow], style)
    if doubtful:
        handles.append(Line2D([], [], marker="o", mfc="white", color="0.3", linestyle="none"))
        names.append("see remarks")
    finish_axes(axes, label, _SYMBOLS.get(value, headers().get(value, value)))
    if label == "time point":
        whole_ticks(axes.xaxis)
    add_legend(figure, handles, names)
    return figure


def model_plot(table: pd.DataFrame) -> Figure:
    """Draw neck radius against distance beside the model of two sintering spheres.

    Parameters
    ----------
    table : pandas.DataFrame
        From `follow_pairs`.

    Returns
    -------
    matplotlib.figure.Figure
        Colour is H/W. The dashed curve is the model with r of the spheres at the beginning, the
        solid one what the protocol measures at these spheres. Pairs that break the rule (see
        `correlations`) have a thick edge and a dotted path.

    Raises
    ------
    DataError
        If the table has no pair in contact.

    Notes
    -----
    As in Nanoscale 2023, 15, 10133, Fig. 9.
    """
    good = table[(table.neck_ratio > 0) & table.distance_ratio.notna()]
    _require(good, "neck_ratio")
    figure = new_figure(5.8, 4.2)
    axes: Any = figure.subplots()
    x = np.linspace(0, 1, 201)
    measured = two_sphere_curve_as_measured(x)
    axes.plot(measured[1], measured[0], color="0.25", linewidth=1.2, zorder=1)
    axes.plot(two_sphere_curve(x), x, "--", color="0.25", linewidth=1.2, zorder=1)
    handles: list[Any] = [
        Line2D([], [], color="0.25", linewidth=1.2),
        Line2D([], [], color="0.25", linewidth=1.2, linestyle="--"),
    ]
    names = ["model, as measured", "model, as defined"]
    verdicts = correlations(table).set_index("pair").verdict
    numbers = {pair: i for i, pair in enumerate(dict.fromkeys(table.pair))}
    low, high = _range(good.aspect_ratio)
    points: Any = None
    for pair, part in good.groupby("pair", sort=False):
        breaks = verdicts.get(pair) == "breaks the rule"
        marker = style_of(numbers[pair])["marker"]
        u, v = part.distance_ratio.to_numpy(), part.neck_ratio.to_numpy()
        bars = {"color": "0.6", "elinewidth": 0.7, "zorder": 2, "linestyle": "none"}
        axes.errorbar(
            u, v, errors_of(part, "neck_ratio"), errors_of(part, "distance_ratio"), **bars
        )
        if breaks:
            axes.plot(u, v, ":", color=WARNING_COLOUR, linewidth=1.2, zorder=3)
        edge = {"edgecolors": WARNING_COLOUR if breaks else "0.15"}
        points = axes.scatter(
            u,
            v,
            s=34,
            c=part.aspect_ratio.to_numpy(),
            vmin=low,
            vmax=high,
            cmap="viridis",
            marker=marker,
            linewidths=1.8 if breaks else 0.6,
            zorder=4,
            plotnonfinite=False,
            **edge,
        )
        handles.append(
            Line2D(
                [],
                [],
                marker=marker,
                linestyle="none",
                markerfacecolor="0.75",
                markeredgecolor=edge["edgecolors"],
                markeredgewidth=1.8 if breaks else 0.6,
            )
        )
        names.append(f"{pair} (breaks the rule)" if breaks else str(pair))
    finish_axes(axes, _SYMBOLS["distance_ratio"], _SYMBOLS["neck_ratio"])
    axes.tick_params(pad=6)
    _limits(axes, good)
    bar = figure.colorbar(points, ax=axes, pad=0.02)
    bar.set_label(_SYMBOLS["aspect_ratio"], fontsize=10)
    bar.ax.tick_params(labelsize=9)
    add_legend(figure, handles, names)
    return figure


def totals_figure(totals: pd.DataFrame) -> Figure:
    """Draw total surface, number of necks and number of particles against time.

    Parameters
    ----------
    totals : pandas.DataFrame
        From `measure.totals`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        If the table has no rows.
    """
    _require(totals, "surface_nm2")
    figure = new_figure(5.0, 5.6)
    rows: Any = figure.subplots(3, 1, sharex=True, height_ratios=[2, 1, 1])
    times, label = time_axis(totals.time_s, totals.time)
    large = float(totals.surface_nm2.max()) >= 1e5
    surface = totals.surface_nm2.to_numpy() / (1e6 if large else 1.0)
    values = (surface, totals.necks.to_numpy(), totals.particles.to_numpy())
    texts = (f"total surface ({'µm²' if large else 'nm²'})", "necks", "particles")
    for i, (axes, number, text) in enumerate(zip(rows, values, texts, strict=True)):
        axes.plot(times, number, markersize=5, linewidth=1.0, **style_of(i))
        finish_axes(axes, label if i == 2 else "", text)
        axes.ticklabel_format(axis="y", useOffset=False)
        if i:
            whole_ticks(axes.yaxis)
            middle, reach = (number.max() + number.min()) / 2, max(np.ptp(number), 2)
            axes.set_ylim(middle - 0.65 * reach, middle + 0.65 * reach)
    if label == "time point":
        whole_ticks(rows[-1].xaxis)
    figure.align_ylabels(rows)
    return figure


def growth_figure(table: pd.DataFrame, growth: Growth | None = None) -> Figure:
    """Draw the growth of the necks on logarithmic axes, with the fitted laws.

    Parameters
    ----------
    table : pandas.DataFrame
        From `follow_pairs`, with times in seconds from the start of sintering.
    growth : Growth, optional
        Of `growth_of_pairs`; fitted here by default.

    Returns
    -------
    matplotlib.figure.Figure
        The legend gives the exponent n of each pair and its 95 % confidence interval. Time 0, which
        a logarithmic axis can't show, has a narrow panel of its own.

    Raises
    ------
    DataError
        If no neck has a time after 0.
    """
    seen = table[(table.neck_ratio > 0) & np.isfinite(table.time_s.astype(float))]
    if not (seen.time_s > 0).any():
        raise DataError("Growth needs necks at known times after 0; the table has none.")
    growth = growth_of_pairs(table) if growth is None else growth
    seconds, unit = time_unit(seen.time_s)
    starts = bool((seen.time_s <= 0).any())
    figure = new_figure(5.8, 4.2)
    panels: Any = figure.subplots(
        1, 1 + starts, sharey=True, squeeze=False, width_ratios=[1, 9] if starts else [1]
    )[0]
    first, last = panels[0], panels[-1]
    later = seen.time_s[seen.time_s > 0]
    low, high = float(later.min()) / 1.4, float(later.max()) * 1.25
    # the law begins at the first time that was measured
    curve = np.geomspace(max(low, growth.first_s), high, 200)
    handles, names = [], []
    lines: list[np.ndarray] = []
    for i, pair in enumerate(growth.pairs):
        part = seen[seen.pair == pair.pair]
        style = style_of(i)
        for axes in panels:
            chosen = part[(part.time_s > 0) if axes is last else (part.time_s <= 0)]
            errors = errors_of(chosen, "neck_ratio") if len(chosen) else None
            times = chosen.time_s.to_numpy() / seconds
            bars = {**_BAR, **style, "linestyle": "none"}
            axes.errorbar(times, chosen.neck_ratio, errors, **bars)
        if pair.fit is not None:
            lines.append(pair.fit.ratio(curve - growth.first_s))
            last.plot(curve / seconds, lines[-1], color=style["color"], linewidth=1.0)
        handles.append(Line2D([], [], **style, markersize=5, linewidth=1.0))
        names.append(f"{pair.pair}: {exponent_text(pair)}")
    _log_axes(last, seen, lines, (low / seconds, high / seconds))
    finish_axes(first, "", "$r_n/r$")
    finish_axes(last, f"time ({unit})", "" if starts else "$r_n/r$")
    if starts:
        first.set_xlim(-1, 1)
        first.set_xticks([0], ["0"])
        last.tick_params(labelleft=False)
    add_legend(figure, handles, names)
    return figure


def save_figures(
    table: pd.DataFrame,
    folder: str | Path,
    formats: Sequence[str] = ("svg", "png"),
    *,
    totals: pd.DataFrame | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Save every figure that the table allows.

    Parameters
    ----------
    table : pandas.DataFrame
        From `follow_pairs`.
    folder : str or Path
        Made if it does not exist.
    formats : sequence of {"svg", "png", "pdf"}
    totals : pandas.DataFrame, optional
        From `measure.totals`, for the figure of surface, necks and particles.
    overwrite : bool
        Replace files that exist.

    Returns
    -------
    list of Path
        What was written: ``neck_over_time``, ``distance_over_time``, ``model``, ``growth`` (where
        times are known) and ``totals``, in each format.

    Raises
    ------
    ParameterError
        For another format.
    WriteError
        If a file exists or can't be written; nothing is written if any is in the way.
    """
    for name in formats:
        if name not in ("svg", "png", "pdf"):
            raise ParameterError(f"Figures can't be saved as {name!r}; choose svg, png or pdf.")
    folder = Path(folder)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise WriteError(f"{folder} could not be made: {error.strerror or error}.") from error
    for path in figure_files(table, folder, formats, totals):
        check_free(path, overwrite=overwrite)
    return [
        write_whole(image_of(figure, form), folder / f"{name}.{form}", overwrite=overwrite)
        for name, figure in all_figures(table, totals).items()
        for form in formats
    ]


def figure_files(
    table: pd.DataFrame,
    folder: str | Path,
    formats: Sequence[str] = ("svg", "png"),
    totals: pd.DataFrame | None = None,
) -> list[Path]:
    """Return what `save_figures` writes, without drawing anything."""
    names = figure_names(table, totals)
    return [Path(folder) / f"{name}.{form}" for name in names for form in formats]


def figure_names(table: pd.DataFrame, totals: pd.DataFrame | None = None) -> list[str]:
    """Return the names of all figures that the table has values for."""
    several = table.time.nunique() > 1
    neck = table.neck_ratio.to_numpy() > 0
    there = {
        "neck_over_time": several and table.neck_ratio.notna().any(),
        "distance_over_time": several and table.distance_ratio.notna().any(),
        "model": (neck & table.distance_ratio.notna()).any(),
        "growth": several and (neck & (table.time_s.to_numpy(np.float64) > 0)).any(),
        "totals": totals is not None and len(totals) > 1,
    }
    return [name for name, drawn in there.items() if drawn]


def all_figures(
    table: pd.DataFrame, totals: pd.DataFrame | None = None, growth: Growth | None = None
) -> dict[str, Figure]:
    """Return every figure that the table has values for, by name."""
    draw: dict[str, Callable[[], Figure]] = {
        "neck_over_time": lambda: over_time(table, "neck_ratio"),
        "distance_over_time": lambda: over_time(table, "distance_ratio"),
        "model": lambda: model_plot(table),
        "growth": lambda: growth_figure(table, growth),
        "totals": lambda: totals_figure(totals),
    }
    return {name: draw[name]() for name in figure_names(table, totals)}


def image_of(figure: Figure, form: str, dpi: float = _DPI) -> bytes:
    """Return a figure as the content of an SVG, PNG or PDF file."""
    buffer = io.BytesIO()
    # without the date the same figure gives the same file
    date = {"svg": "Date", "pdf": "CreationDate"}.get(form)
    figure.savefig(buffer, format=form, dpi=dpi, metadata={date: None} if date else None)
    return buffer.getvalue()


def _require(table: pd.DataFrame, value: str) -> None:
    if not len(table) or not np.isfinite(table[value].to_numpy(np.float64)).any():
        raise DataError(f"The table has no numbers of {headers().get(value, value)} to draw.")


def _hollow(axes: Any, times: np.ndarray, values: np.ndarray, style: dict[str, Any]) -> None:
    axes.plot(times, values, linestyle="none", markersize=5, mfc="white", zorder=5, **style)


def _range(values: pd.Series) -> tuple[float, float]:
    """Return limits of the colour bar: those of the values, at least 0.04 wide."""
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.98, 1.02
    low, high = float(known.min()), float(known.max())
    more = max(0.04 - (high - low), 0) / 2
    return low - more, high + more


def _limits(axes: Any, good: pd.DataFrame) -> None:
    """Show the whole curves, and all points with their error bars."""
    across = errors_of(good, "distance_ratio")
    up = errors_of(good, "neck_ratio")
    u, v = good.distance_ratio.to_numpy(), good.neck_ratio.to_numpy()
    du = np.zeros(len(u)) if across is None else across
    dv = np.zeros(len(v)) if up is None else up
    axes.set_xlim(min(0.64, float((u - du).min()) - 0.02), max(1.03, float((u + du).max()) + 0.02))
    axes.set_ylim(0, max(1.08, float((v + dv).max()) + 0.04))


def _log_axes(
    axes: Any, seen: pd.DataFrame, lines: list[np.ndarray], x: tuple[float, float]
) -> None:
    values = seen.neck_ratio.to_numpy()
    errors = errors_of(seen, "neck_ratio")
    errors = np.zeros(len(values)) if errors is None else errors
    # a bar that reaches 0 would stretch a logarithmic axis without end
    low = float(np.maximum(values - errors, values / 2).min())
    high = float((values + errors).max())
    drawn = np.concatenate(lines) if lines else np.empty(0)
    drawn = drawn[drawn > low / 2]
    low, high = min(low, *drawn, low), max(high, *drawn, high)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(*x)
    axes.set_ylim(low / 1.08, high * 1.08)
    plain_log_ticks(axes.xaxis, *x)
    plain_log_ticks(axes.yaxis, low / 1.08, high * 1.08)
