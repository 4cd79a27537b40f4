"""The foot of a panel and what it runs: what is said of a run, and work that can't be ended."""

from __future__ import annotations

import subprocess
import sys

from by_hand import wait_idle
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_tomo4d.gui.widgets.run_bar import RunBar


class Panel(QWidget):
    """A widget with a run bar."""

    def __init__(self):
        super().__init__()
        self.run_bar = RunBar("Run")
        QVBoxLayout(self).addWidget(self.run_bar)


def test_notes_of_a_run_are_gone_with_the_next_one(qtbot):
    panel = Panel()
    qtbot.addWidget(panel)
    bar = panel.run_bar
    bar.say("Done.", ["Note: first", "Note: second", "third", "fourth"])
    said = "Done.\nNote: first\nNote: second\n... and 2 more; point here to read them."
    assert bar.status.text() == said
    assert bar.status.toolTip() == "Note: first\nNote: second\nthird\nfourth"
    bar.say("Saved.")
    assert (bar.status.text(), bar.status.toolTip()) == ("Saved.", "")

    def fail(_progress):
        raise KeyError("angles")

    bar.say("Done.", ["Note: first"])
    bar.start(fail)
    assert bar.status.toolTip() == ""
    wait_idle(qtbot, panel)
    said = "Error: Something unexpected went wrong: 'angles'. See the log for details."
    assert (bar.status.text(), bar.status.toolTip()) == (said, "")


CLOSING = """
import sys, time
from qtpy.QtCore import QCoreApplication, QTimer
from napari_tomo4d.gui.work.runner import Runner
app = QCoreApplication([])
runner = Runner()
runner.start(lambda progress: time.sleep(1.5))
runner.drop()
runner.wait(50)
runner.deleteLater()
QTimer.singleShot(0, app.quit)
app.exec()
print("closed")
"""


def test_work_that_can_not_be_interrupted_does_not_end_the_process():
    """In a process of its own, as it was ended by Qt."""
    done = subprocess.run([sys.executable, "-c", CLOSING], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "closed\n"), done.stderr
