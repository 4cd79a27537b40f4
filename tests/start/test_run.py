"""run.py on machines that lack something."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import run  # noqa: E402


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A project folder of its own, on a machine whose programs are only recorded."""
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    monkeypatch.setattr(run, "ROOT", str(tmp_path))
    monkeypatch.setattr(run, "VENV", str(tmp_path / ".venv"))
    monkeypatch.setattr(run, "STAMP", str(tmp_path / ".venv" / "stamp"))
    calls, answers = [], {}

    def fake(command, **_options):
        calls.append(command)
        if command[1:3] == ["-m", "venv"]:
            python = Path(run.venv_python())
            python.parent.mkdir(parents=True)
            python.touch()
        key = "pip" if "pip" in command else command[0]
        code, output = answers.get(key, (0, ""))
        return subprocess.CompletedProcess(command, code, stdout=output)

    monkeypatch.setattr(run.subprocess, "run", fake)
    return calls, answers


def test_only_the_standard_library_and_readable_by_old_pythons():
    tree = ast.parse((ROOT / "run.py").read_text(), feature_version=(3, 6))
    names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    assert {n.split(".")[0] for n in names} <= set(sys.stdlib_module_names)


def test_an_old_python_is_told():
    with pytest.raises(run.Stop, match=r"needs Python 3.11 or newer, and this is Python 3.8"):
        run.check_python((3, 8))
    run.check_python((3, 11))


def test_the_second_start_installs_nothing(machine):
    calls, _ = machine
    run.install(["all"])
    assert ["-m", "venv"] in [c[1:3] for c in calls]
    assert calls[-1][-1].endswith("[all]")
    n = len(calls)
    run.install(["all"])
    assert len(calls) == n


def test_tests_add_to_what_is_installed(machine):
    calls, _ = machine
    run.install(["all"])
    run.install(["all", "test"])
    assert calls[-1][-1].endswith("[all,test]")
    n = len(calls)
    run.install(["all"])
    assert len(calls) == n


def test_changed_requirements_are_installed(machine, tmp_path):
    calls, _ = machine
    run.install(["all"])
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'y'\n")
    n = len(calls)
    run.install(["all"])
    assert [("pip" in c) for c in calls[n:]] == [True]


def test_an_interrupted_installation_is_taken_up_again(machine):
    _calls, answers = machine
    answers["pip"] = (1, "Killed")
    with pytest.raises(run.Stop, match="installation failed:\nKilled"):
        run.install(["all"])
    assert not run.is_installed(["all"])
    answers.clear()
    run.install(["all"])
    assert run.is_installed(["all"])


def test_another_python_makes_a_new_environment(machine, tmp_path):
    _calls, _ = machine
    run.install(["all"])
    stamp = Path(run.STAMP)
    stamp.write_text(stamp.read_text().replace(sys.version.split()[0], "3.99.0"))
    (tmp_path / ".venv" / "old").touch()
    run.install(["all"])
    assert not (tmp_path / ".venv" / "old").exists()


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (
            "WARNING: Retrying after connection broken by 'NewConnectionError: "
            "Failed to establish a new connection: Network is unreachable'\n"
            "ERROR: No matching distribution found for hatchling",
            "check the network connection",
        ),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("error: something else", "installation failed"),
    ],
)
def test_pip_failures_are_explained(output, words):
    assert words in run.explain_pip(output)


def test_missing_system_libraries_without_root_are_named(monkeypatch):
    monkeypatch.setattr(run.sys, "platform", "linux")
    monkeypatch.setattr(run, "can_apt", lambda: False)
    monkeypatch.setattr(run, "missing_packages", lambda: ["libegl1"])
    monkeypatch.setattr(run.shutil, "which", lambda name: None)
    with pytest.raises(run.Stop) as stop:
        run.prepare_system(display=False)
    said = str(stop.value)
    assert "sudo apt-get install libegl1 xvfb xauth libgl1-mesa-dri" in said
    assert said.startswith("There is no display")


def test_as_root_they_are_installed(machine, monkeypatch):
    calls, _ = machine
    monkeypatch.setattr(run.sys, "platform", "linux")
    monkeypatch.setattr(run, "can_apt", lambda: True)
    monkeypatch.setattr(run, "missing_packages", lambda: ["libegl1"])
    run.prepare_system(display=True)
    assert [c[1] for c in calls] == ["update", "install"]
    assert calls[1][-1] == "libegl1"


def test_which_libraries_are_missing():
    assert run.missing_packages(lambda name: "there") == []
    assert run.missing_packages(lambda name: None if name == "EGL" else "there") == ["libegl1"]


def test_venv_module_missing(machine, monkeypatch):
    _, answers = machine
    answers[sys.executable] = (1, "The virtual environment was not created: ensurepip")
    monkeypatch.setattr(run, "can_apt", lambda: False)
    with pytest.raises(
        run.Stop, match=r"venv module is missing; install the package python3.*-venv"
    ):
        run.install(["all"])


def test_commands_without_a_window_need_no_screen(machine, monkeypatch):
    calls, started = machine[0], []
    monkeypatch.setattr(run, "has_display", lambda: False)
    monkeypatch.setattr(run.sys, "platform", "linux")
    monkeypatch.setattr(run, "missing_packages", lambda: ["libgl1"])
    monkeypatch.setattr(run.subprocess, "call", lambda c, **_: started.append(c) or 0)
    monkeypatch.setattr(run, "can_apt", lambda: True)
    assert run.start(["info", "a.mrc"]) == 0
    assert started == [[run.venv_python(), "-m", "napari_tomo4d.cli", "info", "a.mrc"]]
    assert not [c for c in calls if c[0] == "apt-get"]
    assert run.start(["open", "a.mrc"]) == 0
    assert [c for c in calls if c[0] == "apt-get"] and started[1][0] == "xvfb-run"


def test_screens():
    assert run.has_display({"DISPLAY": ":0"})
    assert not run.has_display({"DISPLAY": ""})
    command = run.with_screen(["python"], display=False)
    assert command == ["python"] or command[0] == "xvfb-run"
    assert run.venv_python(windows=True).endswith("python.exe")


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ([], True),
        (["--slow", "-x", "--durations=20"], True),
        (["tests/start"], False),
        (["-k", "axis"], False),
        (["-n", "3"], False),
        (["-n0"], False),
        (["--pdb"], False),
    ],
)
def test_workers_share_the_whole_suite_only(monkeypatch, arguments, wanted):
    monkeypatch.setattr(run.sys, "platform", "linux")
    monkeypatch.setattr(run.shutil, "which", lambda name: "/usr/bin/" + name)
    assert run.workers(arguments, 2) == (["-n", "2", *run.SHARES] if wanted else [])
    assert run.workers(arguments, 1) == []


def test_workers_need_a_screen_each(monkeypatch):
    monkeypatch.setattr(run.sys, "platform", "linux")
    monkeypatch.setattr(run.shutil, "which", lambda name: None)
    assert run.workers([], 8) == []
    monkeypatch.setattr(run.shutil, "which", lambda name: "/usr/bin/" + name)
    assert run.workers([], 64)[:2] == ["-n", "4"]
    monkeypatch.setattr(run.sys, "platform", "darwin")
    assert run.workers([], 8) == []


def test_check_runs_every_check_and_says_which_failed(machine, monkeypatch, capsys):
    calls, _ = machine
    monkeypatch.setattr(run.subprocess, "call", lambda command, cwd: "mypy" in command[0])
    assert run.main(["check"]) == 1
    assert calls[-1][-1].endswith("[all,dev]")
    said = capsys.readouterr().out
    assert said.endswith("Not right yet: types.\n")
    assert "documentation: mkdocs build --strict" in said


def test_help(capsys):
    assert run.main(["--help"]) == 0
    assert "python3 run.py test" in capsys.readouterr().out
