"""Small windows that measure something on image layers, in the background."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtGui import QCloseEvent, QShowEvent
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QFormLayout,
    QLabel,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_tomo4d import preprocess
from napari_tomo4d.gui.canvas.layer_picker import ImagePicker
from napari_tomo4d.gui.canvas.session import Session
from napari_tomo4d.gui.widgets.messages import NO_IMAGE
from napari_tomo4d.gui.widgets.number_box import number_box
from napari_tomo4d.gui.widgets.run_bar import RunBar
from napari_tomo4d.gui.widgets.save_dialog import ask_where
from napari_tomo4d.gui.widgets.wheel import ignore_wheel
from napari_tomo4d.gui.work.runner import Runner
from napari_tomo4d.preprocess import CorrectionMap, PixelSize
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import collect_warnings
from napari_tomo4d.quantities import plural, with_error

SILICON_111_NM = 0.31356


class MeasureDialog(QDialog):
    """A form, a run bar, and a button that takes the result over.

    Parameters
    ----------
    session : Session
    parent : QWidget
    title, sentence : str
        What is measured, and what that needs.
    use : str
        Text of the button that takes the result over.
    """

    def __init__(
        self, session: Session, parent: QWidget, title: str, sentence: str, use: str
    ) -> None:
        super().__init__(parent)
        self.session = session
        self.setWindowTitle(title)
        self.setMinimumWidth(440)
        self.result_now: Any = None
        about = QLabel(sentence)
        about.setWordWrap(True)
        self.run_bar = RunBar("Measure")
        self.run_bar.clicked.connect(self._start)
        self.run_bar.runner.finished.connect(self._finished)
        self.use_button = QPushButton(use)
        self.use_button.clicked.connect(self._use)
        layout = QVBoxLayout(self)
        layout.addWidget(about)
        layout.addWidget(self.build())
        layout.addWidget(self.run_bar)
        layout.addWidget(self.use_button)
        for button in self.findChildren(QPushButton):
            # Return ends the typing of a number and nothing else
            button.setAutoDefault(False)
        self._pickers = self.findChildren(ImagePicker)
        for picker in self._pickers:
            picker.picked.connect(self._outdated)
        self._outdated()

    def build(self) -> QWidget:
        """Return the form."""
        raise NotImplementedError

    def work(self) -> Callable[[Progress], object]:
        """Return what measures, in a thread, with the values of the form as they are now."""
        raise NotImplementedError

    def describe(self, result: Any) -> str:
        """Return the result in words."""
        raise NotImplementedError

    def take(self, result: Any) -> None:
        """Take the result over."""
        raise NotImplementedError

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Stop measuring: nobody waits for it."""
        self.run_bar.runner.drop()
        super().closeEvent(event)

    def _outdated(self, *_: object) -> None:
        """Forget a result that the form no longer belongs to, also one that is to come."""
        self.run_bar.runner.drop()
        self._show(None)
        any_image = any(picker.layer is not None for picker in self._pickers)
        self.run_bar.set_blocked("" if any_image else NO_IMAGE)
        self.run_bar.say("Choose, then measure." if any_image else NO_IMAGE)

    def _show(self, result: Any) -> None:
        self.result_now = result
        self.use_button.setEnabled(result is not None)
        self.use_button.setToolTip("" if result is not None else "Measure first.")

    def _start(self) -> None:
        self._show(None)
        work = self.work()

        def measure(progress: Progress) -> object:
            with collect_warnings() as said:
                result = work(progress)
            return result, said

        self.run_bar.start(measure)

    def _finished(self, result: Any, _seconds: float) -> None:
        measured, said = result
        self._show(measured)
        self.run_bar.say("\n".join([self.describe(measured), *(f"Note: {w}" for w in said)]))

    def _use(self) -> None:
        self.take(self.result_now)


class LatticeDialog(MeasureDialog):
    """Measures the pixel size on the image of a lattice; emits `measured` in nanometres."""

    measured = Signal(float)

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(
            session,
            parent,
            "Pixel size from a lattice",
            "Finds the lattice spots of an image taken at the magnification of the tilt series "
            "and compares them with the known spacing.",
            "Use it",
        )

    def build(self) -> QWidget:
        """Return the form."""
        page = QWidget()
        form = QFormLayout(page)
        self.image = ImagePicker(self.session, "Of a stack, the image that the viewer shows.")
        self.spacing = number_box(
            SILICON_111_NM,
            0.01,
            100,
            "nm",
            "Of the planes that make the brightest spots.",
            decimals=5,
            step=0.01,
        )
        self.spacing.valueChanged.connect(self._outdated)
        form.addRow("Lattice image", self.image)
        form.addRow("Known spacing", self.spacing)
        form.addRow("", QLabel("0.31356 nm is silicon {111}."))
        return page

    def work(self) -> Callable[[Progress], PixelSize]:
        """Return what measures."""
        read, spacing = self.image.reader(), self.spacing.value()

        def measure(progress: Progress) -> PixelSize:
            progress.report(0, 1, "Looking for lattice spots")
            return preprocess.pixel_size_from_lattice(read(), spacing)

        return measure

    def describe(self, result: PixelSize) -> str:
        """Return the result in words."""
        n = len(result.spots)
        size = with_error(result.pixel_size_nm, result.uncertainty_nm, "nm")
        return f"Pixel size {size}, from {plural(n, 'pair')} of spots."

    def take(self, result: PixelSize) -> None:
        """Hand the pixel size to the panel."""
        self.measured.emit(result.pixel_size_nm)
        self.close()


class MapDialog(MeasureDialog):
    """Measures the distortion of a scan and saves it as a map; emits `saved` with its path."""

    saved = Signal(str)

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(
            session,
            parent,
            "Scan distortion",
            "Measures how the scan distorts images, on images taken at the size and scan setting "
            "of the tilt series, and saves it as a map.",
            "Save map and use it...",
        )
        # another choice in the form drops what is measured, not what is being saved
        self.saver = Runner(self)
        self.saver.finished.connect(self._saved)
        self.saver.failed.connect(lambda text: self.run_bar.say(f"Error: {text}"))

    def build(self) -> QWidget:
        """Return the forms, one for each way."""
        self.ways = QTabWidget()
        self.ways.addTab(self._build_scans(), "Two scans at 90°")
        self.ways.addTab(self._build_lattice(), "Lattice image")
        self.ways.currentChanged.connect(self._outdated)
        return self.ways

    def _build_scans(self) -> QWidget:
        page = QWidget()
        form = QFormLayout(page)
        self.first = ImagePicker(self.session, "Scanned like the tilt series, square.")
        self.second = ImagePicker(self.session, "The same field with the scan turned, as recorded.")
        self.turn = QComboBox()
        self.turn.addItems(["+90°", "-90°"])
        self.turn.setToolTip(
            "From the first to the second scan direction; without drift, the second image is the "
            "first turned by this angle anticlockwise."
        )
        self.kind = QComboBox()
        self.kind.addItems(["affine: steady drift", "non-rigid: every scan line"])
        self.kind.setToolTip("How the scan may be distorted; non-rigid takes longer.")
        for box in (self.turn, self.kind):
            ignore_wheel(box)
            box.currentIndexChanged.connect(self._outdated)
        form.addRow("First scan", self.first)
        form.addRow("Second scan", self.second)
        form.addRow("Scan turned by", self.turn)
        form.addRow("Distortion", self.kind)
        return page

    def _build_lattice(self) -> QWidget:
        page = QWidget()
        form = QFormLayout(page)
        self.lattice = ImagePicker(self.session, "One perfect crystal that fills the image.")
        self.angle = number_box(
            90, 1, 90, "°", "Between the two strongest sets of planes; 70.53 for Si {111}."
        )
        self.ratio = number_box(
            1,
            0.1,
            10,
            tip="Spacing of one set of planes over that of the other.",
            decimals=3,
            step=0.01,
        )
        for box in (self.angle, self.ratio):
            box.valueChanged.connect(self._outdated)
        form.addRow("Lattice image", self.lattice)
        form.addRow("Angle of planes", self.angle)
        form.addRow("Ratio of spacings", self.ratio)
        form.addRow("", QLabel("Square lattice: 90° and 1. Silicon [110]: 70.53° and 1."))
        return page

    def work(self) -> Callable[[Progress], tuple[CorrectionMap, str]]:
        """Return what measures."""
        if self.ways.currentIndex():
            read, angle, ratio = self.lattice.reader(), self.angle.value(), self.ratio.value()

            def from_lattice(progress: Progress) -> tuple[CorrectionMap, str]:
                progress.report(0, 1, "Following the lattice")
                return preprocess.map_from_lattice(read(), angle, ratio, progress=progress), ""

            return from_lattice
        first, second = self.first.reader(), self.second.reader()
        turn = 90.0 if self.turn.currentIndex() == 0 else -90.0
        nonrigid = self.kind.currentIndex() == 1
        find = (
            preprocess.nonrigid_from_orthogonal if nonrigid else preprocess.affine_from_orthogonal
        )

        def from_scans(progress: Progress) -> tuple[CorrectionMap, str]:
            found = find(first(), second(), turn, progress=progress)
            y, x = found.drift_px
            text = f"Drift (y, x) ({y:+.2f}, {x:+.2f}) px during a scan; "
            return found.map_0, f"{text}correlation {found.correlation:.2f} once corrected. "

        return from_scans

    def describe(self, result: tuple[CorrectionMap, str]) -> str:
        """Return the result in words."""
        correction, text = result
        n_y, n_x = correction.shape
        largest = float(np.abs(correction.displacement_px).max())
        return f"{text}Pixels move by up to {largest:.2g} px; for images of {n_y} x {n_x} px."

    def take(self, result: tuple[CorrectionMap, str]) -> None:
        """Save the map in the background, then hand its path to the panel."""
        path = ask_where(self, "Save correction map", "distortion", "Correction map", ".npz")
        if not path:
            return
        correction = result[0]

        def save(_progress: Progress) -> object:
            correction.save(path)
            return path

        self.run_bar.say("Saving the map...")
        self.saver.start(save)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Offer two different images: the two that came last."""
        super().showEvent(event)
        if self.first.layer is self.second.layer:
            self.first.setCurrentIndex(min(1, self.first.count() - 1))

    def _saved(self, path: str, _seconds: float) -> None:
        self.run_bar.say(f"Saved {path}")
        self.saved.emit(path)
        self.close()
