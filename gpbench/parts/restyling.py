"""The task of strategies that change feature statistics on the way through the backbone."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from gpbench.api import Batch, Draws, InvalidValueError, PhaseContext
from gpbench.parts.classification import Classification
from gpbench.parts.stages import Change, Stage, changed, first_stages


class RestylingParams(Protocol):
    """What the parameters of such a strategy have."""

    @property
    def stages(self) -> int: ...

    @property
    def probability(self) -> float: ...


class Restyling(Classification):
    """Cross-entropy of the class of ordinary views; in training the first stages' output changes.

    Every step and stage is changed with the parameters' probability, all images or none. A strategy
    says how by `change`. The batch is never cut: images look at each other.
    """

    splittable = False

    def __init__(self, params: RestylingParams, context: PhaseContext) -> None:
        super().__init__(context)
        if context.recipe.batch < 2:
            raise InvalidValueError(
                "pretrain.batch", context.recipe.batch, "2 or more: images look at each other"
            )
        self.params: Any = params
        self.stages = first_stages(self.net, context, params.stages)

    def change(self, stage: Stage, samples: int, draws: Draws) -> Change:
        """Return how a stage's output (samples, ...) is changed in this step."""
        raise NotImplementedError

    def views(self, batch: Batch, draws: Draws) -> Any:
        """Return views (B, 3, crop_px, crop_px), labels (B,), a change or None for every stage."""
        images, labels = super().views(batch, draws)
        step = draws.of_step()
        changes = [
            self.change(stage, len(images), draws)
            if bool(step.uniform(f"{stage.module}.changed") < self.params.probability)
            else None
            for stage in self.stages
        ]
        return images, labels, changes

    def loss(self, views: Any) -> dict[str, Tensor]:
        images, labels, changes = views
        if not self.training:
            changes = [None] * len(changes)
        with changed(self.net, self.stages, changes):
            return super().loss((images, labels))
