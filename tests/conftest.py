"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


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
