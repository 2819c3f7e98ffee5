"""Experiment files, flags and environment -> Experiment. The only reader of loose mappings."""

from gpbench.config.arms import Arm, ArmPart, parse_arm
from gpbench.config.load import load_experiment
from gpbench.config.recipes import config_folder, load_recipe, recipe_names, recipe_summary
from gpbench.config.roots import data_roots

__all__ = [
    "Arm",
    "ArmPart",
    "config_folder",
    "data_roots",
    "load_experiment",
    "load_recipe",
    "parse_arm",
    "recipe_names",
    "recipe_summary",
]
