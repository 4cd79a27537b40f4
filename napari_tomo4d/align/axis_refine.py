"""The tilt axis for which one object explains all images best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_tomo4d.align.axis_images import AxisImages, sample, turned_grid
from napari_tomo4d.errors import DataError
from napari_tomo4d.progress import Progress
from napari_tomo4d.reconstruct.projector import Projector

_ITERATIONS = 25
_STEPS = 10
_PATCH = 8
_CALIBRATION = 3.0
"""Real over formal errors on simulated series: the outline, too, follows the noise."""


@dataclass(frozen=True, eq=False)
class Refinement:
    """Result of `refine`, in pixels of the series.

    Parameters
    ----------
    shift_px, rotation_deg : float
    shift_uncertainty_px, rotation_uncertainty_deg : float
    residual : float
        Part of the intensity, RMS, that no object explains.
    converged : bool
    """

    shift_px: float
    rotation_deg: float
    shift_uncertainty_px: float
    rotation_uncertainty_deg: float
    residual: float
    converged: bool


def refine(
    images: AxisImages,
    shift_px: float,
    rotation_deg: float,
    *,
    finest: int = 64,
    progress: Progress | None = None,
) -> Refinement:
    """Refine shift and rotation of the tilt axis together, by reprojection.

    Parameters
    ----------
    images : AxisImages
        In pixels of the series.
    shift_px, rotation_deg : float
        Start, within about half a particle and ten degrees.
    finest : int
        Images are made smaller until they are about this wide.
    progress : Progress, optional

    Returns
    -------
    Refinement

    Notes
    -----
    A non-negative object is reconstructed by accelerated SIRT (Beck & Teboulle 2009, SIAM J.
    Imaging Sci. 2, 183) with the axis as it is. How its projections change with the axis, less
    all that a change of the object within its own outline could do, is the Jacobian of a
    Gauss-Newton step (variable projection: Golub & Pereyra 1973, SIAM J. Numer. Anal. 10, 413).
    The outline matters: within +-40 degrees a shifted axis mostly looks like a moved
    object with faint arcs about it.

    An offset common to all tilt angles is not sought: it only turns the object about the
    axis, so no image tells.
    """
    progress = progress or Progress()
    width = images.images.shape[2]
    factor = max(1, round(width / finest))
    scale = np.array([factor, 1.0])
    model = _Model(images.reduced(factor, 0.5 * max(factor, 2)))
    axis = np.array([shift_px, rotation_deg], dtype=np.float64)
    before: tuple[np.ndarray, np.ndarray] | None = None
    for i in range(_STEPS):
        step, covariance, residual = model.step(axis / scale)
        step = step * scale
        move = _accelerated(axis, step, before)
        before = axis, step
        axis = axis + np.clip(move, [-4 * factor, -3], [4 * factor, 3])
        progress.report(i + 1, _STEPS, "Refining the tilt axis by reprojection")
        converged = bool(np.all(np.abs(step) < [0.02, 0.01]))
        if converged or progress.finish_requested or np.abs(axis[0]) > width / 2:
            break
    errors = _CALIBRATION * np.sqrt(np.diag(covariance)) * scale
    small = bool(np.all(np.abs(step) < np.maximum(errors, [0.1, 0.05])))
    return Refinement(
        float(axis[0]),
        float(axis[1]),
        float(errors[0]),
        float(errors[1]),
        residual,
        converged or small,
    )


def _accelerated(
    axis: np.ndarray, step: np.ndarray, before: tuple[np.ndarray, np.ndarray] | None
) -> np.ndarray:
    """Lengthen a step by how the last one fell short (Anderson 1965, J. ACM 12, 547)."""
    if before is None:
        return step
    # a degree moves the ends of the axis by about as much as a pixel of shift
    moved, changed = axis - before[0], step - before[1]
    square = float(changed @ changed)
    if square == 0:
        return step
    move = step - float(step @ changed) / square * (moved + changed)
    return move if np.linalg.norm(move) < 4 * np.linalg.norm(step) else step


class _Model:
    """An object and its reprojections in the upright frame of a tilt axis."""

    def __init__(self, images: AxisImages) -> None:
        self._splines = images.splines()
        _, n_rows, n_columns = images.images.shape
        self._size = np.array([n_rows, n_columns])
        # matter may lie beyond the edges of the images
        width = n_columns + 2 * (n_columns // 8)
        self._along = (np.arange(n_rows) - (n_rows - 1) / 2).astype(np.float32)
        self._across = (np.arange(width) - (width - 1) / 2).astype(np.float32)
        shape = (n_columns, n_rows, width)
        self._projector = Projector(shape, images.angles_deg, device="cpu")
        lengths = self._projector.ray_lengths()
        self._row_weights = 1 / np.maximum(lengths, 0.05 * lengths.max())

    def _measured(self, axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return blocks of the images turned upright, and 1 where they are."""
        images = sample(self._splines, self._along, self._across, *axis)
        rows, columns = turned_grid(self._along[:, None], self._across, *axis)
        half = (self._size - 1) / 2
        seen = ((np.abs(rows) <= half[0]) & (np.abs(columns) <= half[1])).astype(np.float32)
        everywhere = np.ascontiguousarray(np.broadcast_to(seen, images.shape))
        blocks = self._projector.images_to_blocks
        return blocks(images * seen), blocks(everywhere)

    def _project(self, volume: np.ndarray) -> np.ndarray:
        images = self._projector.new_images()
        self._projector.project(volume, images)
        return images

    def _backproject(self, images: np.ndarray) -> np.ndarray:
        volume = self._projector.new_volume()
        self._projector.add_backprojection(images, volume)
        return volume

    def _reconstruct(self, measured: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Return blocks of a non-negative object.

        It starts from nothing each time: one made with another axis would keep its arcs.
        """
        weights = seen * self._row_weights
        voxel_weights = self._backproject(seen)
        voxel_weights = 1 / np.maximum(voxel_weights, 0.1 * voxel_weights.max())
        volume = self._projector.new_volume()
        ahead, momentum = volume, 1.0
        for _ in range(_ITERATIONS):
            gradient = self._backproject((measured - self._project(ahead)) * weights)
            better = np.maximum(ahead + voxel_weights * gradient, 0)
            following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            # float32 throughout, as the kernels need it
            factor = np.float32((momentum - 1) / following)
            ahead = better + factor * (better - volume)
            volume, momentum = better, following
        return volume

    def _outline(self, blocks: np.ndarray) -> np.ndarray:
        """Return blocks that are 1 in the object and a voxel around."""
        volume = ndimage.gaussian_filter(self._projector.volume_from_blocks(blocks), 0.7)
        bright = volume[volume > 0.3 * volume.max()]
        if bright.size == 0:
            raise DataError("The images hold nothing brighter than their background.")
        inside = volume > 0.2 * np.median(bright)
        inside = ndimage.binary_dilation(inside, np.ones((3, 1, 3), bool))
        return self._projector.volume_to_blocks(inside.astype(np.float32))

    def _unexplained(self, images: np.ndarray, seen: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Return the part of the images that matter inside the outline cannot explain."""
        residual: np.ndarray = images * seen
        gradient = self._backproject(residual) * inside
        direction = gradient.copy()
        first = norm = float(np.vdot(gradient, gradient))
        for _ in range(_ITERATIONS):
            if norm <= 1e-8 * first:
                break
            change = self._project(direction) * seen
            residual -= np.float32(norm / float(np.vdot(change, change))) * change
            gradient = self._backproject(residual) * inside
            following = float(np.vdot(gradient, gradient))
            direction = gradient + np.float32(following / norm) * direction
            norm = following
        return residual

    def step(self, axis: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Return the change of the axis, its covariance, and the relative residual."""
        measured, seen = self._measured(axis)
        volume = self._reconstruct(measured, seen)
        inside = self._outline(volume)
        join, blocks = self._projector.layout.join, self._projector.images_to_blocks
        model = join(self._project(volume))
        across = np.gradient(model, axis=2)
        turned = self._along[:, None] * across - self._across * np.gradient(model, axis=1)
        slopes = [across, np.float32(np.deg2rad(1)) * turned]
        columns = [join(self._unexplained(blocks(s), seen, inside)) for s in slopes]
        residual = join(self._unexplained(measured, seen, inside))
        jacobian = np.stack([c.ravel() for c in columns]).astype(np.float64)
        normal = jacobian @ jacobian.T
        if np.linalg.cond(normal) > 1e10:
            raise DataError("The images do not change enough with tilt to show the tilt axis.")
        inverse = np.linalg.inv(normal)
        step = -inverse @ (jacobian @ residual.ravel())
        # noise is correlated between neighbouring pixels, so whole patches vary as one
        scores = np.stack([_patches(c * residual) for c in columns])
        covariance = inverse @ (scores @ scores.T) @ inverse
        power = float(np.linalg.norm(measured * seen))
        return step, covariance, float(np.linalg.norm(residual)) / max(power, 1e-30)


def _patches(images: np.ndarray) -> np.ndarray:
    """Return the sum in each patch of each image."""
    for axis in (1, 2):
        images = np.add.reduceat(images, np.arange(0, images.shape[axis], _PATCH), axis=axis)
    return images.ravel().astype(np.float64)
