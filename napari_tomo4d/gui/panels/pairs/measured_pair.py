"""What the panel *Pairs* computes in threads."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from napari_tomo4d.data import Labels, Volume
from napari_tomo4d.errors import DataError
from napari_tomo4d.gui.panels.pairs.model import PairKey
from napari_tomo4d.gui.panels.pairs.section_view import SectionPicture, section_picture
from napari_tomo4d.measure import Neck, find_pairs, neck, surface_uncertainty
from napari_tomo4d.progress import Progress

NO_LABELS = "No labelled particles yet: make them in the Particles panel, or drop a file of labels."


@dataclass(frozen=True)
class Suggestions:
    """Which pairs there are, and where the particles lie.

    Parameters
    ----------
    times : dict
        Time points at which a pair touches, or nearly, by pair.
    spheres : list of dict, one per time
        Centre (z, y, x) and radius of each particle in voxels, by label.
    """

    times: dict[PairKey, list[int]]
    spheres: list[dict[int, tuple[np.ndarray, float]]]


@dataclass(frozen=True)
class Found:
    """One pair measured at one time."""

    key: PairKey
    time: int
    neck: Neck
    picture: SectionPicture | None


def suggest_pairs(items: Sequence[Labels], max_gap_nm: float, progress: Progress) -> Suggestions:
    """Find the pairs that touch at any time, and all particles."""
    times: dict[PairKey, list[int]] = {}
    spheres = []
    for t, item in enumerate(items):
        progress.report(t, len(items), f"Looking for pairs, time {t + 1} of {len(items)}")
        for a, b in find_pairs(item, max_gap_nm=max_gap_nm):
            times.setdefault((int(a), int(b)), []).append(t)
        spheres.append(_spheres(np.asarray(item.data)))
    progress.report(1, 1)
    return Suggestions(dict(sorted(times.items())), spheres)


def _spheres(array: np.ndarray) -> dict[int, tuple[np.ndarray, float]]:
    found = {}
    for label, box in enumerate(ndimage.find_objects(array), 1):
        if box is None:
            continue
        inside = np.argwhere(array[box] == label)
        centre = inside.mean(axis=0) + [s.start for s in box]
        found[label] = centre, float(np.cbrt(3 * len(inside) / (4 * np.pi)))
    return found


class Surfaces:
    """How well the surface is known at each time, from the volumes; each is computed once.

    Parameters
    ----------
    labels : sequence of Labels
    volumes : sequence of Volume, optional
        Without, `neck` takes what it takes by default.
    """

    def __init__(self, labels: Sequence[Labels], volumes: Sequence[Volume] | None) -> None:
        self.volumes = volumes
        self._labels = labels
        self._known: dict[int, float | None] = {}
        self._lock = threading.Lock()
        self.note = ""
        """Why it could not be told from a volume, if so."""

    def at(self, time: int) -> float | None:
        """Return the uncertainty in nm at one time, or None for the default."""
        if self.volumes is None:
            return None
        with self._lock:
            if time not in self._known:
                try:
                    self._known[time] = surface_uncertainty(self.volumes[time], self._labels[time])
                except DataError as error:
                    self._known[time] = None
                    self.note = f"{error} Half a voxel is taken instead."
            return self._known[time]

    def all(self, progress: Progress) -> list[float | None]:
        """Return it for every time."""
        count = len(self._labels)
        for t in range(count):
            progress.report(t, count, f"Uncertainty of the surface, time {t + 1} of {count}")
            self.at(t)
        return [self.at(t) for t in range(count)]


def measure_pair(items: Sequence[Labels], surfaces: Surfaces, key: PairKey, time: int) -> Found:
    """Measure a pair at one time, and sample the section it was measured in."""
    found = neck(items[time], *key, surface_uncertainty_nm=surfaces.at(time))
    picture = None
    if found.section is not None:
        volume = None if surfaces.volumes is None else surfaces.volumes[time]
        picture = section_picture(found.section, items[time], *key, volume)
    return Found(key, time, found, picture)


def as_items(item: Any) -> list[Any]:
    """Return the time points of a series, or a single item as the only one."""
    return [item] if isinstance(item, (Labels, Volume)) else list(item)


def problem_of(item: Any) -> str:
    """Return why nothing can be measured on labels; empty if it can."""
    if item is None:
        return NO_LABELS
    if any(i.pixel_size_nm is None for i in as_items(item)):
        return (
            "The voxel size of these labels is not known, so nothing can be measured in nm: give "
            "the pixel size when you load the data."
        )
    return ""


def description_of(item: Any) -> str:
    """Return size and number of times of labels."""
    first = as_items(item)[0]
    text = f"{' x '.join(map(str, first.data.shape))} voxels of {first.pixel_size_nm:.4g} nm"
    return text if isinstance(item, Labels) else f"{text}, {len(item)} time points"
