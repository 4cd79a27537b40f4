"""Denoising one image: BM3D, of our own and of the package, and simpler methods."""

from __future__ import annotations

import inspect
import threading
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from scipy import ndimage

from napari_tomo4d.denoise.bm3d_multiscale import fast_bm3d
from napari_tomo4d.denoise.cache import ResultCache, content_key
from napari_tomo4d.denoise.noise_model import NoiseModel
from napari_tomo4d.errors import DataError, MissingExtraError, ParameterError
from napari_tomo4d.progress import Progress

PROFILES = ("lc", "np", "refilter", "vn", "high")
"""Profiles of BM3D: fast, normal, filtered twice, very noisy, high quality."""

_SMALLEST = 16
"""Pixels along an edge below which BM3D finds no blocks to compare."""

Engine = Callable[..., np.ndarray]

ENGINES: dict[str, Engine] = {}
"""Methods for single images, by name: ``engine(image, noise)``.

Perhaps also with a `profile`, and with `cancelled` to be asked whether to stop.
"""

STACK_ENGINES: dict[str, Engine] = {}
"""Methods for neighbouring tilts together, by name: ``engine(stack, noise)``."""

METHODS: Mapping[str, Engine] = ChainMap(STACK_ENGINES, ENGINES)
"""All methods: those of single images, then those of stacks."""

OWN_THREADS: set[str] = set()
"""Methods that use all processors for one image."""

_entered = threading.Lock()


def denoiser(
    name: str, *, stack: bool = False, own_threads: bool = False
) -> Callable[[Engine], Engine]:
    """Make a function a method of the step *Denoise*.

    Parameters
    ----------
    name : str
        As in recipes and panels.
    stack : bool
        The function takes a stack (tilt, y, x) with the noise model of one image, not an image.
    own_threads : bool
        Whether one call uses all processors.
    """

    def decorate(function: Engine) -> Engine:
        (STACK_ENGINES if stack else ENGINES)[name] = function
        if own_threads:
            OWN_THREADS.add(name)
        return function

    return decorate


@denoiser("fast bm3d", own_threads=True)
def fast(
    image: np.ndarray, noise: NoiseModel, *, cancelled: Callable[[], bool] | None = None
) -> np.ndarray:
    """Denoise by this project's own BM3D, see `fast_bm3d`; it is free for any use."""
    image = _checked(image)
    _check_size(image)
    return fast_bm3d(image, noise, cancelled=cancelled)


@denoiser("bm3d", own_threads=True)
def bm3d(image: np.ndarray, noise: NoiseModel | float, profile: str = "lc") -> np.ndarray:
    """Denoise an image by BM3D for correlated noise, from the package `bm3d`.

    Parameters
    ----------
    image : array (y, x)
    noise : NoiseModel or float
        A number is the standard deviation of white noise.
    profile : {"lc", "np", "refilter", "vn", "high"}

    Returns
    -------
    array (y, x), float32

    Raises
    ------
    MissingExtraError
        If the extra is not installed. It is free for non-commercial use only.
    DataError
        If the images are no such array, smaller than 16 pixels, or not finite.

    Notes
    -----
    Dabov et al. 2007; Makinen, Azzari & Foi 2020, IEEE Trans. Image Process. 29, 8339.
    """
    try:
        import bm3d as package
    except ImportError as error:
        raise MissingExtraError(
            'BM3D needs the extra: pip install "napari-tomo4d[bm3d]". It is free for '
            "non-commercial use only; the other methods need no extra."
        ) from error
    image = _checked(image)
    noise = NoiseModel(variance=float(noise) ** 2) if isinstance(noise, (int, float)) else noise
    _check_size(image)
    profiles: dict[str, Callable[[], Any]] = {
        "lc": package.BM3DProfileLC,
        "np": package.BM3DProfile,
        "refilter": package.BM3DProfileRefilter,
        "vn": package.BM3DProfileVN,
        "high": package.BM3DProfileHigh,
    }
    if profile not in profiles:
        raise ParameterError(
            f"There is no profile {profile!r}; choose one of {', '.join(PROFILES)}."
        )
    if noise.variance == 0 or np.ptp(image) == 0:
        return image.copy()
    # grey values of about 1, and background at 0: slow noise is removed from blocks whose mean
    # is thresholded to zero, which on an offset never is, and 3 to 5 dB are lost
    low, span = _background_level(image), float(np.ptp(image))
    model = noise.resized((image.shape[0], image.shape[1])).scaled(1 / span**2)
    strength: Any = model.sigma if noise.is_white else model.psd((image.shape[0], image.shape[1]))
    settings = profiles[profile]()
    with _package_call():
        result = package.bm3d((image - low) / span, strength, profile=settings)
    return (np.asarray(result) * span + low).astype(np.float32)


@denoiser("bm4d", stack=True, own_threads=True)
def bm4d(stack: np.ndarray, noise: NoiseModel) -> np.ndarray:
    """Denoise a stack by BM4D, from the package `bm4d`.

    Parameters
    ----------
    stack : array (tilt, y, x)
        Neighbours must look alike; their noise is independent.
    noise : NoiseModel
        Of one image.

    Returns
    -------
    array (tilt, y, x), float32

    Raises
    ------
    MissingExtraError
        If the extra is not installed. It is free for non-commercial use only.
    DataError
        If the images are no such array, smaller than 16 pixels, or not finite.

    Notes
    -----
    Maggioni, Katkovnik, Egiazarian & Foi 2013, IEEE Trans. Image Process. 22, 119.
    """
    try:
        import bm4d as package
    except ImportError as error:
        raise MissingExtraError(
            'BM4D needs the extra: pip install "napari-tomo4d[bm3d]". It is free for '
            "non-commercial use only; the other methods need no extra."
        ) from error
    stack = np.asarray(stack, np.float32)
    if stack.ndim != 3 or not np.isfinite(stack).all():
        raise DataError("BM4D needs a stack (tilt, y, x) without NaN or infinite values.")
    shape = (stack.shape[1], stack.shape[2])
    if min(shape) < _SMALLEST:
        raise DataError(f"BM4D needs images of at least {_SMALLEST} pixels along each edge.")
    if noise.variance == 0 or np.ptp(stack) == 0:
        return stack.copy()
    low, span = _background_level(stack.mean(axis=0)), float(np.ptp(stack))
    model = noise.resized(shape).scaled(1 / span**2)
    strength: Any = model.sigma
    if not noise.is_white:
        # independent from tilt to tilt: the same at all frequencies along the third axis
        strength = np.repeat(len(stack) * model.psd(shape)[..., None], len(stack), axis=2)
    with _package_call():
        result = package.bm4d(np.moveaxis((stack - low) / span, 0, -1), strength)
    return (np.moveaxis(np.asarray(result), -1, 0) * span + low).astype(np.float32)


def _check_size(image: np.ndarray) -> None:
    if min(image.shape) < _SMALLEST:
        raise DataError(
            f"An image of {image.shape[0]} x {image.shape[1]} pixels is smaller than the blocks "
            f"of BM3D; it needs at least {_SMALLEST} along each edge."
        )


def _background_level(image: np.ndarray) -> float:
    """Return the grey value of a dark background, or the darkest one if there is none.

    The background is what most of the smoothed image has (half-sample mode), if that is in
    the lower quarter of its range: in a dense or a bright-field image it is not.
    """
    smooth = ndimage.gaussian_filter(image, min(6.0, min(image.shape) / 8))
    values = np.sort(smooth, axis=None)
    while len(values) > 64:
        half = len(values) // 2
        start = int(np.argmin(values[half:] - values[: len(values) - half]))
        values = values[start : start + half]
    level = float(values.mean())
    dark = level - smooth.min() < 0.25 * np.ptp(smooth)
    return level if dark else float(image.min())


@contextmanager
def _package_call() -> Iterator[None]:
    """Let one thread at a time into the package, with NumPy's old name `trapz` in place.

    The package crashes when several threads enter it (it has threads of its own), and calls
    a function that NumPy has renamed.
    """
    module: Any = np
    with _entered:
        missing = not hasattr(module, "trapz")
        if missing:
            module.trapz = np.trapezoid
        try:
            yield
        finally:
            if missing:
                del module.trapz


@denoiser("wiener")
def wiener(image: np.ndarray, noise: NoiseModel) -> np.ndarray:
    """Denoise by weakening each frequency by the share of noise in its surroundings."""
    image = _checked(image)
    shape = (image.shape[0], image.shape[1])
    mean = image.mean()
    spectrum = np.fft.fft2(image - mean)
    power = ndimage.gaussian_filter(np.abs(spectrum) ** 2, 1.5, mode="wrap")
    share = noise.resized(shape).psd(shape) / np.maximum(power, 1e-30)
    result: np.ndarray = (np.fft.ifft2(spectrum * np.maximum(1 - share, 0)).real + mean).astype(
        np.float32
    )
    return result


@denoiser("non-local means")
def nonlocal_means(image: np.ndarray, noise: NoiseModel) -> np.ndarray:
    """Denoise by averaging patches that look alike (Buades, Coll & Morel 2005)."""
    from skimage.restoration import denoise_nl_means

    image, sigma = _checked(image), noise.sigma
    result: np.ndarray = denoise_nl_means(
        image, patch_size=5, patch_distance=7, h=0.8 * sigma, sigma=sigma, fast_mode=True
    ).astype(np.float32)
    return result


@denoiser("total variation")
def total_variation(image: np.ndarray, noise: NoiseModel) -> np.ndarray:
    """Denoise to little total variation (Chambolle 2004)."""
    from skimage.restoration import denoise_tv_chambolle

    image = _checked(image)
    result: np.ndarray = denoise_tv_chambolle(image, weight=max(noise.sigma, 1e-12)).astype(
        np.float32
    )
    return result


@denoiser("wavelet")
def wavelet(image: np.ndarray, noise: NoiseModel) -> np.ndarray:
    """Denoise by shrinking wavelet coefficients (BayesShrink, averaged over shifts)."""
    from skimage.restoration import cycle_spin, denoise_wavelet

    image = _checked(image)
    low, span = float(image.min()), float(np.ptp(image)) or 1.0
    result = cycle_spin(
        (image - low) / span,
        func=denoise_wavelet,
        max_shifts=2,
        func_kw={"sigma": noise.sigma / span, "method": "BayesShrink", "mode": "soft"},
        workers=1,
    )
    found: np.ndarray = (result * span + low).astype(np.float32)
    return found


_results = ResultCache()


def denoise_image(
    image: np.ndarray,
    method: str,
    noise: NoiseModel,
    profile: str = "lc",
    *,
    progress: Progress | None = None,
) -> np.ndarray:
    """Denoise an image by any method; what was computed before is remembered.

    Parameters
    ----------
    image : array (y, x)
    method : str
        One of `ENGINES`.
    noise : NoiseModel
    profile : str
        Of the package's BM3D; other methods have none.
    progress : Progress, optional
        Cancel is heard within the image by the built-in BM3D.

    Returns
    -------
    array (y, x), float32
        Read-only.

    Raises
    ------
    ParameterError
        If there is no such method or profile.
    DataError
        If this is no image, too small for the method, or not finite.
    MissingExtraError
        If the method's package is not installed.
    Cancelled
        If the user asked to.
    """
    if method not in ENGINES:
        raise ParameterError(f"There is no method {method!r}; choose one of {', '.join(ENGINES)}.")
    takes = inspect.signature(ENGINES[method]).parameters
    options = (profile,) if "profile" in takes else ()
    hears: dict[str, Any] = {}
    if progress is not None and "cancelled" in takes:
        hears = {"cancelled": lambda: progress.cancel_requested}
    key = content_key(image, method, noise.kind, noise.variance, noise.spectrum, options)
    return _results.get(key, lambda: ENGINES[method](image, noise, *options, **hears))


def _checked(image: np.ndarray) -> np.ndarray:
    image = np.asarray(image)
    if image.ndim != 2 or 0 in image.shape:
        raise DataError(f"An image needs two axes (y, x); this has shape {image.shape}.")
    image = image.astype(np.float32, copy=False)
    if not np.isfinite(image).all():
        raise DataError("The image holds NaN or infinite values; replace them before going on.")
    return image
