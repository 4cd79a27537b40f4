"""The foot of every panel: Run, Cancel, Finish now, a bar, and a status that stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_tomo4d.gui.work.runner import Runner
from napari_tomo4d.progress import Progress

_NOTES_SHOWN = 2


class RunBar(QWidget):
    """Buttons and status around a `Runner`.

    Parameters
    ----------
    label : str
        Text of the button that starts.
    can_finish : bool
        Whether the work is iterative and can be ended early with a result.
    """

    clicked = Signal()

    def __init__(self, label: str, can_finish: bool = False) -> None:
        super().__init__()
        self.runner = Runner(self)
        self.run_button = QPushButton(label)
        self.cancel_button = QPushButton("Cancel")
        self.finish_button = QPushButton("Finish now")
        self.cancel_button.setToolTip("Stops; nothing is kept and nothing is changed.")
        self.finish_button.setToolTip("Ends after this iteration and keeps the result so far.")
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.detail = QLabel()
        self.status = QLabel()
        for text in (self.detail, self.status):
            text.setWordWrap(True)
            # room for two lines from the start, so that nothing moves while it runs
            text.setMinimumHeight(2 * text.fontMetrics().lineSpacing())
            text.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._reason = ""

        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 2)
        buttons.addWidget(self.cancel_button, 1)
        if can_finish:
            buttons.addWidget(self.finish_button, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(buttons)
        for widget in (self.bar, self.detail, self.status):
            layout.addWidget(widget)

        self.run_button.clicked.connect(self.clicked)
        self.cancel_button.clicked.connect(self._cancel)
        self.finish_button.clicked.connect(self.runner.finish)
        self.runner.progressed.connect(self._show_progress)
        self.runner.finished.connect(lambda *_: self._update())
        self.runner.failed.connect(self._show_failure)
        self.runner.cancelled.connect(self._show_cancelled)
        self._update()

    def set_blocked(self, reason: str) -> None:
        """Disable the run button and say why in its tooltip; empty to enable it."""
        self._reason = reason
        self._update()

    def start(self, function: Callable[[Progress], object]) -> None:
        """Run a function in the background."""
        self.runner.start(function)
        self.bar.setValue(0)
        self.detail.setText("Starting...")
        self.forget()
        self._update()

    def say(self, text: str, notes: Sequence[str] = ()) -> None:
        """Show the last result's key numbers; stays until the next run ends.

        Parameters
        ----------
        text : str
        notes : sequence of str
            What else there is to say: the first two below the text, all in the tooltip.
        """
        lines = [text, *notes[:_NOTES_SHOWN]]
        if len(notes) > _NOTES_SHOWN:
            lines.append(f"... and {len(notes) - _NOTES_SHOWN} more; point here to read them.")
        self.status.setText("\n".join(lines))
        self.status.setToolTip("\n".join(notes))

    def forget(self) -> None:
        """Remove what a finished run has left, as it belongs to another input."""
        self.say("")

    def _update(self) -> None:
        running = self.runner.running
        self.run_button.setEnabled(not running and not self._reason)
        self.run_button.setToolTip("A run is under way." if running else self._reason)
        self.cancel_button.setEnabled(running)
        self.finish_button.setEnabled(running)
        self.bar.setVisible(running)
        # one place for both: what happens now, or what came of it
        self.detail.setVisible(running)
        self.status.setVisible(not running)

    def _cancel(self) -> None:
        self.detail.setText("Cancelling...")
        self.runner.cancel()

    def _show_progress(self, fraction: float, message: str, left: float) -> None:
        self.bar.setValue(round(1000 * fraction))
        rest = f", about {format_seconds(left)} left" if left >= 0 else ""
        self.detail.setText(f"{message}{rest}")

    def _show_failure(self, message: str) -> None:
        self.say(f"Error: {message}")
        self._update()

    def _show_cancelled(self) -> None:
        self.say("Cancelled; nothing was changed.")
        self._update()


def format_seconds(seconds: float) -> str:
    """Return a duration as a person would say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def format_bytes(n: float) -> str:
    """Return an amount of memory as a person would say it."""
    return f"{n / 1e9:.1f} GB" if n >= 1e9 else f"{max(1, round(n / 1e6))} MB"
