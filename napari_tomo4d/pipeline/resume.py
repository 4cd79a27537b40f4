"""Steps run one by one with every result kept, to go on from where they differ next time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_tomo4d.data import AnyData
from napari_tomo4d.errors import Cancelled, Tomo4DError
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.pipeline.run import run_step
from napari_tomo4d.progress import Progress

Step = tuple[str, Parameters]
"""Name of a step and its parameters."""
Done = tuple[Step, Any]
"""A step that was done, and what it gave."""


def resume(
    item: AnyData,
    steps: Sequence[Step],
    known: Sequence[Done] = (),
    progress: Progress | None = None,
) -> tuple[list[Done], str]:
    """Run steps and keep every result; go on from where they differ from those known.

    Parameters
    ----------
    item : TiltSeries, Volume, Labels or TimeSeries of those
    steps : sequence of (name, parameters)
    known : sequence of (step, result)
        What this function returned before, for the same item.
    progress : Progress, optional

    Returns
    -------
    list of (step, result)
        Up to the first step that could not be done.
    str
        Why it could not, empty if all were done.

    Raises
    ------
    Cancelled
        If `progress` asks for it.
    """
    progress = progress or Progress()
    done: list[Done] = []
    for old, step in zip(known, steps, strict=False):
        if old[0] != step:
            break
        done.append(old)
    for i in range(len(done), len(steps)):
        name, parameters = steps[i]
        before = done[-1][1] if done else item
        try:
            result = run_step(name, before, parameters, progress.part(i, len(steps)))
        except Cancelled:
            raise
        except Tomo4DError as error:
            return done, str(error)
        done.append((steps[i], result))
    return done, ""
