"""Pictures of pairs: the section they are measured in, with what was measured drawn in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib.patheffects as effects
import numpy as np
from matplotlib.colors import ListedColormap
from scipy import ndimage

from napari_tomo4d.contrast import grey_levels
from napari_tomo4d.data import Labels, Volume
from napari_tomo4d.errors import DataError
from napari_tomo4d.measure.necks.neck import neck
from napari_tomo4d.measure.necks.neck_values import Section
from napari_tomo4d.measure.necks.pair import across
from napari_tomo4d.measure.necks.section_image import (
    SectionImage,
    in_plane,
    section_image,
)
from napari_tomo4d.measure.report.figures import image_of
from napari_tomo4d.measure.report.style import new_figure
from napari_tomo4d.voxels import CUBIC

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_MARGIN = 8
_ROOM = 1.12
_COLOURS = ("#0072B2", "#009E73")
_NECK = "#D55E00"
_FILLS = ("#FFFFFF", "#9CC8E5", "#A8DCC8", "#D0D0D0")
_ASPECT = 0.7
_MORE = 1.4
_PIXELS = 360
_DPI = 110


@dataclass(frozen=True, eq=False)
class PairView:
    """A pair at one time, ready to be drawn.

    Parameters
    ----------
    picture : SectionImage
        Outlines are empty for particles that don't touch.
    a, b : int
    touching : bool
    reach_nm : float
        Half of the width that shows both particles.
    """

    picture: SectionImage
    a: int
    b: int
    touching: bool
    reach_nm: float


def pair_views(
    labels: Labels,
    pairs: Sequence[tuple[int, int]],
    volume: Volume | None = None,
    section: str = "across-beam",
) -> list[PairView | None]:
    """Measure pairs of one time again and keep what their pictures need.

    Parameters
    ----------
    labels : Labels
        With a voxel size.
    pairs : sequence of (a, b)
    volume : Volume, optional
        Of the same shape.
    section : {"across-beam", "longest"}
        As in `neck`.

    Returns
    -------
    list of PairView or None
        None where a particle does not exist or the pair can't be measured.
    """
    boxes = dict(enumerate(ndimage.find_objects(np.asarray(labels.data)), 1))
    views: list[PairView | None] = []
    for a, b in pairs:
        if boxes.get(a) is None or boxes.get(b) is None:
            views.append(None)
            continue
        try:
            views.append(_view(labels, volume, a, b, (boxes[a], boxes[b]), section))
        except DataError:
            views.append(None)
    return views


def _view(
    labels: Labels, volume: Volume | None, a: int, b: int, boxes: Any, which: str
) -> PairView:
    # everything that the measurement looks at
    region = tuple(
        slice(max(min(f.start, s.start) - _MARGIN, 0), max(f.stop, s.stop) + _MARGIN)
        for f, s in zip(*boxes, strict=True)
    )
    spacing = np.array(labels.voxel_size_nm or CUBIC)
    start = np.array([s.start for s in region]) * spacing
    part = np.asarray(labels.data[region])
    found = neck(part, a, b, spacing, section=which)
    touching = found.section is not None
    section = _moved(found.section, start) if found.section else _apart(part, a, b, spacing, start)
    shown = np.concatenate([*section.outlines_nm, section.centres_nm])
    wide, high = np.abs(in_plane(section, shown)).max(axis=0)
    if not touching:
        radius = float(np.cbrt(3 * max(found.volumes_nm3) / (4 * np.pi)))
        wide, high = wide + radius, high + radius
    reach = float(max(wide, high / _ASPECT)) * _ROOM
    side = _MORE * reach
    picture = section_image(
        section,
        labels,
        a,
        b,
        volume,
        extent_nm=(-side, -side * _ASPECT, 2 * side, 2 * side * _ASPECT),
        step_nm=2 * side / _PIXELS,
    )
    return PairView(picture, a, b, touching, reach)


def draw_pair(view: PairView, reach_nm: float | None = None) -> bytes:
    """Return the picture of a pair as PNG.

    Parameters
    ----------
    view : PairView
    reach_nm : float, optional
        Half of the width of what is shown; give the same for pictures to be compared.

    Returns
    -------
    bytes
        Grey values of the volume, or particles in flat colours where there is none. Blue and green:
        the particles' projected outlines; orange: the neck; crosses: the centres.
    """
    reach = view.reach_nm if reach_nm is None else reach_nm
    figure = new_figure(2.6, 2.6 * _ASPECT)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    halo = [effects.withStroke(linewidth=3.0, foreground="white")]
    picture = view.picture
    left, top, width, height = picture.extent_nm
    extent = (left, left + width, top + height, top)
    axes.imshow(picture.image, extent=extent, interpolation="nearest", **_colours(picture))
    for outline, colour in zip(picture.outlines, _COLOURS, strict=True):
        if len(outline):
            u, v = np.concatenate([outline, outline[:1]]).T
            axes.plot(u, v, color=colour, linewidth=1.3, path_effects=halo)
    if view.touching:
        u, v = picture.neck_line.T
        axes.plot(u, v, color=_NECK, linewidth=2.0, path_effects=halo, solid_capstyle="butt")
    u, v = picture.centres.T
    axes.plot(u, v, "k+", markersize=8, markeredgewidth=1.2, path_effects=halo)
    for label, x, y, outwards in zip((view.a, view.b), u, v, (-1, 1), strict=True):
        axes.text(
            x + outwards * 0.1 * reach,
            y,
            str(label),
            ha="right" if outwards < 0 else "left",
            va="center",
            fontsize=10,
            path_effects=halo,
        )
    _scale_bar(axes, reach, ("white", "black") if picture.grey else ("black", "white"))
    axes.set_xlim(-reach, reach)
    axes.set_ylim(reach * _ASPECT, -reach * _ASPECT)
    axes.set_axis_off()
    return image_of(figure, "png", dpi=_DPI)


def scale_bar_nm(width_nm: float) -> float:
    """Return a round length (1, 2 or 5 times a power of ten) of about a quarter of a width."""
    wanted = width_nm / 4
    power = 10.0 ** np.floor(np.log10(wanted))
    return float(max(f * power for f in (1, 2, 5) if f * power <= wanted * (1 + 1e-9)))


def _scale_bar(axes: Axes, reach: float, colours: tuple[str, str]) -> None:
    length = scale_bar_nm(2 * reach)
    left, y = -0.94 * reach, 0.92 * _ASPECT * reach
    halo = [effects.withStroke(linewidth=w, foreground=colours[1]) for w in (4.5, 2.5)]
    axes.plot(
        [left, left + length],
        [y, y],
        color=colours[0],
        linewidth=2.5,
        path_effects=halo[:1],
        solid_capstyle="butt",
    )
    axes.text(
        left + length / 2,
        y - 0.05 * reach,
        f"{length:g} nm",
        ha="center",
        va="bottom",
        fontsize=9,
        color=colours[0],
        path_effects=halo[1:],
    )


def _colours(picture: SectionImage) -> dict[str, Any]:
    if not picture.grey:
        return {"cmap": ListedColormap(_FILLS), "vmin": -0.5, "vmax": 3.5}
    low, high = grey_levels(picture.image)
    return {"cmap": "gray", "vmin": low, "vmax": high}


def _moved(section: Section, start: np.ndarray) -> Section:
    """Return the section in the coordinates of the whole volume."""
    return Section(
        section.origin_nm + start,
        section.axes,
        (section.outlines_nm[0] + start, section.outlines_nm[1] + start),
        section.neck_line_nm + start,
        section.centres_nm + start,
        section.neck_outline_nm + start,
    )


def _apart(part: np.ndarray, a: int, b: int, spacing: np.ndarray, start: np.ndarray) -> Section:
    """Return a section through the centres of two particles that don't touch."""
    centres = np.stack([np.argwhere(part == n).mean(axis=0) * spacing + start for n in (a, b)])
    axis = centres[1] - centres[0]
    axis /= np.linalg.norm(axis)
    nothing = np.empty((0, 3))
    axes = np.stack([axis, *across(axis)])
    return Section(centres.mean(axis=0), axes, (nothing, nothing), nothing, centres, nothing)
