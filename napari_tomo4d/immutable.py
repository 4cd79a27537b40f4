"""Arrays and dictionaries that nobody can change, for the objects that hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar
from weakref import WeakValueDictionary

import numpy as np

Array = TypeVar("Array")

_FROZEN: WeakValueDictionary[int, np.ndarray] = WeakValueDictionary()
"""Arrays that `frozen` made read-only and that hold their memory, by ``id``.

Whether an array is read-only does not tell: an older view of it may be writable.
"""


def frozen(array: Array) -> Array:
    """Make an array read-only that the caller has just made, and return it.

    Data objects share the memory of such an array; any other is copied. Only for an array
    that nobody else holds: one that was made from it earlier (``array[0]``) could still be
    written to.

    Parameters
    ----------
    array : array
        It and the arrays whose memory it shows become read-only; nothing is copied. What is
        no NumPy array, such as a lazy one, is returned as it is.
    """
    part: Any = array
    while isinstance(part, np.ndarray):
        part.setflags(write=False)
        if not isinstance(part.base, np.ndarray):
            _FROZEN[id(part)] = part
        part = part.base
    return array


def private(array: np.ndarray) -> np.ndarray:
    """Return an array that nobody can write to: a view of a frozen one, a copy of another.

    A file that is mapped into memory read-only counts as frozen; one that is mapped for
    writing is copied.
    """
    kept = array if is_frozen(array) else copied(array)
    # of a view, not even `setflags` can make a writable array
    return kept if type(kept) is np.ndarray and kept.base is not None else kept.view(np.ndarray)


def copied(array: np.ndarray) -> np.ndarray:
    """Return a read-only copy."""
    return frozen(np.array(array, subok=False))


def read_only(array: np.ndarray) -> np.ndarray:
    """Return a read-only view; the array itself stays as it is."""
    view = array.view()
    view.setflags(write=False)
    return view


def is_frozen(array: np.ndarray) -> bool:
    """Return whether nobody can write to the memory of an array, so that it may be shared."""
    part: Any = array
    while True:
        if part.flags.writeable:
            return False
        if not isinstance(part.base, np.ndarray):
            break
        part = part.base
    # memory that a compiled function allocated is held by its arrays only
    if part.base is None or type(part.base).__name__ == "_MemInfo":
        return _FROZEN.get(id(part)) is part
    try:
        return memoryview(part.base).readonly
    except TypeError:
        return False


class ReadOnlyDict(dict[str, Any]):
    """A dictionary that can't be changed, nor what it holds; ``{**it}`` can."""

    def _refuse(self, *args: object, **kwargs: object) -> NoReturn:
        raise TypeError(
            "This dictionary can't be changed; make a copy with dict(...), and from it a new "
            "object with dataclasses.replace."
        )

    __setitem__ = __delitem__ = _refuse
    __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return read_only_dict, (dict(self),)


class ReadOnlyList(list[Any]):
    """A list that can't be changed, nor what it holds."""

    def _refuse(self, *args: object, **kwargs: object) -> NoReturn:
        raise TypeError("This list can't be changed; make a copy with list(...).")

    __setitem__ = __delitem__ = _refuse
    __iadd__ = __imul__ = append = clear = extend = insert = _refuse
    pop = remove = reverse = sort = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return _constant, (list(self),)


def read_only_dict(values: Mapping[str, Any]) -> ReadOnlyDict:
    """Return a copy of a dictionary, and of all in it, that can't be changed."""
    if isinstance(values, ReadOnlyDict):
        return values
    return ReadOnlyDict({key: _constant(value) for key, value in values.items()})


def _constant(value: Any) -> Any:
    if isinstance(value, Mapping):
        return read_only_dict(value)
    if isinstance(value, np.ndarray):
        return private(value)
    if isinstance(value, list) and not isinstance(value, ReadOnlyList):
        return ReadOnlyList(map(_constant, value))
    if isinstance(value, tuple):
        return tuple(map(_constant, value))
    return value


class Immutable:
    """Objects whose arrays stay read-only when they are copied or sent to another process."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        for key, value in state.items():
            self.__dict__[key] = _restored(value)


def _restored(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return private(frozen(value))
    return tuple(map(_restored, value)) if isinstance(value, tuple) else value
