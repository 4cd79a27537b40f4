"""The projection operator of a tilt series and its transpose."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from napari_tomo4d.errors import DataError, ParameterError
from napari_tomo4d.parallel import usable_threads
from napari_tomo4d.progress import Progress
from napari_tomo4d.reconstruct import cuda
from napari_tomo4d.reconstruct.blocks import Blocks
from napari_tomo4d.reconstruct.image_plane import ImagePlane
from napari_tomo4d.reconstruct.kernels import kernels

_CHUNK = 1 << 31
"""Ray sums done between two looks at whether the user wants to cancel: about 0.1 s."""


class Projector:
    """Line integrals through a volume at given tilts, and their exact transpose.

    Voxel ``(z, x)`` lands at ``u = (x - cx) cos t + (z - cz) sin t + cu`` on the detector,
    with ``c = (n - 1) / 2``; the axis shift is added to `cx` and `cu`, so that the image
    at 0 degrees and the volume keep the same coordinates.

    Parameters
    ----------
    volume_shape : tuple (z, y, x)
        Size of the volume in voxels.
    angles_deg : sequence of float
        Tilt angles in degrees.
    tilt_axis : {"y", "x"}
        Axis of the images and of the volume which the tilt axis is parallel to.
    axis_shift_px : float
        Position of the tilt axis relative to the image centre.
    shifts_px : array (tilt, 2) or (tilt,), optional
        What to add to the content of each image to align it: (dy, dx), or only the part
        across the axis. The images themselves are not touched.
    rotation_deg : float or sequence of float
        Angle from the image axis `tilt_axis` to the tilt axis as the images show it, of all
        images or of each; positive towards the other image axis.
    supersampling : int
        Rays per detector pixel, of which the mean counts.
    threads : int, optional
        Number of threads; as many as processors this process may use if None.
    block : int, optional
        Slices done at once; the fastest if None.
    device : {"auto", "cpu", "cuda"}
        Where the line integrals are computed; "auto" takes a CUDA device if there is one.

    Notes
    -----
    Rays are integrated by Joseph's method (Joseph 1982, IEEE Trans. Med. Imaging 1, 192),
    in units of the pixel: a voxel of value 1 contributes 1 to the total of every image.
    """

    def __init__(
        self,
        volume_shape: tuple[int, int, int],
        angles_deg: Sequence[float] | np.ndarray,
        *,
        tilt_axis: str = "y",
        axis_shift_px: float = 0.0,
        shifts_px: Sequence[float] | np.ndarray | None = None,
        rotation_deg: float | Sequence[float] | np.ndarray = 0.0,
        supersampling: int = 1,
        threads: int | None = None,
        block: int | None = None,
        device: str = "auto",
    ) -> None:
        if len(volume_shape) != 3 or min(volume_shape) < 1:
            raise DataError(f"The volume shape {tuple(volume_shape)} is not (z, y, x).")
        if tilt_axis not in ("y", "x"):
            raise DataError(f"tilt_axis is {tilt_axis!r}; it has to be 'y' or 'x'.")
        if supersampling < 1:
            raise ParameterError(f"supersampling is {supersampling}; it has to be at least 1.")
        self.volume_shape: tuple[int, int, int] = tuple(map(int, volume_shape))  # type: ignore[assignment]
        self.angles_deg = np.array(angles_deg, dtype=np.float64)
        if self.angles_deg.ndim != 1 or not np.isfinite(self.angles_deg).all():
            raise DataError("The tilt angles have to be a list of finite numbers in degrees.")
        n_tilts = len(self.angles_deg)
        self.tilt_axis = tilt_axis
        self.axis_shift_px = float(axis_shift_px)
        self.supersampling = int(supersampling)
        self.threads = threads or usable_threads()
        n_z, n_y, n_x = self.volume_shape
        n_slices, width = (n_y, n_x) if tilt_axis == "y" else (n_x, n_y)
        self.layout = Blocks(n_slices, width, tilt_axis, self.threads, block)
        self.thickness = n_z

        centre = (width - 1) / 2 + self.axis_shift_px
        along, across = _shifts(shifts_px, n_tilts, tilt_axis)
        self._plane = ImagePlane.needed_for(rotation_deg, along, n_slices, centre)
        if self._plane is not None:
            across = self._plane.turn_shifts(across)
        # a ray between pixels is a tilt of its own whose detector has moved
        parts = self.supersampling
        beside = (np.arange(parts) + 0.5) / parts - 0.5
        radians = np.deg2rad(self.angles_deg).repeat(parts)
        centres = (centre - across)[:, None] - beside
        self._geometry = (
            np.cos(radians),
            np.sin(radians),
            (n_z - 1) / 2,
            centre,
            centres.ravel(),
        )
        self._lengths = 1 / np.maximum(np.abs(self._geometry[0]), np.abs(self._geometry[1]))
        self._everything = np.ones((n_z, width), np.float32)
        if device not in ("auto", "cpu", "cuda"):
            raise ParameterError(f"device is {device!r}; choose auto, cpu or cuda.")
        if device == "auto":
            device = "cuda" if cuda.is_available() else "cpu"
        self.device = device
        found = cuda.kernels() if device == "cuda" else kernels(self.layout.size)
        self._project, self._backproject = found

    @property
    def images_shape(self) -> tuple[int, int, int]:
        """Shape (tilt, y, x) of the projections."""
        return (len(self.angles_deg), *self.volume_shape[1:])

    def of_tilts(self, tilts: np.ndarray) -> Projector:
        """Return the projector for some of the tilts, given by index, in the same blocks."""
        part = copy.copy(self)
        part.angles_deg = self.angles_deg[tilts]
        rays = (np.asarray(tilts)[:, None] * self.supersampling + range(self.supersampling)).ravel()
        cosines, sines, centre_z, centre_x, centres = self._geometry
        part._geometry = (cosines[rays], sines[rays], centre_z, centre_x, centres[rays])
        part._lengths = self._lengths[rays]
        part._plane = None if self._plane is None else self._plane.of_tilts(tilts)
        return part

    # -- arrays as everyone else sees them ------------------------------------------------

    def forward(self, volume: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Project a volume.

        Parameters
        ----------
        volume : array (z, y, x)
        progress : Progress, optional

        Returns
        -------
        array (tilt, y, x), float32
            Line integrals in units of value x pixel.
        """
        target = self.new_images()
        self.project(self.volume_to_blocks(volume), target, progress=progress)
        return self.layout.join(target)

    def backward(self, images: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Apply the transpose of `forward` to images (tilt, y, x)."""
        target = self.new_volume()
        self.add_backprojection(self.images_to_blocks(images), target, progress=progress)
        return self.layout.join(target)

    # -- blocks of slices, the layout in which iterative algorithms work -------------------

    def volume_to_blocks(self, volume: np.ndarray) -> np.ndarray:
        """Rearrange a volume (z, y, x) into blocks (block, z, x, slice)."""
        return self.layout.split(volume, self.volume_shape, "volume")

    def images_to_blocks(self, images: np.ndarray) -> np.ndarray:
        """Rearrange images (tilt, y, x) into blocks (block, tilt, u, slice)."""
        return self.layout.split(images, self.images_shape, "stack of images")

    def volume_from_blocks(self, blocks: np.ndarray) -> np.ndarray:
        """Undo `volume_to_blocks`."""
        return self.layout.join(blocks)

    def new_volume(self) -> np.ndarray:
        """Return zero volume blocks (block, z, x, slice)."""
        return self.layout.zeros(self.thickness)

    def new_images(self) -> np.ndarray:
        """Return zero image blocks (block, tilt, u, slice)."""
        return self.layout.zeros(len(self.angles_deg))

    def project(
        self,
        volume: np.ndarray,
        images: np.ndarray,
        *,
        used: Sequence[np.ndarray] | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Overwrite image blocks with the projection of volume blocks.

        Parameters
        ----------
        volume : array (block, z, x, slice)
        images : array (block, tilt, u, slice)
        used : sequence of arrays (z, x), optional
            For each block, where voxels may differ from 0; the rest is skipped.
        progress : Progress, optional
            Asked often whether to cancel.
        """
        straight = images if self._plane is None else self.new_images()

        parts = self._parts(len(self.angles_deg), max(1, _CHUNK // volume[0].size))

        def work(i: int) -> None:
            b, tilts = i // len(parts), slice(*parts[i % len(parts)])
            self._project_block(
                volume[b], straight[b, tilts], self._everything if used is None else used[b], tilts
            )

        self.each(work, self.layout.n_blocks * len(parts), progress)
        if self._plane is not None:
            plane = self._plane
            self.each(lambda t: plane.turn(straight, images, t), len(self.angles_deg), progress)

    def add_backprojection(
        self,
        images: np.ndarray,
        volume: np.ndarray,
        *,
        weights: Sequence[np.ndarray] | None = None,
        low: float | None = None,
        high: float | None = None,
        smear: bool = False,
        progress: Progress | None = None,
    ) -> None:
        """Add the weighted transpose of `project` to volume blocks, within limits.

        Parameters
        ----------
        images : array (block, tilt, u, slice)
        volume : array (block, z, x, slice)
            Becomes ``clip(volume + weights * A^T images, low, high)``.
        weights : sequence of arrays (z, x), optional
            For each block, a factor; voxels where it is 0 are skipped, and keep their value.
        low, high : float, optional
            Limits of the result.
        smear : bool
            Interpolate images where voxels project to, which is nearly the transpose and has
            none of its ripple: for filtered back-projection.
        progress : Progress, optional
            Asked often whether to cancel.
        """
        limits = np.finfo(np.float32)
        lowest = np.float32(limits.min if low is None else low)
        highest = np.float32(limits.max if high is None else high)
        lengths = np.ones_like(self._lengths) if smear else self._lengths
        if self._plane is not None:
            turned, plane = self.new_images(), self._plane
            self.each(lambda t: plane.turn_back(images, turned, t), len(self.angles_deg), progress)
            images = turned
        rows = _CHUNK // (len(self._lengths) * self.layout.width * self.layout.size)
        parts = self._parts(self.thickness, max(1, rows))

        def work(i: int) -> None:
            b, (start, stop) = i // len(parts), parts[i % len(parts)]
            self._backproject(
                self._rays_of(images[b]),
                volume[b],
                start,
                stop,
                self._everything if weights is None else weights[b],
                lengths,
                self._geometry,
                lowest,
                highest,
            )

        self.each(work, self.layout.n_blocks * len(parts), progress)

    def _parts(self, count: int, most: int) -> list[tuple[int, int]]:
        """Return ranges of `count` planes or tilts: small ones, and enough for all threads."""
        least = -(-self.threads // self.layout.n_blocks)
        n = max(min(least, count), -(-count // most))
        edges = [count * k // n for k in range(n + 1)]
        return list(itertools.pairwise(edges))

    def _project_block(
        self, volume: np.ndarray, images: np.ndarray, used: np.ndarray, tilts: slice
    ) -> None:
        """Project a block to some tilts, given by a range."""
        parts = self.supersampling
        rays = images
        if parts > 1:
            rays = self.layout.zeros(len(images) * parts, 1)[0]
        rays[...] = 0
        cosines, sines, centre_z, centre_x, centres = self._geometry
        of = slice(tilts.start * parts, tilts.stop * parts)
        geometry = (cosines[of], sines[of], centre_z, centre_x, centres[of])
        self._project(volume, rays, used, geometry)
        if parts > 1:
            images[...] = rays.reshape(len(images), parts, *rays.shape[1:]).mean(axis=1)

    def _rays_of(self, images: np.ndarray) -> np.ndarray:
        """Return what each ray gets of its pixel's value."""
        parts = self.supersampling
        if parts == 1:
            return images
        rays: np.ndarray = self.layout.zeros(len(self._lengths), 1)[0]
        rays[...] = images.repeat(parts, axis=0)
        rays /= parts
        return rays

    def each(
        self, work: Callable[[int], object], count: int, progress: Progress | None = None
    ) -> None:
        """Call `work` with 0 to `count` - 1 on all threads; no call may depend on another."""

        def checked(i: int) -> None:
            if progress is not None:
                progress.check()
            work(i)

        if self.threads == 1 or count == 1:
            for i in range(count):
                checked(i)
            return
        with ThreadPoolExecutor(min(self.threads, count)) as pool:
            for _ in pool.map(checked, range(count)):
                pass

    # -- weights that SIRT and its relatives need ------------------------------------------

    def ray_lengths(self, inside: np.ndarray | None = None) -> np.ndarray:
        """Return the length in pixels of each ray inside the volume, or inside a part of it.

        Parameters
        ----------
        inside : array (block, z, x, slice), optional
            1 in the part, 0 elsewhere.

        Returns
        -------
        array (block, tilt, u, slice)
            To be broadcast: axes along which nothing changes are 1 long.
        """
        n_tilts = len(self.angles_deg)
        if inside is None and self._plane is None:
            volume, images = self.layout.zeros(self.thickness, 1), self.layout.zeros(n_tilts, 1)
            volume[...] = 1
            self._project_block(volume[0], images[0], self._everything, slice(0, n_tilts))
            return images[..., :1].copy()
        if inside is None:
            inside = self.new_volume()
            inside[...] = 1
        result = self.new_images()
        self.project(inside, result)
        return result

    def voxel_weights(self, tilt_weights: np.ndarray | None = None) -> np.ndarray:
        """Return the summed weight of all rays through each voxel, (z, x)."""
        images = self.layout.zeros(len(self.angles_deg), 1)[0]
        volume = self.layout.zeros(self.thickness, 1)[0]
        images[...] = 1 if tilt_weights is None else np.reshape(tilt_weights, (-1, 1, 1))
        limits = np.finfo(np.float32)
        self._backproject(
            self._rays_of(images),
            volume,
            0,
            self.thickness,
            self._everything,
            self._lengths,
            self._geometry,
            limits.min,
            limits.max,
        )
        result: np.ndarray = volume[:, :, 0].copy()
        return result


def _shifts(
    shifts_px: Sequence[float] | np.ndarray | None, n_tilts: int, tilt_axis: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the shifts along and across the tilt axis, (tilt,) each."""
    if shifts_px is None:
        return np.zeros(n_tilts), np.zeros(n_tilts)
    shifts = np.asarray(shifts_px, dtype=np.float64)
    if shifts.shape not in ((n_tilts,), (n_tilts, 2)):
        raise DataError(f"There are {n_tilts} tilts but {len(shifts)} shifts.")
    if not np.isfinite(shifts).all():
        raise DataError("The shifts have to be finite numbers of pixels.")
    if shifts.ndim == 1:
        return np.zeros(n_tilts), shifts
    along = 0 if tilt_axis == "y" else 1
    return shifts[:, along], shifts[:, 1 - along]
