"""Control: supervised classification of images that show one of their channels in all places.

Channel exchange of Ye et al. 2021 (ICCV, Channel Augmented Joint Learning), by its released code:
red, green or blue in the place of all three, or the image itself, each with probability 1/4.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from torch import Tensor

from gpbench.api import (
    PROBABILITY,
    Draws,
    Inflate,
    Phase,
    PhaseContext,
    RoleBatch,
    Strategy,
    check_ranges,
)
from gpbench.parts.classification import Classification
from gpbench.parts.color import exchanged
from gpbench.parts.views import standard_views


@dataclass(frozen=True)
class Params:
    gray: float = field(default=0.0, metadata=PROBABILITY)
    """That an image that keeps its channels becomes grey, 0.5 in the reference's variant."""
    inflate: Inflate = "repeat"
    """What bands other than red, green and blue start from, at transfer."""

    def __post_init__(self) -> None:
        check_ranges(self)


class ChannelExchange:
    title = "Channel exchange pre-training"
    version = 1
    params: type = Params
    channels: Literal["rgb", "target"] = "rgb"
    assumed: tuple[str, ...] = ("inflate",)

    def phases(self, params: Params) -> list[Phase]:
        return [Phase("supervised", source="labelled", task=partial(Task, params))]


class Task(Classification):
    """Cross-entropy of the class of a view whose channels are exchanged."""

    def __init__(self, params: Params, context: PhaseContext) -> None:
        super().__init__(context)
        self.params = params

    def view(self, role: RoleBatch, draws: Draws) -> Tensor:
        views = standard_views(role, draws, self.recipe)
        return exchanged(views, draws, gray=self.params.gray)


PLUGIN: Strategy = ChannelExchange()
