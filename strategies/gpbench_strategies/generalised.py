"""Channel shuffling pre-training: classify images of n duplicated RGB channels in random order.

Our reading of arXiv 2604.27704, whose mechanism is known to us from a digest alone: what the digest
leaves open is a parameter and stands in `assumed`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from torch import Tensor

from gpbench.api import (
    PROBABILITY,
    Draws,
    Phase,
    PhaseContext,
    RoleBatch,
    Strategy,
    check_ranges,
)
from gpbench.parts.channels import Duplicate, Normalise, Shuffle, arrangements, shuffled
from gpbench.parts.classification import Classification
from gpbench.parts.views import cropped, jittered


@dataclass(frozen=True)
class Params:
    """How channels are duplicated, shuffled and standardised: see `gpbench.parts.channels`."""

    duplicate: Duplicate = "cyclic"
    """What lies beyond the third channel: red, green, blue again, or drawn for every image."""
    shuffle: Shuffle = "sample"
    """One random order of channels per image, one for all images of the step, or none."""
    probability: float = field(default=1.0, metadata=PROBABILITY)
    """That an image, or with `batch` the step, is shuffled."""
    normalise: Normalise = "before"
    """By the channel's own mean and deviation, or, after the shuffling, by those of its place."""

    def __post_init__(self) -> None:
        check_ranges(self)


class Generalised:
    title = "Channel shuffling pre-training"
    version = 1
    params: type = Params
    channels: Literal["rgb", "target"] = "target"
    assumed: tuple[str, ...] = ("duplicate", "shuffle", "probability", "normalise")

    def phases(self, params: Params) -> list[Phase]:
        return [Phase("csp", source="labelled", task=partial(Task, params))]


class Task(Classification):
    """Cross-entropy of the class of a view whose channels are shuffled."""

    def __init__(self, params: Params, context: PhaseContext) -> None:
        super().__init__(context)
        self.params, self.in_chans = params, context.in_chans

    def view(self, role: RoleBatch, draws: Draws) -> Tensor:
        params = self.params
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
        return jittered(views, draws, self.recipe.jitter)


PLUGIN: Strategy = Generalised()
