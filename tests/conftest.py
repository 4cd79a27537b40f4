"""Fixtures and options shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import workers

ROOT = Path(__file__).resolve().parents[1]
_left_out = pytest.StashKey[int]()


def pytest_addoption(parser):
    """Add the option that asks for everything."""
    parser.addoption(
        "--slow",
        action="store_true",
        help="run the tests marked slow too: what repeats a truth at another size, in minutes",
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config, specs):
    """Give each worker that is about to start what it must not share."""
    for i, variables in enumerate(workers.settings_of_workers(config, len(specs))):
        words = [str(specs[i]), *(f"env:{name}={value}" for name, value in variables.items())]
        spec = type(specs[i])("//".join(words))
        spec.id = specs[i].id
        specs[i] = spec


def pytest_collection_modifyitems(config, items):
    """Leave out what is marked slow, unless it is asked for."""
    if config.getoption("--slow"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    config.stash[_left_out] = len(slow)
    if slow:
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)


def pytest_terminal_summary(terminalreporter, config):
    """Say how many slow tests were left out, and how to run them."""
    n = config.stash.get(_left_out, 0)
    if n:
        terminalreporter.write_line(
            f"{n} slow test{'s' if n > 1 else ''} left out; --slow adds them."
        )


@pytest.fixture(scope="session")
def reference_data():
    """Return a function that gives the path of a reference data set, or skips the test."""
    folder = Path(os.environ.get("TOMO4D_DATA", ROOT.parent / "shared" / "data"))

    def path(*parts: str) -> Path:
        result = folder.joinpath(*parts)
        if not result.exists():
            pytest.skip(
                f"the reference data {'/'.join(parts)} is not here; "
                "set TOMO4D_DATA to the folder that holds it"
            )
        return result

    return path
