"""The panel *Load*: files to a tilt series or a time series, complete and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari
import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
)

from napari_tomo4d import io, simulate
from napari_tomo4d.data import TiltSeries, TimeSeries
from napari_tomo4d.dose import dose_e_per_nm2, electrons_per_pixel
from napari_tomo4d.errors import MissingAnglesError
from napari_tomo4d.gui.panels.base import Panel
from napari_tomo4d.gui.widgets.number_box import number_box
from napari_tomo4d.gui.widgets.run_bar import RunBar
from napari_tomo4d.gui.widgets.wheel import ignore_wheel
from napari_tomo4d.pipeline import run_step
from napari_tomo4d.progress import Progress

_FROM_FILE, _EVEN, _TABLE = range(3)


class LoadPanel(Panel):
    """Choose files, see and correct what they say, load them."""

    title = "Load"
    sentence = (
        "Opens tilt series and time series, and lets you correct what the files say about "
        "angles, scale and times. Needs nothing; start here."
    )

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self._paths: list[str] = []
        self._item: Any = None
        self._edited: set[str] = set()
        self._filling = False
        self._load_at_once = False
        self._build_choice()
        self._build_geometry()
        self._build_tables()
        self._build_dose()
        self.average = QCheckBox("Average frames, undoing drift")
        self.average.setToolTip(
            "Makes one image per tilt, which a reconstruction needs. Unticked, all frames are kept."
        )
        self.average.setChecked(True)
        self.body.addWidget(self.average)
        self.run_bar = RunBar("Load into viewer")
        self.run_bar.clicked.connect(self._load)
        self.run_bar.runner.finished.connect(self._finished)
        self.foot.addWidget(self.run_bar)
        self.body.addStretch()
        self._update()

    # -- building --------------------------------------------------------------------------

    def _build_choice(self) -> None:
        row = QHBoxLayout()
        for text, slot, tip in (
            ("Files...", self._choose_files, "One file, or one file per tilt or per time point."),
            ("Folder...", self._choose_folder, "A folder with one file per tilt or time point."),
            ("Sample", self.load_sample, "Simulates nanoparticles sintering at 350 °C."),
        ):
            button = QPushButton(text)
            button.setToolTip(tip)
            button.clicked.connect(slot)
            row.addWidget(button)
        self.body.addLayout(row)
        self.summary = QLabel("No file chosen yet. You can also drop files onto the viewer.")
        self.summary.setWordWrap(True)
        self.summary.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.body.addWidget(self.summary)

    def _build_geometry(self) -> None:
        self.geometry_box = QGroupBox("Geometry")
        form = QFormLayout(self.geometry_box)
        self.angle_source = QComboBox()
        self.angle_source.addItems(["as in the files", "even steps", "from a table file"])
        self.angle_source.setToolTip("Where the tilt angles come from.")
        self.start = number_box(-40, -180, 180, "°", "Tilt angle of the first image.")
        self.step = number_box(2, -90, 90, "°", "Angle from one image to the next.")
        self.table_button = QPushButton("Choose table...")
        self.table_button.setToolTip("A .rawtlt, .tlt, .csv, .mdoc or .mat file with the angles.")
        self._table_path = ""
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
        self.axis.addItems(["as in the files", "vertical (y)", "horizontal (x)"])
        self.axis.setToolTip("Direction of the tilt axis in the images.")
        for widget in (self.angle_source, self.axis):
            ignore_wheel(widget)
        form.addRow("Tilt angles", self.angle_source)
        form.addRow("First angle", self.start)
        form.addRow("Step", self.step)
        form.addRow("Table", self.table_button)
        self._geometry_form = form
        form.addRow("Pixel size", self.pixel_size)
        form.addRow("Tilt axis", self.axis)
        self.body.addWidget(self.geometry_box)
        self.angle_source.currentIndexChanged.connect(self._angle_source_changed)
        self.table_button.clicked.connect(self._choose_table)
        for spin in (self.start, self.step, self.pixel_size):
            spin.valueChanged.connect(self._given_changed)
        self.axis.currentIndexChanged.connect(self._given_changed)

    def _build_tables(self) -> None:
        self.tables = QTabWidget()
        self.tilt_table = _table("Angle (°)", "Frames")
        self.time_table = _table("Time (s)", "Temperature (°C)")
        self.tables.addTab(self.tilt_table, "Tilts")
        self.tables.addTab(self.time_table, "Times")
        self.tables.setMinimumHeight(170)
        self.tables.setToolTip("Double-click a number to correct it.")
        self.tilt_table.itemChanged.connect(lambda _: self._table_edited("angles"))
        self.time_table.itemChanged.connect(lambda _: self._table_edited("times"))
        self.body.addWidget(self.tables)

    def _build_dose(self) -> None:
        box = QGroupBox("Dose")
        form = QFormLayout(box)
        self.current = number_box(
            0,
            0,
            1e6,
            "pA",
            "Probe current; with the dwell time it gives the dose.",
            decimals=3,
            word_at_low="not given",
        )
        self.dwell = number_box(
            500, 1, 1e9, "ns", "Time the probe stays on each pixel.", decimals=1, step=10
        )
        self.dose = QLabel()
        self.dose.setWordWrap(True)
        form.addRow("Probe current", self.current)
        form.addRow("Dwell time", self.dwell)
        form.addRow(self.dose)
        for spin in (self.current, self.dwell):
            spin.valueChanged.connect(self._update_dose)
        self.body.addWidget(box)

    # -- choosing --------------------------------------------------------------------------

    def _choose_files(self) -> None:
        suffixes = " ".join(f"*{s}" for f in io.FORMATS for s in f.suffixes)
        files, _ = QFileDialog.getOpenFileNames(
            self, "Open tilt series", "", f"Tilt series and volumes ({suffixes});;All files (*)"
        )
        if files:
            self.choose(files)

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a folder of tilts or times")
        if folder:
            self.choose([folder])

    def _choose_table(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Table of tilt angles", "", "Angles (*.rawtlt *.tlt *.txt *.csv *.mdoc *.mat)"
        )
        if path:
            self._table_path = path
            self.table_button.setText(Path(path).name)
            self._given_changed()

    def choose(self, paths: list[str], load: bool = False) -> None:
        """Look into files and show what they say.

        Parameters
        ----------
        paths : list of str
        load : bool
            Load them too, if nothing is missing.
        """
        self._load_at_once = load
        self._paths = [str(p) for p in paths]
        self._edited.clear()
        self._table_path = ""
        self.table_button.setText("Choose table...")
        self._filling = True
        self.angle_source.setCurrentIndex(_FROM_FILE)
        self.pixel_size.setValue(0)
        self.axis.setCurrentIndex(0)
        self._filling = False
        self._look()

    def _given(self) -> dict[str, Any]:
        """Return what the user gives `read` beside the path."""
        given: dict[str, Any] = {}
        source = self.angle_source.currentIndex()
        if source == _EVEN:
            given |= {"start_deg": self.start.value(), "step_deg": self.step.value()}
        elif source == _TABLE and self._table_path:
            given["angles_deg"] = self._table_path
        if self.pixel_size.value() > 0:
            given["pixel_size_nm"] = self.pixel_size.value()
        if self.axis.currentIndex():
            given["tilt_axis"] = "yx"[self.axis.currentIndex() - 1]
        if "angles" in self._edited:
            given["angles_deg"] = self._edited_angles()
            for key in ("start_deg", "step_deg"):
                given.pop(key, None)
        if "times" in self._edited:
            times = _column(self.time_table, 0)
            temperatures = _column(self.time_table, 1)
            if not np.isnan(times).any():
                given["times_s"] = times.tolist()
            if not np.isnan(temperatures).any():
                given["temperatures_c"] = temperatures.tolist()
        return given

    def _edited_angles(self) -> list[float]:
        angles = _column(self.tilt_table, 0)
        one_file = len(self._paths) == 1 and not Path(self._paths[0]).is_dir()
        if one_file and self._item is not None:
            # a file of frames needs an angle for each of its images
            angles = np.repeat(angles, _first(self._item).frames_per_tilt)
        return angles.tolist()

    def _path(self) -> Any:
        return self._paths[0] if len(self._paths) == 1 else self._paths

    def _look(self) -> None:
        path, given = self._path(), self._given()

        def look(progress: Progress) -> Any:
            progress.report(0, 1, "Looking into the files")
            try:
                return "looked", io.read(path, **given)
            except MissingAnglesError as error:
                return "looked", error

        self.run_bar.start(look)

    def load_sample(self) -> None:
        """Simulate the sample experiment and load it."""
        self._paths = []

        def make(progress: Progress) -> Any:
            return "loaded", simulate.sintering(progress=progress)[0]

        self.run_bar.start(make)

    def _load(self) -> None:
        path, given = self._path(), self._given()
        average = self.average.isChecked()
        dose = self._dose_per_image()

        def load(progress: Progress) -> Any:
            item = io.read(path, **given)
            if dose is not None:
                item = _with_dose(item, *dose)
            if average and isinstance(_first(item), TiltSeries) and _first(item).has_frames:
                item = run_step("preprocess.average_frames", item, {}, progress)
            return "loaded", item

        self.run_bar.start(load)

    # -- showing ---------------------------------------------------------------------------

    def _finished(self, result: Any, _seconds: float) -> None:
        what, item = result
        if isinstance(item, MissingAnglesError):
            self._item = None
            self._fill_tables()
            self.summary.setText(self._names())
            self.run_bar.say(f"{item.n_images} images without tilt angles: choose them above.")
            if self.angle_source.currentIndex() == _FROM_FILE:
                self.angle_source.setCurrentIndex(_EVEN)
            self._update()
            return
        self._item = item
        self._fill_tables()
        self._update()
        if what == "looked":
            lines = [f"{k}: {_one_line(v)}" for k, v in io.describe_item(item).items()]
            self.summary.setText("\n".join([self._names(), *lines]))
            self.run_bar.say("Check the numbers, then load.")
            if self._load_at_once:
                self._load_at_once = False
                self._load()
            return
        layer = self.session.add(item)
        warnings = item.provenance.all_warnings() if item.provenance else []
        text = f"Loaded “{layer.name}”. Next: Clean."
        self.run_bar.say("\n".join([text, *(f"Note: {w}" for w in warnings)]))
        if not self._paths:
            self.summary.setText("Simulated sample: six times of particles sintering.")

    def _names(self) -> str:
        names = [Path(p).name for p in self._paths]
        return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"

    def _fill_tables(self) -> None:
        self._filling = True
        item = self._item
        first = None if item is None else _first(item)
        tilts: list[tuple[Any, ...]] = []
        if isinstance(first, TiltSeries):
            tilts = list(zip(first.angles_deg, first.frames_per_tilt, strict=True))
        _fill(self.tilt_table, tilts, editable=(True, False))
        times: list[tuple[Any, ...]] = []
        if isinstance(item, TimeSeries):
            empty = [None] * len(item)
            times = list(
                zip(
                    empty if item.times_s is None else item.times_s,
                    empty if item.temperatures_c is None else item.temperatures_c,
                    strict=True,
                )
            )
        _fill(self.time_table, times, editable=(True, True))
        self.tables.setTabEnabled(1, bool(times))
        self.tables.setTabText(0, f"{len(tilts)} tilts" if tilts else "Tilts")
        self.tables.setTabText(1, f"{len(times)} times" if times else "Times")
        self._filling = False
        self._update_dose()

    def _angle_source_changed(self) -> None:
        self._edited.discard("angles")
        self._update()
        if self.angle_source.currentIndex() != _TABLE or self._table_path:
            self._given_changed()

    def _given_changed(self) -> None:
        if self._filling or not self._paths:
            return
        self._look()

    def _table_edited(self, what: str) -> None:
        if self._filling:
            return
        column = self.tilt_table if what == "angles" else self.time_table
        if what == "angles" and np.isnan(_column(column, 0)).any():
            self.run_bar.say("Every tilt needs an angle in degrees.")
            return
        self._edited.add(what)
        self._given_changed()

    def _update(self) -> None:
        source = self.angle_source.currentIndex()
        for widget, shown in (
            (self.start, source == _EVEN),
            (self.step, source == _EVEN),
            (self.table_button, source == _TABLE),
        ):
            widget.setVisible(shown)
            self._geometry_form.labelForField(widget).setVisible(shown)
        frames = isinstance(self._item, TimeSeries | TiltSeries) and (
            isinstance(_first(self._item), TiltSeries) and _first(self._item).has_frames
        )
        self.average.setVisible(bool(frames))
        if not self._paths:
            self.run_bar.set_blocked("Choose files or a folder first.")
        elif self._item is None:
            self.run_bar.set_blocked("The tilt angles are missing.")
        else:
            self.run_bar.set_blocked("")

    # -- dose ------------------------------------------------------------------------------

    def _dose_per_image(self) -> tuple[float, float] | None:
        if self.current.value() <= 0:
            return None
        return self.current.value(), self.dwell.value()

    def _update_dose(self) -> None:
        given = self._dose_per_image()
        if given is None:
            self.dose.setText("Give the probe current to see the dose.")
            return
        text = f"{electrons_per_pixel(*given):.3g} electrons per pixel and image"
        first = _first(self._item) if self._item is not None else None
        if isinstance(first, TiltSeries) and first.pixel_size_nm:
            n_images = sum(first.frames_per_tilt)
            one = dose_e_per_nm2(*given, first.pixel_size_nm)
            text += (
                f"\n{one:.3g} e⁻/nm² per image, {one * n_images:.4g} e⁻/nm² for the series"
                f" of {n_images} images"
            )
        self.dose.setText(text)


def _first(item: Any) -> Any:
    return item[0] if isinstance(item, TimeSeries) else item


def _with_dose(item: Any, current_pa: float, dwell_ns: float) -> Any:
    if isinstance(item, TimeSeries):
        return item.with_items([_with_dose(i, current_pa, dwell_ns) for i in item])
    if not isinstance(item, TiltSeries) or item.pixel_size_nm is None:
        return item
    n_images = sum(item.frames_per_tilt)
    return item.replace(
        dose_e_per_nm2=dose_e_per_nm2(current_pa, dwell_ns, item.pixel_size_nm, n_images)
    )


def _one_line(value: str | list[str]) -> str:
    return value if isinstance(value, str) else " ".join(value)


def _table(*headers: str) -> QTableWidget:
    table = QTableWidget(0, len(headers))
    table.setHorizontalHeaderLabels(headers)
    table.horizontalHeader().setStretchLastSection(True)
    return table


def _fill(table: QTableWidget, rows: list[tuple[Any, ...]], editable: tuple[bool, ...]) -> None:
    table.setRowCount(len(rows))
    for r, row in enumerate(rows):
        for c, value in enumerate(row):
            cell = QTableWidgetItem("" if value is None else f"{value:.6g}")
            if not editable[c]:
                cell.setFlags(cell.flags() & ~Qt.ItemFlag.ItemIsEditable)
            table.setItem(r, c, cell)


def _column(table: QTableWidget, column: int) -> np.ndarray:
    """Return a column as numbers; NaN where there is none."""
    values = []
    for r in range(table.rowCount()):
        cell = table.item(r, column)
        try:
            values.append(float(cell.text().replace(",", ".")))
        except (AttributeError, ValueError):
            values.append(np.nan)
    return np.array(values)
