"""Recipes: files below `configs/recipes`, and what an experiment changes of them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from gpbench.config.fields import read_dataclass
from gpbench.config.yaml_file import read_mapping
from gpbench.core.errors import ConfigError, UnknownNameError
from gpbench.core.recipe import Recipe

RECIPE_FIELDS = ("pretrain", "finetune", "cpu_threads", "precision", "channels_last")
"""What a recipe file holds, and what an experiment file may change of it."""

_EITHER = (("steps", "epochs"), ("warmup_steps", "warmup_share"))
"""Fields of which one takes the place of the other."""


def config_folder() -> Path:
    """Return the folder of the configs that come with gpbench: the wheel's, else the checkout's."""
    package = Path(str(files("gpbench")))
    installed = package / "_configs"
    return installed if installed.is_dir() else package.parent / "configs"


def recipe_names() -> tuple[str, ...]:
    """Return the names of all recipes, sorted."""
    return tuple(sorted(path.stem for path in _folder().glob("*.yaml")))


def recipe_summary(name: str) -> str:
    """Return what a recipe is for: the first line of its file, a comment."""
    first, *_ = _path(name).read_text(encoding="utf-8").splitlines() or [""]
    return first.lstrip("# ").strip() if first.startswith("#") else ""


def load_recipe(name: str, changes: Mapping[str, Any] | None = None) -> Recipe:
    """Return a recipe by name, with what `changes` (fields as in the file) changes of it.

    Raises:
        UnknownNameError: If there is no such recipe.
        ConfigError: If the result is not a recipe; all that is wrong is said.
    """
    raw = recipe_fields(name)
    recipe, problems = changed_recipe(name, raw, changes or {})
    if recipe is None:
        raise ConfigError.collected(f"changes to recipe '{name}'", problems)
    return recipe


def recipe_fields(name: str) -> dict[str, Any]:
    """Return what a recipe's file holds, checked.

    Raises:
        UnknownNameError: If there is no such recipe.
        ConfigError: If the file is no recipe.
    """
    path = _path(name)
    raw = read_mapping(path)
    recipe, problems = changed_recipe(name, raw, {})
    if recipe is None:
        raise ConfigError.collected(str(path), problems)
    return raw


def changed_recipe(
    name: str, base: Mapping[str, Any], changes: Mapping[str, Any]
) -> tuple[Recipe | None, list[str]]:
    """Return the recipe that `base` with `changes` is, None with the problems if it is none."""
    problems: list[str] = []
    merged = merge(base, changes)
    for part in ("pretrain", "finetune"):
        if isinstance(changes.get(part), Mapping) and _gives_both(changes[part]):
            problems.append(f"{part}: give steps or epochs, not both")
            del merged[part]["epochs"]
    recipe = read_dataclass(Recipe, merged, problems, fixed={"name": name})
    return (None if problems else recipe), problems


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the fields of `changes` in their place, mappings field by field.

    `steps` takes the place of `epochs`, and `epochs` of `steps`; so for the warm-up.
    """
    merged = dict(base)
    for pair in _EITHER:
        if any(changes.get(name) is not None for name in pair):
            for name in pair:
                merged.pop(name, None)
    for name, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = merge(merged[name], value) if both else value
    return merged


def _gives_both(changes: Mapping[str, Any]) -> bool:
    return all(changes.get(name) is not None for name in _EITHER[0])


def _path(name: str) -> Path:
    if name not in recipe_names():
        raise UnknownNameError("recipe", name, recipe_names())
    return _folder() / f"{name}.yaml"


def _folder() -> Path:
    return config_folder() / "recipes"
