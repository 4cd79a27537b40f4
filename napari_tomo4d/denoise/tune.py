"""Finding the noise model and strength that bring images nearest to their references."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.denoise.anscombe import stabilise, unstabilise
from napari_tomo4d.denoise.engines import PROFILES, denoise_image
from napari_tomo4d.denoise.explain import NO_WORSE_DB, explain
from napari_tomo4d.denoise.measure_noise import CountingNoise, diagnose, noise_spectrum
from napari_tomo4d.denoise.noise_model import KINDS, NoiseModel, kind_in_words
from napari_tomo4d.denoise.scores import frc_score, psnr, ring_weights, ssim
from napari_tomo4d.errors import DataError, ParameterError
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import warn

STRENGTHS = tuple(round(1.5**k, 4) for k in range(-4, 5))
"""Variances that are tried, relative to the measured one."""

_START = 5
"""Index in `STRENGTHS` every kind begins with: 1.5, as too much loses less than too little."""

_CROP = 256
_GAUSSIANS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)


@dataclass(frozen=True)
class TuneResult:
    """What came of tuning.

    Parameters
    ----------
    best : NoiseModel
    method, profile : str
        What the best was found with.
    table : pandas.DataFrame
        A row per evaluation: ``kind`` ("none" and "gaussian" too, whose strength is 0 or a
        width in px), ``strength`` (relative variance), ``variance``, ``profile``, ``region``
        ("crop" or "whole"), ``psnr_db``, ``ssim``, ``frc``.
    denoised : array (y, x)
        The (first) image denoised with the best.
    raw_psnr_db, gaussian_psnr_db : float
        Of the image itself, and of the image after the best Gaussian blur. NaN if blind.
    explanation : str
        What decided, in a few sentences.
    blind : bool
        Whether there was no reference.
    counting : CountingNoise, optional
        The stabilisation that `best` goes with.
    """

    best: NoiseModel
    method: str
    profile: str
    table: pd.DataFrame
    denoised: np.ndarray
    raw_psnr_db: float
    gaussian_psnr_db: float
    explanation: str
    blind: bool = False
    counting: CountingNoise | None = None

    @property
    def evaluations(self) -> int:
        """How often an image was denoised."""
        return int((~self.table.kind.isin(("none", "gaussian"))).sum())


@dataclass(frozen=True, eq=False)
class Comparison:
    """One frame, and the mean of other frames of the same field.

    Parameters
    ----------
    noisy, reference : array (y, x)
    own_variance : float
        Of the reference's own noise.
    weights : array (ring,), optional
        How much each ring counts in the Fourier ring correlation.
    """

    noisy: np.ndarray
    reference: np.ndarray
    own_variance: float
    weights: np.ndarray | None

    @classmethod
    def of(cls, noisy: np.ndarray, reference: np.ndarray) -> Comparison:
        """Check a frame and its reference; see `tune`."""
        noisy = np.asarray(noisy, np.float32)
        frames = np.asarray(reference, np.float32)
        if noisy.ndim != 2 or frames.ndim not in (2, 3) or frames.shape[-2:] != noisy.shape:
            raise DataError(
                f"The reference has shape {frames.shape}, the image {noisy.shape}; give frames of "
                "the same field, aligned with it."
            )
        if frames.ndim == 3 and len(frames) == 0:
            raise DataError("There are no frames in the reference; at least one other is needed.")
        if not (np.isfinite(noisy).all() and np.isfinite(frames).all()):
            raise DataError("The frames hold NaN or infinite values; replace them before going on.")
        own = 0.0
        if frames.ndim == 3:
            if any(np.array_equal(noisy, frame) for frame in frames):
                raise DataError("The image is among the reference frames; leave it out of them.")
            own = _noise_of_mean(noisy, frames)
            frames = frames.mean(axis=0)
        if np.ptp(frames) == 0:
            raise DataError("The reference is constant, so nothing can be compared with it.")
        return cls(noisy, frames, own, ring_weights(noisy, frames))

    @property
    def variance(self) -> float:
        """Variance of the noise of the frame."""
        return float(np.mean(np.square(self.noisy - self.reference))) - self.own_variance

    def part(self, region: tuple[slice, slice]) -> Comparison:
        """Return the same within a region."""
        noisy, reference = self.noisy[region], self.reference[region]
        return Comparison(noisy, reference, self.own_variance, ring_weights(noisy, reference))


def _noise_of_mean(noisy: np.ndarray, frames: np.ndarray) -> float:
    """Return the variance of the noise of the mean of frames.

    From their scatter; a single frame is taken to be as noisy as the image itself.
    """
    if len(frames) > 1:
        return float(frames.var(axis=0, ddof=1).mean() / len(frames))
    return float(np.mean(np.square(noisy - frames[0]))) / 2


class Tuning:
    """Images, their references, and every denoising of them that was tried.

    Parameters
    ----------
    comparisons : sequence of Comparison
        Scores are means over them.
    measured : NoiseModel, optional
        A measured spectrum to try as well.
    method : str
        One of `ENGINES`.
    counting : CountingNoise, optional
        Stabilises the variance before denoising, and undoes it after; noise models and variances
        are then those of the stabilised images.
    """

    def __init__(
        self,
        comparisons: Sequence[Comparison],
        measured: NoiseModel | None = None,
        method: str = "fast bm3d",
        counting: CountingNoise | None = None,
    ) -> None:
        if not comparisons:
            raise DataError("There is no image to tune on.")
        self.comparisons = list(comparisons)
        self.method = method
        self.counting = counting
        self.variance = float(np.mean([c.variance for c in comparisons]))
        if self.variance <= 0:
            raise DataError(
                "The image is as near to the reference as noise allows; nothing to tune."
            )
        if counting is not None:
            # that is what stabilising is for
            self.variance = 1.0
        self.measured = measured
        self._rows: dict[tuple[str, float, str, str], dict[str, Any]] = {}
        self._parts = {"whole": self.comparisons, "crop": self.comparisons}
        if max(self.comparisons[0].noisy.shape) > _CROP:
            busiest = busiest_crop(self.comparisons[0].reference)
            self._parts["crop"] = [c.part(busiest) for c in comparisons]

    @property
    def table(self) -> pd.DataFrame:
        """A row per evaluation, in the order they were made."""
        return pd.DataFrame(list(self._rows.values()))

    def model(self, kind: str, strength: float) -> NoiseModel:
        """Return a noise model of `strength` times the measured variance."""
        spectrum = None
        if kind == "measured":
            if self.measured is None:
                raise ParameterError("No measured spectrum was given.")
            spectrum = self.measured.spectrum
        return NoiseModel(kind, self.variance * strength, spectrum)

    def likeliest(self, kinds: Sequence[str]) -> str | None:
        """Return the kind whose spectrum is nearest to that of frame minus reference."""
        shape = (self.comparisons[0].noisy.shape[0], self.comparisons[0].noisy.shape[1])
        if not kinds:
            return None
        pairs = [(c.noisy, c.reference) for c in self.comparisons]
        if self.counting is not None:
            pairs = [(stabilise(a, self.counting), stabilise(b, self.counting)) for a, b in pairs]
        difference = np.array([a - b for a, b in pairs])
        misfit = diagnose(noise_spectrum(difference), shape).misfit
        return min(kinds, key=lambda k: misfit[k])

    def evaluate(
        self, kind: str, strength: float, profile: str = "lc", region: str = "whole"
    ) -> dict[str, Any]:
        """Return the row of the table for one choice; computed only once.

        Parameters
        ----------
        kind : str
            Of noise, one of `KINDS` or "measured".
        strength : float
            Its variance, relative to that found in the images.
        profile : str
        region : str
            "whole", or the part of the images in which there is most to see.
        """
        if self._parts[region] is self.comparisons:
            region = "whole"
        key = (kind, strength, profile, region)
        if key not in self._rows:
            model = self.model(kind, strength)
            results = [self.apply(c.noisy, model, profile) for c in self._parts[region]]
            self._note(kind, strength, model.variance, profile, region, results)
        return self._rows[key]

    def denoised(self, kind: str, strength: float, profile: str = "lc") -> np.ndarray:
        """Return the first noisy image (y, x) denoised with one choice, see `evaluate`."""
        return self.apply(self.comparisons[0].noisy, self.model(kind, strength), profile)

    def apply(self, image: np.ndarray, model: NoiseModel, profile: str = "lc") -> np.ndarray:
        """Return an image denoised by the method of this tuning.

        Parameters
        ----------
        image : array (y, x)
            In the units of those compared; the variance of counts is stabilised before.
        model : NoiseModel
            In squared units of the image, after that.
        profile : str
            As in `denoise_image`.

        Returns
        -------
        array (y, x), float32
        """
        if self.counting is None:
            return denoise_image(image, self.method, model, profile)
        stable = stabilise(image, self.counting).astype(np.float32)
        result = denoise_image(stable, self.method, model, profile)
        return unstabilise(result, self.counting).astype(np.float32)

    def add_plain(self) -> tuple[float, float]:
        """Add the images as they are and after Gaussian blurs; return both best PSNR."""
        self._note("none", 0.0, 0.0, "", "whole", [c.noisy for c in self.comparisons])
        for width in _GAUSSIANS:
            blurred = [ndimage.gaussian_filter(c.noisy, width) for c in self.comparisons]
            self._note("gaussian", width, 0.0, "", "whole", blurred)
        table = self.table
        raw = table[table.kind == "none"].psnr_db.max()
        return float(raw), float(table[table.kind == "gaussian"].psnr_db.max())

    def _note(
        self,
        kind: str,
        strength: float,
        variance: float,
        profile: str,
        region: str,
        results: Sequence[np.ndarray],
    ) -> None:
        pairs = list(zip(results, self._parts[region], strict=True))
        self._rows[kind, strength, profile, region] = {
            "kind": kind,
            "strength": strength,
            "variance": variance,
            "profile": profile,
            "region": region,
            "psnr_db": float(np.mean([psnr(r, c.reference, c.own_variance) for r, c in pairs])),
            "ssim": float(np.mean([ssim(r, c.reference) for r, c in pairs])),
            "frc": float(np.mean([frc_score(r, c.reference, c.weights) for r, c in pairs])),
        }


def tune(
    noisy: np.ndarray,
    reference: np.ndarray,
    kinds: Sequence[str] = KINDS,
    measured: NoiseModel | None = None,
    profiles: Sequence[str] = ("lc",),
    method: str = "fast bm3d",
    counting: CountingNoise | None = None,
    progress: Progress | None = None,
) -> TuneResult:
    """Tune a denoiser against a mean of other frames of the same field.

    Parameters
    ----------
    noisy : array (y, x)
        One frame, which must not be in the reference.
    reference : array (y, x) or (frame, y, x)
        The other frames, aligned: their own noise is then taken off the error; or their mean.
    kinds : sequence of str
        Noise models to try.
    measured : NoiseModel, optional
        A measured spectrum to try as well.
    profiles : sequence of str
        Of BM3D; the first is used for the search, the others are tried on what it finds.
    method : str
        One of `ENGINES` that knows noise models.
    counting : CountingNoise, optional
        Of counted electrons, see `Tuning`; a measured spectrum is then that of the stabilised
        frames.
    progress : Progress, optional

    Returns
    -------
    TuneResult

    Raises
    ------
    DataError
        If image and reference do not fit together, or there is no noise.

    Notes
    -----
    On a crop, every kind is tried at one strength, and from there the strengths of the two best,
    and of the kind whose spectrum fits the noise best, are climbed to their top in coarse steps.
    These compete on the whole image, by PSNR, where the winner's strength is then refined.
    Where kinds are equal to 0.1 dB, the fitting spectrum wins.
    Warns if a Gaussian blur does as well.
    """
    tuning = Tuning([Comparison.of(noisy, reference)], measured, method, counting)
    return search(tuning, kinds, profiles, progress)


def tune_series(
    series: TiltSeries,
    tilts: int = 3,
    kinds: Sequence[str] = KINDS,
    measured: NoiseModel | None = None,
    profiles: Sequence[str] = ("lc",),
    method: str = "fast bm3d",
    counting: CountingNoise | None = None,
    progress: Progress | None = None,
) -> TuneResult:
    """Tune on several tilts of a series: the first frame of each against its other frames.

    Parameters
    ----------
    series : TiltSeries
        With at least two aligned frames at some tilts.
    tilts : int
        How many tilts to use, spread over the series.
    kinds, measured, profiles, method, counting, progress
        As in `tune`.

    Returns
    -------
    TuneResult
        Scores are means over the tilts.
    """
    tuning = Tuning(comparisons_of(series, tilts), measured, method, counting)
    return search(tuning, kinds, profiles, progress)


def comparisons_of(series: TiltSeries, tilts: int) -> list[Comparison]:
    """Return the first frame against the others of several tilts, see `tilts_with_frames`."""
    frames = [series.frames(i) for i in tilts_with_frames(series, tilts)]
    return [Comparison.of(f[0], f[1:]) for f in frames]


def tilts_with_frames(series: TiltSeries, count: int) -> list[int]:
    """Return indices of up to `count` tilts that have most frames, spread over the series.

    Raises
    ------
    DataError
        If no tilt has two frames.
    """
    most = max(series.frames_per_tilt)
    if most < 2:
        raise DataError(
            f"{series.name!r} has one frame per tilt, so there is no reference to tune against; "
            "tune blindly, or load it with its frames."
        )
    usable = [i for i, n in enumerate(series.frames_per_tilt) if n >= min(most, 3)]
    return [usable[i] for i in np.unique(np.linspace(0, len(usable) - 1, count).astype(int))]


def search(
    tuning: Tuning,
    kinds: Sequence[str] = KINDS,
    profiles: Sequence[str] = ("lc",),
    progress: Progress | None = None,
) -> TuneResult:
    """Search noise models, strengths and profiles; see `tune`.

    Parameters
    ----------
    tuning : Tuning
        What is compared with what, and by which method.
    kinds : sequence of str
        Of noise, among `KINDS`; a measured spectrum is tried beside them where there is one.
    profiles : sequence of str
        Among `PROFILES`.
    progress : Progress, optional

    Raises
    ------
    ParameterError
        If there is no such profile.
    Cancelled
        If the user asked to.
    """
    progress = progress or Progress()
    for profile in profiles:
        if profile not in PROFILES:
            raise ParameterError(
                f"There is no profile {profile!r}; choose one of {', '.join(PROFILES)}."
            )
    names = [*kinds, *(["measured"] if tuning.measured is not None else [])]
    expected = len(names) + 12 + 5 + len(profiles) - 1
    done = 0

    def score(kind: str, index: int, region: str, profile: str = profiles[0]) -> float:
        nonlocal done
        strength = STRENGTHS[index]
        said = f"{kind_in_words(kind)} noise, strength {strength:.3g}"
        progress.report(min(done, expected - 1), expected, said[0].upper() + said[1:])
        done += 1
        return float(tuning.evaluate(kind, strength, profile, region)["psnr_db"])

    raw, gaussian = tuning.add_plain()
    first = {kind: score(kind, _START, "crop") for kind in names}
    leaders = sorted(names, key=lambda k: -first[k])[:2]
    # a crop says little about slow noise; the spectrum of what differs says more
    likely = tuning.likeliest([k for k in names if k in KINDS])
    if likely is not None and likely not in leaders:
        leaders.append(likely)
    tops = {
        kind: climb(partial(score, kind, region="crop"), _START, steps=(2,)) for kind in leaders
    }
    whole = {kind: score(kind, tops[kind], "whole") for kind in leaders}
    kind = max(leaders, key=lambda k: whole[k])
    if likely in whole and whole[likely] > whole[kind] - NO_WORSE_DB:
        kind = likely
    index = climb(partial(score, kind, region="whole"), tops[kind], steps=(1,))
    strength = STRENGTHS[index]
    by_profile = {p: score(kind, index, "whole", p) for p in profiles}
    profile = max(by_profile, key=lambda p: by_profile[p])
    best = by_profile[profile]
    if gaussian > best - NO_WORSE_DB:
        warn(
            f"A plain Gaussian blur does as well ({gaussian:.2f} dB) as the method at "
            f"its best ({best:.2f} dB): compare the Fourier ring correlations, too."
        )
    return TuneResult(
        tuning.model(kind, strength),
        tuning.method,
        profile,
        tuning.table,
        tuning.denoised(kind, strength, profile),
        raw,
        gaussian,
        explain(tuning.table),
        counting=tuning.counting,
    )


def climb(height: Callable[[int], float], start: int, steps: Sequence[int] = (2, 1)) -> int:
    """Return the index of the highest strength near `start`, by steps that become smaller."""
    last = len(STRENGTHS) - 1
    here = start
    for step in steps:
        while True:
            around = [i for i in (here - step, here + step) if 0 <= i <= last]
            best = max(around, key=height)
            if height(best) <= height(here):
                break
            here = best
    return here


def busiest_crop(reference: np.ndarray, edge: int = _CROP) -> tuple[slice, slice]:
    """Return the square of the reference in which there is most to see."""
    size = [min(edge, n) for n in reference.shape]
    detail = np.abs(ndimage.gaussian_filter(reference, 1) - ndimage.gaussian_filter(reference, 4))
    total = np.pad(detail.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    h, w = size
    sums = total[h:, w:] - total[:-h, w:] - total[h:, :-w] + total[:-h, :-w]
    y, x = np.unravel_index(np.argmax(sums), sums.shape)
    return np.s_[y : y + h, x : x + w]
