"""All steps: importing the stages registers what is in them."""

from napari_tomo4d import align, denoise, measure, preprocess, reconstruct, segment  # noqa: F401
from napari_tomo4d.registry import STEPS, Step, get_step, steps_of

__all__ = ["STEPS", "Step", "get_step", "steps_of"]
