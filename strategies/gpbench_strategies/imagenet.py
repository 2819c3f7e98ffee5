"""Supervised classification of RGB images; the stem is inflated to the target's bands by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gpbench.api import Inflate, Phase, Strategy
from gpbench.parts.classification import Classification


@dataclass(frozen=True)
class Params:
    inflate: Inflate = "repeat"
    """What bands other than red, green and blue start from, at transfer."""


class ImageNet:
    title = "Supervised ImageNet pre-training"
    version = 1
    params: type = Params
    channels: Literal["rgb", "target"] = "rgb"
    assumed: tuple[str, ...] = ("inflate",)

    def phases(self, params: Params) -> list[Phase]:  # noqa: ARG002  `inflate` acts at transfer
        return [Phase("supervised", source="labelled", task=Classification)]


PLUGIN: Strategy = ImageNet()
