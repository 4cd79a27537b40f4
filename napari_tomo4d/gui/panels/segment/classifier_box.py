"""Buttons to paint examples and to train, keep and read a classifier."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QGroupBox, QLabel, QPushButton, QVBoxLayout

from napari_tomo4d.gui.widgets.allow import allow


class ClassifierBox(QGroupBox):
    """What there is of a classifier, and what can be done with it.

    Signals
    -------
    strokes_wanted(), background_wanted(), particle_wanted(), train_wanted(), load_wanted(),
    save_wanted()
        A button was pressed.
    """

    strokes_wanted = Signal()
    background_wanted = Signal()
    particle_wanted = Signal()
    train_wanted = Signal()
    load_wanted = Signal()
    save_wanted = Signal()

    def __init__(self) -> None:
        super().__init__("Classifier")
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
        for i, (button, signal) in enumerate(
            (
                (self.strokes_button, self.strokes_wanted),
                (self.background_button, self.background_wanted),
                (self.particle_button, self.particle_wanted),
                (self.train_button, self.train_wanted),
                (self.load_button, self.load_wanted),
                (self.save_button, self.save_wanted),
            )
        ):
            grid.addWidget(button, i // 3, i % 3)
            button.clicked.connect(lambda _=False, s=signal: s.emit())
        layout = QVBoxLayout(self)
        layout.setSpacing(4)
        layout.addLayout(grid)
        layout.addWidget(self.text)

    def show_state(self, text: str, has_strokes: bool, has_classifier: bool) -> None:
        """Show which classifier is in use, and enable what can be done.

        Parameters
        ----------
        text : str
            What there is and what to do next.
        has_strokes : bool
            Whether there is a layer of brush strokes.
        has_classifier : bool
        """
        self.text.setText(text)
        for button, tip in (
            (self.background_button, "Paint where there is no particle."),
            (self.particle_button, "Paint inside particles; a few strokes are enough."),
            (self.train_button, "Learns from the strokes, and outlines this slice by them."),
        ):
            allow(button, tip, "" if has_strokes else "Press Brush strokes first.")
        allow(
            self.save_button,
            "Keeps the classifier in a file, from which a recipe repeats it.",
            "" if has_classifier else "Train a classifier first.",
        )
