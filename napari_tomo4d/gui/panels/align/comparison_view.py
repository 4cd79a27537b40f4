"""What shows an alignment: shifts over the tilt angle, and images on each other."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QSize, Qt, QTimer, Signal
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QButtonGroup,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from napari_tomo4d.align.comparison import ImagePair
from napari_tomo4d.contrast import grey_levels
from napari_tomo4d.gui.panels.align.shift_plot import ShiftPlot
from napari_tomo4d.gui.widgets.messages import NO_SHIFTS
from napari_tomo4d.gui.widgets.plots import ImageBox

FLIP, DIFFERENCE, CHECKER, MEAN = "Flip-book", "Difference", "Checkerboard", "Mean"

_FLIP_EVERY_MS = 500
_CHOICE_WIDTH = 212
_TIPS = {
    FLIP: "The tilt and its neighbour in turn: what jumps does not lie right.",
    DIFFERENCE: "The tilt less its neighbour: an edge bright on one side and dark on the other "
    "shows which way to move it.",
    CHECKER: "The tilt and its neighbour in fields by turns: edges should run on through them.",
    MEAN: "The mean of all aligned images: sharp if they lie on each other.",
}


class NeighbourBox(ImageBox):
    """An image box that keeps grey levels while two images are shown in turn."""

    def show_steady(self, image: np.ndarray, title: str, levels: tuple[float, float]) -> None:
        """Show an image between given grey levels."""
        self._image.setImage(image, levels=levels)
        self.show_title(title)
        if image.shape != self._shape:
            self._shape = image.shape
            self.fit()


class ComparisonView(QWidget):
    """Shifts on the left, images on each other on the right.

    Signals
    -------
    seen()
        The view has come into sight or left it.
    mode_changed()
        Another kind of picture was chosen.
    """

    seen = Signal()
    mode_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._pair: ImagePair | None = None
        self._names = ("", "")
        self._flipped = False
        self.plot = ShiftPlot()
        self.modes = QButtonGroup(self)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.box = NeighbourBox(height=120, axes=False, width=250)
        self.box.setToolTip("Wheel to zoom, drag to move, double-click to see all.")
        images = QWidget()
        row = QHBoxLayout(images)
        row.setContentsMargins(0, 0, 0, 0)
        # beside the picture, which needs all of the height
        row.addWidget(self._build_choice())
        row.addWidget(self.box, 1)
        split = QSplitter()
        parts: tuple[QWidget, ...] = (self.plot, images)
        for k, part in enumerate(parts):
            split.addWidget(part)
            split.setStretchFactor(k, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.addWidget(split)
        self._timer = QTimer(self)
        self._timer.setInterval(_FLIP_EVERY_MS)
        self._timer.timeout.connect(self._flip)
        self.show_nothing()

    def _build_choice(self) -> QWidget:
        choice = QWidget()
        choice.setFixedWidth(_CHOICE_WIDTH)
        column = QVBoxLayout(choice)
        column.setContentsMargins(4, 0, 4, 0)
        grid = QGridLayout()
        grid.setSpacing(3)
        for k, (name, tip) in enumerate(_TIPS.items()):
            button = QPushButton(name)
            button.setCheckable(True)
            button.setChecked(k == 0)
            button.setToolTip(tip)
            self.modes.addButton(button, k)
            grid.addWidget(button, k // 2, k % 2)
        column.addLayout(grid)
        column.addWidget(self.text, 1)
        self.modes.buttonClicked.connect(self._mode_changed)
        return choice

    @property
    def mode(self) -> str:
        """Which picture is wanted."""
        button = self.modes.checkedButton()
        assert button is not None, "one of them is always checked"
        return str(button.text())

    @property
    def flipping(self) -> bool:
        """Whether two images are shown in turn just now."""
        return bool(self._timer.isActive())

    def show_nothing(self) -> None:
        """Say that there is nothing to show."""
        self._pair = None
        self.plot.show_nothing()
        self.box.show_steady(np.zeros((2, 2), np.float32), "", (0, 1))
        self.text.setText(NO_SHIFTS)
        self._update_timer()

    def show_pair(self, pair: ImagePair, names: tuple[str, str], hint: str) -> None:
        """Show two images; `names` are their angles, `hint` says how one is moved."""
        self._pair, self._names = pair, names
        self.text.setText(
            f"Likeness of {names[0]} and {names[1]}: {pair.correlation:.3f} (1 at best)\n\n{hint}"
        )
        self._draw()
        self._update_timer()

    def show_mean(self, image: np.ndarray, count: int, hint: str) -> None:
        """Show the mean of a number of images."""
        self._pair = None
        self.box.show_steady(image, "mean of all", grey_levels(image))
        self.text.setText(f"Mean of {count} images\n\n{hint}")
        self._update_timer()

    def show_error(self, message: str) -> None:
        """Say why there is no picture."""
        self.text.setText(f"Error: {message}")

    def _draw(self) -> None:
        pair = self._pair
        if pair is None or self.mode == MEAN:
            return
        own, other = self._names
        levels = grey_levels(pair.image)
        if self.mode == DIFFERENCE:
            high = max(np.abs(grey_levels(pair.difference)))
            self.box.show_steady(pair.difference, f"{own} less {other}", (-high, high))
        elif self.mode == CHECKER:
            self.box.show_steady(pair.checkerboard, f"{own} and {other}", levels)
        elif self._flipped:
            self.box.show_steady(pair.reference, f"neighbour {other}", levels)
        else:
            self.box.show_steady(pair.image, f"this tilt {own}", levels)

    def _flip(self) -> None:
        self._flipped = not self._flipped
        self._draw()

    def _mode_changed(self, _button: QPushButton) -> None:
        self._flipped = False
        self._draw()
        self._update_timer()
        self.mode_changed.emit()

    def _update_timer(self) -> None:
        if self.isVisible() and self.mode == FLIP and self._pair is not None:
            if not self._timer.isActive():
                self._timer.start()
        else:
            self._timer.stop()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Flip."""
        super().showEvent(event)
        self._update_timer()
        self.seen.emit()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Do nothing out of sight."""
        super().hideEvent(event)
        self._timer.stop()
        self.seen.emit()

    def sizeHint(self) -> QSize:
        """Return a size that leaves the viewer's canvas visible above."""
        return QSize(860, 300)
