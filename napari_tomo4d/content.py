"""Arguments kept by what they hold: arrays and data objects that a recipe stores beside itself.

A number or a text is written into provenance and recipe as it is. An array, a volume or a list
of corrections is kept as a `Content`: its SHA-256 in provenance, itself in memory, and in a
file of its own beside a recipe.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_tomo4d.array_files import read_arrays, write_arrays
from napari_tomo4d.boundary import reading
from napari_tomo4d.errors import RecipeError, Tomo4DError
from napari_tomo4d.immutable import frozen, private

Json = dict[str, Any]
"""What a JSON object holds, by name."""

_PACKAGE = __name__.partition(".")[0]
_LEFT_OUT = ("provenance",)
"""Fields of data objects that no result depends on."""


class Unstorable(Exception):
    """Something that no file can keep; the text says what."""


@dataclass(frozen=True, eq=False)
class Content:
    """An argument by what it holds.

    Parameters
    ----------
    kind : str
        Class, such as ``"array"``, ``"Volume"`` or ``"list of Volume"``.
    sha256 : str
        Of all it holds; empty if it can't be kept.
    about : dict
        Shape, data type and pixel size, as far as it has them.
    value : object
        The thing itself; None if only its provenance was read.
    why_not : str
        Why it can't be kept.
    """

    kind: str
    sha256: str = ""
    about: Json = field(default_factory=dict)
    value: Any = field(default=None, repr=False)
    why_not: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Content) and self.sha256 == other.sha256 != ""

    def __hash__(self) -> int:
        return hash(self.sha256)

    @property
    def at_hand(self) -> bool:
        """Whether the thing itself is in memory."""
        return self.value is not None

    def to_dict(self) -> Json:
        """Return what provenance and recipes say of it; plain JSON."""
        result = {"content": self.kind, "sha256": self.sha256, **self.about}
        return result if not self.why_not else {**result, "why_not": self.why_not}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Content:
        """Rebuild what `to_dict` returned, without the thing itself."""
        about = {k: v for k, v in value.items() if k not in ("content", "sha256", "why_not")}
        return cls(value["content"], value["sha256"], about, why_not=value.get("why_not", ""))


def is_content(value: object) -> bool:
    """Return whether this is what `Content.to_dict` returns."""
    return isinstance(value, Mapping) and {"content", "sha256"} <= set(value)


def content_of(value: object) -> Content:
    """Return an argument by what it holds; its value can't be changed by anybody.

    Something that can't be kept in a file is returned as it is, with the reason.
    """
    if isinstance(value, Content):
        return value
    arrays: list[np.ndarray] = []
    try:
        tree = _encoded(value, arrays)
    except Unstorable as error:
        return Content(_kind(value), value=value, why_not=str(error))
    digest = _digest(tree, arrays)
    return Content(_kind(value), digest, _about(value), _decoded(tree, arrays))


def is_plain(value: object) -> bool:
    """Return whether TOML and JSON can hold a value exactly."""
    if isinstance(value, (list, tuple)):
        return all(v is not None and is_plain(v) for v in value)
    if isinstance(value, dict):
        return all(isinstance(k, str) and v is not None and is_plain(v) for k, v in value.items())
    if isinstance(value, (int, np.integer)):
        return abs(int(value)) < 2**63
    return value is None or isinstance(value, (float, str, np.floating, np.bool_, Path))


def save(content: Content, folder: Path) -> Path:
    """Write the thing into a folder, whole or not at all, under the name of its SHA-256.

    Returns
    -------
    Path
        The ``.npz`` file; one that is there already is kept.
    """
    path = folder / f"{content.sha256[:32]}.npz"
    if path.exists() and _is_whole(path, content.sha256):
        return path
    arrays: list[np.ndarray] = []
    tree = _encoded(content.value, arrays)
    text = np.frombuffer(_text(tree), np.uint8)
    parts: Json = {f"array_{i}": a for i, a in enumerate(arrays)}
    return write_arrays({**parts, "tree": text}, path, packed=False)


def load(path: Path, stored: Content) -> Content:
    """Read what `save` wrote.

    Raises
    ------
    RecipeError
        If the file is missing, damaged, or no longer what it was.
    """
    if not path.is_file():
        raise RecipeError(f"{path}, a {stored.kind} that the recipe needs, is missing.")
    with reading(path, f"a {stored.kind} that the recipe needs", RecipeError):
        tree, arrays = _read(path)
        if _digest(tree, arrays) == stored.sha256:
            return dataclasses.replace(stored, value=_decoded(tree, arrays))
    raise RecipeError(
        f"{path} is no longer the {stored.kind} that the recipe was made with; bring back the "
        "original, or save the recipe again."
    )


def file_digest(path: str) -> str:
    """Return the SHA-256 of what a file holds, empty if it can't be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""


def digest_of_digests(digests: Sequence[str]) -> str:
    """Return one SHA-256 for several, empty if one is missing."""
    return hashlib.sha256("".join(digests).encode()).hexdigest() if all(digests) else ""


def _encoded(value: Any, arrays: list[np.ndarray]) -> Any:
    """Return a value as JSON, with its arrays in a list beside it."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return value.item()
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "dask"):
        value = np.asarray(value)
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biufcUS":
            raise Unstorable(f"an array of {value.dtype}")
        arrays.append(private(np.ascontiguousarray(value)).reshape(value.shape))
        return {"array": len(arrays) - 1}
    if isinstance(value, (list, tuple)):
        key = "list" if isinstance(value, list) else "tuple"
        return {key: [_encoded(v, arrays) for v in value]}
    if isinstance(value, Mapping):
        return {"dict": [[_encoded(k, arrays), _encoded(v, arrays)] for k, v in value.items()]}
    kind = type(value)
    if dataclasses.is_dataclass(value) and kind.__module__.partition(".")[0] == _PACKAGE:
        found = {
            f.name: _encoded(getattr(value, f.name), arrays)
            for f in dataclasses.fields(value)
            if f.init and f.name not in _LEFT_OUT
        }
        return {"class": f"{kind.__module__}:{kind.__qualname__}", "fields": found}
    raise Unstorable(f"a {'function' if callable(value) else kind.__name__}")


def _decoded(tree: Any, arrays: list[np.ndarray]) -> Any:
    if not isinstance(tree, dict):
        return tree
    if "array" in tree:
        return arrays[tree["array"]]
    if "list" in tree:
        return [_decoded(v, arrays) for v in tree["list"]]
    if "tuple" in tree:
        return tuple(_decoded(v, arrays) for v in tree["tuple"])
    if "dict" in tree:
        return {_decoded(k, arrays): _decoded(v, arrays) for k, v in tree["dict"]}
    module, _, name = tree["class"].partition(":")
    if module.partition(".")[0] != _PACKAGE:
        raise ValueError(f"{tree['class']} is not a class of this program")
    kind: Callable[..., Any] = getattr(importlib.import_module(module), name)
    if not dataclasses.is_dataclass(kind):
        raise ValueError(f"{tree['class']} is not data")
    return kind(**{k: _decoded(v, arrays) for k, v in tree["fields"].items()})


def _text(tree: object) -> bytes:
    return json.dumps(tree, sort_keys=True).encode()


def _digest(tree: object, arrays: list[np.ndarray]) -> str:
    digest = hashlib.sha256(_text(tree))
    for array in arrays:
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _read(path: Path) -> tuple[Any, list[np.ndarray]]:
    stored = read_arrays(path)
    tree = json.loads(stored["tree"].tobytes())
    return tree, [private(frozen(stored[f"array_{i}"])) for i in range(len(stored) - 1)]


def _is_whole(path: Path, sha256: str) -> bool:
    try:
        with reading(path, "what a recipe needs"):
            return _digest(*_read(path)) == sha256
    except Tomo4DError:
        return False


def _kind(value: object) -> str:
    if isinstance(value, np.ndarray) or hasattr(value, "dask"):
        return "array"
    if isinstance(value, (list, tuple)) and value:
        return f"list of {_kind(value[0])}"
    return type(value).__name__


def _about(value: Any) -> Json:
    array = value
    for name in ("data", "images"):
        if dataclasses.is_dataclass(value) and hasattr(value, name):
            array = getattr(value, name)
    about: Json = {}
    if hasattr(array, "shape") and hasattr(array, "dtype"):
        about = {"shape": list(array.shape), "dtype": str(array.dtype)}
    size = getattr(value, "pixel_size_nm", None)
    return about if size is None else {**about, "pixel_size_nm": size}
