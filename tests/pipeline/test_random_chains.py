"""A session and its recipe give the same arrays, or the recipe is refused with a reason."""

from __future__ import annotations

from collections import Counter

import pytest
from chains import IDENTICAL, NOT_RUN, repeated

pytestmark = pytest.mark.filterwarnings("ignore")

REASONS = ("finished early", "was changed after")


def run(seeds, folder):
    counts: Counter[str] = Counter()
    for seed in seeds:
        try:
            how, _ = repeated(seed, folder)
        except AssertionError as error:
            raise AssertionError(f"chain {seed}: {error}") from error
        counts[how] += 1
        if not how.startswith((IDENTICAL, NOT_RUN)):
            assert any(reason in how for reason in REASONS), f"chain {seed}: {how}"
    print(dict(counts))
    return counts


def test_thirty_random_chains_are_repeated_to_the_last_bit(tmp_path):
    counts = run(range(30), tmp_path)
    assert counts[IDENTICAL] >= 15


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_three_hundred_random_chains_are_repeated_to_the_last_bit(tmp_path):
    counts = run(range(100, 400), tmp_path)
    assert counts[IDENTICAL] >= 150
