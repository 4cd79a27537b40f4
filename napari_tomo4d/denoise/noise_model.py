"""Models of noise that is correlated between pixels, as power spectra for any image size."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy import ndimage

from napari_tomo4d.array_files import read_arrays, write_arrays
from napari_tomo4d.boundary import reading
from napari_tomo4d.errors import DataError, ParameterError, ReadError

KINDS = ("white", "g1", "g2", "g3", "g4", "g1w", "g2w", "g3w", "g4w")
"""White; horizontal lines; circles; diagonals; pink; and each of them mixed with white."""

KIND_TITLES = {
    "white": "White",
    "g1": "Horizontal lines (g1)",
    "g2": "Circles (g2)",
    "g3": "Diagonals (g3)",
    "g4": "Pink (g4)",
    "g1w": "Lines and white (g1w)",
    "g2w": "Circles and white (g2w)",
    "g3w": "Diagonals and white (g3w)",
    "g4w": "Pink and white (g4w)",
    "measured": "As measured",
}
"""What a person calls them."""


def kind_in_words(kind: str) -> str:
    """Return what a person calls a kind of noise, as it stands before the word noise."""
    title = kind if kind == "measured" else KIND_TITLES[kind]
    return title[0].lower() + title[1:]


_SCHEMA_VERSION = 1

_REACH = 15
"""Pixels on either side that a correlated pattern of g1, g2 or g3 reaches."""


@dataclass(frozen=True, eq=False)
class NoiseModel:
    """Stationary noise: how strong it is and how it is spread over frequencies.

    Parameters
    ----------
    kind : str
        One of `KINDS`, or ``"measured"`` for a spectrum of one's own.
    variance : float
        Of a pixel, in squared units of the image.
    spectrum : array (y, x), optional
        For ``"measured"``: power at the frequencies of `numpy.fft.fft2`, in any unit.

    Notes
    -----
    The coloured kinds follow those on which BM3D for correlated noise was tried (Makinen,
    Azzari & Foi 2020, IEEE Trans. Image Process. 29, 8339). In a mix, half of the variance is
    white. ``g4`` has power proportional to ``1 / (|k| + 0.01 sqrt(N))``, with |k| in steps of the
    smallest frequency and N the number of pixels.
    """

    kind: str = "white"
    variance: float = 1.0
    spectrum: np.ndarray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in (*KINDS, "measured"):
            raise ParameterError(
                f"There is no noise {self.kind!r}; choose one of {', '.join(KINDS)} or measured."
            )
        if not (np.isfinite(self.variance) and self.variance >= 0):
            raise ParameterError(f"A variance of {self.variance} is impossible; it is 0 or more.")
        if (self.kind == "measured") != (self.spectrum is not None):
            raise ParameterError("A spectrum goes with the kind 'measured', and with no other.")
        if self.spectrum is not None and np.ndim(self.spectrum) != 2:
            raise DataError("A measured spectrum needs two axes (y, x).")
        if self.spectrum is not None and not (
            np.isfinite(self.spectrum).all() and np.min(self.spectrum) >= 0 < np.max(self.spectrum)
        ):
            raise DataError(
                "A measured spectrum holds powers that can't be: they are 0 or more, not all 0."
            )

    @property
    def is_white(self) -> bool:
        """Whether all frequencies have the same power."""
        return self.kind == "white"

    @property
    def sigma(self) -> float:
        """Standard deviation of a pixel."""
        return float(np.sqrt(self.variance))

    def scaled(self, strength: float) -> NoiseModel:
        """Return the same noise with `strength` times the variance."""
        return NoiseModel(self.kind, self.variance * strength, self.spectrum)

    def with_variance(self, variance: float) -> NoiseModel:
        """Return the same spectrum with another variance."""
        return NoiseModel(self.kind, variance, self.spectrum)

    def save(self, path: str | Path) -> None:
        """Write the model to an .npz file, to be used in recipes; one of that name is replaced.

        Raises
        ------
        WriteError
            If it can't be written; nothing is left half written.
        """
        spectrum = np.empty((0, 0)) if self.spectrum is None else self.spectrum
        arrays = {
            "schema_version": _SCHEMA_VERSION,
            "kind": self.kind,
            "variance": self.variance,
            "spectrum": spectrum.astype(np.float32),
        }
        write_arrays(arrays, path)

    @classmethod
    def load(cls, path: str | Path) -> NoiseModel:
        """Read what `save` wrote.

        Raises
        ------
        ReadError
            If the file is missing, damaged, of a newer version, or holds something else.
        """
        with reading(path, "a noise model"):
            stored = read_arrays(path)
            version = int(stored["schema_version"])
            if version > _SCHEMA_VERSION:
                raise ReadError(
                    f"{path} was written by a newer version (schema {version}, this program knows "
                    f"up to {_SCHEMA_VERSION}); update the program."
                )
            spectrum = stored["spectrum"] if stored["spectrum"].size else None
            return cls(str(stored["kind"]), float(stored["variance"]), spectrum)

    def psd(self, shape: tuple[int, int]) -> np.ndarray:
        """Return the power spectral density for images of a size.

        Parameters
        ----------
        shape : tuple (y, x)

        Returns
        -------
        array (y, x), float64
            Expected ``|fft2(noise)|^2``; its mean is the variance times the number of pixels.

        Raises
        ------
        DataError
            If a measured spectrum is of another size.
        """
        n = shape[0] * shape[1]
        if self.spectrum is not None and self.spectrum.shape != tuple(shape):
            raise DataError(
                f"The measured spectrum is for images of {self.spectrum.shape}, this one has "
                f"{tuple(shape)}; measure it again, or resample it with `resized`."
            )
        power = np.asarray(self._power(shape), dtype=np.float64)
        power = power / power.mean()
        if self.kind.endswith("w"):
            power = (power + 1) / 2
        result: np.ndarray = power * self.variance * n
        return result

    def resized(self, shape: tuple[int, int]) -> NoiseModel:
        """Return a model that fits images of another size; only a measured one changes."""
        if self.spectrum is None or self.spectrum.shape == tuple(shape):
            return self
        centred = np.fft.fftshift(self.spectrum)
        axes = [
            np.fft.fftshift(np.fft.fftfreq(n)) * m + m // 2
            for n, m in zip(shape, centred.shape, strict=True)
        ]
        grid = np.meshgrid(*axes, indexing="ij")
        resampled = ndimage.map_coordinates(centred, grid, order=1, mode="nearest")
        return NoiseModel("measured", self.variance, np.fft.ifftshift(resampled))

    def sample(self, shape: tuple[int, int], seed: int | np.random.Generator = 0) -> np.ndarray:
        """Return one realisation of the noise, (y, x) float32."""
        white = np.random.default_rng(seed).standard_normal(shape)
        amplitude = np.sqrt(self.psd(shape) / (shape[0] * shape[1]))
        return np.fft.ifft2(np.fft.fft2(white) * amplitude).real.astype(np.float32)

    def _power(self, shape: tuple[int, int]) -> np.ndarray:
        base = self.kind.removesuffix("w") if self.kind != "white" else "white"
        if self.spectrum is not None:
            return self.spectrum
        if base == "white":
            return np.ones(shape)
        if base == "g4":
            ky, kx = (np.fft.fftfreq(n) * n for n in shape)
            result: np.ndarray = 1 / (
                np.hypot(ky[:, None], kx) + 0.01 * np.sqrt(shape[0] * shape[1])
            )
            return result
        y, x = np.mgrid[-_REACH : _REACH + 1, -_REACH : _REACH + 1]
        distance = np.hypot(y, x)
        envelope = np.exp(-(distance**2) / (2 * (_REACH / 3) ** 2))
        patterns = {
            "g1": np.where(y == 0, _REACH + 1 - np.abs(x), 0),
            "g2": np.cos(distance) * envelope,
            "g3": np.cos(y + x) * envelope,
        }
        pattern = patterns[base]
        # a pattern wider than a small image goes round it
        kernel = np.zeros(shape)
        np.add.at(kernel, (y % shape[0], x % shape[1]), pattern)
        return np.abs(np.fft.fft2(kernel)) ** 2
