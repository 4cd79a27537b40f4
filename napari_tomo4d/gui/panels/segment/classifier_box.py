"""Brush strokes to learn from, and the classifier they train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QGridLayout, QGroupBox, QLabel, QPushButton, QVBoxLayout

from napari_tomo4d.errors import Tomo4DError
from napari_tomo4d.segment import PixelClassifier

STROKES_LAYER = "brush strokes"
BACKGROUND, PARTICLE = 1, 2

_COLOURS: dict[int | None, Any] = {
    BACKGROUND: "#4fc3f7",
    PARTICLE: "#ff8a65",
    3: "#81c784",
    4: "#ba68c8",
}
_FILTER = "Classifier (*.npz)"


class ClassifierBox(QGroupBox):
    """Where strokes are begun, and classifiers trained, kept and read.

    Signals
    -------
    strokes_wanted(), train_wanted()
        A button was pressed.
    changed()
        Another classifier is used from now on.
    failed(text)
        One sentence about a file.
    """

    strokes_wanted = Signal()
    train_wanted = Signal()
    changed = Signal()
    failed = Signal(str)

    def __init__(self, viewer: Any) -> None:
        super().__init__("Classifier")
        self.viewer = viewer
        self.classifier: PixelClassifier | None = None
        self.path = ""
        self.layer: Any = None
        self.source: Any = None
        self.time = 0
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.strokes_button = QPushButton("Brush strokes")
        self.strokes_button.setToolTip("Adds a layer to paint examples on.")
        self.background_button = QPushButton("1 Background")
        self.particle_button = QPushButton("2 Particle")
        self.train_button = QPushButton("Train")
        self.load_button, self.save_button = QPushButton("Load..."), QPushButton("Save...")
        self.load_button.setToolTip("Reads a classifier that was trained and saved before.")
        grid = QGridLayout()
        grid.setSpacing(4)
        rows = (
            (self.strokes_button, self.background_button, self.particle_button),
            (self.train_button, self.load_button, self.save_button),
        )
        for r, row in enumerate(rows):
            for c, button in enumerate(row):
                grid.addWidget(button, r, c)
        layout = QVBoxLayout(self)
        layout.setSpacing(4)
        layout.addLayout(grid)
        layout.addWidget(self.text)
        self.strokes_button.clicked.connect(lambda _=False: self.strokes_wanted.emit())
        self.train_button.clicked.connect(lambda _=False: self.train_wanted.emit())
        self.background_button.clicked.connect(lambda _=False: self._paint_with(BACKGROUND))
        self.particle_button.clicked.connect(lambda _=False: self._paint_with(PARTICLE))
        self.load_button.clicked.connect(self._load)
        self.save_button.clicked.connect(lambda _=False: self.save())
        self.update_buttons()

    @property
    def has_strokes(self) -> bool:
        """Whether the layer of strokes is in the viewer."""
        return self.layer is not None and self.layer in self.viewer.layers

    def begin(self, source: Any, time: int, said: str) -> None:
        """Add the layer of strokes over a volume at one time, or go back to it."""
        from napari.utils.colormaps import DirectLabelColormap

        same = self.has_strokes and self.source is source
        if not same:
            if self.has_strokes:
                self.viewer.layers.remove(self.layer)
            shape = source.data.shape[-3:]
            self.layer = self.viewer.add_labels(
                np.zeros(shape, np.uint8),
                name=STROKES_LAYER,
                scale=source.scale[-3:],
                translate=source.translate[-3:],
                units=source.units[-3:],
                axis_labels=source.axis_labels[-3:],
                colormap=DirectLabelColormap(color_dict={None: "transparent", **_COLOURS}),
            )
            self.source, self.time = source, time
            self._said = said
            self.layer.brush_size = max(3, round(max(shape) / 30))
        self._paint_with(BACKGROUND)

    def strokes(self) -> np.ndarray:
        """Return a copy of what was painted, (z, y, x)."""
        return np.array(self.layer.data)

    def trained(self, classifier: PixelClassifier) -> None:
        """Use a classifier that was just trained."""
        self.classifier, self.path = classifier, ""
        self.update_buttons()
        self.changed.emit()

    def save(self) -> bool:
        """Ask for a file and write the classifier; returns whether it is in a file now."""
        if self.classifier is None:
            return False
        path, _ = QFileDialog.getSaveFileName(self, "Save classifier", "particles.npz", _FILTER)
        if not path:
            return False
        path = path if path.endswith(".npz") else f"{path}.npz"
        try:
            self.classifier.save(path)
        except Tomo4DError as error:
            self.failed.emit(str(error))
            return False
        self.path = path
        self.update_buttons()
        return True

    def use(self, path: str) -> None:
        """Read a classifier from a file and use it."""
        try:
            self.classifier = PixelClassifier.load(path)
        except Tomo4DError as error:
            self.failed.emit(str(error))
            return
        self.path = path
        self.update_buttons()
        self.changed.emit()

    def _load(self, _checked: bool = False) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load classifier", "", _FILTER)
        if path:
            self.use(path)

    def _paint_with(self, kind: int) -> None:
        if self.has_strokes:
            self.layer.visible = True
            self.viewer.layers.selection.active = self.layer
            self.layer.mode = "paint"
            self.layer.selected_label = kind
        self.update_buttons()

    def update_buttons(self) -> None:
        """Say what is there and what to do next."""
        has = self.has_strokes
        why = "" if has else "Press Brush strokes first."
        for button, tip in (
            (self.background_button, "Paint where there is no particle."),
            (self.particle_button, "Paint inside particles; a few strokes are enough."),
            (self.train_button, "Learns from the strokes, and shows what it makes of this slice."),
        ):
            button.setEnabled(has)
            button.setToolTip(why or tip)
        self.save_button.setEnabled(self.classifier is not None)
        self.save_button.setToolTip(
            "Keeps the classifier in a file, from which a recipe repeats it."
            if self.classifier is not None
            else "Train a classifier first."
        )
        if self.path:
            text = f"In use: {Path(self.path).name}."
        elif self.classifier is not None:
            text = "Trained, not yet in a file. More strokes where it is wrong, then Train again."
        elif has:
            text = f"Paint on {self._said}: some background, some particles, then Train."
        else:
            text = "Press Brush strokes to paint examples, or load a classifier."
        self.text.setText(text)
