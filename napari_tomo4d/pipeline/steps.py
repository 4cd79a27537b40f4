"""The registry: every step a person can run, by name.

The panels, the recipes and the command line know a step only through this table; its
parameters are described by the function's own type hints.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari_tomo4d import align, denoise, measure, preprocess, reconstruct, segment
from napari_tomo4d.errors import RecipeError
from napari_tomo4d.parameters import Parameter, parameters_of


@dataclass(frozen=True)
class Step:
    """One entry of the registry.

    Parameters
    ----------
    name : str
        Fixed name, ``stage.function``, as in recipes and provenance.
    title : str
        Name shown to a person.
    function : callable
        Takes the data first, then keyword parameters, then perhaps `progress`.
    takes, gives : str
        Kind of data: ``"tilt series"``, ``"volume"``, ``"labels"`` or ``"table"``.
    together : bool
        Whether the function takes all time points at once, and not each by itself.
    """

    name: str
    title: str
    function: Callable[..., Any]
    takes: str
    gives: str
    together: bool = False

    @property
    def summary(self) -> str:
        """First line of the function's documentation."""
        return (self.function.__doc__ or "").strip().split("\n")[0]

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The described parameters, in order."""
        return parameters_of(self.function)

    @property
    def stage(self) -> str:
        """The stage the step belongs to."""
        return self.name.split(".")[0]


_SERIES, _VOLUME, _LABELS, _TABLE = "tilt series", "volume", "labels", "table"

STEPS: dict[str, Step] = {
    step.name: step
    for step in (
        Step(
            "preprocess.average_frames",
            "Average frames",
            preprocess.average_frames,
            _SERIES,
            _SERIES,
        ),
        Step("preprocess.align_frames", "Align frames", preprocess.align_frames, _SERIES, _SERIES),
        Step(
            "preprocess.select_frame", "Select one frame", preprocess.select_frame, _SERIES, _SERIES
        ),
        Step(
            "preprocess.undo_scan_drift",
            "Undo scan drift",
            preprocess.undo_scan_drift,
            _SERIES,
            _SERIES,
        ),
        Step(
            "preprocess.correct_distortion",
            "Correct scan distortion",
            preprocess.correct_distortion,
            _SERIES,
            _SERIES,
        ),
        Step(
            "preprocess.remove_outliers",
            "Remove outlier pixels",
            preprocess.remove_outliers,
            _SERIES,
            _SERIES,
        ),
        Step("preprocess.crop", "Crop", preprocess.crop, _SERIES, _SERIES),
        Step("preprocess.bin", "Bin", preprocess.bin, _SERIES, _SERIES),
        Step(
            "preprocess.subtract_background",
            "Subtract background",
            preprocess.subtract_background,
            _SERIES,
            _SERIES,
        ),
        Step(
            "preprocess.normalise", "Normalise brightness", preprocess.normalise, _SERIES, _SERIES
        ),
        Step(
            "preprocess.set_pixel_size",
            "Set pixel size",
            preprocess.set_pixel_size,
            _SERIES,
            _SERIES,
        ),
        Step("preprocess.set_dose", "Compute dose", preprocess.set_dose, _SERIES, _SERIES),
        Step("denoise.series", "Denoise", denoise.denoise_series, _SERIES, _SERIES),
        Step("align.translations", "Align the tilts", align.align_series, _SERIES, _SERIES),
        Step("align.find_axis", "Find the tilt axis", align.find_and_apply_axis, _SERIES, _SERIES),
        Step("align.set_axis", "Set the tilt axis", align.apply_axis, _SERIES, _SERIES),
        Step("align.leave_out", "Leave tilts out", align.leave_out, _SERIES, _SERIES),
        Step("align.apply", "Apply a stored alignment", align.apply_file, _SERIES, _SERIES),
        Step("reconstruct.wbp", "Weighted back-projection", reconstruct.wbp, _SERIES, _VOLUME),
        Step("reconstruct.sirt", "SIRT", reconstruct.sirt, _SERIES, _VOLUME),
        Step("reconstruct.os_sart", "OS-SART", reconstruct.os_sart, _SERIES, _VOLUME),
        Step("reconstruct.cgls", "CGLS", reconstruct.cgls, _SERIES, _VOLUME),
        Step("reconstruct.tv", "Total variation", reconstruct.tv, _SERIES, _VOLUME),
        Step("reconstruct.iser", "ISER", reconstruct.iser, _SERIES, _VOLUME),
        Step("reconstruct.dart", "DART", reconstruct.dart, _SERIES, _VOLUME),
        Step(
            "reconstruct.joint_4d",
            "Joint 4D",
            reconstruct.joint_4d,
            _SERIES,
            _VOLUME,
            together=True,
        ),
        Step(
            "align.times",
            "Register volumes in time",
            align.align_times,
            _VOLUME,
            _VOLUME,
            together=True,
        ),
        Step(
            "segment.threshold",
            "Threshold",
            segment.threshold_volumes,
            _VOLUME,
            _LABELS,
            together=True,
        ),
        Step("segment.classify", "Classify voxels", segment.classify_voxels, _VOLUME, _LABELS),
        Step("segment.clean", "Clean the mask", segment.clean_mask, _LABELS, _LABELS),
        Step(
            "segment.particles", "Separate particles", segment.separate_particles, _LABELS, _LABELS
        ),
        Step(
            "segment.follow",
            "Follow particles",
            segment.follow_particles,
            _LABELS,
            _LABELS,
            together=True,
        ),
        Step(
            "measure.particles",
            "Measure particles",
            measure.measure_particles,
            _LABELS,
            _TABLE,
            together=True,
        ),
        Step(
            "measure.pairs",
            "Measure pairs",
            measure.measure_pairs,
            _LABELS,
            _TABLE,
            together=True,
        ),
    )
}


def get_step(name: str) -> Step:
    """Return a step by name.

    Raises
    ------
    RecipeError
        If there is none; the message lists those there are.
    """
    try:
        return STEPS[name]
    except KeyError:
        raise RecipeError(
            f"There is no step {name!r}; the steps are {', '.join(sorted(STEPS))}."
        ) from None
