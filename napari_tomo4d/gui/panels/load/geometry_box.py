"""What a person says about angles, pixel size and tilt axis of files."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_tomo4d.gui.widgets.number_box import number_box
from napari_tomo4d.gui.widgets.wheel import ignore_wheel
from napari_tomo4d.parameters import Parameters

_FROM_FILE, _EVEN, _TABLE = range(3)
_CHOOSE = "Choose table..."
_START, _STEP = -40.0, 2.0


class GeometryBox(QGroupBox):
    """Angles, pixel size and direction of the tilt axis; all of them may be as in the files.

    Signals
    -------
    changed()
        Something else is given now.
    angles_chosen()
        Tilt angles come from elsewhere now; those that were typed into the table are void.
    """

    changed = Signal()
    angles_chosen = Signal()

    def __init__(self) -> None:
        super().__init__("Geometry")
        self._table_path = ""
        self.angle_source = QComboBox()
        self.angle_source.addItems(["as in the files", "even steps", "from a table file"])
        self.angle_source.setToolTip("Where the tilt angles come from.")
        self.start = number_box(_START, -180, 180, "°", "Tilt angle of the first image.")
        self.step = number_box(_STEP, -90, 90, "°", "Angle from one image to the next.")
        self.table_button = QPushButton(_CHOOSE)
        self.table_button.setToolTip("A .rawtlt, .tlt, .csv, .mdoc or .mat file with the angles.")
        self.pixel_size = number_box(
            0,
            0,
            1e6,
            "nm",
            "Edge of a pixel; overrides what the files say.",
            decimals=4,
            step=0.1,
            word_at_low="as in the files",
        )
        self.axis = QComboBox()
        self.axis.addItem("as in the files", None)
        self.axis.addItem("vertical (y)", "y")
        self.axis.addItem("horizontal (x)", "x")
        self.axis.setToolTip("Direction of the tilt axis in the images.")
        for widget in (self.angle_source, self.axis):
            ignore_wheel(widget)
        self.even, self.table = QWidget(), QWidget()
        for page, rows in (
            (self.even, (("First angle", self.start), ("Step", self.step))),
            (self.table, (("Table", self.table_button),)),
        ):
            inner = QFormLayout(page)
            inner.setContentsMargins(0, 0, 0, 0)
            for title, widget in rows:
                inner.addRow(title, widget)
        form = QFormLayout()
        form.addRow("Tilt angles", self.angle_source)
        more = QFormLayout()
        more.addRow("Pixel size", self.pixel_size)
        more.addRow("Tilt axis", self.axis)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        for page in (self.even, self.table):
            layout.addWidget(page)
        layout.addLayout(more)
        self.angle_source.currentIndexChanged.connect(self._source_changed)
        self.table_button.clicked.connect(self._choose_table)
        for spin in (self.start, self.step):
            spin.valueChanged.connect(self._angles_changed)
        self.pixel_size.valueChanged.connect(lambda _: self.changed.emit())
        self.axis.currentIndexChanged.connect(lambda _: self.changed.emit())
        self._show_rows()

    def given(self) -> Parameters:
        """Return what `io.read` is given beside the path."""
        given: Parameters = {}
        source = self.angle_source.currentIndex()
        if source == _EVEN:
            given |= {"start_deg": self.start.value(), "step_deg": self.step.value()}
        elif source == _TABLE and self._table_path:
            given["angles_deg"] = self._table_path
        if self.pixel_size.value() > 0:
            given["pixel_size_nm"] = self.pixel_size.value()
        if self.axis.currentData() is not None:
            given["tilt_axis"] = self.axis.currentData()
        return given

    def reset(self) -> None:
        """Take everything as it is in the files, without emitting anything."""
        with QSignalBlocker(self):
            self._table_path = ""
            self.table_button.setText(_CHOOSE)
            self.angle_source.setCurrentIndex(_FROM_FILE)
            self.start.setValue(_START)
            self.step.setValue(_STEP)
            self.pixel_size.setValue(0)
            self.axis.setCurrentIndex(0)

    def ask_for_angles(self) -> None:
        """Offer even steps where the files hold no angles, and nothing else was chosen."""
        if self.angle_source.currentIndex() == _FROM_FILE:
            self.angle_source.setCurrentIndex(_EVEN)

    def _source_changed(self) -> None:
        self._show_rows()
        if self.angle_source.currentIndex() != _TABLE or self._table_path:
            self._angles_changed()

    def _angles_changed(self) -> None:
        self.angles_chosen.emit()
        self.changed.emit()

    def _choose_table(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Table of tilt angles", "", "Angles (*.rawtlt *.tlt *.txt *.csv *.mdoc *.mat)"
        )
        if path:
            self._table_path = path
            self.table_button.setText(Path(path).name)
            self._angles_changed()

    def _show_rows(self) -> None:
        source = self.angle_source.currentIndex()
        self.even.setVisible(source == _EVEN)
        self.table.setVisible(source == _TABLE)
