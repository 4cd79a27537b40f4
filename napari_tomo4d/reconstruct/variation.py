"""Total variation of volumes in blocks of slices: gradient, its transpose, denoising.

Differences are forward and zero across the border, in z, x and along the slices, where the
next slice may lie in the next block. Dual arrays are ``(component, block, z, x, slice)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numba import njit

from napari_tomo4d.reconstruct.blocks import Blocks

Each = Callable[[Callable[[tuple[int, slice]], object]], None]

GRADIENT_NORM_SQUARED = 12.0
"""Upper bound of the squared norm of the gradient in three dimensions."""


class Variation:
    """Operations with the gradient of a volume.

    Parameters
    ----------
    layout : Blocks
    n_rows : int
        Thickness of the volume.
    each : callable
        Calls its argument with the index ``(block, rows)`` of every part of a volume, on all
        threads.
    """

    def __init__(self, layout: Blocks, n_rows: int, each: Each) -> None:
        self._layout, self._each = layout, each
        self._n_rows = n_rows

    def new_dual(self) -> list[np.ndarray]:
        """Return a zero vector field."""
        return [self._layout.zeros(self._n_rows) for _ in range(3)]

    def ascend(self, dual: list[np.ndarray], volume: np.ndarray, step: float, bound: float) -> None:
        """Add `step` times the gradient to a field, and shorten its vectors to `bound`."""
        layout = self._layout

        def work(at: tuple[int, slice]) -> None:
            b, rows = at
            following = volume[min(b + 1, layout.n_blocks - 1)]
            _ascend(
                rows.start,
                rows.stop,
                dual[0][b],
                dual[1][b],
                dual[2][b],
                volume[b],
                following,
                layout.n_slices - b * layout.size,
                np.float32(step),
                np.float32(bound),
            )

        self._each(work)

    def add_divergence(self, dual: list[np.ndarray], volume: np.ndarray, factor: float) -> None:
        """Add `factor` times the divergence of a field, minus the transposed gradient."""

        def work(at: tuple[int, slice]) -> None:
            b, rows = at
            before = dual[2][max(b - 1, 0)]
            _add_divergence(
                rows.start,
                rows.stop,
                dual[0][b],
                dual[1][b],
                dual[2][b],
                before,
                volume[b],
                b > 0,
                np.float32(factor),
            )

        self._each(work)

    def denoise(
        self,
        volume: np.ndarray,
        dual: list[np.ndarray],
        weight: float,
        iterations: int,
        limit: Callable[[np.ndarray], None],
    ) -> np.ndarray:
        """Return ``argmin_x |x - volume|^2 / 2 + weight TV(x)`` within limits.

        Parameters
        ----------
        volume : array (block, z, x, slice)
        dual : list of arrays
            Where to start; changed, and the better a start the next time.
        weight : float
        iterations : int
        limit : callable
            Applies the constraints to a volume.

        Notes
        -----
        Fast gradient projection on the dual problem (Beck & Teboulle 2009, IEEE Trans.
        Image Process. 18, 2419).
        """
        result = self._layout.zeros(self._n_rows)
        ahead = self.new_dual()
        for new, old in zip(ahead, dual, strict=True):
            self._copy(old, new)
        t = 1.0
        for i in range(iterations + 1):
            self._copy(volume, result)
            self.add_divergence(ahead if i < iterations else dual, result, weight)
            limit(result)
            if i == iterations or weight == 0:
                break
            self.ascend(ahead, result, 1 / (GRADIENT_NORM_SQUARED * weight), 1.0)
            after = (1 + math.sqrt(1 + 4 * t * t)) / 2
            momentum, t = np.float32((t - 1) / after), after
            self._overshoot(ahead, dual, momentum)
        return result

    def _copy(self, source: np.ndarray, target: np.ndarray) -> None:
        self._each(lambda at: np.copyto(target[at], source[at]))

    def _overshoot(
        self, ahead: list[np.ndarray], dual: list[np.ndarray], momentum: np.float32
    ) -> None:
        def work(at: tuple[int, slice]) -> None:
            for new, old in zip(ahead, dual, strict=True):
                _overshoot(new[at], old[at], momentum)

        self._each(work)


@njit(nogil=True, cache=True)
def _overshoot(new: np.ndarray, old: np.ndarray, momentum: np.float32) -> None:
    """Keep `new` in `old`, and go on in `new` from there the way it came."""
    for z in range(new.shape[0]):
        for x in range(new.shape[1]):
            for i in range(new.shape[2]):
                value = new[z, x, i]
                new[z, x, i] = value + momentum * (value - old[z, x, i])
                old[z, x, i] = value


@njit(nogil=True, cache=True, fastmath=True)
def _ascend(
    z_start: int,
    z_stop: int,
    pz: np.ndarray,
    px: np.ndarray,
    ps: np.ndarray,
    volume: np.ndarray,
    following: np.ndarray,
    n_left: int,
    step: np.float32,
    bound: np.float32,
) -> None:
    n_z, n_x, size = volume.shape
    gs = np.empty(size, np.float32)
    for z in range(z_start, z_stop):
        z1 = min(z + 1, n_z - 1)
        for x in range(n_x):
            x1 = min(x + 1, n_x - 1)
            _slice_gradient(volume[z, x], following[z, x], n_left, gs)
            for i in range(size):
                here = volume[z, x, i]
                a = pz[z, x, i] + step * (volume[z1, x, i] - here)
                b = px[z, x, i] + step * (volume[z, x1, i] - here)
                c = ps[z, x, i] + step * gs[i]
                # times the bound, as dividing by it would end at 0 / 0 for bound 0
                shorten = bound / max(bound, np.sqrt(a * a + b * b + c * c), np.float32(1e-30))
                pz[z, x, i] = a * shorten
                px[z, x, i] = b * shorten
                ps[z, x, i] = c * shorten


@njit(nogil=True, cache=True, fastmath=True)
def _slice_gradient(row: np.ndarray, following: np.ndarray, n_left: int, gs: np.ndarray) -> None:
    size = len(row)
    last = min(size - 1, n_left - 1)
    for i in range(last):
        gs[i] = row[i + 1] - row[i]
    for i in range(last, size):
        gs[i] = 0
    if n_left > size:
        gs[size - 1] = following[0] - row[size - 1]


@njit(nogil=True, cache=True, fastmath=True)
def _add_divergence(
    z_start: int,
    z_stop: int,
    pz: np.ndarray,
    px: np.ndarray,
    ps: np.ndarray,
    before: np.ndarray,
    volume: np.ndarray,
    has_before: bool,
    factor: np.float32,
) -> None:
    _, n_x, size = volume.shape
    for z in range(z_start, z_stop):
        for x in range(n_x):
            first = ps[z, x, 0]
            if has_before:
                first -= before[z, x, -1]
            volume[z, x, 0] += factor * first
            for i in range(1, size):
                volume[z, x, i] += factor * (ps[z, x, i] - ps[z, x, i - 1])
            for i in range(size):
                volume[z, x, i] += factor * (pz[z, x, i] + px[z, x, i])
            if z > 0:
                for i in range(size):
                    volume[z, x, i] -= factor * pz[z - 1, x, i]
            if x > 0:
                for i in range(size):
                    volume[z, x, i] -= factor * px[z, x - 1, i]
