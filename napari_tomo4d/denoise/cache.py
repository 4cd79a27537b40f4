"""Denoised images that were computed before, by what they were made from."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable

import numpy as np


class ResultCache:
    """Keeps the results used last, up to an amount of memory; safe between threads.

    Parameters
    ----------
    max_bytes : int
    """

    def __init__(self, max_bytes: int = 1_000_000_000) -> None:
        self._max_bytes = max_bytes
        self._results: OrderedDict[bytes, np.ndarray] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: bytes, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """Return the result stored under `key`, computed if it is not there; read-only."""
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
                return self._results[key]
        result = compute()
        result.setflags(write=False)
        with self._lock:
            if key not in self._results and result.nbytes <= self._max_bytes:
                self._results[key] = result
                self._bytes += result.nbytes
                while self._bytes > self._max_bytes:
                    self._bytes -= self._results.popitem(last=False)[1].nbytes
        return result

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._results.clear()
            self._bytes = 0


def content_key(*parts: object) -> bytes:
    """Return a digest of arrays, by content, and of anything else by its `repr`."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.shape}{part.dtype}".encode())
            digest.update(np.ascontiguousarray(part).data)
        else:
            digest.update(repr(part).encode())
        digest.update(b"|")
    return digest.digest()
