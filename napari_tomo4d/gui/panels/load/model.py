"""What is to be loaded, and what there is to say about it; without any window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from napari_tomo4d import io
from napari_tomo4d.data import AnyData, TiltSeries, TimeSeries, times_of
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.pipeline import run_steps
from napari_tomo4d.progress import Progress

DOSE, AVERAGE = "preprocess.set_dose", "preprocess.average_frames"

SAMPLE_IS_READY = (
    "The sample has been loaded already. Its angles and times are those of the simulation; choose "
    "files to load others."
)


@dataclass(frozen=True)
class LoadRequest:
    """Files, and what a person says about them.

    Parameters
    ----------
    paths : tuple of str
        One file, one folder, or a file for each tilt or time point.
    given : dict
        What `io.read` is given beside the path; it is kept with the result, so that a recipe
        repeats it.
    dose : dict, optional
        Parameters of the step *Compute dose*.
    average : bool
        Average the frames of each tilt.
    """

    paths: tuple[str, ...]
    given: Parameters = field(default_factory=dict)
    dose: Parameters | None = None
    average: bool = False

    def look(self) -> AnyData:
        """Return what the files hold; as they are, without the steps.

        Raises
        ------
        MissingAnglesError
            If they hold images without tilt angles, and none are given.
        ReadError, DataError
            If they can't be read.
        """
        path: str | list[str] = self.paths[0] if len(self.paths) == 1 else list(self.paths)
        return io.read(path, **self.given)

    def steps(self, item: AnyData) -> list[tuple[str, Parameters]]:
        """Return the steps after reading; for tilt series only."""
        series = first_of(item)
        steps: list[tuple[str, Parameters]] = []
        if series is None:
            return steps
        if self.dose is not None:
            # before frames are averaged: each of them counts
            steps.append((DOSE, self.dose))
        if self.average and series.has_frames:
            steps.append((AVERAGE, {}))
        return steps

    def load(self, progress: Progress) -> AnyData:
        """Return what the files hold, after the steps."""
        item = self.look()
        return run_steps(item, self.steps(item), progress)

    @property
    def name(self) -> str:
        """The files in words."""
        names = [Path(p).name for p in self.paths]
        return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"

    def describe(self, item: AnyData) -> str:
        """Return what was found in the files, line by line."""
        lines = [
            f"{title.capitalize()}: {text if isinstance(text, str) else ' '.join(text)}"
            for title, text in io.describe_item(item).items()
        ]
        return "\n".join([self.name, *lines])

    def angles_per_image(self, angles_deg: np.ndarray, item: AnyData | None) -> list[float]:
        """Return the tilt angles as `io.read` takes them: a file of frames needs one for each."""
        series = first_of(item)
        one_file = len(self.paths) == 1 and not Path(self.paths[0]).is_dir()
        if one_file and series is not None:
            angles_deg = np.repeat(angles_deg, series.frames_per_tilt)
        return [float(a) for a in angles_deg]


def first_of(item: AnyData | None) -> TiltSeries | None:
    """Return the tilt series, or that of the first time point; None if there is none."""
    first = None if item is None else times_of(item)[0]
    return first if isinstance(first, TiltSeries) else None


def problem_of(request: LoadRequest, item: AnyData) -> str:
    """Return why files can't be loaded with all that is asked for, empty if they can."""
    series = first_of(item)
    if request.dose is not None and series is not None and series.pixel_size_nm is None:
        return "The dose needs a pixel size: give it under Geometry, or no probe current."
    return ""


def loaded_text(name: str, item: AnyData) -> str:
    """Return in words that a layer was loaded, and what to know about it."""
    warnings = item.provenance.all_warnings() if item.provenance is not None else []
    return "\n".join([f"Loaded “{name}”. Next: Clean.", *(f"Note: {w}" for w in warnings)])


def rows_of_tilts(item: AnyData | None) -> list[Sequence[float | None]]:
    """Return angle and number of frames of each tilt, at the first time point."""
    series = first_of(item)
    if series is None:
        return []
    return list(zip(series.angles_deg, series.frames_per_tilt, strict=True))


def rows_of_times(item: AnyData | None) -> list[Sequence[float | None]]:
    """Return time and temperature of each time point; None where not known."""
    if not isinstance(item, TimeSeries) or len(item) < 2:
        return []
    unknown = [None] * len(item)
    times = unknown if item.times_s is None else item.times_s
    temperatures = unknown if item.temperatures_c is None else item.temperatures_c
    return list(zip(times, temperatures, strict=True))
