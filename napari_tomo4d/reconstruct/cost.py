"""What a reconstruction needs of memory and time, from what its step declares."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass

import numpy as np

from napari_tomo4d.checks import require_memory
from napari_tomo4d.parallel import usable_threads
from napari_tomo4d.reconstruct.projector import Projector
from napari_tomo4d.registry import Cost, Step


@dataclass(frozen=True)
class Estimate:
    """What a reconstruction will need.

    Parameters
    ----------
    memory_bytes : int
        Peak memory beside the images themselves.
    ray_sums : float
        Interpolated additions, the work of one projection times the projections.
    """

    memory_bytes: int
    ray_sums: float


def estimate(
    cost: Cost,
    n_tilts: int,
    image_shape: tuple[int, int],
    thickness: int | None = None,
    tilt_axis: str = "y",
    *,
    iterations: int = 50,
    times: int = 1,
    kept_times: int = 0,
) -> Estimate:
    """Estimate memory and work of a reconstruction without running it.

    Parameters
    ----------
    cost : Cost
        Of the step, as the registry has it.
    n_tilts : int
    image_shape : tuple (y, x)
        In pixels, after cropping and binning.
    thickness : int, optional
        Volume size along the beam in pixels; by default the width across the tilt axis.
    tilt_axis : {"y", "x"}
    iterations : int
        Ignored by direct methods.
    times : int
        Time points reconstructed at once.
    kept_times : int
        Finished volumes of other time points that stay in memory.
    """
    width = image_shape[1] if tilt_axis == "y" else image_shape[0]
    n_z = thickness or width
    voxels = n_z * image_shape[0] * image_shape[1]
    pixels = n_tilts * image_shape[0] * image_shape[1]
    passes = cost.passes * (1 if cost.once else iterations)
    return Estimate(
        memory_bytes=int(
            4 * times * (cost.volumes * voxels + cost.images * pixels) + 4 * kept_times * voxels
        ),
        ray_sums=passes * times * voxels * n_tilts,
    )


def require_memory_for(projector: Projector, step: Step, times: int = 1) -> None:
    """Raise `NotEnoughMemoryError` if the run would not fit into memory."""
    if step.cost is None:
        return
    needed = estimate(
        step.cost,
        len(projector.angles_deg),
        projector.volume_shape[1:],
        projector.thickness,
        projector.tilt_axis,
        times=times,
    )
    size = " x ".join(map(str, projector.volume_shape))
    several = f"{times} " if times > 1 else "A "
    plural = "volumes" if times > 1 else "volume"
    require_memory(needed.memory_bytes, f"{several}{step.short} {plural} of {size} voxels would")


@functools.cache
def ray_sums_per_second() -> float:
    """Measure how fast this computer projects, for estimates of time; takes 0.1 s once."""
    projector = Projector((128, 64, 128), np.linspace(-40, 40, 21), threads=1, block=64)
    volume, images = projector.new_volume(), projector.new_images()
    fastest = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        projector.project(volume, images)
        projector.add_backprojection(images, volume)
        fastest = min(fastest, time.perf_counter() - start)
    # blocks are shared out over the threads, which seldom all run at full speed; a graphics
    # card was used whole
    share = 0.8 * usable_threads() if projector.device == "cpu" else 1.0
    return share * 2 * volume.size * 21 / fastest
