"""The application is told to quit while work runs, as at the end of a session."""

from __future__ import annotations

import subprocess
import sys

import pytest

QUIT = """
import time
import napari
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication
from napari_tomo4d import simulate
from napari_tomo4d.gui.app import add_panels

def endless(progress):
    while True:
        progress.check()
        time.sleep(0.01)

viewer = napari.Viewer()
panel = add_panels(viewer)["Tilt axis"]
panel.session.add(simulate.sintering(n_times=2, shape=(16, 32, 32))[0])

def leave():
    # it draws on the canvas, shows a view of its own, and works
    assert panel.in_front and panel.view.isVisible() and panel.run_bar.runner.running
    print("leaving")
    QApplication.instance().quit()

def work():
    panel.bring_to_front()
    panel.run_bar.start(endless)
    QTimer.singleShot(1000, leave)

QTimer.singleShot(500, work)
napari.run()
print("ended")
"""


@pytest.mark.slow
def test_quitting_while_work_runs_ends_without_a_traceback():
    done = subprocess.run(
        [sys.executable, "-c", QUIT], capture_output=True, text=True, timeout=300, check=False
    )
    said = done.stdout + done.stderr
    assert done.stdout.split()[-2:] == ["leaving", "ended"], said
    assert done.returncode == 0 and "Traceback" not in said
