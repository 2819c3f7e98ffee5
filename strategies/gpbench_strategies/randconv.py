"""Control: supervised classification of randomly convolved images, which keep shape, not texture.

RandConv of Xu et al. 2021 (ICLR), by its paper and released code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from gpbench.api import (
    NOT_NEGATIVE,
    PROBABILITY,
    Batch,
    Draws,
    Inflate,
    Phase,
    PhaseContext,
    Strategy,
    check_ranges,
)
from gpbench.parts.classification import Classification
from gpbench.parts.random_convolution import Blend, disagreement, randomly_convolved
from gpbench.parts.views import standard_views

VIEWS = 3
"""Of every image where their disagreement counts, as in the paper."""


@dataclass(frozen=True)
class Params:
    blend: Blend = "image"
    """The convolved images, or a random mixture of them and the images."""
    keep: float = field(default=0.5, metadata=PROBABILITY)
    """That the images of a step stay as they are; 0 in the paper's RC_mix."""
    consistency: float = field(default=0.0, metadata=NOT_NEGATIVE)
    """Weight of the disagreement of three views, 5 (image) or 10 (mix) in the paper; 0: one view,
    a third of the cost."""
    inflate: Inflate = "repeat"
    """What bands other than red, green and blue start from, at transfer."""

    def __post_init__(self) -> None:
        check_ranges(self)


class RandConv:
    title = "Random convolution pre-training"
    version = 1
    params: type = Params
    channels: Literal["rgb", "target"] = "rgb"
    assumed: tuple[str, ...] = ("inflate",)

    def phases(self, params: Params) -> list[Phase]:
        return [Phase("supervised", source="labelled", task=partial(Task, params))]


class Task(Classification):
    """Cross-entropy of the class of the first view, and how far three views disagree."""

    def __init__(self, params: Params, context: PhaseContext) -> None:
        super().__init__(context)
        self.params = params

    def views(self, batch: Batch, draws: Draws) -> tuple[Tensor, Tensor]:
        """Return the views, one after the other (views * B, 3, H, W), and the labels (B,)."""
        plain, params = standard_views(batch.only, draws, self.recipe), self.params
        names = [f"randconv.{number}" for number in range(VIEWS if params.consistency else 1)]
        views = [
            randomly_convolved(plain, draws, blend=params.blend, keep=params.keep, name=name)
            for name in names
        ]
        return torch.cat(views), batch.labels

    def loss(self, views: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        images, labels = views
        logits = self.net(images).split(len(labels))
        error = self.cross_entropy(logits[0], labels)
        if not self.params.consistency:
            return {"loss": error}
        spread = disagreement(logits)
        return {"loss": error + self.params.consistency * spread, "disagreement": spread}


PLUGIN: Strategy = RandConv()
