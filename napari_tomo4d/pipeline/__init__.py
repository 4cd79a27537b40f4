"""The step registry, recipes and how they are run."""

from napari_tomo4d.pipeline.recipe import Recipe, read_recipe, recipe_from, write_recipe
from napari_tomo4d.pipeline.run import run_recipe, run_step, run_steps
from napari_tomo4d.pipeline.slabs import run_in_slabs
from napari_tomo4d.pipeline.steps import STEPS, Step, get_step, steps_of

__all__ = [
    "STEPS",
    "Recipe",
    "Step",
    "get_step",
    "read_recipe",
    "recipe_from",
    "run_in_slabs",
    "run_recipe",
    "run_step",
    "run_steps",
    "steps_of",
    "write_recipe",
]
