"""A toy classification for strategies' tasks: vertical against horizontal stripes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from gpbench.api import (
    Batch,
    Draws,
    PhaseContext,
    PretrainRecipe,
    PretrainTask,
    RoleBatch,
    Strategy,
)
from gpbench.data.draws import HashDraws
from gpbench.models.backbone import create_classifier

RECIPE = PretrainRecipe(batch=8, crop_px=32, steps=1, scale=(0.5, 1.0), jitter=0.1)


@dataclass(frozen=True)
class Context:
    in_chans: int
    seed: int = 0
    backbone: str = "test_convnext3"
    num_classes: int = 2
    recipe: PretrainRecipe = RECIPE

    def classifier(self) -> nn.Module:
        return create_classifier(
            self.backbone,
            self.in_chans,
            self.num_classes,
            image_px=self.recipe.crop_px,
            drop_path=0.0,
            seed=self.seed,
        )


def task_of(strategy: Strategy, params: Any = None, **context: Any) -> PretrainTask:
    (phase,) = strategy.phases(params or strategy.params())
    assert phase.roles == ("labelled",)
    in_chans = 3 if strategy.channels == "rgb" else 4
    about: PhaseContext = Context(**{"in_chans": in_chans, **context})
    return phase.task(about)


def batch(part: slice = slice(8)) -> Batch:
    """Return eight images of two classes, vertical and horizontal stripes, or a part of them."""
    stripes = (torch.arange(32) // 4 % 2).float()
    vertical, horizontal = stripes.expand(3, 32, 32), stripes[:, None].expand(3, 32, 32)
    images = torch.stack([vertical, horizontal] * 4)[part]
    colour = torch.tensor([1.0, 0.6, 0.3])[:, None, None]
    mean, std = torch.tensor([0.5, 0.3, 0.15]), torch.tensor([0.5, 0.4, 0.3])
    return Batch(
        {"labelled": RoleBatch(images * colour, torch.tensor([0, 1] * 4)[part], mean, std)}
    )


def draws(step: int = 0, part: slice = slice(8)) -> Draws:
    return HashDraws(1, step, np.arange(8)[part], torch.device("cpu"))


def equal(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)
