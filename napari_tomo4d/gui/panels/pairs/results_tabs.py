"""What is seen of the measured pairs in the panel: section and numbers, table, growth laws."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QScrollArea, QTabWidget, QVBoxLayout, QWidget

from napari_tomo4d.gui import theme
from napari_tomo4d.gui.panels.pairs.measured_pair import Found
from napari_tomo4d.gui.panels.pairs.numbers_box import NumbersBox
from napari_tomo4d.gui.panels.pairs.rows_box import RowsBox
from napari_tomo4d.gui.panels.pairs.section_view import NO_PAIR, SectionBox
from napari_tomo4d.measure.necks.follow import row_of
from napari_tomo4d.measure.quantities import NO_GROWTH


class ResultsBox(QTabWidget):
    """Three pages: the section with its numbers, the table, the growth laws."""

    def __init__(self) -> None:
        super().__init__()
        self.section, self.numbers, self.rows = SectionBox(), NumbersBox(), RowsBox()
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
        self.show_nothing()

    def show_found(self, found: Found, title: str, more: str) -> None:
        """Show a measurement; `more` is a further remark, or empty."""
        if found.picture is None:
            self.section.clear_all(f"{title}: no contact")
        else:
            self.section.show_section(found.picture, title)
        self.numbers.show_row(row_of(found.neck))
        notes = [*found.neck.flags, more] if more else list(found.neck.flags)
        self.remarks.setText("Remark: " + "; ".join(notes) if notes else "")
        self.remarks.setVisible(bool(notes))

    def show_nothing(self) -> None:
        """Show that no pair is looked at."""
        self.section.clear_all(NO_PAIR)
        self.numbers.show_row(None)
        self.remarks.hide()

    def show_growth(self, lines: Sequence[str]) -> None:
        """Show what the growth laws say."""
        text = "\n\n".join(lines)
        self.growth.setText(text or NO_GROWTH)
