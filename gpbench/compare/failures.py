"""How often the runs of an arm and of the baseline diverged. Pure.

A divergence is an outcome of its arm; what was not run, or ran out of memory, says nothing about
it. A pre-training all of whose fine-tunings diverged is one outcome and not as many as it has
fine-tunings: that is how one whose own loss diverged looks from here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from gpbench.compare.study import Run, Study
from gpbench.stats.fisher import fisher_exact


@dataclass(frozen=True)
class Tally:
    """So many diverged, of so many that ended."""

    diverged: int
    ended: int


@dataclass(frozen=True)
class Failures:
    """Divergences of an arm and of the baseline, the arm's first."""

    arm: str
    baseline: str
    finetunings: tuple[Tally, Tally]
    outcomes: tuple[Tally, Tally]
    """The same, with pre-trainings whose fine-tunings all diverged counted once."""
    p: float | None
    """Fisher's exact two-sided p of the outcomes; None: nothing ended on a side."""


def failures(study: Study, arm: str, baseline: str) -> Failures | None:
    """Return how often both arms diverged; None where neither did."""
    sides = [
        [run for run in study.of_arm(name) if run.status in ("ok", "diverged")]
        for name in (arm, baseline)
    ]
    finetunings = [_tally([[_diverged(run)] for run in side]) for side in sides]
    outcomes = [_tally(_by_pretraining(side)) for side in sides]
    if not any(tally.diverged for tally in finetunings):
        return None
    theirs, ours = outcomes
    p = (
        fisher_exact(theirs.diverged, theirs.ended, ours.diverged, ours.ended)
        if theirs.ended and ours.ended
        else None
    )
    return Failures(arm, baseline, (finetunings[0], finetunings[1]), (theirs, ours), p)


def _diverged(run: Run) -> bool:
    return run.status == "diverged"


def _by_pretraining(runs: Sequence[Run]) -> list[list[bool]]:
    """Return whether the fine-tunings of each pre-training diverged; others stand alone."""
    shared: defaultdict[str, list[bool]] = defaultdict(list)
    alone: list[list[bool]] = []
    for run in runs:
        if run.pretrain_key is None:
            alone.append([_diverged(run)])
        else:
            shared[run.pretrain_key].append(_diverged(run))
    return [*shared.values(), *alone]


def _tally(groups: Sequence[Sequence[bool]]) -> Tally:
    diverged = sum(1 if all(group) else sum(group) for group in groups)
    ended = sum(1 if all(group) else len(group) for group in groups)
    return Tally(diverged, ended)
