"""What the panel Segment works on and knows; without any window."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_tomo4d.data import AnyLabels, AnyVolume, Labels, is_series, times_of
from napari_tomo4d.gui.widgets.messages import NO_VOLUME
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.pipeline import run_steps
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import Provenance
from napari_tomo4d.segment import (
    THRESHOLDS,
    GreyLevels,
    MaskPreview,
    MaskSettings,
    PixelClassifier,
    noise_change,
)
from napari_tomo4d.segment.preview import CLASSIFIER, CLASSIFY, CLEAN, RESAMPLE, THRESHOLD
from napari_tomo4d.voxels import size_text

Place = tuple[int, int, int]
"""Time, axis (0, 1 or 2 for z, y or x) and index of a slice."""

_LEVEL = "level"
"""The method of a level given by hand."""


def methods() -> dict[str, str]:
    """Return how a mask can be made, and what a person calls it: the stage's thresholds first."""
    titles = {name: method.title for name, method in THRESHOLDS.items()}
    return {**titles, CLASSIFIER: "Classifier (brush strokes)"}


def uses(method: str) -> tuple[str, ...]:
    """Return which of level, seed_level and classes a method uses."""
    return () if method == CLASSIFIER else THRESHOLDS[method].uses


@dataclass(frozen=True, eq=False)
class Found:
    """What a preview has found.

    Parameters
    ----------
    preview : MaskPreview
        Of which volumes.
    settings : MaskSettings
    levels : GreyLevels
    place : tuple of int, optional
        Which slice is shown.
    mask : int32 array, two-dimensional, optional
        Of that slice; None where none is to be outlined.
    """

    preview: MaskPreview
    settings: MaskSettings
    levels: GreyLevels
    place: Place | None
    mask: np.ndarray | None


class SegmentModel:
    """Volumes, how their mask is to be made, and what is known of it.

    Attributes
    ----------
    item : Volume or TimeSeries of Volume, optional
    settings : MaskSettings
        As the form has them.
    levels : GreyLevels, optional
        Of these volumes; None until they are found.
    classifier : PixelClassifier, optional
    classifier_file : str
        Where it is kept; empty while it is in no file.
    made : MaskSettings, optional
        Those of the mask made last.
    """

    def __init__(self) -> None:
        self.item: AnyVolume | None = None
        self.settings = MaskSettings("half-density")
        self.levels: GreyLevels | None = None
        self.made: MaskSettings | None = None
        self.classifier: PixelClassifier | None = None
        self.classifier_file = ""
        self._preview: MaskPreview | None = None

    # -- input -----------------------------------------------------------------------------

    def set_item(self, item: AnyVolume | None) -> bool:
        """Work on other volumes, forgetting what was found in others; returns whether it does."""
        if item is self.item:
            return False
        self.item = item
        self._preview = None if item is None else MaskPreview(item)
        self.levels = self.made = None
        return True

    def describe(self) -> str:
        """Return what there is to work on, or what to do first."""
        if self.item is None:
            return NO_VOLUME
        volumes = times_of(self.item)
        size = volumes[0].pixel_size_nm
        text = " x ".join(map(str, volumes[0].data.shape)) + " voxels (z, y, x)"
        text += f" of {size_text(size, 4)}" if size else ""
        return text + (f", {len(volumes)} time points" if is_series(self.item) else "")

    @property
    def can_be_made_cubic(self) -> bool:
        """Whether the voxels have a size along each axis that differs."""
        return self.item is not None and isinstance(times_of(self.item)[0].pixel_size_nm, tuple)

    def problem(self) -> str:
        """Return why no mask can be made, empty if nothing is missing."""
        s = self.settings
        if self.item is None:
            return NO_VOLUME
        if s.method == CLASSIFIER and self.classifier is None:
            return "Paint strokes and train a classifier, or load one."
        if "level" in uses(s.method) and s.level is None:
            return "The grey values are still being counted."
        if "seed_level" in uses(s.method) and (s.seed_level or 0) < (s.level or 0):
            return "The upper level lies below the lower one."
        return ""

    # -- levels ----------------------------------------------------------------------------

    def lines(self) -> tuple[float, ...]:
        """Return the levels that are used, rising; none while nothing is known."""
        s = self.settings
        if self.levels is None or s.method == CLASSIFIER:
            return ()
        if "level" not in uses(s.method):
            return self.levels.levels
        level = self.levels.levels[0] if s.level is None else s.level
        seed = self._seed(level) if s.seed_level is None else s.seed_level
        return (level, seed) if "seed_level" in uses(s.method) else (level,)

    def use(self, settings: MaskSettings) -> None:
        """Take over settings; what a method by hand lacks begins at the level that is used."""
        if "level" in uses(settings.method) and self.levels is not None:
            level, seed = settings.level, settings.seed_level
            if level is None:
                level = self.rounded(self.levels.levels[0])
            if "seed_level" in uses(settings.method) and seed is None:
                seed = self._seed(level)
            settings = dataclasses.replace(settings, level=level, seed_level=seed)
        self.settings = settings

    def choose(self, method: str) -> None:
        """Take another method; levels by hand begin where those of the last one were."""
        lines = self.lines()
        level = self.rounded(lines[0]) if lines else None
        self.use(dataclasses.replace(self.settings, method=method, level=level, seed_level=None))

    def drag(self, index: int, value: float) -> None:
        """Move one of the `lines`; a level that was found becomes a level by hand."""
        s, value = self.settings, self.rounded(value)
        if "seed_level" in uses(s.method):
            low, high = self.lines()
            if index == 0:
                self.settings = dataclasses.replace(s, level=min(value, high))
            else:
                self.settings = dataclasses.replace(s, seed_level=max(value, low))
        else:
            self.settings = dataclasses.replace(s, method=_LEVEL, level=value, seed_level=None)

    @property
    def decimals(self) -> int:
        """Decimals that a level needs: four digits of the span of grey values."""
        if self.levels is None:
            return 2
        span = float(self.levels.edges[-1] - self.levels.edges[0]) or 1.0
        return int(np.clip(3 - np.floor(np.log10(span)), 0, 9))

    def rounded(self, level: float) -> float:
        """Return a level with as many decimals as are shown of it."""
        return round(float(level), self.decimals)

    def _seed(self, level: float) -> float:
        """Return an upper level to begin with, above the lower one."""
        top = level if self.levels is None else float(self.levels.edges[-1])
        return self.rounded(level + 0.25 * (top - level))

    # -- preview ---------------------------------------------------------------------------

    def look(self, place: Place | None, made_is_seen: bool) -> Callable[[Progress], Found]:
        """Return what finds levels and the mask of a slice, with the settings as they are now.

        Parameters
        ----------
        place : tuple of int, optional
            The slice that is shown.
        made_is_seen : bool
            Whether the mask made last is in the viewer: with its settings, no outline is needed.
        """
        preview, settings, classifier = self._preview, self.settings, self.classifier
        assert preview is not None, "there are no volumes"
        if settings.method == CLASSIFIER:
            ready = classifier is not None
        else:
            ready = "level" not in uses(settings.method) or settings.level is not None
        ready = ready and not (made_is_seen and settings == self.made)

        def look(progress: Progress) -> Found:
            levels = preview.levels(settings, place[0] if place else 0, progress)
            mask = None
            if ready and place is not None:
                time, axis, index = place
                mask = preview.slice(settings, axis, index, time, classifier, progress)
            return Found(preview, settings, levels, place, mask)

        return look

    def take(self, found: Found) -> bool:
        """Keep what was found; returns whether it belongs to these volumes."""
        if found.preview is not self._preview:
            return False
        self.levels = found.levels
        self.use(self.settings)
        return True

    def words(self, found: Found) -> str:
        """Return what the outline of a slice shows."""
        s, levels = found.settings, found.levels
        if s.method == CLASSIFIER:
            if self.classifier is None:
                return "No classifier yet, so no mask is outlined."
            text = "The outline is what the classifier takes for particles in this slice."
        else:
            text = "The outline is the mask in this slice"
            if levels.smoothing_px:
                least = ", as little as the noise allows" if s.smoothing_px is None else ""
                text += f", after a blur of {levels.smoothing_px:g} px{least}"
            text += "."
            if not levels.enough:
                text += " Noise still reaches the threshold; reconstruct more smoothly (TV)."
        if found.place is None:
            return "Show a slice of the volume (2D) to see the outline of its mask."
        if found.mask is None:
            return "This mask is made already; change something to see another outline."
        if not found.mask.any():
            return "No particle in this slice at this level; move the slice or the level."
        cleaning = s.cleaning or {}
        if cleaning.get("fill_holes") or cleaning.get("min_diameter_px"):
            text += " Holes and small pieces are cleaned by the run."
        return text

    # -- classifier ------------------------------------------------------------------------

    def trained(self, classifier: PixelClassifier) -> None:
        """Use a classifier that was just trained, and is in no file yet."""
        self.classifier, self.classifier_file = classifier, ""

    def load_classifier(self, path: str) -> None:
        """Use the classifier of a file.

        Raises
        ------
        ReadError
            If there is none in it; the one in use stays.
        """
        self.classifier = PixelClassifier.load(path)
        self.classifier_file = path

    def save_classifier(self, path: str) -> None:
        """Write the classifier to a file, from which a recipe repeats it.

        Raises
        ------
        WriteError
            If it can't be written.
        """
        assert self.classifier is not None, "there is no classifier"
        self.classifier.save(path)
        self.classifier_file = path

    def classifier_state(self, painted_on: str) -> str:
        """Return which classifier is in use, and what to do next.

        Parameters
        ----------
        painted_on : str
            What the brush strokes belong to; empty while there are none.
        """
        if self.classifier_file:
            return f"In use: {Path(self.classifier_file).name}."
        if self.classifier is not None:
            return "Trained, not yet in a file. More strokes where it is wrong, then Train again."
        if painted_on:
            return f"Paint on {painted_on}: some background, some particles, then Train."
        return "Press Brush strokes to paint examples, or load a classifier."


def settings_from(done: dict[str, Parameters]) -> MaskSettings | None:
    """Return the settings with which a mask was made.

    Parameters
    ----------
    done : dict of str to dict
        Parameters of the steps that made it, by name.

    Returns
    -------
    MaskSettings or None
        None if these steps made no mask.
    """
    cleaning = done.get(CLEAN)
    if CLASSIFY in done:
        file = str(done[CLASSIFY].get("classifier", ""))
        return MaskSettings(CLASSIFIER, cleaning=cleaning, classifier=file)
    if THRESHOLD not in done:
        return None
    known = {f.name for f in dataclasses.fields(MaskSettings)} - {"cleaning", "classifier"}
    given = {name: value for name, value in done[THRESHOLD].items() if name in known}
    return MaskSettings(**given, cleaning=cleaning)


def make_cubic(item: AnyVolume, progress: Progress) -> AnyVolume:
    """Return the volumes on a grid of cubic voxels."""
    cubic: AnyVolume = run_steps(item, [(RESAMPLE, {})], progress)
    return dataclasses.replace(cubic, name=f"{item.name} cubic")


def make_mask(
    item: AnyVolume, settings: MaskSettings, name: str, progress: Progress
) -> tuple[AnyLabels, str, list[str]]:
    """Return the mask of all times, its key numbers, and what is to be noted."""
    mask = dataclasses.replace(run_steps(item, settings.steps(), progress.part(0, 1)), name=name)
    notes = [f"Note: {w}" for p in _own(mask.provenance) for w in p.warnings]
    return mask, key_numbers(item, mask), notes


def key_numbers(item: AnyVolume, mask: AnyLabels) -> str:
    """Return the level, what part of the volume is filled, and how sure that is."""
    volumes, masks = times_of(item), times_of(mask)
    ends = sorted({0, len(volumes) - 1})
    filled = [float((np.asarray(masks[i].data) > 0).mean()) for i in ends]
    words = []
    levels = [_first_level(masks[i]) for i in ends]
    blur = float(masks[0].metadata.get("smoothing_px", 0) or 0)
    if levels[0] is not None:
        shown = list(dict.fromkeys(f"{v:.4g}" for v in levels if v is not None))
        after = f" after a blur of {blur:g} px" if blur > 0 else ""
        words.append(f"Level {' to '.join(shown)}{after}.")
    if is_series(item):
        parts = [f"{100 * f:.3g} % at {item.label(i)}" for i, f in zip(ends, filled, strict=True)]
        words.append(f"Particles fill {', '.join(parts)}.")
    else:
        words.append(f"Particles fill {100 * filled[0]:.3g} % of the volume.")
    changes = [
        noise_change(volumes[i], masks[i], level)
        for i, level, part in zip(ends, levels, filled, strict=True)
        if level is not None and 0 < part < 1
    ]
    if changes:
        least, most = min(c[0] for c in changes), max(c[1] for c in changes)
        words.append(
            f"Within the noise of the threshold their volume changes by {100 * least:+.2g} to "
            f"{100 * most:+.2g} %."
        )
    return " ".join(words)


def _first_level(mask: Labels) -> float | None:
    """Return the level above which something is a particle, None for a classifier."""
    level = mask.metadata.get("level")
    if isinstance(level, (list, tuple)):
        level = level[0]
    return None if level is None else float(level)


def _own(made: Provenance | None) -> list[Provenance]:
    chain = [] if made is None else made.chain()
    return [p for p in chain if p.step in (THRESHOLD, CLASSIFY, CLEAN)]
