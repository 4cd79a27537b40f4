"""Shifts by reprojection: images are matched with projections of what the others show."""

from __future__ import annotations

import numpy as np

from napari_tomo4d.align.correlation import Correlator
from napari_tomo4d.align.mass import Mass
from napari_tomo4d.align.screening import bridged
from napari_tomo4d.align.tilt_images import TiltImages, band_pass, binned
from napari_tomo4d.progress import Progress
from napari_tomo4d.reconstruct.projector import Projector

_LARGEST = 160
_SMALLEST = 48
_WITHIN_PX = 4
_STILL_PX = 0.03
_FINEST_BLUR_PX = 0.7


def from_reprojection(
    tilts: TiltImages,
    mass: Mass,
    start: np.ndarray,
    suspect: np.ndarray,
    *,
    smoothing_px: float,
    rounds: int = 4,
    iterations: int = 12,
    progress: Progress | None = None,
) -> np.ndarray:
    """Match each image with a projection of a volume that was made without it, repeatedly.

    Parameters
    ----------
    tilts : TiltImages
    mass : Mass
        The images without background.
    start : array (tilt, 2)
        Shifts (along, across) that are right to a few pixels.
    suspect : array (tilt,), bool
        Images that are left out; their shifts are interpolated.
    smoothing_px : float
        Blur of images and projections for the comparison.
    rounds : int
        Rounds at most on the coarse grid; half as many on the fine one. It ends before when
        nothing moves.
    iterations : int
        SIRT iterations of each reconstruction.
    progress : Progress, optional
        A wish to finish returns the shifts so far.

    Returns
    -------
    array (tilt, 2)
        (along, across) to add; the tilt axis is then where the series says.

    Notes
    -----
    Every second image makes a volume to which the others are registered, and then the other
    way round: an image's own noise would hold it in place in a volume that it is part of.
    Grids are binned, as a hundred pixels across place an object to a tenth of a pixel.

    Projections don't tell where a rigid object is: moving it by (a, b) shifts images across
    the axis by ``a cos t + b sin t``, and along it by a constant. The object is kept where
    `start` has it. Where the axis is, the projections do tell.
    """
    progress = progress or Progress()
    good = np.flatnonzero(~suspect)
    shifts = np.array(start, dtype=np.float64)
    if len(good) < 3:
        return shifts
    halves = (good[0::2], good[1::2])
    plan = [(step, max(1, rounds >> level)) for level, step in enumerate(binnings(tilts))]
    done, total = 0, sum(most for _, most in plan)
    for step, most in plan:
        matcher = _Matcher(tilts, mass, step, smoothing_px, iterations)
        for i in range(most):
            before = shifts.copy()
            # one after the other, or the halves would swap places for ever
            for part, other in (halves, halves[::-1]):
                shifts[part] += matcher.steps(other, part, shifts, progress)
            shifts = held(shifts, start, good, tilts.angles_deg)
            progress.report(done + i + 1, total, "Matching reprojections")
            if progress.finish_requested:
                return bridged(shifts, suspect, tilts.angles_deg)
            if np.abs(shifts - before)[good].max() < _STILL_PX * step:
                break
        done += most
    return bridged(shifts, suspect, tilts.angles_deg)


def binnings(tilts: TiltImages) -> list[int]:
    """Return the edges of the pixels of a coarse grid and a fine one, or of one only."""
    longest, shortest = max(tilts.images.shape[1:]), min(tilts.images.shape[1:])
    fine = -(-longest // _LARGEST)
    return [2 * fine, fine] if shortest // (2 * fine) >= _SMALLEST else [fine]


def held(
    shifts: np.ndarray, start: np.ndarray, good: np.ndarray, angles_deg: np.ndarray
) -> np.ndarray:
    """Take out of `shifts` what only moves the object since `start`."""
    t = np.deg2rad(angles_deg)
    waves = np.stack([np.cos(t), np.sin(t)], axis=1)
    moved = (shifts - start)[good]
    common = waves @ np.linalg.lstsq(waves[good], moved[:, 1], rcond=1e-10)[0]
    result: np.ndarray = shifts - np.stack([np.full(len(t), moved[:, 0].mean()), common], axis=1)
    return result


class _Matcher:
    """Registration of some images to reprojections of others, on a binned grid."""

    def __init__(
        self, tilts: TiltImages, mass: Mass, step: int, smoothing_px: float, iterations: int
    ) -> None:
        self._step, self._iterations = step, iterations
        self._angles = tilts.angles_deg
        self._images = binned(mass.images, step)
        along, across = self._images.shape[1:]
        # rays through an object as thick as the image is wide
        self._volume_shape = (across, along, across)
        # where rows are left over, the binned image has another middle
        self._axis = (tilts.axis_px - (step - 1) / 2) / step - (across - 1) / 2
        fine = max(smoothing_px / step, _FINEST_BLUR_PX)
        self._band = (fine, max(max(along, across) / 8, 4 * fine))
        self._correlator = Correlator((along, across), reach_px=4 * _WITHIN_PX)

    def steps(
        self, source: np.ndarray, part: np.ndarray, shifts: np.ndarray, progress: Progress
    ) -> np.ndarray:
        """Return what to add to the shifts of `part`, (len(part), 2) in pixels of the series."""
        volume = sirt(self._projector(source, shifts), self._images[source],
                      self._iterations, progress)  # fmt: skip
        pictures = self._projector(part, shifts).forward(volume, progress)
        found = np.zeros((len(part), 2))
        for k, (i, picture) in enumerate(zip(part, pictures, strict=True)):
            fixed, moving = (
                self._correlator.spectra(band_pass(image, *self._band))
                for image in (picture, self._images[i])
            )
            found[k] = self._correlator.match(fixed, moving, _WITHIN_PX)[0]
        return found * self._step

    def _projector(self, part: np.ndarray, shifts: np.ndarray) -> Projector:
        return Projector(
            self._volume_shape,
            self._angles[part],
            axis_shift_px=self._axis,
            shifts_px=shifts[part] / self._step,
        )


def sirt(
    projector: Projector, images: np.ndarray, iterations: int, progress: Progress | None = None
) -> np.ndarray:
    """Reconstruct quickly: accelerated SIRT without negative values.

    Parameters
    ----------
    projector : Projector
    images : array (tilt, y, x)
        Without background.
    iterations : int
    progress : Progress, optional
        Asked whether to cancel.

    Returns
    -------
    array (z, y, x), float32

    Notes
    -----
    SIRT with Nesterov's momentum (Beck & Teboulle 2009, SIAM J. Imaging Sci. 2, 183): a
    dozen iterations do the work of fifty.
    """
    rays = projector.forward(np.ones(projector.volume_shape, np.float32))
    # rays that only graze the volume say little and would count a lot
    rays = np.where(rays > 0.05 * rays.max(), 1 / np.maximum(rays, 1e-6), 0).astype(np.float32)
    weights = projector.backward(np.ones(projector.images_shape, np.float32))
    weights = 1 / np.maximum(weights, 0.05 * weights.max())
    volume = np.zeros(projector.volume_shape, np.float32)
    ahead, pace = volume, 1.0
    for _ in range(iterations):
        rest = rays * (images - projector.forward(ahead, progress))
        improved = np.maximum(ahead + weights * projector.backward(rest, progress), 0)
        faster = (1 + np.sqrt(1 + 4 * pace**2)) / 2
        ahead = improved + np.float32((pace - 1) / faster) * (improved - volume)
        volume, pace = improved, faster
    return volume
