"""The numbers of one pair at one time: the published protocol and 3D side by side."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_tomo4d.gui.panels.pairs.section_view import DISTANCE_COLOUR, NECK_COLOUR
from napari_tomo4d.quantities import MISSING, Row, with_error

_ROWS = (
    ("Neck radius", "neck_radius_nm", "neck_radius_3d_nm", "nm", NECK_COLOUR),
    ("Distance", "distance_nm", "distance_3d_nm", "nm", DISTANCE_COLOUR),
)
_PROTOCOL_ONLY = (
    ("Particle radius", "radius_nm", "nm", ""),
    ("H/W", "aspect_ratio", "", "Height over width in the section, mean of both particles."),
    ("r<sub>n</sub>/r", "neck_ratio", "", "Neck radius over mean particle radius."),
    ("d/2r", "distance_ratio", "", "Distance over twice the mean particle radius."),
)
_TIP_PROTOCOL = (
    "As published: half the neck's length in the section where it is longest, and the distance "
    "of the centres of mass of the projected particles (Nanoscale 2023, 15, 10133)."
)
_TIP_3D = (
    "In three dimensions: radius of a circle with the area of the narrowest section across the "
    "pair, and the distance of the centres of mass."
)


class NumbersBox(QWidget):
    """A small table of values with their standard uncertainties."""

    def __init__(self) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(1)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)
        for column, (text, tip) in enumerate((("protocol", _TIP_PROTOCOL), ("3D", _TIP_3D)), 1):
            head = QLabel(f"<i>{text}</i>")
            head.setToolTip(tip)
            grid.addWidget(head, 0, column)
        self.values: dict[str, QLabel] = {}
        for row, (title, *keys, _, colour) in enumerate(_ROWS, 1):
            grid.addWidget(QLabel(f'<span style="color: {colour}">{title}</span>'), row, 0)
            for column, key in enumerate(keys, 1):
                grid.addWidget(self._value(key), row, column)
        rest = QGridLayout()
        rest.setVerticalSpacing(1)
        for i, (title, key, _, tip) in enumerate(_PROTOCOL_ONLY):
            name = QLabel(title)
            name.setToolTip(tip)
            rest.addWidget(name, i // 2, 2 * (i % 2))
            rest.addWidget(self._value(key), i // 2, 2 * (i % 2) + 1)
        rest.setColumnStretch(1, 1)
        rest.setColumnStretch(3, 1)
        grid.addLayout(rest, len(_ROWS) + 1, 0, 1, 3)

    def _value(self, key: str) -> QLabel:
        label = QLabel(MISSING)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.values[key] = label
        return label

    def show_row(self, row: Row | None) -> None:
        """Show a row of the table of pairs, or dashes."""
        units = {key: unit for _, *keys, unit, _ in _ROWS for key in keys}
        units |= {key: unit for _, key, unit, _ in _PROTOCOL_ONLY}
        for key, label in self.values.items():
            text = MISSING
            if row is not None:
                text = with_error(row[key], row.get(f"{key}_error"), units[key])
            label.setText(text)
