"""Shifts from masses alone: centre of mass, and the line all projections have in common."""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage

from napari_tomo4d.align.mass import Mass, edge_names, is_whole
from napari_tomo4d.align.screening import Screening, bridged
from napari_tomo4d.align.tilt_images import TiltImages, band_pass, name_tilts
from napari_tomo4d.correlation_peak import peak, taper
from napari_tomo4d.provenance import note, warn

_ROUNDS = 8
_REACHED = 0.001


def from_centres(tilts: TiltImages, mass: Mass, suspect: np.ndarray) -> np.ndarray:
    """Bring the centre of mass of every image to one place.

    Parameters
    ----------
    tilts : TiltImages
    mass : Mass
    suspect : array (tilt,), bool
        Images whose shift is interpolated.

    Returns
    -------
    array (tilt, 2)
        (along, across) to add. Across, the centre comes onto the tilt axis; along, to the
        median of where it was.
    """
    good = ~suspect
    reached = np.median(mass.rims()[good], axis=0) > _REACHED
    if reached.any():
        edges = " and ".join(np.array(edge_names(tilts.turned))[reached])
        warn(
            f"The object reaches the {edges} edge of most images, so the centre of mass in the "
            "images is not that of the object; compare with another method."
        )
    target = np.array([np.median(mass.centres_px[good, 0]), tilts.axis_px])
    return bridged(target - mass.centres_px, suspect, tilts.angles_deg)


def across_from_centres(tilts: TiltImages, centres_px: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Put centres of mass where a rigid object's are: on ``a cos t + b sin t`` about the axis.

    Parameters
    ----------
    tilts : TiltImages
    centres_px : array (tilt,)
        Centre of mass across the axis.
    good : array (tilt,), bool
        Images from which a and b are found.

    Returns
    -------
    array (tilt,)
        Shifts across the axis to add, the smallest that bring the axis where the series
        says it is. The constant of the fit is not free: over a limited range of tilts it is
        as good as the cosine, and each choice of a and b is only a place for the object.
    """
    t = np.deg2rad(tilts.angles_deg)
    waves = np.stack([np.cos(t), np.sin(t)], axis=1)
    beside = centres_px - tilts.axis_px
    # few tilts would let drift pass for an object far outside of the frame
    usual = np.sqrt(np.mean(beside[good] ** 2)) / (tilts.images.shape[2] / 4)
    rows = np.concatenate([waves[good], usual * np.eye(2)])
    fit = np.linalg.lstsq(rows, np.append(beside[good], (0, 0)), rcond=1e-10)[0]
    result: np.ndarray = waves @ fit - beside
    return result


def from_common_line(
    tilts: TiltImages, mass: Mass, screening: Screening, smoothing_px: float
) -> np.ndarray:
    """Align projections onto the tilt axis, and centres of mass across it.

    Parameters
    ----------
    tilts : TiltImages
    mass : Mass
    screening : Screening
        Where to start along the axis, and which images are suspect.
    smoothing_px : float
        Blur of the lines in pixels.

    Returns
    -------
    array (tilt, 2)
        (along, across) to add.

    Notes
    -----
    What a rigid object projects onto the tilt axis is equal at all tilts (Scott et al. 2012,
    Nature 483, 444), so each line is registered against the mean of all the others.
    """
    good = ~screening.suspect
    lines = mass.images.sum(axis=2)
    along = common_line_shifts(lines, screening.shifts_px[:, 0], good, smoothing_px)
    across = _across(tilts, mass, screening)
    return bridged(np.stack([along, across], axis=1), screening.suspect, tilts.angles_deg)


def _across(tilts: TiltImages, mass: Mass, screening: Screening) -> np.ndarray:
    """Return shifts across the axis, from neighbours where part of the mass is missing."""
    good = ~screening.suspect
    rough = screening.shifts_px[:, 1]
    whole = good & is_whole(mass, good)
    if whole.sum() < max(3, good.sum() / 3):
        warn(
            "The object is cut by the frame in most images, so their centres of mass say "
            "little; across the tilt axis neighbours were compared instead."
        )
        return rough
    across = across_from_centres(tilts, mass.centres_px[:, 1], whole)
    if (cut := good & ~whole).any():
        note(
            f"There is less or more mass than usual in {name_tilts(tilts.angles_deg[cut])}; "
            "across the tilt axis they were placed by their neighbours."
        )
        angles = tilts.angles_deg
        offset = np.interp(angles[cut], angles[whole], (across - rough)[whole])
        across[cut] = rough[cut] + offset
    return across


def common_line_shifts(
    lines: np.ndarray, start: np.ndarray, good: np.ndarray, smoothing_px: float
) -> np.ndarray:
    """Register lines against the mean of all others until nothing moves.

    Parameters
    ----------
    lines : array (tilt, along)
        Sums of each image across the axis.
    start : array (tilt,)
        Shifts to start from, in pixels.
    good : array (tilt,), bool
        Lines that count in the mean.
    smoothing_px : float
        Blur in pixels.

    Returns
    -------
    array (tilt,)
        Shifts to add, with the mean of `start`.
    """
    n = lines.shape[1]
    bands = np.stack(
        [band_pass(line, smoothing_px, max(n / 8, 4 * smoothing_px)) for line in lines]
    )
    bands /= np.maximum(np.linalg.norm(bands, axis=1, keepdims=True), 1e-30)
    window = taper((n,), 0.1)
    shifts = np.array(start, dtype=np.float64)
    for i in range(_ROUNDS):
        moved = [
            fft.rfft(ndimage.shift(b, s, order=3, mode="nearest") * window, 2 * n)
            for b, s in zip(bands, shifts, strict=True)
        ]
        spectra = np.stack(moved)
        total = spectra[good].sum(axis=0)
        within = 6.0 if i < 2 else 2.0
        steps = np.array(
            [
                peak(fft.irfft((total - g * s) * s.conj(), 2 * n), within)[0][0]
                for s, g in zip(spectra, good, strict=True)
            ]
        )
        # the mean of the others is off the mean of all by the line's own share
        steps *= (good.sum() - 1) / max(good.sum(), 1)
        shifts += steps - steps[good].mean()
        if np.abs(steps[good]).max() < 0.01:
            break
    return shifts
