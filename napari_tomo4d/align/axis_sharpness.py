"""The tilt axis that makes back-projected slices sharpest."""

from __future__ import annotations

import itertools

import numpy as np
from scipy import fft, ndimage

from napari_tomo4d.align.axis_images import AxisImages, turned_grid
from napari_tomo4d.align.transforms import Curve
from napari_tomo4d.progress import Progress
from napari_tomo4d.reconstruct.projector import Projector

_WIDTH = 96
_SLICES = 12
_LEVELS = 4


class Sharpness:
    """Sharpness of a few slices for any position of the tilt axis.

    Parameters
    ----------
    images : AxisImages
        In pixels of the series.
    n_slices : int
        Slices used: evenly spread, in each stretch the one where there is most to see.
    """

    def __init__(self, images: AxisImages, n_slices: int = _SLICES) -> None:
        factor = max(1, round(images.images.shape[2] / _WIDTH))
        small = images.reduced(factor, 0.5 + 0.5 * factor)
        self.factor = factor
        self._images, self._angles = small.images, small.angles_deg
        _, n_rows, width = self._images.shape
        self._slices = _where_most_is(self._images, n_slices) - (n_rows - 1) / 2
        self._projector = Projector((width, len(self._slices), width), self._angles, device="cpu")
        n = 2 * fft.next_fast_len(width, real=True)
        frequency = fft.rfftfreq(n)
        # the ramp, rolled off before the noise of the finest detail takes over
        self._filter = (frequency * np.cos(np.pi * frequency) ** 2).astype(np.float32)
        self._weights = _angle_weights(self._angles)[:, None, None]

    def __call__(self, shift_px: float, rotation_deg: float) -> float:
        """Return the sharpness, larger for sharper slices.

        Notes
        -----
        The sum of absolute density over the total: misplaced images leave streaks
        of either sign that do not cancel (Donath, Beckmann & Schreyer 2006, J. Opt. Soc. Am. A
        23, 1048). Its negative is returned.
        """
        _, n_rows, width = self._images.shape
        across = np.arange(width) - (width - 1) / 2
        rows, columns = turned_grid(
            self._slices[:, None], across, shift_px / self.factor, rotation_deg
        )
        points = np.stack([rows + (n_rows - 1) / 2, columns + (width - 1) / 2])
        lines = np.stack(
            [ndimage.map_coordinates(i, points, order=1, mode="constant") for i in self._images]
        )
        total = float(np.abs(lines.mean(axis=0)).sum())
        n = 2 * (len(self._filter) - 1)
        lines = fft.irfft(fft.rfft(lines, n, axis=2) * self._filter, n, axis=2)[..., :width]
        lines = (lines * self._weights).astype(np.float32)
        volume = self._projector.backward(lines)
        return -float(np.abs(volume).sum(dtype=np.float64)) / max(total, 1e-30)


def sharpest(
    images: AxisImages,
    shift_px: float,
    rotation_deg: float,
    *,
    shift_range_px: float | None = None,
    rotation_range_deg: float = 12.0,
    progress: Progress | None = None,
) -> tuple[float, float, Curve, Curve]:
    """Search shift and rotation in turn, coarse to fine.

    Parameters
    ----------
    images : AxisImages
    shift_px, rotation_deg : float
        Middle of the search.
    shift_range_px : float, optional
        Half of the range of shifts; an eighth of the width by default.
    rotation_range_deg : float
        Half of the range of rotations.
    progress : Progress, optional

    Returns
    -------
    shift_px, rotation_deg : float
    curve_shift, curve_rotation : Curve
        Sharpness over the whole range through the coarsest optimum.
    """
    progress = progress or Progress()
    measure = Sharpness(images)
    width = images.images.shape[2]
    reach = np.array([shift_range_px or width / 8, rotation_range_deg])
    best = np.array([shift_px, rotation_deg], dtype=np.float64)
    curves: dict[int, Curve] = {}
    count = 13
    for level in range(_LEVELS):
        for which in (0, 1):
            positions = best[which] + np.linspace(-1, 1, count) * reach[which]
            values = np.empty(count)
            for i, position in enumerate(positions):
                trial = best.copy()
                trial[which] = position
                values[i] = measure(*trial)
                done = (2 * level + which) * count + i + 1
                progress.report(done, 2 * _LEVELS * count, "Comparing the sharpness of slices")
            best[which] = _peak(positions, values)
            # the last coarse curve goes through the optimum of the other parameter
            if level < 2:
                curves[which] = Curve(positions, values)
        reach = reach * 0.4
    return float(best[0]), float(best[1]), curves[0], curves[1]


def _peak(positions: np.ndarray, values: np.ndarray) -> float:
    """Return where a parabola through the three points about the maximum has its top."""
    k = int(np.argmax(values))
    if k in (0, len(values) - 1):
        return float(positions[k])
    below, here, above = values[k - 1 : k + 2]
    bend = below - 2 * here + above
    offset = 0.5 * (below - above) / bend if bend < 0 else 0.0
    return float(positions[k] + offset * (positions[1] - positions[0]))


def _where_most_is(images: np.ndarray, count: int) -> np.ndarray:
    """Return rows, one in each of `count` stretches, of the largest variance."""
    contrast = images.var(axis=2).mean(axis=0)
    edges = np.linspace(0, len(contrast), min(count, len(contrast)) + 1).round().astype(int)
    rows = [a + int(np.argmax(contrast[a:b])) for a, b in itertools.pairwise(edges)]
    chosen = np.array(rows)
    # empty stretches only add noise
    result: np.ndarray = chosen[contrast[chosen] >= 0.1 * contrast.max()]
    return result


def _angle_weights(angles_deg: np.ndarray) -> np.ndarray:
    """Return the mean gap to the neighbouring angles, shared by repeated ones."""
    values, inverse, counts = np.unique(angles_deg, return_inverse=True, return_counts=True)
    gaps = np.diff(values)
    gaps = (np.append(gaps[0], gaps) + np.append(gaps, gaps[-1])) / 2
    result: np.ndarray = (np.deg2rad(gaps) / counts)[inverse].astype(np.float32)
    return result
