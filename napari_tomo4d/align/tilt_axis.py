"""Find the tilt axis of an aligned tilt series."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from napari_tomo4d.align.alignment import apply
from napari_tomo4d.align.axis_images import AxisImages, axis_images
from napari_tomo4d.align.axis_moments import MomentFit, centre_of_mass_fit, order_is_doubtful
from napari_tomo4d.align.axis_refine import refine as refine_by_reprojection
from napari_tomo4d.align.axis_said import said_rotation
from napari_tomo4d.align.axis_sharpness import sharpest
from napari_tomo4d.align.transforms import Curve, TiltAxis
from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import DataError, ParameterError
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import note, warn
from napari_tomo4d.registry import step

_FAR_DEG = 5.0

METHODS = ("automatic", "centre-of-mass", "sharpness")


def tilt_axis(
    series: TiltSeries,
    method: str = "automatic",
    *,
    refine: bool = True,
    progress: Progress | None = None,
) -> TiltAxis:
    """Find position and rotation of the tilt axis.

    Parameters
    ----------
    series : TiltSeries
        One image per tilt, aligned to each other, dark background.
    method : {"automatic", "centre-of-mass", "sharpness"}
        "centre-of-mass" follows the centre of mass of bands of rows and needs the object
        inside the images at all tilts. "sharpness" compares back-projections of several
        slices. "automatic" starts from the first, or from the second where the object
        leaves the images, refines, and weights both by their uncertainty.
    refine : bool
        For "automatic": whether to refine shift and rotation together by reprojection.
    progress : Progress, optional

    Returns
    -------
    TiltAxis
        `rotation_deg` is the angle from the image axis `series.tilt_axis` to the tilt axis,
        positive towards the other image axis, as in `Projector`; `shift_px` counts from the
        image centre, whatever `series.axis_shift_px` says.

    Raises
    ------
    DataError
        If images are blank or hold nothing bright, or tilts are too few or too close.
    ParameterError
        If there is no such method.

    Notes
    -----
    The sign of the tilt angles can't be told from parallel projections: turning it over
    mirrors the volume along the beam, and gives the same axis.
    """
    if method not in METHODS:
        raise ParameterError(f"method is {method!r}; choose one of {', '.join(METHODS)}.")
    found = _found(series, method, refine, progress or Progress())
    said = said_rotation(series)
    if said is not None and abs(said - found.rotation_deg) > _FAR_DEG:
        warn(
            f"The tilt axis of {series.name!r} was found turned by {found.rotation_deg:.1f} "
            f"degrees, but its file says {said:.1f}; check it by eye."
        )
    return found


def _found(series: TiltSeries, method: str, refine: bool, progress: Progress) -> TiltAxis:
    images = axis_images(series)
    if order_is_doubtful(images):
        warn(
            f"The images of {series.name!r} follow each other as if tilted in sequence, but their "
            "angles do not; check the order of the angles."
        )
    if method == "sharpness":
        return _by_sharpness(images, progress)
    if method == "centre-of-mass":
        return _by_moments(centre_of_mass_fit(images))
    start = _start(images, progress.part(0, 2 if refine else 1))
    if not refine:
        return start
    part = progress.part(1, 2)
    found = refine_by_reprojection(images, start.shift_px, start.rotation_deg, progress=part)
    width = images.images.shape[2]
    far = abs(found.shift_px - start.shift_px) > 0.1 * width
    if far or abs(found.rotation_deg - start.rotation_deg) > 10:
        warn(
            f"Reprojection moved the tilt axis of {series.name!r} far from where the "
            f"{start.method} found it, so that was kept; check it by eye."
        )
        return start
    if not found.converged:
        warn(
            f"The tilt axis of {series.name!r} had not settled when its refinement ended; check "
            "it by eye."
        )
    shift, shift_error = _combined(
        (found.shift_px, found.shift_uncertainty_px), (start.shift_px, start.shift_uncertainty_px)
    )
    rotation, rotation_error = _combined(
        (found.rotation_deg, found.rotation_uncertainty_deg),
        (start.rotation_deg, start.rotation_uncertainty_deg),
    )
    return TiltAxis(
        shift,
        rotation,
        shift_error,
        rotation_error,
        start.curve_shift,
        start.curve_rotation,
        f"{start.method}, reprojection",
    )


def _combined(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """Return the mean of two values with standard errors, weighted by these, and its error."""
    if not np.isfinite(other[1]):
        return one
    weights = np.array([1 / max(error, 1e-6) ** 2 for _, error in (one, other)])
    value = float(weights @ [one[0], other[0]] / weights.sum())
    # both see the same noise, so the error is not less than that of the better
    return value, min(one[1], other[1])


def _start(images: AxisImages, progress: Progress) -> TiltAxis:
    """Return the axis from centres of mass, or from sharpness where they say nothing."""
    try:
        fit = centre_of_mass_fit(images)
    except DataError:
        fit = None
    width = images.images.shape[2]
    if fit is not None and fit.shift_uncertainty_px < 0.03 * width and len(fit.along_px) >= 4:
        return _by_moments(fit)
    note("The centre of mass can't be followed, so the tilt axis was searched by sharpness.")
    return _by_sharpness(images, progress)


def _by_sharpness(images: AxisImages, progress: Progress) -> TiltAxis:
    shift, rotation, curve_shift, curve_rotation = sharpest(images, 0.0, 0.0, progress=progress)
    return TiltAxis(
        shift,
        rotation,
        curve_shift=curve_shift,
        curve_rotation=curve_rotation,
        method="sharpness",
    )


def _by_moments(fit: MomentFit) -> TiltAxis:
    """Return the axis of a fit, with the negative misfit of the bands as curves."""
    slope = np.tan(np.deg2rad(fit.rotation_deg))
    left = fit.centres_px - fit.shift_px - slope * fit.along_px
    shifts = fit.shift_px + np.linspace(-10, 10, 81)
    rotations = fit.rotation_deg + np.linspace(-10, 10, 81)
    misfit_shift = [-np.abs(left + fit.shift_px - s).mean() for s in shifts]
    turns = np.tan(np.deg2rad(rotations)) - slope
    misfit_rotation = [-np.abs(left - t * fit.along_px).mean() for t in turns]
    return TiltAxis(
        fit.shift_px,
        fit.rotation_deg,
        fit.shift_uncertainty_px,
        fit.rotation_uncertainty_deg,
        Curve(shifts, np.array(misfit_shift)),
        Curve(rotations, np.array(misfit_rotation)),
        "centre of mass",
    )


@step("align.find_and_apply_axis", title="Find the tilt axis", takes=TiltSeries, gives=TiltSeries)
def find_and_apply_axis(
    series: TiltSeries,
    method: Annotated[
        str, Param("Automatic: centre of mass or sharpness, then reprojection.", choices=METHODS)
    ] = "automatic",
    *,
    progress: Progress | None = None,
) -> TiltSeries:
    """Find the tilt axis, centre it and turn it parallel to its image axis.

    Parameters
    ----------
    series : TiltSeries
        One image per tilt, aligned to each other.
    method : str
        As in `tilt_axis`.
    progress : Progress, optional

    Returns
    -------
    TiltSeries
        With `axis_shift_px` 0; what was found stands in its provenance's notes.
    """
    progress = progress or Progress()
    axis = tilt_axis(series, method, progress=progress.part(0, 2))
    note(
        f"Tilt axis at {axis.shift_px:.2f} px, rotated by {axis.rotation_deg:.2f}° ({axis.method})."
    )
    return apply(series, None, axis, progress=progress.part(1, 2))
