"""Solvers for total variation in space and time.

For every time point there is a fidelity ``c/2 |A v - b|^2_R``, where R holds the inverse ray
lengths, times the weights of the tilts, and c makes its largest curvature 1. To it comes
``mu TV(v)``, and between neighbouring times ``temporal mu |v' - v|_1``. As ``mu = weight *
m``, where m is the highest density that one iteration of SIRT reaches, `weight` is a plain
number that suits images of any intensity and size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from napari_tomo4d.reconstruct.problem import Part, Problem, iterate
from napari_tomo4d.reconstruct.variation import GRADIENT_NORM_SQUARED, Variation

_PRIMAL_STEP = 3.0
_BALANCE = 0.3
"""Squared factor of the gradient beside the projection; tried for fastest convergence."""

_INNER = 20
"""Steps of denoising in each iteration of FISTA; they go on where the last ones ended."""


def steps_of(problem: Problem) -> list[np.ndarray]:
    """Return the constant step of gradient descent for each block, 0 where nothing moves."""
    smallest = min(w[w > 0].min() for w in problem.voxel_weights if (w > 0).any())
    first = (problem.voxel_weights[0] > 0) * smallest
    if problem.used is None:
        return [first] * len(problem.voxel_weights)
    return [(w > 0) * smallest for w in problem.voxel_weights]


def scale_of(problem: Problem) -> float:
    """Return the highest density that one iteration of SIRT from zero reaches."""
    volume, images = problem.new_volume(), problem.new_images()
    problem.errors(images, images)
    problem.spread(images, volume, steps_of(problem))
    return float(volume.max())


def variation_of(problem: Problem) -> Variation:
    """Return the operations with gradients for a problem's volume."""
    return Variation(problem.projector.layout, problem.projector.thickness, problem.in_volume)


def extrapolate(
    each: Callable[[Callable[[Part], object]], None],
    new: np.ndarray,
    old: np.ndarray,
    momentum: float,
) -> None:
    """Overwrite `old` with ``new + momentum * (new - old)``, part by part."""
    factor = np.float32(momentum)

    def work(at: Part) -> None:
        old[at] *= -factor
        old[at] += (1 + factor) * new[at]

    each(work)


class Accelerated:
    """Gradient descent on the fidelity with Nesterov's momentum.

    Parameters
    ----------
    problem : Problem
        Its volume and projection are where the next step begins.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._before = problem.copy(problem.volume)
        self._seen = problem.copy(problem.projected)
        self._errors = problem.new_images()
        self._steps = steps_of(problem)
        self._t = 1.0

    def step(self, bounded: bool) -> np.ndarray:
        """Return the volume after one step; `commit` has to follow."""
        problem = self.problem
        after = (1 + np.sqrt(1 + 4 * self._t**2)) / 2
        momentum, self._t = (self._t - 1) / after, after
        extrapolate(problem.in_volume, problem.volume, self._before, momentum)
        extrapolate(problem.in_images, problem.projected, self._seen, momentum)
        problem.errors(self._errors, self._seen)
        problem.spread(self._errors, self._before, self._steps, bounded=bounded)
        return self._before

    def commit(self, volume: np.ndarray) -> None:
        """Make a volume the current one, and project it."""
        problem = self.problem
        self._before, problem.volume = problem.volume, volume
        self._seen, problem.projected = problem.projected, self._seen
        problem.project()


def fista(
    problems: Sequence[Problem], mu: float, iterations: int, min_improvement: float = 0.0
) -> None:
    """Minimise the functional of a single time point by accelerated proximal gradients."""
    (problem,) = problems
    variation = variation_of(problem)
    dual = variation.new_dual()
    descent = Accelerated(problem)

    def step(_: int) -> None:
        target = descent.step(bounded=False)
        descent.commit(variation.denoise(target, dual, mu, _INNER, problem.limit))

    problem.iterate(step, iterations, min_improvement)


def primal_dual(
    problems: Sequence[Problem],
    mu: float,
    iterations: int,
    min_improvement: float = 0.0,
    temporal: Sequence[float] = (),
) -> None:
    """Minimise the functional by alternating steps of the volumes and of dual variables.

    Parameters
    ----------
    problems : sequence of Problem
        One for each time point, volumes of one shape.
    mu : float
        Weight of total variation in space.
    iterations : int
    min_improvement : float
        Stop rule on the mean residual.
    temporal : sequence of float
        Weight between each time point and the next, relative to `mu`.
    """
    omega = float(np.sqrt(_BALANCE))
    norm = 1 + omega**2 * (GRADIENT_NORM_SQUARED + (4 if len(problems) > 1 else 0))
    tau, sigma = _PRIMAL_STEP, 0.99 / (_PRIMAL_STEP * norm)
    parts = [_TimePoint(p, tau, sigma) for p in problems]
    between = [p.new_volume() for p in problems[1:]]

    def step(_: int) -> None:
        for part in parts:
            part.extrapolate()
        for q, first, second, factor in zip(between, parts, parts[1:], temporal, strict=False):
            _ascend_in_time(first, second, q, sigma * omega, factor * mu / omega)
        for part in parts:
            part.ascend(omega, mu)
        for k, part in enumerate(parts):
            after = between[k] if k < len(between) else None
            before = between[k - 1] if k > 0 else None
            part.descend(omega, before, after)

    iterate(problems, step, iterations, min_improvement)


class _TimePoint:
    """The variables of one time point."""

    def __init__(self, problem: Problem, tau: float, sigma: float) -> None:
        self.problem = problem
        self._tau, self._sigma = tau, sigma
        self._variation = variation_of(problem)
        self._field = self._variation.new_dual()
        self._pull = problem.new_images()
        self._errors = problem.new_images()
        self._seen = problem.copy(problem.projected)
        self._steps = [s * np.float32(tau) for s in steps_of(problem)]
        self.ahead = problem.copy(problem.volume)

    def extrapolate(self) -> None:
        extrapolate(self.problem.in_volume, self.problem.volume, self.ahead, 1)
        extrapolate(self.problem.in_images, self.problem.projected, self._seen, 1)

    def ascend(self, omega: float, mu: float) -> None:
        problem, pull, errors = self.problem, self._pull, self._errors
        self._variation.ascend(self._field, self.ahead, self._sigma * omega, mu / omega)
        problem.errors(errors, self._seen)
        sigma = np.float32(self._sigma)

        def work(at: Part) -> None:
            errors[at] *= sigma
            pull[at] += errors[at]
            pull[at] /= 1 + sigma

        problem.in_images(work)

    def descend(self, omega: float, before: np.ndarray | None, after: np.ndarray | None) -> None:
        problem, new = self.problem, self.ahead
        factor = np.float32(self._tau * omega)

        def work(at: Part) -> None:
            np.copyto(new[at], problem.volume[at])
            if after is not None:
                new[at] += factor * after[at]
            if before is not None:
                new[at] -= factor * before[at]

        problem.in_volume(work)
        self._variation.add_divergence(self._field, new, self._tau * omega)
        problem.spread(self._pull, new, self._steps)
        self.ahead, problem.volume = problem.volume, new
        self._seen, problem.projected = problem.projected, self._seen
        problem.project()


def _ascend_in_time(
    first: _TimePoint, second: _TimePoint, dual: np.ndarray, step: float, bound: float
) -> None:
    def work(at: Part) -> None:
        dual[at] += np.float32(step) * (second.ahead[at] - first.ahead[at])
        np.clip(dual[at], -bound, bound, out=dual[at])

    first.problem.in_volume(work)
