"""The narrowest section between two particles, finer than voxels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

_HARMONICS = 4
_ROUGHNESS = 0.05
_FIT_REACH = 3.0
_BAND = 2.0
_MANY = 2500
_LONG = 1.25
_SMALL = 6.0
"""Neck radius in voxels below which outlines are held rounder."""
_STIFFNESS = 2.0 * np.tile(np.arange(1, _HARMONICS + 1), 2) ** 2


@dataclass(frozen=True, eq=False)
class NeckShape:
    """The narrowest section across an axis, and how the surface opens from there.

    Parameters
    ----------
    position : float
        Where along the axis the section is.
    area : float
        Of the section.
    outline : array (point, 2)
        The section's edge, in the two directions across the axis.
    slopes : tuple of float
        Change of the equivalent radius along the axis, before and after the neck, per length;
        both positive where the surface opens.
    curvature : float
        Second derivative of the equivalent radius along the axis, of a parabola through the neck
        and the surface two voxels to either side; 0 where the surface does not open.
    radius_error : float
        Standard error of the equivalent radius from the voxels alone.
    """

    position: float
    area: float
    outline: np.ndarray
    slopes: tuple[float, float]
    curvature: float
    radius_error: float

    @property
    def radius(self) -> float:
        """Radius of a circle of the section's area."""
        return float(np.sqrt(self.area / np.pi))

    def longest_direction(self) -> tuple[float, float]:
        """Return the angle (radians) in which the outline is longest, and its length there."""
        angles = np.linspace(0, np.pi, 180, endpoint=False)
        directions = np.stack([np.cos(angles), np.sin(angles)])
        lengths = np.ptp(self.outline @ directions, axis=0)
        best = int(np.argmax(lengths))
        return float(angles[best]), float(lengths[best])

    def length(self, angle: float) -> float:
        """Return the outline's length in the direction of an angle (radians)."""
        return float(np.ptp(self.outline @ np.array([np.cos(angle), np.sin(angle)])))


def fit_neck(
    along: np.ndarray,
    across: np.ndarray,
    inside: np.ndarray,
    start: float,
    start_area: float,
    reach: tuple[float, float],
) -> NeckShape:
    """Fit the neck to voxel centres inside and outside the particles.

    Parameters
    ----------
    along : array (voxel,)
        Position of each voxel's centre along the axis, in voxels.
    across : array (voxel, 2)
        The same in the two directions across.
    inside : bool array (voxel,)
        Whether the voxel belongs to a particle.
    start, start_area : float
        Rough position and area of the narrowest section.
    reach : tuple of float
        Limits of the position along the axis.

    Returns
    -------
    NeckShape
        In voxels.

    Notes
    -----
    A digitised neck is only known by which voxel centres it holds; counting them in a slab
    of finite thickness takes in the wider parts beside a sharp neck. So the surface is
    fitted that parts the centres inside from those outside with the largest likelihood
    (logistic regression), of the form ``rho^2 < R^2(t) (1 + sum_k c_k cos k phi + s_k sin k
    phi)``: ``R^2(t)`` is flat at the neck and opens as a parabola on either side. Since the
    area of such a section is ``pi R^2``, the harmonics describe its shape and
    don't change its area.
    """
    slab = across[inside & (np.abs(along - start) < 1)]
    middle = slab.mean(axis=0)
    rounding = _rounding(slab)
    uv = (across - middle) @ rounding
    rho2 = (uv**2).sum(axis=1)
    rho, phi = np.sqrt(rho2), np.arctan2(uv[:, 1], uv[:, 0])
    radius = np.sqrt(start_area / np.pi)
    rough = _rough_squares(along, rho2, inside, start, radius)
    near = np.flatnonzero(np.abs(along - start) < _FIT_REACH)
    edge = np.sqrt(np.interp(along[near], start + rough[0], rough[1]))
    keep = near[np.abs(rho[near] - edge) < _BAND + 0.35 * edge]
    left, right = (max(float(np.interp(s, *rough)) - radius**2, 0.0) for s in (-2.0, 2.0))
    bounds = [
        (0.02, None),
        (max(reach[0], start - 2), min(reach[1], start + 2)),
        (0.0, _FIT_REACH),
        (0.0, None),
        (0.0, None),
        (-3.5, None),
        *[(-0.5, 0.5)] * (2 * _HARMONICS),
        (np.log(_ROUGHNESS), 1.0),
    ]
    guesses = []
    # sharp necks have more than one optimum
    sharp = max(0.1, 1 - (left + right) / 16 / radius**2)
    for part, half_flat in ((0.9, 0.2), (0.5, 0.1), (0.9, 1.0), (sharp, 0.05)):
        profile = [part * radius**2, start, half_flat, left / 2, right / 2, 0.0]
        guesses.append(np.concatenate([profile, np.zeros(2 * _HARMONICS), [-1.2]]))

    def sites(chosen: np.ndarray) -> _Sites:
        return _Sites(along[chosen], rho[chosen], phi[chosen], inside[chosen])

    few = keep[:: len(keep) // _MANY + 1]
    p = _best(sites(few), guesses, bounds)
    # once more with all voxels that touch the surface, and no others
    distance = sites(near).distance(p)
    p = _best(sites(near[np.abs(distance) < _BAND]), [p], bounds)
    angles = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    edge = np.sqrt(np.maximum(p[0] * (1 + _waves(angles) @ p[6:-1]), 0))
    outline = edge[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    outline = outline @ np.linalg.inv(rounding) + middle
    neck_radius = float(np.sqrt(p[0]))
    opening = [float(np.sqrt(np.interp(s, *rough))) - neck_radius for s in (-2.0, 2.0)]
    slopes = tuple(max(o, 0.0) / 2 for o in opening)
    # of a parabola through the neck and the surface two voxels to either side
    curvature = max(sum(opening) / 4.0, 0.0)
    # voxel centres within the flat part decide the radius
    count = max(2 * np.pi * neck_radius * (2 * p[2] + 0.3), 1.0)
    return NeckShape(
        float(p[1]),
        float(np.pi * p[0]),
        outline,
        (slopes[0], slopes[1]),
        curvature,
        float(np.hypot(1 / count, np.exp(p[-1]) / np.sqrt(count))),
    )


def _rounding(slab: np.ndarray) -> np.ndarray:
    """Return the matrix (2, 2) of determinant 1 that makes a long section round."""
    variances, directions = np.linalg.eigh(np.cov(slab.T))
    stretch = np.sqrt(np.maximum(variances, 1e-6))
    if stretch[1] < _LONG * stretch[0]:
        return np.eye(2)
    result: np.ndarray = directions * (np.sqrt(stretch.prod()) / stretch) @ directions.T
    return result


class _Sites:
    """Voxel centres, and how well a surface parts those inside from those outside."""

    def __init__(
        self, along: np.ndarray, rho: np.ndarray, phi: np.ndarray, inside: np.ndarray
    ) -> None:
        self._along, self._rho = along, rho
        self._sign = np.where(inside, 1.0, -1.0)
        self._waves = _waves(phi)

    def _shape(self, harmonics: np.ndarray) -> np.ndarray:
        # einsum, as the threads of a matrix product take longer to wake than this takes
        result: np.ndarray = np.einsum("ij,j", self._waves, harmonics)
        return result

    def distance(self, p: np.ndarray) -> np.ndarray:
        """Return how far each centre is inside the surface, across the axis."""
        product = _profile(p, self._along)[0] * (1 + self._shape(p[6:-1]))
        result: np.ndarray = np.sqrt(np.maximum(product, 0)) - self._rho
        return result

    def cost(self, p: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the negative logarithm of the likelihood, and its gradient."""
        squares, d_squares = _profile(p, self._along)
        harmonics = p[6:-1]
        shape = 1 + self._shape(harmonics)
        edge = np.sqrt(np.maximum(squares * shape, 1e-3))
        width = np.exp(p[-1])
        depth = edge - self._rho
        z = self._sign * depth / width
        # few voxels tell little about the shape of an outline
        stiffness = _STIFFNESS * max(1.0, _SMALL**2 / p[0])
        value = np.logaddexp(0, -z).sum() + (stiffness * harmonics**2).sum()
        pull = -self._sign / (1 + np.exp(np.clip(z, -500, 500))) / width
        d_product = pull / (2 * edge)
        gradient = np.empty_like(p)
        gradient[:6] = np.einsum("ij,j", d_squares, d_product * shape)
        gradient[6:-1] = np.einsum("ij,i", self._waves, d_product * squares)
        gradient[6:-1] += 2 * stiffness * harmonics
        if p[0] < _SMALL**2:
            gradient[0] -= (stiffness * harmonics**2).sum() / p[0]
        gradient[-1] = (-pull * depth).sum()
        return float(value), gradient


def _best(sites: _Sites, guesses: list[np.ndarray], bounds: list[Any]) -> np.ndarray:
    """Return the parameters of the least cost that are reached from any of the guesses."""
    options = {"maxiter": 300, "ftol": 1e-7}
    # the optimiser's matrices are tiny: waking BLAS's threads takes a hundred times longer
    with threadpool_limits(1, "blas"):
        found = [
            minimize(sites.cost, g, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
            for g in guesses
        ]
    result: np.ndarray = min(found, key=lambda f: f.fun).x
    return result


def _waves(phi: np.ndarray) -> np.ndarray:
    """Return the harmonics (point, 2 x order) at angles around the axis."""
    angles = np.outer(phi, np.arange(1, _HARMONICS + 1))
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1)


def _profile(p: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return R^2 at each t and its derivatives (6, voxel) by the first six parameters."""
    level, position, half_flat, left, right, bend = p[:6]
    before = np.maximum(position - t - half_flat, 0)
    after = np.maximum(t - position - half_flat, 0)
    squares = level + left * before + right * after + bend * (before**2 + after**2)
    by_before = (left + 2 * bend * before) * (before > 0)
    by_after = (right + 2 * bend * after) * (after > 0)
    derivatives = np.stack(
        [
            np.ones_like(t),
            by_before - by_after,
            -by_before - by_after,
            before,
            after,
            before**2 + after**2,
        ]
    )
    return squares, derivatives


def _rough_squares(
    along: np.ndarray, rho2: np.ndarray, inside: np.ndarray, start: float, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return offsets from `start` and the squared equivalent radius of slabs there."""
    offsets = np.arange(-_FIT_REACH, _FIT_REACH + 0.25, 0.5)
    chosen = inside & (np.abs(along - start) < _FIT_REACH + 1)
    near = along[chosen] - start
    counts = np.array([np.count_nonzero(np.abs(near - o) < 0.5) for o in offsets], float)
    return offsets, np.maximum(counts / np.pi, 0.25)
