"""Background of the images: a constant, a plane, or a membrane spanned under the particles."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Annotated

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve
from skimage.filters import threshold_otsu

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.errors import DataError
from napari_tomo4d.immutable import frozen
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import warn
from napari_tomo4d.registry import step

BACKGROUNDS = ("constant", "plane", "membrane")
"""One grey value; a tilted plane; what surrounds the particles, continued under them."""

_GRID = 192
"""Points along the longer edge on which a membrane is computed; it is smooth anyway."""


@step(
    "preprocess.subtract_background",
    title="Subtract background",
    takes=TiltSeries,
    gives=TiltSeries,
)
def subtract_background(
    series: TiltSeries,
    percentile: Annotated[
        float,
        Param(
            "For a constant: grey level taken as background; its share of background pixels.",
            unit="%",
            minimum=0,
            maximum=100,
        ),
    ] = 50.0,
    clip: Annotated[bool, Param("Set what is darker than the background to zero.")] = True,
    method: Annotated[
        str,
        Param(
            "Constant, tilted plane, or membrane: what surrounds the particles, under them too.",
            choices=BACKGROUNDS,
        ),
    ] = "constant",
    margin_px: Annotated[
        float,
        Param(
            "For plane and membrane: distance kept from the particles.",
            unit="px",
            minimum=0,
            maximum=200,
            advanced=True,
        ),
    ] = 6.0,
    smoothing_px: Annotated[
        float,
        Param(
            "For plane and membrane: blur before particles are found; more for noisier images.",
            unit="px",
            minimum=0,
            maximum=50,
            advanced=True,
        ),
    ] = 3.0,
    *,
    particles: np.ndarray | None = None,
    progress: Progress | None = None,
) -> TiltSeries:
    """Subtract a constant, a plane or a membrane from each image.

    Parameters
    ----------
    series : TiltSeries
        One image per tilt.
    percentile : float
        0 to 100; of each image, for ``method="constant"``.
    clip : bool
        Set negative results to zero. Where zero is the mean of noise, this leaves a bias.
    method : {"constant", "plane", "membrane"}
        A plane is fitted to what is not a particle. A membrane is that background itself,
        smoothed, and under the particles the solution of Laplace's equation from their rims.
    margin_px : float
        Width by which particles are widened, for their blurred edges.
    smoothing_px : float
        Standard deviation of the blur before Otsu's threshold finds the particles.
    particles : bool array (y, x) or (tilt, y, x), optional
        Where the particles are; found by Otsu's threshold in each image if None.
    progress : Progress, optional

    Returns
    -------
    TiltSeries
        Float32 images; ``metadata["background"]`` lists the mean of what was subtracted.

    Raises
    ------
    DataError
        If particles leave nothing of an image to take the background from, or their mask has
        another shape.
    Cancelled
        If the user asked to.
    """
    progress = progress or Progress()
    images = np.array(series.load())
    masks = None if particles is None else _checked_masks(particles, images.shape)
    levels = []
    for i, image in enumerate(images):
        if method == "constant":
            background = np.full(image.shape, np.percentile(image, percentile), np.float32)
        else:
            mask = find_particles(image, smoothing_px) if masks is None else masks[i]
            mask = _widened(mask, margin_px)
            if mask.mean() > 0.95:
                raise DataError(
                    f"Particles fill the image at {series.angles_deg[i]:g} deg, so it shows no "
                    "background; take a constant one, or a smaller margin."
                )
            background = _SURFACES[method](image, mask)
        image -= background
        if clip:
            np.maximum(image, 0, out=image)
        levels.append(float(np.mean(background)))
        progress.report(i + 1, len(images), "Subtracting background")
    metadata = {**series.metadata, "background": levels}
    return dataclasses.replace(series, images=frozen(images), metadata=metadata)


def find_particles(image: np.ndarray, smoothing_px: float = 3.0) -> np.ndarray:
    """Return where an image (y, x) is brighter than Otsu's threshold, after a blur."""
    smooth = ndimage.gaussian_filter(np.asarray(image, np.float32), smoothing_px)
    if np.ptp(smooth) == 0:
        warn("An image is constant: nothing in it is a particle.")
        return np.zeros(smooth.shape, bool)
    result: np.ndarray = smooth > threshold_otsu(smooth)
    return result


def plane(image: np.ndarray, particles: np.ndarray) -> np.ndarray:
    """Return the plane of least squares through what is not a particle, (y, x) float32."""
    y, x = (np.linspace(-1, 1, n) for n in image.shape)
    terms = np.broadcast_arrays(np.ones(image.shape), y[:, None], x)
    outside = ~particles
    matrix = np.stack([t[outside] for t in terms], axis=1)
    factors = np.linalg.lstsq(matrix, image[outside], rcond=None)[0]
    result: np.ndarray = sum(f * t for f, t in zip(factors, terms, strict=True)).astype(np.float32)
    return result


def membrane(image: np.ndarray, particles: np.ndarray) -> np.ndarray:
    """Return the background, continued under particles as a membrane held at their rims.

    Parameters
    ----------
    image : array (y, x)
    particles : bool array (y, x)

    Returns
    -------
    array (y, x), float32
        Solution of Laplace's equation under the particles; the smoothed image elsewhere.
        At the border of the image a membrane is free (its slope is zero across it).
    """
    # both grids have their points in the middle of equal cells
    step = max(1, int(np.ceil(max(image.shape) / _GRID)))
    outside = ~particles
    weight = _binned(outside.astype(np.float64), step)
    value = _binned(np.where(outside, image, 0.0), step)
    # noise of the rim would hang on under the particles; outside of it, of the image
    blur = 2.0
    near = ndimage.gaussian_filter(weight, blur)
    smooth = ndimage.gaussian_filter(value, blur) / np.maximum(near, 1e-12)
    smooth += _slope_correction(value, weight, smooth, blur)
    known = weight > 0.5
    if known.all():
        result = smooth
    else:
        result = np.where(known, smooth, 0.0)
        result[~known] = _laplace(result, ~known)
    rows, columns = ((np.arange(n) + 0.5) / step - 0.5 for n in image.shape)
    grid = np.meshgrid(rows, columns, indexing="ij")
    found: np.ndarray = ndimage.map_coordinates(result, grid, order=1, mode="nearest").astype(
        np.float32
    )
    return found


def _slope_correction(
    value: np.ndarray, weight: np.ndarray, smooth: np.ndarray, blur: float
) -> np.ndarray:
    """Return what a blur over one side only, at rims and borders, has taken off a slope."""
    rest = value - weight * smooth
    near = ndimage.gaussian_filter(weight, blur)
    result: np.ndarray = ndimage.gaussian_filter(rest, blur) / np.maximum(near, 1e-12)
    return result


def _laplace(values: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """Return the unknown values, each the mean of its neighbours within the image."""
    number = np.full(values.shape, -1)
    number[unknown] = np.arange(unknown.sum())
    rows, columns, entries = [], [], []
    n = int(unknown.sum())
    count, right = np.zeros(n), np.zeros(n)
    for axis in (0, 1):
        for here, there in ((np.s_[:-1], np.s_[1:]), (np.s_[1:], np.s_[:-1])):
            a, b = (
                ((here, np.s_[:]), (there, np.s_[:]))
                if axis == 0
                else (
                    (np.s_[:], here),
                    (np.s_[:], there),
                )
            )
            own, other = number[a].ravel(), number[b].ravel()
            mine = own >= 0
            np.add.at(count, own[mine], 1)
            inner, rim = mine & (other >= 0), mine & (other < 0)
            rows.append(own[inner])
            columns.append(other[inner])
            entries.append(np.full(inner.sum(), -1.0))
            np.add.at(right, own[rim], values[b].ravel()[rim])
    rows.append(np.arange(n))
    columns.append(np.arange(n))
    entries.append(count)
    matrix = sparse.csc_matrix(
        (np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns))), (n, n)
    )
    result: np.ndarray = spsolve(matrix, right)
    return result


def _binned(image: np.ndarray, step: int) -> np.ndarray:
    """Return means over squares; those at the end repeat the last rows and columns."""
    pad = [(0, -n % step) for n in image.shape]
    padded = np.pad(image, pad, mode="edge")
    result: np.ndarray = padded.reshape(
        padded.shape[0] // step, step, padded.shape[1] // step, step
    ).mean(axis=(1, 3))
    return result


def _widened(mask: np.ndarray, margin_px: float) -> np.ndarray:
    if not margin_px or not mask.any():
        return mask
    result: np.ndarray = ndimage.distance_transform_edt(~mask) <= margin_px
    return result


def _checked_masks(particles: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    masks = np.asarray(particles, bool)
    if masks.shape not in (shape, shape[1:]):
        raise DataError(
            f"The mask of particles has shape {masks.shape}; expected {shape[1:]} or {shape}."
        )
    return np.broadcast_to(masks, shape)


_SURFACES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "plane": plane,
    "membrane": membrane,
}
