"""Control: supervised classification of images without colour, luminance in all three channels."""

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
from gpbench.parts.color import grayed
from gpbench.parts.views import cropped, jittered, standardised


@dataclass(frozen=True)
class Params:
    probability: float = field(default=1.0, metadata=PROBABILITY)
    """That an image becomes grey."""
    inflate: Inflate = "repeat"
    """What bands other than red, green and blue start from, at transfer."""

    def __post_init__(self) -> None:
        check_ranges(self)


class Grayscale:
    title = "Grey-scale pre-training"
    version = 1
    params: type = Params
    channels: Literal["rgb", "target"] = "rgb"
    assumed: tuple[str, ...] = ("inflate",)

    def phases(self, params: Params) -> list[Phase]:
        return [Phase("supervised", source="labelled", task=partial(Task, params))]


class Task(Classification):
    """Cross-entropy of the class of a view that may be grey."""

    def __init__(self, params: Params, context: PhaseContext) -> None:
        super().__init__(context)
        self.params = params

    def view(self, role: RoleBatch, draws: Draws) -> Tensor:
        images = cropped(role.images, draws, self.recipe)
        gray = grayed(images, draws, probability=self.params.probability)
        return jittered(standardised(gray, role.mean, role.std), draws, self.recipe.jitter)


PLUGIN: Strategy = Grayscale()
