"""Budgets in steps: an arm's budget split over its phases, epochs turned into steps. Pure."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import TypeVar

from gpbench.config.arms import Arm
from gpbench.core.errors import ConfigError, InvalidValueError
from gpbench.core.recipe import FinetuneRecipe, PretrainRecipe

R = TypeVar("R", PretrainRecipe, FinetuneRecipe)


def shares(arm: Arm) -> list[float]:
    """Return each phase's part of an arm's budget, first to last; they add up to 1.

    In a chain a strategy gets the share in its selector; those without one divide the rest
    equally. Within a strategy the phases' own shares count.
    """
    given = sum(part.share or 0.0 for part in arm.parts)
    open_parts = sum(part.share is None for part in arm.parts)
    found: list[float] = []
    for part in arm.parts:
        budget = (1 - given) / open_parts if part.share is None else part.share
        total = sum(phase.share for phase in part.phases)
        found.extend(budget * phase.share / total for phase in part.phases)
    return found


def pretrain_recipes(
    arm: Arm, recipe: PretrainRecipe, images: Sequence[int | None]
) -> list[PretrainRecipe]:
    """Return each phase's recipe with its steps; `epochs` stays where images cannot be counted.

    Args:
        arm: Its phases divide the budget.
        recipe: The budget of the whole arm.
        images: The number of images that an epoch of each phase shows; None: not known yet.

    Raises:
        ConfigError: If a phase gets no step, or fewer than its warm-up takes.
    """
    parts = shares(arm)
    names = [phase.name for part in arm.parts for phase in part.phases]
    if recipe.steps is not None:
        ends = [round(recipe.steps * end) for end in itertools.accumulate(parts)]
        steps: list[int | None] = [b - a for a, b in itertools.pairwise([0, *ends])]
    else:
        steps = [
            _steps(recipe.epochs, share * n, recipe.batch) if n else None
            for share, n in zip(parts, images, strict=True)
        ]
    return [
        _checked(recipe, n, "pretrain", f"phase '{name}' of '{arm}'")
        for n, name in zip(steps, names, strict=True)
    ]


def finetune_recipe(recipe: FinetuneRecipe, tiles: int | None, fraction: float) -> FinetuneRecipe:
    """Return the recipe with its steps; `epochs` stays where tiles cannot be counted.

    Raises:
        ConfigError: If the steps are fewer than the warm-up takes.
    """
    steps = recipe.steps
    if steps is None and tiles:
        steps = _steps(recipe.epochs, tiles * fraction, recipe.batch)
    return _checked(recipe, steps, "finetune", "fine-tuning")


def _steps(epochs: float | None, images: float, batch: int) -> int:
    return max(1, round((epochs or 0) * images / batch))


def _checked(recipe: R, steps: int | None, part: str, whose: str) -> R:
    """Return the recipe with these steps instead of epochs."""
    if steps is None:
        return recipe
    if steps < 1:
        raise ConfigError(f"{whose} gets no step of {part}'s budget: raise the budget or its share")
    optim = recipe.optim
    if optim.warmup_share is not None:
        warmup = round(steps * optim.warmup_share)
        optim = dataclasses.replace(optim, warmup_steps=warmup, warmup_share=None)
    if optim.warmup_steps >= steps:
        raise InvalidValueError(
            f"{part}.optim.warmup_steps",
            optim.warmup_steps,
            f"fewer than the {steps} steps of {whose}; --set {part}.optim.warmup_steps=0 is none",
        )
    return dataclasses.replace(recipe, steps=steps, epochs=None, optim=optim)
