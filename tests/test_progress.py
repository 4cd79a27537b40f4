"""What a person reads of work that consists of parts."""

from __future__ import annotations

import pytest

from napari_tomo4d.errors import Cancelled
from napari_tomo4d.progress import Progress


class Heard(Progress):
    def __init__(self):
        super().__init__()
        self.all = []

    def show(self, done, total, message, preview):
        self.all.append((done / total, message))


def test_a_part_says_whose_it_is_once():
    heard = Heard()
    part = heard.part(1, 2, "SIRT")
    part.report(1, 4, "SIRT: iteration 1 of 4")
    part.report(2, 4, "choosing the weight")
    part.report(4, 4)
    assert heard.all == [
        (0.625, "SIRT: iteration 1 of 4"),
        (0.75, "SIRT: choosing the weight"),
        (1.0, "SIRT"),
    ]


def test_parts_hear_what_the_whole_is_asked():
    whole = Progress()
    part = whole.part(0, 2).part(0, 2)
    assert not part.finish_requested
    whole.finish()
    assert part.finish_requested
    whole.cancel()
    with pytest.raises(Cancelled):
        part.report(1, 2)
    with pytest.raises(Cancelled):
        whole.silent().check()
