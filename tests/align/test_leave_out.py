"""Tilts are left out with everything that belongs to them."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.errors import DataError, Tomo4DWarning
from napari_tomo4d.pipeline import run_step


def test_images_angles_and_metadata_go_together():
    images = [np.full((n, 4, 5), 10.0 * k) for k, n in enumerate((1, 3, 2, 2))]
    metadata = {
        "frames_averaged": [1, 3, 2, 2],
        "frame_shifts_px": [[[0, 0]], [[0, 0], [1, 1], [2, 2]], [[0, 0]], [[0, 0]]],
        "alignment": {"method": "reprojection", "quality": [0.1, 0.2, 0.3, 0.4]},
        "origin_px": [3, 4],
    }
    series = t4.TiltSeries(images, [-10, 0, 10, 20], metadata=metadata)
    with pytest.warns(Tomo4DWarning, match="Left out by hand: the tilts at 0, 20 deg"):
        left = run_step("align.leave_out", series, {"tilts": [1, 3]})
    assert left.angles_deg.tolist() == [-10, 10]
    assert left.frames_per_tilt == (1, 2)
    assert left.frames(1).mean() == 20
    assert left.metadata["frames_averaged"] == [1, 2]
    assert left.metadata["frame_shifts_px"] == [[[0, 0]], [[0, 0]]]
    assert left.metadata["alignment"] == {"method": "reprojection", "quality": [0.1, 0.3]}
    assert left.metadata["origin_px"] == [3, 4]
    assert left.provenance.step == "align.leave_out"


def test_too_many_or_unknown_tilts_are_refused():
    series = t4.TiltSeries(np.ones((3, 4, 5)), [0, 1, 2])
    with pytest.raises(DataError, match="At least two tilts"):
        run_step("align.leave_out", series, {"tilts": [0, 1]})
    with pytest.raises(DataError, match="counted from 0 to 2; 7"):
        run_step("align.leave_out", series, {"tilts": [7]})
    with pytest.raises(DataError, match="counted from 0 to 2; -1"):
        run_step("align.leave_out", series, {"tilts": [-1, 2]})
    with pytest.warns(Tomo4DWarning, match="the tilt at 1 deg"):
        run_step("align.leave_out", series, {"tilts": [1, 1]})
