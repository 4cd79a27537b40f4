"""Pixel size from a lattice of known spacing, and the dose of a series."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from scipy import ndimage, optimize

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.dose import dose_e_per_nm2
from napari_tomo4d.errors import DataError, ParameterError
from napari_tomo4d.parameters import Param
from napari_tomo4d.provenance import warn
from napari_tomo4d.registry import step
from napari_tomo4d.tilts import frames_recorded

_FEWEST_PERIODS = 4
"""Along the longer edge of the image; slower waves are shape, not lattice."""

_SAME_SPACING = 0.04
"""Spots whose radii differ less, relative to each other, are of the same spacing."""

_STANDS_OUT = 12.0
"""How far a spot has to be above the median power around it."""


@dataclass(frozen=True)
class PixelSize:
    """A pixel size measured on a lattice.

    Parameters
    ----------
    pixel_size_nm : float
        Mean over spots and images.
    uncertainty_nm : float
        Standard error of that mean; NaN from a single spot.
    spread_nm : float
        Standard deviation between spots: distortion of the scan shows here.
    spots : array (n, 2)
        Frequencies (ky, kx) of the spots in cycles per pixel, one of each opposite pair.
    """

    pixel_size_nm: float
    uncertainty_nm: float
    spread_nm: float
    spots: np.ndarray


def pixel_size_from_lattice(
    images: np.ndarray | Sequence[np.ndarray], spacing_nm: float
) -> PixelSize:
    """Measure the pixel size on images of a lattice.

    Parameters
    ----------
    images : array (y, x) or (image, y, x), or sequence of arrays (y, x)
        Lattice images; the brightest spots of their Fourier transforms are used.
    spacing_nm : float
        Spacing of the planes that make the brightest spots: 0.31356 for Si {111}.

    Returns
    -------
    PixelSize

    Raises
    ------
    DataError
        If an image shows no lattice.
    ParameterError
        If the spacing is not positive.

    Notes
    -----
    A Hann window makes the spots almost Gaussian; each is fitted by a 2D Gaussian to the
    amplitude around its maximum.
    """
    if not spacing_nm > 0:
        raise ParameterError(f"The spacing is {spacing_nm:g} nm; it has to be positive.")
    stack = [images] if getattr(images, "ndim", 0) == 2 else list(images)
    if not stack:
        raise DataError("There are no images to calibrate with.")
    spots = np.concatenate([_lattice_spots(np.asarray(i, np.float64)) for i in stack])
    sizes = spacing_nm * np.hypot(*spots.T)
    n = len(sizes)
    spread = float(sizes.std(ddof=1)) if n > 1 else float("nan")
    mean = float(sizes.mean())
    if n > 1 and spread > 0.01 * mean:
        warn(
            f"Directions differ by {100 * spread / mean:.1f} % (standard deviation): the scan is "
            "distorted; correct that first."
        )
    return PixelSize(mean, spread / np.sqrt(n), spread, spots)


def _lattice_spots(image: np.ndarray) -> np.ndarray:
    """Return (ky, kx) in cycles per pixel of the strongest spots of one spacing."""
    if image.ndim != 2 or min(image.shape) < 32:
        raise DataError(
            f"A lattice image needs two axes of at least 32 pixels; this has {image.shape}."
        )
    if not np.isfinite(image).all() or np.ptp(image) == 0:
        raise DataError("The lattice image is constant, or holds NaN or infinite values.")
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in image.shape))
    # without the mean, under the window too, or its lobes would be the brightest spots
    mean = (image * window).sum() / window.sum()
    power = np.abs(np.fft.fftshift(np.fft.fft2((image - mean) * window)))
    centre = [n // 2 for n in image.shape]
    y, x = (np.arange(n) - c for n, c in zip(image.shape, centre, strict=True))
    # in cycles along the longer edge, whatever the shape
    longest = max(image.shape)
    radius = longest * np.hypot(y[:, None] / image.shape[0], x / image.shape[1])
    # one of each pair, away from the border and from what is no lattice
    half = (y[:, None] > 0) | ((y[:, None] == 0) & (x > 0))
    inside = (np.abs(y[:, None]) < centre[0] - 3) & (np.abs(x) < centre[1] - 3)
    searched = half & inside & (radius >= _FEWEST_PERIODS)
    peaks = searched & (power == ndimage.maximum_filter(power, 5))
    candidates = np.argwhere(peaks)
    heights = power[peaks]
    unseen = "No lattice is visible in this image: no spot of its Fourier transform stands out."
    if not len(heights):
        raise DataError(unseen)
    best = candidates[np.argmax(heights)]
    around = power[searched & (np.abs(radius - radius[tuple(best)]) < 3)]
    if heights.max() < _STANDS_OUT * np.median(around):
        raise DataError(unseen)
    same = np.abs(radius[peaks] / radius[tuple(best)] - 1) < _SAME_SPACING
    strong = same & (heights > 0.25 * heights.max())
    return np.array([_refined(power, p) for p in candidates[strong]])


def _refined(amplitude: np.ndarray, peak: np.ndarray) -> np.ndarray:
    """Return the frequency of a spot, by a fit of a Gaussian to the amplitude around it."""
    reach = 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    part = amplitude[peak[0] - reach : peak[0] + reach + 1, peak[1] - reach : peak[1] + reach + 1]

    def misfit(p: np.ndarray) -> np.ndarray:
        shape = np.exp(-((y - p[0]) ** 2 + (x - p[1]) ** 2) / (2 * p[2] ** 2))
        result: np.ndarray = (p[3] * shape + p[4] - part / part.max()).ravel()
        return result

    fit = optimize.least_squares(misfit, [0, 0, 1, 1, 0], x_scale=[0.1, 0.1, 0.1, 0.1, 0.01])
    centre = np.array([n // 2 for n in amplitude.shape])
    result: np.ndarray = (peak + fit.x[:2] - centre) / np.array(amplitude.shape)
    return result


@step("preprocess.set_pixel_size", title="Set pixel size", takes=TiltSeries, gives=TiltSeries)
def set_pixel_size(
    series: TiltSeries,
    pixel_size_nm: Annotated[float, Param("Edge of a pixel.", unit="nm", minimum=1e-6)],
) -> TiltSeries:
    """Give a series the pixel size that a calibration has found.

    Parameters
    ----------
    series : TiltSeries
    pixel_size_nm : float

    Returns
    -------
    TiltSeries
        The same images.
    """
    return dataclasses.replace(series, pixel_size_nm=pixel_size_nm)


def dose_per_tilt(
    series: TiltSeries, pixel_size_nm: float, probe_current_pa: float, dwell_time_ns: float
) -> list[float]:
    """Return the dose of each tilt, from the scan.

    Parameters
    ----------
    series : TiltSeries
        Every frame that was recorded counts, also where they have been averaged since.
    pixel_size_nm : float
        Edge of a pixel of the series as it is now; of one that was binned, the beam stood at
        every pixel before that.
    probe_current_pa, dwell_time_ns : float
        Beam current, and time on each pixel of one frame; positive.

    Returns
    -------
    list of float
        Electrons per square nanometre, one for each tilt.

    Raises
    ------
    ParameterError
        If a value is not positive.
    """
    step_nm = pixel_size_nm / series.metadata.get("binning", 1)
    one = dose_e_per_nm2(probe_current_pa, dwell_time_ns, step_nm)
    return [one * n for n in frames_recorded(series)]


@step("preprocess.set_dose", title="Compute dose", takes=TiltSeries, gives=TiltSeries)
def set_dose(
    series: TiltSeries,
    probe_current_pa: Annotated[float, Param("Beam current.", unit="pA", minimum=1e-6)],
    dwell_time_ns: Annotated[float, Param("Time per pixel of one frame.", unit="ns", minimum=1e-6)],
) -> TiltSeries:
    """Compute the dose of every tilt and of the series from the scan.

    Parameters
    ----------
    series : TiltSeries
        With a pixel size; frames count each.
    probe_current_pa, dwell_time_ns : float

    Returns
    -------
    TiltSeries
        With ``dose_e_per_nm2``, and ``metadata["dose_e_per_nm2_per_tilt"]`` as a list.

    Raises
    ------
    DataError
        If the series has no pixel size.
    ParameterError
        If a value is not positive.
    """
    if series.pixel_size_nm is None:
        raise DataError("The dose needs a pixel size; set it first.")
    each = dose_per_tilt(series, series.pixel_size_nm, probe_current_pa, dwell_time_ns)
    return dataclasses.replace(
        series,
        dose_e_per_nm2=sum(each),
        metadata={**series.metadata, "dose_e_per_nm2_per_tilt": each},
    )
