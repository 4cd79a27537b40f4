"""A step is described once, in the line above its function."""

from __future__ import annotations

import pytest

import napari_tomo4d as t4
from napari_tomo4d.data import Labels, TiltSeries, Volume
from napari_tomo4d.pipeline import STEPS, read_recipe, steps_of
from napari_tomo4d.provenance import RENAMED, Provenance
from napari_tomo4d.registry import step


def test_a_step_has_the_name_of_its_function():
    assert len(STEPS) > 30
    for name, entry in STEPS.items():
        stage, _, function = name.partition(".")
        assert getattr(getattr(t4, stage), function) is entry.function
        assert entry.function.__name__ == function
        assert entry.function.__module__.startswith(f"napari_tomo4d.{stage}.")


def test_another_name_than_the_functions_is_refused():
    def bin(series: TiltSeries) -> TiltSeries:
        return series

    with pytest.raises(TypeError, match="name of its function, bin"):
        step("preprocess.binning", title="Bin", takes=TiltSeries, gives=TiltSeries)(bin)
    with pytest.raises(TypeError, match=r"'preprocess\.bin' already"):
        step("preprocess.bin", title="Bin", takes=TiltSeries, gives=TiltSeries)(bin)
    assert STEPS["preprocess.bin"].function is t4.preprocess.bin


def test_steps_come_in_the_order_of_the_data():
    stages = [s.stage for s in steps_of()]
    order = ["preprocess", "denoise", "align", "reconstruct", "segment", "measure"]
    assert list(dict.fromkeys(stages)) == order
    made = {s.name for s in steps_of(takes=TiltSeries, gives=Volume)}
    assert made == {s.name for s in steps_of("reconstruct")}
    assert [s.title for s in steps_of(takes=Volume, gives=Labels)] == [
        "Classify voxels",
        "Threshold",
    ]


def test_names_of_earlier_recipes_are_read(tmp_path):
    path = tmp_path / "old.toml"
    path.write_text(
        'schema_version = 1\n[input]\npath = "a.mrc"\n[[steps]]\nstep = "align.apply"\n'
        'path = "shifts.json"\n[[steps]]\nstep = "align.translations"\n'
    )
    names = [name for name, _ in read_recipe(path).steps]
    assert names == ["align.apply_file", "align.align_series"]
    assert set(RENAMED.values()) <= set(STEPS) and not set(RENAMED) & set(STEPS)
    old = {"schema_version": 1, "step": "segment.clean", "inputs": [{"step": "read"}]}
    assert [p.step for p in Provenance.from_dict(old).chain()] == ["read", "segment.clean_mask"]
