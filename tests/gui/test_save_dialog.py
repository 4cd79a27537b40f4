"""Where files are written: what is asked about is what is replaced."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from napari_tomo4d.align import shift_files
from napari_tomo4d.gui.widgets.save_dialog import ask_folder, ask_where


@pytest.fixture
def parent(qtbot):
    widget = QWidget()
    qtbot.addWidget(widget)
    return widget


@pytest.fixture
def asked(monkeypatch):
    """The questions that were put; all are answered with yes unless the list says otherwise."""
    questions = Questions()
    monkeypatch.setattr(QMessageBox, "question", lambda _parent, _title, text, *_: questions(text))
    return questions


class Questions(list):
    answer = QMessageBox.StandardButton.Yes

    def __call__(self, text):
        self.append(text)
        return self.answer


def typed(monkeypatch, path):
    """Have a path typed into the dialog, which does not ask by itself."""

    def choose(*given):
        assert given[-1] == QFileDialog.Option.DontConfirmOverwrite
        return str(path), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)


def test_the_question_names_the_file_that_is_written(parent, asked, monkeypatch, tmp_path):
    def where(*more):
        return ask_where(parent, "Save table", "pairs", "Table", ".csv", *more)

    (tmp_path / "a").write_text("not this")
    typed(monkeypatch, tmp_path / "a")
    assert where() == str(tmp_path / "a.csv") and not asked
    (tmp_path / "a.csv").write_text("this")
    assert where() == str(tmp_path / "a.csv")
    assert asked == [f"“a.csv” is in {tmp_path} already. It would be replaced. Go on?"]
    asked.answer = QMessageBox.StandardButton.No
    assert where() == ""
    typed(monkeypatch, tmp_path / "B.CSV")
    assert where() == str(tmp_path / "B.CSV")
    typed(monkeypatch, "")
    assert where() == "" and len(asked) == 2
    # several files for one name
    typed(monkeypatch, tmp_path / "a")
    (tmp_path / "a_time2.json").write_text("{}")
    files = (".json", lambda path: shift_files(path, 3))
    assert ask_where(parent, "Save", "a", "Alignment", *files) == ""
    assert asked[-1].startswith("“a_time2.json” is in")


def test_a_folder_that_would_be_replaced_is_called_one(parent, asked, monkeypatch, tmp_path):
    (tmp_path / "v.ome.zarr").mkdir()
    typed(monkeypatch, tmp_path / "v")
    volume = ("Reconstruct to", "volume", "OME-Zarr", ".ome.zarr")
    assert ask_where(parent, *volume) == str(tmp_path / "v.ome.zarr")
    assert "The folder, with all that it holds, would be replaced." in asked[0]
    typed(monkeypatch, tmp_path / "w.zarr")
    assert ask_where(parent, *volume) == str(tmp_path / "w.zarr")


def test_files_in_a_folder_are_asked_about(parent, asked, monkeypatch, tmp_path):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    names = [f"{k}.svg" for k in range(6)]

    def ask():
        return ask_folder(parent, "Save figures in", lambda folder: [tmp_path / n for n in names])

    assert ask() == str(tmp_path) and not asked
    for name in names:
        (tmp_path / name).write_text("")
    asked.answer = QMessageBox.StandardButton.No
    assert ask() == ""
    assert "“0.svg”, “1.svg”, “2.svg”, “3.svg” and 2 more. They would be replaced." in asked[0]
