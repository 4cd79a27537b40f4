"""A small rotation and magnification of each image, found together with its shift."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from napari_tomo4d.align.mass import Mass
from napari_tomo4d.align.reprojection import binnings, held, sirt
from napari_tomo4d.align.tilt_images import TiltImages, band_pass, binned
from napari_tomo4d.align.transforms import moved, rotation_matrices
from napari_tomo4d.correlation_peak import taper
from napari_tomo4d.progress import Progress
from napari_tomo4d.reconstruct.projector import Projector

_ROUNDS = 2
_STEPS = 2
_ITERATIONS = 12
_FINEST_BLUR_PX = 1.0
_LARGEST_STEP = 0.05


@dataclass(frozen=True, eq=False)
class Similarities:
    """What turns, magnifies and shifts each image, in order of tilt.

    Parameters
    ----------
    shifts_px : array (tilt, 2)
        (along, across) to add after the rotation and magnification about the image centre.
    turns_rad : array (tilt,)
        From across the tilt axis towards along it.
    scales : array (tilt,)
    """

    shifts_px: np.ndarray
    turns_rad: np.ndarray
    scales: np.ndarray

    def turned(self, tilts: TiltImages) -> TiltImages:
        """Return the images turned and magnified, not shifted."""
        matrices = rotation_matrices(self.turns_rad, self.scales)
        images = [moved(i, m, np.zeros(2)) for i, m in zip(tilts.images, matrices, strict=True)]
        return dataclasses.replace(tilts, images=np.stack(images).astype(np.float32))


def find_similarities(
    tilts: TiltImages,
    mass: Mass,
    start: np.ndarray,
    suspect: np.ndarray,
    *,
    smoothing_px: float,
    progress: Progress | None = None,
) -> Similarities:
    """Fit rotation, magnification and shift of each image to a projection of the others.

    Parameters
    ----------
    tilts : TiltImages
    mass : Mass
        The images without background.
    start : array (tilt, 2)
        Shifts (along, across) that are right to about a pixel.
    suspect : array (tilt,), bool
        Images that are left out; they are neither turned nor magnified.
    smoothing_px : float
        Blur of images and projections for the comparison.
    progress : Progress, optional
        A wish to finish returns what is known so far.

    Returns
    -------
    Similarities
        Rotations have the mean 0 and magnifications the geometric mean 1: a common rotation
        is that of the tilt axis, and a common magnification the pixel size. Nor do rotations
        go with the sine of the tilt, as a tilt axis that leans towards the beam makes them,
        which images of a thin object hardly tell from other rotations.

    Notes
    -----
    Gauss-Newton steps (Lucas & Kanade 1981) against projections of a volume made from every
    second image, and then the other way round. The brightness of each image is free, and so is
    its stretch across the axis, as the missing wedge makes the volume too thick: the
    magnification is what happens along the axis. Only for the rotation both are one number.

    What noise alone makes is taken back in the mean of all images, by the positive-part
    estimate of Efron & Morris (1973, J. Am. Stat. Assoc. 68, 117).
    """
    progress = progress or Progress()
    good = np.flatnonzero(~suspect)
    n = len(start)
    shifts, small = np.array(start, dtype=np.float64), np.zeros((n, 2))
    if len(good) < 3:
        return Similarities(shifts, small[:, 0], np.exp(small[:, 1]))
    fit = _Fit(tilts, mass, smoothing_px)
    t = np.deg2rad(tilts.angles_deg[good])
    waves = np.stack([np.ones_like(t), np.sin(t)], axis=1)
    errors = np.zeros((n, 2))
    halves = (good[0::2], good[1::2])
    # more rounds let errors that change slowly with the tilt grow
    for i in range(_ROUNDS):
        for part, other in (halves, halves[::-1]):
            errors[part] = fit.step(part, other, shifts, small, progress)
        small[good, 0] -= waves @ np.linalg.lstsq(waves, small[good, 0], rcond=1e-10)[0]
        small[good, 1] -= small[good, 1].mean()
        shifts = held(shifts, start, good, tilts.angles_deg)
        progress.report(i + 1, _ROUNDS, "Finding rotations and magnifications")
        if progress.finish_requested:
            break
    small[good] = without_noise(small[good], errors[good])
    small[good] -= small[good].mean(axis=0)
    return Similarities(shifts, small[:, 0], np.exp(small[:, 1]))


def without_noise(values: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Pull values towards 0, by as much as their spread is made by their errors.

    Parameters
    ----------
    values, errors : array (n, ...)
        With the mean 0 along the first axis, and their standard errors.
    """
    spread = np.maximum((values**2).mean(axis=0) - (errors**2).mean(axis=0), 0)
    result: np.ndarray = values * spread / np.maximum(spread + errors**2, 1e-30)
    return result


class _Fit:
    """Least squares of images against reprojections of others, on a binned grid."""

    def __init__(self, tilts: TiltImages, mass: Mass, smoothing_px: float) -> None:
        self._bin, self._angles = binnings(tilts)[-1], tilts.angles_deg
        self._images = binned(mass.images, self._bin)
        shape = np.array(self._images.shape[1:])
        self._volume_shape = (int(shape[1]), int(shape[0]), int(shape[1]))
        # where rows are left over, the binned image has another middle
        self._aside = (np.array(tilts.images.shape[1:]) - self._bin * shape) / 2
        self._axis = (tilts.axis_shift_px + self._aside[1]) / self._bin
        self._fine = max(smoothing_px / self._bin, _FINEST_BLUR_PX)
        self._band = (self._fine, max(shape.max() / 8, 4 * self._fine))
        self._window = taper(tuple(shape), 0.1).ravel()
        self._y = np.arange(shape[0])[:, None] - (shape[0] - 1) / 2
        self._x = np.arange(shape[1]) - (shape[1] - 1) / 2

    def step(
        self,
        part: np.ndarray,
        other: np.ndarray,
        shifts: np.ndarray,
        small: np.ndarray,
        progress: Progress,
    ) -> np.ndarray:
        """Improve `part` in place against projections of what `other` show.

        Parameters
        ----------
        part, other : array of int
        shifts : array (tilt, 2)
            In pixels of the series.
        small : array (tilt, 2)
            Rotation in radians, and logarithm of the magnification.
        progress : Progress

        Returns
        -------
        array (len(part), 2)
            Standard errors of `small`.
        """
        images = np.stack([self._moved(k, shifts, small) for k in other])
        volume = sirt(self._projector(other), images, _ITERATIONS, progress)
        errors = np.zeros((len(part), 2))
        pictures = self._projector(part).forward(volume, progress)
        for i, (k, picture) in enumerate(zip(part, pictures, strict=True)):
            wanted = band_pass(picture, *self._band)
            design = self._design(wanted)
            inverse = _inverse(design.T @ design)
            for _ in range(_STEPS):
                own = band_pass(self._moved(k, shifts, small), *self._band)
                rest = ((own - wanted).ravel() * self._window).astype(np.float64)
                found = inverse @ (design.T @ rest)
                more = np.clip(found[2:4], -_LARGEST_STEP, _LARGEST_STEP)
                matrix = _matrix(more)
                shifts[k] = matrix @ shifts[k] + self._bin * np.clip(found[:2], -2, 2)
                small[k] += more
            # the blur makes neighbouring pixels err alike, over this area
            variance = np.mean((rest - design @ found) ** 2) * 4 * np.pi * self._fine**2
            errors[i] = np.sqrt(variance * np.diag(inverse)[2:4])
        return errors

    def _design(self, wanted: np.ndarray) -> np.ndarray:
        """Return how an image changes with each of the numbers that are fitted, (pixel, 6)."""
        down, right = np.gradient(wanted)
        columns = [
            down,
            right,
            down * self._x - right * self._y,
            down * self._y,
            right * self._x,
            wanted,
        ]
        return np.stack([c.ravel() * self._window for c in columns], axis=1).astype(np.float64)

    def _moved(self, k: int, shifts: np.ndarray, small: np.ndarray) -> np.ndarray:
        matrix = _matrix(small[k])
        # the binned grid turns about its own middle
        offset = shifts[k] - (matrix - np.eye(2)) @ self._aside
        return moved(self._images[k], matrix, offset / self._bin)

    def _projector(self, part: np.ndarray) -> Projector:
        return Projector(self._volume_shape, self._angles[part], axis_shift_px=self._axis)


def _inverse(normal: np.ndarray) -> np.ndarray:
    """Return the inverse of the normal equations, (6, 6) of the columns of `_Fit._design`."""
    inverse = np.linalg.pinv(normal)
    # a free stretch would leave little to tell slow changes of the rotation from
    tied = np.delete(np.eye(6), 4, axis=0)
    tied[3, 4] = 1
    inverse[2] = tied[:, 2] @ np.linalg.pinv(tied @ normal @ tied.T) @ tied
    return inverse


def _matrix(small: np.ndarray) -> np.ndarray:
    """Return the matrix (2, 2) of a rotation and the logarithm of a magnification."""
    result: np.ndarray = rotation_matrices(small[:1], np.exp(small[1:]))[0]
    return result
