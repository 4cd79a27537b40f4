"""Random chains of steps with random legal arguments, arrays included."""

from __future__ import annotations

from typing import Any

import numpy as np

import napari_tomo4d as t4
from napari_tomo4d.data import Labels, Table, TiltSeries, Volume, at_time, is_series, times_of
from napari_tomo4d.errors import RecipeError, Tomo4DError
from napari_tomo4d.parameters import Parameter
from napari_tomo4d.pipeline import (
    get_step,
    recipe_from,
    run_recipe,
    run_step,
    steps_of,
    write_recipe,
)
from napari_tomo4d.progress import Progress
from napari_tomo4d.registry import Step
from napari_tomo4d.segment import Delete, Edits, Merge, Paint, Renumber

IDENTICAL, NOT_RUN = "identical", "the step refused its arguments"

# small enough for hundreds of runs
_LIMITS = {
    "iterations": (1, 5),
    "thickness": (8, 24),
    "subsets": (1, 4),
    "rounds": (1, 2),
    "factor": (1, 2),
    "y_start": (0, 4),
    "x_start": (0, 4),
    "y_stop": (16, 24),
    "x_stop": (16, 28),
    "axis_shift_px": (-2, 2),
    "shift_px": (-2, 2),
    "rotation_deg": (-3, 3),
    "opening_px": (0, 1.5),
    "closing_px": (0, 1.5),
    "smoothing_px": (0, 2),
    "min_diameter_px": (0, 4),
    "background_px": (3, 10),
    "margin_px": (0, 4),
    "maximum": (0.5, 50),
    "relaxation": (0.2, 1.5),
    "weight": (0.001, 0.5),
    "sigma": (0.1, 5),
    "frame": (1, 2),
    "references": (1, 3),
    "seed": (0, 99),
}


class Impatient(Progress):
    """Finishes after some reports."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._left = after

    def show(self, *_: Any) -> None:
        self._left -= 1
        if self._left <= 0:
            self.finish()


def random_input(rng: np.random.Generator) -> dict[str, Any]:
    """Return the recipe's input: a small experiment, now and then with frames."""
    return {
        "simulate": "sintering",
        "n_times": int(rng.integers(1, 3)),
        "shape": [20, 24, 28],
        "tilt_step_deg": float(rng.choice([10.0, 14.0])),
        "frames_per_tilt": int(rng.choice([1, 1, 1, 3])),
        "tilt_axis": str(rng.choice(["y", "x"])),
        "seed": int(rng.integers(1000)),
    }


def random_value(p: Parameter, rng: np.random.Generator) -> Any:
    if p.param.choices:
        quick = [c for c in p.param.choices if c not in ("bm3d", "bm4d", "measured")]
        return str(rng.choice(quick))
    if p.type is bool:
        return bool(rng.integers(2))
    low = p.param.minimum if p.param.minimum is not None else 0.0
    high = p.param.maximum if p.param.maximum is not None else low + 10
    low, high = _LIMITS.get(p.name, (low, min(high, low + 10)))
    if p.type is int:
        return int(rng.integers(int(low), int(high) + 1))
    if p.type is float:
        return float(rng.uniform(low, high))
    return p.default


def random_arguments(step: Step, item: Any, rng: np.random.Generator) -> dict[str, Any]:
    """Return some of a step's arguments at random; the others keep their defaults."""
    given: dict[str, Any] = {}
    for p in step.parameters.values():
        if p.required or (not p.param.file and rng.random() < 0.4):
            given[p.name] = random_value(p, rng)
    if step.reconstructs:
        given.setdefault("iterations", int(rng.integers(1, 5)))
        if "weight" in step.parameters:
            given.setdefault("weight", 0.05)
        if "iterations" not in step.parameters:
            del given["iterations"]
        _add_arrays(step, item, given, rng)
    if step.name == "preprocess.subtract_background" and rng.random() < 0.5:
        first = at_time(item, 0)
        given["particles"] = rng.random((len(first), *first.image_shape)) > 0.7
    if step.name == "segment.correct":
        given["edits"] = _random_edits(item, rng)
    return given


def _add_arrays(step: Step, item: Any, given: dict[str, Any], rng: np.random.Generator) -> None:
    first = at_time(item, 0)
    width = first.image_shape[1 if first.tilt_axis == "y" else 0]
    shape = (given.get("thickness") or width, *first.image_shape)
    if rng.random() < 0.4:
        mask = np.asfortranarray(rng.random(shape) > 0.1)
        given["support"] = [mask, Labels(mask.astype(np.int32)), Volume(mask * 2.0)][
            rng.integers(3)
        ]
    together = step.together
    if rng.random() < 0.4:
        weights = [float(w) for w in rng.uniform(0.2, 1, len(first))]
        one: Any = weights if rng.random() < 0.5 else np.asarray(weights, np.float32)
        given["tilt_weights"] = [one for _ in times_of(item)] if together else one
    if "initial" in step_arguments(step) and rng.random() < 0.3:
        start = Volume(rng.random(shape, np.float32), first.pixel_size_nm)
        given["initial"] = [start for _ in times_of(item)] if together else start


def step_arguments(step: Step) -> tuple[str, ...]:
    from napari_tomo4d.parameters import arguments_of

    return arguments_of(step.function)


def _random_edits(item: Any, rng: np.random.Generator) -> Edits:
    labels = [int(v) for v in np.unique(np.asarray(at_time(item, 0).data)) if v] or [1]
    shape = at_time(item, 0).data.shape
    where = np.unique(rng.integers(0, shape, (20, 3)), axis=0)
    edits = [
        Paint(0, where, rng.integers(0, 4, len(where))),
        Renumber(0, labels[0], labels[0] + 40),
        Delete(0, labels[-1]),
    ]
    if len(labels) > 2:
        edits.insert(0, Merge(0, labels[0], labels[1]))
    return Edits(edits[: int(rng.integers(1, len(edits) + 1))])


def random_chain(rng: np.random.Generator) -> tuple[Any, list[str]]:
    """Run a chain on a simulated experiment; return the result and the steps that ran.

    Raises
    ------
    Tomo4DError
        If a step refuses what it is given.
    """
    given = random_input(rng)
    del given["simulate"]
    experiment, _ = t4.simulate.sintering(**given)
    item: Any = experiment if rng.random() < 0.8 else experiment[-1]
    length, names = int(rng.integers(1, 5)), []
    wanted = rng.choice(["any", "volume", "labels"])
    for i in range(length):
        kind = type(at_time(item, 0))
        steps = [
            s
            for s in steps_of(takes=kind)
            if not any(p.param.file and p.required for p in s.parameters.values())
        ]
        if not is_series(item):
            steps = [
                s
                for s in steps
                if s.name
                not in ("reconstruct.joint_4d", "align.align_times", "segment.follow_particles")
            ]
        if i < length - 1:
            steps = [s for s in steps if s.gives is not Table]
            if wanted != "any":
                onward = [s for s in steps if s.gives is not s.takes]
                steps = onward if onward and rng.random() < 0.7 else steps
        step = steps[rng.integers(len(steps))]
        if kind is TiltSeries and max(at_time(item, 0).frames_per_tilt) > 1 and rng.random() < 0.8:
            step = get_step("preprocess.average_frames")
        progress = Impatient(int(rng.integers(1, 12))) if rng.random() < 0.1 else None
        item = run_step(step.name, item, random_arguments(step, item, rng), progress)
        names.append(step.name)
        if rng.random() < 0.1:
            item = at_time(item, 0)
        # something else than a step meddles
        if rng.random() < 0.05 and isinstance(item, (TiltSeries, Volume)):
            item = _meddled(item)
    return item, names


def _meddled(item: Any) -> Any:
    if isinstance(item, TiltSeries):
        return item.replace(dose_e_per_nm2=123.0)
    return Volume(np.asarray(item.data) * 2, item.pixel_size_nm, provenance=item.provenance)


def repeated(seed: int, folder: Any) -> tuple[str, list[str]]:
    """Run a random chain, save its recipe and run that; return how it went, and the steps.

    Raises
    ------
    AssertionError
        If the recipe gives anything else than the session.
    """
    rng = np.random.default_rng(seed)
    try:
        result, names = random_chain(rng)
    except Tomo4DError as error:
        return f"{NOT_RUN}: {type(error).__name__}", []
    path = folder / f"chain_{seed}.toml"
    try:
        write_recipe(recipe_from(result), path)
    except RecipeError as error:
        return f"refused: {error}", names
    again = run_recipe(path)
    assert_same(result, again)
    return IDENTICAL, names


def assert_same(one: Any, other: Any) -> None:
    """Assert that two results are equal to the last bit."""
    assert type(one) is type(other)
    if isinstance(one, Table):
        assert one.frame.equals(other.frame)
        return
    assert len(times_of(one)) == len(times_of(other))
    for a, b in zip(times_of(one), times_of(other), strict=True):
        assert a.pixel_size_nm == b.pixel_size_nm
        if isinstance(a, TiltSeries):
            np.testing.assert_array_equal(a.angles_deg, b.angles_deg)
            assert (a.tilt_axis, a.axis_shift_px) == (b.tilt_axis, b.axis_shift_px)
            assert a.dose_e_per_nm2 == b.dose_e_per_nm2
            for tilt in range(len(a)):
                np.testing.assert_array_equal(a.images[tilt], b.images[tilt])
        else:
            np.testing.assert_array_equal(np.asarray(a.data), np.asarray(b.data))
