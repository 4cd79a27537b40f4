"""Plots and pictures in napari's light and dark theme, also when it is changed meanwhile."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.gui import theme
from napari_tomo4d.gui.panels.denoise.tuning_view import SpectrumPlot
from napari_tomo4d.gui.panels.segment.panel import SegmentPanel


def brightness(widget):
    """Return the mean grey value of a widget's picture, 0 to 255, and its spread."""
    image = widget.grab().toImage()
    step = 4
    values = [
        sum(image.pixelColor(x, y).getRgb()[:3]) / 3
        for x in range(0, image.width(), step)
        for y in range(0, image.height(), step)
    ]
    return np.median(values), np.ptp(values)


def test_plots_follow_the_theme(viewer, dock, qtbot):
    panel = dock(SegmentPanel)
    z, y, x = np.ogrid[:12, :12, :12]
    ball = ((z - 6) ** 2 + (y - 6) ** 2 + (x - 6) ** 2 < 16).astype(np.float32)
    panel.session.add(t4.Volume(ball, 1.0, name="ball"))
    qtbot.waitUntil(lambda: not panel.busy, timeout=60000)
    for name, low, high in (("light", 200, 256), ("dark", 0, 60), ("light", 200, 256)):
        viewer.theme = name
        qtbot.wait(50)
        middle, spread = brightness(panel.histogram)
        assert low <= middle < high
        # axes, curve and letters can be told from the ground
        assert spread > 120
    viewer.theme = "dark"


def test_names_in_a_legend_follow_the_theme(qtbot):
    plot = SpectrumPlot()
    qtbot.addWidget(plot)
    try:
        for dark in (False, True):
            theme._theme.set_dark(dark)
            for _, label in plot.plotItem.legend.items:
                assert theme.colour("text") in label.item.toHtml()
    finally:
        theme._theme.set_dark(True)


@pytest.mark.parametrize("dark", [True, False])
def test_every_colour_of_text_and_lines_can_be_read(monkeypatch, dark):
    """Contrast of at least 3 to 1 against the ground, as WCAG asks of what is drawn."""
    monkeypatch.setattr(theme._theme, "dark", dark)

    def luminance(colour):
        parts = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return linear @ (0.2126, 0.7152, 0.0722)

    ground = luminance(theme.colour("surface"))
    names = ("text", "faint", "first", "second", "third", "here", "warning", "error", "hover")
    colours = [theme.colour(n) for n in names] + [theme.series_colour(k) for k in range(10)]
    for colour in colours:
        one, other = sorted((luminance(colour), ground))
        assert (other + 0.05) / (one + 0.05) >= 3, colour
