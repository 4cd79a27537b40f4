"""Figures show what the table says, and nothing in them overlaps or is cut off."""

from __future__ import annotations

import itertools
import subprocess
import sys
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from napari_tomo4d.errors import DataError, ParameterError, WriteError
from napari_tomo4d.measure import growth_table
from napari_tomo4d.measure.report import figures
from napari_tomo4d.two_spheres import two_sphere_curve_as_measured


def law_table(pairs=5, exponent=6.0, hours=1.0, noise=0.0):
    """Return a table whose necks follow ``(r_n/r)^n = x0^n + B t`` on the model's curve."""
    rng = np.random.default_rng(3)
    curve = two_sphere_curve_as_measured(np.linspace(0, 1, 400))
    rows = []
    for p in range(pairs):
        for t in range(7):
            seconds = t * 600.0 * hours
            rate = 7e-5 * (1 - 0.06 * p) / hours
            neck = ((0.3 - 0.01 * p) ** exponent + rate * seconds) ** (1 / exponent)
            neck *= 1 + noise * rng.standard_normal()
            row = {"pair": f"P{p + 1}", "time": t, "time_s": seconds, "temperature_c": 350.0}
            row |= {"a": 2 * p + 1, "b": 2 * p + 2, "neck_ratio": neck, "neck_ratio_error": 0.015}
            row |= {"distance_ratio": float(np.interp(neck, *curve)), "neck_radius_nm": 75 * neck}
            row |= {"distance_ratio_error": 0.01, "aspect_ratio": 1 + 0.1 * neck, "remarks": ""}
            rows.append(row)
    return pd.DataFrame(rows)


def totals_table():
    t = np.arange(7)
    return pd.DataFrame(
        {
            "time": t,
            "time_s": t * 600.0,
            "particles": 11,
            "necks": [3, 4, 5, 5, 5, 5, 5],
            "surface_nm2": 8.7e5 * np.exp(-t / 60),
            "volume_nm3": 2.5e7,
        }
    )


def hard_table():
    """Return many pairs with everything that goes wrong."""
    table = law_table(pairs=17, hours=20.0, noise=0.01)
    back = table.pair == "P3"
    table.loc[back, "distance_ratio"] = table.distance_ratio[back].to_numpy()[::-1]
    lost = (table.pair == "P5") & (table.time > 3)
    numbers = table.select_dtypes("float").columns.difference(["time_s", "temperature_c"])
    table.loc[lost, numbers] = np.nan
    table.loc[lost, "remarks"] = "particle 9 does not exist at this time"
    apart = (table.pair == "P6") & (table.time < 2)
    table.loc[apart, "neck_ratio"] = 0.0
    table.loc[apart, "remarks"] = "the particles do not touch, gap 12 nm"
    return table


def lines_of(axes):
    return [np.column_stack(line.get_data()).astype(float) for line in axes.get_lines()]


def texts_of(figure):
    return [t.get_text() for t in figure.findobj(Text)]


def check_layout(figure, monkeypatch):
    """Every text that is drawn is inside the figure, and no two of them overlap."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn, draw = {}, Text.draw

    def spy(self, renderer):
        if self.get_visible() and self.get_text().strip():
            drawn[self] = self.get_window_extent(renderer)
        draw(self, renderer)

    with monkeypatch.context() as patch:
        patch.setattr(Text, "draw", spy)
        canvas.draw()
    assert len(drawn) > 8
    width, height = canvas.get_width_height()
    for text, box in drawn.items():
        assert box.x0 >= -1 and box.y0 >= -1, text
        assert box.x1 <= width + 1 and box.y1 <= height + 1, text
    for (one, a), (other, b) in itertools.combinations(drawn.items(), 2):
        wide = min(a.x1, b.x1) - max(a.x0, b.x0)
        high = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert wide < 2 or high < 2, (one, other)


@pytest.mark.parametrize("table", [law_table(), hard_table(), law_table(pairs=1)])
def test_nothing_overlaps_or_is_cut_off(table, monkeypatch):
    made = figures.all_figures(table, totals_table())
    assert list(made) == ["neck_over_time", "distance_over_time", "model", "growth", "totals"]
    for figure in made.values():
        check_layout(figure, monkeypatch)


def test_values_over_time_are_those_of_the_table():
    table = hard_table()
    figure = figures.over_time(table, "neck_ratio")
    axes = figure.axes[0]
    assert axes.get_xlabel() == "time (h)"
    assert axes.get_ylabel() == "$r_n/r$"
    for container, (_, part) in zip(
        axes.containers, table.groupby("pair", sort=False), strict=True
    ):
        x, y = container.lines[0].get_data()
        np.testing.assert_allclose(x, part.time_s / 3600)
        np.testing.assert_array_equal(y, part.neck_ratio)
        bars = [b for b in container.lines[2][0].get_segments() if len(b)]
        height = [np.ptp(b[:, 1]) for b in bars if np.isfinite(b).all()]
        assert len(height) == part.neck_ratio.notna().sum()
        np.testing.assert_allclose(height, 0.03)
    assert [t for t in texts_of(figure.legends[0]) if t][:17] == [f"P{i}" for i in range(1, 18)]
    hollow = [line for line in axes.get_lines() if line.get_markerfacecolor() == "white"]
    assert sum(len(line.get_xdata()) for line in hollow) == 5
    assert "see remarks" in texts_of(figure)
    assert figures.over_time(table, "neck_radius_nm").axes[0].get_ylabel() == "neck radius (nm)"
    unknown = figures.over_time(table.assign(time_s=np.nan)).axes[0]
    assert unknown.get_xlabel() == "time point"
    np.testing.assert_array_equal(unknown.containers[0].lines[0].get_xdata(), np.arange(1, 8))


def test_every_pair_has_its_own_look():
    from napari_tomo4d.measure.report.style import style_of

    assert len({tuple(style_of(i).values()) for i in range(63)}) == 63


def test_the_model_plot_has_both_published_curves_and_the_points():
    table = hard_table()
    figure = figures.model_plot(table)
    axes = figure.axes[0]
    measured, defined = lines_of(axes)[:2]
    assert axes.get_lines()[0].get_linestyle() == "-"
    assert axes.get_lines()[1].get_linestyle() == "--"
    for neck, distance in ((0.2, 0.98993), (0.6, 0.90370), (0.9, 0.75488)):
        assert np.interp(neck, defined[:, 1], defined[:, 0]) == pytest.approx(distance, abs=1e-4)
    for neck, distance in ((0.40070, 0.96059), (0.81313, 0.83325), (1.04008, 0.71506)):
        assert np.interp(neck, measured[:, 1], measured[:, 0]) == pytest.approx(distance, abs=1e-4)
    good = table[table.neck_ratio > 0]
    points = [c for c in axes.collections if c.get_array() is not None]
    shown = np.concatenate([p.get_offsets() for p in points])
    np.testing.assert_array_equal(shown, good[["distance_ratio", "neck_ratio"]])
    colours = np.concatenate([p.get_array() for p in points])
    np.testing.assert_array_equal(colours, good.aspect_ratio)
    assert {p.norm.vmin for p in points} == {good.aspect_ratio.min()}
    assert figure.axes[1].get_ylabel() == "$H/W$"
    assert [t for t in texts_of(figure) if "breaks" in t] == ["P3 (breaks the rule)"]


def test_growth_figure_gives_the_exponents_that_made_the_data():
    table = law_table(pairs=2, exponent=5.0)
    figure = figures.growth_figure(table)
    start, later = figure.axes
    assert later.get_xscale() == later.get_yscale() == "log"
    legend = [t for t in texts_of(figure.legends[0]) if t]
    assert legend == ["P1: n = 5.0 (5.0 to 5.0)", "P2: n = 5.0 (5.0 to 5.0)"]
    curves = [line for line in lines_of(later) if len(line) == 200]
    times, ratio = curves[0].T
    np.testing.assert_allclose(ratio, (0.3**5 + 7e-5 * 60 * times) ** 0.2, rtol=1e-3)
    assert lines_of(start)[0].tolist() == [[0.0, pytest.approx(0.3)]]
    fits = growth_table(table)
    np.testing.assert_allclose(fits.exponent, 5, rtol=1e-3)
    np.testing.assert_allclose(fits.rate_per_s, [7e-5, 7e-5 * 0.94], rtol=1e-3)
    # no law before the first time that was measured
    late = figures.growth_figure(table[table.time > 0])
    drawn = [line for line in lines_of(late.axes[-1]) if len(line) == 200]
    measured = lines_of(late.axes[-1])[0][:, 0].min()
    assert drawn and all(line[:, 0].min() >= measured * (1 - 1e-9) for line in drawn)
    few = growth_table(table[table.time < 2])
    assert few.exponent.isna().all() and few.remarks.str.contains("too few").all()
    assert "P1: no fit" in texts_of(figures.growth_figure(table[table.time < 2]))
    with pytest.raises(DataError, match="known times"):
        figures.growth_figure(table.assign(time_s=np.nan))


def test_totals_are_drawn_in_readable_units():
    totals = totals_table()
    surface, necks, particles = figures.totals_figure(totals).axes
    assert surface.get_ylabel() == "total surface (µm²)"
    np.testing.assert_allclose(lines_of(surface)[0][:, 1], totals.surface_nm2 / 1e6)
    np.testing.assert_array_equal(lines_of(necks)[0][:, 1], totals.necks)
    np.testing.assert_array_equal(lines_of(particles)[0][:, 1], totals.particles)
    assert particles.get_xlabel() == "time (min)"


def test_files_are_complete_and_protected(tmp_path):
    table = law_table()
    named = figures.figure_files(table, tmp_path / "f", totals=totals_table())
    written = figures.save_figures(table, tmp_path / "f", totals=totals_table())
    assert written == named
    assert len(written) == 10
    for path in written:
        if path.suffix == ".svg":
            assert ET.parse(path).getroot().tag.endswith("svg")
        else:
            assert path.read_bytes().startswith(b"\x89PNG")
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / "growth.png").write_text("mine")
    with pytest.raises(WriteError, match="exists already"):
        figures.save_figures(table, tmp_path / "g", ("png",))
    assert [p.name for p in (tmp_path / "g").iterdir()] == ["growth.png"]
    figures.save_figures(table, tmp_path / "g", ("png",), overwrite=True)
    assert (tmp_path / "g" / "growth.png").read_bytes().startswith(b"\x89PNG")
    # one time only: nothing over time, nothing to fit
    one = figures.save_figures(table[table.time == 3], tmp_path / "one", ("png",))
    assert [p.name for p in one] == ["model.png"]
    with pytest.raises(ParameterError, match="svg, png or pdf"):
        figures.save_figures(table, tmp_path, ("bmp",))
    with pytest.raises(ParameterError, match="no column"):
        figures.over_time(table, "remarks")
    with pytest.raises(DataError, match="no numbers"):
        figures.over_time(table.assign(neck_ratio=np.nan))
    with pytest.raises(DataError, match="no numbers"):
        figures.model_plot(table.assign(neck_ratio=0.0))


def test_worker_threads_draw_the_same():
    table = law_table(pairs=3)

    def draw(_):
        made = figures.all_figures(table).values()
        return [figures.image_of(f, "png", dpi=60) for f in made]

    alone = draw(0)
    with ThreadPoolExecutor(4) as pool:
        assert all(r == alone for r in pool.map(draw, range(4)))


def test_no_global_figures():
    code = (
        "import sys, napari_tomo4d.measure.report.report; print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False", done.stderr
