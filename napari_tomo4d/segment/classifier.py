"""Voxels told apart by example: brush strokes train a random forest."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from napari_tomo4d.array_files import read_arrays, write_arrays
from napari_tomo4d.boundary import reading
from napari_tomo4d.data import Labels, Volume
from napari_tomo4d.errors import DataError, ReadError
from napari_tomo4d.immutable import frozen
from napari_tomo4d.parameters import Param
from napari_tomo4d.progress import Progress
from napari_tomo4d.registry import step
from napari_tomo4d.segment.features import feature_names, features, halo
from napari_tomo4d.segment.forest import Forest
from napari_tomo4d.voxels import Spacing

SCALES_PX = (1.0, 2.0, 4.0)
_FORMAT = "napari-tomo4d pixel classifier"
_VERSION = 1
_MOST_SAMPLES = 20_000
_TILE = 64
_LARGEST_SCALE = 100.0

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class PixelClassifier:
    """A random forest that tells classes of voxels apart; see `train`.

    Parameters
    ----------
    forest : Forest
    strokes : tuple of int
        Number of the brush stroke of each class.
    scales_px : tuple of float
        Scales of the features in voxels.
    offset, scale : float
        Median and spread of the training volume, by which grey values are made comparable.
    seed : int

    Notes
    -----
    A file of it is an ``.npz`` of plain arrays: those of `Forest`, and ``description``, a
    text in JSON with ``format``, ``version``, ``features`` and the fields above. Nothing in it is
    ever executed.
    """

    forest: Forest
    strokes: tuple[int, ...]
    scales_px: tuple[float, ...]
    offset: float
    scale: float
    seed: int

    @classmethod
    def train(
        cls,
        volume: Volume,
        strokes: np.ndarray,
        *,
        scales_px: Sequence[float] = SCALES_PX,
        n_trees: int = 50,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> PixelClassifier:
        """Learn from brush strokes.

        Parameters
        ----------
        volume : Volume (z, y, x)
        strokes : integer array (z, y, x)
            0 is not marked, 1 is background, 2 and on are particles of one kind or of several.
        scales_px : sequence of float
            Standard deviations in voxels of the Gaussians that look at the neighbourhood.
        n_trees : int
        seed : int
            Of the forest; with equal strokes it grows equal trees.
        progress : Progress, optional

        Returns
        -------
        PixelClassifier

        Raises
        ------
        DataError
            If shapes differ, there are fewer than two classes, or the volume is blank.

        Notes
        -----
        Of more than 20000 marked voxels of a class so many are drawn.
        """
        progress = progress or Progress()
        data = np.asarray(volume.data, np.float32)
        marks = np.asarray(strokes)
        if marks.shape != data.shape:
            raise DataError(
                f"The strokes have shape {marks.shape}, the volume {data.shape}; both have to be "
                "equal."
            )
        kinds = tuple(int(k) for k in np.unique(marks) if k > 0)
        if len(kinds) < 2:
            raise DataError(
                "Mark at least two kinds: 1 for background and 2 for particles, "
                f"so far there {'is only ' + str(kinds[0]) if kinds else 'is nothing'}."
            )
        offset, scale = float(np.median(data)), float(data.std())
        if scale == 0:
            raise DataError("All voxels of the volume are equal, so there is nothing to learn.")
        rng = np.random.default_rng(seed)
        chosen = np.zeros(data.shape, bool)
        for kind in kinds:
            places = np.flatnonzero(marks == kind)
            if len(places) > _MOST_SAMPLES:
                places = rng.choice(places, _MOST_SAMPLES, replace=False)
            chosen.flat[places] = True
        samples, classes = [], []
        scales = tuple(float(s) for s in scales_px)
        whole = tuple(slice(0, n) for n in data.shape)
        tiles = [box for box in _tiles(whole, _TILE) if chosen[box].any()]
        for i, box in enumerate(tiles):
            found = _features_of(data, box, scales, offset, scale, volume.sampling)
            samples.append(found[:, chosen[box]].T)
            classes.append(np.searchsorted(kinds, marks[box][chosen[box]]))
            progress.report(i + 1, len(tiles) + 1, "Looking at the strokes")
        forest = Forest.grow(np.concatenate(samples), np.concatenate(classes), n_trees, seed)
        progress.report(1, 1, "Training")
        return cls(forest, kinds, scales, offset, scale, seed)

    def predict(
        self,
        volume: Volume,
        *,
        within: Box | None = None,
        tile: int = _TILE,
        progress: Progress | None = None,
    ) -> Labels:
        """Classify every voxel of a volume with grey values like those it was trained on.

        Parameters
        ----------
        volume : Volume (z, y, x)
        within : tuple of three slices (z, y, x), optional
            Only this part is classified and returned, as it is in the whole volume.
        tile : int
            Edge in voxels of the cubes that are worked on at a time; bounds the memory and
            does not change the result.
        progress : Progress, optional

        Returns
        -------
        Labels
            0 where it is like stroke 1 (background), 1 like stroke 2, and so on.
        """
        whole = tuple(slice(0, n) for n in volume.data.shape)
        part = whole if within is None else within
        result = np.zeros([s.stop - s.start for s in part], np.int32)
        values = np.array(self.strokes, np.int32) - 1
        for box, shares in self._shares(volume, part, tile, progress):
            here = tuple(
                slice(b.start - s.start, b.stop - s.start) for b, s in zip(box, part, strict=True)
            )
            result[here] = values[np.argmax(shares, axis=0)]
        return Labels(
            frozen(result), volume.pixel_size_nm, f"{volume.name} particles", dict(volume.metadata)
        )

    def save(self, path: str | Path) -> None:
        """Write the classifier to an ``.npz`` file, whole or not at all.

        Raises
        ------
        WriteError
            If it can't be written.
        """
        description = {
            "format": _FORMAT,
            "version": _VERSION,
            "features": feature_names(self.scales_px),
            "strokes": self.strokes,
            "scales_px": self.scales_px,
            "offset": self.offset,
            "scale": self.scale,
            "seed": self.seed,
        }
        arrays = {**self.forest.arrays(), "description": np.array(json.dumps(description))}
        write_arrays(arrays, path)

    @classmethod
    def load(cls, path: str | Path) -> PixelClassifier:
        """Read a classifier that `save` wrote.

        Raises
        ------
        ReadError
            If the file is missing, damaged or something else.
        """
        advice = "train and save it again"
        with reading(path, "a pixel classifier of this version", advice=advice):
            arrays = read_arrays(path)
            about = json.loads(str(arrays.pop("description")))
            if about["format"] != _FORMAT or about["version"] != _VERSION:
                raise KeyError("format")
            scales = tuple(float(s) for s in about["scales_px"])
            forest = Forest.from_arrays(arrays, len(feature_names(scales)))
            strokes = tuple(int(s) for s in about["strokes"])
            if forest.share.shape[1] != len(strokes) or about["features"] != feature_names(scales):
                raise KeyError("strokes")
            numbers = (
                float(about["offset"]),
                float(about["scale"]),
                int(about["seed"]),
            )
            if not (np.isfinite(numbers).all() and numbers[1] > 0):
                raise ReadError(f"{path} holds an impossible offset or scale; {advice}.")
            if not all(0 < s <= _LARGEST_SCALE for s in scales) or min(strokes) < 1:
                raise ReadError(f"{path} holds impossible scales or strokes; {advice}.")
            return cls(forest, strokes, scales, *numbers)

    def _shares(
        self, volume: Volume, within: tuple[slice, ...], tile: int, progress: Progress | None
    ) -> Iterator[tuple[Box, np.ndarray]]:
        progress = progress or Progress()
        data = np.asarray(volume.data, np.float32)
        tiles = list(_tiles(within, tile))
        for i, box in enumerate(tiles):
            found = _features_of(
                data, box, self.scales_px, self.offset, self.scale, volume.sampling
            )
            shares = self.forest.predict(found.reshape(len(found), -1))
            yield box, shares.reshape(-1, *found.shape[1:])
            progress.report(i + 1, len(tiles), "Classifying voxels")


@step("segment.classify_voxels", title="Classify voxels", takes=Volume, gives=Labels)
def classify_voxels(
    volume: Volume,
    classifier: Annotated[str, Param("File of a trained pixel classifier (.npz).", file=True)],
    *,
    progress: Progress | None = None,
) -> Labels:
    """Tell particles from background by a trained classifier.

    Parameters
    ----------
    volume : Volume
    classifier : str
        Path of a file that `PixelClassifier.save` wrote.
    progress : Progress, optional

    Returns
    -------
    Labels
        0 for background, 1 and on for the other strokes.

    Raises
    ------
    ReadError
        If the file is missing or no classifier.
    """
    return PixelClassifier.load(classifier).predict(volume, progress=progress)


def _tiles(part: tuple[slice, ...], edge: int) -> Iterator[Box]:
    if edge < 1:
        raise DataError(f"Tiles of {edge} voxels are not possible; take 1 or more.")
    for z, y, x in itertools.product(*(range(s.start, s.stop, edge) for s in part)):
        yield (
            slice(z, min(z + edge, part[0].stop)),
            slice(y, min(y + edge, part[1].stop)),
            slice(x, min(x + edge, part[2].stop)),
        )


def _features_of(
    data: np.ndarray,
    box: Box,
    scales_px: tuple[float, ...],
    offset: float,
    scale: float,
    sampling: Spacing,
) -> np.ndarray:
    """Return the features (feature, z, y, x) of a tile as they are in the whole volume."""
    margin = halo(scales_px, sampling)
    outer = tuple(
        slice(max(s.start - margin, 0), min(s.stop + margin, n))
        for s, n in zip(box, data.shape, strict=True)
    )
    found = features((data[outer] - np.float32(offset)) / np.float32(scale), scales_px, sampling)
    inner = tuple(
        slice(s.start - o.start, s.stop - o.start) for s, o in zip(box, outer, strict=True)
    )
    return found[(slice(None), *inner)]
