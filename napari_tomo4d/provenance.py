"""Where a result came from: the step, its parameters, its inputs, its warnings."""

from __future__ import annotations

import contextlib
import contextvars
import warnings as _warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_tomo4d.content import Content, Json, digest_of_digests, is_content
from napari_tomo4d.errors import Tomo4DWarning, readable
from napari_tomo4d.immutable import read_only_dict
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.version import __version__

SCHEMA_VERSION = 2

RENAMED = {
    "denoise.series": "denoise.denoise_series",
    "align.translations": "align.align_series",
    "align.find_axis": "align.find_and_apply_axis",
    "align.set_axis": "align.apply_axis",
    "align.apply": "align.apply_file",
    "align.times": "align.align_times",
    "segment.threshold": "segment.threshold_volumes",
    "segment.classify": "segment.classify_voxels",
    "segment.clean": "segment.clean_mask",
    "segment.particles": "segment.separate_particles",
    "segment.follow": "segment.follow_particles",
    "measure.particles": "measure.measure_particles",
    "measure.pairs": "measure.measure_pairs",
}
"""What steps were called in files of schema version 1, and their names now."""


@dataclass(frozen=True)
class Provenance:
    """How one result was made; plain JSON through `to_dict`.

    Parameters
    ----------
    step : str
        Registered name, such as ``"reconstruct.sirt"`` or ``"read"``.
    parameters : dict
        Every argument with the value that was used: plain values, and a `Content` for an array
        or a data object. Nobody can change it, nor `files`.
    inputs : tuple of Provenance
        Provenance of what the step worked on.
    warnings : tuple of str
        What was assumed or looked doubtful.
    software : str
        Name and version of the program.
    notes : tuple of str
        What was chosen automatically, and why.
    files : dict of str
        SHA-256 of the files that parameters name, by parameter.
    unrepeatable : str
        Why no recipe can repeat it, as the end of a sentence that begins with the result.
    time : int, optional
        Which time of what the step gave this is, from 0; None for all of it.
    seals : tuple of str
        Checksums of the results that this is about, see `napari_tomo4d.seals`; in memory only.
    """

    step: str
    parameters: Parameters = field(default_factory=dict)
    inputs: tuple[Provenance, ...] = ()
    warnings: tuple[str, ...] = ()
    software: str = ""
    notes: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    unrepeatable: str = ""
    time: int | None = None
    seals: tuple[str, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", read_only_dict(self.parameters))
        object.__setattr__(self, "files", read_only_dict(self.files))

    def to_dict(self) -> Json:
        """Return a JSON-ready dictionary."""
        return {
            "schema_version": SCHEMA_VERSION,
            "step": self.step,
            "parameters": jsonable(self.parameters),
            "inputs": [p.to_dict() for p in self.inputs],
            "warnings": list(self.warnings),
            "notes": list(self.notes),
            "software": self.software,
            **({"files": dict(self.files)} if self.files else {}),
            **({} if self.time is None else {"time": self.time}),
            **({"unrepeatable": self.unrepeatable} if self.unrepeatable else {}),
        }

    @classmethod
    def from_dict(cls, value: Json) -> Provenance:
        """Rebuild what `to_dict` returned, also what earlier versions wrote."""
        step: str = value["step"]
        return cls(
            step=RENAMED.get(step, step) if value.get("schema_version", 1) < 2 else step,
            parameters={
                k: Content.from_dict(v) if is_content(v) else v
                for k, v in value.get("parameters", {}).items()
            },
            inputs=tuple(cls.from_dict(v) for v in value.get("inputs", ())),
            warnings=tuple(value.get("warnings", ())),
            software=value.get("software", ""),
            notes=tuple(value.get("notes", ())),
            files=dict(value.get("files", {})),
            unrepeatable=value.get("unrepeatable", ""),
            time=value.get("time"),
        )

    def chain(self) -> list[Provenance]:
        """Return the steps from the first to this one, following the first input."""
        before = self.inputs[0].chain() if self.inputs else []
        return [*before, self]

    def chain_from_file(self) -> list[Provenance]:
        """Return the steps that a recipe repeats: the chain from the last file that was read.

        A file that this program wrote tells what was done before; it need not be done again.
        """
        chain = self.chain()
        reads = [i for i, p in enumerate(chain) if p.step == "read"]
        return chain[reads[-1] :] if reads else chain

    def all_notes(self) -> list[str]:
        """Return the notes of everything before this step, and of this one."""
        return [note for p in self.chain() for note in p.notes]

    def all_warnings(self) -> list[str]:
        """Return the warnings of this step and of everything before it."""
        result = [w for p in self.inputs for w in p.all_warnings()]
        return [*result, *(w for w in self.warnings if w not in result)]


def software_version() -> str:
    """Return the program's name and version."""
    return f"napari-tomo4d {__version__}"


def made_by(
    step: str,
    before: Provenance | None,
    recorded: Parameters,
    *,
    warnings: Iterable[str] = (),
    notes: Iterable[str] = (),
    files: Mapping[str, str] | None = None,
    finished: bool = False,
) -> Provenance:
    """Return the provenance of what a step made: there is no other way to it.

    Parameters
    ----------
    step : str
        Its name.
    before : Provenance, optional
        Of what the step worked on.
    recorded : dict
        Its arguments as `registry.checked_arguments` keeps them.
    warnings, notes : iterable of str
        What was said meanwhile; each is kept once.
    files : dict of str, optional
        As in `Provenance`.
    finished : bool
        Whether it was finished early in a way that no arguments give.
    """
    return Provenance(
        step=step,
        parameters=recorded,
        inputs=() if before is None else (before,),
        warnings=tuple(dict.fromkeys(warnings)),
        software=software_version(),
        notes=tuple(dict.fromkeys(notes)),
        files=dict(files or {}),
        unrepeatable=f"was finished early in {step}" if finished else "",
    )


def made_at_all_times(
    step: str,
    before: Provenance | None,
    made: Sequence[Provenance],
    recorded: Parameters,
    *,
    warnings: Iterable[str] = (),
    finished: bool = False,
) -> Provenance:
    """Return the provenance of a series from that of what a step made of each of its times.

    Parameters
    ----------
    step, before, recorded, finished
        As in `made_by`, of the whole series.
    made : sequence of Provenance
        One for each time.
    warnings : iterable of str
        What was said besides.
    """
    return made_by(
        step,
        before,
        recorded,
        warnings=[*(w for p in made for w in p.warnings), *warnings],
        notes=[n for p in made for n in p.notes],
        files={n: digest_of_digests([p.files.get(n, "") for p in made]) for n in made[0].files},
        finished=finished,
    )


def jsonable(value: object) -> Any:
    """Turn numpy scalars, arrays, tuples and paths into what JSON can hold."""
    if isinstance(value, Content):
        return value.to_dict()
    if isinstance(value, dict):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [jsonable(v) for v in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


_collected: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar(
    "tomo4d_warnings", default=None
)


_notes: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar(
    "tomo4d_notes", default=None
)
_used: contextvars.ContextVar[Parameters | None] = contextvars.ContextVar(
    "tomo4d_used", default=None
)
_CUT_SHORT = ""
_silent: contextvars.ContextVar[bool] = contextvars.ContextVar("tomo4d_silent", default=False)


@contextlib.contextmanager
def warnings_only_kept() -> Iterator[None]:
    """Only keep warnings with the results, for callers that show those themselves."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def warn(message: str) -> None:
    """Warn the user, and keep the warning with the result that is being made.

    Python's own way of catching warnings is shared by all threads, so it cannot tell
    whose warning it was; this can.
    """
    message = readable(message)
    collected = _collected.get()
    if collected is not None and message not in collected:
        collected.append(message)
    if not _silent.get():
        _warnings.warn(message, Tomo4DWarning, stacklevel=3)


def note(message: str) -> None:
    """Keep with the result that is being made what was chosen automatically, and why."""
    notes = _notes.get()
    if notes is not None and message not in notes:
        notes.append(message)


@contextlib.contextmanager
def collect_notes() -> Iterator[list[str]]:
    """Give a list that fills with what `note` says inside the block, in this thread."""
    messages: list[str] = []
    token = _notes.set(messages)
    try:
        yield messages
    finally:
        _notes.reset(token)


@contextlib.contextmanager
def collect_warnings() -> Iterator[list[str]]:
    """Give a list that fills with what `warn` says inside the block, in this thread."""
    messages: list[str] = []
    token = _collected.set(messages)
    try:
        yield messages
    finally:
        _collected.reset(token)


def used(**parameters: object) -> None:
    """Say which arguments give the result that is being made, which was finished early."""
    found = _used.get()
    if found is not None and _CUT_SHORT not in found:
        found.update(parameters)


def cut_short() -> None:
    """Say that the result that is being made was finished early, and no arguments give it."""
    found = _used.get()
    if found is not None:
        found[_CUT_SHORT] = True


@contextlib.contextmanager
def using() -> Iterator[Parameters]:
    """Give a dictionary that fills with what `used` says inside the block, in this thread.

    It is empty after `cut_short`.
    """
    found: Parameters = {}
    token = _used.set(found)
    try:
        yield found
    finally:
        _used.reset(token)
        if _CUT_SHORT in found:
            found.clear()
