"""Make the picture in the README: the sample experiment, reconstructed, in 3D.

python docs/make_screenshot.py docs/images/napari-tomo4d.png
"""

from __future__ import annotations

import sys
import time

import napari
from qtpy.QtWidgets import QApplication

from napari_tomo4d.gui.app import add_panels, close_notices, use_icon


def main(path: str) -> None:
    """Drive the panels as a person would and save the window."""
    viewer = napari.Viewer(title="napari-tomo4d")
    use_icon()
    viewer.window.resize(1280, 800)
    panels = add_panels(viewer)
    load, reconstruct = panels["Load"], panels["Reconstruct"]

    def wait(busy) -> None:
        time.sleep(0.3)
        while busy():
            QApplication.processEvents()
            time.sleep(0.02)

    load.load_sample()
    wait(lambda: load.run_bar.runner.running)
    reconstruct.bring_to_front()
    reconstruct.preparation.subtract.setChecked(True)
    reconstruct.forms.currentWidget().set_values({"iterations": 20, "thickness": 96})
    reconstruct.slice.setValue(82)
    wait(lambda: reconstruct.busy)
    reconstruct.run_bar.run_button.click()
    wait(lambda: reconstruct.run_bar.runner.running)
    wait(lambda: reconstruct.busy)
    viewer.dims.set_current_step(0, 5)
    viewer.dims.ndisplay = 3
    viewer.layers[-1].contrast_limits = (0.005, 0.12)
    viewer.layers[-1].colormap = "inferno"
    viewer.scene.camera.angles = (2, 25, 155)
    viewer.scene.camera.zoom *= 1.3
    close_notices()
    end = time.monotonic() + 1
    wait(lambda: time.monotonic() < end)
    viewer.window.screenshot(path, canvas_only=False, flash=False)
    for panel in panels.values():
        panel.close_work()
    viewer.close()


if __name__ == "__main__":
    main(sys.argv[1])
