"""What is written is whole or not there, and nothing else is lost, whatever happens."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kill import WRITERS, killed_while_writing

import napari_tomo4d as t4
from napari_tomo4d import whole_files
from napari_tomo4d.errors import RecipeError, WriteError
from napari_tomo4d.whole_files import replacing, tidy

_FULL = r"could not be written: (File too large|the disk is full)"
STACK = np.random.default_rng(0).random((5, 12, 16), dtype=np.float32)
ANGLES = [-60, -30, 0, 30, 60]


def series(images=STACK, angles=ANGLES):
    return t4.TiltSeries(images, angles, 0.5, "y")


def volume(value=1.0):
    return t4.Volume(np.full((4, 5, 6), value, np.float32), 0.5)


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_told_and_leaves_what_was_there(tmp_path, name):
    """The system lets no file grow beyond some bytes, as on a full disk."""
    write, target = WRITERS[name], tmp_path / name
    write(target, 0)
    before = _content(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
    try:
        with pytest.raises(WriteError, match=_FULL):
            write(target, 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert _content(tmp_path) == before


def test_only_folders_that_the_program_wrote_are_replaced(tmp_path):
    foreign = tmp_path / "mine.zarr"
    foreign.mkdir()
    (foreign / "notes.txt").write_text("years of work")
    with pytest.raises(WriteError, match="was not written by this program"):
        t4.write(volume(), foreign, overwrite=True)
    ours = t4.write(volume(), tmp_path / "ours.zarr")
    (ours / "0" / "notes.txt").write_text("years of work")
    with pytest.raises(WriteError, match=r"did not write \(notes.txt\)"):
        t4.write(volume(), ours, overwrite=True)
    (ours / "0" / "notes.txt").unlink()
    t4.write(volume(2), ours, overwrite=True)
    assert t4.read(ours).data.max() == 2
    link = tmp_path / "link.zarr"
    link.symlink_to(ours)
    folder = tmp_path / "a.mrc"
    folder.mkdir()
    for target in (link, folder):
        with pytest.raises(WriteError, match="is a folder"):
            t4.write(volume(), target, overwrite=True)
    assert (foreign / "notes.txt").read_text() == "years of work"


def test_angles_beside_a_file_are_never_lost(tmp_path):
    angles = tmp_path / "tomo.rawtlt"
    angles.write_text("1\n2\n3\n")
    path = tmp_path / "tomo.mrc"
    t4.write(series(), path)
    assert t4.read(path, tilt_axis="y").angles_deg.tolist() == ANGLES
    path.unlink()
    with pytest.raises(WriteError, match="tomo.mrc.rawtlt exists already and is not replaced"):
        t4.write(series(angles=[-50, -20, 0, 20, 50]), path, overwrite=True)
    assert {p.name for p in tmp_path.iterdir()} == {"tomo.rawtlt", "tomo.mrc.rawtlt"}
    assert angles.read_text() == "1\n2\n3\n"
    # of a series of our own both are replaced
    ours = t4.write(series(), tmp_path / "ours.mrc")
    t4.write(series(angles=[-50, -20, 0, 20, 50]), ours, overwrite=True)
    np.testing.assert_allclose(t4.read(ours, tilt_axis="y").angles_deg, [-50, -20, 0, 20, 50])
    # the same angles are no question
    ours.unlink()
    t4.write(series(angles=[-50, -20, 0, 20, 50]), ours)


def test_a_protected_file_is_not_replaced(tmp_path, monkeypatch):
    path = t4.write(volume(1), tmp_path / "a.mrc")
    # the superuser may write anywhere, so the system's answer is made up
    monkeypatch.setattr("os.access", lambda asked, mode: Path(asked) != path or mode != os.W_OK)
    with pytest.raises(WriteError, match="a.mrc is write-protected"):
        t4.write(volume(2), path, overwrite=True)
    assert t4.read(path).data.max() == 1


def test_transforms_do_not_replace_the_angles_of_another_series(tmp_path):
    (tmp_path / "a.tlt").write_text("1\n2\n")
    shifts = t4.align.Alignment(np.ones((5, 2)))
    with pytest.raises(WriteError, match="a.tlt exists already with other angles"):
        t4.align.write_alignment(shifts, tmp_path / "a.xf", series())
    assert [p.name for p in tmp_path.iterdir()] == ["a.tlt"]


def test_a_recipe_replaces_in_its_own_folder_only(tmp_path):
    outside = tmp_path / "old.ome.zarr"
    t4.write(volume(7), outside)
    folder = tmp_path / "recipes"
    folder.mkdir()
    t4.write(volume(), folder / "v.ome.tif")
    recipe = folder / "recipe.toml"
    recipe.write_text(
        'schema_version = 2\n[input]\npath = "v.ome.tif"\n'
        '[output]\npath = "../old.ome.zarr"\noverwrite = true\n'
    )
    with pytest.raises(RecipeError, match="outside its folder"):
        t4.run_recipe(recipe)
    assert t4.read(outside).data.max() == 7


def test_an_error_of_tidying_up_does_not_hide_the_true_one(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)

    def fail():
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(WriteError, match="a.txt could not be written: No space left"):
        fail()


def test_leftovers_of_a_kill_are_ended(tmp_path):
    """A process that has ended is made up by its number."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    group = f"{whole_files._COMPUTER}-{process.pid}-0123abcd"
    t4.write(volume(2), tmp_path / "new.zarr")
    t4.write(volume(1), tmp_path / "gap.zarr")
    (tmp_path / "gap.zarr").rename(tmp_path / f".gap.zarr.tomo4d-{group}.old")
    (tmp_path / "new.zarr").rename(tmp_path / f".gap.zarr.tomo4d-{group}.ready")
    (tmp_path / f".half.mrc.tomo4d-{group[:-1]}e.new").write_bytes(b"half")
    (tmp_path / f".pair.mrc.tomo4d-{group[:-1]}f.new").write_bytes(b"half")
    (tmp_path / f".pair.rawtlt.tomo4d-{group[:-1]}f.ready").write_bytes(b"1")
    (tmp_path / f".s.mrc.rawtlt.tomo4d-{group[:-1]}0.ready").write_bytes(b"1")
    # of this process, which still writes, and of another computer
    running = tmp_path / f".x.mrc.tomo4d-{whole_files._COMPUTER}-{os.getpid()}-0123abcd.new"
    elsewhere = tmp_path / f".y.mrc.tomo4d-00000000-{process.pid}-0123abcd.new"
    for kept in (running, elsewhere):
        kept.write_bytes(b"half")
    assert t4.read(tmp_path / "gap.zarr").data.max() == 2
    # the angles of a file that was moved already follow it
    left = {"gap.zarr", "s.mrc.rawtlt", running.name, elsewhere.name}
    assert {p.name for p in tmp_path.iterdir()} == left
    # a folder is read whatever is left in it
    assert t4.read(tmp_path).data.max() == 2


def test_what_was_there_comes_back_if_nothing_else_is_left(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    t4.write(volume(3), tmp_path / "a.zarr")
    group = f"{whole_files._COMPUTER}-{process.pid}-0123abcd"
    (tmp_path / "a.zarr").rename(tmp_path / f".a.zarr.tomo4d-{group}.old")
    tidy(tmp_path)
    assert t4.read(tmp_path / "a.zarr").data.max() == 3


def test_killed_while_writing(tmp_path):
    assert killed_while_writing("a.ome.zarr", tmp_path / "0", 0) == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_killed_again_and_again(tmp_path, name):
    for seed in range(1, 6):
        assert killed_while_writing(name, tmp_path / str(seed), seed) == ""


def _content(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b""
        for p in sorted(folder.rglob("*"))
    }
