"""Tables as files."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest

import napari_tomo4d as t4
from napari_tomo4d.errors import DataError, ReadError, WriteError
from napari_tomo4d.measure import tables


def ball_labels(gap_px: float = 14.0) -> t4.Labels:
    """Return two balls of radius 9 voxels, of 2.5 nm, and one away from them."""
    z, y, x = np.mgrid[:32, :32, :64]
    data = np.zeros(z.shape, np.int32)
    for label, centre in ((1, 14.0), (2, 14.0 + gap_px), (3, 54.0)):
        radius = 9 if label < 3 else 5
        ball = (z - 15.5) ** 2 + (y - 15.5) ** 2 + (x - centre) ** 2 < radius**2
        data[ball & ((data == 0) | (x > 14 + gap_px / 2))] = label
    return t4.Labels(data, 2.5)


@pytest.fixture(scope="module")
def pairs():
    labels = t4.TimeSeries([ball_labels(), ball_labels(24.0)], [0.1, 1 / 3], [300.0, 350.0])
    return t4.measure.follow_pairs(labels, pairs=[(1, 2), (1, 7)])


def test_every_table_comes_back_exactly(pairs, tmp_path):
    labels = ball_labels()
    assert pairs.remarks.str.contains("does not exist").any()
    assert pairs.neck_radius_nm.isna().any()
    every = {
        "pairs": pairs,
        "particles": t4.measure.particle_table(labels),
        "totals": t4.measure.totals(labels),
        "correlations": t4.measure.correlations(pairs),
        "odd": pd.DataFrame(
            {
                "time_s": [0.1 + 0.2, 1e-300, np.inf],
                "mine": [1, 2, 3],
                "remarks": ["", 'a,"b"', "é"],
            }
        ),
    }
    for name, table in every.items():
        path = tables.write_table(table, tmp_path / f"{name}.csv")
        pd.testing.assert_frame_equal(tables.read_table(path), table, check_exact=True)


def test_headings_have_units_and_are_unique(pairs, tmp_path):
    path = tables.write_table(pairs, tmp_path / "pairs.csv")
    first = path.read_text(encoding="utf-8").splitlines()[0].split(",")
    assert first[:4] == ["pair", "time point", "time (s)", "temperature (degC)"]
    assert "neck radius (nm)" in first and "neck radius uncertainty (nm)" in first
    known = tables.headers()
    assert len(set(known.values())) == len(known)
    measured = [pairs, t4.measure.particle_table(ball_labels()), t4.measure.correlations(pairs)]
    for name in {c for table in measured for c in table.columns}:
        unit = {"nm": "nm)", "nm2": "nm²)", "nm3": "nm³)", "s": "(s)", "c": "°C)", "deg": "(°)"}
        end = name.removesuffix("_error").rsplit("_", 1)[-1]
        if "_" in name and end in unit:
            assert known[name].endswith(unit[end]), name
        assert name in known


def test_times_are_counted_from_1_in_files_and_from_0_in_tables(pairs, tmp_path):
    path = tables.write_table(pairs, tmp_path / "pairs.csv")
    assert pd.read_csv(path)["time point"].tolist() == [1, 2, 1, 2]
    assert tables.read_table(path).time.tolist() == [0, 1, 0, 1]
    # files of before counted from 0
    path.write_text("time index,number,volume (nm^3),diameter (nm)\n0,3,8.5,2.5\n")
    old = tables.read_table(path)
    assert old.columns.tolist() == ["time", "label", "volume_nm3", "equivalent_diameter_nm"]
    assert old.time.tolist() == [0] and old.label.tolist() == [3]


def test_nothing_is_overwritten_or_left_half_written(pairs, tmp_path, monkeypatch):
    path = tables.write_table(pairs, tmp_path / "t.csv")
    before = path.read_bytes()
    with pytest.raises(WriteError, match="exists already"):
        tables.write_table(pairs[:1], path)

    def full(self, target):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", full)
        with pytest.raises(WriteError, match="No space left"):
            tables.write_table(pairs[:1], path, overwrite=True)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["t.csv"]
    tables.write_table(pairs[:1], path, overwrite=True)
    assert len(tables.read_table(path)) == 1
    with pytest.raises(WriteError, match="does not exist"):
        tables.write_table(pairs, tmp_path / "no" / "t.csv")


def test_wrong_input_is_said(tmp_path):
    with pytest.raises(DataError, match="expected to write"):
        tables.write_table([1, 2], tmp_path / "t.csv")
    with pytest.raises(DataError, match="same heading"):
        tables.write_table(pd.DataFrame({"a": [1], "particle a": [2]}), tmp_path / "t.csv")
    with pytest.raises(ReadError, match="can't be read"):
        tables.read_table(tmp_path / "missing.csv")
