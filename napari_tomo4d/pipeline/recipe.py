"""A recipe: what to read, which steps to run and where the result goes, as TOML."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit

from napari_tomo4d.boundary import reading
from napari_tomo4d.content import Content, is_content, load, save
from napari_tomo4d.data import Labels, Table
from napari_tomo4d.errors import ParameterError, RecipeError, WriteError
from napari_tomo4d.parameters import AUTOMATIC, Parameters, check_parameters
from napari_tomo4d.pipeline.entries import (
    INPUT,
    OUTPUT,
    RECONSTRUCTION,
    STEP,
    TIME,
    check_entries,
)
from napari_tomo4d.pipeline.steps import get_step
from napari_tomo4d.provenance import RENAMED, SCHEMA_VERSION, Provenance, jsonable
from napari_tomo4d.registry import KIND_NAMES, Kind, files_digest
from napari_tomo4d.seals import provenance_of
from napari_tomo4d.whole_files import replacing

_PATH_KEYS = ("path", "angles_deg")
_SHA256 = "_sha256"
"""Ends the name of the entry that says what a file that a parameter names has to hold."""


@dataclass(frozen=True)
class Recipe:
    """Inputs, steps and output of one run.

    Parameters
    ----------
    input : dict
        Keyword arguments of `napari_tomo4d.read`; or ``simulate = "sintering"`` with
        that function's parameters.
    steps : tuple of (str, dict)
        Name and parameters of each step, in order. Arrays and data objects are each a
        `Content`. A step after one that gives a table goes on with the data before it.
    output : dict
        ``path`` of the last result, ``report`` of the HTML file about labels and pairs, and
        ``overwrite``; empty to keep the result in memory.
    folder : Path, optional
        Paths in the recipe are relative to this folder.
    files : tuple of dict, optional
        For each step the SHA-256 of the files that its parameters name, by parameter.
    """

    input: Parameters
    steps: tuple[tuple[str, Parameters], ...] = ()
    output: Parameters = field(default_factory=dict)
    folder: Path = Path()
    files: tuple[dict[str, str], ...] = ()

    def __post_init__(self) -> None:
        where = "The recipe's [input]"
        if "simulate" not in self.input:
            if "path" not in self.input:
                raise RecipeError(f"{where} has no path; say which file to read.")
            check_entries(where, self.input, INPUT)
        elif TIME in self.input:
            check_entries(where, {TIME: self.input[TIME]}, INPUT)
        check_entries("The recipe's [output]", self.output, OUTPUT)
        data: Kind | None = None
        for number, (name, parameters) in enumerate(self.steps, 1):
            step = get_step(name)
            if data not in (None, step.takes):
                raise RecipeError(
                    f"Step {number}, {name}, works on {KIND_NAMES[step.takes]}, but the step "
                    f"before it gives {KIND_NAMES[data]}."
                )
            if step.gives is not Table:
                data = step.gives
            elif data is None:
                data = step.takes
            reserved = RECONSTRUCTION if step.reconstructs else STEP
            own = {k: v for k, v in parameters.items() if k not in reserved}
            beside = {k: v for k, v in parameters.items() if k in reserved}
            check_entries(f"Step {number}, {name}", beside, reserved)
            try:
                check_parameters(step.function, own)
            except ParameterError as error:
                raise RecipeError(f"Step {number}, {name}: {error}") from error
            for key in self.files[number - 1] if number <= len(self.files) else {}:
                if not parameters.get(key):
                    raise RecipeError(
                        f"Step {number}, {name}, has {key}{_SHA256} but no {key}; give {key}, or "
                        f"remove {key}{_SHA256}."
                    )
        if "report" in self.output and self.steps and data is not Labels:
            raise RecipeError(
                "A report is about labels; add steps that make labels, or leave it out of [output]."
            )

    def resolve(self, path: str) -> str:
        """Return a path of the recipe as seen from anywhere."""
        return os.path.abspath(self.folder / path)

    def resolved_input(self) -> Parameters:
        """Return `input` with paths as seen from anywhere."""
        result = dict(self.input)
        for key in _PATH_KEYS:
            value = result.get(key)
            if isinstance(value, (str, Path)):
                result[key] = self.resolve(str(value))
            elif key == "path" and isinstance(value, list):
                result[key] = [self.resolve(v) for v in value]
        return result

    def resolved_steps(self) -> list[tuple[str, Parameters]]:
        """Return `steps` with paths as seen from anywhere."""
        result = []
        for name, parameters in self.steps:
            known = get_step(name).parameters
            files = [k for k, v in parameters.items() if k in known and known[k].param.file and v]
            result.append((name, {**parameters, **{k: self.resolve(parameters[k]) for k in files}}))
        return result

    def check_files(self, times: int | None) -> None:
        """Raise `RecipeError` if a file that a step reads is not the one of the recipe.

        Parameters
        ----------
        times : int, optional
            Number of time points of the input, each with a file of its own; None for no time
            series.
        """
        for (name, parameters), files in zip(self.resolved_steps(), self.files, strict=False):
            for key, wanted in files.items():
                if files_digest(get_step(name), parameters[key], times) != wanted:
                    raise RecipeError(
                        f"{parameters[key]} is missing, or no longer the file that {name} used; "
                        f"bring it back, or remove {key}{_SHA256} from the recipe to use it as "
                        "it is."
                    )
            if TIME in parameters:
                times = None


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe and check every step and parameter in it.

    Raises
    ------
    RecipeError
        If the file can't be read or names something that does not exist.
    """
    path = Path(path)
    with reading(path, "a recipe", RecipeError):
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            # says in which line
            raise RecipeError(f"The recipe {path} is not valid TOML: {error}.") from error
        return _recipe_of(content, path)


def _recipe_of(content: Parameters, path: Path) -> Recipe:
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
    steps: list[tuple[str, Parameters]] = []
    files: list[dict[str, str]] = []
    for number, entry in enumerate(content.get("steps", []), 1):
        if not isinstance(entry, dict) or "step" not in entry:
            raise RecipeError(f"Step {number} of {path} does not say which step it is.")
        name = str(entry.pop("step"))
        name = RENAMED.get(name, name) if version < SCHEMA_VERSION else name
        entries = {k: v for k, v in entry.items() if not k.endswith(_SHA256)}
        files.append({k.removesuffix(_SHA256): str(entry[k]) for k in entry if k not in entries})
        for key, value in entries.items():
            if is_content(value):
                stored = dict(value)
                file = path.parent / str(stored.pop("file", ""))
                entries[key] = load(file, Content.from_dict(stored))
        steps.append((name, entries))
    return Recipe(
        content.get("input", {}),
        tuple(steps),
        content.get("output", {}),
        folder=path.parent,
        files=tuple(files),
    )


def write_recipe(recipe: Recipe, path: str | Path) -> None:
    """Write a recipe as TOML; a file of that name is replaced only when all is written.

    Arrays and data objects are stored in the folder ``NAME.data`` beside ``NAME.toml``, a file
    for each content.

    Raises
    ------
    RecipeError
        If an argument can't be stored, or is no longer at hand.
    WriteError
        If a file can't be written.
    """
    path = Path(path)
    _require_contents(recipe.steps)
    document = tomlkit.document()
    document.add(tomlkit.comment("napari-tomo4d run recipe.toml repeats this"))
    document["schema_version"] = SCHEMA_VERSION
    document["input"] = _without_none(recipe.input)
    steps = tomlkit.aot()
    folder = path.with_name(f"{path.stem}.data")
    for number, (name, parameters) in enumerate(recipe.steps):
        files = recipe.files[number] if number < len(recipe.files) else {}
        entry = {"step": name, **_without_none(_automatic_named(name, parameters))}
        for key, value in parameters.items():
            if isinstance(value, Content):
                entry[key] = _stored(value, folder)
        steps.append(tomlkit.item({**entry, **{k + _SHA256: v for k, v in files.items()}}))
    document["steps"] = steps
    if recipe.output:
        document["output"] = _without_none(recipe.output)
    with replacing(path) as temporary:
        temporary.write_text(tomlkit.dumps(document), encoding="utf-8")


def recipe_from(made: Any, output: str | None = None, *, report: str | None = None) -> Recipe:
    """Return the recipe that repeats how a result was made.

    It begins where the last file was read, also if that file tells how it was made itself.

    Parameters
    ----------
    made : TiltSeries, Volume, Labels, Table, TimeSeries, or Provenance
        The result; it is refused if it was changed since. Its provenance alone will do.
    output, report : str, optional
        Where the result and a report about it go.

    Raises
    ------
    RecipeError
        If the result does not come from a file or a simulation, was changed by something else
        than a step, was finished early in a way that can't be repeated, or was made with
        something that can't be stored.
    """
    provenance = made if made is None or isinstance(made, Provenance) else provenance_of(made)
    chain = [] if provenance is None else provenance.chain_from_file()
    if not chain or not (chain[0].step == "read" or chain[0].step.startswith("simulate.")):
        raise RecipeError(
            "This result was not made from a file or a simulation, so no recipe can repeat it."
        )
    for p in chain:
        if p.unrepeatable:
            raise RecipeError(f"This result {p.unrepeatable}, so no recipe can repeat it.")
    first = chain[0]
    given = {k: v for k, v in first.parameters.items() if v is not None}
    if first.step != "read":
        given = {"simulate": first.step.split(".", 1)[1], **given}
    if first.time is not None:
        given[TIME] = first.time + 1
    steps = tuple(
        (p.step, {**p.parameters, **({} if p.time is None else {TIME: p.time + 1})})
        for p in chain[1:]
    )
    _require_contents(steps)
    outputs = {"path": output, "report": report}
    return Recipe(
        given,
        steps,
        {k: v for k, v in outputs.items() if v is not None},
        files=tuple(dict(p.files) for p in chain[1:]),
    )


def _require_contents(steps: Iterable[tuple[str, Parameters]]) -> None:
    """Raise `RecipeError` for an argument that can't be stored beside the recipe."""
    for name, parameters in steps:
        for key, value in parameters.items():
            if not isinstance(value, Content):
                continue
            if value.why_not:
                raise RecipeError(
                    f"{key} of {name} holds {value.why_not}, which can't be stored beside a recipe."
                )
            if not value.at_hand:
                raise RecipeError(
                    f"{key} of {name}, a {value.kind}, is not at hand any more: files tell only "
                    "which it was. Save the recipe in the session that made the result."
                )


def _stored(content: Content, folder: Path) -> Parameters:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise WriteError(f"{folder} can't be made: {error.strerror or error}.") from error
    file = save(content, folder)
    entry = tomlkit.inline_table()
    entry.update({"file": f"{folder.name}/{file.name}", **content.to_dict()})
    return entry


def _automatic_named(name: str, parameters: Parameters) -> Parameters:
    """Return a step's parameters with a word for None where leaving it out says something else."""
    known = get_step(name).parameters
    return {
        k: AUTOMATIC if v is None and k in known and known[k].default is not None else v
        for k, v in parameters.items()
    }


def _without_none(table: Parameters) -> Parameters:
    # TOML has no null: what is not given is left out
    return {k: v for k, v in jsonable(table).items() if v is not None}
