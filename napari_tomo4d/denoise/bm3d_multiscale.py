"""BM3D for correlated noise over several scales, compiled and multithreaded."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from scipy import fft

from napari_tomo4d.denoise.bm3d_kernels import filter_band
from napari_tomo4d.denoise.bm3d_transforms import BLOCK, COSINES
from napari_tomo4d.denoise.noise_model import NoiseModel
from napari_tomo4d.errors import Cancelled
from napari_tomo4d.parallel import usable_threads


@dataclass(frozen=True)
class _Stage:
    """How a stage groups blocks and how it shrinks their coefficients.

    Parameters
    ----------
    step : int
        Pixels from one reference block to the next, along either axis.
    reach : int
        Pixels along either axis to the farthest block that a reference is compared with.
    size : int
        Blocks in a group at most; a power of two.
    unlike : float
        Largest mean squared difference of blocks in a group, in variances of the noise.
    correction : float
        Share of the difference expected from noise alone that is taken off first.
    strength : float
        Of shrinkage: the squared threshold in the first stage, the noise's variance in the
        second, both relative to a coefficient's variance.
    """

    step: int
    reach: int
    size: int
    unlike: float
    correction: float
    strength: float


_THRESHOLD = _Stage(step=4, reach=16, size=16, unlike=2.5, correction=3.0, strength=3.05**2)
_WIENER = _Stage(step=4, reach=16, size=32, unlike=0.8, correction=0.0, strength=0.65)

_SMALLEST = 16
"""Pixels along the shorter edge of the coarsest image, at least."""

_LEFT_OVER = 0.7
"""Share of the slow noise's power that is taken to be left by the coarser scales.

Less of it spares the image where the noise is overrated, more is better where it is known. This
and the constants of the stages were found by trial on phantoms, a photograph and a movie.
"""

_GENTLER = 0.6
"""Factor to the strength of the Wiener filter from each scale to the next coarser one.

What a coarse scale takes for noise is lost to the finer ones, and the signal is stronger there.
"""

_ROWS_PER_BAND = 8
"""Rows of reference blocks that a thread works on at a time."""


def fast_bm3d(
    image: np.ndarray,
    noise: NoiseModel,
    *,
    threads: int | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> np.ndarray:
    """Denoise an image by BM3D for correlated noise, at several scales.

    Parameters
    ----------
    image : array (y, x)
        At least 16 pixels along each edge, all finite.
    noise : NoiseModel
        In squared units of the image.
    threads : int, optional
        As many as there are processors if None. The result does not depend on it.
    cancelled : callable, optional
        Asked often, from any thread; the work stops soon after it returned true.

    Returns
    -------
    array (y, x), float32

    Raises
    ------
    Cancelled

    Notes
    -----
    Blocks that look alike are grouped and transformed together; their coefficients are first
    thresholded, then filtered by Wiener with the first result as a pilot (Dabov et al. 2007,
    IEEE Trans. Image Process. 16, 2080). Noise that is correlated has another variance in each
    coefficient, which also depends on how the blocks of the group lie; it is computed exactly
    (Makinen, Azzari & Foi 2020, IEEE Trans. Image Process. 29, 8339).

    Noise slower than a block can't be told from the image in it. It is removed first, from an
    image of half the size that is denoised in the same way, and so on: multi-scale as by
    Facciolo, Pierazzo & Morel 2017 (SIAM J. Imaging Sci. 10, 1603), but before rather than after
    denoising. Adding a constant to the image thus adds it to the result.
    """
    image = np.asarray(image, dtype=np.float32)
    if noise.variance == 0 or np.ptp(image) == 0:
        return image.copy()
    shape = (image.shape[0], image.shape[1])
    # in standard deviations from the mean, so that no threshold depends on units
    mean, sigma = float(image.mean(dtype=np.float64)), noise.sigma
    psd = noise.resized(shape).psd(shape) / noise.variance
    if threads is None:
        threads = usable_threads()
    with ThreadPoolExecutor(threads) as pool:
        work = _Work(pool, cancelled or (lambda: False))
        result = work.denoised(((image - mean) / sigma).astype(np.float32), psd)
    return (result * sigma + mean).astype(np.float32)


@dataclass(frozen=True)
class _Work:
    """Threads to work in, and whether to go on."""

    pool: ThreadPoolExecutor
    cancelled: Callable[[], bool]

    def denoised(
        self, image: np.ndarray, psd: np.ndarray, filtering: _Stage = _WIENER
    ) -> np.ndarray:
        """Return an image (y, x) denoised at its own and at all coarser scales."""
        if min(image.shape) >= 2 * _SMALLEST:
            coarse = _halved(image)
            gentler = replace(filtering, strength=_GENTLER * filtering.strength)
            slow_noise = coarse - self.denoised(coarse, _halved_psd(psd), gentler)
            image = image - _doubled(slow_noise, image.shape)
            slow = _transfer(psd.shape) ** 2
            psd = psd * ((1 - slow) ** 2 + _LEFT_OVER * slow**2)
        covariance = fft.ifft2(psd).real / psd.size
        sigma = np.float32(np.sqrt(max(covariance[0, 0], 0)))
        if sigma < 1e-6:
            return image
        covariance /= covariance[0, 0]
        image = image / sigma
        pilot = self.stage(_THRESHOLD, image, None, covariance)
        return self.stage(filtering, image, pilot, covariance) * sigma

    def stage(
        self, stage: _Stage, image: np.ndarray, pilot: np.ndarray | None, covariance: np.ndarray
    ) -> np.ndarray:
        """Return the weighted mean of all groups after shrinkage.

        Parameters
        ----------
        stage : _Stage
        image : array (y, x), float32
            With noise of variance 1.
        pilot : array (y, x), float32 or None
            Estimate of the image, for the Wiener filter.
        covariance : array (y, x)
            Of the noise in two pixels, at any displacement.
        """
        height, width = image.shape
        side = np.arange(-stage.reach, stage.reach + 1)
        offsets = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
        # near blocks are often alike: with those first, few others get into a group
        offsets = offsets[np.argsort((offsets**2).sum(axis=1), kind="stable")]
        difference = 2 * (1 - covariance[offsets[:, 0] % height, offsets[:, 1] % width])
        expected = (BLOCK**2 * stage.correction * difference).astype(np.float32)
        # the reference block itself always is in its group
        expected[0] = 1e30
        table = _coefficient_covariance(covariance, 2 * stage.reach)
        rows, columns = (
            np.append(np.arange(0, n - BLOCK, stage.step), n - BLOCK) for n in image.shape
        )

        def band(first: int) -> tuple[slice, np.ndarray, np.ndarray]:
            if self.cancelled():
                raise Cancelled
            own = rows[first : first + _ROWS_PER_BAND]
            touched = slice(
                max(0, own[0] - stage.reach), min(height, own[-1] + stage.reach + BLOCK)
            )
            total, weights = np.zeros((2, touched.stop - touched.start, width), np.float32)
            filter_band(
                image,
                np.zeros((0, 0), np.float32) if pilot is None else pilot,
                own,
                columns,
                offsets,
                expected,
                np.float32(BLOCK**2 * stage.unlike),
                stage.size,
                table,
                np.float32(stage.strength),
                touched.start,
                total,
                weights,
            )
            return touched, total, weights

        total, weights = np.zeros((2, height, width), np.float32)
        # bands are the same, and are added in the same order, for any number of threads
        for touched, part, part_weights in self.pool.map(band, range(0, len(rows), _ROWS_PER_BAND)):
            total[touched] += part
            weights[touched] += part_weights
        return total / weights


def _halved(image: np.ndarray) -> np.ndarray:
    """Return an image at half the resolution, smoothed by [1 3 3 1] / 8 along either axis."""
    for axis in (0, 1):
        a = np.moveaxis(image, axis, 0)
        a = np.pad(a, ((1, 1 + len(a) % 2), (0, 0)), mode="edge")
        n = len(a) - 1
        a = (a[0 : n - 1 : 2] + 3 * (a[1:n:2] + a[2::2][: n // 2]) + a[3::2]) / 8
        image = np.moveaxis(a, 0, axis)
    return np.ascontiguousarray(image, dtype=np.float32)


def _doubled(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return an image of twice the resolution by linear interpolation, cut to a shape."""
    for axis in (0, 1):
        a = np.moveaxis(image, axis, 0)
        wider = np.pad(a, ((1, 1), (0, 0)), mode="edge")
        finer = np.empty((2 * len(a), a.shape[1]), np.float32)
        finer[::2] = 0.75 * a + 0.25 * wider[:-2]
        finer[1::2] = 0.75 * a + 0.25 * wider[2:]
        image = np.moveaxis(finer[: shape[axis]], 0, axis)
    return np.ascontiguousarray(image)


def _transfer(shape: tuple[int, ...]) -> np.ndarray:
    """Return what the filter of `_halved`, and that of `_doubled`, leaves of each frequency."""
    y, x = (np.cos(np.pi * np.fft.fftfreq(n)) ** 3 for n in shape)
    result: np.ndarray = y[:, None] * x
    return result


def _halved_psd(psd: np.ndarray) -> np.ndarray:
    """Return the power spectral density that noise has after `_halved`."""
    covariance = fft.ifft2(psd * _transfer(psd.shape) ** 2).real / psd.size
    shape = [(n + 1) // 2 for n in psd.shape]
    y, x = (
        2 * np.rint(np.fft.fftfreq(m) * m).astype(int) % n
        for m, n in zip(shape, psd.shape, strict=True)
    )
    coarse = fft.fft2(covariance[np.ix_(y, x)]).real * (shape[0] * shape[1])
    # the images of an odd size do not quite fit
    result: np.ndarray = np.maximum(coarse, 0)
    return result


def _coefficient_covariance(covariance: np.ndarray, reach: int) -> np.ndarray:
    """Return the covariances of two blocks' coefficients of the same frequency.

    Parameters
    ----------
    covariance : array (y, x)
        Of the noise in two pixels, at any displacement.
    reach : int
        Largest displacement of the blocks along either axis.

    Returns
    -------
    array (reach + 2, 2 reach + 1, 64), float32
        At displacements from (0, -reach); those above are the same, mirrored. Frequencies as
        `cosine_transform` orders them. The last row is zero, for the kernel to fill up with.

    Notes
    -----
    The covariance is that of pixels, correlated with the autocorrelation of the coefficient's
    cosine, which is that along y times that along x.
    """
    lags = np.array([np.correlate(c, c, "full") for c in COSINES])
    more = BLOCK - 1
    y, x = np.arange(-more, reach + more + 1), np.arange(-reach - more, reach + more + 1)
    near = covariance[np.ix_(y % covariance.shape[0], x % covariance.shape[1])]
    windows = np.lib.stride_tricks.sliding_window_view
    along_x = windows(near, 2 * BLOCK - 1, axis=1) @ lags.T
    table = windows(along_x, 2 * BLOCK - 1, axis=0) @ lags.T
    table = table.reshape(*table.shape[:2], -1)
    return np.pad(table, ((0, 1), (0, 0), (0, 0))).astype(np.float32)
