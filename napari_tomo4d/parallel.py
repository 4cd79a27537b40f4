"""How much may be done at once."""

from __future__ import annotations

import os


def usable_threads() -> int:
    """Return the number of processors that this process may use.

    The environment variable ``TOMO4D_THREADS`` sets a lower one, for several programs that share
    a machine.
    """
    if hasattr(os, "sched_getaffinity"):
        available = len(os.sched_getaffinity(0))
    else:
        available = os.cpu_count() or 1
    asked = os.environ.get("TOMO4D_THREADS", "")
    return min(available, int(asked)) if asked.isdigit() and int(asked) else available
