"""Something that is shown or hidden by an arrow beside its title."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget


class Fold(QWidget):
    """A title with an arrow, and a content below it that may grow and shrink.

    superqt's QCollapsible gives its content a fixed height, in which a fold inside of it or a
    longer text is cut off.

    Parameters
    ----------
    title : str or QWidget
        A widget, such as a tick, stands beside the arrow.
    content : QWidget
        Hidden at first.
    """

    def __init__(self, title: str | QWidget, content: QWidget) -> None:
        super().__init__()
        self.content = content
        self.button = QToolButton()
        self.button.setAutoRaise(True)
        self.button.clicked.connect(lambda: self.set_open(not self.is_open))
        head = QHBoxLayout()
        head.addWidget(self.button)
        if isinstance(title, str):
            self.button.setText(title)
            self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        else:
            head.addWidget(title)
        head.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(head)
        layout.addWidget(content)
        self.set_open(False)

    @property
    def is_open(self) -> bool:
        """Whether the content is shown."""
        return not self.content.isHidden()

    def set_open(self, is_open: bool) -> None:
        """Show or hide the content."""
        self.content.setVisible(is_open)
        self.button.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        self.button.setToolTip("Hide the parameters." if is_open else "Show the parameters.")
