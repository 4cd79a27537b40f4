"""Several pytest workers on one machine: each with its share of processors and its own screen.

Windows of two workers on one screen would take the keyboard from each other.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# what counts the threads of this package, of BLAS, of numba and of ITK
_THREADS = (
    "TOMO4D_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)


def settings_of_workers(config, n_workers: int) -> list[dict[str, str]]:
    """Return environment variables for each worker; what they stand for ends with the session."""
    threads = str(max(1, (os.cpu_count() or 1) // n_workers))
    folder = Path(tempfile.mkdtemp(prefix="napari-tomo4d-"))
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    result = []
    for i in range(n_workers):
        variables = dict.fromkeys(_THREADS, threads)
        # napari's settings, which no other worker may write
        variables["NAPARI_CONFIG"] = str(folder / f"settings-{i}.yaml")
        screen = _start_screen(config)
        if screen:
            variables["DISPLAY"] = screen
        result.append(variables)
    return result


def _start_screen(config) -> str:
    """Start a virtual screen where there is such a thing; returns its name."""
    if not sys.platform.startswith("linux") or shutil.which("Xvfb") is None:
        return ""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1400x900x24", "-nolisten", "tcp"],
        pass_fds=[write],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(write)

    def stop() -> None:
        server.terminate()
        server.wait()

    config.add_cleanup(stop)
    # the server says which number it took once it can be used
    with os.fdopen(read) as answer:
        number = answer.readline().strip()
    return f":{number}" if number else ""
