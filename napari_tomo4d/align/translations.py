"""Shifts between the images of a tilt series, by any of six methods."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ParamSpec

import numpy as np

from napari_tomo4d.align.alignment import apply
from napari_tomo4d.align.common_line import from_centres, from_common_line
from napari_tomo4d.align.mass import Mass, edge_names, is_cut, kept, weigh
from napari_tomo4d.align.neighbours import NEIGHBOUR_METHODS, agreement, from_neighbours
from napari_tomo4d.align.reprojection import from_reprojection
from napari_tomo4d.align.rotation_magnification import find_similarities
from napari_tomo4d.align.screening import bridged, screen, stands_out
from napari_tomo4d.align.tilt_images import TiltImages, name_tilts, prepare
from napari_tomo4d.align.transforms import Alignment
from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import DataError
from napari_tomo4d.parameters import Param, check_parameters
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import note, warn
from napari_tomo4d.registry import step

METHODS = (*NEIGHBOUR_METHODS, "centre-of-mass", "common-line", "reprojection")

_LEAST_MASS = 0.99
# images of nothing but noise agree with their neighbours by 0.0 to 0.1
_CHANCE = 0.15

_Method = Annotated[
    str,
    Param(
        "Reprojection is the most accurate; the first three compare neighbours.", choices=METHODS
    ),
]
_Smoothing = Annotated[
    float,
    Param(
        "Blur before images are compared; more for noisier images.",
        unit="px",
        minimum=0.3,
        maximum=50,
        step=0.5,
        advanced=True,
    ),
]
_Background = Annotated[
    float | None,
    Param(
        "Wider structures are taken for background; empty: an eighth of the image.",
        unit="px",
        minimum=2,
        maximum=10000,
        advanced=True,
    ),
]
_References = Annotated[
    int,
    Param(
        "Neighbours whose mean each image is compared with.", minimum=1, maximum=20, advanced=True
    ),
]
_Stretch = Annotated[
    bool,
    Param("Stretch neighbours by the cosine of the tilt: for flat samples only.", advanced=True),
]
_Margin = Annotated[
    float,
    Param(
        "Rim around what stands out of the background that counts as the object.",
        unit="px",
        minimum=0,
        maximum=1000,
        advanced=True,
    ),
]
_Rounds = Annotated[
    int, Param("Rounds of reprojection at most.", minimum=1, maximum=100, advanced=True)
]
_Turns = Annotated[
    bool,
    Param(
        "Also turn and magnify each image a little, where the images show that they need it.",
        advanced=True,
    ),
]
_Seed = Annotated[
    int, Param("Of the random search of mutual information.", minimum=0, advanced=True)
]
_P = ParamSpec("_P")


@dataclass(frozen=True, eq=False, kw_only=True)
class Translations(Alignment):
    """Shifts between the images of a tilt series, and how far they are to be believed.

    Parameters
    ----------
    shifts_px, rotations_deg, magnifications : array
        As in `Alignment`; the last two are None unless they were asked for.
    quality : array (tilt,)
        Correlation of each aligned image with its neighbours, 0..1.
    suspect : array (tilt,), bool
        Images that match no neighbour; their shifts are interpolated.
    mass_kept : array (tilt,)
        Part of each image's mass that stays in the frame, 0..1.
    """

    quality: np.ndarray
    suspect: np.ndarray
    mass_kept: np.ndarray


def translations(
    series: TiltSeries,
    method: _Method = "mutual-information",
    *,
    smoothing_px: _Smoothing = 2.0,
    background_px: _Background = None,
    references: _References = 3,
    cos_stretch: _Stretch = False,
    margin_px: _Margin = 3.0,
    rounds: _Rounds = 4,
    rotation_and_magnification: _Turns = False,
    seed: _Seed = 0,
    progress: Progress | None = None,
) -> Translations:
    """Find the shifts that align the images of a tilt series.

    Parameters
    ----------
    series : TiltSeries
        One image per tilt, in any order, bright object on dark background. The tilt axis may
        be parallel to y or x.
    method : str
        ``"mutual-information"``, ``"phase-correlation"``, ``"cross-correlation"``
            Each image against the mean of those aligned before it, from the middle tilt
            outwards. The middle tilt stays where it is, unless all have to move along the
            axis to keep the object in the frame.
        ``"centre-of-mass"``
            The centre of mass comes onto the tilt axis, and stays where it is along it.
        ``"common-line"``
            Sums onto the tilt axis are made equal; across it centres of mass move as those
            of a rigid object.
        ``"reprojection"``
            Each image against a projection of a reconstruction from the others, starting
            from the common line.
    smoothing_px, background_px : float
        Standard deviations in pixels of the band-pass before images are compared.
    references : int
        Images averaged as a reference.
    cos_stretch : bool
        Stretch references by the ratio of the cosines of the tilts.
    margin_px : float
        Rim in pixels around what stands out that counts as mass.
    rounds : int
        Rounds of reprojection.
    rotation_and_magnification : bool
        After that, fit a small rotation, magnification and shift of each image to reprojections,
        whatever the method; see `find_similarities`.
    seed : int
        Of the random numbers of mutual information.
    progress : Progress, optional
        A wish to finish ends the reprojection early.

    Returns
    -------
    Translations

    Raises
    ------
    DataError
        If there are fewer than two tilts or images with contrast, or a shift would move an
        image out of its frame.

    Notes
    -----
    The last three methods, and the fit of rotations, also put the tilt axis where the series
    says it is, by default in the middle of the images. Images are first compared with their
    neighbours on a coarse grid: those that match none are suspect, have no influence on the
    others and get an interpolated shift.
    """
    options = {k: v for k, v in locals().items() if k not in ("series", "progress")}
    check_parameters(translations, options)
    progress = progress or Progress()
    tilts = prepare(series)
    wide = background_px or max(min(series.image_shape) / 8, 4.0)
    wide = max(wide, 2 * smoothing_px)
    rough = screen(tilts, smoothing_px, wide, progress.part(0, 2))
    if np.median(rough.quality[~tilts.blank]) < _CHANCE:
        warn(
            "Neighbouring images match no better than noise does; check that they show the "
            "object, or give a larger smoothing."
        )
    mass = weigh(tilts, margin_px)
    rest, turning = progress.part(1, 2), None
    if rotation_and_magnification:
        rest, turning = rest.part(0, 2), rest.part(1, 2)
    if method in NEIGHBOUR_METHODS:
        shifts = from_neighbours(
            tilts,
            rough,
            method,
            smoothing_px=smoothing_px,
            background_px=wide,
            references=references,
            cos_stretch=cos_stretch,
            seed=seed,
            progress=rest,
        )
    elif method == "centre-of-mass":
        shifts = from_centres(tilts, mass, rough.suspect)
    else:
        shifts = from_common_line(tilts, mass, rough, smoothing_px / 2)
        if method == "reprojection":
            shifts = from_reprojection(
                tilts,
                mass,
                shifts,
                rough.suspect,
                smoothing_px=smoothing_px / 2,
                rounds=rounds,
                progress=rest,
            )
    turns: np.ndarray | None = None
    scales: np.ndarray | None = None
    if rotation_and_magnification:
        found = find_similarities(
            tilts, mass, shifts, rough.suspect, smoothing_px=smoothing_px / 2, progress=turning
        )
        shifts = found.shifts_px
        # exchanging y and x turns the sense of a rotation round
        sense = -1.0 if tilts.turned else 1.0
        turns = tilts.to_series(sense * np.rad2deg(found.turns_rad))
        scales = tilts.to_series(found.scales)
        # all that follows looks at the images as they will be
        tilts = found.turned(tilts)
        mass = weigh(tilts, margin_px)
    quality = agreement(tilts, shifts, rough.suspect, smoothing_px, wide)
    suspect = rough.suspect | stands_out(quality, ~rough.suspect)
    shifts = bridged(shifts, suspect, tilts.angles_deg)
    shifts[:, 0] += _room_along(tilts, mass, shifts, suspect)
    _check_frames(tilts, shifts)
    stays = _mass_kept(tilts, mass, shifts, suspect)
    _say_cut(tilts, mass, suspect)
    _say_suspect(tilts, suspect & ~tilts.blank)
    return Translations(
        shifts_px=tilts.shifts_to_series(shifts),
        rotations_deg=turns,
        magnifications=scales,
        quality=tilts.to_series(quality),
        suspect=tilts.to_series(suspect),
        mass_kept=tilts.to_series(stays),
    )


def _with_parameters_of(
    source: Callable[_P, Any],
) -> Callable[[Callable[..., TiltSeries]], Callable[_P, TiltSeries]]:
    """Give a function that passes everything on the signature of the one it passes it on to."""

    def decorate(function: Callable[..., TiltSeries]) -> Callable[_P, TiltSeries]:
        returns = function.__annotations__["return"]
        signature = inspect.signature(source).replace(return_annotation=returns)
        function.__signature__ = signature  # type: ignore[attr-defined]
        function.__annotations__ = source.__annotations__ | {"return": returns}
        return function

    return decorate


@step("align.align_series", title="Align the tilts", takes=TiltSeries, gives=TiltSeries)
@_with_parameters_of(translations)
def align_series(
    series: TiltSeries, method: str, *, progress: Progress | None = None, **options: Any
) -> TiltSeries:
    """Find the shifts between the images of a tilt series and apply them.

    Parameters
    ----------
    series : TiltSeries
        One image per tilt.
    method, progress, **options
        As in `translations`.

    Returns
    -------
    TiltSeries
        Float32 images, interpolated once. ``metadata["alignment"]`` holds, for each tilt,
        ``shifts_px`` (dy, dx), ``quality``, ``suspect`` and ``mass_kept``, and the method; with
        rotations, also ``rotations_deg`` and ``magnifications``.
    """
    progress = progress or Progress()
    found = translations(series, method, progress=progress.part(0, 2), **options)
    aligned = apply(series, found, progress=progress.part(1, 2))
    alignment = {
        "method": method,
        "shifts_px": np.round(found.shifts_px, 4).tolist(),
        "quality": np.round(found.quality, 4).tolist(),
        "suspect": found.suspect.tolist(),
        "mass_kept": np.round(found.mass_kept, 5).tolist(),
    }
    if found.rotations_deg is not None and found.magnifications is not None:
        alignment["rotations_deg"] = np.round(found.rotations_deg, 5).tolist()
        alignment["magnifications"] = np.round(found.magnifications, 7).tolist()
    return dataclasses.replace(aligned, metadata={**aligned.metadata, "alignment": alignment})


def _room_along(tilts: TiltImages, mass: Mass, shifts: np.ndarray, suspect: np.ndarray) -> float:
    """Return the smallest common move along the axis that keeps the mass in the frame.

    No method can tell where along the axis an object is, and nothing depends on it.
    """
    reach = int(np.ptp(shifts[~suspect, 0])) + 1
    best, most = 0.0, -1.0
    for offset in sorted(range(-reach, reach + 1), key=abs):
        moved = shifts + np.array([offset, 0.0])
        least = float(kept(mass, moved)[0][~suspect].min())
        if least >= _LEAST_MASS:
            best = float(offset)
            break
        if least > most + 1e-4:
            best, most = float(offset), least
    if best:
        note(f"All images were moved by {best:g} px along the tilt axis to keep the object.")
    return best


def _check_frames(tilts: TiltImages, shifts: np.ndarray) -> None:
    out = (np.abs(shifts) >= tilts.images.shape[1:]).any(axis=1)
    if out.any():
        worst = np.abs(shifts[out]).max()
        raise DataError(
            f"Aligning would move {name_tilts(tilts.angles_deg[out])} by up to {worst:.0f} px, "
            "out of the frame; check these images and the tilt axis, or choose another method."
        )


def _mass_kept(
    tilts: TiltImages, mass: Mass, shifts: np.ndarray, suspect: np.ndarray
) -> np.ndarray:
    stays, leaves = kept(mass, shifts)
    less = (stays < _LEAST_MASS) & ~suspect
    if less.any():
        worst = int(np.argmin(np.where(less, stays, 1)))
        edge = edge_names(tilts.turned)[int(np.argmax(leaves[worst]))]
        warn(
            f"Aligning moves up to {100 * (1 - stays[worst]):.1f} % of the mass out of the frame "
            f"in {name_tilts(tilts.angles_deg[less])}, most at the {edge} edge; what left is "
            "missing from the reconstruction."
        )
    return stays


def _say_cut(tilts: TiltImages, mass: Mass, suspect: np.ndarray) -> None:
    cut = is_cut(mass, ~suspect)
    if cut.any():
        worst = int(np.argmin(np.where(cut, mass.totals, np.inf)))
        lost = 1 - mass.totals[worst] / np.median(mass.totals[~suspect])
        edge = edge_names(tilts.turned)[int(np.argmax(mass.rims()[worst]))]
        warn(
            f"The object had left the field in {name_tilts(tilts.angles_deg[cut])}: up to "
            f"{100 * lost:.0f} % of its mass is missing, at the {edge} edge."
        )


def _say_suspect(tilts: TiltImages, suspect: np.ndarray) -> None:
    if suspect.any():
        names = name_tilts(tilts.angles_deg[suspect])
        warn(
            f"Nothing in the neighbours matches {names}; suspect images were left out and got "
            "interpolated shifts, so check or remove them."
        )
