"""A recipe: what to read, which steps to run and where the result goes, as TOML."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit

from napari_tomo4d.errors import ParameterError, RecipeError
from napari_tomo4d.parameters import check_parameters
from napari_tomo4d.pipeline.steps import get_step
from napari_tomo4d.provenance import RENAMED, SCHEMA_VERSION, Provenance, jsonable
from napari_tomo4d.registry import KIND_NAMES
from napari_tomo4d.whole_files import replacing

INPUT_KEYS = (
    "path",
    "angles_deg",
    "start_deg",
    "step_deg",
    "pixel_size_nm",
    "tilt_axis",
    "times_s",
    "temperatures_c",
    "kind",
)
_PATH_KEYS = ("path", "angles_deg")


@dataclass(frozen=True)
class Recipe:
    """Inputs, steps and output of one run.

    Parameters
    ----------
    input : dict
        Keyword arguments of `napari_tomo4d.read`; or ``simulate = "sintering"`` with
        that function's parameters.
    steps : tuple of (str, dict)
        Name and parameters of each step, in order.
    output : dict
        ``path`` and optionally ``overwrite``; empty to keep the result in memory.
    folder : Path, optional
        Paths in the recipe are relative to this folder.
    """

    input: dict[str, Any]
    steps: tuple[tuple[str, dict[str, Any]], ...] = ()
    output: dict[str, Any] = field(default_factory=dict)
    folder: Path = Path()

    def __post_init__(self) -> None:
        if "simulate" not in self.input:
            if "path" not in self.input:
                raise RecipeError("The recipe's [input] has no path; say which file to read.")
            unknown = set(self.input) - set(INPUT_KEYS)
            if unknown:
                raise RecipeError(
                    f"The recipe's [input] has the unknown entry {sorted(unknown)[0]!r}; "
                    f"it may hold {', '.join(INPUT_KEYS)}."
                )
        unknown = set(self.output) - {"path", "overwrite"}
        if unknown:
            raise RecipeError(
                f"The recipe's [output] has the unknown entry {sorted(unknown)[0]!r}; "
                "it may hold path and overwrite."
            )
        for number, (name, parameters) in enumerate(self.steps, 1):
            step = get_step(name)
            gives = get_step(self.steps[number - 2][0]).gives if number > 1 else step.takes
            if gives != step.takes:
                raise RecipeError(
                    f"Step {number}, {name}, works on {KIND_NAMES[step.takes]}, but the step "
                    f"before it gives {KIND_NAMES[gives]}."
                )
            try:
                check_parameters(step.function, parameters)
            except ParameterError as error:
                raise RecipeError(f"Step {number}, {name}: {error}") from error

    def resolve(self, path: str) -> str:
        """Return a path of the recipe as seen from here."""
        return str(self.folder / path)

    def resolved_input(self) -> dict[str, Any]:
        """Return `input` with paths as seen from here."""
        result = dict(self.input)
        for key in _PATH_KEYS:
            value = result.get(key)
            if isinstance(value, str):
                result[key] = self.resolve(value)
            elif key == "path" and isinstance(value, list):
                result[key] = [self.resolve(v) for v in value]
        return result

    def resolved_steps(self) -> list[tuple[str, dict[str, Any]]]:
        """Return `steps` with paths as seen from here."""
        return [
            (name, {k: self.resolve(v) if k == "path" else v for k, v in parameters.items()})
            for name, parameters in self.steps
        ]


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe and check every step and parameter in it.

    Raises
    ------
    RecipeError
        If the file can't be read or names something that does not exist.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"The recipe {path} can't be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"The recipe {path} is not valid TOML: {error}.") from error
    version = content.pop("schema_version", 1)
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise RecipeError(
            f"The recipe {path} has schema_version {version}; this program knows up to "
            f"{SCHEMA_VERSION}. Update napari-tomo4d."
        )
    unknown = set(content) - {"input", "steps", "output"}
    if unknown:
        raise RecipeError(
            f"The recipe {path} has the unknown part {sorted(unknown)[0]!r}; it may hold "
            "[input], [[steps]] and [output]."
        )
    for key, kind in (("input", dict), ("steps", list), ("output", dict)):
        if not isinstance(content.get(key, kind()), kind):
            raise RecipeError(f"The recipe {path}: {key} has to be a TOML table.")
    steps = []
    for number, entry in enumerate(content.get("steps", []), 1):
        if not isinstance(entry, dict) or "step" not in entry:
            raise RecipeError(f"Step {number} of {path} does not say which step it is.")
        name = str(entry["step"])
        name = RENAMED.get(name, name) if version < SCHEMA_VERSION else name
        steps.append((name, {k: v for k, v in entry.items() if k != "step"}))
    return Recipe(
        content.get("input", {}), tuple(steps), content.get("output", {}), folder=path.parent
    )


def write_recipe(recipe: Recipe, path: str | Path) -> None:
    """Write a recipe as TOML; a file of that name is replaced only when all is written."""
    document = tomlkit.document()
    document.add(tomlkit.comment("napari-tomo4d run recipe.toml repeats this"))
    document["schema_version"] = SCHEMA_VERSION
    document["input"] = _without_none(recipe.input)
    steps = tomlkit.aot()
    for name, parameters in recipe.steps:
        steps.append(tomlkit.item({"step": name, **_without_none(parameters)}))
    document["steps"] = steps
    if recipe.output:
        document["output"] = _without_none(recipe.output)
    with replacing(Path(path)) as temporary:
        temporary.write_text(tomlkit.dumps(document), encoding="utf-8")


def recipe_from(provenance: Provenance | None, output: str | None = None) -> Recipe:
    """Return the recipe that repeats how a result was made.

    Raises
    ------
    RecipeError
        If the result does not come from a file or a simulation.
    """
    chain = [] if provenance is None else provenance.chain()
    if not chain or not (chain[0].step == "read" or chain[0].step.startswith("simulate.")):
        raise RecipeError(
            "This result was not made from a file or a simulation, so no recipe can repeat it."
        )
    first = chain[0]
    given = {k: v for k, v in first.parameters.items() if v is not None}
    if first.step != "read":
        given = {"simulate": first.step.split(".", 1)[1], **given}
    return Recipe(
        given,
        tuple((p.step, dict(p.parameters)) for p in chain[1:]),
        {} if output is None else {"path": output},
    )


def _without_none(table: dict[str, Any]) -> dict[str, Any]:
    # TOML has no null: what is not given is left out
    return {k: v for k, v in jsonable(table).items() if v is not None}
