"""What can be done now, and why not: said by every button in the same way."""

from __future__ import annotations

from qtpy.QtWidgets import QWidget


def allow(widget: QWidget, tip: str, reason: str = "") -> None:
    """Enable a widget, or disable it and say why.

    Parameters
    ----------
    widget : QWidget
    tip : str
        What it does, as its tooltip says.
    reason : str
        Why it can't be used, which the tooltip says instead; empty if it can.
    """
    widget.setEnabled(not reason)
    widget.setToolTip(reason or tip)
