"""Control: supervised classification with feature statistics moved by their spread in the batch.

DSU of Li et al. 2022 (ICLR, uncertainty modelling for out-of-distribution generalisation), by its
released code, but for the two places before the first stage.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from gpbench.api import (
    NOT_NEGATIVE,
    POSITIVE,
    PROBABILITY,
    Draws,
    Inflate,
    Phase,
    Strategy,
    check_ranges,
)
from gpbench.parts.restyling import Restyling
from gpbench.parts.stages import Change, Stage
from gpbench.parts.statistics import uncertain_style


@dataclass(frozen=True)
class Params:
    stages: int = field(default=4, metadata=POSITIVE)
    """The first so many of the backbone's four."""
    probability: float = field(default=0.5, metadata=PROBABILITY)
    """That a step moves the statistics, drawn for each stage."""
    factor: float = field(default=1.0, metadata=NOT_NEGATIVE)
    """The noise is multiplied by it."""
    inflate: Inflate = "repeat"
    """What bands other than red, green and blue start from, at transfer."""

    def __post_init__(self) -> None:
        check_ranges(self)


class Dsu:
    title = "DSU pre-training"
    version = 1
    params: type = Params
    channels: Literal["rgb", "target"] = "rgb"
    assumed: tuple[str, ...] = ("stages", "inflate")

    def phases(self, params: Params) -> list[Phase]:
        return [Phase("supervised", source="labelled", task=partial(Task, params))]


class Task(Restyling):
    """Cross-entropy of the class while statistics of the stages are uncertain."""

    params: Params

    def change(self, stage: Stage, samples: int, draws: Draws) -> Change:  # noqa: ARG002  the base's
        mean, deviation = (
            self.params.factor * draws.normal(f"{stage.module}.{which}", stage.channels)
            for which in ("mean", "deviation")
        )
        return partial(uncertain_style, mean_noise=mean, deviation_noise=deviation)


PLUGIN: Strategy = Dsu()
