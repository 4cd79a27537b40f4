"""All steps: importing the stages registers what is in them."""

from napari_tomo4d import align, denoise, measure, preprocess, reconstruct, segment
from napari_tomo4d.registry import STEPS, Step, get_step, steps_of

STAGES = (preprocess, denoise, align, reconstruct, segment, measure)

__all__ = ["STAGES", "STEPS", "Step", "get_step", "steps_of"]
