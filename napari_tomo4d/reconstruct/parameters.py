"""From a tilt series to a projector and back to a volume; what a run will cost."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from napari_tomo4d import registry
from napari_tomo4d.checks import require_memory
from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import DataError
from napari_tomo4d.parallel import usable_threads
from napari_tomo4d.parameters import Param
from napari_tomo4d.reconstruct.projector import Projector

ENOUGH_SLICES = 16
"""Slices that are enough to choose parameters by: those that hold most."""

Thickness = Annotated[
    int | None,
    Param(
        "Size of the volume along the beam; empty: as wide as the images across the tilt axis.",
        unit="px",
        minimum=1,
        maximum=8192,
    ),
]
AxisShift = Annotated[
    float,
    Param(
        "Moves the tilt axis across the images, beyond where the series has it.",
        unit="px",
        minimum=-4096,
        maximum=4096,
        step=0.5,
    ),
]
Iterations = Annotated[
    int, Param("More iterations resolve more detail and more noise.", minimum=1, maximum=10000)
]
ChosenIterations = Annotated[
    int | None,
    Param(
        "More iterations resolve more detail and more noise. Empty: chosen from the images.",
        minimum=1,
        maximum=10000,
    ),
]
NonNegative = Annotated[
    bool,
    Param(
        "Density can't be below zero; sharpens particles on a dark background.",
        label="Non-negative",
    ),
]
Maximum = Annotated[
    float | None,
    Param(
        "Density can't be above this; empty: no limit.",
        minimum=0,
        advanced=True,
        empty="no limit",
    ),
]
Relaxation = Annotated[
    float,
    Param("Step size; above 1 is faster, below 1 steadier.", minimum=0.01, maximum=1.99),
]
MinImprovement = Annotated[
    float,
    Param(
        "Stops when the relative residual falls by less than this per iteration; 0: never.",
        label="Stop below",
        minimum=0,
        maximum=1,
        step=0.0001,
        advanced=True,
    ),
]
Seed = Annotated[
    int, Param("The same seed gives the same result.", minimum=0, maximum=2**31 - 1, advanced=True)
]


def make_projector(
    series: TiltSeries, thickness: int | None = None, axis_shift_px: float = 0.0
) -> Projector:
    """Return the projector for a series, whose volume has the images' y and x size.

    Raises
    ------
    DataError
        If the series has frames or only one tilt.
    """
    series.require_single_images()
    if len(series) < 2:
        raise DataError("A reconstruction needs at least two tilts; this series has one.")
    span = np.ptp(series.angles_deg)
    if span < 1:
        raise DataError(
            f"All tilt angles are within {span:g} deg, so there is nothing to reconstruct "
            "in depth; check the angles."
        )
    n_y, n_x = series.image_shape
    width = n_x if series.tilt_axis == "y" else n_y
    shift = series.axis_shift_px + axis_shift_px
    if abs(shift) >= width / 2:
        raise DataError(
            f"The tilt axis is {shift:g} px from the image centre, outside the images "
            f"({width} px wide)."
        )
    n_z = thickness or width
    return Projector(
        (n_z, n_y, n_x), series.angles_deg, tilt_axis=series.tilt_axis, axis_shift_px=shift
    )


def slices_of(series: TiltSeries, start: int, stop: int) -> TiltSeries:
    """Return slices `start` to `stop` (not included) of a series, still lazy if it is.

    Slices are across the tilt axis: rows of the images where it is along y, else columns.
    """
    keep = slice(start, stop)
    images = series.images
    part = images[..., keep, :] if series.tilt_axis == "y" else images[..., keep]
    return series.replace(images=part)


def fullest_slices(series: TiltSeries, count: int = ENOUGH_SLICES) -> tuple[int, int]:
    """Return the range of slices across the tilt axis that hold the most intensity."""
    images = np.maximum(series.load(), 0)
    profile = images.sum(axis=(0, 2) if series.tilt_axis == "y" else (0, 1), dtype=np.float64)
    count = min(count, len(profile))
    held = np.convolve(profile, np.ones(count), "valid")
    start = int(np.argmax(held))
    return start, start + count


@dataclass(frozen=True)
class Cost:
    """What a reconstruction needs.

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
    n_tilts: int,
    image_shape: tuple[int, int],
    thickness: int | None = None,
    tilt_axis: str = "y",
    method: str = "SIRT",
    iterations: int = 50,
    times: int = 1,
) -> Cost:
    """Estimate memory and work of a reconstruction without running it.

    Parameters
    ----------
    n_tilts : int
    image_shape : tuple (y, x)
        In pixels, after cropping and binning.
    thickness : int, optional
        Volume size along the beam in pixels.
    tilt_axis : {"y", "x"}
    method : str
        Its short name, such as ``"OS-SART"``, in any case; or the last part of the step's name.
    iterations : int
        Ignored by direct methods.
    times : int
        Time points in memory at once.
    """
    width = image_shape[1] if tilt_axis == "y" else image_shape[0]
    n_z = thickness or width
    voxels = n_z * image_shape[0] * image_shape[1]
    pixels = n_tilts * image_shape[0] * image_shape[1]
    needs = _needs_of(method)
    passes = needs.passes * (1 if needs.once else iterations)
    return Cost(
        memory_bytes=int(4 * times * (needs.volumes * voxels + needs.images * pixels)),
        ray_sums=passes * times * voxels * n_tilts,
    )


def _needs_of(method: str) -> registry.Cost:
    name = method.lower().replace(" ", "_").replace("-", "_")
    step = registry.get_step(f"reconstruct.{name}")
    if step.cost is None:
        raise DataError(f"Nobody has said what {step.title} needs; give its step a cost.")
    return step.cost


def halo_of(method: str) -> int:
    """Return how many slices on either side a method needs, to give a slice as in the whole."""
    return _needs_of(method).halo


def require_memory_for(projector: Projector, method: str, times: int = 1) -> None:
    """Raise `NotEnoughMemoryError` if the run would not fit into memory."""
    cost = estimate(
        len(projector.angles_deg),
        projector.volume_shape[1:],
        projector.thickness,
        projector.tilt_axis,
        method,
        times=times,
    )
    size = " x ".join(map(str, projector.volume_shape))
    several = f"{times} " if times > 1 else "A "
    plural = "volumes" if times > 1 else "volume"
    require_memory(cost.memory_bytes, f"{several}{method} {plural} of {size} voxels would")


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
    # blocks are shared out over the threads, which seldom all run at full speed
    return 0.8 * usable_threads() * 2 * volume.size * 21 / fastest
