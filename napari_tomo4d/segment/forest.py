"""A random forest as plain arrays, which predicts without the library that grew it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from napari_tomo4d.errors import DataError


@dataclass(frozen=True, eq=False)
class Forest:
    """Decision trees, one after the other.

    Parameters
    ----------
    feature : int32 array (node,)
        Feature that a node asks for; -1 in a leaf.
    threshold : float64 array (node,)
        Go left if the feature is at most this.
    left, right : int32 array (node,)
        Nodes to go on to, always later ones.
    share : float32 array (node, class)
        Part of each class in the training voxels of the node.
    starts : int64 array (tree,)
        First node of each tree.
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    share: np.ndarray
    starts: np.ndarray

    @classmethod
    def grow(cls, samples: np.ndarray, classes: np.ndarray, n_trees: int, seed: int) -> Forest:
        """Train on features (n, feature) of n voxels and their classes (n,) from 0.

        References
        ----------
        Breiman, Machine Learning 45, 5 (2001), as implemented by scikit-learn, with classes
        weighted equally.
        """
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(
            n_trees, min_samples_leaf=2, class_weight="balanced", random_state=seed, n_jobs=1
        )
        forest.fit(samples, classes)
        parts: list[Any] = [e.tree_ for e in forest.estimators_]
        starts = np.cumsum([0, *(t.node_count for t in parts)])[:-1]
        share = np.concatenate([t.value[:, 0] for t in parts])
        return cls(
            np.concatenate([np.maximum(t.feature, -1) for t in parts]).astype(np.int32),
            np.concatenate([t.threshold for t in parts]).astype(np.float64),
            _moved([t.children_left for t in parts], starts),
            _moved([t.children_right for t in parts], starts),
            (share / share.sum(axis=1, keepdims=True)).astype(np.float32),
            starts.astype(np.int64),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by name."""
        return {n: getattr(self, n) for n in self.__dataclass_fields__}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], n_features: int) -> Forest:
        """Rebuild from what `arrays` gave, checked so that no prediction can leave them.

        Raises
        ------
        DataError
            If they do not describe trees over so many features.
        """
        kinds = {
            "feature": np.int32,
            "threshold": np.float64,
            "left": np.int32,
            "right": np.int32,
            "share": np.float32,
            "starts": np.int64,
        }
        try:
            given = {n: np.ascontiguousarray(arrays[n], kind) for n, kind in kinds.items()}
        except (KeyError, TypeError, ValueError) as error:
            raise DataError("The file does not hold the trees of a classifier.") from error
        n = given["feature"].size
        here = np.arange(n)
        inner = given["feature"] >= 0
        good = (
            all(given[k].shape == (n,) for k in ("feature", "threshold", "left", "right"))
            and given["share"].ndim == 2
            and given["share"].shape[0] == n
            and given["share"].size > 0
            and np.isfinite(given["threshold"]).all()
            and np.isfinite(given["share"]).all()
            and (given["share"] >= 0).all()
            and np.allclose(given["share"].sum(axis=1), 1, atol=1e-3)
            and given["starts"].ndim == 1
            and given["starts"].size > 0
            and ((given["starts"] >= 0) & (given["starts"] < n)).all()
            and (given["feature"] < n_features).all()
        )
        good = good and all(
            ((given[k] > here) & (given[k] < n))[inner].all() for k in ("left", "right")
        )
        if not good:
            raise DataError("The trees of this classifier's file are damaged; train it again.")
        return cls(**given)

    def predict(self, samples: np.ndarray) -> np.ndarray:
        """Return the share of each class (class, n) for features (feature, n)."""
        return _predict(
            np.ascontiguousarray(samples, np.float32),
            self.feature,
            self.threshold,
            self.left,
            self.right,
            self.share,
            self.starts,
        )


def _moved(children: list[np.ndarray], starts: np.ndarray) -> np.ndarray:
    moved = [np.where(c < 0, -1, c + s) for c, s in zip(children, starts, strict=True)]
    return np.concatenate(moved).astype(np.int32)


@njit(nogil=True, cache=True)
def _predict(
    samples: np.ndarray,
    feature: np.ndarray,
    threshold: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    share: np.ndarray,
    starts: np.ndarray,
) -> np.ndarray:
    n_classes = share.shape[1]
    result = np.zeros((n_classes, samples.shape[1]), np.float32)
    for start in starts:
        for i in range(samples.shape[1]):
            node = start
            while feature[node] >= 0:
                if samples[feature[node], i] <= threshold[node]:
                    node = left[node]
                else:
                    node = right[node]
            for k in range(n_classes):
                result[k, i] += share[node, k]
    return result / np.float32(starts.size)
