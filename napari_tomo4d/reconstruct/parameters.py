"""Types of parameters that several methods of reconstruction share."""

from __future__ import annotations

from typing import Annotated

from napari_tomo4d.parameters import Param

Thickness = Annotated[
    int | None,
    Param(
        "Size of the volume along the beam; empty: as wide as the images across the tilt axis.",
        unit="px",
        minimum=1,
        maximum=8192,
    ),
]
AxisShift = Annotated[
    float,
    Param(
        "Moves the tilt axis across the images, beyond where the series has it.",
        unit="px",
        minimum=-4096,
        maximum=4096,
        step=0.5,
    ),
]
Iterations = Annotated[
    int, Param("More iterations resolve more detail and more noise.", minimum=1, maximum=10000)
]
ChosenIterations = Annotated[
    int | None,
    Param(
        "More iterations resolve more detail and more noise. Empty: chosen from the images.",
        minimum=1,
        maximum=10000,
    ),
]
NonNegative = Annotated[
    bool,
    Param(
        "Density can't be below zero; sharpens particles on a dark background.",
        label="Non-negative",
    ),
]
Maximum = Annotated[
    float | None,
    Param(
        "Density can't be above this; empty: no limit.",
        minimum=0,
        advanced=True,
        empty="no limit",
    ),
]
Relaxation = Annotated[
    float,
    Param("Step size; above 1 is faster, below 1 steadier.", minimum=0.01, maximum=1.99),
]
MinImprovement = Annotated[
    float,
    Param(
        "Stops when the relative residual falls by less than this per iteration; 0: never.",
        label="Stop below",
        minimum=0,
        maximum=1,
        step=0.0001,
        advanced=True,
    ),
]
Seed = Annotated[
    int, Param("The same seed gives the same result.", minimum=0, maximum=2**31 - 1, advanced=True)
]
