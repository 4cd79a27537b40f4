"""What a person is told: that there is nothing yet, and what a result has to say."""

from __future__ import annotations

from napari_tomo4d.data import AnyData, Table

NO_SERIES = "No tilt series yet: open one in the Load panel, or drop a file on the viewer."
NO_IMAGE = "No image yet: drop a file on the viewer first."
NO_SHIFTS = "No shifts yet: press Find shifts in the Align panel."
NOTHING_TUNED = "Nothing tuned yet: press Tune in the Denoise panel."
NO_VOLUME = "No volume yet: make one in the Reconstruct panel, or drop a file on the viewer."
NO_MASK = "No mask yet: make one in the Segment panel, or drop a file of labels on the viewer."
NO_PARTICLES = (
    "No labelled particles yet: make them in the Particles panel, or drop a file of labels on the "
    "viewer."
)
NOTHING_MEASURED = "Nothing has been measured yet."
NO_GROWTH = "No growth law yet: it is fitted to pairs measured at four times or more."

_QUIET = ("preprocess.remove_outliers",)
"""Steps whose notes are among the key numbers already."""


def messages_of(
    result: AnyData | Table, n_steps: int = 1, warnings_only: bool = False
) -> list[str]:
    """Return what the last steps have warned of and noted.

    Parameters
    ----------
    result : data object with a provenance
    n_steps : int
        How many of the last steps are asked.
    warnings_only : bool
        Leave the notes out.

    Returns
    -------
    list of str
        Warnings first; each begins with "Note: ".
    """
    made = result.provenance
    steps = [] if made is None else made.chain()[-n_steps:]
    warnings = [f"Note: {w}" for p in steps for w in p.warnings]
    if warnings_only:
        return warnings
    return [*warnings, *(n for p in steps if p.step not in _QUIET for n in p.notes)]
