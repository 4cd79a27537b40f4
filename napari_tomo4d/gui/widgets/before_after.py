"""Two images side by side, with what is to be said about them."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_tomo4d.gui.widgets.plots import ImageBox


class BeforeAfter(QWidget):
    """An image before and after some work; both are zoomed and moved together.

    Parameters
    ----------
    empty : str
        What to write while there is nothing to show.
    """

    def __init__(self, empty: str) -> None:
        super().__init__()
        self._empty = empty
        self.shown, self.numbers, self.note = QLabel(), QLabel(), QLabel()
        self.before, self.after = (ImageBox(axes=False, width=160) for _ in range(2))
        self.before.setToolTip("As it is so far; of frames, the mean.")
        self.after.setToolTip(
            "After the ticked steps. Wheel to zoom and drag to move both; double-click to see all."
        )
        self.after.link_to(self.before)
        pair = QHBoxLayout()
        pair.setSpacing(3)
        for image in (self.before, self.after):
            # equal halves of a narrow panel
            image.setMinimumWidth(100)
            pair.addWidget(image, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.shown)
        layout.addLayout(pair)
        for text in (self.numbers, self.note):
            layout.addWidget(text)
        for text in (self.shown, self.numbers, self.note):
            text.setWordWrap(True)
            text.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.reset()

    def set_image_height(self, pixels: int) -> None:
        """Set the least height of the images on the screen."""
        for image in (self.before, self.after):
            image.setMinimumHeight(pixels)
            image.updateGeometry()

    def reset(self) -> None:
        """Say that there is nothing to show."""
        self.shown.setText(self._empty)
        for image in (self.before, self.after):
            image.clear_image()
        self.numbers.clear()
        self.say("")

    def show_pair(self, before: np.ndarray, after: np.ndarray, title: str, numbers: str) -> None:
        """Show two images, what they are, and the numbers found on the way."""
        self.shown.setText(title)
        self.before.show_image(before, "before")
        self.after.show_image(after, "after")
        self.numbers.setText(numbers)

    def say(self, text: str) -> None:
        """Write a note below the images; empty to remove it."""
        self.note.setText(text)
        self.note.setVisible(bool(text))
        # room for two lines from the start, so that nothing moves while values change
        lines = 1 if text else 2
        self.numbers.setMinimumHeight(lines * self.numbers.fontMetrics().lineSpacing())
