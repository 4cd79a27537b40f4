"""What README and documentation say can be done, is done."""

from __future__ import annotations

import re
import tomllib

import pages
import pytest

from napari_tomo4d.denoise import engines
from napari_tomo4d.io import formats
from napari_tomo4d.pipeline import read_recipe, steps_of
from napari_tomo4d.registry import STEPS
from napari_tomo4d.segment.threshold_methods import THRESHOLDS


@pytest.fixture
def same_afterwards(monkeypatch):
    """Take out of the program's tables what a page adds to them."""
    for table in (STEPS, THRESHOLDS, engines.ENGINES):
        for name, entry in list(table.items()):
            monkeypatch.setitem(table, name, entry)
    before = [dict(t) for t in (STEPS, THRESHOLDS, engines.ENGINES)]
    n_formats = len(formats.FORMATS)
    yield
    for table, content in zip((STEPS, THRESHOLDS, engines.ENGINES), before, strict=True):
        for name in set(table) - set(content):
            del table[name]
    del formats.FORMATS[n_formats:]


def with_code(language):
    return [
        pytest.param(page, id=page.stem) for page in pages.PAGES if pages.blocks(page, language)
    ]


@pytest.mark.parametrize("page", with_code("python"))
# what small, noisy examples make the program say
@pytest.mark.filterwarnings("ignore::napari_tomo4d.errors.Tomo4DWarning")
def test_python_of_a_page_runs(page, tmp_path, monkeypatch, same_afterwards):
    monkeypatch.chdir(tmp_path)
    names = pages.names_for(page, monkeypatch)
    for code in pages.blocks(page, "python"):
        # a panel needs a window; tests/gui opens it
        if "gui.panels" not in code:
            exec(compile(pages.smaller(code), str(page), "exec"), names)


@pytest.mark.parametrize("page", with_code("toml"))
def test_recipes_of_a_page_are_recipes(page, tmp_path):
    for i, text in enumerate(pages.blocks(page, "toml")):
        content = tomllib.loads(text)
        if "input" not in content:
            text = '[input]\npath = "a.mrc"\n' + text
        path = tmp_path / f"{i}.toml"
        path.write_text(text)
        recipe = read_recipe(path)
        assert [name for name, _ in recipe.steps] == [s["step"] for s in content["steps"]]


def test_names_of_steps_on_pages_are_steps():
    stages = "|".join({s.stage for s in steps_of()})
    known = set(STEPS)
    for page in pages.PAGES:
        # what the page for developers adds itself
        added = set(re.findall(r'@step\(\s*"([\w.]+)"', page.read_text()))
        for line in re.findall(r'step = "([\w.]+)"', page.read_text()):
            assert line in known | added, page
        for name in re.findall(rf"napari-tomo4d steps ((?:{stages})\.\w+)", page.read_text()):
            assert name in known, page
