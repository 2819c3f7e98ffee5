"""Control: supervised classification with feature statistics mixed between images of the batch.

MixStyle of Zhou et al. 2021 (ICLR), by its released code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from gpbench.api import (
    POSITIVE,
    PROBABILITY,
    Draws,
    Inflate,
    Phase,
    Strategy,
    check_ranges,
)
from gpbench.parts.draws import beta
from gpbench.parts.restyling import Restyling
from gpbench.parts.stages import Change, Stage
from gpbench.parts.statistics import mixed_style


@dataclass(frozen=True)
class Params:
    stages: int = field(default=2, metadata=POSITIVE)
    """The first so many of the backbone's four; two in the paper's choice for PACS."""
    probability: float = field(default=0.5, metadata=PROBABILITY)
    """That a step mixes, drawn for each stage."""
    concentration: float = field(default=0.1, metadata=POSITIVE)
    """The a of Beta(a, a), from which the weights of the mixtures are drawn."""
    inflate: Inflate = "repeat"
    """What bands other than red, green and blue start from, at transfer."""

    def __post_init__(self) -> None:
        check_ranges(self)


class MixStyle:
    title = "MixStyle pre-training"
    version = 1
    params: type = Params
    channels: Literal["rgb", "target"] = "rgb"
    assumed: tuple[str, ...] = ("stages", "inflate")

    def phases(self, params: Params) -> list[Phase]:
        return [Phase("supervised", source="labelled", task=partial(Task, params))]


class Task(Restyling):
    """Cross-entropy of the class while statistics of the first stages are mixed."""

    params: Params

    def change(self, stage: Stage, samples: int, draws: Draws) -> Change:
        partner = draws.of_step().permutation(f"{stage.module}.partner", samples)[0]
        weight = beta(draws, f"{stage.module}.weight", self.params.concentration)
        return partial(mixed_style, partner=partner, weight=weight)


PLUGIN: Strategy = MixStyle()
