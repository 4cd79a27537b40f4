"""How figures look: colours that everyone can tell apart, units of time, plain axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis


# Okabe & Ito 2008, without the yellow that is lost on white
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
# nine markers and seven colours: the first 63 pairs all look different
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
WARNING_COLOUR = "#D55E00"
_FONT = 9
_LEGEND_ROWS = 14


def new_figure(width: float = 5.5, height: float = 3.8) -> Figure:
    """Return an empty figure (inches); it belongs to no window and no global state."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    figure.set_dpi(150)
    return figure


def style_of(index: int) -> dict[str, Any]:
    """Return colour and marker of the pair with this number, from 0."""
    colour = _COLOURS[index % len(_COLOURS)]
    return {"color": colour, "marker": _MARKERS[index % len(_MARKERS)]}


def finish_axes(axes: Axes, x: str, y: str) -> None:
    """Label the axes, with ticks inside on all sides as journals like them."""
    axes.set_xlabel(x, fontsize=_FONT + 1)
    axes.set_ylabel(y, fontsize=_FONT + 1)
    axes.tick_params(which="both", direction="in", top=True, right=True, labelsize=_FONT)


def add_legend(figure: Figure, handles: list[Any], labels: list[str]) -> None:
    """Put a legend beside the axes, where it hides nothing."""
    columns = -(-len(labels) // _LEGEND_ROWS)
    width, height = figure.get_size_inches()
    longest = max(map(len, labels))
    figure.set_size_inches(width + columns * (0.55 + 0.07 * longest), height)
    figure.legend(
        handles,
        labels,
        loc="outside right center",
        ncols=columns,
        fontsize=_FONT - 1,
        frameon=False,
        handlelength=1.8,
    )


def whole_ticks(axis: Axis) -> None:
    """Put ticks of an axis at whole numbers only."""
    axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def plain_log_ticks(axis: Axis, low: float, high: float) -> None:
    """Label a logarithmic axis with plain numbers, three to eight of them."""
    inside: list[float] = []
    for subs in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)):
        inside = _within(LogLocator(subs=subs), low, high)
        if len(inside) >= 3:
            break
    else:
        inside = _within(MaxNLocator(5), low, high)
    axis.set_major_locator(FixedLocator(inside))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _within(locator: Any, low: float, high: float) -> list[float]:
    return [float(t) for t in locator.tick_values(low, high) if low <= t <= high]


def errors_of(part: pd.DataFrame, value: str) -> np.ndarray | None:
    """Return the standard uncertainties of a value, None where the table has none."""
    name = f"{value}_error"
    if name not in part or part[name].isna().all():
        return None
    result: np.ndarray | None = part[name].fillna(0).to_numpy(np.float64)
    return result
