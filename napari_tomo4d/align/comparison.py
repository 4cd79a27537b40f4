"""Two aligned images on each other, to judge an alignment by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.progress import Progress

# cubic splines on more pixels than this take longer than a person waits after a key
_MOST_FOR_SPLINES = 1 << 20


def neighbour(angles_deg: np.ndarray, unreliable: np.ndarray, tilt: int) -> int:
    """Return the tilt next in angle, towards 0 degrees.

    Parameters
    ----------
    angles_deg : array (tilt,)
    unreliable : array (tilt,), bool
        Tilts that are passed over, unless there are no others.
    tilt : int
    """
    others = np.flatnonzero(~unreliable)
    others = others[others != tilt]
    if not len(others):
        others = np.array([k for k in range(len(angles_deg)) if k != tilt])
    away = np.abs(angles_deg[others] - angles_deg[tilt])
    outside = np.abs(angles_deg[others]) > np.abs(angles_deg[tilt])
    inside = others[~outside]
    if len(inside):
        return int(inside[np.argmin(away[~outside])])
    return int(others[np.argmin(away)])


@dataclass(frozen=True, eq=False)
class ImagePair:
    """Two aligned images, and how alike they are.

    Parameters
    ----------
    tilt, other : int
    image, reference : array (y, x)
        The image of each, of mean 0 and standard deviation 1.
    correlation : float
        Of both, smoothed by 2 pixels; 1 for the same image.
    """

    tilt: int
    other: int
    image: np.ndarray
    reference: np.ndarray
    correlation: float

    @property
    def difference(self) -> np.ndarray:
        """The image without its neighbour."""
        result: np.ndarray = self.image - self.reference
        return result

    @property
    def checkerboard(self) -> np.ndarray:
        """The two in fields by turns."""
        n_y, n_x = self.image.shape
        size = max(4, min(n_y, n_x) // 8)
        y, x = np.ogrid[:n_y, :n_x]
        return np.where((y // size + x // size) % 2 == 0, self.image, self.reference)


def compare_images(
    series: TiltSeries,
    shifts_px: np.ndarray,
    tilts: tuple[int, int],
    progress: Progress | None = None,
) -> ImagePair:
    """Return two images of a series as they lie on each other.

    Parameters
    ----------
    series : TiltSeries
        One image per tilt.
    shifts_px : array (tilt, 2)
        (dy, dx) of each image, in pixels.
    tilts : (int, int)
        Which two.
    progress : Progress, optional
    """
    progress = progress or Progress()
    images = []
    for tilt in tilts:
        progress.check()
        image = shifted(series.image(tilt), shifts_px[tilt])
        images.append((image - image.mean()) / max(float(image.std()), 1e-12))
    progress.check()
    smooth = [ndimage.gaussian_filter(i, 2.0) for i in images]
    spread = float(smooth[0].std() * smooth[1].std())
    centred = [s - s.mean() for s in smooth]
    correlation = float((centred[0] * centred[1]).mean()) / spread if spread > 0 else 0.0
    return ImagePair(tilts[0], tilts[1], images[0], images[1], correlation)


def shifted(image: np.ndarray, shift_px: ArrayLike) -> np.ndarray:
    """Return an image moved by (dy, dx) pixels, to be looked at."""
    order = 3 if image.size <= _MOST_FOR_SPLINES else 1
    result: np.ndarray = ndimage.shift(image, shift_px, order=order, mode="nearest")
    return result
