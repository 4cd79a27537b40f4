"""Damaged files are refused in one sentence, or open with values that can be true."""

from __future__ import annotations

import pytest
from opening import Child, kind_and_file


@pytest.fixture(scope="module")
def child():
    result = Child()
    yield result
    result.close()


def test_smallest_file_of_each_fault(reference_data, child):
    folders = [f for f in sorted(reference_data("fuzz_cases").iterdir()) if f.is_dir()]
    assert len(folders) > 20
    faults = {}
    for folder in folders:
        kind, name = kind_and_file(folder)
        if fault := child.open(kind, folder, name):
            faults[folder.name] = fault
    assert not faults
