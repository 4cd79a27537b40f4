"""Buttons that write table, figures and report of the measured pairs."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_tomo4d.gui.panels.pairs.model import PairsModel
from napari_tomo4d.gui.widgets.allow import allow
from napari_tomo4d.gui.widgets.save_dialog import ask_folder, ask_where
from napari_tomo4d.progress import Progress


class SaveRow(QWidget):
    """Three buttons, each with its dialog.

    Parameters
    ----------
    model : PairsModel

    Signals
    -------
    wanted(work, said)
        ``work(progress)`` writes, and is to run in a thread; `said` tells of it afterwards.
    """

    wanted = Signal(object, str)

    def __init__(self, model: PairsModel) -> None:
        super().__init__()
        self._model = model
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._tips: dict[QPushButton, str] = {}
        self.table_button, self.figures_button, self.report_button = (
            self._add(layout, *words)
            for words in (
                (
                    "Save table...",
                    "Writes all rows and columns as CSV, units in the headings.",
                    self._save_table,
                ),
                (
                    "Save figures...",
                    "Writes the plots as SVG and PNG into a folder.",
                    self._save_figures,
                ),
                (
                    "Report...",
                    "Writes one HTML file with sections, tables, plots and growth laws.",
                    self._save_report,
                ),
            )
        )

    def _add(
        self, layout: QHBoxLayout, text: str, tip: str, clicked: Callable[[], None]
    ) -> QPushButton:
        button = QPushButton(text)
        self._tips[button] = tip
        button.clicked.connect(lambda _=False: clicked())
        layout.addWidget(button)
        return button

    def set_blocked(self, reason: str) -> None:
        """Disable the buttons and say why; empty to enable them."""
        for button, tip in self._tips.items():
            allow(button, tip, reason)

    def _save_table(self) -> None:
        from napari_tomo4d.measure.tables import write_table

        path = ask_where(self, "Save table", "pairs", "Table", ".csv")
        if not path:
            return
        table = self._model.frame()

        def work(_progress: Progress) -> object:
            return write_table(table, path, overwrite=True)

        self.wanted.emit(work, f"Saved {path}")

    def _save_figures(self) -> None:
        from napari_tomo4d.measure.report.figures import figure_files, save_figures

        table = self._model.frame()
        folder = ask_folder(self, "Save figures in", lambda folder: figure_files(table, folder))
        if not folder:
            return

        def work(_progress: Progress) -> object:
            return save_figures(table, folder, overwrite=True)

        self.wanted.emit(work, f"Saved figures in {folder}")

    def _save_report(self) -> None:
        from napari_tomo4d.measure.report.report import write_report

        path = ask_where(self, "Save report", "report", "Report", ".html")
        if not path:
            return
        table, labels, volumes = self._model.frame(), self._model.labels, self._model.volumes
        if labels is None:
            return

        def work(progress: Progress) -> object:
            return write_report(
                path, labels, table, volumes=volumes, overwrite=True, progress=progress
            )

        self.wanted.emit(work, f"Saved {path}")
