"""The project keeps its own rules: style, types, who imports whom, what is committed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        pytest.param(["mypy"], marks=pytest.mark.slow(reason="run.py check runs it too")),
        ["lint-imports"],
    ],
    ids=lambda c: " ".join(c),
)
def test_tool(command):
    folder = Path(sys.executable).parent
    program = shutil.which(command[0], path=str(folder))
    if program is None:
        pytest.skip(f"{command[0]} is installed with the extra test")
    done = subprocess.run(
        [program, *command[1:]], cwd=ROOT, capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_imports_go_in_a_circle():
    """Not even imports for type checking, which the contracts leave out."""
    import grimp

    graph = grimp.build_graph("napari_tomo4d")
    left = {m: set(graph.find_modules_directly_imported_by(m)) for m in graph.modules}
    # whatever imports nothing that is left is in no circle
    while done := {m for m, imported in left.items() if not imported}:
        left = {m: imported - done for m, imported in left.items() if m not in done}
    assert left == {}


def project_files():
    kept = {".py", ".toml", ".md", ".yaml", ".yml", ".svg", ""}
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if parts[0] in (".git", ".venv", "build", "screenshots") or not path.is_file():
            continue
        if path.suffix in kept and "cache" not in str(path):
            yield path


def test_no_file_holds_two_ideas():
    long = [
        p.name
        for p in project_files()
        if p.suffix == ".py" and len(p.read_text().splitlines()) > 520
    ]
    assert long == []


def test_no_address_of_a_package_index_and_no_path_of_one_machine():
    # put together, so that this file does not hold them itself
    forbidden = "|".join(["index" + "-url", "/simp" + "le/", "pypi" + r"\.org", "/ho" + "me/"])
    found = [p.name for p in project_files() if re.search(forbidden, p.read_text(errors="replace"))]
    assert found == []
    assert not list(ROOT.glob("*.lock"))


def test_top_level_is_as_designed():
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    if done.returncode:
        pytest.skip("this is not a git checkout")
    top = {line.split("/")[0] for line in done.stdout.splitlines()}
    assert {name for name in top if not name.startswith(".")} <= {
        "pyproject.toml",
        "napari_tomo4d",
        "tests",
        "icons",
        "docs",
        "README.md",
        "LICENSE",
        "run.py",
    }


def test_patterns_of_the_manifest_are_the_formats():
    import yaml

    from napari_tomo4d.io import FORMATS

    manifest = yaml.safe_load((ROOT / "napari_tomo4d" / "napari.yaml").read_text())
    patterns = manifest["contributions"]["readers"][0]["filename_patterns"]
    assert sorted(patterns) == sorted(f"*{s}" for f in FORMATS for s in f.suffixes)
    written = [f.written for f in sorted(FORMATS, key=lambda f: not f.whole) if f.writer]
    for writer in manifest["contributions"]["writers"]:
        assert writer["filename_extensions"] == written
