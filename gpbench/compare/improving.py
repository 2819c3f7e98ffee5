"""Which arms were still improving when their fine-tuning ended. Pure.

The rule: the mean training loss of the last tenth of the steps is at least 5 % below that of the
tenth before, and the difference is none of chance (paired t over the fine-tunings, p < 0.05). One
fine-tuning says nothing. A schedule that lets the learning rate fall to nothing leaves little to
gain at the end; where the loss falls all the same, more steps may change which arm is ahead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from gpbench.compare.study import Study
from gpbench.compare.training import Training
from gpbench.stats.satterthwaite import t_test, unit_term

LEAST_DROP = 0.05
"""Of the loss, from one tenth of the steps to the next."""
ALPHA = 0.05


@dataclass(frozen=True)
class StillImproving:
    """An arm whose training loss still fell when its fine-tuning on a dataset ended."""

    arm: str
    backbone: str
    dataset: str
    label_fraction: float
    drop: float
    """Of the mean loss, as a share of it."""
    finetunings: int
    p: float


def improving(study: Study) -> Iterator[StillImproving]:
    """Yield the arms of the study that the rule flags, by dataset, backbone and label fraction."""
    for training in study.trainings.cells:
        if training.arm in study.arms:
            flagged = _flagged(training)
            if flagged:
                yield flagged


def _flagged(t: Training) -> StillImproving | None:
    n = len(t.losses)
    if n < 2:
        return None
    before = math.fsum(early for early, _ in t.losses) / n
    falls = [early - late for early, late in t.losses]
    fall, term = math.fsum(falls) / n, unit_term(falls)
    if not before > 0 or fall < LEAST_DROP * before or not term.variance:
        return None
    p = t_test(fall, [term], ALPHA).p
    if p >= ALPHA:
        return None
    return StillImproving(t.arm, t.backbone, t.dataset, t.label_fraction, fall / before, n, p)
