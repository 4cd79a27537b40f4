"""Shifts from image to image: each is registered to those aligned before it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from napari_tomo4d.align.correlation import Correlator, phase_correlation
from napari_tomo4d.align.mutual_information import mutual_information_shift
from napari_tomo4d.align.screening import Screening, bridged
from napari_tomo4d.align.tilt_images import TiltImages, band_pass
from napari_tomo4d.progress import Progress

NEIGHBOUR_METHODS = ("mutual-information", "phase-correlation", "cross-correlation")

_WITHIN_PX = 4
_PASSES = 2
_MOST_STRETCH = 1.5


def shift_between_neighbours(
    shifts_px: np.ndarray, angles_deg: np.ndarray, tilt: int, unreliable: np.ndarray | None = None
) -> np.ndarray:
    """Return the shift of an image as its neighbours in angle have it.

    Parameters
    ----------
    shifts_px : array (tilt, 2)
        (dy, dx) of every image.
    angles_deg : array (tilt,)
    tilt : int
        Which image.
    unreliable : bool array (tilt,), optional
        Images that are no measure for others; where all are, all others count.

    Returns
    -------
    array (2,)
        (dy, dx) in pixels, linear in angle between the nearest on either side; beyond the last,
        that of the last. An image without others stays where it is.
    """
    good = np.ones(len(angles_deg), bool) if unreliable is None else ~unreliable
    good[tilt] = False
    if not good.any():
        good = np.arange(len(angles_deg)) != tilt
    if not good.any():
        return np.array(shifts_px[tilt], dtype=np.float64)
    order = np.argsort(angles_deg[good], kind="stable")
    angles, known = angles_deg[good][order], shifts_px[good][order]
    return np.array([np.interp(angles_deg[tilt], angles, known[:, k]) for k in range(2)])


def from_neighbours(
    tilts: TiltImages,
    screening: Screening,
    method: str,
    *,
    smoothing_px: float,
    background_px: float,
    references: int = 3,
    cos_stretch: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> np.ndarray:
    """Register images from the middle tilt outwards.

    Parameters
    ----------
    tilts : TiltImages
    screening : Screening
        Shifts to start from, and which images are suspect.
    method : str
        One of `NEIGHBOUR_METHODS`.
    smoothing_px, background_px : float
        Limits of the band-pass; mutual information uses the first only, as it needs grey
        values that mean something.
    references : int
        How many of the aligned images nearest in angle are averaged, against noise.
    cos_stretch : bool
        Stretch the references across the axis by the ratio of the cosines: right for flat
        samples, wrong for needles.
    seed : int
        Of the random search of mutual information.
    progress : Progress, optional

    Returns
    -------
    array (tilt, 2)
        (along, across) to add; zero at the good tilt nearest 0 degrees, interpolated where suspect.
    """
    progress = progress or Progress()
    grey = method == "mutual-information"
    n, shape = len(tilts.images), tilts.images.shape[1:]
    correlator = Correlator(shape, reach_px=4 * _WITHIN_PX)
    shifts = screening.shifts_px.copy()
    aligned: dict[int, np.ndarray] = {}

    def prepared(k: int) -> np.ndarray:
        if grey:
            result: np.ndarray = ndimage.gaussian_filter(
                tilts.images[k], smoothing_px, mode="nearest"
            )
            return result
        return band_pass(tilts.images[k], smoothing_px, background_px)

    for done, (k, near) in enumerate(outwards(tilts, screening.suspect, references)):
        image = prepared(k)
        if near:
            reference = np.mean(
                [_as_at(k, j, aligned[j], tilts) if cos_stretch else aligned[j] for j in near],
                axis=0,
            )
            # what was found for the neighbour so far, and the rough step from there
            step = screening.shifts_px[k] - screening.shifts_px[near[0]]
            shifts[k] = shifts[near[0]] + step
            if grey:
                counted = inside(shape, np.max(np.abs(shifts[near]), axis=0))
                shifts[k] = mutual_information_shift(reference, image, shifts[k], seed, counted)
            else:
                for _ in range(_PASSES):
                    moved = ndimage.shift(image, shifts[k], order=1, mode="nearest")
                    if method == "phase-correlation":
                        found = phase_correlation(reference, moved, smoothing_px, _WITHIN_PX)
                    else:
                        fixed = correlator.spectra(reference)
                        found = correlator.match(fixed, correlator.spectra(moved), _WITHIN_PX)[0]
                    shifts[k] += found
        aligned[k] = ndimage.shift(image, shifts[k], order=1, mode="nearest")
        progress.report(done + 1, n, "Registering neighbours")
    shifts -= shifts[tilts.middle(~screening.suspect)]
    return bridged(shifts, screening.suspect, tilts.angles_deg)


def outwards(
    tilts: TiltImages, suspect: np.ndarray, references: int
) -> Iterator[tuple[int, list[int]]]:
    """Yield images that are not suspect from the middle tilt on, each with those to compare it to.

    Yields
    ------
    index : int
    near : list of int
        Up to `references` images that came earlier, the nearest in angle first.
    """
    good = np.flatnonzero(~suspect)
    middle = tilts.middle(~suspect)
    far = np.abs(tilts.angles_deg[good] - tilts.angles_deg[middle])
    before: list[int] = []
    for k in good[np.argsort(far, kind="stable")]:
        near = sorted(before, key=lambda j: abs(tilts.angles_deg[j] - tilts.angles_deg[k]))
        yield int(k), near[:references]
        before.append(int(k))


def inside(shape: tuple[int, ...], margins_px: np.ndarray) -> np.ndarray:
    """Return the pixels (y, x) that shifts of up to `margins_px` don't bring in from outside."""
    mask = np.zeros(shape, bool)
    y, x = (min(int(np.ceil(m)) + 2, n // 3) for m, n in zip(margins_px, shape, strict=True))
    mask[y : shape[0] - y, x : shape[1] - x] = True
    return mask


def _as_at(k: int, j: int, image: np.ndarray, tilts: TiltImages) -> np.ndarray:
    """Stretch the aligned image `j` across the axis as a flat sample shows itself at tilt `k`."""
    cosines = np.abs(np.cos(np.deg2rad(tilts.angles_deg[[k, j]])))
    ratio = float(np.clip(cosines[0] / max(cosines[1], 1e-3), 1 / _MOST_STRETCH, _MOST_STRETCH))
    offset = tilts.axis_px * (1 - 1 / ratio)
    result: np.ndarray = ndimage.affine_transform(
        image, np.array([1.0, 1 / ratio]), (0.0, offset), order=1, mode="nearest"
    )
    return result


def agreement(
    tilts: TiltImages,
    shifts: np.ndarray,
    suspect: np.ndarray,
    smoothing_px: float,
    background_px: float,
) -> np.ndarray:
    """Return how well each aligned image matches the mean of its two neighbours, 0..1.

    Parameters
    ----------
    tilts : TiltImages
    shifts : array (tilt, 2)
    suspect : array (tilt,), bool
        Images that are no one's reference.
    smoothing_px, background_px : float
        Limits of the band-pass.

    Returns
    -------
    array (tilt,)
        Normalised cross-correlation over what both show; 0 for blank images.
    """
    good = np.flatnonzero(~suspect)
    quality = np.zeros(len(shifts))
    cache: dict[int, np.ndarray] = {}

    def moved(k: int) -> np.ndarray:
        if k not in cache:
            band = band_pass(tilts.images[k], smoothing_px, background_px)
            cache[k] = ndimage.shift(band, shifts[k], order=1, mode="nearest")
        return cache[k]

    for k in range(len(shifts)):
        near = [*good[good < k][-1:], *good[good > k][:1]]
        if tilts.blank[k] or not near:
            continue
        mask = inside(tilts.images.shape[1:], np.abs(shifts[[k, *near]]).max(axis=0))
        own, other = moved(k)[mask], np.mean([moved(int(j))[mask] for j in near], axis=0)
        norm = np.linalg.norm(own) * np.linalg.norm(other)
        quality[k] = float(own @ other) / norm if norm else 0.0
        for old in [j for j in cache if j < min([k, *near])]:
            del cache[old]
    return np.clip(quality, 0, 1)
