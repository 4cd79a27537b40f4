"""The panel *Load*: files to a tilt series or a time series, complete and checked."""

from __future__ import annotations

from typing import Any

import napari
import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QFileDialog, QHBoxLayout, QLabel, QPushButton

from napari_tomo4d import io, simulate
from napari_tomo4d.data import AnyData
from napari_tomo4d.errors import MissingAnglesError
from napari_tomo4d.gui.panels.base import Panel
from napari_tomo4d.gui.panels.dose import dose_in_words
from napari_tomo4d.gui.panels.load.geometry_box import GeometryBox
from napari_tomo4d.gui.panels.load.model import (
    SAMPLE_IS_READY,
    LoadRequest,
    first_of,
    loaded_text,
    problem_of,
    rows_of_tilts,
    rows_of_times,
)
from napari_tomo4d.gui.panels.load.tables_box import TablesBox
from napari_tomo4d.gui.widgets.dose_box import DoseBox
from napari_tomo4d.gui.widgets.run_bar import RunBar
from napari_tomo4d.progress import Progress

_CANCELLED = "The files were not read to the end; choose them again."
_NOTHING = "No file chosen yet. You can also drop files onto the viewer."


class LoadPanel(Panel):
    """Choose files, see and correct what they say, load them."""

    title = "Load"
    sentence = (
        "Opens tilt series and time series, and lets you correct what the files say about "
        "angles, scale and times. Needs nothing; start here."
    )

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self._paths: tuple[str, ...] = ()
        # what was found in the files; None if they can't be read, or lack angles
        self._item: AnyData | None = None
        self._unreadable = ""
        self._angles_edited = self._times_edited = False
        self._looking = self._load_at_once = self._is_sample = False
        self._build_choice()
        self.geometry_box = GeometryBox()
        self.geometry_box.angles_chosen.connect(self._forget_typed_angles)
        self.geometry_box.changed.connect(self._look)
        self.tables_box = TablesBox()
        self.tables_box.angles_edited.connect(self._edit_angles)
        self.tables_box.times_edited.connect(self._edit_times)
        self.dose_box = DoseBox()
        self.dose_box.changed.connect(self._update)
        self.average = QCheckBox("Average frames, undoing drift")
        self.average.setToolTip(
            "Makes one image per tilt, which a reconstruction needs. Unticked, all frames are kept."
        )
        self.average.setChecked(True)
        for widget in (self.geometry_box, self.tables_box, self.dose_box, self.average):
            self.body.addWidget(widget)
        self.run_bar = RunBar("Load into viewer")
        self.run_bar.clicked.connect(self._load)
        self.run_bar.runner.finished.connect(self._finished)
        self.run_bar.runner.failed.connect(self._failed)
        self.run_bar.runner.cancelled.connect(lambda: self._failed(_CANCELLED))
        self.foot.addWidget(self.run_bar)
        self.body.addStretch()
        self._show_item()

    def _build_choice(self) -> None:
        row = QHBoxLayout()
        for text, slot, tip in (
            ("Files...", self._choose_files, "One file, or one file per tilt or per time point."),
            ("Folder...", self._choose_folder, "A folder with one file per tilt or time point."),
            ("Sample", self.load_sample, "Simulates nanoparticles sintering at 350 °C."),
        ):
            button = QPushButton(text)
            button.setToolTip(tip)
            button.clicked.connect(lambda _=False, s=slot: s())
            row.addWidget(button)
        self.body.addLayout(row)
        self.summary = QLabel(_NOTHING)
        self.summary.setWordWrap(True)
        self.summary.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.body.addWidget(self.summary)

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

    def choose(self, paths: list[str], load: bool = False) -> None:
        """Look into files and show what they say.

        Parameters
        ----------
        paths : list of str
        load : bool
            Load them too, if nothing is missing.
        """
        self._load_at_once = load
        self._take_up(tuple(str(p) for p in paths))
        self._look()

    def _take_up(self, paths: tuple[str, ...], is_sample: bool = False) -> None:
        """Begin with other files: nothing that was said of the last ones is kept."""
        self._paths, self._item, self._is_sample = paths, None, is_sample
        self._unreadable = ""
        self._angles_edited = self._times_edited = False
        self.geometry_box.reset()
        self.dose_box.set_given(None)
        self.average.setChecked(True)
        self._show_item()

    def load_sample(self) -> None:
        """Simulate the sample experiment and load it."""
        self._take_up((), is_sample=True)
        self._looking = False
        self.run_bar.start(lambda progress: simulate.sintering(progress=progress)[0])

    # -- what is said about the files --------------------------------------------------------

    def _request(self) -> LoadRequest:
        """Return what is to be loaded, with all that was typed."""
        request = LoadRequest(
            self._paths, self.geometry_box.given(), self.dose_box.given, self.average.isChecked()
        )
        given = request.given
        if self._angles_edited:
            for name in ("start_deg", "step_deg"):
                given.pop(name, None)
            given["angles_deg"] = request.angles_per_image(self.tables_box.angles_deg, self._item)
        if self._times_edited:
            for name, values in (
                ("times_s", self.tables_box.times_s),
                ("temperatures_c", self.tables_box.temperatures_c),
            ):
                if not np.isnan(values).any():
                    given[name] = values.tolist()
        return request

    def _forget_typed_angles(self) -> None:
        self._angles_edited = False

    def _edit_angles(self) -> None:
        if np.isnan(self.tables_box.angles_deg).any():
            self.run_bar.say("Every tilt needs an angle in degrees.")
            return
        self._angles_edited = True
        self._look()

    def _edit_times(self) -> None:
        # files that say nothing of times are given them one by one
        problem = self.tables_box.times_problem
        if problem:
            self._update()
            self.run_bar.say(problem)
            return
        self._times_edited = True
        self._look()

    # -- looking and loading ---------------------------------------------------------------

    def _look(self) -> None:
        """Read the files with what is said about them, to show what comes of it."""
        if not self._paths:
            return
        request = self._request()

        def look(progress: Progress) -> object:
            progress.report(0, 1, "Looking into the files")
            try:
                return request.look()
            except MissingAnglesError as error:
                return error

        self._looking = True
        self.run_bar.start(look)

    def _load(self) -> None:
        self._looking = False
        self.run_bar.start(self._request().load)

    def _finished(self, result: Any, _seconds: float) -> None:
        if isinstance(result, MissingAnglesError):
            self._item, self._load_at_once = None, False
            self._unreadable = result.doubt or "The tilt angles are missing."
            self._show_item()
            self.run_bar.say(f"{result.n_images} images without tilt angles: choose them above.")
            self.geometry_box.ask_for_angles()
            return
        if not self._looking:
            layer = self.add_result(result)
            if self._is_sample:
                self._item = result
                self._show_item()
            self.run_bar.say(loaded_text(layer.name, result))
            return
        self._item, self._unreadable = result, ""
        self._show_item()
        self.run_bar.say("Check the numbers, then load.")
        if self._load_at_once:
            self._load_at_once = False
            self._load()

    def _failed(self, message: str) -> None:
        """Show nothing of what could not be read, so that nothing else is loaded instead."""
        if self._is_sample:
            self._take_up(())
        elif self._looking:
            self._item, self._load_at_once = None, False
            self._unreadable = message
            # what was typed may be the reason, and is there to be corrected
            typed = self._angles_edited or self._times_edited or self.tables_box.times_problem
            self._show_item(keep_tables=bool(typed))

    # -- showing ---------------------------------------------------------------------------

    def _show_item(self, keep_tables: bool = False) -> None:
        """Show what is known of the files, or of the sample."""
        item, fixed = self._item, SAMPLE_IS_READY if self._is_sample else ""
        if self._is_sample:
            known = item is not None
            self.summary.setText("Simulated sample: six times of particles sintering." * known)
        elif not self._paths:
            self.summary.setText(_NOTHING)
        elif item is None:
            self.summary.setText(f"{self._request().name}\n{self._unreadable}".strip())
        else:
            self.summary.setText(self._request().describe(item))
        if not keep_tables:
            half_typed = bool(self.tables_box.times_problem)
            self.tables_box.fill(rows_of_tilts(item), rows_of_times(item), fixed, half_typed)
        self._update()

    def _update(self) -> None:
        """Say what can be done now, and why not."""
        series = first_of(self._item)
        self.average.setVisible(series is not None and series.has_frames and not self._is_sample)
        fixed = SAMPLE_IS_READY if self._is_sample else ""
        for box in (self.geometry_box, self.dose_box):
            box.setEnabled(not fixed)
            box.setToolTip(fixed)
        size = None if series is None else series.pixel_size_nm
        self.dose_box.show_text(dose_in_words(series, size, self.dose_box.given))
        reason = fixed
        if not self._paths and not fixed:
            reason = "Choose files or a folder first."
        elif self._item is None:
            reason = reason or self._unreadable or "The files have not been read yet."
        elif not fixed:
            reason = self.tables_box.times_problem or problem_of(self._request(), self._item)
        self.run_bar.set_blocked(reason)
