"""Weighted back-projection."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from scipy import fft

from napari_tomo4d.data import TiltSeries, Volume
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import recorded
from napari_tomo4d.reconstruct.setup import (
    AxisShift,
    Thickness,
    finish,
    make_projector,
    require_memory_for,
)

FILTERS = ("ramp", "shepp-logan", "cosine", "hamming", "hann")


@recorded("reconstruct.wbp")
def wbp(
    series: TiltSeries,
    thickness: Thickness = None,
    filter: Annotated[
        str,
        Param("Ramp keeps all detail and noise; the others damp noise.", choices=FILTERS),
    ] = "ramp",
    axis_shift_px: AxisShift = 0.0,
    *,
    progress: Progress | None = None,
) -> Volume:
    """Reconstruct by weighted (filtered) back-projection.

    Parameters
    ----------
    series : TiltSeries
        Aligned, one image per tilt.
    thickness : int, optional
        Volume size along the beam in pixels; the width of the images if None.
    filter : {"ramp", "shepp-logan", "cosine", "hamming", "hann"}
        Window on the ramp.
    axis_shift_px : float
        Added to the series' own axis position.
    progress : Progress, optional

    Returns
    -------
    Volume
        Density in image intensity per pixel of path; exact for tilts over 180 degrees.

    Notes
    -----
    Filter sampled in real space so that the mean is kept (Kak & Slaney 1988, ch. 3);
    each tilt counts by the angle to its neighbours, so uneven steps are allowed.
    """
    progress = progress or Progress()
    projector = make_projector(series, thickness, axis_shift_px)
    require_memory_for(projector, "wbp")
    images = projector.images_to_blocks(series.load())
    response = filter_response(projector.width, filter)[None, :, None]
    weights = angle_weights(projector.angles_deg).astype(np.float32)[:, None, None]
    volume = projector.new_volume()
    done: list[int] = []

    def work(b: int) -> None:
        n = 2 * (response.shape[1] - 1)
        spectrum = fft.rfft(images[b], n, axis=1)
        filtered = fft.irfft(spectrum * response, n, axis=1)[:, : projector.width]
        projector.smear_block(np.ascontiguousarray(filtered * weights), volume[b])
        done.append(b)
        progress.report(len(done), projector.n_blocks, "Weighted back-projection")

    projector.each_block(work, progress)
    return finish(projector, volume, series, "WBP")


def filter_response(width: int, name: str) -> np.ndarray:
    """Return the filter at the frequencies of a real FFT padded against wrap-around.

    Parameters
    ----------
    width : int
        Number of detector pixels.
    name : str
        One of `FILTERS`.

    Returns
    -------
    array (n // 2 + 1,), float32
        With n even and at least twice `width`.
    """
    n = 2 * fft.next_fast_len(width, real=True)
    k = np.arange(n)
    distance = np.minimum(k, n - k)
    kernel = np.zeros(n)
    odd = distance % 2 == 1
    kernel[odd] = -1 / (np.pi * distance[odd]) ** 2
    kernel[0] = 0.25
    ramp = fft.rfft(kernel).real
    frequency = fft.rfftfreq(n)
    window = {
        "ramp": np.ones_like(frequency),
        "shepp-logan": np.sinc(frequency),
        "cosine": np.cos(np.pi * frequency),
        "hamming": 0.54 + 0.46 * np.cos(2 * np.pi * frequency),
        "hann": 0.5 + 0.5 * np.cos(2 * np.pi * frequency),
    }[name]
    return (ramp * window).astype(np.float32)


def angle_weights(angles_deg: np.ndarray) -> np.ndarray:
    """Return the angle in radians that each tilt stands for.

    Half the gap to either neighbour, modulo 180 degrees; at the edge of a missing wedge
    the inner gap counts twice, as the wedge itself holds no data.
    """
    angles = np.mod(angles_deg, 180.0)
    unique, inverse, counts = np.unique(
        np.round(angles, 6), return_inverse=True, return_counts=True
    )
    if len(unique) == 1:
        return np.full(len(angles), np.pi / len(angles))
    after = np.diff(unique, append=unique[0] + 180)
    before = np.roll(after, 1)
    wedge = 4 * np.median(after)
    after, before = (
        np.where(after > wedge, np.minimum(before, wedge), after),
        np.where(before > wedge, np.minimum(after, wedge), before),
    )
    return np.deg2rad((after + before) / 2 / counts)[inverse]
