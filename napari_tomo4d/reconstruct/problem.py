"""What every iterative algorithm works on: images, operator, constraints, and the loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from napari_tomo4d.data import Labels, TiltSeries, Volume
from napari_tomo4d.errors import DataError
from napari_tomo4d.immutable import frozen
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.progress import Progress, Snapshot
from napari_tomo4d.provenance import cut_short, used, warn
from napari_tomo4d.reconstruct.cost import require_memory_for
from napari_tomo4d.reconstruct.geometry import make_projector
from napari_tomo4d.reconstruct.options import Conditions, Support
from napari_tomo4d.reconstruct.projector import Projector
from napari_tomo4d.registry import get_step
from napari_tomo4d.voxels import size_text

Part = tuple[int, slice]
"""Index of some rows of one block of a volume or of images."""

_PART = 1 << 20
"""Numbers in a part: few enough to stay in the cache, and to hear a wish to cancel."""

_PATIENCE = 10
"""Iterations without a better prediction of tilts left out, after which a test ends."""


class Problem:
    """Find the volume whose projections are the measured images.

    Arrays are in the projector's blocks: ``measured`` and ``projected`` are
    ``(block, tilt, u, slice)``, ``volume`` is ``(block, z, x, slice)``.

    Parameters
    ----------
    series : TiltSeries
        Aligned, one image per tilt; with `conditions` from `Conditions.in_use`.
    step : str
        Name of the method's step, whose cost and short title are used.
    conditions : Conditions
    held_out : bool array (tilt,), optional
        Tilts that are left out and predicted, to see when the volume begins to fit noise.
    times : int
        Number of such problems that share the memory.
    """

    def __init__(
        self,
        series: TiltSeries,
        step: str,
        conditions: Conditions,
        *,
        held_out: np.ndarray | None = None,
        times: int = 1,
    ) -> None:
        self.series, self.step = series, get_step(step)
        self.progress = conditions.progress or Progress()
        self.projector = projector = make_projector(
            series, conditions.thickness, conditions.axis_shift_px
        )
        require_memory_for(projector, self.step, times)
        projector.layout.check = self.progress.check
        non_negative, maximum = conditions.non_negative, conditions.maximum
        self.low = 0.0 if non_negative else None
        self.high = maximum
        if maximum is not None and non_negative and maximum <= 0:
            raise DataError(f"A maximum of {maximum:g} leaves nothing for a non-negative volume.")
        weights = conditions.tilt_weights
        self.tilt_weights = np.ones(len(series), np.float32)
        if weights is not None:
            self.tilt_weights = np.asarray(weights, np.float32)
        self.held_out, self.held_out_residuals = held_out, list[float]()
        if held_out is not None:
            self.tilt_weights = np.where(held_out, np.float32(0), self.tilt_weights)
        self.measured = projector.images_to_blocks(series.load())
        self.residuals: list[float] = []
        self.chosen: Parameters = {}
        """What the method chose by itself, as its keyword arguments."""
        self.starting = False
        """Whether these are not yet the iterations that a person asked for."""
        self._kept = self.tilt_weights > 0
        self._norm = np.sqrt(self._sum_of_squares(self.measured, self._kept))
        if self._norm == 0:
            raise DataError(
                f"All images of {series.name!r} are zero; there is nothing to reconstruct."
            )
        negative = self._sum_of_squares(np.minimum(self.measured, 0), self._kept)
        if non_negative and np.sqrt(negative) > 0.5 * self._norm:
            warn(
                "Most of the images' signal is below zero, which a non-negative volume can't "
                "explain; subtract the background first."
            )
        support, initial = conditions.support, conditions.initial
        self._inside = None if support is None else self._support_blocks(support)
        self.used = None if self._inside is None else [m.max(axis=2) for m in self._inside]
        self.projected = projector.new_images()
        if initial is None:
            self.volume = projector.new_volume()
        else:
            self._check_voxels(initial, "volume to start from")
            self.volume = projector.volume_to_blocks(initial.data)
            self.limit(self.volume)
            self.project()

    def _check_voxels(self, given: Volume | Labels, what: str) -> None:
        """Raise `DataError` if voxels have another size than the pixels of the images."""
        edges, pixel = given.voxel_size_nm, self.series.pixel_size_nm
        if edges and pixel and not np.allclose(edges, pixel, rtol=1e-3, atol=0):
            raise DataError(
                f"The {what} has voxels of {size_text(edges)}, but the images have pixels of "
                f"{pixel:g} nm; bring it to cubic voxels of that edge first (segment.resample)."
            )

    def _support_blocks(self, support: Support) -> np.ndarray:
        if not isinstance(support, np.ndarray):
            self._check_voxels(support, "support")
        data = support if isinstance(support, np.ndarray) else np.asarray(support.data)
        if data.shape != self.projector.volume_shape:
            raise DataError(
                f"The support has shape {data.shape}, the volume {self.projector.volume_shape}; "
                "they have to be equal."
            )
        if not np.any(data):
            raise DataError("The support is empty, so nothing could be reconstructed.")
        return self.projector.volume_to_blocks((data != 0).astype(np.float32))

    # -- weights ---------------------------------------------------------------------------

    @cached_property
    def ray_weights(self) -> np.ndarray:
        """Inverse length of each ray times the weight of its tilt, to be broadcast."""
        lengths = self.projector.ray_lengths(self._inside)
        result: np.ndarray = _inverse(lengths) * self.tilt_weights[:, None, None]
        return result

    @cached_property
    def voxel_weights(self) -> list[np.ndarray]:
        """Inverse of the summed weights of all rays through each voxel, for each block."""
        weights = _inverse(self.projector.voxel_weights(self.tilt_weights))
        if self.used is None:
            return [weights] * self.projector.layout.n_blocks
        return [weights * used for used in self.used]

    def scaled(self, factor: float) -> list[np.ndarray]:
        """Return the voxel weights times a factor."""
        first = self.voxel_weights[0] * np.float32(factor)
        if self.used is None:
            return [first] * self.projector.layout.n_blocks
        return [w * np.float32(factor) for w in self.voxel_weights]

    # -- operations ------------------------------------------------------------------------

    def new_volume(self) -> np.ndarray:
        """Return an empty volume."""
        return self.projector.new_volume()

    def new_images(self) -> np.ndarray:
        """Return empty images."""
        return self.projector.new_images()

    def copy(self, array: np.ndarray) -> np.ndarray:
        """Return a copy of a volume or of images, laid out as well as the original."""
        result = self.projector.layout.zeros(array.shape[1])
        self._each_part(lambda at: np.copyto(result[at], array[at]), array.shape[1])
        return result

    def clear(self, volume: np.ndarray) -> None:
        """Overwrite a volume with zeros."""

        def work(at: Part) -> None:
            volume[at] = 0

        self.in_volume(work)

    def each_block(self, work: Callable[[int], object]) -> None:
        """Call `work` with the number of every block, on all threads."""
        self.projector.each(work, self.projector.layout.n_blocks, self.progress)

    def in_volume(self, work: Callable[[Part], object]) -> None:
        """Call `work` with indices of parts that make up a volume, on all threads."""
        self._each_part(work, self.projector.thickness)

    def in_images(self, work: Callable[[Part], object]) -> None:
        """Call `work` with indices of parts that make up the images, on all threads."""
        self._each_part(work, len(self.tilt_weights))

    def _each_part(self, work: Callable[[Part], object], n_rows: int) -> None:
        layout = self.projector.layout
        rows = max(1, _PART // (layout.width * layout.size))
        parts = -(-n_rows // rows)

        def one(i: int) -> None:
            b, k = divmod(i, parts)
            work((b, slice(k * rows, min((k + 1) * rows, n_rows))))

        self.projector.each(one, layout.n_blocks * parts, self.progress)

    def project(self, volume: np.ndarray | None = None, images: np.ndarray | None = None) -> None:
        """Project a volume; the current one into `projected` if none is given."""
        self.projector.project(
            self.volume if volume is None else volume,
            self.projected if images is None else images,
            used=self.used,
            progress=self.progress,
        )

    def spread(
        self,
        images: np.ndarray,
        volume: np.ndarray,
        weights: list[np.ndarray],
        *,
        bounded: bool = True,
        projector: Projector | None = None,
    ) -> None:
        """Add the weighted back-projection of images to a volume and apply the constraints.

        Parameters
        ----------
        images : array (block, tilt, u, slice)
        volume : array (block, z, x, slice)
            Changed in place.
        weights : list of array (z, x)
            Factor of each voxel, for each block.
        bounded : bool
            Whether to apply the limits of density.
        projector : Projector, optional
            Of these images, if not of all tilts.
        """
        (projector or self.projector).add_backprojection(
            images,
            volume,
            weights=weights,
            low=self.low if bounded else None,
            high=self.high if bounded else None,
            progress=self.progress,
        )
        self._clear_outside(volume)

    def smear(self, images: np.ndarray, volume: np.ndarray) -> None:
        """Add images, interpolated where voxels project to, and apply the constraints."""
        self.projector.add_backprojection(
            images,
            volume,
            weights=self.used,
            low=self.low,
            high=self.high,
            smear=True,
            progress=self.progress,
        )
        self._clear_outside(volume)

    def limit(self, volume: np.ndarray) -> None:
        """Apply the limits of density and the support to a volume."""
        if self.low is not None or self.high is not None:
            self.in_volume(lambda at: np.clip(volume[at], self.low, self.high, out=volume[at]))
        self._clear_outside(volume)

    def _clear_outside(self, volume: np.ndarray) -> None:
        inside = self._inside
        if inside is not None:
            self.in_volume(lambda at: np.multiply(volume[at], inside[at], out=volume[at]))

    def errors(self, images: np.ndarray, projected: np.ndarray | None = None) -> None:
        """Overwrite `images` with the weighted difference of measured and projected images."""
        projected = self.projected if projected is None else projected

        def work(at: Part) -> None:
            np.subtract(self.measured[at], projected[at], out=images[at])
            images[at] *= self.ray_weights_at(at)

        self.in_images(work)

    def ray_weights_at(self, at: Part) -> np.ndarray:
        """Return the part of `ray_weights` that belongs to a part of the images."""
        b, rows = at
        return self.ray_weights[b if len(self.ray_weights) > 1 else 0, rows]

    def residual(self, tilts: np.ndarray | None = None) -> float:
        """Return ||A v - b|| / ||b|| of the tilts in use, or of those marked."""
        tilts = self._kept if tilts is None else tilts
        # summed up in one order, whichever thread was first
        squares = np.zeros((self.projector.layout.n_blocks, len(tilts)))

        def work(at: Part) -> None:
            b, rows = at
            difference = (self.measured[at] - self.projected[at])[tilts[rows]]
            squares[b, rows.start] = _square(difference)

        self.in_images(work)
        norm = self._norm
        if tilts is not self._kept:
            norm = np.sqrt(self._sum_of_squares(self.measured, tilts))
        return float(np.sqrt(squares.sum()) / norm)

    def _sum_of_squares(self, images: np.ndarray, tilts: np.ndarray) -> float:
        return float(sum(_square(block[tilts]) for block in images))

    def note_residual(self) -> None:
        """Keep the residual of the current volume, and that of the tilts left out."""
        self.residuals.append(self.residual())
        if self.held_out is not None:
            self.held_out_residuals.append(self.residual(self.held_out))

    @property
    def overfitted(self) -> bool:
        """Whether the prediction of tilts left out has been getting worse for a while."""
        errors = self.held_out_residuals
        return len(errors) - int(np.argmin(errors or [0])) > _PATIENCE

    def subset(self, tilts: np.ndarray) -> Subset:
        """Return the part of the problem that some tilts pose."""
        return Subset(self, tilts)

    # -- the loop --------------------------------------------------------------------------

    def iterate(
        self, step: Callable[[int], None], iterations: int, min_improvement: float = 0.0
    ) -> None:
        """Repeat `step` as `iterate` does for several problems."""
        iterate([self], step, iterations, min_improvement)

    def snapshot(self) -> Snapshot:
        """Return what a person may see of the volume so far."""
        return Snapshot(self.projector.layout.section(self.volume), tuple(self.residuals))

    def result(self) -> Volume:
        """Return the current volume."""
        series = self.series
        if series.pixel_size_nm is None:
            warn("The pixel size is unknown, so the volume has no scale.")
        metadata = {k: v for k, v in series.metadata.items() if k == "origin_px"}
        if self.chosen:
            metadata["chosen"] = self.chosen
        return Volume(
            frozen(self.projector.volume_from_blocks(self.volume)),
            series.pixel_size_nm,
            np.array(self.residuals),
            name=f"{series.name} {self.step.short}",
            metadata=metadata,
        )


class Subset:
    """Some tilts of a problem, to improve its volume by.

    Parameters
    ----------
    problem : Problem
    tilts : int array
        Their indices.
    """

    def __init__(self, problem: Problem, tilts: np.ndarray) -> None:
        self._problem = problem
        self._projector = problem.projector.of_tilts(tilts)
        self._measured = self._projector.new_images()
        self._measured[...] = problem.measured[:, tilts]
        rays = problem.ray_weights
        self._ray_weights = rays[:, tilts]
        weights = _inverse(self._projector.voxel_weights(problem.tilt_weights[tilts]))
        masks = problem.used or [np.float32(1)]
        self._voxel_weights = [weights * mask for mask in masks]
        self._images = self._projector.new_images()

    def improve(self, volume: np.ndarray, relaxation: float) -> None:
        """Spread the projection error of these tilts over the volume."""
        problem, images, rays = self._problem, self._images, self._ray_weights
        weights = [w * np.float32(relaxation) for w in self._voxel_weights]
        if len(weights) == 1:
            weights *= len(volume)
        self._projector.project(volume, images, used=problem.used, progress=problem.progress)

        def compare(b: int) -> None:
            np.subtract(self._measured[b], images[b], out=images[b])
            images[b] *= rays[b if len(rays) > 1 else 0]

        problem.each_block(compare)
        problem.spread(images, volume, weights, projector=self._projector)


def iterate(
    problems: Sequence[Problem],
    step: Callable[[int], None],
    iterations: int,
    min_improvement: float = 0.0,
) -> None:
    """Repeat `step`, which has to leave every `volume` and `projected` in agreement.

    Notes the residuals, shows the last volume so far, and ends when the iterations are done,
    the mean residual falls too slowly, or the user wants the result now.

    Parameters
    ----------
    problems : sequence of Problem
        That are solved together.
    step : callable
        Given the number of the iteration, from 0.
    iterations : int
    min_improvement : float
        Least decrease of the mean residual from one iteration to the next; 0 for any.

    Raises
    ------
    Cancelled
        If the user asked to.
    """
    last = problems[-1]
    for i in range(iterations):
        step(i)
        for problem in problems:
            problem.note_residual()
        mean = float(np.mean([p.residuals[-1] for p in problems]))
        last.progress.report(
            i + 1,
            iterations,
            f"{last.step.short}: iteration {i + 1} of {iterations}, residual {mean:.4f}",
            preview=last.snapshot,
        )
        if last.progress.finish_requested:
            if last.starting:
                cut_short()
            else:
                # the same again, and no further
                chosen = {k: v for p in problems for k, v in p.chosen.items()}
                used(**{**chosen, "iterations": i + 1})
            return
        if min_improvement > 0 and i > 0:
            before = float(np.mean([p.residuals[-2] for p in problems]))
            if before - mean < min_improvement:
                return
        if any(p.overfitted for p in problems):
            return


def _square(array: np.ndarray) -> float:
    flat = np.ascontiguousarray(array).ravel()
    return float(np.dot(flat, flat))


def _inverse(weights: np.ndarray) -> np.ndarray:
    """Return 1 / weights, and 0 where a ray or voxel is hardly touched at all."""
    small = weights < 1e-3 * weights.max()
    return np.where(small, 0, 1 / np.where(small, 1, weights)).astype(np.float32)
