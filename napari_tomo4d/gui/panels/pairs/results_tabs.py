"""What is seen of the measured pairs in the panel: section and numbers, table, growth laws."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QScrollArea, QTabWidget, QVBoxLayout, QWidget

from napari_tomo4d.gui import theme
from napari_tomo4d.gui.panels.pairs.model import Found, PairsModel
from napari_tomo4d.gui.panels.pairs.numbers_box import NumbersBox
from napari_tomo4d.gui.panels.pairs.rows_box import RowsBox
from napari_tomo4d.gui.panels.pairs.section_view import NO_PAIR, SectionBox
from napari_tomo4d.gui.widgets.messages import NO_GROWTH
from napari_tomo4d.measure.necks.follow import row_of


class ResultsTabs(QTabWidget):
    """Three pages: the section with its numbers, the table, the growth laws.

    Parameters
    ----------
    model : PairsModel
    """

    def __init__(self, model: PairsModel) -> None:
        super().__init__()
        self._model = model
        self.section, self.numbers, self.rows = SectionBox(), NumbersBox(), RowsBox(model)
        self.remarks, self.growth = QLabel(), QLabel()
        for text in (self.remarks, self.growth):
            text.setWordWrap(True)
        theme.set_text_colour(self.remarks, "warning")
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(3, 3, 3, 3)
        for widget in (self.section, self.numbers, self.remarks):
            layout.addWidget(widget)
        # a text that wraps leaves the tabs unsure of the height they need
        page.setMinimumHeight(
            self.section.sizeHint().height() + self.numbers.sizeHint().height() + 16
        )
        self.growth.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.growth.setMargin(6)
        self.growth.setToolTip(
            "Exponent n of (r_n/r)^n = x0^n + B t with its 95 % interval, and the mechanism where "
            "one has at least 90 % of the Akaike weight."
        )
        growth = QScrollArea()
        growth.setWidgetResizable(True)
        growth.setWidget(self.growth)
        self.addTab(page, "Section")
        self.addTab(self.rows, "Table")
        self.addTab(growth, "Growth law")
        model.looked_at_changed.connect(self._show)
        model.emptied.connect(self._empty)
        self._empty()

    def _empty(self) -> None:
        self._show()
        self.show_growth([])

    def _show(self) -> None:
        """Show what is looked at; while it is being measured, what was there before stays."""
        found = self._model.found
        if self._model.place is None:
            self._show_nothing(NO_PAIR)
        elif found is not None:
            self._show_found(found)

    def _show_found(self, found: Found) -> None:
        title = self._model.title
        if found.picture is None:
            self.section.clear_all(f"{title}: no contact")
        else:
            self.section.show_section(found.picture, title)
        self.numbers.show_row(row_of(found.neck))
        more = self._model.surfaces.note
        self._show_remarks([*found.neck.flags, *([more] if more else [])])

    def show_problem(self, text: str) -> None:
        """Show that what is looked at can't be measured, and why."""
        self._show_nothing(self._model.title)
        self._show_remarks([text])

    def _show_remarks(self, remarks: Sequence[str]) -> None:
        self.remarks.setText("Remark: " + "; ".join(remarks) if remarks else "")
        self.remarks.setVisible(bool(remarks))

    def _show_nothing(self, title: str) -> None:
        self.section.clear_all(title)
        self.numbers.show_row(None)
        self._show_remarks([])

    def show_growth(self, lines: Sequence[str]) -> None:
        """Show what the growth laws say."""
        text = "\n\n".join(lines)
        self.growth.setText(text or NO_GROWTH)
