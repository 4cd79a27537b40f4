"""The report says what the table says, whole and in one file."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sintered import digitised_pair

import napari_tomo4d as t4
from napari_tomo4d import measure
from napari_tomo4d.errors import Cancelled, DataError, ParameterError, WriteError
from napari_tomo4d.measure.necks.section_image import FIRST, SECOND, in_plane
from napari_tomo4d.measure.report.pictures import pair_views, scale_bar_nm
from napari_tomo4d.measure.report.report import write_report
from napari_tomo4d.measure.tables import headers, read_table
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import Provenance


class Page(HTMLParser):
    """What a reader of the report sees: texts, tables, pictures, files to save."""

    def __init__(self, path):
        super().__init__()
        self.html = path.read_text(encoding="utf-8")
        self.text, self.tables, self.images, self.links, self.tags = "", [], [], {}, set()
        self.feed(self.html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        given = dict(attrs)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self.in_cell = True
        elif tag == "img":
            self.images.append(given["src"])
        elif tag == "a":
            self.links[given["download"]] = given["href"]

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.in_cell = False

    in_cell = False

    def handle_data(self, data):
        self.text += data
        if self.in_cell:
            self.tables[-1][-1][-1] += data

    def table(self, *headings):
        """Return the first table that has these headings."""
        for head, *rows in self.tables:
            if set(headings) <= set(head):
                return pd.DataFrame(rows, columns=head)
        raise AssertionError(f"no table with {headings}")

    def saved(self, name):
        data = base64.b64decode(self.links[name].split("base64,")[1])
        return read_table(io.BytesIO(data))


@pytest.fixture(scope="module")
def sample():
    """Return labels of two pairs at four times, the second lost once, and the last volume."""
    experiment, truth = t4.simulate.sintering(n_times=4, shape=(72, 96, 96))
    pixel = experiment.pixel_size_nm
    chain = Provenance(
        "segment.separate_particles",
        {"depth_px": 1.25, "name": "<b>bold</b>"},
        (Provenance("read", {"path": "a&b.mrc"}, warnings=("the tilt axis was assumed",)),),
        notes=("threshold 0.5 & smooth",),
        software="napari-tomo4d 9.9",
    )
    labels = []
    for t in range(4):
        data = truth.labels[t].data
        kept = (4, 5, 6, 7) if t != 1 else (4, 5, 7)
        data = np.where(np.isin(data, kept), data, 0).astype(np.int32)
        events = [{"time": 1, "event": "lost", "label": 6, "other": 0}] if t == 1 else []
        labels.append(t4.Labels(data, pixel, metadata={"events": events}, provenance=chain))
    return experiment.with_items(labels, "gold <1>"), truth.volumes[3]


@pytest.fixture(scope="module")
def page(sample, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    assert write_report(path, sample[0]) == path
    return Page(path)


def test_numbers_are_those_of_the_table(sample, page):
    table = measure.follow_pairs(sample[0])
    assert len(table) == 8
    pd.testing.assert_frame_equal(page.saved("pairs.csv"), table, check_exact=True)
    every = page.saved("totals.csv")
    pd.testing.assert_frame_equal(every, measure.totals(sample[0]), check_exact=True)
    shown = page.table("neck radius (nm)", "remarks")
    known = headers()
    compared = 0
    for name in ("neck_radius_nm", "distance_nm", "radius_nm", "neck_ratio", "distance_ratio"):
        for text, value, error in zip(
            shown[known[name]], table[name], table[f"{name}_error"], strict=True
        ):
            if np.isnan(value):
                assert text == "–"
                continue
            seen, bar = (float(p) for p in text.split(" ± "))
            # rounded to the second digit of the uncertainty, that is within a twentieth of it
            assert abs(seen - value) <= 0.05 * error
            assert abs(bar - error) <= 0.05 * error
            compared += 1
    assert compared == 5 * 7
    change = 100 * (every.surface_nm2.iloc[-1] / every.surface_nm2.iloc[0] - 1)
    assert change < -3
    assert f"The total surface changes by {change:+.1f} %" in page.text
    assert "4 particles and 2 necks at the beginning, 4 particles and 2 necks at the end" in (
        page.text
    )
    fit = measure.fit_growth(*(table[:4][c].to_numpy() for c in _FITTED))
    low = fit.exponent_interval[0]
    assert f"P1: n = {fit.exponent:.1f} ({low:.1f} to " in page.text
    assert page.saved("growth.csv").exponent[0] == fit.exponent
    rule = measure.correlations(table)
    pd.testing.assert_frame_equal(page.saved("correlations.csv"), rule, check_exact=True)
    assert (rule.verdict == "as expected").all()
    assert "in 2 of 2 pairs; no pair breaks this rule" in page.text


_FITTED = ("time_s", "neck_ratio", "neck_ratio_error")


def test_one_file_that_asks_for_nothing(page):
    assert not page.tags & {"script", "link", "iframe", "object"}
    assert "default-src 'none'" in page.html
    assert re.findall(r'(?:src|href)="(?!data:)', page.html) == []
    kinds = [i.split(";")[0] for i in page.images]
    assert kinds.count("data:image/svg+xml") == 5
    assert kinds.count("data:image/png") == 7
    for image in page.images:
        content = base64.b64decode(image.split("base64,")[1])
        if "svg" in image[:30]:
            assert ET.fromstring(content).tag.endswith("svg")
        else:
            assert content.startswith(b"\x89PNG")


def test_what_is_missing_is_a_dash_with_its_reason(page):
    lost = page.table("neck radius (nm)", "remarks").iloc[5]
    assert lost["time"] == "20 min"
    assert lost["remarks"] == "particle 6 does not exist at this time"
    assert set(lost[3:9]) == {"–"}
    assert "20 min: r_n = –, d = –; particle 6 does not exist at this time" in page.text
    assert "1 of 8 measurements came with a remark" in page.text
    happened = page.table("event")
    assert happened.iloc[0].tolist() == ["20 min", "lost", "6", "–"]


def test_where_it_comes_from_is_told_and_escaped(page):
    assert "1. read" in page.text and "2. segment.separate_particles" in page.text
    assert "<b>" not in page.html and "<1>" not in page.html
    values = [dict(rows[1:]) for rows in page.tables if rows[0] == ["parameter", "value"]]
    assert values[0]["path"] == "a&b.mrc"
    assert values[1] == {"depth_px": "1.25", "name": "<b>bold</b>"}
    assert "Warning: the tilt axis was assumed" in page.text
    assert "threshold 0.5 & smooth" in page.text
    assert "napari-tomo4d 9.9" in page.text
    assert t4.__version__ in page.text


def test_pictures_show_the_section_of_the_measurement(sample):
    labels, volume = sample
    found = measure.neck(labels[3], 4, 5)
    view, lost = pair_views(labels[3], [(4, 5), (4, 99)])
    assert lost is None
    picture = view.picture
    length = np.linalg.norm(np.diff(picture.neck_line, axis=0))
    # the fit starts from another corner of the volume, and ends within a fiftieth of a voxel
    near = 0.02 * labels.pixel_size_nm
    assert length / 2 == pytest.approx(found.neck_radius_nm, abs=near)
    wanted = np.diff(in_plane(found.section, found.section.centres_nm), axis=0)
    np.testing.assert_allclose(np.diff(picture.centres, axis=0), wanted, atol=near)
    columns = picture.image.shape[1]
    nm = picture.extent_nm[2] / columns
    column, row = ((picture.centres - picture.extent_nm[:2]) / nm).T.astype(int)
    assert picture.image[row, column].tolist() == [FIRST, SECOND]
    # in its section the pair is as high as two particles
    high = (picture.image > 0).any(axis=1).sum() * nm
    assert high == pytest.approx(2 * max(found.radii_nm), rel=0.1)
    grey = pair_views(labels[3], [(4, 5)], volume)[0].picture
    assert grey.grey
    inside, outside = (np.nanmean(grey.image[m]) for m in (picture.image > 0, picture.image == 0))
    assert inside > 0.9 and outside < 0.1


def test_a_scale_bar_is_round_and_about_a_quarter():
    for width, bar in ((400, 100), (390, 50), (81, 20), (3, 0.5), (9000, 2000)):
        assert scale_bar_nm(width) == pytest.approx(bar)


def test_one_time_and_particles_without_necks(sample, tmp_path):
    data, pixel = sample[0][3].data, sample[0].pixel_size_nm
    labels = t4.Labels(np.where(np.isin(data, (4, 5)), data, 0), pixel)
    path = write_report(tmp_path / "one.html", labels, volumes=sample[1], title="A & B")
    one = Page(path)
    assert "A & B" in one.text and "From the noise of the volumes" in one.text
    assert f"1 time point; voxels of {pixel:g} nm" in one.text
    assert len([i for i in one.images if "svg" in i[:30]]) == 1
    assert "Unclear" not in one.text
    alone = t4.Labels(np.where(data == 4, 4, 0), pixel)
    lonely = Page(write_report(tmp_path / "lonely.html", t4.TimeSeries([alone, alone])))
    assert "No particles touch at any time" in lonely.text
    assert "The times are not known" in lonely.text
    assert lonely.table("sphericity").shape[0] == 2
    assert "don't say how they were made" in lonely.text
    none = t4.Labels(np.zeros_like(alone.data), pixel)
    later = Page(write_report(tmp_path / "later.html", t4.TimeSeries([none, alone])))
    assert "0 particles and 0 necks at the beginning" in later.text
    assert "inf" not in later.text.lower().replace("information", "")


def test_a_surface_that_no_volume_tells_is_said(tmp_path):
    data, _ = digitised_pair(0.6, 9, (0, 0, 1))
    flat = t4.Volume(np.ones(data.shape, np.float32), 2.0)
    path = write_report(tmp_path / "flat.html", t4.Labels(data, 2.0), volumes=flat)
    assert "Half a voxel is taken instead" in Page(path).text


def test_the_table_that_is_given_is_used(tmp_path):
    data, _ = digitised_pair(0.6, 9, (0, 0, 1))
    labels = t4.TimeSeries([t4.Labels(data, 2.0)] * 3, [0.0, 60.0, 120.0])
    table = measure.follow_pairs(labels)
    table["neck_ratio"] = [0.4, 0.5, 0.6]
    table["distance_ratio"] = [0.90, 0.91, 0.92]
    # shrinks, but far less than free spheres would
    slow = table.assign(pair="P2", distance_ratio=[0.93, 0.929, 0.927])
    table = pd.concat([table, slow], ignore_index=True)
    shown = Page(write_report(tmp_path / "r.html", labels, table))
    assert "P1 (particles 1 and 2) breaks the rule: neck and distance change in the same" in (
        shown.text
    )
    assert "P2 (particles 1 and 2) breaks the rule: d/2r changes by -0.003, where two free" in (
        shown.text
    )
    pd.testing.assert_frame_equal(shown.saved("pairs.csv"), table, check_exact=True)
    # times that nobody knows are no seconds
    unknown = t4.TimeSeries([t4.Labels(data, 2.0)] * 2)
    shown = Page(write_report(tmp_path / "u.html", unknown))
    assert shown.table("neck radius (nm)")["time"].tolist() == ["time 1", "time 2"]
    assert "no pair could be fitted (the times are not known)" in shown.text
    assert " s " not in shown.table("number of necks").to_string()


def test_nothing_is_written_when_it_must_not_be(tmp_path):
    data, _ = digitised_pair(0.6, 9, (0, 0, 1))
    labels = t4.Labels(data, 2.0)
    path = tmp_path / "r.html"
    path.write_text("mine")
    with pytest.raises(WriteError, match="exists already"):
        write_report(path, labels)
    with pytest.raises(WriteError, match="does not exist"):
        write_report(tmp_path / "no" / "r.html", labels)

    class Impatient(Progress):
        def show(self, done, total, message, preview):
            if "Drawing" in message:
                self.cancel()

    with pytest.raises(Cancelled):
        write_report(path, t4.TimeSeries([labels] * 2), overwrite=True, progress=Impatient())
    assert path.read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]
    steps = []

    class Shown(Progress):
        def show(self, done, total, message, preview):
            steps.append(done / total)

    write_report(path, labels, overwrite=True, progress=Shown())
    assert steps == sorted(steps) and steps[-1] == 1


def test_what_does_not_belong_together_is_refused(tmp_path):
    data, _ = digitised_pair(0.6, 9, (0, 0, 1))
    labels = t4.Labels(data, 2.0)
    table = measure.follow_pairs([labels])
    path = tmp_path / "r.html"
    with pytest.raises(DataError, match="needs labels"):
        write_report(path, t4.Volume(data.astype(np.float32), 2.0))
    with pytest.raises(ParameterError, match="voxel size"):
        write_report(path, dataclasses.replace(labels, pixel_size_nm=None))
    with pytest.raises(DataError, match="labels of 1 times"):
        write_report(path, labels, table.assign(time=3))
    with pytest.raises(DataError, match="no column 'pair'"):
        write_report(path, labels, table.drop(columns="pair"))
    volume = t4.Volume(np.ones((4, 4, 4), np.float32), 2.0)
    with pytest.raises(DataError, match="shape"):
        write_report(path, labels, volumes=volume)
    with pytest.raises(DataError, match="volumes of 2"):
        write_report(path, labels, volumes=t4.TimeSeries([volume] * 2))
    assert not list(tmp_path.iterdir())
