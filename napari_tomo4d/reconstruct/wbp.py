"""Weighted back-projection."""

from __future__ import annotations

from typing import Annotated, Unpack

import numpy as np
from scipy import fft

from napari_tomo4d.data import TiltSeries, Volume
from napari_tomo4d.parameters import Param
from napari_tomo4d.reconstruct.options import Conditions, Options
from napari_tomo4d.reconstruct.parameters import Maximum
from napari_tomo4d.reconstruct.problem import Problem
from napari_tomo4d.registry import Cost, step

FILTERS = ("ramp", "shepp-logan", "cosine", "hamming", "hann", "sirt-like")


@step(
    "reconstruct.wbp",
    title="Weighted back-projection",
    short="WBP",
    takes=TiltSeries,
    gives=Volume,
    cost=Cost(volumes=2, images=3, passes=1, once=True),
    options=Conditions,
)
def wbp(
    series: TiltSeries,
    filter: Annotated[
        str,
        Param("Ramp keeps all detail and noise; the others damp noise.", choices=FILTERS),
    ] = "ramp",
    sirt_iterations: Annotated[
        int,
        Param(
            "Iterations of SIRT whose balance of detail and noise the filter 'sirt-like' has.",
            minimum=1,
            maximum=10000,
            advanced=True,
        ),
    ] = 20,
    non_negative: Annotated[
        bool, Param("Sets density below zero to zero.", label="Non-negative")
    ] = False,
    maximum: Maximum = None,
    **options: Unpack[Options],
) -> Volume:
    """Reconstruct by weighted (filtered) back-projection.

    Parameters
    ----------
    series : TiltSeries
        Aligned, one image per tilt.
    filter : {"ramp", "shepp-logan", "cosine", "hamming", "hann", "sirt-like"}
        Window on the ramp.
    sirt_iterations : int
        For the filter "sirt-like".
    non_negative, maximum
        Limits of the density, applied once at the end.
    **options
        As in `Options`; `tilt_weights` count beside the angle that a tilt stands for.

    Returns
    -------
    Volume
        Density in image intensity per pixel of path; exact for tilts over 180 degrees.

    Notes
    -----
    Filter sampled in real space so that the mean is kept (Kak & Slaney 1988, ch. 3);
    each tilt counts by the angle to its neighbours, so uneven steps are allowed. The filter
    "sirt-like" is that of the Landweber iteration (Zeng 2012, Phys. Med. Biol. 57, 603).
    """
    given = Conditions(**options, non_negative=non_negative, maximum=maximum)
    series, conditions = given.in_use(series)
    problem = Problem(series, "reconstruct.wbp", conditions)
    projector, images = problem.projector, problem.measured
    response = filter_response(projector.layout.width, filter, sirt_iterations)[None, :, None]
    weights = problem.tilt_weights * angle_weights(projector.angles_deg)
    weights = weights.astype(np.float32)[:, None, None]

    def work(b: int) -> None:
        n = 2 * (response.shape[1] - 1)
        spectrum = fft.rfft(images[b], n, axis=1)
        spectrum *= response
        images[b] = fft.irfft(spectrum, n, axis=1)[:, : images.shape[2]] * weights

    problem.each_block(work)
    problem.smear(images, problem.volume)
    return problem.result()


def filter_response(width: int, name: str, sirt_iterations: int = 20) -> np.ndarray:
    """Return the filter at the frequencies of a real FFT padded against wrap-around.

    Parameters
    ----------
    width : int
        Number of detector pixels.
    name : str
        One of `FILTERS`.
    sirt_iterations : int
        For "sirt-like".

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
    # an iteration undoes 1 / |frequency| the less, the higher; the lowest one at once
    left = 1 - 1 / np.maximum(frequency * width, 1)
    window = {
        "ramp": np.ones_like(frequency),
        "shepp-logan": np.sinc(frequency),
        "cosine": np.cos(np.pi * frequency),
        "hamming": 0.54 + 0.46 * np.cos(2 * np.pi * frequency),
        "hann": 0.5 + 0.5 * np.cos(2 * np.pi * frequency),
        "sirt-like": 1 - left**sirt_iterations,
    }[name]
    result: np.ndarray = (ramp * window).astype(np.float32)
    return result


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
