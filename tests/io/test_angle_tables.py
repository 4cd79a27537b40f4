"""Tables of tilt angles, each read as its writer meant it, or refused with what to do."""

from __future__ import annotations

import numpy as np
import pytest

from napari_tomo4d.errors import ReadError, Tomo4DWarning
from napari_tomo4d.io import read_angles


@pytest.fixture
def table(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "t.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


@pytest.mark.parametrize(
    ("text", "angles"),
    [
        ("angle,dose\n-60,1\n-40,1\n0,1\n", [-60, -40, 0]),
        ("tilt\tdose\n-60,5\t1,5\n-40,5\t3\n0\t4,5\n", [-60.5, -40.5, 0]),
        ("sep=;\nimage;angle\n1;-60,5\n2;-40,5\n3;0\n", [-60.5, -40.5, 0]),
        ("image,angle,dose\n,deg,e/A2\n1,-60,1\n2,-40,2\n3,0,3\n", [-60, -40, 0]),
        ('"image","angle"\n"1","-60,5"\n"2","0,5"\n', [-60.5, 0.5]),
        ("\u221260.5\n\u221240.5\n0\n20\n", [-60.5, -40.5, 0, 20]),
        ("-60°\n-40°\n0°\n", [-60, -40, 0]),
        ("order,angle\n3,-60\n1,0\n2,60\n", [-60, 0, 60]),
        ("image,angle\n3,-60\n1,0\n2,60\n", [0, 60, -60]),
        ("tilt axis angle,tilt angle\n85,-60\n85,0\n85,60\n", [-60, 0, 60]),
        ("alpha,beta\n-60,1\n0,2\n60,3\n", [-60, 0, 60]),
        ("angle (rad),angle (deg)\n-1.05,-60\n0,0\n1.05,60\n", [-60, 0, 60]),
        ("angle_rad\n-1.0471976\n0\n1.0471976\n", [-60, 0, 60]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.filterwarnings("ignore::napari_tomo4d.errors.Tomo4DWarning")
def test_read_as_meant(table, text, angles, encoding):
    np.testing.assert_allclose(read_angles(table(text, encoding)), angles, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("-60,1\n-40,1\n0,1\n", "as one column with decimal commas or as two columns"),
        ("1 60 0\n2 40 3\n3 20 6\n", "may be column 2 or column 3"),
        ("0\n1\n2\n3\n", "counts from 0 to 3"),
        ("1e5\n1\n2\n", "holds 100000, which is no tilt angle"),
        ("-60\n-40\nx\n0\n", "'x' in line 3 is no number"),
        ("-60 1\n-40 1\n-20\n", "1 columns in line 3 but 2 in the others"),
        ("angle\n", "holds no tilt angles"),
        ("12\n12\n12\n", "says 12 degrees for all 3 images"),
    ],
)
def test_refused_with_the_reason(table, text, words):
    with pytest.raises(ReadError, match=words):
        read_angles(table(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("-60,5\n-40,5\n0,0\n", "taken as decimal commas: -60,5"),
        ("1 -60\n2 -40\n3 0\n", "no heading; its column 2 was taken"),
        ("60.5\n40.5\n2", "last line of t.csv is shorter"),
        ("image,angle\n3,-60\n1,0\n2,60\n", "put in the order of its column 'image'"),
    ],
)
def test_what_was_taken_is_told(table, text, words):
    with pytest.warns(Tomo4DWarning, match=words):
        read_angles(table(text))
