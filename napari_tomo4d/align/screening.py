"""First look at all images: rough shifts between neighbours, and images that fit nowhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_tomo4d.align.correlation import Correlator
from napari_tomo4d.align.tilt_images import TiltImages, band_pass, binned
from napari_tomo4d.correlation_peak import shifts_of_pairs
from napari_tomo4d.progress import Progress

_LARGEST = 144
_REACH = 3
_AGREEMENT_PX = 2.5


@dataclass(frozen=True, eq=False)
class Screening:
    """What a comparison of every image with its nearest neighbours shows.

    Parameters
    ----------
    shifts_px : array (tilt, 2)
        Rough shifts (along, across) to add; zero at the good tilt nearest 0 degrees.
    quality : array (tilt,)
        Mean correlation with those neighbours that it agrees with about its shift, 0..1.
    suspect : array (tilt,), bool
        Images that agree with their neighbours much less than the others do.
    """

    shifts_px: np.ndarray
    quality: np.ndarray
    suspect: np.ndarray


def screen(
    tilts: TiltImages,
    smoothing_px: float,
    background_px: float,
    progress: Progress | None = None,
) -> Screening:
    """Compare every image with its neighbours, on a coarse grid.

    Parameters
    ----------
    tilts : TiltImages
    smoothing_px, background_px : float
        Limits of the band-pass.
    progress : Progress, optional

    Returns
    -------
    Screening

    Notes
    -----
    Normalised cross-correlations of all pairs up to three tilts apart are solved for the
    shifts by least absolute deviations, so that some wrong pairs do no harm.
    """
    progress = progress or Progress()
    n, n_along, n_across = tilts.images.shape
    step = -(-max(n_along, n_across) // _LARGEST)
    small = binned(tilts.images, step)
    correlator = Correlator(small.shape[1:])
    spectra = [
        correlator.spectra(
            band_pass(i, max(smoothing_px / step, 1.0), max(background_px / step, 4.0))
        )
        for i in small
    ]
    usable = ~tilts.blank
    pairs, steps, matches = [], [], []
    for k in range(n):
        for j in _after(k, usable):
            found, value = correlator.match(spectra[j], spectra[k])
            pairs.append((k, j))
            # what is added to k to bring it onto j
            steps.append(found * step)
            matches.append(max(value, 0.0))
        progress.report(k + 1, n, "Comparing neighbours")
    return _solve(np.array(pairs), np.array(steps), np.array(matches), tilts, _AGREEMENT_PX * step)


def _after(k: int, usable: np.ndarray) -> np.ndarray:
    """Return the next few usable tilts after `k`, none if it is not usable itself."""
    later = np.flatnonzero(usable[k + 1 :]) + k + 1
    return later[:_REACH] if usable[k] else later[:0]


def _solve(
    pair: np.ndarray, step: np.ndarray, match: np.ndarray, tilts: TiltImages, tolerance: float
) -> Screening:
    n = len(tilts.images)
    # a pair is what is added to its first to bring it onto its second
    shifts, off = shifts_of_pairs(n, pair[:, ::-1], step, match + 1e-6, 0.3)
    agrees = np.where(off < tolerance, match, 0.0)
    quality = np.array(
        [agrees[own].mean() if (own := (pair == k).any(axis=1)).any() else 0.0 for k in range(n)]
    )
    suspect = stands_out(quality, ~tilts.blank)
    shifts = bridged(shifts - shifts[tilts.middle(~suspect)], suspect, tilts.angles_deg)
    return Screening(shifts, np.clip(quality, 0, 1), suspect)


def stands_out(quality: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Return which images match much worse than those around them, (tilt,) bool.

    Parameters
    ----------
    quality : array (tilt,)
        Correlation with the neighbours.
    usable : array (tilt,), bool
        The others are suspect in any case.

    Notes
    -----
    Compared with the median of the nearest nine, since images at high tilt match less
    well in any series: below half of it. An image next to a bad one loses part of its
    neighbours' agreement, and is not to be blamed for that.
    """
    suspect = ~usable
    index = np.flatnonzero(usable)
    for place, k in enumerate(index):
        around = index[max(0, min(place - 4, len(index) - 9)) :][:9]
        suspect[k] = quality[k] < 0.5 * np.median(quality[around])
    return suspect


def bridged(shifts: np.ndarray, suspect: np.ndarray, angles_deg: np.ndarray) -> np.ndarray:
    """Return shifts (tilt, 2) with those of suspect images interpolated between the others."""
    result = np.array(shifts, dtype=np.float64)
    good = ~suspect
    if good.any() and suspect.any():
        for axis in range(2):
            result[suspect, axis] = np.interp(
                angles_deg[suspect], angles_deg[good], shifts[good, axis]
            )
    return result
