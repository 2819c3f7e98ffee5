"""Supervised classification of RGB images; the stem is inflated to the target's bands by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F  # noqa: N812  torch's own idiom
from torch import Tensor, nn

from gpbench.api import Batch, Draws, Inflate, Phase, PhaseContext, Strategy
from gpbench.parts.views import standard_views


@dataclass(frozen=True)
class Params:
    """`inflate`: what bands other than red, green and blue start from, at transfer."""

    inflate: Inflate = "repeat"


class ImageNet:
    title = "Supervised ImageNet pre-training"
    version = 1
    params: type = Params
    channels: Literal["rgb", "target"] = "rgb"
    assumed: tuple[str, ...] = ("inflate",)

    def phases(self, params: Params) -> list[Phase]:  # noqa: ARG002  `inflate` acts at transfer
        return [Phase("supervised", source="labelled", task=Task)]


class Task(nn.Module):
    """Cross-entropy of the class of an ordinary view."""

    splittable = True

    def __init__(self, context: PhaseContext) -> None:
        super().__init__()
        self.recipe, self.net = context.recipe, context.classifier()

    def views(self, batch: Batch, draws: Draws) -> tuple[Tensor, Tensor]:
        return standard_views(batch.only, draws, self.recipe), batch.labels

    def loss(self, views: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        images, labels = views
        smoothing = self.recipe.label_smoothing
        return {"loss": F.cross_entropy(self.net(images), labels, label_smoothing=smoothing)}


PLUGIN: Strategy = ImageNet()
