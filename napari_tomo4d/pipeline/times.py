"""Results of all time points as one time series that tells how they were made."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from napari_tomo4d.data import TimeSeries
from napari_tomo4d.pipeline.steps import get_step
from napari_tomo4d.provenance import Provenance, jsonable, software_version


def as_time_series(
    times: TimeSeries[Any],
    items: list[Any],
    name: str,
    parameters: dict[str, Any],
    messages: Sequence[str] = (),
) -> TimeSeries[Any]:
    """Return items, one for each time, with the step's parameters and all they had to say."""
    before = times.provenance
    provenance = Provenance(
        step=name,
        parameters=jsonable(parameters),
        inputs=() if before is None else (before,),
        warnings=tuple(
            dict.fromkeys([w for i in items for w in i.provenance.warnings] + [*messages])
        ),
        software=software_version(),
        notes=tuple(dict.fromkeys(n for i in items for n in i.provenance.notes)),
    )
    step = get_step(name)
    title = times.name if step.takes == step.gives else f"{times.name} {step.title}"
    result = times.with_items(items, title)
    return dataclasses.replace(result, provenance=provenance)
