"""Nobody can change a data object: not through what it was given, nor through what it gives out."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import warnings

import dask.array as da
import numpy as np
import pandas as pd
import pytest

import napari_tomo4d as t4
from napari_tomo4d import immutable, pipeline, segment
from napari_tomo4d.data import Labels, Table, TiltSeries, Volume, at_time, kind_of, like, times_of
from napari_tomo4d.errors import NotEnoughMemoryError
from napari_tomo4d.immutable import frozen
from napari_tomo4d.preprocess import CorrectionMap
from napari_tomo4d.seals import fingerprint
from napari_tomo4d.segment.edits import Merge, Paint

ANGLES = np.arange(-60.0, 61, 15)


def random(*shape, dtype=np.float32):
    return (100 * np.random.default_rng(0).random(shape)).astype(dtype)


def arrays_of(item):
    """Every array in an object, by name."""
    found = {}
    for f in dataclasses.fields(item):
        value = getattr(item, f.name)
        parts = value if isinstance(value, tuple) else (value,)
        for i, part in enumerate(parts):
            if isinstance(part, np.ndarray):
                found[f"{f.name} {i}"] = part
    return found


def assert_sealed(item):
    """No array of an object, nor what lies under it, can be written to."""
    if isinstance(item, t4.TimeSeries):
        for one in item:
            assert_sealed(one)
    for name, array in arrays_of(item).items():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.setflags(write=True)
        while isinstance(array, np.ndarray):
            assert not array.flags.writeable, name
            array = array.base


KINDS = {
    "one image per tilt": (lambda a: TiltSeries(a, ANGLES), "images", (9, 6, 8)),
    "frames": (lambda a: TiltSeries(a, ANGLES), "images", (9, 2, 6, 8)),
    "volume": (Volume, "data", (6, 7, 8)),
    "labels": (Labels, "data", (6, 7, 8)),
}


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.uint8])
@pytest.mark.parametrize("kind", KINDS)
def test_writing_to_what_was_given_or_taken_out_changes_nothing(kind, dtype):
    make, name, shape = KINDS[kind]
    given = random(*shape, dtype=np.int32 if kind == "labels" else dtype)
    item = make(given)
    before = getattr(item, name).copy()
    given[...] = 7
    np.testing.assert_array_equal(getattr(item, name), before)
    assert given.flags.writeable
    assert_sealed(item)


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_could_be_written_to_is_copied(kind):
    make, name, shape = KINDS[kind]
    dtype = np.int32 if kind == "labels" else np.float32

    def shares(array):
        return np.shares_memory(getattr(make(array), name), array)

    assert shares(frozen(random(*shape, dtype=dtype)))
    # of an array that was handed over also any part
    assert shares(frozen(random(*shape, dtype=dtype))[:, ::-1])
    assert not shares(random(*shape, dtype=dtype))
    view = random(*shape, dtype=dtype)[:]
    view.setflags(write=False)  # but not the array below it
    assert not shares(view)
    buffer = bytearray(random(*shape, dtype=dtype).tobytes())
    below = np.frombuffer(buffer, dtype).reshape(shape)
    below.setflags(write=False)
    assert not shares(below)
    # an object made of another's array shares it
    first = make(random(*shape, dtype=dtype))
    second = dataclasses.replace(first, name="again")
    assert np.shares_memory(getattr(first, name), getattr(second, name))


def test_ragged_frames_are_sealed_each():
    parts = [random(n, 6, 8) for n in (1, 2, 1)]
    series = TiltSeries(parts, [0, 1, 2])
    parts[1][...] = 0
    assert series.frames(1).min() > 0 or series.frames(1).max() > 1
    assert_sealed(series)


@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_images_that_are_loaded_are_read_only_whatever_their_type(dtype):
    given = random(3, 6, 8, dtype=dtype)
    for images in (given, da.from_array(given, chunks=(1, 6, 8))):
        series = TiltSeries(images, [0, 1, 2])
        for loaded in (series.load(), series.image(1), series.frames(1)):
            with pytest.raises(ValueError, match="read-only"):
                loaded[...] = 0
    # the caller's own array is left as it was, also under Dask
    given[...] = 1


def test_files_mapped_for_writing_are_copied_and_others_shared(tmp_path):
    path = tmp_path / "voxels.npy"
    np.save(path, random(4, 5, 6))
    mapped = np.load(path, mmap_mode="r")
    assert np.shares_memory(Volume(mapped).data, mapped)
    writable = np.load(path, mmap_mode="r+")
    volume = Volume(writable)
    before = volume.data.copy()
    writable[...] = 0
    np.testing.assert_array_equal(volume.data, before)
    assert_sealed(volume)


def test_a_copy_that_does_not_fit_into_memory_is_refused(monkeypatch):
    import psutil

    memory = psutil.virtual_memory()._replace(available=10**6)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    array = np.zeros((100, 512, 512), np.float32)
    with pytest.raises(NotEnoughMemoryError, match="copy of this array would need 0.1 GB"):
        Volume(array)
    Volume(frozen(array))


def test_small_arrays_and_metadata_belong_to_the_object():
    angles, residuals, times = ANGLES.copy(), np.array([0.5, 0.1]), np.array([0.0, 1.0])
    metadata = {"origin_px": [1, 2], "alignment": {"shifts_px": [[0.0, 1.0]]}}
    series = TiltSeries(random(9, 6, 8), angles, metadata=metadata)
    volume = Volume(random(4, 5, 6), residuals=residuals, metadata=metadata)
    both = t4.TimeSeries([volume, volume], times, times)
    angles[0] = residuals[0] = times[0] = 0.25
    metadata["origin_px"].append(3)
    metadata["alignment"]["shifts_px"][0][0] = 9.0
    assert series.angles_deg[0] == -60
    assert volume.residuals[0] == 0.5
    assert both.times_s[0] == both.temperatures_c[0] == 0
    assert series.metadata == {"origin_px": [1, 2], "alignment": {"shifts_px": [[0.0, 1.0]]}}
    for item in (series, volume, both):
        assert_sealed(item)
    held = volume.metadata
    for attempt in (
        lambda: held.update(a=1),
        lambda: held.pop("origin_px"),
        lambda: held.__setitem__("a", 1),
        lambda: held["origin_px"].append(1),
        lambda: held["alignment"].clear(),
        lambda: held["alignment"]["shifts_px"][0].sort(),
    ):
        with pytest.raises(TypeError, match="can't be changed; make a copy"):
            attempt()
    assert volume.metadata == series.metadata


def test_a_table_gives_out_copies():
    given = pd.DataFrame({"radius_nm": [1.0, 2.0]})
    table = Table(given)
    given.loc[0, "radius_nm"] = 9
    taken = table.frame
    taken.loc[1, "radius_nm"] = 9
    taken["more"] = 0
    again = dataclasses.replace(table, name="again")
    for one in (table, again, copy.deepcopy(table), pickle.loads(pickle.dumps(table))):
        pd.testing.assert_frame_equal(one.frame, pd.DataFrame({"radius_nm": [1.0, 2.0]}))
    assert repr(again) == "<Table 'again': 2 rows, 1 columns>"


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda i: pickle.loads(pickle.dumps(i))]
)
def test_copies_and_objects_from_other_processes_are_sealed(again):
    series = TiltSeries(random(9, 6, 8), ANGLES, metadata={"a": [1, {"b": 2}]})
    ragged = TiltSeries([random(1, 4, 5), random(2, 4, 5)], [0, 1])
    volume = Volume(random(4, 5, 6), residuals=[0.5])
    for item in (series, ragged, volume, t4.TimeSeries([volume], [3.0])):
        got = again(item)
        assert_sealed(got)
        assert repr(got) == repr(item)
    got = again(series)
    assert got.metadata == series.metadata
    with pytest.raises(TypeError, match="can't be changed"):
        got.metadata["a"][1]["b"] = 3


HOLDS = [
    *((kind, ".ome.zarr") for kind in KINDS),
    *(
        (kind, s)
        for s in (".mrc", ".ome.tif")
        for kind in ("one image per tilt", "volume", "labels")
    ),
]


@pytest.fixture
def copies(monkeypatch):
    """The sizes of arrays that data objects copy."""
    sizes = []

    def copied(array):
        sizes.append(array.size)
        return frozen(np.array(array))

    monkeypatch.setattr(immutable, "copied", copied)
    return sizes


@pytest.mark.parametrize(("kind", "suffix"), HOLDS)
def test_what_is_read_is_sealed_without_a_copy(kind, suffix, tmp_path, copies):
    make, name, shape = KINDS[kind]
    item = make(frozen(random(*shape, dtype=np.int32 if kind == "labels" else np.float32)))
    path = t4.write(item, tmp_path / f"a{suffix}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got = t4.read(path, kind="labels" if kind == "labels" else None)
    assert_sealed(got)
    np.testing.assert_array_equal(getattr(got, name), getattr(item, name))
    assert not copies


# -- steps ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample():
    experiment, truth = t4.simulate.sintering(
        n_times=2, shape=(32, 40, 40), seed=0, max_tilt_deg=60, tilt_step_deg=10, frames_per_tilt=2
    )
    return experiment, truth


@pytest.fixture(scope="module")
def arguments(sample, tmp_path_factory):
    """What steps need that has no default, and what makes them quick."""
    folder = tmp_path_factory.mktemp("steps")
    experiment, truth = sample
    averaged = t4.preprocess.average_frames(experiment[0])
    shifts = t4.align.Alignment(np.full((len(averaged), 2), 0.5))
    t4.align.write_alignment(shifts, folder / "shifts.json")
    ny, nx = averaged.image_shape
    CorrectionMap(np.zeros((2, ny, nx), np.float32)).save(folder / "map.npz")
    strokes = np.zeros(truth.volumes[0].data.shape, np.int32)
    strokes[truth.labels[0].data > 0] = 2
    strokes[:2] = 1
    segment.PixelClassifier.train(truth.volumes[0], strokes, n_trees=3).save(folder / "c.npz")
    few = {"iterations": 2, "thickness": 12}
    return {
        "align.apply_file": {"path": str(folder / "shifts.json")},
        "align.leave_out": {"tilts": (1,)},
        "align.apply_axis": {"shift_px": 1.5},
        "align.set_tilt_axis": {"direction": "x"},
        "preprocess.set_pixel_size": {"pixel_size_nm": 0.5},
        "preprocess.set_dose": {"probe_current_pa": 50.0, "dwell_time_ns": 1000.0},
        "preprocess.correct_distortion": {"path": str(folder / "map.npz")},
        "preprocess.crop": {"y_start": 2, "x_stop": 30},
        "segment.classify_voxels": {"classifier": str(folder / "c.npz")},
        "segment.correct": {"edits": (Paint(0, np.array([[3, 3, 3]]), 99), Merge(1, 1, 2))},
        "reconstruct.wbp": {"thickness": 12},
        "reconstruct.dart": few | {"densities": (1.0,)},
        "reconstruct.tv": few | {"weight": 0.1},
        "reconstruct.joint_4d": few | {"weight": 0.1},
        **{f"reconstruct.{name}": few for name in ("cgls", "iser", "sirt", "os_sart")},
    }


def test_no_step_is_missed(arguments):
    assert set(arguments) <= set(pipeline.STEPS)


@pytest.mark.parametrize("name", sorted(pipeline.STEPS))
def test_a_step_changes_no_input_and_its_result_is_sealed(name, sample, arguments, copies):
    step = pipeline.get_step(name)
    experiment, truth = sample
    if step.takes is TiltSeries:
        item = experiment
        if "frame" not in name and "drift" not in name:
            item = item.with_items([t4.preprocess.average_frames(s) for s in item])
    else:
        item = truth.volumes if step.takes is Volume else truth.labels
        item = t4.TimeSeries(list(item), experiment.times_s)
    before = [a.copy() for one in item for a in arrays_of(one).values()]
    metadata = [copy.deepcopy(dict(one.metadata)) for one in item]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = item if step.together else item[0]
        result = step.function(given, **arguments.get(name, {}))
    pixels = min(
        np.prod(one.image_shape) if step.takes is TiltSeries else one.data.size for one in item
    )
    assert [n for n in copies if n >= pixels] == []
    for array, was in zip((a for i in item for a in arrays_of(i).values()), before, strict=True):
        np.testing.assert_array_equal(array, was)
    assert [dict(one.metadata) for one in item] == metadata
    if isinstance(result, Table):
        taken = result.frame
        taken["more"] = 0
        assert "more" not in result.frame
        return
    assert kind_of(result) is step.gives
    assert_sealed(result)


def test_one_thing_and_several_are_asked_in_the_same_way():
    volumes = [Volume(random(3, 4, 5), name=n) for n in "ab"]
    series = t4.TimeSeries(volumes, [0.0, 5.0], name="both")
    assert times_of(series) == tuple(volumes)
    assert times_of(volumes[0]) == (volumes[0],)
    assert at_time(series, 1) is volumes[1]
    assert at_time(volumes[0], 1) is volumes[0]
    assert kind_of(series) is kind_of(volumes[0]) is Volume
    masks = [Labels(v.data > 50) for v in volumes]
    made = like(series, masks)
    assert made.series == tuple(masks)
    assert (made.times_s == series.times_s).all()
    assert like(volumes[0], masks[:1]) is masks[0]
    with pytest.raises(ValueError, match="too many"):
        like(volumes[0], masks)


def test_a_view_that_is_still_writable_is_not_shared():
    """Whether an array is read-only says nothing of older views of it."""
    array = np.ones((3, 4, 5), np.float32)
    view = array[:]
    array.setflags(write=False)
    volume = Volume(array)
    view[0, 0, 0] = 9
    assert volume.data[0, 0, 0] == 1


def test_parts_of_one_mapped_file_have_seals_of_their_own(tmp_path):
    np.save(tmp_path / "v.npy", random(8, 4, 5))
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    first, second = Volume(mapped[:4]), Volume(mapped[4:])
    assert np.shares_memory(first.data, mapped)
    assert fingerprint(first) != fingerprint(second)
    assert fingerprint(first) == fingerprint(Volume(mapped[:4]))
