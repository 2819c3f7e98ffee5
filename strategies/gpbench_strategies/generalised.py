"""Channel shuffling pre-training: classify images of n duplicated RGB channels in random order.

Our reading of arXiv 2604.27704, whose mechanism is known to us from a digest alone: what the digest
leaves open is a parameter and stands in `assumed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch.nn.functional as F  # noqa: N812  torch's own idiom
from torch import Tensor, nn

from gpbench.api import Batch, Draws, InvalidValueError, Phase, PhaseContext, Strategy
from gpbench.parts.channels import Duplicate, Normalise, Shuffle, arrangements, shuffled
from gpbench.parts.views import cropped, jittered


@dataclass(frozen=True)
class Params:
    """How channels are duplicated, shuffled and standardised: see `gpbench.parts.channels`."""

    duplicate: Duplicate = "cyclic"
    shuffle: Shuffle = "sample"
    probability: float = 1.0
    normalise: Normalise = "before"

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise InvalidValueError("probability", self.probability, "0 to 1")


class Generalised:
    title = "Channel shuffling pre-training"
    version = 1
    params: type = Params
    channels: Literal["rgb", "target"] = "target"
    assumed: tuple[str, ...] = ("duplicate", "shuffle", "probability", "normalise")

    def phases(self, params: Params) -> list[Phase]:
        return [Phase("csp", source="labelled", task=partial(Task, params))]


class Task(nn.Module):
    """Cross-entropy of the class of a view whose channels are shuffled."""

    splittable = True

    def __init__(self, params: Params, context: PhaseContext) -> None:
        super().__init__()
        self.params, self.recipe, self.in_chans = params, context.recipe, context.in_chans
        self.net = context.classifier()

    def views(self, batch: Batch, draws: Draws) -> tuple[Tensor, Tensor]:
        role, params = batch.only, self.params
        images = cropped(role.images, draws, self.recipe)
        channels = arrangements(
            len(images),
            self.in_chans,
            draws,
            duplicate=params.duplicate,
            shuffle=params.shuffle,
            probability=params.probability,
        )
        views = shuffled(images, channels, role.mean, role.std, normalise=params.normalise)
        return jittered(views, draws, self.recipe.jitter), batch.labels

    def loss(self, views: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        images, labels = views
        smoothing = self.recipe.label_smoothing
        return {"loss": F.cross_entropy(self.net(images), labels, label_smoothing=smoothing)}


PLUGIN: Strategy = Generalised()
