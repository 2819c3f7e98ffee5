"""Control: supervised classification of images with another's amplitude spectrum, their own phase.

FACT of Xu et al. 2021 (CVPR) without its mean teacher, or the exchange of Chen et al. 2021 (ICCV,
APR). The teacher's consistency is left out: its weights would be averaged twice where a recipe has
a running average.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import torch
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
from gpbench.parts.draws import Prefixed
from gpbench.parts.spectrum import PLANE, VOLUME, amplitude_mix
from gpbench.parts.views import cropped, jittered, standardised


@dataclass(frozen=True)
class Params:
    """Whose amplitude an image takes, how much of it, and how often."""

    variant: Literal["fact", "apr-p", "apr-s"] = "fact"
    """`fact` mixes it with another image's; `apr-p` takes another image's; `apr-s` that of a second
    view of the same image, drawn as the first (in the paper by AugMix's operations)."""
    eta: float = field(default=1.0, metadata=PROBABILITY)
    """Of `fact`: the other image's share is uniform between 0 and this."""
    probability: float = field(default=0.5, metadata=PROBABILITY)
    """That an image is changed; a half weighs originals and mixtures as FACT does."""
    inflate: Inflate = "repeat"
    """What bands other than red, green and blue start from, at transfer."""

    def __post_init__(self) -> None:
        check_ranges(self)


class AmplitudeMix:
    title = "Amplitude-mix pre-training"
    version = 1
    params: type = Params
    channels: Literal["rgb", "target"] = "rgb"
    assumed: tuple[str, ...] = ("probability", "inflate")

    def phases(self, params: Params) -> list[Phase]:
        return [Phase("supervised", source="labelled", task=partial(Task, params))]


class Task(Classification):
    """Cross-entropy of the class of a view whose amplitude spectrum is another's."""

    def __init__(self, params: Params, context: PhaseContext) -> None:
        super().__init__(context)
        self.params = params
        self.splittable = params.variant == "apr-s"  # the others look at the rest of the batch

    def view(self, role: RoleBatch, draws: Draws) -> Tensor:
        plain, params = cropped(role.images, draws, self.recipe), self.params
        if params.variant == "apr-s":
            others = cropped(role.images, Prefixed(draws, "second"), self.recipe)
        else:
            others = plain[draws.of_step().permutation("amplitude.partner", len(plain))[0]]
        mixed = self._mixed(plain, others, draws)
        is_mixed = draws.uniform("amplitude.mixed")[..., None, None] < params.probability
        images = torch.where(is_mixed, mixed.clamp(0, 1), plain)  # as the reference's 0..255
        return jittered(standardised(images, role.mean, role.std), draws, self.recipe.jitter)

    def _mixed(self, images: Tensor, others: Tensor, draws: Draws) -> Tensor:
        if self.params.variant == "fact":
            share = draws.uniform("amplitude.share")[:, 0] * self.params.eta
            return amplitude_mix(images, others, share, axes=PLANE)
        return amplitude_mix(images, others, images.new_ones(len(images)), axes=VOLUME)


PLUGIN: Strategy = AmplitudeMix()
