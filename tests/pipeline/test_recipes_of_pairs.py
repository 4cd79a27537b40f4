"""From images to pairs of particles: what a session measured, its recipe measures again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import napari_tomo4d as t4
from napari_tomo4d.gui.panels.pairs.model import PairsModel, measure_pair
from napari_tomo4d.measure import follow_pairs, measure_pairs, read_table
from napari_tomo4d.measure.necks.contacts import suggest_pairs
from napari_tomo4d.pipeline import read_recipe, recipe_from, run_recipe, run_steps, write_recipe
from napari_tomo4d.progress import Progress
from napari_tomo4d.segment import Delete, Edits, Paint, correct

pytestmark = pytest.mark.filterwarnings("ignore::napari_tomo4d.errors.Tomo4DWarning")

TO_VOLUMES = ("reconstruct.tv", {"iterations": 10, "weight": 0.05, "thickness": 32})
TO_PARTICLES = (
    ("segment.threshold_volumes", {}),
    ("segment.clean_mask", {}),
    ("segment.separate_particles", {}),
    ("segment.follow_particles", {}),
)


@pytest.fixture(scope="module")
def volumes():
    experiment, _ = t4.simulate.sintering(2, (32, 48, 48))
    return run_steps(experiment, [TO_VOLUMES])


@pytest.fixture(scope="module")
def labels(volumes):
    """Particles, corrected by hand."""
    found = run_steps(volumes, TO_PARTICLES)
    first = np.asarray(found[0].data)
    where = np.argwhere(first == int(first.max()))
    return correct(found, Edits([Paint(0, where[:3], 0), Delete(1, int(first.max()))]))


def again(table, folder):
    """Save the recipe of a table, read it and run it; check its files; return the table."""
    path = folder / "recipe.toml"
    write_recipe(recipe_from(table, "pairs.csv", report="report.html"), path)
    assert read_recipe(path).steps[-1][0] == "measure.measure_pairs"
    result = run_recipe(path)
    pd.testing.assert_frame_equal(read_table(folder / "pairs.csv"), result.frame, check_exact=True)
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert "reconstruct.tv" in report and "segment.correct" in report
    assert all(f"<h3>{pair}: " in report for pair in result.frame.pair.unique())
    return result


def test_from_images_to_pairs_and_a_report(labels, volumes, tmp_path):
    table = measure_pairs(labels, volumes=volumes)
    steps = [p.step for p in table.provenance.chain()]
    assert steps == [
        "simulate.sintering",
        TO_VOLUMES[0],
        *(name for name, _ in TO_PARTICLES),
        "segment.correct",
        "measure.measure_pairs",
    ]
    assert len(table.frame) >= 2 and (table.frame.neck_radius_nm_error > 0).any()
    pd.testing.assert_frame_equal(again(table, tmp_path).frame, table.frame, check_exact=True)


@pytest.mark.parametrize("which", ["of the labels", "none", "from elsewhere"])
def test_what_the_panel_measured_row_by_row(labels, volumes, tmp_path, which):
    chosen = {
        "of the labels": volumes,
        "none": None,
        # rougher, so that surfaces are known less well
        "from elsewhere": volumes.with_items(
            [t4.Volume(v.data + 0.2 * (v.data.max() * (v.data > 0)), 2.0) for v in volumes]
        ),
    }[which]
    model = PairsModel()
    # of a layer only the identity counts
    layer = type("Layer", (), {})()
    model.set_labels(layer, labels)
    model.set_volumes(chosen)
    model.set_suggestions(suggest_pairs(model.items, 0.0, Progress()))
    key = next(iter(model.suggestions.times))
    model.offer(measure_pair(model.items, model.surfaces, key, 0))
    model.add_suggested()
    for pair, times in model.rows.missing().items():
        others = [(*pair, t) for t in range(2) if t not in times]
        errors = model.surfaces.all()
        rows = follow_pairs(
            labels, pairs=[pair], leave_out=others, surface_uncertainty_nm=errors
        ).to_dict("records")
        model.rows.put(pair, rows)
    model.remove_rows([model.rows.places()[-1]])
    table = model.table()
    frame = again(table, tmp_path).frame
    pd.testing.assert_frame_equal(frame, table.frame, check_exact=True)
    # the error bars are those of the volumes that were chosen
    plain = measure_pairs(labels, volumes=chosen).frame
    column = "neck_radius_nm_error"
    one = frame.set_index(["a", "b", "time"])[column]
    pd.testing.assert_series_equal(plain.set_index(["a", "b", "time"])[column][one.index], one)
