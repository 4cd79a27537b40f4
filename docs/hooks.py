"""What pages show that is made from the program itself: steps, parameters, slow tests."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# the pages describe the program beside them, not one that is installed elsewhere
sys.path.insert(0, str(ROOT))

ROOMS = {
    "data": "Data",
    "io": "Reading and writing",
    "simulate": "Simulation",
    "preprocess": "Preprocessing",
    "denoise": "Denoising",
    "align": "Alignment",
    "reconstruct": "Reconstruction",
    "segment": "Segmentation",
    "measure": "Measuring",
    "pipeline": "Recipes and running them",
}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put in what is made from the program."""
    made = {"{{ steps }}": steps, "{{ api }}": api, "{{ slow tests }}": slow_tests}
    for word, make in made.items():
        if word in markdown:
            markdown = markdown.replace(word, make())
    return markdown


def api() -> str:
    """Return the place of every public name, of each stage in turn, for mkdocstrings."""
    lines = []
    for room, title in ROOMS.items():
        module = importlib.import_module(f"napari_tomo4d.{room}")
        lines += [f"## {title}", ""]
        for name in sorted(_public(module), key=str.lower):
            # a file and the function in it may have the same name
            home = getattr(getattr(module, name), "__module__", None) or module.__name__
            home = home if home.startswith("napari_tomo4d.") else module.__name__
            lines += [f"::: {home}.{name}", ""]
    return "\n".join(lines)


def _public(module: Any) -> list[str]:
    own = [n for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__]
    own = [n for n in own if callable(getattr(module, n)) and not n.startswith("_")]
    return getattr(module, "__all__", None) or own


def steps() -> str:
    """Return every step of the registry with its parameters."""
    from napari_tomo4d.pipeline import steps_of
    from napari_tomo4d.registry import KIND_NAMES, STAGES

    lines = []
    for stage in STAGES:
        lines += [f"## {stage}", ""]
        for step in steps_of(stage):
            lines += [f"### {step.name}", ""]
            lines += [f"{step.summary} *{step.title}* takes {KIND_NAMES[step.takes]}"]
            lines[-1] += f" and gives {KIND_NAMES[step.gives]}."
            lines += ["", *_table(step.parameters.values()), ""]
    return "\n".join(lines)


def _table(parameters: Any) -> list[str]:
    rows = [f"| `{p.name}` | {_default(p)} | {_range(p)} | {p.param.help} |" for p in parameters]
    head = ["| parameter | default | unit, range | effect |", "|---|---|---|---|"]
    return [*head, *rows] if rows else []


def _default(parameter: Any) -> str:
    return "required" if parameter.required else f"`{parameter.default!r}`"


def _range(parameter: Any) -> str:
    param = parameter.param
    if param.choices:
        return ", ".join(f"`{c}`" for c in param.choices)
    low = "" if param.minimum is None else f"from {param.minimum:g}"
    high = "" if param.maximum is None else f"to {param.maximum:g}"
    return ", ".join(filter(None, [param.unit, " ".join(filter(None, [low, high]))]))


def slow_tests() -> str:
    """Return the tests marked slow, with the reasons their marks give."""
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text()
        for reason, name in re.findall(
            r'mark\.slow\(\s*reason="([^"]+)"[\s\S]*?\ndef (test_\w+)', text
        ):
            found.append(f"- `{path.relative_to(ROOT)}`, `{name}`: {reason}.")
    return "\n\n" + "\n".join(found) if found else ""
